/** Objects of this engine as rtnetlink requests, and kernel routes as objects. */
import type { Request } from '#system/netlink-codec.ts';
import { links, routes } from '#system/registry.ts';
import { deleteLink, type LinkChange, setLink, setNoLinkLocal } from './link-messages.ts';
import {
  addRoute,
  deleteAddress,
  deleteForwarding,
  deleteNeighbour,
  deleteRoute,
  putAddress,
  putForwarding,
  putNeighbour,
  type RouteState,
  replaceRoute,
  routeType,
  scope,
} from './messages.ts';
import type { Link, Operation, ProxyNeighbour, Route } from './objects.ts';
import { addRule, deleteProxy, deleteRule, type ProxyState, putProxy } from './underlay-messages.ts';

/** Devices by our names; everything else belongs to somebody else. */
export function isOwn(name: string): boolean {
  return name === links.tunnel.value || name.startsWith(links.podPrefix.value);
}

/** What does one operation; a tunnel that is made anew must be there already. */
export function requestsFor(operation: Operation, indexOf: (name: string) => number): Request[] {
  const { verb, object } = operation;
  const put = verb === 'put';
  switch (object.kind) {
    case 'sysctl':
      return [];
    case 'link': {
      if (!put) return [deleteLink(object.name)];
      const ifindex = indexOf(object.name);
      const before = operation.before?.kind === 'link' ? operation.before : undefined;
      if (before === undefined)
        return [setNoLinkLocal(ifindex), setLink(ifindex, { alias: object.alias, up: object.up })];
      return [setLink(ifindex, changed(object, before))];
    }
    case 'device':
      // Up last: what follows in the same message as a change of flags may be done after it.
      return [
        setNoLinkLocal(object.ifindex),
        setLink(object.ifindex, { alias: object.alias, group: object.group, up: object.up }),
      ];
    case 'address': {
      const length = object.address.includes(':') ? 128 : 32;
      const state = {
        ifindex: indexOf(object.device),
        address: object.address,
        length,
        scope: scope.universe,
      };
      return [put ? putAddress(state) : deleteAddress(state)];
    }
    case 'neighbour': {
      const state = { ...object, ifindex: indexOf(object.device) };
      return [put ? putNeighbour(state) : deleteNeighbour(state)];
    }
    case 'forwarding': {
      const state = { ...object, ifindex: indexOf(object.device) };
      return [put ? putForwarding(state) : deleteForwarding(state)];
    }
    case 'route': {
      const state = routeState(object, indexOf);
      if (!put) return [deleteRoute(state)];
      return [operation.before === undefined ? addRoute(state) : replaceRoute(state)];
    }
    case 'proxy': {
      const state = proxyState(object, indexOf(object.device));
      return [put ? putProxy(state) : deleteProxy(state)];
    }
    case 'rule':
      return [put ? addRule(object) : deleteRule(object)];
  }
}

export function proxyState({ address }: ProxyNeighbour, ifindex: number): ProxyState {
  return { ifindex, address, protocol: routes.protocol.value };
}

/** Only what differs: even the same MAC set again makes the kernel forget the neighbours. */
function changed(link: Link, before: Link): LinkChange {
  return {
    mtu: link.mtu === before.mtu ? undefined : link.mtu,
    alias: link.alias === before.alias ? undefined : link.alias,
    group: link.group === before.group ? undefined : link.group,
    up: link.up === before.up ? undefined : link.up,
  };
}

/** What the kernel fills in for IPv6 when asked for no metric. */
const defaultMetric6 = 1024;

export function routeObject(state: RouteState, names: ReadonlyMap<number, string>): Route {
  const device =
    state.type === routeType.unicast ? (names.get(state.ifindex) ?? `index ${state.ifindex}`) : undefined;
  const six = state.destination.includes(':');
  const metric = six && state.metric === defaultMetric6 ? 0 : state.metric;
  return {
    kind: 'route',
    destination: state.destination,
    ...(device === undefined ? {} : { device }),
    ...(state.via === undefined ? {} : { via: state.via }),
    ...(state.onlink === true ? { onlink: true } : {}),
    ...(state.source === undefined ? {} : { source: state.source }),
    ...(metric === 0 ? {} : { metric }),
    ...(state.table === routes.table.value ? {} : { table: state.table }),
  };
}

export function routeState(route: Route, indexOf: (name: string) => number): RouteState {
  const linkScope = route.device !== undefined && route.via === undefined && !route.destination.includes(':');
  return {
    destination: route.destination,
    type: route.device === undefined ? routeType.unreachable : routeType.unicast,
    ifindex: route.device === undefined ? 0 : indexOf(route.device),
    via: route.via,
    onlink: route.onlink,
    source: route.source,
    scope: linkScope ? scope.link : scope.universe,
    metric: route.metric ?? 0,
    protocol: routes.protocol.value,
    table: route.table ?? routes.table.value,
  };
}
