/** What a namespace may have of the hostnames that it wants: what grants say, and what is left to who comes first. */
import type { RouteModel } from '#model/gateway/types.ts';
import type { Asking } from '../inputs.ts';
import { isAmong } from '../instances/tenants.ts';
import type { Refusal } from '../listeners/listener-protocols.ts';
import type { Attachment } from '../types.ts';
import type { Terms } from './terms.ts';

export type Rights = {
  /** By `placeOf`: where a grant, or that there is none, stands against it. */
  readonly refused: ReadonlyMap<string, Refusal>;
  /** By instance, which hostnames it gets if it was the first to claim them. */
  readonly claims: ReadonlyMap<string, readonly string[]>;
  /** By Gateway. */
  readonly terms: ReadonlyMap<string, Terms>;
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
  termsOf: (gateway: string) => Terms | undefined,
  ask: Asks,
): Rights {
  const refused = new Map<string, Refusal>();
  const claims = new Map<string, Set<string>>();
  const terms = new Map<string, Terms>();
  for (const { gateway, listeners } of wanted) {
    const here = termsOf(gateway);
    if (here === undefined) continue;
    terms.set(gateway, here);
    if (kind === 'TCPRoute' || kind === 'UDPRoute') continue;
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
  const [only] = terms.values();
  if (refused.size + claims.size === 0 && terms.size === 1 && only !== undefined) return allOf(only, terms);
  return {
    refused,
    claims: new Map([...claims].map(([instance, names]) => [instance, [...names].sort()])),
    terms,
  };
}

/** Most routes are at one Gateway and get all that they want: those have one object together. */
const all = new WeakMap<Terms, Rights>();

function allOf(only: Terms, terms: Rights['terms']): Rights {
  const known = all.get(only);
  if (known !== undefined && known.terms.keys().next().value === terms.keys().next().value) return known;
  const rights: Rights = { ...noRights, terms };
  all.set(only, rights);
  return rights;
}

export const noRights: Rights = { refused: new Map(), claims: new Map(), terms: new Map() };

export function sameRights(a: Rights, b: Rights): boolean {
  return a === b || rightsText(a) === rightsText(b);
}

function rightsText({ refused, claims, terms }: Rights): string {
  return JSON.stringify([[...refused], [...claims], [...terms]]);
}

/** `yes`; `first`: if nobody claimed it before. */
export function rightTo(
  hostname: string,
  namespace: string,
  { hostnames, namespace: own }: Terms,
  ask: Asks,
): 'yes' | 'first' | Refusal {
  const grants = hostname === '' ? [] : ask.hostnameGrants(hostname);
  if (grants.some(({ tenants }) => isAmong(tenants, namespace, ask))) return 'yes';
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
