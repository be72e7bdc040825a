/** The kernel as this engine sees it: a table, interfaces, and frames; here the real one, in fake.ts a model. */
import { closeSync } from 'node:fs';
import { addrBytes, parseAddr } from '#net/addr.ts';
import { arpReply, arpRequest, neighbourAdvertisement, solicitedNode } from '#net/neighbour.ts';
import { linux, SystemError, setSocketBytes } from '#system/libc.ts';
import { socketIn } from '#system/namespace.ts';
import { openPacketSocket } from '#system/packet-socket.ts';
import { group, openMonitor as openRouteMonitor, openRouteSocket } from '#system/rtnetlink.ts';
import { dumpLinks } from '../netlink/link-messages.ts';
import { openNftCommands } from '../nftables/commands.ts';
import { type ForeignEvent, openMonitor } from '../nftables/monitor.ts';
import { type L2Link, readL2Link } from './links.ts';
import { type Listing, readListing } from './listing.ts';
import { type Operation, printOperation, tableName } from './objects.ts';

/** An address, and the interface on which something is said of it. */
export type Saying = { readonly address: string; readonly ifindex: number; readonly mac: string };

export type Watch = { isCurrent(): boolean; close(): void };

export type Kernel = {
  links(): readonly L2Link[];
  /** Undefined: there is no table of ours. */
  read(): Promise<Listing | undefined>;
  /** All operations or none. Throws NftError. */
  commit(operations: readonly Operation[]): Promise<void>;
  /** Tells everybody on the interfaces that the addresses are here. What can't be said now is lost. */
  say(sayings: readonly Saying[]): void;
  /** From now on questions for exactly these reach this node: an IPv6 question goes to a multicast group only (RFC 4291 §2.7.1). */
  listen(sayings: readonly Pick<Saying, 'address' | 'ifindex'>[]): void;
  watch(on: { readonly links: () => void; readonly foreign: (event: ForeignEvent) => void }): Watch;
  close(): Promise<void>;
};

/** `command`: what stands before `nft` to reach its namespaces. */
export function openKernel(namespace: string | undefined, command: readonly string[]): Kernel {
  const nft = openNftCommands(command);
  const route = openRouteSocket(namespace);
  const groups = createGroups(namespace);
  return {
    links: () => route.dump(dumpLinks, readL2Link),
    async read() {
      const lines: string[] = [];
      const isThere = await nft.list(
        ['-j', 'list', 'table', ...tableName.split(' ')],
        (line) => void lines.push(line),
      );
      return isThere ? readListing(lines.join('\n')) : undefined;
    },
    commit: (operations) => nft.commit(operations.flatMap(printOperation)),
    say: (sayings) => say(namespace, sayings),
    listen: (sayings) => groups.set(sayings),
    watch({ links, foreign }) {
      const linkMonitor = openRouteMonitor({
        namespace,
        groups: [group.LINK],
        onMessages: links,
        onLost: links,
      });
      const tableMonitor = openMonitor(namespace, foreign, 'netdev');
      return {
        isCurrent: () => tableMonitor.isCurrent(),
        close() {
          linkMonitor.close();
          tableMonitor.close();
        },
      };
    },
    async close() {
      groups.set([]);
      route.close();
      await nft.close();
    },
  };
}

function say(namespace: string | undefined, sayings: readonly Saying[]): void {
  for (const [ifindex, list] of Map.groupBy(sayings, (each) => each.ifindex)) {
    try {
      const socket = openPacketSocket({ namespace, ifindex });
      try {
        for (const { mac, address } of list) for (const frame of framesOf(mac, address)) socket.send(frame);
      } finally {
        socket.close();
      }
    } catch (error) {
      // A device that is down or gone says nothing; it is told of when it is up.
      if (!(error instanceof SystemError)) throw error;
    }
  }
}

/** Both forms for IPv4: some hosts heed only requests, some only replies. */
function framesOf(mac: string, address: string): readonly Buffer[] {
  if (address.includes(':')) return [neighbourAdvertisement(mac, address)];
  return [arpRequest(mac, address, address), arpReply(mac, address)];
}

const ipv6Option = { JOIN_GROUP: 20, LEAVE_GROUP: 21 } as const;
/** The kernel bounds what a socket may remember (net.core.optmem_max). */
const groupsPerSocket = 200;

/** Memberships in the groups to which solicitations go: network cards and switches drop what nobody is a member of. */
function createGroups(namespace: string | undefined) {
  const joined = new Map<string, { readonly fd: number; readonly request: Buffer }>();
  const members = new Map<number, number>();

  const roomySocket = (): number => {
    for (const [fd, count] of members) if (count < groupsPerSocket) return fd;
    const fd = socketIn(namespace, linux.AF_INET6, linux.SOCK_DGRAM, 0);
    members.set(fd, 0);
    return fd;
  };
  const join = (key: string, request: Buffer): void => {
    const fd = roomySocket();
    if (!attempt(() => setSocketBytes(fd, linux.IPPROTO_IPV6, ipv6Option.JOIN_GROUP, request))) return;
    members.set(fd, members.get(fd)! + 1);
    joined.set(key, { fd, request });
  };
  const leave = (key: string): void => {
    const { fd, request } = joined.get(key)!;
    joined.delete(key);
    attempt(() => setSocketBytes(fd, linux.IPPROTO_IPV6, ipv6Option.LEAVE_GROUP, request));
    members.set(fd, members.get(fd)! - 1);
    if (members.get(fd) !== 0) return;
    members.delete(fd);
    closeSync(fd);
  };

  return {
    set(sayings: readonly Pick<Saying, 'address' | 'ifindex'>[]): void {
      const wanted = new Map<string, Buffer>();
      for (const { address, ifindex } of sayings) {
        if (!address.includes(':')) continue;
        const multicast = solicitedNode(address);
        wanted.set(`${ifindex} ${multicast}`, membership(multicast, ifindex));
      }
      for (const key of joined.keys()) if (!wanted.has(key)) leave(key);
      for (const [key, request] of wanted) if (!joined.has(key)) join(key, request);
    },
  };
}

/** struct ipv6_mreq. */
function membership(multicast: string, ifindex: number): Buffer {
  const request = Buffer.alloc(20);
  request.set(addrBytes(parseAddr(multicast)!));
  request.writeInt32LE(ifindex, 16);
  return request;
}

/** Without IPv6, or without the device, there is nothing to be a member of. */
function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}
