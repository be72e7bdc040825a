/** Rtnetlink messages (linux/rtnetlink.h, if_link.h, neighbour.h, if_addr.h) as the requests and answers that this engine uses. */
import { type Addr, addrBytes, addrFromBytes, formatAddr, parseAddr } from '#net/addr.ts';
import { formatMac, macBytes, macFromBytes, parseMac } from '#net/mac.ts';
import { parsePrefix } from '#net/prefix.ts';
import { linux, SystemError } from '#system/libc.ts';
import {
  bytes,
  flag,
  type Message,
  nested,
  type Request,
  readAttributes,
  readText,
  readU32,
  request,
  text,
  u8,
  u32,
} from '#system/netlink-codec.ts';
import type { RouteSocket } from '#system/rtnetlink.ts';

export const rtm = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
} as const;

export const iff = { UP: 0x1, LOOPBACK: 0x8 } as const;

export const ifla = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  NET_NS_FD: 28,
  EXT_MASK: 29,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
  INFO_KIND: 1,
  INFO_DATA: 2,
  VETH_INFO_PEER: 1,
  INET6_ADDR_GEN_MODE: 8,
} as const;

/** No link-local address is made when the device goes up. */
const addrGenModeNone = 1;
/** Leaves the counters out of GETLINK answers. */
const extMaskSkipStats = 8;

const ifa = { ADDRESS: 1, LOCAL: 2, FLAGS: 8 } as const;
const ifaFlag = { NODAD: 0x02, DADFAILED: 0x08, TENTATIVE: 0x40 } as const;

const rta = {
  DST: 1,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  PREFSRC: 7,
  METRICS: 8,
  TABLE: 15,
  VIA: 18,
  PREF: 20,
} as const;
const rtnhFlagOnlink = 4;
const rtaxMtu = 2;

const nda = { DST: 1, LLADDR: 2, VNI: 7, IFINDEX: 8 } as const;
const nud = { NOARP: 0x40, PERMANENT: 0x80 } as const;
const ntfSelf = 0x02;

export const scope = { universe: 0, link: 253, host: 254 } as const;
export const routeType = { unicast: 1, local: 2, unreachable: 7 } as const;

export const familyOf = (addr: { readonly family: 4 | 6 }) =>
  addr.family === 4 ? linux.AF_INET : linux.AF_INET6;

/** An address that the caller knows to be one; anything else is a bug, not input. */
export function mustAddr(value: string): Addr {
  const addr = parseAddr(value);
  if (addr === undefined) throw new TypeError(`not an IP address: ${value}`);
  return addr;
}

function mustMac(value: string): Uint8Array {
  const mac = parseMac(value);
  if (mac === undefined) throw new TypeError(`not a MAC address: ${value}`);
  return macBytes(mac);
}

function linkHeader(index: number, flags = 0, change = 0): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return header;
}

/** A device by index, or by name when the index is 0. */
export function getLink(name: string): Request {
  return request(
    rtm.GETLINK,
    0,
    linkHeader(0),
    text(ifla.IFNAME, name),
    u32(ifla.EXT_MASK, extMaskSkipStats),
  );
}

export const dumpLinks: Request = request(
  rtm.GETLINK,
  0,
  linkHeader(0),
  u32(ifla.EXT_MASK, extMaskSkipStats),
);

export type LinkChange = {
  readonly up?: boolean | undefined;
  readonly mtu?: number | undefined;
  readonly mac?: string | undefined;
  readonly alias?: string | undefined;
};

/** Changes a device that exists. */
export function setLink(index: number, change: LinkChange): Request {
  const attributes: Buffer[] = [];
  if (change.mtu !== undefined) attributes.push(u32(ifla.MTU, change.mtu));
  if (change.mac !== undefined) attributes.push(bytes(ifla.ADDRESS, mustMac(change.mac)));
  if (change.alias !== undefined) attributes.push(bytes(ifla.IFALIAS, Buffer.from(change.alias)));
  const header = linkHeader(index, change.up ? iff.UP : 0, change.up === undefined ? 0 : iff.UP);
  return request(rtm.NEWLINK, 0, header, ...attributes);
}

/** The kernel makes no link-local address of its own on this device. Must come before it goes up. */
export function setNoLinkLocal(index: number): Request {
  const mode = nested(linux.AF_INET6, u8(ifla.INET6_ADDR_GEN_MODE, addrGenModeNone));
  return request(rtm.SETLINK, 0, linkHeader(index), nested(ifla.AF_SPEC, mode));
}

export function deleteLink(name: string): Request {
  return request(rtm.DELLINK, 0, linkHeader(0), text(ifla.IFNAME, name));
}

/** One end of a veth; the kernel chooses its index unless both ends ask for one. */
export type VethEnd = { readonly name: string; readonly mac: string; readonly ifindex?: number };

