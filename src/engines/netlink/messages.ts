/** Addresses, routes, neighbours and forwarding entries as rtnetlink messages (linux/rtnetlink.h, if_addr.h, neighbour.h). */
import { type Addr, addrBytes } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { linux, SystemError } from '#system/libc.ts';
import {
  bytes,
  flag,
  type Message,
  nested,
  type Request,
  readAttributes,
  readU32,
  request,
  u32,
} from '#system/netlink-codec.ts';
import type { RouteSocket } from '#system/rtnetlink.ts';
import { rtm } from './link-messages.ts';
import { addressText, linuxFamily, macText, mustAddr, mustMac } from './wire.ts';

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
  header.set([linuxFamily(addr), state.length, 0, state.scope]);
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
  const address = addressText(attributes.get(ifa.LOCAL) ?? attributes.get(ifa.ADDRESS));
  if (address === undefined) return undefined;
  const flags = readU32(attributes, ifa.FLAGS) ?? message.payload[2]!;
  return {
    ifindex: message.payload.readUInt32LE(4),
    address,
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
  header.set([linuxFamily(prefix), length, 0, 0, table, route.protocol, route.scope, route.type]);
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
  return bytes(rta.VIA, Uint8Array.of(linuxFamily(via), 0, ...addrBytes(via)));
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

/** Routes of one protocol in all tables; the kernel filters, so a full Internet table beside them costs nothing. */
export function readRoutes(
  socket: RouteSocket,
  families: readonly (4 | 6)[],
  protocol: number,
): RouteState[] {
  return families.flatMap((family) => {
    try {
      return socket.dump(dumpRoutes(family, protocol), readRoute);
    } catch (error) {
      // A namespace makes a table with its first route.
      if (error instanceof SystemError && error.code === 'ENOENT') return [];
      throw error;
    }
  });
}

export function dumpRoutes(family: 4 | 6, protocol: number): Request {
  const header = Buffer.alloc(12);
  header.set([linuxFamily({ family }), 0, 0, 0, 0, protocol]);
  return request(rtm.GETROUTE, 0, header);
}

export function readRoute(message: Message): RouteState {
  const { payload } = message;
  const attributes = readAttributes(payload, 12);
  const six = payload[0] === linux.AF_INET6;
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
  const header = neighbourHeader(linuxFamily(addr), neighbour.ifindex, nud.PERMANENT, 0);
  const lladdr = bytes(nda.LLADDR, mustMac(neighbour.mac));
  return request(rtm.NEWNEIGH, flag.CREATE | flag.REPLACE, header, bytes(nda.DST, addrBytes(addr)), lladdr);
}

export function deleteNeighbour(neighbour: NeighbourState): Request {
  const addr = mustAddr(neighbour.address);
  const header = neighbourHeader(linuxFamily(addr), neighbour.ifindex, 0, 0);
  return request(rtm.DELNEIGH, 0, header, bytes(nda.DST, addrBytes(addr)));
}

export const dumpNeighbours: Request = request(rtm.GETNEIGH, 0, Buffer.alloc(12));

/** An entry as found. The kernel learns and forgets those that aren't permanent by itself; they may have no MAC (''). */
export function readNeighbour(
  message: Message,
): (NeighbourState & { readonly permanent: boolean }) | undefined {
  const attributes = readAttributes(message.payload, 12);
  const address = addressText(attributes.get(nda.DST));
  if (address === undefined) return undefined;
  return {
    ifindex: message.payload.readInt32LE(4),
    address,
    mac: macText(attributes.get(nda.LLADDR)),
    permanent: (message.payload.readUInt16LE(8) & nud.PERMANENT) !== 0,
  };
}

/** For dumps: only entries that stay. */
export function readPermanentNeighbour(message: Message): NeighbourState | undefined {
  const neighbour = readNeighbour(message);
  return neighbour?.permanent ? neighbour : undefined;
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
  const destination = addressText(attributes.get(nda.DST));
  const mac = macText(attributes.get(nda.LLADDR));
  if (destination === undefined || mac === '') return undefined;
  return { ifindex: message.payload.readInt32LE(4), mac, destination };
}
