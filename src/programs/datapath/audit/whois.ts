/** Whose an address is to policy, kept so that asking costs the same however many pods there are. */
import { identityOf } from '#compile/policy/lookup.ts';
import type { IntentChange, NodeIntent } from '#intent/node.ts';

export type Whois = {
  /** `owner`: a key of `policyAddresses`; absent: the address stands in none. */
  of(address: string): { readonly identity: number; readonly owner?: string };
  /** Follows a change that `intent` has already. */
  take(change: Pick<IntentChange, 'replace' | 'put' | 'remove'>): void;
};

export type WhoisIntent = Pick<
  NodeIntent,
  'policySubjects' | 'policyDecisions' | 'policyAddresses' | 'policyPrefixes' | 'subnets'
>;

/** Whoever asks from outside may come with any address: so many are remembered. */
const rememberedPrefixes = 1_000;

/** `intent` is read now, and whenever an address is asked for that no entry has. */
export function createWhois(intent: WhoisIntent): Whois {
  const owners = new Map<string, { readonly identity: number; readonly owner: string }>();
  const owned = new Map<string, readonly string[]>();
  const byPrefix = new Map<string, number>();

  const drop = (owner: string): void => {
    for (const address of owned.get(owner) ?? [])
      if (owners.get(address)?.owner === owner) owners.delete(address);
    owned.delete(owner);
  };
  const put = (entries: NodeIntent['policyAddresses']): void => {
    for (const [owner, { identities }] of Object.entries(entries)) {
      drop(owner);
      owned.set(owner, Object.keys(identities));
      for (const [address, identity] of Object.entries(identities)) owners.set(address, { identity, owner });
    }
  };
  put(intent.policyAddresses);
  return {
    of(address) {
      const known = owners.get(address);
      if (known !== undefined) return known;
      const remembered = byPrefix.get(address);
      if (remembered !== undefined) return { identity: remembered };
      const identity = identityOf({ ...intent, policyAddresses: {} }, address);
      if (byPrefix.size >= rememberedPrefixes) byPrefix.clear();
      byPrefix.set(address, identity);
      return { identity };
    },
    take(change) {
      byPrefix.clear();
      if (change.replace) {
        owners.clear();
        owned.clear();
      }
      for (const owner of change.remove.policyAddresses ?? []) drop(owner);
      put(change.put.policyAddresses ?? {});
    },
  };
}
