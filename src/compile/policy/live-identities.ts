/** Identities of a node, counted: each set of features has one number as long as an address or a prefix has the set. */
import { peerTextOf } from './features.ts';
import type { PolicyLimits } from './limits.ts';
import { createNumbers } from './numbers.ts';

export type Identity = {
  readonly number: number;
  /** Sorted. */
  readonly features: readonly string[];
  /** Addresses that have it. */
  readonly addresses: Set<string>;
  /** Prefixes that have it. */
  readonly prefixes: Set<string>;
  /** Of sets for which no number was left. */
  readonly refuses?: true;
};

export type LiveIdentities = {
  /** The identity of a set, which is there from now on; whoever has it puts itself into it. */
  readonly take: (features: readonly string[]) => Identity;
  /** Those that have something of a topic, see `topicOf`. */
  readonly about: (topic: string) => Iterable<Identity>;
  readonly beyond: Identity;
  readonly settle: () => IdentityChanges;
  /** After somebody left it. */
  readonly left: (identity: Identity) => void;
};

export type IdentityChanges = { readonly fresh: ReadonlySet<Identity>; readonly gone: ReadonlySet<Identity> };

/** What classes ask of features: peers of rules, named ports by their name, all else by itself. */
export function topicOf(feature: string): string {
  const [kind, name] = feature.split(' ', 2);
  return kind === 'port' ? `port ${name}` : peerTextOf(feature);
}

export function createLiveIdentities(limits: PolicyLimits): LiveIdentities {
  const numbers = createNumbers(limits.firstIdentity, limits.lastIdentity - 1);
  const byKey = new Map<string, Identity>();
  const byTopic = new Map<string, Set<Identity>>();
  const beyond: Identity = { ...emptyIdentity(limits.lastIdentity, []), refuses: true };
  let fresh = new Set<Identity>();
  let emptied = new Set<Identity>();

  return {
    beyond,
    take(features) {
      const key = keyOf(features);
      const known = byKey.get(key);
      if (known !== undefined) return known;
      const number = numbers.take(key);
      if (number === undefined) {
        if (isEmpty(beyond)) fresh.add(beyond);
        return beyond;
      }
      const identity = emptyIdentity(number, features);
      byKey.set(key, identity);
      for (const topic of new Set(features.map(topicOf)))
        byTopic.set(topic, (byTopic.get(topic) ?? new Set()).add(identity));
      fresh.add(identity);
      return identity;
    },
    about: (topic) => byTopic.get(topic) ?? [],
    left(identity) {
      if (isEmpty(identity)) emptied.add(identity);
    },
    settle() {
      const gone = new Set([...emptied].filter(isEmpty));
      for (const identity of gone) {
        if (identity.refuses) continue;
        const key = keyOf(identity.features);
        byKey.delete(key);
        numbers.release(key);
        for (const topic of new Set(identity.features.map(topicOf))) {
          const inside = byTopic.get(topic);
          inside?.delete(identity);
          if (inside?.size === 0) byTopic.delete(topic);
        }
      }
      numbers.settle();
      const changes = { fresh: new Set([...fresh].filter((each) => !gone.has(each))), gone };
      fresh = new Set();
      emptied = new Set();
      return changes;
    },
  };
}

function keyOf(features: readonly string[]): string {
  return features.join('\n');
}

function emptyIdentity(number: number, features: readonly string[]): Identity {
  return { number, features, addresses: new Set(), prefixes: new Set() };
}

function isEmpty({ addresses, prefixes }: Identity): boolean {
  return addresses.size === 0 && prefixes.size === 0;
}
