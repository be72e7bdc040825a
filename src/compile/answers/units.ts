/** Pods that are the same to every policy before and after, workload by workload. */
import type { ClusterModel } from '#model/cluster.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel, PolicyPeer } from '#model/policy.ts';
import type { Labels } from '#model/selector.ts';
import { formatWorkload, type Workload } from '#model/workload.ts';
import { type Family, parseAddr } from '#net/addr.ts';
import { isPolicyPod } from '../policy/order.ts';
import type { Gates } from './gate.ts';
import type { PrefixTree } from './prefixes.ts';

/** What is compared: the cluster as it is, and as it would be. */
export type Side = { readonly cluster: ClusterModel; readonly gates: Gates };

export type Sides = { readonly before: Side; readonly after: Side };

export const sideNames = ['before', 'after'] as const;

/** A pod on one side or on both. */
export type UnitPod = { readonly key: string; readonly before?: PodModel; readonly after?: PodModel };

export type Unit = { readonly label: string; readonly workload: Workload; readonly pods: readonly UnitPod[] };

/** Whatever of a pod, besides its workload, some rule looks at. */
export type Looked = {
  readonly podLabels: ReadonlySet<string>;
  readonly nodeLabels: ReadonlySet<string>;
  readonly portNames: ReadonlySet<string>;
};

/** Pods that have no network of their own are nobody here: what they send is their node's. */
export function unitsOf({ before, after }: Sides, looked: Looked, tree: PrefixTree): readonly Unit[] {
  const units = new Map<string, { workload: Workload; pods: UnitPod[] }>();
  const keys = new Set([...before.cluster.pods.keys(), ...after.cluster.pods.keys()]);
  for (const key of keys) {
    const old = present(before.cluster.pods.get(key));
    const new_ = present(after.cluster.pods.get(key));
    const any = new_ ?? old;
    if (any === undefined) continue;
    const workload = after.cluster.workloads.get(key) ??
      before.cluster.workloads.get(key) ?? { kind: 'Pod', namespace: any.namespace, name: any.name };
    const alike = JSON.stringify([
      formatWorkload(workload),
      projection(old, before, looked, tree),
      projection(new_, after, looked, tree),
    ]);
    const pod = {
      key,
      ...(old === undefined ? {} : { before: old }),
      ...(new_ === undefined ? {} : { after: new_ }),
    };
    const unit = units.get(alike);
    if (unit === undefined) units.set(alike, { workload, pods: [pod] });
    else unit.pods.push(pod);
  }
  return [...units.values()].map((unit) => ({ ...unit, label: formatWorkload(unit.workload) }));
}

export function lookedAt(policies: Iterable<PolicyModel>): Looked {
  const podLabels = new Set<string>();
  const nodeLabels = new Set<string>();
  const portNames = new Set<string>();
  const keys = (into: Set<string>, selector: SelectorKeys | undefined): void => {
    for (const key of Object.keys(selector?.matchLabels ?? {})) into.add(key);
    for (const { key } of selector?.matchExpressions ?? []) into.add(key);
  };
  const look = (peer: PolicyPeer): void => {
    if (peer.kind === 'pods') keys(podLabels, peer.select.pods);
    if (peer.kind === 'nodes') keys(nodeLabels, peer.select);
  };
  for (const { subject, ingress = [], egress = [] } of policies) {
    keys(podLabels, subject.pods);
    for (const { peers = [], ports = [] } of [...ingress, ...egress]) {
      for (const peer of peers) look(peer);
      for (const port of ports) if ('name' in port) portNames.add(port.name);
    }
  }
  return { podLabels, nodeLabels, portNames };
}

type SelectorKeys = {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly { readonly key: string }[];
};

export function only(labels: Labels, keys: ReadonlySet<string>): readonly (readonly [string, string])[] {
  return Object.entries(labels)
    .filter(([key]) => keys.has(key))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

export function addressOf({ addresses }: Pick<PodModel, 'addresses'>, family: Family): string | undefined {
  return addresses.find((text) => text.includes(':') === (family === 6));
}

function present(pod: PodModel | undefined): PodModel | undefined {
  return pod !== undefined && isPolicyPod(pod) ? pod : undefined;
}

function projection(pod: PodModel | undefined, { gates }: Side, looked: Looked, tree: PrefixTree): unknown {
  if (pod === undefined) return undefined;
  const places = pod.addresses.map((text) => {
    const addr = parseAddr(text);
    const part = addr === undefined ? undefined : tree.partOf(addr);
    return [addr?.family, part, gates.subnetOf(text), gates.published.get(text) ?? []];
  });
  const ports = pod.namedPorts.filter(({ name }) => looked.portNames.has(name));
  return [pod.namespace, only(pod.labels, looked.podLabels), ports, places];
}
