/**
 * Listeners of ListenerSets, and of Gateways that share somebody else's load balancer, claim their hostnames as routes do: who had another's would
 * show a certificate in their place, and take their requests.
 */
import type { GatewayModel, ListenerModel, ListenerSetModel } from '#model/gateway/types.ts';
import type { Asking } from '../inputs.ts';
import type { Refusal } from '../listeners/listener-protocols.ts';
import type { Listener } from '../types.ts';
import type { HostClaimant } from './first-holders.ts';
import { heldBy, rightTo } from './hostname-rights.ts';
import type { Terms } from './terms.ts';

/** By id of `listenerClaimId`: what of an instance is claimed. */
export type ListenerClaims = ReadonlyMap<
  string,
  { readonly claimant: HostClaimant; readonly instance: string; readonly hostname: string }
>;

/** Why a listener may not have its hostname. */
export type RefusalOf = (owner: Listener['owner'], listener: ListenerModel) => Refusal | undefined;

/** Listeners, or certificates of them, that one namespace may have at one instance: as much as nginx has room for, and more than anybody needs. */
const mostListeners = 1_000;

export function isListenerClaim(id: string): boolean {
  return id.startsWith('listener ');
}

/** `sets` in the order of their age. `held`: the namespace that holds what somebody claims. */
export function claimsOfListeners(
  gateways: readonly GatewayModel[],
  sets: readonly ListenerSetModel[],
  terms: Terms,
  ask: Pick<Asking, 'hostnameGrants' | 'labels'>,
  held: (id: string, instance: string, hostname: string) => string | undefined,
): { readonly claims: ListenerClaims; readonly refusalOf: RefusalOf } {
  const claims = new Map<string, { claimant: HostClaimant; instance: string; hostname: string }>();
  const refusals = new Map<string, Refusal>();
  const { instance, namespace: own } = terms;
  const owners = [
    // What the instance's own namespace opens, it opens for others.
    ...gateways.filter(({ namespace }) => namespace !== own).map((each) => ['Gateway', each] as const),
    ...sets.map((each) => ['ListenerSet', each] as const),
  ];
  const counts = new Map<string, number>();
  for (const [kind, owner] of owners) {
    for (const { name, hostname, tls } of owner.listeners) {
      const id = listenerClaimId(instance, `${kind}/${owner.key}`, name);
      const count = (counts.get(owner.namespace) ?? 0) + Math.max(1, tls?.certificates.length ?? 0);
      if (count > mostListeners) {
        refusals.set(id, tooMany(owner.namespace));
        continue;
      }
      counts.set(owner.namespace, count);
      if (hostname === undefined) continue;
      const right = rightTo(hostname, owner.namespace, terms, ask);
      if (right === 'first') claims.set(id, { claimant: owner, instance, hostname });
      const holder = right === 'first' ? held(id, instance, hostname) : undefined;
      const refusal = holder === undefined ? right : heldBy(hostname, holder);
      if (typeof refusal === 'object') refusals.set(id, refusal);
    }
  }
  return {
    claims,
    refusalOf: ({ kind, key }, { name }) => refusals.get(listenerClaimId(instance, `${kind}/${key}`, name)),
  };
}

function tooMany(namespace: string): Refusal {
  const message = `Namespace ${namespace} may have ${mostListeners} listeners here, each certificate counted, and older ones leave too little for this one`;
  return { reason: 'QuotaExceeded', message };
}

/** What goes to another instance claims there what it leaves here. */
function listenerClaimId(instance: string, owner: string, listener: string): string {
  return `listener ${instance} ${owner}/${listener}`;
}
