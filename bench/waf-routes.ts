/** Routes of which some have a firewall, and the requests for them. */
import type { GatewayChange, GatewayIntent } from '#intent/gateway.ts';
import type { GatewayFirewall } from '#intent/gateway-policy.ts';
import { gatewayRoutes, place, type RoutedRequest } from './gateway-routes.ts';

/** Undefined: that route has none. */
export type FirewallOf = (index: number) => GatewayFirewall | undefined;

export const block: GatewayFirewall = { mode: 'block', paranoia: 1, threshold: 5, exclusions: [] };

/** `gatewayRoutes`, and a policy for each thing that `firewallOf` says. */
export function protectedRoutes(routes: number, endpoint: string, firewallOf: FirewallOf): GatewayChange {
  const change = gatewayRoutes(routes, [endpoint]);
  const policies: Record<string, GatewayIntent['policies'][string]> = {};
  const actions: Record<string, GatewayIntent['actions'][string]> = { ...change.put.actions };
  const keys = new Map<string, string>();
  for (let index = 0; index < routes; index++) {
    const firewall = firewallOf(index);
    const action = `HTTPRoute/bench/route-${index}|0`;
    const intent = actions[action];
    if (firewall === undefined || intent === undefined) continue;
    const said = JSON.stringify(firewall);
    const key = keys.get(said) ?? `WAF:bench/${keys.size}`;
    keys.set(said, key);
    policies[key] = { origins: [], firewall };
    actions[action] = { ...intent, policy: key };
  }
  return { ...change, put: { ...change.put, actions, policies } };
}

/** Of routes that `wanted` takes. */
export function requestsOf(
  routes: number,
  wanted: (index: number) => boolean,
  query = '',
): readonly RoutedRequest[] {
  return Array.from({ length: routes }, (_, index) => index)
    .filter(wanted)
    .map((index) => {
      const { host, path } = place(index);
      return { host, path: `${path}/item${query}` };
    });
}