/** A veth pair, both ends down, the second one born in the network namespace behind `peerNamespace` (a file descriptor). */
export function newVeth(host: VethEnd, peer: VethEnd, mtu: number, peerNamespace: number): Request {
  const end = (each: VethEnd) => [
    text(ifla.IFNAME, each.name),
    u32(ifla.MTU, mtu),
    // A veth has no queueing discipline; more queues (one a CPU by default) only cost: 0.4 ms a pod on two CPUs.
    u32(ifla.NUM_TX_QUEUES, 1),
    u32(ifla.NUM_RX_QUEUES, 1),
    bytes(ifla.ADDRESS, mustMac(each.mac)),
  ];
  const peerEnd = [linkHeader(peer.ifindex ?? 0), ...end(peer), u32(ifla.NET_NS_FD, peerNamespace)];
  const data = nested(ifla.INFO_DATA, nested(ifla.VETH_INFO_PEER, ...peerEnd));
  const info = nested(ifla.LINKINFO, text(ifla.INFO_KIND, 'veth'), data);
  return request(rtm.NEWLINK, flag.CREATE | flag.EXCL, linkHeader(host.ifindex ?? 0), ...end(host), info);
}

/** A device of any kind, down. `data` is what the kind itself takes (IFLA_INFO_DATA). */
export function newLink(name: string, kind: string, change: LinkChange, data: readonly Buffer[]): Request {
  const { payload } = setLink(0, { mtu: change.mtu, mac: change.mac });
  const info = nested(ifla.LINKINFO, text(ifla.INFO_KIND, kind), nested(ifla.INFO_DATA, ...data));
  return request(rtm.NEWLINK, flag.CREATE | flag.EXCL, payload, text(ifla.IFNAME, name), info);
}

/** A device as the kernel tells it. */
export type LinkState = {
  readonly ifindex: number;
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  /** Empty for devices without one. */
  readonly mac: string;
  readonly alias: string;
  /** Index of the veth's other end in its own namespace, of a VXLAN's lower device; 0 for none. */
  readonly peerIndex: number;
  /** `veth`, `vxlan`, …; empty for hardware. */
  readonly kind: string;
  /** IFLA_INFO_DATA, undecoded. */
  readonly data: Buffer | undefined;
};

export function readLink(message: Message): LinkState {
  const attributes = readAttributes(message.payload, 16);
  const info = readAttributes(attributes.get(ifla.LINKINFO) ?? Buffer.alloc(0));
  const mac = macFromBytes(attributes.get(ifla.ADDRESS) ?? Buffer.alloc(0));
  return {
    ifindex: message.payload.readInt32LE(4),
    name: readText(attributes, ifla.IFNAME) ?? '',
    up: (message.payload.readUInt32LE(8) & iff.UP) !== 0,
    mtu: readU32(attributes, ifla.MTU) ?? 0,
    mac: mac === undefined ? '' : formatMac(mac),
    alias: readText(attributes, ifla.IFALIAS) ?? '',
    peerIndex: readU32(attributes, ifla.LINK) ?? 0,
    kind: readText(info, ifla.INFO_KIND) ?? '',
    data: info.get(ifla.INFO_DATA),
  };
}

/** An address on a device; `length` is its prefix length. */
export type AddressState = {
  readonly ifindex: number;
  readonly address: string;
  readonly length: number;
  readonly scope: number;
  /** False while duplicate address detection runs, or once it has failed. */
  readonly usable?: boolean;
};

function addressRequest(type: number, flags: number, state: AddressState): Request {
  const addr = mustAddr(state.address);
  const header = Buffer.alloc(8);
  header.set([familyOf(addr), state.length, 0, state.scope]);
  header.writeUInt32LE(state.ifindex, 4);
  const value = addrBytes(addr);
  const noDad = addr.family === 6 ? [u32(ifa.FLAGS, ifaFlag.NODAD)] : [];
  return request(type, flags, header, bytes(ifa.LOCAL, value), bytes(ifa.ADDRESS, value), ...noDad);
}

/** IPv6 addresses come without duplicate address detection: who gives them out knows that they are unique. */
export function putAddress(state: AddressState): Request {
  return addressRequest(rtm.NEWADDR, flag.CREATE | flag.REPLACE, state);
}

export function deleteAddress(state: AddressState): Request {
  return addressRequest(rtm.DELADDR, 0, state);
}

export const dumpAddresses: Request = request(rtm.GETADDR, 0, Buffer.alloc(8));

