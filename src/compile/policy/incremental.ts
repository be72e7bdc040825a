/** The same compile, change by change: the cost of a change follows what it matches. */
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel } from '#model/policy.ts';
import type { Problem } from '#model/problem.ts';
import type { Labels } from '#model/selector.ts';
import { createDeltaOutput } from '../delta.ts';
import { namesIn, type PolicyDomain, type PolicyIntent, subjectIntent } from './entries.ts';
import { limitProblem, type PolicyLimits, policyLimits } from './limits.ts';
import { createLiveAddresses } from './live-addresses.ts';
import { createLiveClasses } from './live-classes.ts';
import { createLiveDecisions } from './live-decisions.ts';
import { createLiveHolders } from './live-holders.ts';
import { createLiveIdentities } from './live-identities.ts';
import { createLiveLookout } from './live-lookout.ts';
import { createLivePrefixes } from './live-prefixes.ts';
import { isPolicyPod, namespaceLabels } from './order.ts';
import { refuseAll } from './rows.ts';

export type PolicyChange = {
  readonly put: { readonly [D in PolicyDomain]?: PolicyIntent[D] };
  readonly remove: { readonly [D in PolicyDomain]?: readonly string[] };
};

export type PolicyCompiler = {
  /** `undefined` removes. By `PolicyModel.key`. */
  readonly setPolicy: (key: string, policy: PolicyModel | undefined) => void;
  /** All pods of the cluster, by `namespace/name`. */
  readonly setPod: (key: string, pod: PodModel | undefined) => void;
  readonly setNamespace: (name: string, namespace: NamespaceModel | undefined) => void;
  readonly setNode: (name: string, node: NodeModel | undefined) => void;
  readonly setTunnelAddresses: (node: string, addresses: readonly string[] | undefined) => void;
  readonly setLocalAddresses: (node: string, addresses: readonly string[] | undefined) => void;
  readonly setPodPrefixes: (subnet: string, cidrs: readonly string[] | undefined) => void;
  readonly setName: (name: string, addresses: ReadonlySet<string> | undefined) => void;
  /** What changed in the intent since the last flush; `undefined` when nothing did. */
  readonly flush: () => PolicyChange | undefined;
  /** As of the last flush. */
  readonly problems: () => readonly Problem[];
};

/** Starts from nothing. Numbers that it gives stay while what they stand for is there, and are not given again in the same flush. */
export function createPolicyCompiler(self: string, limits: PolicyLimits = policyLimits): PolicyCompiler {
  const namespaces = new Map<string, Labels>();
  const labelsOf = (name: string): Labels => namespaces.get(name) ?? namespaceLabels(name, undefined);
  const classes = createLiveClasses(limits, labelsOf);
  const lookout = createLiveLookout();
  const holders = createLiveHolders();
  const identities = createLiveIdentities(limits);
  const addresses = createLiveAddresses({ node: self, labelsOf, holders, lookout, identities });
  const prefixes = createLivePrefixes({ holders, lookout, identities });
  const decisions = createLiveDecisions(identities, refuseAll({ kind: 'Node', name: self }));
  const localsOf = new Map<string, Set<string>>();
  const output = createDeltaOutput();
  let refusing: readonly Problem[] = [];

  const writeSubject = (key: string): void => {
    const pod = classes.local(key);
    const placed = classes.placed(key);
    const { ingress, egress } = placed ?? {};
    const numbers = {
      ...(ingress === undefined ? {} : { ingress: ingress.number }),
      ...(egress === undefined ? {} : { egress: egress.number }),
    };
    const names = egress?.book === undefined ? [] : namesIn(egress.book.policies);
    const entry = pod === undefined || placed === undefined ? undefined : subjectIntent(pod, numbers, names);
    output.set('policySubjects', key, entry);
  };

  return {
    setPolicy: classes.setPolicy,
    setPod(key, pod) {
      holders.setPod(key, pod);
      const isLocal = pod !== undefined && pod.node === self && isPolicyPod(pod);
      classes.setLocal(key, isLocal ? pod : undefined);
      const namespace = key.slice(0, key.indexOf('/'));
      const inside = localsOf.get(namespace) ?? new Set<string>();
      if (isLocal) localsOf.set(namespace, inside.add(key));
      else if (inside.delete(key) && inside.size === 0) localsOf.delete(namespace);
    },
    setNamespace(name, namespace) {
      const labels = namespaceLabels(name, namespace);
      const before = labelsOf(name);
      if (namespace === undefined) namespaces.delete(name);
      else namespaces.set(name, labels);
      if (equalLabels(before, labels)) return;
      addresses.askNamespace(name);
      for (const key of localsOf.get(name) ?? []) classes.askAgain(key);
    },
    setNode: holders.setNode,
    setTunnelAddresses: holders.setTunnelAddresses,
    setLocalAddresses: holders.setLocalAddresses,
    setPodPrefixes: holders.setPodPrefixes,
    setName: holders.setName,
    flush() {
      const changes = classes.settle();
      const { hold, drop } = decisions.setClasses(changes);
      for (const asked of hold) lookout.hold(asked);
      for (const asked of drop) lookout.drop(asked);
      const asked = lookout.settle();
      const moved = holders.take();
      const owners = addresses.settle(moved, asked);
      const cidrs = [...asked.fresh.values(), ...asked.stale.values()].flatMap((peer) =>
        peer.kind === 'cidr' ? [peer.prefix] : [],
      );
      const everything =
        asked.strict || (moved.podPrefixes && lookout.strict()) || identities.beyond.prefixes.size > 0;
      const cut = prefixes.settle(cidrs, everything);
      const decided = decisions.settle(identities.settle());

      for (const key of changes.pods) writeSubject(key);
      for (const [owner, entry] of owners) output.set('policyAddresses', owner, entry);
      for (const [prefix, identity] of cut)
        output.set('policyPrefixes', prefix, identity === undefined ? undefined : { identity });
      for (const [key, decision] of decided) output.set('policyDecisions', key, decision);
      const { beyond } = identities;
      const tooMany = beyond.addresses.size + beyond.prefixes.size > 0;
      refusing = [
        ...(classes.refuses() ? [limitProblem(self, 'classes', limits)] : []),
        ...(tooMany ? [limitProblem(self, 'identities', limits)] : []),
      ];
      return output.take() as PolicyChange | undefined;
    },
    problems: () => refusing,
  };
}

function equalLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
  );
}
