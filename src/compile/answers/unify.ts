/** Two clusters of which equal objects are the same: what didn't change is told by identity. */
import type { ClusterModel } from '#model/cluster.ts';

/** `after`, with `before`'s objects where they say the same. */
export function unified(before: ClusterModel, after: ClusterModel): ClusterModel {
  return {
    ...after,
    policies: shared(before.policies, after.policies),
    pods: shared(before.pods, after.pods),
    namespaces: shared(before.namespaces, after.namespaces),
    nodes: shared(before.nodes, after.nodes),
  };
}

function shared<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map(
    [...after].map(([key, value]) => {
      const old = before.get(key);
      return [key, old !== undefined && (old === value || textOf(old) === textOf(value)) ? old : value];
    }),
  );
}

/** Prefixes hold bigints, which JSON has no form for. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each));
}
