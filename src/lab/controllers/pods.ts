/** What the workload controllers share about pods: readiness, ownership, making them from a template; pure. */
import { createHash } from 'node:crypto';
import type { KubeObject, OwnerReference } from '#api/object.ts';
import type { Pod, PodTemplate } from '../objects/pod.ts';

export function isReady(pod: Pod): boolean {
  return (pod.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** Ready for at least that long. */
export function isAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  if (!isReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const since = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  return since !== undefined && now - Date.parse(since) >= minReadySeconds * 1000;
}

export function isTerminating(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** Ended for good, whatever its restart policy. */
export function isOver(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Counts towards a controller's replicas. */
export function isActive(pod: Pod): boolean {
  return !isOver(pod) && !isTerminating(pod);
}

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** Key of the object of that kind that controls a pod; none when another or nobody does. */
export function ownerKeys(kind: string): (pod: Pod) => readonly string[] {
  return (pod) => {
    const owner = controllerOf(pod);
    return owner?.kind === kind ? [`${pod.metadata.namespace}/${owner.name}`] : [];
  };
}

export function ownerReference(owner: KubeObject): OwnerReference {
  const { name, uid = '' } = owner.metadata;
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** A pod of a template; `name` undefined: the server chooses one after the owner's. */
export function podFrom(
  owner: KubeObject,
  template: PodTemplate,
  more: {
    readonly name?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly spec?: Partial<Pod['spec']>;
  } = {},
): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const name = more.name ?? '';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(more.name === undefined ? { generateName: generatedPrefix(owner.metadata.name) } : {}),
      name,
      namespace: owner.metadata.namespace ?? '',
      labels: { ...labels, ...more.labels },
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [ownerReference(owner)],
    },
    spec: { ...template.spec, ...more.spec },
  };
}

/** Room for the server's five characters within the 63 of a pod's host name. */
export function generatedPrefix(name: string): string {
  return `${name.slice(0, 57)}-`;
}

/** Ten characters that stand for a template: equal templates have equal ones, whatever the order of their fields. */
export function templateHash(template: PodTemplate): string {
  const digest = createHash('sha256').update(canonical(template)).digest();
  // As upstream: no vowels and no digits that could spell a word.
  return [...digest.subarray(0, 10)].map((byte) => alphabet[byte % alphabet.length]).join('');
}

const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
}

/** An absolute number or a percentage of `total`; surges are rounded up, outages down. */
export function scaled(
  value: number | string | undefined,
  total: number,
  round: 'up' | 'down',
  absent: number | string,
): number {
  const given = value ?? absent;
  if (typeof given === 'number') return given;
  const percent = /^(\d+)%$/.exec(given)?.[1];
  if (percent === undefined) return Number.parseInt(given, 10) || 0;
  const exact = (total * Number(percent)) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}

/** Which pods go first when there are too many: unplaced, not ready, restarting, then the youngest. */
export function deletionOrder(pods: readonly Pod[]): readonly Pod[] {
  const rank = (pod: Pod): readonly number[] => [
    pod.spec.nodeName === undefined ? 0 : 1,
    pod.status?.phase === 'Running' ? 1 : 0,
    isReady(pod) ? 1 : 0,
    -(pod.status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0),
    -Date.parse(pod.metadata.creationTimestamp ?? ''),
  ];
  return pods.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    const index = left.findIndex((value, at) => value !== right[at]);
    return index < 0
      ? a.metadata.name < b.metadata.name
        ? 1
        : -1
      : (left[index] ?? 0) - (right[index] ?? 0);
  });
}
