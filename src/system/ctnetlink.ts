/** Connection tracking by netlink (linux/netfilter/nfnetlink_conntrack.h): entries looked through in slices, and bits of their marks. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { addrBytes, parseAddr } from '#net/addr.ts';
import {
  conntrack,
  familyNumbers,
  flowAddress,
  header,
  headerLength,
  isOneLookCheaper,
  lookThrough,
  typeMask,
} from './conntrack.ts';
import { linux } from './libc.ts';
import { aligned, bytes, nested, type Request, request, u32, u32be } from './netlink-codec.ts';
import { openNetlinkSocket } from './rtnetlink.ts';

/** An entry. Addresses are their bytes as a latin1 string: to look them up costs no text. */
export type TrackedFlow = {
  /** IANA number. */
  readonly protocol: number;
  /** Who opened it, before any source translation. */
  readonly source: string;
  /** Who answers, after translation of the destination. */
  readonly target: string;
  /** Of the target; 0 where the protocol has no ports. */
  readonly targetPort: number;
};

/** Which bits of a connection mark are meant. */
export type MarkBits = number;

export type TrackedFlows = {
  /**
   * Looks through the entries (of these addresses at either end; absent: all) and sets or clears `bits` in the mark of those of which
   * `wanted` says so. All other bits stay as they are. Returns how many were changed. One look at a time.
   */
  mark(
    bits: MarkBits,
    addresses: readonly string[] | undefined,
    wanted: (flow: TrackedFlow) => boolean | undefined,
  ): Promise<number>;
  close(): void;
};

const attribute = { tupleOrig: 1, tupleReply: 2, mark: 8, zone: 18, markMask: 21, filter: 25 } as const;
const tupleAttribute = { ip: 1, proto: 2 } as const;
const ipAttribute = { v4Source: 1, v6Source: 3 } as const;
const protoAttribute = { number: 1, sourcePort: 2 } as const;
const filterAttribute = { origFlags: 1, replyFlags: 2 } as const;
const ipSourceFlag = 1;
type Entry = { readonly flow: TrackedFlow; readonly mark: number; readonly tupleAt: number };

/** Its socket stays open between looks: closing one of netfilter's waits for work that the kernel has put off. */
export function openTrackedFlows(namespace?: string): TrackedFlows {
  const socket = openNetlinkSocket(linux.NETLINK_NETFILTER, namespace);

  const look = (
    query: Request,
    bits: MarkBits,
    wanted: (flow: TrackedFlow) => boolean | undefined,
  ): Promise<number> =>
    lookThrough(socket, query, (payload) => {
      const found = readFlow(payload);
      if (found === undefined) return undefined;
      const want = wanted(found.flow);
      if (want === undefined || want === ((found.mark & bits) === bits)) return undefined;
      return markRequest(payload, found.tupleAt, bits, want);
    });

  return {
    async mark(bits, addresses, wanted) {
      const filtered = queries(addresses);
      if (isOneLookCheaper(socket, filtered.length)) {
        const keys = new Set(addresses?.map(flowAddress));
        const isMeant = ({ source, target }: TrackedFlow) => keys.has(source) || keys.has(target);
        return look(everything, bits, (flow) => (isMeant(flow) ? wanted(flow) : undefined));
      }
      let changed = 0;
      for (const query of filtered) {
        changed += await look(query, bits, wanted);
        await nextTurn();
      }
      return changed;
    },
    close: () => socket.close(),
  };
}

const everything = request(conntrack.get, 0, Buffer.from([0, 0, 0, 0]));

/** All of both families, or for each address those that it opened and those that it answers: the kernel looks through all of them. */
function queries(addresses: readonly string[] | undefined): readonly Request[] {
  if (addresses === undefined) return [everything];
  return addresses.flatMap((address) => {
    const addr = parseAddr(address);
    if (addr === undefined) return [];
    const source = nested(
      tupleAttribute.ip,
      bytes(addr.family === 4 ? ipAttribute.v4Source : ipAttribute.v6Source, addrBytes(addr)),
    );
    const of = (tuple: number, orig: number, reply: number) =>
      request(
        conntrack.get,
        0,
        header(familyNumbers[addr.family]),
        nested(tuple, source),
        nested(
          attribute.filter,
          u32(filterAttribute.origFlags, orig),
          u32(filterAttribute.replyFlags, reply),
        ),
      );
    return [of(attribute.tupleOrig, ipSourceFlag, 0), of(attribute.tupleReply, 0, ipSourceFlag)];
  });
}

/** `tupleAt`: the original tuple, by which the kernel finds the entry; copied, since the payload lives no longer than its reading. */
function markRequest(payload: Buffer, tupleAt: number, bits: MarkBits, set: boolean): Request {
  const tuple = payload.subarray(tupleAt + 4, tupleAt + payload.readUInt16LE(tupleAt));
  return request(
    conntrack.new,
    0,
    header(payload[0]!),
    nested(attribute.tupleOrig, tuple),
    u32be(attribute.mark, set ? bits : 0),
    u32be(attribute.markMask, bits),
  );
}

/** Read by hand and without objects in between, since there may be hundreds of thousands. */
function readFlow(payload: Buffer): Entry | undefined {
  let orig = 0;
  let reply = 0;
  let mark = 0;
  for (let at = headerLength; at + 4 <= payload.length; at += aligned(payload.readUInt16LE(at))) {
    if (payload.readUInt16LE(at) < 4) return undefined;
    const type = payload.readUInt16LE(at + 2) & typeMask;
    if (type === attribute.tupleOrig) orig = at;
    else if (type === attribute.tupleReply) reply = at;
    else if (type === attribute.mark) mark = payload.readUInt32BE(at + 4);
    // Another zone's connections are another network's.
    else if (type === attribute.zone && payload.readUInt16BE(at + 4) !== 0) return undefined;
  }
  if (orig === 0 || reply === 0) return undefined;
  const source = readEnd(payload, orig);
  const target = readEnd(payload, reply);
  if (source.address === '' || target.address === '') return undefined;
  const { protocol, port: targetPort } = target;
  return {
    flow: { protocol, source: source.address, target: target.address, targetPort },
    mark,
    tupleAt: orig,
  };
}

/** The source of the tuple at an offset; without an address it is none. */
function readEnd(
  data: Buffer,
  tupleAt: number,
): { readonly address: string; readonly protocol: number; readonly port: number } {
  let address = '';
  let protocol = 0;
  let port = 0;
  const end = tupleAt + data.readUInt16LE(tupleAt);
  for (let at = tupleAt + 4; at + 4 <= end; at += aligned(data.readUInt16LE(at))) {
    const type = data.readUInt16LE(at + 2) & typeMask;
    const innerEnd = at + data.readUInt16LE(at);
    if (innerEnd < at + 4) break;
    for (let inner = at + 4; inner + 4 <= innerEnd; inner += aligned(data.readUInt16LE(inner))) {
      const length = data.readUInt16LE(inner);
      if (length < 4) break;
      const kind = data.readUInt16LE(inner + 2) & typeMask;
      if (type === tupleAttribute.ip && (kind === ipAttribute.v4Source || kind === ipAttribute.v6Source)) {
        address = data.toString('latin1', inner + 4, inner + length);
      } else if (type === tupleAttribute.proto && kind === protoAttribute.number) {
        protocol = data[inner + 4]!;
      } else if (type === tupleAttribute.proto && kind === protoAttribute.sourcePort) {
        port = data.readUInt16BE(inner + 4);
      }
    }
  }
  return { address, protocol, port };
}
