/** NodeIntent and what the machine looks like ─► the objects that the kernel must hold; pure. */
import type { EndpointIntent, NodeIntent, PeerIntent, SubnetIntent } from '#intent/node.ts';
import { parseAddr } from '#net/addr.ts';
import { parseInterfacePrefix, prefixHas } from '#net/prefix.ts';
import { linkGroups, links, numbers, ports, routes } from '#system/registry.ts';
import {
  type Context,
  contextOf,
  type DeviceFact,
  type Facts,
  familyOf,
  hostPart,
  optional,
  type Problem,
} from './context.ts';
import { formatAlias, linkLocalOf, tunnelMac } from './names.ts';
import { identity, type NetlinkObject, type Objects, sameObject } from './objects.ts';
import { lowerAnswers, lowerWire } from './underlay.ts';

export type Lowered = { readonly objects: readonly NetlinkObject[]; readonly problems: readonly Problem[] };

/** Everything at once. Of two entries that claim one object with different contents the first by name has it. */
export function lower(intent: NodeIntent, facts: Facts): { value: Objects; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const value = new Map<string, NetlinkObject>();
  const { value: context, problems: unknown } = contextOf(intent, facts);
  problems.push(...unknown);
  const keys = loweredDomains.flatMap((domain) =>
    Object.keys(intent[domain]).map((name) => `${domain}/${name}`),
  );
  for (const key of keys.toSorted()) {
    const lowered = lowerEntry(key, intent, context);
    problems.push(...lowered.problems);
    for (const object of lowered.objects) {
      const id = identity(object);
      const first = value.get(id);
      if (first === undefined) value.set(id, object);
      else if (!sameObject(first, object)) problems.push(claimed(key, id));
    }
  }
  return { value, problems };
}

/** The problem of an entry that comes second to an object. */
export function claimed(entry: string, id: string): Problem {
  return { entry, reason: `another entry already has ${id}` };
}

/** Domains of the intent that this engine reads. */
export const loweredDomains = ['self', 'subnets', 'peers', 'endpoints'] as const;
export type LoweredDomain = (typeof loweredDomains)[number];

/** The objects of one entry; `key` is `domain/name`. None when the intent has no such entry. */
export function lowerEntry(key: string, intent: Pick<NodeIntent, LoweredDomain>, context: Context): Lowered {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  const domain = key.slice(0, slash) as LoweredDomain;
  switch (domain) {
    case 'self':
      return intent.self[name] === undefined ? { objects: [], problems: [] } : lowerSelf(context);
    case 'subnets':
      return withFamilies(key, intent.subnets[name], context, lowerSubnet);
    case 'peers':
      return withFamilies(key, intent.peers[name], context, lowerPeer);
    case 'endpoints':
      return withFamilies(key, intent.endpoints[name], context, lowerEndpoint);
  }
}

/** Leaves out what needs IPv6 on a kernel without it, and says so. */
function withFamilies<Entry>(
  key: string,
  entry: Entry | undefined,
  context: Context,
  work: (key: string, entry: Entry, context: Context) => Lowered,
): Lowered {
  if (entry === undefined) return { objects: [], problems: [] };
  const lowered = work(key, entry, context);
  if (context.ipv6) return lowered;
  const objects = lowered.objects.filter((object) => !needsIPv6(object));
  const reason = "the node's kernel has IPv6 switched off (ipv6.disable=1)";
  const problems = objects.length === lowered.objects.length ? [] : [{ entry: key, reason }];
  return { objects, problems: [...lowered.problems, ...problems] };
}

function needsIPv6(object: NetlinkObject): boolean {
  if (object.kind === 'route') return object.destination.includes(':') || object.via?.includes(':') === true;
  if (object.kind === 'address' || object.kind === 'neighbour' || object.kind === 'proxy')
    return object.address.includes(':');
  if (object.kind === 'rule') return object.source.includes(':');
  return object.kind === 'sysctl' && object.key.startsWith('net/ipv6/');
}

function lowerSelf(context: Context): Lowered {
  const objects: NetlinkObject[] = [];
  const underlay = context.devices.filter((device) =>
    device.addresses.some((one) => [context.address4, context.address6].includes(hostPart(one))),
  );
  for (const device of underlay) objects.push(...underlaySysctls(device, context));
  objects.push({ kind: 'sysctl', key: 'net/ipv4/ip_forward', value: '1' });
  if (context.ipv6) objects.push({ kind: 'sysctl', key: 'net/ipv6/conf/all/forwarding', value: '1' });
  const { tunnel } = context;
  if (tunnel === undefined) return { objects, problems: [] };
  objects.push({
    kind: 'link',
    name: links.tunnel.value,
    vni: numbers.vni.value,
    port: ports.vxlan.value,
    local: tunnel.local,
    mac: tunnel.mac,
    mtu: tunnel.mtu,
    alias: formatAlias(),
    group: linkGroups.tunnel.value,
    up: true,
    learning: false,
  });
  objects.push(
    ...deviceSysctls(links.tunnel.value, { ipv6: context.ipv6, loose: context.strictReversePath }),
  );
  for (const address of context.tunnelAddresses) {
    objects.push({ kind: 'address', device: links.tunnel.value, address });
  }
  return { objects, problems: [] };
}

