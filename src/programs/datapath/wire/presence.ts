/** Makes the wire know which addresses are at this node, and notices who else claims one. */
import type { WirePlace } from '#engines/netlink/driver.ts';
import {
  arpReply,
  arpRequest,
  etherTypes,
  type NeighbourMessage,
  neighbourAdvertisement,
  readNeighbourMessage,
} from '#net/neighbour.ts';
import { SystemError } from '#system/libc.ts';
import { openPacketSocket, type PacketSocket } from '#system/packet-socket.ts';
import type { Log } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import { icmpv6Filter, type PlaceOf, sendOrMiss } from './ask.ts';

export type Presence = {
  /** These addresses are a pod's from now on; known ones are looked after and not announced. */
  keep(key: string, addresses: readonly string[]): void;
  /** Tells every host on the wire that the addresses are here: now and once more, since nobody acknowledges it. */
  announce(key: string): void;
  forget(key: string): void;
  /** Addresses that somebody else on the wire claimed within the last minutes, and their MACs. */
  rivals(): ReadonlyMap<string, string>;
  close(): void;
};

/** RFC 5227 §1.1: ANNOUNCE_INTERVAL, and DEFEND_INTERVAL between two defences of one address. */
const announceAgainMs = 2_000;
const defendEveryMs = 10_000;
/** Between two looks: hosts wait a second at least for an answer to their probe. */
const lookMs = 50;
/** How long after its last claim a rival is told. */
const rivalMs = 5 * 60_000;
/** Devices and MACs may be other ones by then (a bond that failed over). */
const placesEveryMs = 10_000;

type Watch = { readonly place: WirePlace; readonly sockets: readonly PacketSocket[] };

/**
 * The kernel answers for pods also while this process is away; here is what it does not do: announcements, the answers to RFC 5227
 * probes (whose sender has no address, and for which Linux has no proxy), and the defence of addresses.
 */
