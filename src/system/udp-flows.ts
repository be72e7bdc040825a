/** UDP flows in connection tracking, by netlink (linux/netfilter/nfnetlink_conntrack.h): looked through in slices, and deleted. */
import { type Addr, addrBytes, type Family, parseAddr } from '#net/addr.ts';
import {
  conntrack,
  familyNumbers,
  flowAddress,
  header,
  headerLength,
  isOneLookCheaper,
  lookThrough,
} from './conntrack.ts';
import { linux } from './libc.ts';
import { bytes, nested, type Request, readAttributes, request, u8, u16be, u32 } from './netlink-codec.ts';
import { openNetlinkSocket } from './rtnetlink.ts';

/** Addresses are their bytes as a latin1 string (`flowAddress`): to look them up costs no text. */
export type UdpFlow = {
  /** Where it was sent to, before any translation. */
  readonly destination: string;
  readonly destinationPort: number;
  /** Who answers. */
  readonly target: string;
  readonly targetPort: number;
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

const attribute = { tupleOrig: 1, tupleReply: 2, id: 12, zone: 18, filter: 25 } as const;
const tupleAttribute = { ip: 1, proto: 2 } as const;
const ipAttribute = { v4Source: 1, v4Destination: 2, v6Source: 3, v6Destination: 4 } as const;
const protoAttribute = { number: 1, sourcePort: 2, destinationPort: 3 } as const;
const filterAttribute = { origFlags: 1, replyFlags: 2 } as const;
/** What of a tuple a filter compares. */
const compared = { destination: 1 << 1, protocol: 1 << 3, destinationPort: 1 << 5 } as const;
const udp = 17;

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

/** The request that deletes an entry, and no other one that came in its place; undefined: it stays. The payload lives no longer than its reading. */
function deletion(payload: Buffer, isStale: (flow: UdpFlow) => boolean): Request | undefined {
  const found = readAttributes(payload, headerLength);
  const orig = found.get(attribute.tupleOrig);
  const reply = found.get(attribute.tupleReply);
  // Another zone's connections are another network's.
  if (orig === undefined || reply === undefined || (found.get(attribute.zone)?.readUInt16BE(0) ?? 0) !== 0)
    return undefined;
  const to = endOf(orig, 'destination');
  const by = endOf(reply, 'source');
  if (to === undefined || by === undefined) return undefined;
  const flow = {
    destination: to.address,
    destinationPort: to.port,
    target: by.address,
    targetPort: by.port,
  };
  if (!isStale(flow)) return undefined;
  const id = found.get(attribute.id);
  return request(
    conntrack.delete,
    0,
    header(payload[0]!),
    nested(attribute.tupleOrig, Buffer.from(orig)),
    ...(id === undefined ? [] : [bytes(attribute.id, Buffer.from(id))]),
  );
}

/** One end of a UDP tuple. */
function endOf(
  tuple: Buffer,
  end: 'source' | 'destination',
): { readonly address: string; readonly port: number } | undefined {
  const parts = readAttributes(tuple);
  const [ip, proto] = [parts.get(tupleAttribute.ip), parts.get(tupleAttribute.proto)];
  if (ip === undefined || proto === undefined) return undefined;
  const addresses = readAttributes(ip);
  const numbers = readAttributes(proto);
  const [four, six, port] =
    end === 'source'
      ? ([ipAttribute.v4Source, ipAttribute.v6Source, protoAttribute.sourcePort] as const)
      : ([ipAttribute.v4Destination, ipAttribute.v6Destination, protoAttribute.destinationPort] as const);
  const address = addresses.get(four) ?? addresses.get(six);
  const number = numbers.get(port);
  if (numbers.get(protoAttribute.number)?.[0] !== udp || address === undefined || number === undefined)
    return undefined;
  return { address: address.toString('latin1'), port: number.readUInt16BE(0) };
}