export function readAddress(message: Message): AddressState | undefined {
  const attributes = readAttributes(message.payload, 8);
  const value = addrFromBytes(attributes.get(ifa.LOCAL) ?? attributes.get(ifa.ADDRESS) ?? Buffer.alloc(0));
  if (value === undefined) return undefined;
  const flags = readU32(attributes, ifa.FLAGS) ?? message.payload[2]!;
  return {
    ifindex: message.payload.readUInt32LE(4),
    address: formatAddr(value),
    length: message.payload[1]!,
    scope: message.payload[3]!,
    usable: (flags & (ifaFlag.DADFAILED | ifaFlag.TENTATIVE)) === 0,
  };
}

/** A route of one next hop. */
export type RouteState = {
  /** Prefix; `0.0.0.0/0` and `::/0` are the default routes. */
  readonly destination: string;
  readonly type: number;
  /** 0: none (unreachable). */
  readonly ifindex: number;
  /** Next hop of either family. */
  readonly via?: string | undefined;
  readonly onlink?: boolean | undefined;
  readonly source?: string | undefined;
  readonly scope: number;
  /** 0 and, for IPv6, 1024 are what the kernel takes when asked for none. */
  readonly metric: number;
  readonly mtu?: number | undefined;
  readonly protocol: number;
  readonly table: number;
};

function routeRequest(type: number, flags: number, route: RouteState): Request {
  const prefix = parsePrefix(route.destination);
  if (prefix === undefined) throw new TypeError(`not a prefix: ${route.destination}`);
  const { family, length } = prefix;
  const header = Buffer.alloc(12);
  const table = route.table < 256 ? route.table : 0;
  header.set([familyOf(prefix), length, 0, 0, table, route.protocol, route.scope, route.type]);
  header.writeUInt32LE(route.onlink ? rtnhFlagOnlink : 0, 8);
  const parts: Buffer[] = [u32(rta.TABLE, route.table)];
  if (length > 0) parts.push(bytes(rta.DST, addrBytes(prefix)));
  if (route.ifindex !== 0) parts.push(u32(rta.OIF, route.ifindex));
  if (route.via !== undefined) parts.push(nextHop(family, mustAddr(route.via)));
  if (route.source !== undefined) parts.push(bytes(rta.PREFSRC, addrBytes(mustAddr(route.source))));
  if (route.metric !== 0) parts.push(u32(rta.PRIORITY, route.metric));
  if (route.mtu !== undefined) parts.push(nested(rta.METRICS, u32(rtaxMtu, route.mtu)));
  return request(type, flags, header, ...parts);
}

function nextHop(family: 4 | 6, via: Addr): Buffer {
  if (via.family === family) return bytes(rta.GATEWAY, addrBytes(via));
  return bytes(rta.VIA, Uint8Array.of(familyOf(via), 0, ...addrBytes(via)));
}

/** Fails with EEXIST when any route to that destination with that metric is there, whoever's. */
export function addRoute(route: RouteState): Request {
  return routeRequest(rtm.NEWROUTE, flag.CREATE | flag.EXCL, route);
}

/** Atomic: no packet finds neither the old nor the new one. */
export function replaceRoute(route: RouteState): Request {
  return routeRequest(rtm.NEWROUTE, flag.CREATE | flag.REPLACE, route);
}

export function deleteRoute(route: RouteState): Request {
  return routeRequest(rtm.DELROUTE, 0, route);
}

/** Routes of one family, table and protocol; the kernel filters, so a full Internet table beside them costs nothing. */
export function readRoutes(
  socket: RouteSocket,
  families: readonly (4 | 6)[],
  table: number,
  protocol: number,
): RouteState[] {
  return families.flatMap((family) => {
    try {
      return socket.dump(dumpRoutes(family, table, protocol)).map(readRoute);
    } catch (error) {
      // A namespace makes a table with its first route.
      if (error instanceof SystemError && error.code === 'ENOENT') return [];
      throw error;
    }
  });
}

function dumpRoutes(family: 4 | 6, table: number, protocol: number): Request {
  const header = Buffer.alloc(12);
  header.set([familyOf({ family }), 0, 0, 0, table < 256 ? table : 0, protocol]);
  return request(rtm.GETROUTE, 0, header, u32(rta.TABLE, table));
}

export function readRoute(message: Message): RouteState {
  const { payload } = message;
  const attributes = readAttributes(payload, 12);
  const six = payload[0] === linux.AF_INET6;
  const addressText = (value: Buffer | undefined) => {
    const addr = value === undefined ? undefined : addrFromBytes(value);
    return addr === undefined ? undefined : formatAddr(addr);
  };
  const via = attributes.get(rta.VIA);
  const metrics = readAttributes(attributes.get(rta.METRICS) ?? Buffer.alloc(0));
  return {
    destination: `${addressText(attributes.get(rta.DST)) ?? (six ? '::' : '0.0.0.0')}/${payload[1]}`,
    type: payload[7]!,
    ifindex: readU32(attributes, rta.OIF) ?? 0,
    via: addressText(via === undefined ? attributes.get(rta.GATEWAY) : via.subarray(2)),
    onlink: (payload.readUInt32LE(8) & rtnhFlagOnlink) !== 0,
    source: addressText(attributes.get(rta.PREFSRC)),
    scope: payload[6]!,
    metric: readU32(attributes, rta.PRIORITY) ?? 0,
    mtu: readU32(metrics, rtaxMtu),
    protocol: payload[5]!,
    table: readU32(attributes, rta.TABLE) ?? payload[4]!,
  };
}

