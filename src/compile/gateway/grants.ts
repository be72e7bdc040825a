/** ReferenceGrants by who refers to what, so that a question costs the same however many there are. */
import type { ObjectReference, ReferenceGrantModel } from '#model/gateway/types.ts';
import type { Permits } from './types.ts';

export type Grants = {
  /** `undefined` removes. Who may refer otherwise than before: topics of `grantTopic`. */
  set(key: string, grant: ReferenceGrantModel | undefined): readonly string[];
  readonly permits: Permits;
};

/** By grant: which names of the kind; undefined: all. */
type Names = ReadonlySet<string> | undefined;

/** Names what a grant is about: kinds and namespaces on both sides. */
export function grantTopic(
  from: Parameters<Permits>[0],
  to: Pick<ObjectReference, 'group' | 'kind' | 'namespace'>,
): string {
  return `grant ${from.group}/${from.kind}/${from.namespace} ${to.group}/${to.kind}/${to.namespace}`;
}

export function createGrants(): Grants {
  const byTopic = new Map<string, Map<string, Names>>();
  const topicsOf = new Map<string, ReadonlyMap<string, Names>>();
  return {
    set(key, grant) {
      const before = topicsOf.get(key) ?? new Map<string, Names>();
      const after = grant === undefined ? new Map<string, Names>() : namesByTopic(grant);
      for (const topic of before.keys()) {
        const grants = byTopic.get(topic);
        grants?.delete(key);
        if (grants?.size === 0) byTopic.delete(topic);
      }
      for (const [topic, names] of after) {
        byTopic.set(topic, (byTopic.get(topic) ?? new Map<string, Names>()).set(key, names));
      }
      if (grant === undefined) topicsOf.delete(key);
      else topicsOf.set(key, after);
      return [...new Set([...before.keys(), ...after.keys()])];
    },
    permits(from, to) {
      if (from.namespace === to.namespace) return true;
      const grants = byTopic.get(grantTopic(from, to));
      if (grants === undefined) return false;
      for (const names of grants.values()) if (names === undefined || names.has(to.name)) return true;
      return false;
    },
  };
}

function namesByTopic({ namespace, from, to }: ReferenceGrantModel): ReadonlyMap<string, Names> {
  const found = new Map<string, Names>();
  for (const source of from) {
    for (const { group, kind, name } of to) {
      const topic = grantTopic(source, { group, kind, namespace });
      const all = name === undefined || (found.has(topic) && found.get(topic) === undefined);
      found.set(topic, all ? undefined : new Set([...(found.get(topic) ?? []), name]));
    }
  }
  return found;
}