export function createPresence(placeOf: PlaceOf, log: Log): Presence {
  const byKey = new Map<string, readonly string[]>();
  const addresses = new Map<string, string>();
  const claims = new Map<string, { mac: string; at: number; defended: number }>();
  let watches: Watch[] = [];
  let timer: NodeJS.Timeout | undefined;
  let placed = 0;
  const line = createThinned(defendEveryMs);
  const failing = createThinned(defendEveryMs);
  const repeats = new Set<NodeJS.Timeout>();

  /** Nothing here is worth a pod, let alone the process: what the kernel refuses now is tried again with the next look. */
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      failing.happened((times) =>
        log.warn('the physical network can not be spoken to as it should', { error, times }),
      );
    }
  };

  const say = (list: readonly string[]): void => {
    for (const address of list) {
      const place = placeOf(address);
      if (place === undefined || !addresses.has(address)) continue;
      const socket = openSender(place);
      for (const frame of announcements(place.mac, address)) sendOrMiss(socket, frame);
      socket?.close();
    }
  };
  const sayTwice = (list: readonly string[]): void => {
    attempt(() => say(list));
    const repeat = setTimeout(() => {
      repeats.delete(repeat);
      attempt(() => say(list));
    }, announceAgainMs);
    repeat.unref();
    repeats.add(repeat);
  };

  /** Opens sockets on the devices that the addresses are on; a device with another MAC than before is announced anew. */
  const place = (): void => {
    placed = performance.now();
    const wanted = new Map<number, WirePlace>();
    const moved: string[] = [];
    for (const address of addresses.keys()) {
      const at = placeOf(address);
      if (at === undefined) continue;
      wanted.set(at.ifindex, at);
      const before = watches.find((watch) => watch.place.device === at.device)?.place;
      if (before !== undefined && (before.mac !== at.mac || before.ifindex !== at.ifindex))
        moved.push(address);
    }
    const kept = watches.filter(({ place: { ifindex, mac } }) => wanted.get(ifindex)?.mac === mac);
    for (const watch of watches)
      if (!kept.includes(watch)) for (const socket of watch.sockets) socket.close();
    for (const watch of kept) wanted.delete(watch.place.ifindex);
    watches = [...kept, ...[...wanted.values()].flatMap(openWatch)];
    if (moved.length > 0) sayTwice(moved);
  };

  const isWatched = (at: WirePlace | undefined): boolean =>
    at === undefined ||
    watches.some(({ place: { ifindex, mac } }) => ifindex === at.ifindex && mac === at.mac);

  const hear = (said: NeighbourMessage, { place: { mac } }: Watch, socket: PacketSocket): void => {
    if (said.mac === mac || !addresses.has(said.target)) return;
    if (said.kind === 'question') {
      if (said.sender === '0.0.0.0') sendOrMiss(socket, arpReply(mac, said.target));
      return;
    }
    const now = performance.now();
    const claim = claims.get(said.target) ?? { mac: said.mac, at: now, defended: Number.NEGATIVE_INFINITY };
    claims.set(said.target, { ...claim, mac: said.mac, at: now });
    line.happened((times) =>
      log.error("another host claims a pod's address", { address: said.target, mac: said.mac, times }),
    );
    if (now - claim.defended < defendEveryMs) return;
    claims.set(said.target, { mac: said.mac, at: now, defended: now });
    say([said.target]);
  };

  const look = (): void => {
    if (performance.now() - placed > placesEveryMs) place();
    for (const watch of watches) {
      for (const socket of watch.sockets) {
        for (const frame of socket.receive()) {
          const said = readNeighbourMessage(frame);
          if (said !== undefined) hear(said, watch, socket);
        }
      }
    }
  };

  const settle = (): void => {
    if (addresses.size > 0 && timer === undefined) {
      timer = setInterval(() => attempt(look), lookMs);
      timer.unref();
    } else if (addresses.size === 0) {
      clearInterval(timer);
      timer = undefined;
      attempt(place);
    }
  };

  return {
    keep(key, list) {
      byKey.set(key, list);
      for (const address of list) addresses.set(address, key);
      attempt(() => {
        if (!list.every((address) => isWatched(placeOf(address)))) place();
      });
      settle();
    },
    announce: (key) => sayTwice(byKey.get(key) ?? []),
    forget(key) {
      const list = byKey.get(key);
      if (list === undefined) return;
      byKey.delete(key);
      for (const address of list) {
        if (addresses.get(address) !== key) continue;
        addresses.delete(address);
        claims.delete(address);
      }
      settle();
    },
    rivals() {
      const now = performance.now();
      return new Map(
        [...claims].filter(([, { at }]) => now - at < rivalMs).map(([address, { mac }]) => [address, mac]),
      );
    },
    close() {
      clearInterval(timer);
      for (const repeat of repeats) clearTimeout(repeat);
      for (const { sockets } of watches) for (const socket of sockets) socket.close();
    },
  };
}

/** Both forms for IPv4: some hosts heed only requests, some only replies. */
function announcements(mac: string, address: string): Buffer[] {
  if (address.includes(':')) return [neighbourAdvertisement(mac, address)];
  return [arpRequest(mac, address, address), arpReply(mac, address)];
}

function openSender({ ifindex }: WirePlace): PacketSocket | undefined {
  try {
    return openPacketSocket({ ifindex });
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

/** A device that vanished meanwhile is watched again once it is back. */
function openWatch(place: WirePlace): Watch[] {
  const { ifindex } = place;
  try {
    const arp = openPacketSocket({ ifindex, etherType: etherTypes.arp });
    const filter = icmpv6Filter([136]);
    return [{ place, sockets: [arp, openPacketSocket({ ifindex, etherType: etherTypes.ipv6, filter })] }];
  } catch (error) {
    if (error instanceof SystemError) return [];
    throw error;
  }
}
