/** Connection tracking by netlink (linux/netfilter/nfnetlink_conntrack.h): entries looked through in slices, and bits of their marks. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { addrBytes, parseAddr } from '#net/addr.ts';
import { conntrack, familyNumbers, flowAddress, header, isOneLookCheaper, lookThrough } from './conntrack.ts';
import {
  attribute,
  copiedTuple,
  filterAttribute,
  ipAttribute,
  readEnd,
  readEntry,
  tupleAttribute,
} from './conntrack-entry.ts';
import { linux } from './libc.ts';
import { bytes, nested, type Request, request, u32, u32be } from './netlink-codec.ts';
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

/** `tupleAt`: the original tuple, by which the kernel finds the entry. */
function markRequest(payload: Buffer, tupleAt: number, bits: MarkBits, set: boolean): Request {
  return request(
    conntrack.new,
    0,
    header(payload[0]!),
    copiedTuple(payload, tupleAt),
    u32be(attribute.mark, set ? bits : 0),
    u32be(attribute.markMask, bits),
  );
}

function readFlow(payload: Buffer): Entry | undefined {
  const entry = readEntry(payload);
  if (entry === undefined) return undefined;
  const source = readEnd(payload, entry.orig, 'source');
  const target = readEnd(payload, entry.reply, 'source');
  if (source.address === '' || target.address === '') return undefined;
  const { protocol, port: targetPort } = target;
  return {
    flow: { protocol, source: source.address, target: target.address, targetPort },
    mark: entry.mark,
    tupleAt: entry.orig,
  };
}
