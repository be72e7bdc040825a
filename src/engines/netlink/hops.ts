/** The way to a block of a peer: by the tunnel, by its own address on one L2 segment, or by a router; pure. */
import type { PeerBlock, PeerIntent } from '#intent/node.ts';
import { parseAddr } from '#net/addr.ts';
import { parseInterfacePrefix, prefixHas } from '#net/prefix.ts';
import { links, routes } from '#system/registry.ts';
import { type Context, type DeviceFact, familyOf, hostPart, optional } from './context.ts';
import { linkLocalOf, tunnelMac } from './names.ts';
import type { NetlinkObject } from './objects.ts';

export type Hop = {
  readonly route: NetlinkObject & { kind: 'route' };
  readonly entries: readonly NetlinkObject[];
};
export type Refused = { readonly reason: string };

/** Undefined: what is learnt by BGP leads there, and nothing of ours. */
export function hopTo(peer: PeerIntent, block: PeerBlock, context: Context): Hop | Refused | undefined {
  const direct = routedHop(peer, block.cidr, context);
  if (block.mode === 'overlay') {
    const onLink = block.crossSubnet === true && !('reason' in direct);
    return onLink ? direct : overlayHop(peer, block.cidr, context);
  }
  if (!('reason' in direct) || context.routers === undefined || isOwn(peer, context)) return direct;
  return routerHop(block.cidr, context.routers, context);
}

/** An address of this node that another one claims: its blocks are reached by no router. */
function isOwn(peer: PeerIntent, context: Context): boolean {
  return peer.addresses.some((address) => address === context.address4 || address === context.address6);
}

/** By the first router on a network of the node: it knows the block by BGP. Loses against a route that a neighbor taught. */
function routerHop(destination: string, routers: readonly string[], context: Context): Hop | undefined {
  const family = familyOf(destination);
  for (const via of routers) {
    const device = familyOf(via) === family ? onLinkDevice(via, context.devices) : undefined;
    if (device === undefined) continue;
    const metric = routes.routerMetric.value;
    return { route: { kind: 'route', destination, device, via, metric }, entries: [] };
  }
  return undefined;
}

/**
 * The next hop is of the destination's family, since the kernel keeps a ready Ethernet header for such a neighbour only: the peer's
 * IPv4 underlay address, said to be on the link, and its IPv6 link-local address on the tunnel, which serves IPv4 destinations as well
 * where the peer has no IPv4 address.
 */
function overlayHop(peer: PeerIntent, destination: string, context: Context): Hop | Refused {
  const { tunnel } = context;
  if (tunnel === undefined)
    return { reason: 'the node has no tunnel: none of its underlay addresses is on a device' };
  const remote = peer.addresses.find((address) => familyOf(address) === tunnel.family);
  if (remote === undefined)
    return { reason: `has no IPv${tunnel.family} underlay address, which the tunnel needs` };
  if (remote === tunnel.local) return { reason: `has this node's own underlay address ${remote}` };
  const mac = tunnelMac(peer.addresses[0]!);
  const device = links.tunnel.value;
  const remote4 = peer.addresses.find((address) => familyOf(address) === 4);
  const onlink = familyOf(destination) === 4 && remote4 !== undefined;
  const via = onlink ? remote4 : linkLocalOf(mac);
  const source = context.tunnelAddresses.find((address) => familyOf(address) === familyOf(destination));
  const route = {
    kind: 'route',
    destination,
    device,
    via,
    ...(onlink ? { onlink } : {}),
    ...optional({ source }),
  } as const;
  return {
    route,
    entries: [
      { kind: 'forwarding', device, mac, destination: remote },
      { kind: 'neighbour', device, address: via, mac },
    ],
  };
}

/** An IPv4 block behind a peer with only an IPv6 address goes by that one; the other way round there is no such thing. */
function routedHop(peer: PeerIntent, destination: string, context: Context): Hop | Refused {
  const family = familyOf(destination);
  const ofFamily = (wanted: 4 | 6) => peer.addresses.find((address) => familyOf(address) === wanted);
  const via = ofFamily(family) ?? (family === 4 ? ofFamily(6) : undefined);
  if (via === undefined) return { reason: `has no IPv${family} underlay address for ${destination}` };
  const device = onLinkDevice(via, context.devices);
  if (device === undefined) {
    return {
      reason: `${via} is not on a network of this node, so it can't be the next hop of a routed block`,
    };
  }
  return { route: { kind: 'route', destination, device, via }, entries: [] };
}

function onLinkDevice(address: string, devices: readonly DeviceFact[]): string | undefined {
  const addr = parseAddr(address);
  if (addr === undefined) return undefined;
  let best: { readonly name: string; readonly length: number } | undefined;
  for (const device of devices) {
    for (const text of device.addresses) {
      const own = parseInterfacePrefix(text);
      if (own === undefined || !prefixHas(own.prefix, addr)) continue;
      if (hostPart(text) === address) return undefined;
      if (own.prefix.length > (best?.length ?? -1)) best = { name: device.name, length: own.prefix.length };
    }
  }
  return best?.name;
}