/**
 * A pod's answer to another node's own address leaves by the underlay while the way back is the tunnel: strict reverse path
 * filtering would drop it; the source guard of the nftables engine does that check. Forwarding makes the kernel forget routes
 * learnt from router advertisements unless accept_ra is 2, which must stand before forwarding goes on.
 */
function underlaySysctls(device: DeviceFact, context: Context): NetlinkObject[] {
  const objects: NetlinkObject[] = [];
  if (device.reversePath > 0) {
    objects.push({ kind: 'sysctl', key: `net/ipv4/conf/${device.name}/rp_filter`, value: '2' });
  }
  if (context.ipv6 && device.acceptRouterAdvertisements > 0) {
    objects.push({ kind: 'sysctl', key: `net/ipv6/conf/${device.name}/accept_ra`, value: '2' });
  }
  return objects;
}

/**
 * Settings of our own devices. rp_filter: the guard of the nftables engine judges sources, so no lookup is wanted (0); the larger of
 * `all` and the device's counts, and where `all` is strict only 2 keeps the tunnel from being so (a pod's device passes it).
 * arp_ignore 8: the node answers no ARP and keeps no entry for what a pod claims to be.
 */
function deviceSysctls(device: string, { ipv6, loose }: { ipv6: boolean; loose: boolean }): NetlinkObject[] {
  const settings: [string, string][] = [
    [`ipv4/conf/${device}/rp_filter`, loose ? '2' : '0'],
    [`ipv4/conf/${device}/arp_ignore`, '8'],
    [`ipv4/conf/${device}/accept_redirects`, '0'],
    [`ipv4/conf/${device}/send_redirects`, '0'],
    [`ipv4/conf/${device}/proxy_arp`, '0'],
  ];
  if (ipv6) {
    settings.push(
      [`ipv6/conf/${device}/disable_ipv6`, '0'],
      [`ipv6/conf/${device}/accept_ra`, '0'],
      [`ipv6/conf/${device}/accept_redirects`, '0'],
      [`ipv6/conf/${device}/proxy_ndp`, '0'],
    );
  }
  return settings.map(([key, value]) => ({ kind: 'sysctl', key: `net/${key}`, value }));
}

/** What no block's route takes must not leave by the default route. */
function lowerSubnet(key: string, subnet: SubnetIntent, context: Context): Lowered {
  if (subnet.mode === 'underlay') return lowerWire(key, subnet, context);
  const metric = routes.unreachableMetric.value;
  return {
    objects: subnet.cidrs.map((destination) => ({ kind: 'route', destination, metric })),
    problems: [],
  };
}

function lowerPeer(entry: string, peer: PeerIntent, context: Context): Lowered {
  const objects: NetlinkObject[] = [];
  const problems: Problem[] = [];
  const hops = new Set<string>();
  const seen = new Set<string>();
  for (const block of peer.blocks) {
    // Found on the wire.
    if (block.mode === 'underlay') continue;
    const hop =
      block.mode === 'overlay' ? overlayHop(peer, block.cidr, context) : routedHop(peer, block.cidr, context);
    if ('reason' in hop) {
      // One sentence an entry and reason, not one a block.
      if (!seen.has(hop.reason)) problems.push({ entry, reason: hop.reason });
      seen.add(hop.reason);
      continue;
    }
    if (block.mode === 'overlay' && !hops.has(hop.route.via!)) {
      hops.add(hop.route.via!);
      objects.push(...hop.entries);
    }
    objects.push(hop.route);
  }
  const unique = new Map(objects.map((object) => [identity(object), object]));
  return { objects: [...unique.values()], problems };
}

type Hop = { readonly route: NetlinkObject & { kind: 'route' }; readonly entries: readonly NetlinkObject[] };
type Refused = { readonly reason: string };

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

/** The host routes' source makes ICMP errors and the node's own connections come from the node's underlay address. */
function lowerEndpoint(key: string, endpoint: EndpointIntent, context: Context): Lowered {
  const { device } = endpoint;
  const ipv6 = endpoint.addresses.some((address) => familyOf(address) === 6);
  const alias = formatAlias(key.slice(key.indexOf('/') + 1));
  const objects: NetlinkObject[] = [
    ...deviceSysctls(device, { ipv6, loose: false }),
    {
      kind: 'device',
      name: device,
      ifindex: endpoint.ifindex,
      alias,
      group: linkGroups.pods.value,
      up: true,
    },
  ];
  for (const address of endpoint.addresses) {
    const six = familyOf(address) === 6;
    const source = six ? context.address6 : context.address4;
    objects.push({ kind: 'neighbour', device, address, mac: endpoint.mac });
    objects.push({
      kind: 'route',
      destination: `${address}/${six ? 128 : 32}`,
      device,
      ...optional({ source }),
    });
  }
  if (endpoint.mode !== 'underlay') return { objects, problems: [] };
  // Last: nobody is called here before the pod can be reached.
  const answers = lowerAnswers(key, endpoint.addresses, context);
  return { objects: [...objects, ...answers.objects], problems: answers.problems };
}
