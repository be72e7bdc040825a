/** Asks the wire who has an address. */
import type { WirePlace } from '#engines/netlink/driver.ts';
import { arpRequest, etherTypes, neighbourSolicitation, readNeighbourMessage } from '#net/neighbour.ts';
import { type FilterStep, SystemError } from '#system/libc.ts';
import { openPacketSocket, type PacketSocket } from '#system/packet-socket.ts';

/** Undefined: the address is on no wire of this node. */
export type PlaceOf = (address: string) => WirePlace | undefined;

export type AskOptions = {
  /** Questions for each address, each followed by as long a wait for answers. */
  readonly rounds: number;
  readonly waitMs: number;
};

/** Milliseconds between two looks for answers. */
const look = 5;

/** BPF: ICMPv6 without extension headers, of types from a list (RFC 4861 §4: 135 solicitation, 136 advertisement). */
export function icmpv6Filter(types: readonly number[]): readonly FilterStep[] {
  const tests = types.map((type, index): FilterStep => [0x15, types.length - 1 - index, 0, type]);
  // Jumps lead past the refusal that stands behind the last test.
  const shifted = tests.map(([code, yes, no, operand]): FilterStep => [code, yes + 1, no, operand]);
  return [[0x30, 0, 0, 20], [0x15, 0, types.length + 1, 58], [0x30, 0, 0, 54], ...shifted, refuse, accept];
}

const refuse: FilterStep = [0x06, 0, 0, 0];
const accept: FilterStep = [0x06, 0, 0, 0xffff];

/**
 * MACs of those that claim the addresses, by address: RFC 5227 probes and RFC 4862 duplicate address detection, and for IPv4 a plain
 * request as well, since Linux answers for pods (proxies) to askers with an address only. Other stations' own probes for an address
 * count as claims. Ends at the first claim of each address, or after `rounds` × `waitMs`. Addresses on no wire are left out.
 */
export async function whoHas(
  addresses: readonly string[],
  placeOf: PlaceOf,
  { rounds, waitMs }: AskOptions,
): Promise<ReadonlyMap<string, string>> {
  const sockets = new Map<string, PacketSocket>();
  const found = new Map<string, string>();
  const own = new Set<string>();
  const open = new Map<string, readonly Buffer[]>();
  try {
    for (const address of addresses) {
      const place = placeOf(address);
      if (place === undefined) continue;
      own.add(place.mac);
      const key = `${place.ifindex} ${address.includes(':')}`;
      const socket = sockets.get(key) ?? openAsker(place, address.includes(':'));
      sockets.set(key, socket);
      open.set(address, questions(address, place));
    }
    const take = (): void => {
      for (const socket of sockets.values()) {
        for (const frame of socket.receive()) {
          const said = readNeighbourMessage(frame);
          if (said === undefined || own.has(said.mac) || !open.has(said.target)) continue;
          const claims = said.kind === 'answer' || said.sender === '0.0.0.0' || said.sender === '::';
          if (claims) found.set(said.target, said.mac);
        }
      }
    };
    for (let round = 0; round < rounds && found.size < open.size; round++) {
      for (const [address, frames] of open) {
        if (found.has(address)) continue;
        const socket = sockets.get(`${placeOf(address)?.ifindex} ${address.includes(':')}`);
        for (const frame of frames) sendOrMiss(socket, frame);
      }
      const deadline = performance.now() + waitMs;
      // At least once: on a busy machine the time may be over before anybody looked, and answers lie in the queue.
      do {
        await new Promise((resolve) => setTimeout(resolve, look));
        take();
      } while (performance.now() < deadline && found.size < open.size);
    }
    return found;
  } finally {
    for (const socket of sockets.values()) socket.close();
  }
}

function openAsker({ ifindex }: WirePlace, six: boolean): PacketSocket {
  if (!six) return openPacketSocket({ ifindex, etherType: etherTypes.arp });
  return openPacketSocket({ ifindex, etherType: etherTypes.ipv6, filter: icmpv6Filter([135, 136]) });
}

function questions(address: string, { mac, own }: WirePlace): readonly Buffer[] {
  const none = address.includes(':') ? '::' : '0.0.0.0';
  const ask = address.includes(':') ? neighbourSolicitation : arpRequest;
  // A solicitation with the node's own address gets its answer also where multicast to all nodes is filtered.
  return [none, ...(own === undefined ? [] : [own])].map((sender) => ask(mac, sender, address));
}

/** A device that is down or gone hears no answer either. */
export function sendOrMiss(socket: PacketSocket | undefined, frame: Buffer): void {
  try {
    socket?.send(frame);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}
