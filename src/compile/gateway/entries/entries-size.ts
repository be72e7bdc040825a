/** How much a route says to the data plane, before it says it. */
import type { GRPCRouteModel, HTTPRouteModel, RouteModel } from '#model/gateway/types.ts';
import type { Attachment, Listener } from '../types.ts';

export type Place = { readonly listener: Listener; readonly hosts: readonly string[] };

/** Listeners that get entries. */
export function placesOf(attachments: readonly Attachment[]): readonly Place[] {
  return attachments
    .flatMap((each) => each.listeners)
    .filter(({ listener, hosts }) => listener.served && hosts.length > 0);
}

/** About as many bytes as it is told, 0 where the route says nothing. */
export function entriesSize(route: RouteModel, attachments: readonly Attachment[]): number {
  const places = placesOf(attachments);
  if (places.length === 0) return 0;
  const actions = route.rules.reduce<number>((sum, rule) => sum + around + JSON.stringify(rule).length, 0);
  if (route.kind === 'HTTPRoute' || route.kind === 'GRPCRoute') return actions + matchesSize(route, places);
  return places.reduce((sum, { hosts }) => sum + hosts.length * actions, 0);
}

/** Of its matches: each stands once for every hostname and listener. */
export function matchesSize(route: HTTPRouteModel | GRPCRouteModel, places: readonly Place[]): number {
  const times = places.reduce((sum, { hosts }) => sum + hosts.length, 0);
  // The key of each has the listener, the host and the route in it, and the entry names them again.
  const names = places.reduce(
    (sum, { listener, hosts }) =>
      sum + hosts.reduce((own, host) => own + 2 * (listener.key.length + host.length + route.key.length), 0),
    0,
  );
  return route.rules.reduce(
    (sum, { matches }) =>
      sum + matches.reduce((own, match) => own + times * (around + JSON.stringify(match).length) + names, 0),
    0,
  );
}

/** Of each besides its names and what it says. */
const around = 400;
