/** Queueing disciplines and filters as rtnetlink messages (linux/pkt_sched.h, linux/pkt_cls.h). */
import {
  bytes,
  flag,
  type Message,
  nested,
  u32 as number32,
  type Request,
  readAttributes,
  readText,
  request,
  text,
} from '#system/netlink-codec.ts';
import { qdiscs } from '#system/registry.ts';

const rtm = { NEWQDISC: 36, DELQDISC: 37, GETQDISC: 38, NEWTFILTER: 44, DELTFILTER: 45, GETTFILTER: 46 };
const tca = { KIND: 1, OPTIONS: 2 };
const tbf = { PARMS: 1, RATE64: 4, BURST: 6 };
const u32 = { SEL: 5, ACT: 7, TERMINAL: 1 };
const action = { KIND: 1, OPTIONS: 2, STOLEN: 4 };
const mirred = { PARMS: 2, EGRESS_REDIRECT: 1 };
const parent = { ROOT: 0xffff_ffff, CLSACT: 0xffff_fff1, INGRESS: 0xffff_fff2 };
const clsactHandle = 0xffff_0000;
const shaperHandle = (qdiscs.shaperHandle.value << 16) >>> 0;

/** ETH_P_ALL, in network byte order, as filters carry it. */
const everyProtocol = 0x0300;
/** TC_LINKLAYER_ETHERNET: a frame costs its length, so the kernel needs no table of rates. */
const ethernet = 1;
const largestU32 = 0xffff_ffff;

export type TbfState = {
  readonly bytesPerSecond: number;
  readonly burst: number;
  readonly limit: number;
};

function header(ifindex: number, handle: number, of: number, info = 0): Buffer {
  const payload = Buffer.alloc(20);
  payload.writeInt32LE(ifindex, 4);
  payload.writeUInt32LE(handle, 8);
  payload.writeUInt32LE(of, 12);
  payload.writeUInt32LE(info, 16);
  return payload;
}

/** Fails with EEXIST where another root discipline than the kernel's own default is. */
export function addTbf(ifindex: number, state: TbfState): Request {
  return putTbf(ifindex, state, flag.CREATE | flag.EXCL);
}

/** Packets that wait go on waiting. Fails where ours is not. */
export function changeTbf(ifindex: number, state: TbfState): Request {
  return putTbf(ifindex, state, 0);
}

function putTbf(ifindex: number, { bytesPerSecond, burst, limit }: TbfState, flags: number): Request {
  const parms = Buffer.alloc(36);
  parms[1] = ethernet;
  parms.writeUInt32LE(Math.min(bytesPerSecond, largestU32), 8);
  parms.writeUInt32LE(limit, 24);
  const options = [bytes(tbf.PARMS, parms), number32(tbf.BURST, burst)];
  if (bytesPerSecond >= largestU32) {
    const rate = Buffer.alloc(8);
    rate.writeBigUInt64LE(BigInt(bytesPerSecond));
    options.push(bytes(tbf.RATE64, rate));
  }
  return request(
    rtm.NEWQDISC,
    flags,
    header(ifindex, shaperHandle, parent.ROOT),
    text(tca.KIND, 'tbf'),
    nested(tca.OPTIONS, ...options),
  );
}

export function deleteTbf(ifindex: number): Request {
  return request(rtm.DELQDISC, 0, header(ifindex, shaperHandle, parent.ROOT));
}

/** Where filters of incoming packets stand. Fails with EEXIST where one is. */
export function addClsact(ifindex: number): Request {
  const at = header(ifindex, clsactHandle, parent.CLSACT);
  return request(rtm.NEWQDISC, flag.CREATE | flag.EXCL, at, text(tca.KIND, 'clsact'));
}

export function deleteClsact(ifindex: number): Request {
  return request(rtm.DELQDISC, 0, header(ifindex, clsactHandle, parent.CLSACT));
}

export const dumpQdiscs: Request = request(rtm.GETQDISC, 0, header(0, 0, 0));

export type QdiscState = {
  readonly ifindex: number;
  readonly kind: string;
  readonly at: 'root' | 'ingress' | 'inner';
  /** Ours, as far as its handle says. */
  readonly own: boolean;
  /** Of a token bucket filter. */
  readonly tbf: TbfState | undefined;
};

