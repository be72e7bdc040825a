/** Since which version a policy says what it says: every write of its status makes another version, and means nothing new. */
import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '#api/object.ts';
import { isOlder } from '#kube/cache.ts';
import { findCondition } from '#kube/conditions.ts';
import type { PolicyModel } from '#model/policy.ts';
import type { Problem } from '#model/problem.ts';

export type VersionedPolicy = {
  readonly ref: { readonly uid?: string | undefined };
  readonly resourceVersion: string;
  readonly generation: number | undefined;
  readonly conditions: readonly Condition[] | undefined;
  readonly value?: PolicyModel | undefined;
  readonly problems: readonly Problem[];
};

export type PolicyVersions = {
  /** Whether it says something else than it did. */
  see(policy: VersionedPolicy): boolean;
  since(policy: VersionedPolicy): string;
  forget(uid: string | undefined): void;
  clear(): void;
};

type Meaning = Pick<VersionedPolicy, 'value' | 'problems'> & { readonly since: string };

export function createPolicyVersions(): PolicyVersions {
  const known = new Map<string, Meaning>();
  return {
    see(policy) {
      const uid = policy.ref.uid ?? '';
      const held = known.get(uid);
      const { resourceVersion, value, problems } = policy;
      const isNew =
        held === undefined ||
        !isDeepStrictEqual([held.value, held.problems], [policy.value, policy.problems]);
      // A server that was restored from a backup counts from an earlier version.
      if (isNew || isOlder(resourceVersion, held.since)) {
        const stands = held === undefined && wasInForce(policy);
        known.set(uid, { value, problems, since: stands ? '0' : resourceVersion });
      }
      return isNew;
    },
    since: ({ ref, resourceVersion }) => known.get(ref.uid ?? '')?.since ?? resourceVersion,
    forget: (uid) => void known.delete(uid ?? ''),
    clear: () => known.clear(),
  };
}

/**
 * A controller that takes over believes the one before it: the version at which a policy came to say what it says is known to nobody any
 * more, and what is in force stays so.
 */
function wasInForce({ conditions, generation }: VersionedPolicy): boolean {
  const condition = findCondition(conditions, 'InForce');
  return condition?.status === 'True' && condition.observedGeneration === generation;
}
