/** What a pod may learn about itself (the downward API); pure. */
import { availableParallelism, totalmem } from 'node:os';
import type { ResourceFieldRef } from '../objects/container.ts';
import type { Pod } from '../objects/pod.ts';

export type Downward = { readonly value?: string; readonly problem?: string };

export type DownwardSources = {
  readonly pod: Pod;
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
};

/** Value of a `fieldRef.fieldPath`; whole label and annotation maps as `key="value"` lines. */
export function downwardField(path: string, { pod, podIPs, hostIPs }: DownwardSources): Downward {
  const subscript = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(path);
  if (subscript !== null) {
    const map = pod.metadata[subscript[1] as 'labels' | 'annotations'] ?? {};
    const key = subscript[2] as string;
    return { value: Object.hasOwn(map, key) ? (map[key] as string) : '' };
  }
  switch (path) {
    case 'metadata.name':
      return { value: pod.metadata.name };
    case 'metadata.namespace':
      return { value: pod.metadata.namespace ?? '' };
    case 'metadata.uid':
      return { value: pod.metadata.uid ?? '' };
    case 'metadata.labels':
    case 'metadata.annotations':
      return { value: lines(pod.metadata[path.slice(9) as 'labels' | 'annotations'] ?? {}) };
    case 'spec.nodeName':
      return { value: pod.spec.nodeName ?? '' };
    case 'spec.serviceAccountName':
      return { value: pod.spec.serviceAccountName ?? 'default' };
    case 'status.podIP':
      return { value: podIPs[0] ?? '' };
    case 'status.podIPs':
      return { value: podIPs.join(',') };
    case 'status.hostIP':
      return { value: hostIPs[0] ?? '' };
    case 'status.hostIPs':
      return { value: hostIPs.join(',') };
    default:
      return { problem: `unsupported fieldPath: ${path}` };
  }
}

/** Value of a `resourceFieldRef`, rounded up to its divisor; without a limit it is what the machine has. */
export function downwardResource(
  ref: ResourceFieldRef | undefined,
  pod: Pod,
  containerName: string,
): Downward {
  if (ref === undefined) return { problem: 'env valueFrom names no source' };
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const container = all.find(({ name }) => name === (ref.containerName ?? containerName));
  const [list, resource] = ref.resource.split('.') as [string, string | undefined];
  if (container === undefined || (list !== 'limits' && list !== 'requests') || resource === undefined) {
    return { problem: `unsupported resourceFieldRef: ${ref.resource}` };
  }
  const given = container.resources?.[list]?.[resource] ?? container.resources?.limits?.[resource];
  const amount = given === undefined ? machineHas(resource, list) : quantity(String(given));
  const divisor = quantity(ref.divisor === undefined || ref.divisor === '0' ? '1' : String(ref.divisor));
  if (amount === undefined || divisor === undefined || divisor === 0) {
    return { problem: `resourceFieldRef ${ref.resource}: not a quantity` };
  }
  return { value: String(Math.ceil(amount / divisor)) };
}

/** A Kubernetes quantity (`100m`, `64Mi`, `1e3`) as a number; undefined when it is none. */
export function quantity(text: string): number | undefined {
  const match = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(m|[kMGTPE]|[KMGTPE]i)?$/.exec(text);
  if (match === null) return undefined;
  const number = Number(match[1]);
  return Number.isNaN(number) ? undefined : number * (suffixes[match[2] ?? ''] as number);
}

const suffixes: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

function machineHas(resource: string, list: string): number | undefined {
  if (list === 'requests') return 0;
  return { cpu: availableParallelism(), memory: totalmem() }[resource];
}

function lines(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}