export function readQdisc({ payload }: Message): QdiscState {
  const attributes = readAttributes(payload, 20);
  const kind = readText(attributes, tca.KIND) ?? '';
  const place = payload.readUInt32LE(12);
  return {
    ifindex: payload.readInt32LE(4),
    kind,
    at: place === parent.ROOT ? 'root' : place === parent.CLSACT ? 'ingress' : 'inner',
    own: kind === 'tbf' && payload.readUInt32LE(8) === shaperHandle,
    tbf: kind === 'tbf' ? readTbf(attributes.get(tca.OPTIONS)) : undefined,
  };
}

/** Index of the device that a notification of a discipline or a filter is about; undefined for any other. */
export function changedDevice({ type, payload }: Message): number | undefined {
  const isOne = [rtm.NEWQDISC, rtm.DELQDISC, rtm.NEWTFILTER, rtm.DELTFILTER].includes(type);
  return isOne ? payload.readInt32LE(4) : undefined;
}

/** Nanoseconds of one tick in which the kernel tells times (PSCHED_SHIFT). */
const tick = 64;

function readTbf(options: Buffer | undefined): TbfState | undefined {
  const attributes = readAttributes(options ?? Buffer.alloc(0));
  const parms = attributes.get(tbf.PARMS);
  if (parms === undefined || parms.length < 36) return undefined;
  const rate64 = attributes.get(tbf.RATE64);
  const bytesPerSecond = rate64 === undefined ? parms.readUInt32LE(8) : Number(rate64.readBigUInt64LE());
  const burst = Math.round((parms.readUInt32LE(28) * tick * bytesPerSecond) / 1e9);
  return { bytesPerSecond, burst, limit: parms.readUInt32LE(24) };
}

const filterInfo = ((qdiscs.redirectPriority.value << 16) | everyProtocol) >>> 0;

/** Leads every incoming packet to another device: u32 matches all, since kernels have it longer than matchall. */
export function addRedirect(ifindex: number, to: number): Request {
  const selector = Buffer.alloc(32);
  selector[0] = u32.TERMINAL;
  selector[2] = 1;
  const parms = Buffer.alloc(28);
  parms.writeInt32LE(action.STOLEN, 8);
  parms.writeInt32LE(mirred.EGRESS_REDIRECT, 20);
  parms.writeUInt32LE(to, 24);
  const first = nested(1, text(action.KIND, 'mirred'), nested(action.OPTIONS, bytes(mirred.PARMS, parms)));
  return request(
    rtm.NEWTFILTER,
    flag.CREATE | flag.EXCL,
    header(ifindex, 0, parent.INGRESS, filterInfo),
    text(tca.KIND, 'u32'),
    nested(tca.OPTIONS, bytes(u32.SEL, selector), nested(u32.ACT, first)),
  );
}

/** All of our preference. */
export function deleteRedirect(ifindex: number): Request {
  return request(rtm.DELTFILTER, 0, header(ifindex, 0, parent.INGRESS, filterInfo));
}

/** Filters of incoming or outgoing packets of one device. */
export function dumpFilters(ifindex: number, direction: 'ingress' | 'egress'): Request {
  return request(rtm.GETTFILTER, 0, header(ifindex, 0, parent.INGRESS + (direction === 'ingress' ? 0 : 1)));
}

export type FilterState = {
  /** Ours, as far as its preference says. */
  readonly own: boolean;
  /** Index of the device that it leads to; undefined: it does something else (u32 has entries for its tables, too). */
  readonly redirect: number | undefined;
};

export function readFilter({ payload }: Message): FilterState {
  const attributes = readAttributes(payload, 20);
  const options = readAttributes(attributes.get(tca.OPTIONS) ?? Buffer.alloc(0));
  const first = readAttributes(options.get(u32.ACT) ?? Buffer.alloc(0)).get(1);
  const act = readAttributes(first ?? Buffer.alloc(0));
  const parms =
    readText(act, action.KIND) === 'mirred'
      ? readAttributes(act.get(action.OPTIONS) ?? Buffer.alloc(0)).get(mirred.PARMS)
      : undefined;
  return {
    own: payload.readUInt32LE(16) >>> 16 === qdiscs.redirectPriority.value,
    redirect: parms === undefined ? undefined : parms.readUInt32LE(24),
  };
}
