/** NodeIntent and what the machine looks like ─► the objects that the kernel must hold; pure. */
import { classNumber, classText } from '#intent/announcement-class.ts';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { EndpointIntent, NodeIntent, PeerIntent, SelfIntent, SubnetIntent } from '#intent/node.ts';
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
import { hopTo } from './hops.ts';
import { formatAlias } from './names.ts';
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
export const loweredDomains = [
  'self',
  'subnets',
  'peers',
  'bgpNeighbors',
  'announcements',
  'endpoints',
] as const;
export type LoweredDomain = (typeof loweredDomains)[number];

/** The objects of one entry; `key` is `domain/name`. None when the intent has no such entry. */
export function lowerEntry(key: string, intent: Pick<NodeIntent, LoweredDomain>, context: Context): Lowered {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  const domain = key.slice(0, slash) as LoweredDomain;
  switch (domain) {
    case 'self':
      return withFamilies(key, intent.self[name], context, (_, self) =>
        lowerSelf(self, intent.subnets, context),
      );
    case 'subnets':
      return withFamilies(key, intent.subnets[name], context, lowerSubnet);
    case 'peers':
      return withFamilies(key, intent.peers[name], context, lowerPeer);
    case 'bgpNeighbors':
      // They count by their addresses only (`Context.routers`).
      return { objects: [], problems: [] };
    case 'announcements':
      return withFamilies(key, intent.announcements[name], context, lowerAnnouncement);
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

function lowerSelf(self: SelfIntent, subnets: NodeIntent['subnets'], context: Context): Lowered {
  const objects: NetlinkObject[] = ownBlocks(self, subnets);
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
 * A block of a routed Subnet, and an address that a pod has by itself, is announced whole by a route in a table of its own, so that pods that come and go change nothing there.
 * In the main table it is unreachable where no pod's route is: a prefix learnt from a router that covers it must not send what
 * nobody has back there.
 */
function ownBlocks(self: SelfIntent, subnets: NodeIntent['subnets']): NetlinkObject[] {
  const all = [...self.blocks, ...(self.singles ?? [])];
  const routed = all.filter(({ subnet }) => subnets[subnet]?.mode === 'routed');
  return routed.flatMap(({ cidr: destination }): NetlinkObject[] => [
    {
      kind: 'route',
      destination,
      metric: routes.blockMetric.value,
      table: routes.announcedTable.value,
    },
    { kind: 'route', destination, metric: routes.unreachableMetric.value },
  ]);
}

/**
 * Beside the blocks in the announced table; the metric says what FRR says of it. In the main table there is nothing: the node itself
 * connects to the Service like anybody else.
 */
function lowerAnnouncement(key: string, entry: AnnouncementIntent): Lowered {
  const destination = key.slice(key.indexOf('/') + 1);
  const metric = classNumber(classText(entry));
  return {
    objects: [{ kind: 'route', destination, metric, table: routes.announcedTable.value }],
    problems: [],
  };
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
    const hop = hopTo(peer, block, context);
    if (hop === undefined) continue;
    if ('reason' in hop) {
      // One sentence an entry and reason, not one a block.
      if (!seen.has(hop.reason)) problems.push({ entry, reason: hop.reason });
      seen.add(hop.reason);
      continue;
    }
    const way = `${hop.route.device} ${hop.route.via}`;
    if (!hops.has(way)) {
      hops.add(way);
      objects.push(...hop.entries);
    }
    objects.push(hop.route);
  }
  const unique = new Map(objects.map((object) => [identity(object), object]));
  return { objects: [...unique.values()], problems };
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
