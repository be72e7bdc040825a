/** Whom the policies of a whole cluster select, in one pass over its pods: for status, and for what can't work. */
import type { PodModel } from '#model/pod.ts';
import type { PodsSelector, PolicyModel, PolicyPeer } from '#model/policy.ts';
import { type Labels, selects } from '#model/selector.ts';
import { peerText, podsText } from './features.ts';
import { isPolicyPod, namespaceLabels } from './order.ts';
import { createSelectorIndex } from './selector-index.ts';
import type { PolicySnapshot } from './snapshot.ts';

export type PolicySummary = {
  /** Pods that it selects, on all nodes. */
  readonly selectedPods: number;
  /** Those that have one of these pods. */
  readonly nodes: ReadonlySet<string>;
};

/** By `PolicyModel.key`. */
export function policySummary(snapshot: PolicySnapshot): ReadonlyMap<string, PolicySummary> {
  const subjects = [...snapshot.policies.values()].map(({ subject }) => subject);
  return summaryOf(snapshot, selectPods(snapshot, subjects));
}

export function summaryOf(
  { policies }: PolicySnapshot,
  selection: Selection,
): ReadonlyMap<string, PolicySummary> {
  return new Map(
    [...policies].map(([key, { subject }]) => {
      const { pods, nodes } = selection.of(subject);
      return [key, { selectedPods: pods, nodes }];
    }),
  );
}

export type Selected = {
  readonly pods: number;
  readonly nodes: ReadonlySet<string>;
  /** Named ports that at least one of the pods has, as `portToken` writes them. */
  readonly ports: ReadonlySet<string>;
};

export type Selection = { readonly of: (selector: PodsSelector) => Selected };

/** `selectors`: the very ones that `of` will be asked for. */
export function selectPods(snapshot: PolicySnapshot, selectors: Iterable<PodsSelector>): Selection {
  const index = createSelectorIndex<Gathered>();
  const byText = new Map<string, Gathered>();
  const found = new Map<PodsSelector, Gathered>();
  for (const selector of selectors) {
    const text = podsText(selector);
    const known = byText.get(text);
    const gathered = known ?? { pods: 0, nodes: new Set(), ports: noPorts };
    found.set(selector, gathered);
    if (known !== undefined) continue;
    byText.set(text, gathered);
    index.add(selector, gathered);
  }
  const labels = new Map<string, Labels>();
  for (const pod of snapshot.pods.values()) {
    if (!isPolicyPod(pod)) continue;
    const { namespace } = pod;
    const outer = labels.get(namespace) ?? namespaceLabels(namespace, snapshot.namespaces.get(namespace));
    labels.set(namespace, outer);
    for (const gathered of index.taking(pod, outer)) gather(gathered, pod);
  }
  return { of: (selector) => found.get(selector) ?? nobody };
}

export function portToken(name: string, protocol: string): string {
  return `${name}/${protocol}`;
}

/** Whether a selector of peers takes anybody there is; prefixes and names are not known to. */
export function selectsSomebody(snapshot: PolicySnapshot, selection: Selection, peer: PolicyPeer): boolean {
  if (peer.kind === 'pods') return selection.of(peer.select).pods > 0;
  if (peer.kind !== 'nodes') return true;
  return [...snapshot.nodes.values()].some(({ labels }) => selects(peer.select, labels ?? {}));
}

/** Every selector of pods that a policy has. */
export function selectorsOf({ subject, ingress = [], egress = [] }: PolicyModel): PodsSelector[] {
  const peers = [...ingress, ...egress].flatMap((rule) => rule.peers ?? []);
  return [subject, ...peers.flatMap((peer) => (peer.kind === 'pods' ? [peer.select] : []))];
}

/** For people. */
export function describePeer(peer: PolicyPeer): string {
  if (peer.kind === 'pods') return describePods(peer.select);
  if (peer.kind === 'nodes') return `nodes ${describeSelector(peer.select)}`.trim();
  return peerText(peer) ?? peer.kind;
}

export function describePods({ namespaces, pods }: PodsSelector): string {
  const inner = `pods ${pods === undefined ? '' : describeSelector(pods)}`.trim();
  if (typeof namespaces === 'string') return `${inner} in namespace ${namespaces}`;
  const outer = describeSelector(namespaces);
  return outer === '' ? `${inner} in all namespaces` : `${inner} in namespaces ${outer}`;
}

type Gathered = { pods: number; readonly nodes: Set<string>; ports: ReadonlySet<string> };

const noPorts: ReadonlySet<string> = new Set();

const nobody: Selected = { pods: 0, nodes: new Set(), ports: new Set() };

function gather(into: Gathered, { node, namedPorts }: PodModel): void {
  into.pods++;
  if (node !== undefined) into.nodes.add(node);
  if (namedPorts.length === 0) return;
  into.ports = new Set([...into.ports, ...namedPorts.map(({ name, protocol }) => portToken(name, protocol))]);
}

function describeSelector({
  matchLabels = {},
  matchExpressions = [],
}: Exclude<PodsSelector['namespaces'], string>): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const rest = matchExpressions.map(({ key, operator, values = [] }) =>
    values.length === 0 ? `${operator} ${key}` : `${key} ${operator} (${values.join(', ')})`,
  );
  return [...equal, ...rest].join(', ');
}
