/** Whether a pod's link still is as it was made; the parts of it that making and checking share. */
import { formatAddr } from '#net/addr.ts';
import { gateway, links, routes } from '#system/registry.ts';
import { openRouteSocket, type RouteSocket } from '#system/rtnetlink.ts';
import { getLink, type LinkState, readLink } from './link-messages.ts';
import {
  dumpAddresses,
  dumpNeighbours,
  type RouteState,
  readAddress,
  readPermanentNeighbour,
  readRoutes,
  routeType,
  scope,
} from './messages.ts';
import { podMacOf } from './names.ts';
import type { PodLinkSpec } from './pod.ts';
import { mustAddr } from './wire.ts';

/** What is not as createPodLink leaves it, one sentence each; empty when all is well. Used by CNI CHECK. */
export function checkPodLink(spec: PodLinkSpec): string[] {
  const host = openRouteSocket(spec.hostNamespace);
  try {
    const there = linkNamed(host, spec.hostName);
    return there === undefined ? [`the node has no device ${spec.hostName}`] : differences(spec, there);
  } finally {
    host.close();
  }
}

/** What stands between the device as found on the node, its other end, and what was asked; one sentence each. */
export function differences(spec: PodLinkSpec, host: LinkState): string[] {
  const found: string[] = [];
  if (host.kind !== 'veth') return [`${spec.hostName} is no veth`];
  if (host.mac !== links.podMac.value)
    found.push(`${spec.hostName} has MAC ${host.mac}, not ${links.podMac.value}`);
  if (host.mtu !== spec.mtu) found.push(`${spec.hostName} has MTU ${host.mtu}, not ${spec.mtu}`);
  const pod = openRouteSocket(spec.podNamespace);
  try {
    const device = linkNamed(pod, spec.ifName);
    if (device === undefined) return [...found, `the pod has no device ${spec.ifName}`];
    const podMac = spec.mac ?? podMacOf(spec.hostName);
    if (!device.up) found.push(`${spec.ifName} is down`);
    if (device.mac !== podMac) found.push(`${spec.ifName} has MAC ${device.mac}, not ${podMac}`);
    if (device.mtu !== spec.mtu) found.push(`${spec.ifName} has MTU ${device.mtu}, not ${spec.mtu}`);
    const addresses = pod.dump(dumpAddresses, readAddress);
    const neighbours = pod.dump(dumpNeighbours, readPermanentNeighbour);
    for (const address of spec.addresses) {
      if (
        !addresses.some(
          (each) => each.ifindex === device.ifindex && each.address === formatAddr(mustAddr(address)),
        )
      ) {
        found.push(`${spec.ifName} lacks the address ${address}`);
      }
      const next = gatewayFor(address);
      if (!neighbours.some((each) => each.address === next && each.mac === links.podMac.value)) {
        found.push(`the pod lacks the permanent neighbour ${next}`);
      }
      const family = mustAddr(address).family;
      const there = readRoutes(pod, [family], bootProtocol);
      for (const route of podRoutes(address, device.ifindex)) {
        const same = (each: RouteState) =>
          each.destination === route.destination && each.ifindex === route.ifindex && each.via === route.via;
        if (!there.some(same)) found.push(`the pod lacks the route to ${route.destination}`);
      }
    }
    return found;
  } finally {
    pod.close();
  }
}

/** A device by name; undefined when there is none. */
export function linkNamed(socket: RouteSocket, name: string): LinkState | undefined {
  const [outcome] = socket.request([getLink(name)]);
  if (outcome!.error?.code === 'ENODEV') return undefined;
  if (outcome!.error !== undefined) throw outcome!.error;
  const reply = outcome!.replies[0];
  return reply === undefined ? undefined : readLink(reply);
}

/** The link-local next hop for an address of that family. */
export function gatewayFor(address: string): string {
  return address.includes(':') ? gateway.ipv6.value : gateway.ipv4.value;
}

/** `boot`, what `ip route` gives: these routes are the pod's own. */
const bootProtocol = 3;

/** IPv4 needs a route to its next hop first; an IPv6 link-local next hop is on the link by definition. */
export function podRoutes(address: string, ifindex: number): RouteState[] {
  const common = {
    type: routeType.unicast,
    ifindex,
    metric: 0,
    protocol: bootProtocol,
    table: routes.table.value,
  };
  const via = gatewayFor(address);
  if (address.includes(':')) return [{ ...common, destination: '::/0', via, scope: scope.universe }];
  return [
    { ...common, destination: `${via}/32`, scope: scope.link },
    { ...common, destination: '0.0.0.0/0', via, scope: scope.universe },
  ];
}
