/** Listeners of ListenerSets claim their hostnames as routes do: who had another's would show a certificate in their place, and take their requests. */
import type { ListenerModel, ListenerSetModel } from '#model/gateway/types.ts';
import type { Asking } from '../inputs.ts';
import type { Refusal } from '../listeners/listener-protocols.ts';
import type { Listener } from '../types.ts';
import { heldBy, rightTo } from './hostname-rights.ts';
import type { Terms } from './terms.ts';

/** By id of `listenerClaimId`: what of an instance is claimed. */
export type ListenerClaims = ReadonlyMap<
  string,
  { readonly set: ListenerSetModel; readonly instance: string; readonly hostname: string }
>;

/** Why a listener may not have its hostname. */
export type RefusalOf = (owner: Listener['owner'], listener: ListenerModel) => Refusal | undefined;

/** A set that goes to another Gateway claims there what it leaves here. */
function listenerClaimId(gateway: string, set: string, listener: string): string {
  return `set ${gateway} ${set}/${listener}`;
}

export function isListenerClaim(id: string): boolean {
  return id.startsWith('set ');
}

/** `held`: the namespace that holds what somebody claims. */
export function claimsOfSets(
  gateway: string,
  sets: readonly ListenerSetModel[],
  terms: Terms,
  ask: Pick<Asking, 'hostnameGrants' | 'labels'>,
  held: (id: string, instance: string, hostname: string) => string | undefined,
): { readonly claims: ListenerClaims; readonly refusalOf: RefusalOf } {
  const claims = new Map<string, { set: ListenerSetModel; instance: string; hostname: string }>();
  const refusals = new Map<string, Refusal>();
  const { instance } = terms;
  for (const set of sets) {
    for (const { name, hostname } of set.listeners) {
      if (hostname === undefined) continue;
      const id = listenerClaimId(gateway, set.key, name);
      const right = rightTo(hostname, set.namespace, terms, ask);
      if (right === 'first') claims.set(id, { set, instance, hostname });
      const holder = right === 'first' ? held(id, instance, hostname) : undefined;
      const refusal = holder === undefined ? right : heldBy(hostname, holder);
      if (typeof refusal === 'object') refusals.set(id, refusal);
    }
  }
  return {
    claims,
    refusalOf: ({ kind, key }, { name }) =>
      kind === 'ListenerSet' ? refusals.get(listenerClaimId(gateway, key, name)) : undefined,
  };
}
