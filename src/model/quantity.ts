/** Quantities (k8s.io/apimachinery/pkg/api/resource): `10M`, `1.5Gi`, `1e6`. */

/** The whole number that a quantity stands for, rounded up as Kubernetes' Value() does; undefined when it is none. */
export function readQuantity(text: string): bigint | undefined {
  const match = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eE][+-]?[0-9]{1,3}|[KMGTPE]i|[numkMGTPE])?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  if (text.length > longest) return undefined;
  const [factor, divisor] = scaleOf(suffix);
  const numerator = BigInt(whole + fraction) * factor;
  const denominator = 10n ** BigInt(fraction.length) * divisor;
  // Rounded away from zero, as Kubernetes does.
  const value = (numerator + denominator - 1n) / denominator;
  return sign === '-' ? -value : value;
}

/** Kubernetes itself keeps no more digits; a tenant's text must not cost more than it does. */
const longest = 64;

const decimal: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const binary: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };

function scaleOf(suffix: string): readonly [factor: bigint, divisor: bigint] {
  const shift = binary[suffix];
  if (shift !== undefined) return [1n << shift, 1n];
  const exponent = suffix.length > 1 ? Number(suffix.slice(1)) : (decimal[suffix] ?? 0);
  const power = 10n ** BigInt(Math.abs(exponent));
  return exponent < 0 ? [1n, power] : [power, 1n];
}
