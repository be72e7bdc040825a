/** Writes the status of cluster-wide policies, and finds what in policies of all kinds can't work. Pods are watched while there is a policy. */
import type { ResourceType } from '#api/object.ts';
import {
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  clusterNetworkPolicyType,
  networkPolicyType,
} from '#api/policies.ts';
import { findPolicyProblems } from '#compile/policy/findings.ts';
import { isOlder } from '#kube/cache.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { setConditions } from '#kube/conditions.ts';
import type { Informer } from '#kube/informer.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel } from '#model/policy.ts';
import { namespacePosture } from '#model/posture.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { formatReach, nodeOfLease, type PolicyReach } from '../node-lease.ts';
import { type Caches, policyCaches, type SeenPolicy } from './caches.ts';
import { createPasses } from './passes.ts';
import { createPatience } from './patience.ts';
import { nobody, type SelectedPods, selectedPods } from './policy-selection.ts';
import { snapshotOf, watchPods } from './policy-snapshot.ts';
import { type LiveNodes, liveNodes, policyConditions, type ReachByNode } from './policy-status.ts';
import { createPolicyVersions } from './policy-versions.ts';
import { createPace, differOnlyInWords } from './subnets.ts';

export type PolicyStatus = {
  /** Works until the signal aborts. The caches must hold their first lists by then. */
  run(signal: AbortSignal): Promise<void>;
  /** Of policies beside the cluster's pods and each other, as last looked at; their readers' are not among them. */
  readonly problems: () => readonly Problem[];
  /** By kind, NetworkPolicies too: how many some live node's kernel doesn't hold as they are now. */
  readonly pending: () => ReadonlyMap<string, number>;
};

/** What could not be written is tried again after so long. */
const periodMs = 5_000;
/** A rollout of many pods is a few writes of status, not one a pod. */
const gatherMs = 500;
/** Of the time at most this part is spent on looking at everything, however large the cluster. */
const share = 0.05;

const policyTypes = [
  networkPolicyType,
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  clusterNetworkPolicyType,
];

/** By kind, those whose API has a status. */
const statusTypes = new Map<string, ResourceType>(
  policyTypes.filter((type) => type !== networkPolicyType).map((type) => [type.kind, type]),
);

