/** Rates and bursts, as pods' annotations and QoSPolicies give them. */
import type { PodModel } from './pod.ts';
import { collectProblems, type Read, type Refuse } from './problem.ts';
import { readQuantity } from './quantity.ts';

/** As seen from the pod: `ingress` is what it receives. */
export type Direction = 'ingress' | 'egress';
export const directions: readonly Direction[] = ['ingress', 'egress'];

export type RateModel = {
  readonly bitsPerSecond: number;
  /** Bits that may pass at once; absent: as suits the rate. */
  readonly burstBits?: number;
};

export type PodBandwidth = { readonly [D in Direction]?: RateModel };

/** The annotation of a direction, in bits a second, as kubelets and runtimes hand it to the bandwidth plugin. */
export function bandwidthAnnotation(direction: Direction): string {
  return `kubernetes.io/${direction}-bandwidth`;
}

/**
 * What a pod's own annotations ask for. A bad one counts as absent, with a problem: runtimes that hand limits to plugins refuse to
 * start such a pod before they ask for its network (containerd, CRI-O), so here it can only be one that runs already.
 */
export function readPodBandwidth(pod: PodModel): Read<PodBandwidth> & { readonly value: PodBandwidth } {
  const { problems, refuse } = collectProblems(pod.origin);
  const value: { [D in Direction]?: RateModel } = {};
  for (const direction of directions) {
    const annotation = bandwidthAnnotation(direction);
    const text = Object.hasOwn(pod.annotations, annotation) ? pod.annotations[annotation] : undefined;
    if (text === undefined) continue;
    const bitsPerSecond = readBits(text, `metadata.annotations[${annotation}]`, rateBounds, refuse);
    if (bitsPerSecond !== undefined) value[direction] = { bitsPerSecond };
  }
  return { value, problems };
}

export type Bounds = {
  readonly least: bigint;
  readonly most: bigint;
  readonly text: string;
  readonly unit: string;
};

/** k8s.io/kubernetes/pkg/util/bandwidth: below a kilobit nothing works, above a petabit it is a slip of the pen. */
export const rateBounds: Bounds = {
  least: 1_000n,
  most: 10n ** 15n,
  text: '1k to 1P',
  unit: 'bits a second',
};
/** What fits a token bucket's 32 bits of bytes, as the bandwidth plugin bounds it. */
export const burstBounds: Bounds = {
  least: 1_000n,
  most: 8n * (2n ** 32n - 1n),
  text: '1k to 34359738360',
  unit: 'bits',
};

export function readBits(text: string, field: string, bounds: Bounds, refuse: Refuse): number | undefined {
  const bits = readQuantity(text);
  const { least, most, unit } = bounds;
  const shown = text.length > 64 ? `${text.slice(0, 64)}…` : text;
  const right = `give ${bounds.text} ${unit}`;
  if (bits === undefined)
    return refuse(field, 'InvalidRate', `${JSON.stringify(shown)} is no quantity; ${right}, for example 10M`);
  if (bits < least || bits > most)
    return refuse(field, 'InvalidRate', `${shown} is too ${bits < least ? 'small' : 'large'}; ${right}`);
  return Number(bits);
}
