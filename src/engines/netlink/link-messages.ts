/** Devices as rtnetlink messages (linux/if_link.h). */
import { linux } from '#system/libc.ts';
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
import { macText, mustMac } from './wire.ts';

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
  NEWRULE: 32,
  DELRULE: 33,
  GETRULE: 34,
} as const;

const iff = { UP: 0x1, LOOPBACK: 0x8 } as const;

const ifla = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  GROUP: 27,
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
  readonly group?: number | undefined;
};

/** Changes a device that exists. */
export function setLink(index: number, change: LinkChange): Request {
  const attributes: Buffer[] = [];
  if (change.mtu !== undefined) attributes.push(u32(ifla.MTU, change.mtu));
  if (change.mac !== undefined) attributes.push(bytes(ifla.ADDRESS, mustMac(change.mac)));
  if (change.alias !== undefined) attributes.push(bytes(ifla.IFALIAS, Buffer.from(change.alias)));
  if (change.group !== undefined) attributes.push(u32(ifla.GROUP, change.group));
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
export type VethEnd = {
  readonly name: string;
  readonly mac: string;
  readonly ifindex?: number;
  readonly group?: number;
};

/** A veth pair, both ends down, the second one born in the network namespace behind `peerNamespace` (a file descriptor). */
export function newVeth(host: VethEnd, peer: VethEnd, mtu: number, peerNamespace: number): Request {
  const end = (each: VethEnd) => [
    text(ifla.IFNAME, each.name),
    u32(ifla.MTU, mtu),
    // A veth has no queueing discipline; more queues (one a CPU by default) only cost: 0.4 ms a pod on two CPUs.
    u32(ifla.NUM_TX_QUEUES, 1),
    u32(ifla.NUM_RX_QUEUES, 1),
    bytes(ifla.ADDRESS, mustMac(each.mac)),
    u32(ifla.GROUP, each.group ?? 0),
  ];
  const peerEnd = [linkHeader(peer.ifindex ?? 0), ...end(peer), u32(ifla.NET_NS_FD, peerNamespace)];
  const data = nested(ifla.INFO_DATA, nested(ifla.VETH_INFO_PEER, ...peerEnd));
  const info = nested(ifla.LINKINFO, text(ifla.INFO_KIND, 'veth'), data);
  return request(rtm.NEWLINK, flag.CREATE | flag.EXCL, linkHeader(host.ifindex ?? 0), ...end(host), info);
}

/** A device of any kind, down. `data` is what the kind itself takes (IFLA_INFO_DATA). */
export function newLink(name: string, kind: string, change: LinkChange, data: readonly Buffer[]): Request {
  const { payload } = setLink(0, { mtu: change.mtu, mac: change.mac, group: change.group });
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
  readonly group: number;
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
  return {
    ifindex: message.payload.readInt32LE(4),
    name: readText(attributes, ifla.IFNAME) ?? '',
    up: (message.payload.readUInt32LE(8) & iff.UP) !== 0,
    mtu: readU32(attributes, ifla.MTU) ?? 0,
    mac: macText(attributes.get(ifla.ADDRESS)),
    alias: readText(attributes, ifla.IFALIAS) ?? '',
    group: readU32(attributes, ifla.GROUP) ?? 0,
    peerIndex: readU32(attributes, ifla.LINK) ?? 0,
    kind: readText(info, ifla.INFO_KIND) ?? '',
    data: copy(info.get(ifla.INFO_DATA)),
  };
}

function copy(data: Buffer | undefined): Buffer | undefined {
  return data === undefined ? undefined : Buffer.from(data);
}