/** `isAlive`: a node's lease has not run out. `onProblems` is told when `problems` are others than before. */
export function createPolicyStatus(
  client: Client,
  caches: Caches,
  isAlive: (node: string) => boolean,
  log: Log,
  onProblems: () => void,
): PolicyStatus {
  const pace = createPace(() => caches.nodes.list().length);
  const versions = createPolicyVersions();
  let pods: Informer<PodModel> | undefined;
  let found: readonly Problem[] = [];
  /** Those of `found` that are told. */
  let problems: readonly Problem[] = [];
  const patience = createPatience();
  /** By key of the policy. */
  let selected = new Map<string, SelectedPods>();
  let isStale = true;
  let lookAgainAt = 0;

  const touch = (): void => {
    isStale = true;
    passes.wake();
  };
  const seen = (): SeenPolicy[] => policyCaches(caches).flatMap((cache) => cache.list());
  const postures = (): PolicyModel[] =>
    caches.namespaces.list().flatMap(({ value }) => (value && namespacePosture(value).value) ?? []);

  const follow = (): void => {
    const needed = seen().length > 0 || postures().length > 0;
    if (needed && pods === undefined) pods = watchPods(client, log, touch);
    if (!needed && pods !== undefined) {
      pods.stop();
      pods = undefined;
    }
  };
  const look = (all: readonly SeenPolicy[], informer: Informer<PodModel>): void => {
    const started = performance.now();
    const snapshot = snapshotOf(all, postures(), informer, caches);
    found = findPolicyProblems(snapshot);
    selected = new Map(selectedPods(snapshot, withStatus(all)));
    isStale = false;
    const now = performance.now();
    lookAgainAt = now + (now - started) * (1 / share - 1);
  };
  /** In a large cluster the next look may be a minute away: one that is new, or says something else, needn't wait for it. */
  const lookAtNew = (all: readonly SeenPolicy[], informer: Informer<PodModel>): void => {
    const fresh = withStatus(all).filter(({ key }) => !selected.has(key));
    if (fresh.length === 0) return;
    const more = selectedPods(snapshotOf([], [], informer, caches), fresh);
    for (const [key, pods] of more) selected.set(key, pods);
  };

  const reconcile = async (): Promise<void> => {
    follow();
    const all = seen();
    if (pods === undefined) found = [];
    else if (!pods.hasSynced()) return;
    else if (isStale && performance.now() >= lookAgainAt) look(all, pods);
    else lookAtNew(all, pods);
    const told = patience.lasting(found, performance.now());
    if (JSON.stringify(told) !== JSON.stringify(problems)) {
      problems = told;
      onProblems();
    }
    const byObject = Map.groupBy(problems, ({ object }) => `${object.kind} ${object.name}`);
    const reaches: ReachByNode = new Map(reachesOf(caches));
    const live = liveNodes(reaches, isAlive);
    for (const policy of all) {
      const type = statusTypes.get(policy.ref.kind);
      if (type === undefined) continue;
      try {
        await write(
          type,
          policy,
          { reaches, live },
          byObject.get(`${policy.ref.kind} ${policy.ref.name}`) ?? [],
        );
      } catch (error) {
        if (isNotFound(error) || isConflict(error)) continue;
        const object = `${policy.ref.kind} ${policy.ref.name}`;
        log.warn("a policy's status can't be written and is tried again", { object, error });
      }
    }
  };
  const write = async (
    type: ResourceType,
    policy: SeenPolicy,
    nodes: { readonly reaches: ReachByNode; readonly live: LiveNodes },
    own: readonly Problem[],
  ): Promise<void> => {
    const { ref, value, generation, conditions: before } = policy;
    // It changed while this pass waited for an answer: the next one tells of it.
    if (value !== undefined && !selected.has(value.key)) return;
    const view = {
      kind: ref.kind,
      generation,
      since: versions.since(policy),
      used: value !== undefined,
      selected: (value && selected.get(value.key)) ?? nobody,
      problems: [...policy.problems, ...own],
    };
    const conditions = setConditions(before, policyConditions(view, nodes.reaches, nodes.live), new Date());
    if (conditions === before) return;
    const key = `${ref.kind}/${ref.name}`;
    if (differOnlyInWords(before, conditions) && !pace.mayCount(key)) return;
    // Others may have conditions of their own there: whoever writes from an old sight of the list meets a conflict.
    const body = { metadata: { resourceVersion: policy.resourceVersion }, status: { conditions } };
    await client.patch(type, { name: ref.name, subresource: 'status' }, { kind: 'merge', body });
    pace.counted(key);
  };
  const passes = createPasses(reconcile, periodMs, gatherMs);

  return {
    problems: () => problems,
    pending() {
      const { floor } = liveNodes(new Map(reachesOf(caches)), isAlive);
      const behind = seen().filter((policy) => {
        const since = versions.since(policy);
        return isOlder(floor.get(policy.ref.kind) ?? since, since);
      });
      return new Map(
        policyTypes.map(({ kind }) => [kind, behind.filter(({ ref }) => ref.kind === kind).length]),
      );
    },
    async run(signal) {
      const ends = [
        ...policyCaches(caches).map((cache) =>
          cache.onChange(({ old, new: policy }) => {
            if (policy === undefined) versions.forget(old?.ref.uid);
            else if (!versions.see(policy)) return;
            selected.delete((policy ?? old)?.value?.key ?? '');
            touch();
          }),
        ),
        caches.namespaces.onChange(touch),
        caches.nodes.onChange(touch),
        caches.leases.onChange(({ old, new: lease }) => {
          const text = (each: typeof old) => each && formatReach(each.reach);
          if (text(old) !== text(lease)) passes.wake();
        }),
      ];
      try {
        await passes.run(signal);
      } finally {
        for (const end of ends) end();
        pods?.stop();
        pods = undefined;
        found = [];
        problems = [];
        selected = new Map();
        versions.clear();
      }
    },
  };
}

function withStatus(all: readonly SeenPolicy[]): PolicyModel[] {
  return all.flatMap(({ ref, value }) => (value !== undefined && statusTypes.has(ref.kind) ? [value] : []));
}

function reachesOf({ leases }: Pick<Caches, 'leases'>): (readonly [string, PolicyReach])[] {
  return leases.list().flatMap(({ name, reach }) => {
    const node = nodeOfLease(name);
    return node === undefined ? [] : [[node, reach] as const];
  });
}
