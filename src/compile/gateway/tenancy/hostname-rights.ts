/** What a namespace may have of the hostnames that it wants: what grants say, and what is left to who comes first. */
import { isTenant } from '#model/gateway/tenants.ts';
import type { RouteModel } from '#model/gateway/types.ts';
import type { Asking } from '../inputs.ts';
import type { Refusal } from '../listeners/listener-protocols.ts';
import type { Attachment } from '../types.ts';
import type { Terms } from './terms.ts';

export type Rights = {
  /** By `placeOf`: where a grant, or that there is none, stands against it. */
  readonly refused: ReadonlyMap<string, Refusal>;
  /** By instance, which hostnames it gets if it was the first to claim them. */
  readonly claims: ReadonlyMap<string, readonly string[]>;
};

type Asks = Pick<Asking, 'hostnameGrants' | 'labels'>;

/** One hostname of a listener: '' is another one at each. */
export function claimAt(listener: string, hostname: string): string {
  return hostname === '' ? `@${listener}` : hostname;
}

export function placeOf(listener: string, hostname: string): string {
  return `${listener}|${hostname}`;
}

/** Routes of connections without names claim none: which of them is served is decided by their age, whosever they are. */
export function rightsOf(
  { kind, namespace }: Pick<RouteModel, 'kind' | 'namespace'>,
  wanted: readonly Attachment[],
  terms: (gateway: string) => Terms | undefined,
  ask: Asks,
): Rights {
  const refused = new Map<string, Refusal>();
  const claims = new Map<string, Set<string>>();
  if (kind === 'TCPRoute' || kind === 'UDPRoute') return { refused, claims: new Map() };
  for (const { gateway, listeners } of wanted) {
    const here = terms(gateway);
    if (here === undefined) continue;
    for (const { listener, hosts } of listeners) {
      for (const hostname of hosts) {
        const right = rightTo(hostname, namespace, here, ask);
        if (typeof right === 'object') refused.set(placeOf(listener.key, hostname), right);
        else if (right === 'first') {
          const own = claims.get(here.instance) ?? new Set<string>();
          claims.set(here.instance, own.add(claimAt(listener.key, hostname)));
        }
      }
    }
  }
  return { refused, claims: new Map([...claims].map(([instance, names]) => [instance, [...names].sort()])) };
}

/** `yes`; `first`: if nobody claimed it before. */
export function rightTo(
  hostname: string,
  namespace: string,
  { hostnames, namespace: own }: Terms,
  ask: Asks,
): 'yes' | 'first' | Refusal {
  const grants = hostname === '' ? [] : ask.hostnameGrants(hostname);
  if (grants.some(({ tenants }) => isTenant(tenants, namespace, ask.labels))) return 'yes';
  const [first] = grants;
  if (first !== undefined)
    return notPermitted(`HostnameGrant ${first.name} gives ${hostname} to other namespaces`);
  if (hostnames === 'Shared') return 'yes';
  if (hostnames === 'FirstHolder') return 'first';
  if (hostname !== '')
    return notPermitted(
      `No HostnameGrant gives ${hostname} to namespace ${namespace}, and here nobody has one without`,
    );
  return namespace === own
    ? 'yes'
    : notPermitted('What has no hostname is left to the namespace of the load balancer');
}

/** Whose it is may be known: not by what. */
export function heldBy(hostname: string, holder: string): Refusal {
  const what = hostname === '' ? 'What has no hostname of its own' : hostname;
  return {
    reason: 'HostnameHeld',
    message: `${what} is held by namespace ${holder}, which claimed it first`,
  };
}

function notPermitted(message: string): Refusal {
  return { reason: 'HostnameNotPermitted', message };
}
