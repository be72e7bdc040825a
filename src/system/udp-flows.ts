/** UDP flows in connection tracking, by netlink (linux/netfilter/nfnetlink_conntrack.h): looked through in slices, and deleted. */
import { type Addr, addrBytes, type Family, parseAddr } from '#net/addr.ts';
import { conntrack, familyNumbers, flowAddress, header, isOneLookCheaper, lookThrough } from './conntrack.ts';
import {
  attribute,
  copiedId,
  copiedTuple,
  filterAttribute,
  ipAttribute,
  protoAttribute,
  readEnd,
  readEntry,
  tupleAttribute,
} from './conntrack-entry.ts';
import { linux } from './libc.ts';
import { bytes, nested, type Request, request, u8, u16be, u32 } from './netlink-codec.ts';
import { openNetlinkSocket } from './rtnetlink.ts';

/** Addresses are their bytes as a latin1 string (`flowAddress`): to look them up costs no text. */
export type UdpFlow = {
  /** Where it was sent to, before any translation. */
  readonly destination: string;
  readonly destinationPort: number;
  /** Who answers. */
  readonly target: string;
  readonly targetPort: number;
  /** `asked`: not answered yet; `stream`: both ends still send after two seconds, as the kernel tells. */
  readonly state: 'asked' | 'answered' | 'stream';
};

export type SentTo = { readonly address: string; readonly port: number };

export type UdpFlows = {
  /**
   * Looks through the flows (those to these addresses and ports; absent: all) and deletes those of which `isStale` says so. Returns how
   * many. The kernel walks its whole table, for each of `sentTo` or once a family, whichever is less; on a pool thread. One call at a time.
   */
  remove(sentTo: readonly SentTo[] | undefined, isStale: (flow: UdpFlow) => boolean): Promise<number>;
  close(): void;
};

/** What of a tuple a filter compares. */
const compared = { destination: 1 << 1, protocol: 1 << 3, destinationPort: 1 << 5 } as const;
const udp = 17;
/** linux/netfilter/nf_conntrack_common.h. */
const status = { seenReply: 1 << 1, assured: 1 << 2 } as const;

/** Its socket stays open between looks: closing one of netfilter's waits for work that the kernel has put off. */
export function openUdpFlows(namespace?: string): UdpFlows {
  const socket = openNetlinkSocket(linux.NETLINK_NETFILTER, namespace);
  return {
    async remove(sentTo, isStale) {
      const meant = sentTo && new Set(sentTo.map(({ address, port }) => `${flowAddress(address)} ${port}`));
      const isMeant = (flow: UdpFlow) =>
        (meant === undefined || meant.has(`${flow.destination} ${flow.destinationPort}`)) && isStale(flow);
      let removed = 0;
      for (const each of queries(sentTo, (looks) => isOneLookCheaper(socket, looks)))
        removed += await lookThrough(socket, each, (payload) => deletion(payload, isMeant));
      return removed;
    },
    close: () => socket.close(),
  };
}

/** The kernel takes a filter for one family only. */
function queries(
  sentTo: readonly SentTo[] | undefined,
  isOneCheaper: (looks: number) => boolean,
): readonly Request[] {
  if (sentTo === undefined) return [everythingOf(4), everythingOf(6)];
  const four: Request[] = [];
  const six: Request[] = [];
  for (const each of sentTo) {
    const addr = parseAddr(each.address);
    if (addr === undefined) throw new TypeError(`not an IP address: ${each.address}`);
    (addr.family === 4 ? four : six).push(flowsTo(addr, each.port));
  }
  return [
    ...(isOneCheaper(four.length) ? [everythingOf(4)] : four),
    ...(isOneCheaper(six.length) ? [everythingOf(6)] : six),
  ];
}

function everythingOf(family: Family): Request {
  return query(family, compared.protocol, nested(tupleAttribute.proto, u8(protoAttribute.number, udp)));
}

function flowsTo(addr: Addr, port: number): Request {
  const numbers = nested(
    tupleAttribute.proto,
    u8(protoAttribute.number, udp),
    u16be(protoAttribute.destinationPort, port),
  );
  const flags = compared.protocol | compared.destinationPort;
  // Linux, 6.18 too, takes an IPv6 address in a filter for one that is not wanted.
  if (addr.family === 6) return query(6, flags, numbers);
  const ip = nested(tupleAttribute.ip, bytes(ipAttribute.v4Destination, addrBytes(addr)));
  return query(4, flags | compared.destination, ip, numbers);
}

function query(family: Family, flags: number, ...tuple: readonly Buffer[]): Request {
  return request(
    conntrack.get,
    0,
    header(familyNumbers[family]),
    nested(attribute.tupleOrig, ...tuple),
    nested(attribute.filter, u32(filterAttribute.origFlags, flags), u32(filterAttribute.replyFlags, 0)),
  );
}

/** The request that deletes an entry, and no other one that came in its place; undefined: it stays. */
function deletion(payload: Buffer, isStale: (flow: UdpFlow) => boolean): Request | undefined {
  const entry = readEntry(payload);
  if (entry === undefined) return undefined;
  const to = readEnd(payload, entry.orig, 'destination');
  const by = readEnd(payload, entry.reply, 'source');
  if (to.protocol !== udp || to.address === '' || by.address === '') return undefined;
  const flow = {
    destination: to.address,
    destinationPort: to.port,
    target: by.address,
    targetPort: by.port,
    state: stateOf(entry.status),
  };
  if (!isStale(flow)) return undefined;
  return request(
    conntrack.delete,
    0,
    header(payload[0]!),
    copiedTuple(payload, entry.orig),
    ...copiedId(payload, entry.id),
  );
}

function stateOf(bits: number): UdpFlow['state'] {
  if ((bits & status.assured) !== 0) return 'stream';
  return (bits & status.seenReply) === 0 ? 'asked' : 'answered';
}
