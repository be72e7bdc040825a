/** Proxy neighbours and routing rules as rtnetlink messages (linux/neighbour.h, linux/fib_rules.h). */
import { addrBytes } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { linux } from '#system/libc.ts';
import {
  bytes,
  flag,
  type Message,
  type Request,
  readAttributes,
  readU8,
  readU32,
  request,
  u8,
  u32,
} from '#system/netlink-codec.ts';
import { routes } from '#system/registry.ts';
import { rtm } from './link-messages.ts';
import { addressText, linuxFamily, mustAddr } from './wire.ts';

const nda = { DST: 1, PROTOCOL: 12 } as const;
const ntfProxy = 0x08;
const fra = { SRC: 2, PRIORITY: 6, SUPPRESS_PREFIXLEN: 14, TABLE: 15, PROTOCOL: 21 } as const;
const toTable = 1;

/** The device answers for `address`, which is another host's. */
export type ProxyState = {
  readonly ifindex: number;
  readonly address: string;
  /** Whose it is, as with routes. */
  readonly protocol: number;
};

function proxyRequest(type: number, flags: number, { ifindex, address, protocol }: ProxyState): Request {
  const addr = mustAddr(address);
  const header = Buffer.alloc(12);
  header[0] = linuxFamily(addr);
  header.writeInt32LE(ifindex, 4);
  header[10] = ntfProxy;
  const owner = type === rtm.NEWNEIGH ? [u8(nda.PROTOCOL, protocol)] : [];
  return request(type, flags, header, bytes(nda.DST, addrBytes(addr)), ...owner);
}

export function putProxy(proxy: ProxyState): Request {
  return proxyRequest(rtm.NEWNEIGH, flag.CREATE | flag.REPLACE, proxy);
}

export function deleteProxy(proxy: ProxyState): Request {
  return proxyRequest(rtm.DELNEIGH, 0, proxy);
}

export const dumpProxies: Request = (() => {
  const header = Buffer.alloc(12);
  header[10] = ntfProxy;
  return request(rtm.GETNEIGH, 0, header);
})();

/** Of any owner; undefined for what is no proxy. */
export function readProxy(message: Message): ProxyState | undefined {
  const { payload } = message;
  const attributes = readAttributes(payload, 12);
  const address = addressText(attributes.get(nda.DST));
  if (address === undefined || (payload[10]! & ntfProxy) === 0) return undefined;
  return { ifindex: payload.readInt32LE(4), address, protocol: readU8(attributes, nda.PROTOCOL) ?? 0 };
}

/** Packets from `source` are looked up in `table`. */
export type RuleState = {
  readonly priority: number;
  /** A prefix. */
  readonly source: string;
  readonly table: number;
  /** A default route found there doesn't count. */
  readonly suppressDefault?: true;
};

function ruleRequest(type: number, flags: number, rule: RuleState): Request {
  const prefix = parsePrefix(rule.source);
  if (prefix === undefined) throw new TypeError(`not a prefix: ${rule.source}`);
  const header = Buffer.alloc(12);
  header.set([linuxFamily(prefix), 0, prefix.length, 0, rule.table < 256 ? rule.table : 0, 0, 0, toTable]);
  return request(
    type,
    flags,
    header,
    bytes(fra.SRC, addrBytes(prefix)),
    u32(fra.PRIORITY, rule.priority),
    u32(fra.TABLE, rule.table),
    u8(fra.PROTOCOL, routes.protocol.value),
    ...(rule.suppressDefault === true ? [u32(fra.SUPPRESS_PREFIXLEN, 0)] : []),
  );
}

/** Fails with EEXIST when the same rule is there. */
export function addRule(rule: RuleState): Request {
  return ruleRequest(rtm.NEWRULE, flag.CREATE | flag.EXCL, rule);
}

export function deleteRule(rule: RuleState): Request {
  return ruleRequest(rtm.DELRULE, 0, rule);
}

export function dumpRules(family: 4 | 6): Request {
  const header = Buffer.alloc(12);
  header[0] = family === 4 ? linux.AF_INET : linux.AF_INET6;
  return request(rtm.GETRULE, 0, header);
}

/** Ours by protocol; undefined for any other. */
export function readOwnRule(message: Message): RuleState | undefined {
  const { payload } = message;
  const attributes = readAttributes(payload, 12);
  const source = addressText(attributes.get(fra.SRC));
  if (source === undefined || readU8(attributes, fra.PROTOCOL) !== routes.protocol.value) return undefined;
  return {
    priority: readU32(attributes, fra.PRIORITY) ?? 0,
    source: `${source}/${payload[2]}`,
    table: readU32(attributes, fra.TABLE) ?? payload[4]!,
    // The kernel says -1 where there is none.
    ...(readU32(attributes, fra.SUPPRESS_PREFIXLEN) === 0 ? { suppressDefault: true as const } : {}),
  };
}
