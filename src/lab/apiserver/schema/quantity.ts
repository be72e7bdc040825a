/** Kubernetes quantities: parsing, canonical text, comparison. Source: apimachinery's resource.Quantity, as its API reference has it. */

/** An exact value of `digits` × 10^`exponent`, and the family of suffixes that it was written in. */
export type Quantity = {
  /** In units of 10^-9, which is the finest that a quantity holds. */
  readonly nanos: bigint;
  readonly form: 'binary' | 'decimal' | 'exponent';
};

const syntax = /^([+-]?)(\d+\.?\d*|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+)?$/;
const binary: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
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
const billion = 1_000_000_000n;

/** Reads a quantity; finer than a nano is rounded up, away from zero. `undefined` for anything that isn't one. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = syntax.exec(text);
  if (match === null) return undefined;
  const [, sign, number, suffix = ''] = match as unknown as [string, string, string, string | undefined];
  const [whole = '', fraction = ''] = number.split('.');
  const digits = BigInt(`${whole}${fraction}` || '0');
  const shift = binary[suffix];
  let form: Quantity['form'] = 'decimal';
  let ten = 9 - fraction.length;
  if (shift !== undefined) form = 'binary';
  else if (/^[eE][+-]?\d/.test(suffix)) {
    const exponent = Number(suffix.slice(1));
    if (Math.abs(exponent) > 100) return undefined;
    form = 'exponent';
    ten += exponent;
  } else ten += decimal[suffix] ?? 0;
  const magnitude = scale(digits << (shift ?? 0n), ten);
  return { nanos: sign === '-' ? -magnitude : magnitude, form };
}

/** The canonical text: no fraction, the largest suffix that loses nothing; a binary quantity that isn't whole goes decimal. */
export function formatQuantity(quantity: Quantity): string {
  const negative = quantity.nanos < 0n;
  const nanos = negative ? -quantity.nanos : quantity.nanos;
  const sign = negative ? '-' : '';
  if (nanos === 0n) return '0';
  if (quantity.form === 'binary' && nanos % billion === 0n && nanos / billion >= 1024n) {
    let whole = nanos / billion;
    let steps = 0;
    while (whole % 1024n === 0n && steps < 6) {
      whole /= 1024n;
      steps++;
    }
    return `${sign}${whole}${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'][steps]}`;
  }
  let value = nanos;
  let exponent = -9;
  while (value % 1000n === 0n && exponent < 18) {
    value /= 1000n;
    exponent += 3;
  }
  if (quantity.form === 'exponent') return `${sign}${value}${exponent === 0 ? '' : `e${exponent}`}`;
  const suffixes: Readonly<Record<number, string>> = {
    [-9]: 'n',
    [-6]: 'u',
    [-3]: 'm',
    0: '',
    3: 'k',
    6: 'M',
    9: 'G',
    12: 'T',
    15: 'P',
    18: 'E',
  };
  return `${sign}${value}${suffixes[exponent]}`;
}

/** The canonical text of a quantity given as text or number; `undefined` if it isn't one. */
export function canonicalQuantity(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const quantity = parseQuantity(typeof value === 'number' ? numberText(value) : value);
  return quantity && formatQuantity(quantity);
}

function numberText(value: number): string {
  return String(value).replace('e+', 'e');
}

/** digits × 10^exponent, rounded away from zero. */
function scale(digits: bigint, exponent: number): bigint {
  if (exponent >= 0) return digits * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  return (digits + divisor - 1n) / divisor;
}
