/**
 * Names that a wildcard of somebody else must not take: a more specific host whose rules don't match leaves a request to the next, which may be
 * another namespace's. At the names of others such a request ends (404).
 */
import type { GatewayIntent } from '#intent/gateway.ts';
import { byText } from '../age.ts';
import { wider } from '../hostnames.ts';
import type { Asking } from '../inputs.ts';
import { isAmong } from '../instances/tenants.ts';
import type { Attachment } from '../types.ts';
import { createUsers } from '../users.ts';
import type { FirstHolders } from './first-holders.ts';
import type { Terms } from './terms.ts';

export type Barriers = {
  /** Where a route is served. Listeners at which somebody has other wildcards than before. */
  set(route: string, namespace: string, attachments: readonly Attachment[]): readonly string[];
  /** All of a listener. */
  rules(listener: string, terms: Terms): GatewayIntent['rules'];
};

type Asks = Pick<Asking, 'hostnameGrants' | 'grantedBelow' | 'labels'>;

/** `action` of a rule: there is none. */
const nothing = '';
/** Behind all ranks of routes. */
const last = '~';

export function createBarriers(ask: Asks, holders: FirstHolders): Barriers {
  /** What routes use: `LISTENER|HOST|NAMESPACE`, of wildcards and ''. */
  const users = createUsers();
  /** By listener and host: namespaces. */
  const wide = new Map<string, Map<string, Set<string>>>();

  const note = (thing: string): string => {
    const [listener = '', host = '', namespace = ''] = thing.split('|');
    const hosts = wide.get(listener) ?? new Map<string, Set<string>>();
    const those = hosts.get(host) ?? new Set<string>();
    if (users.of(thing).size > 0) those.add(namespace);
    else those.delete(namespace);
    if (those.size === 0) hosts.delete(host);
    else hosts.set(host, those);
    if (hosts.size === 0) wide.delete(listener);
    else wide.set(listener, hosts);
    return listener;
  };

  return {
    set(route, namespace, attachments) {
      const things = attachments.flatMap(({ listeners }) =>
        listeners.flatMap(({ listener, hosts }) =>
          hosts
            .filter((host) => host === '' || host.startsWith('*.'))
            .map((host) => `${listener.key}|${host}|${namespace}`),
        ),
      );
      if (things.length === 0 && !users.has(route)) return [];
      const { added, removed } = users.set(route, things);
      return [...new Set([...added, ...removed].map(note))];
    },
    rules(listener, { instance, namespace: own }) {
      const hosts = wide.get(listener) ?? new Map<string, Set<string>>();
      // What nobody is granted: who owns the instance may answer for all of it.
      const isShared = [...hosts.values()].some((those) => [...those].some((each) => each !== own));
      const names = new Set(
        [...hosts.keys()].flatMap((host) => [
          ...ask.grantedBelow(host),
          ...(isShared ? holders.below(instance, host) : []),
        ]),
      );
      const ends = new Set<string>();
      for (const name of [...names].sort(widerFirst)) {
        const grants = ask.hostnameGrants(name);
        const holder = grants.length === 0 ? holders.holder(instance, name) : undefined;
        const mayHave = (namespace: string): boolean =>
          grants.length === 0
            ? holder === undefined || holder === namespace || namespace === own
            : grants.some(({ tenants }) => isAmong(tenants, namespace, ask));
        for (const host of wider(name)) {
          if ([...(hosts.get(host) ?? [])].some((namespace) => !mayHave(namespace))) {
            ends.add(name);
            break;
          }
          if (ends.has(host)) break;
        }
      }
      return Object.fromEntries(
        [...ends].map((host) => [`${listener}|${host}|${last}`, ruleAt(listener, host)]),
      );
    },
  };
}

function ruleAt(listener: string, host: string): GatewayIntent['rules'][string] {
  return { listener, host, path: { type: 'prefix', value: '/' }, rank: last, action: nothing };
}

function widerFirst(a: string, b: string): number {
  return a.split('.').length - b.split('.').length || byText(a, b);
}