/** A permanent neighbour: `address` on the device is at `mac`. */
export type NeighbourState = { readonly ifindex: number; readonly address: string; readonly mac: string };

function neighbourHeader(family: number, ifindex: number, state: number, flags: number): Buffer {
  const header = Buffer.alloc(12);
  header[0] = family;
  header.writeInt32LE(ifindex, 4);
  header.writeUInt16LE(state, 8);
  header[10] = flags;
  return header;
}

export function putNeighbour(neighbour: NeighbourState): Request {
  const addr = mustAddr(neighbour.address);
  const header = neighbourHeader(familyOf(addr), neighbour.ifindex, nud.PERMANENT, 0);
  const lladdr = bytes(nda.LLADDR, mustMac(neighbour.mac));
  return request(rtm.NEWNEIGH, flag.CREATE | flag.REPLACE, header, bytes(nda.DST, addrBytes(addr)), lladdr);
}

export function deleteNeighbour(neighbour: NeighbourState): Request {
  const addr = mustAddr(neighbour.address);
  const header = neighbourHeader(familyOf(addr), neighbour.ifindex, 0, 0);
  return request(rtm.DELNEIGH, 0, header, bytes(nda.DST, addrBytes(addr)));
}

const dumpNeighbours: Request = request(rtm.GETNEIGH, 0, Buffer.alloc(12));

/** An entry as found. The kernel learns and forgets those that aren't permanent by itself; they may have no MAC (''). */
export function readNeighbour(
  message: Message,
): (NeighbourState & { readonly permanent: boolean }) | undefined {
  const attributes = readAttributes(message.payload, 12);
  const addr = addrFromBytes(attributes.get(nda.DST) ?? Buffer.alloc(0));
  if (addr === undefined) return undefined;
  const mac = macFromBytes(attributes.get(nda.LLADDR) ?? Buffer.alloc(0));
  return {
    ifindex: message.payload.readInt32LE(4),
    address: formatAddr(addr),
    mac: mac === undefined ? '' : formatMac(mac),
    permanent: (message.payload.readUInt16LE(8) & nud.PERMANENT) !== 0,
  };
}

/** The permanent entries of all devices. */
export function readPermanentNeighbours(socket: RouteSocket): NeighbourState[] {
  return socket.dump(dumpNeighbours).flatMap((message) => {
    const neighbour = readNeighbour(message);
    return neighbour?.permanent ? [neighbour] : [];
  });
}

/** A static entry of a VXLAN device: frames for `mac` go to the tunnel end `destination`. */
export type ForwardingState = {
  readonly ifindex: number;
  readonly mac: string;
  readonly destination: string;
};

export function putForwarding(entry: ForwardingState): Request {
  const header = neighbourHeader(linux.AF_BRIDGE, entry.ifindex, nud.PERMANENT | nud.NOARP, ntfSelf);
  const lladdr = bytes(nda.LLADDR, mustMac(entry.mac));
  const destination = bytes(nda.DST, addrBytes(mustAddr(entry.destination)));
  return request(rtm.NEWNEIGH, flag.CREATE | flag.REPLACE, header, lladdr, destination);
}

export function deleteForwarding(entry: ForwardingState): Request {
  const header = neighbourHeader(linux.AF_BRIDGE, entry.ifindex, 0, ntfSelf);
  return request(rtm.DELNEIGH, 0, header, bytes(nda.LLADDR, mustMac(entry.mac)));
}

export function dumpForwarding(ifindex: number): Request {
  return request(rtm.GETNEIGH, 0, neighbourHeader(linux.AF_BRIDGE, ifindex, 0, 0));
}

export function readForwarding(message: Message): ForwardingState | undefined {
  const attributes = readAttributes(message.payload, 12);
  const addr = addrFromBytes(attributes.get(nda.DST) ?? Buffer.alloc(0));
  const mac = macFromBytes(attributes.get(nda.LLADDR) ?? Buffer.alloc(0));
  if (addr === undefined || mac === undefined) return undefined;
  return { ifindex: message.payload.readInt32LE(4), mac: formatMac(mac), destination: formatAddr(addr) };
}
