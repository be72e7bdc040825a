/** Notices changes of a table of ours that an engine didn't make, from the kernel's own notifications (nfnetlink, nf_tables). */
import { closeSync } from 'node:fs';
import { basename } from 'node:path';
import { linux, receive, SystemError, send, setSocketOption } from '#system/libc.ts';
import { netlinkSocketIn } from '#system/namespace.ts';
import { flag, readAttributes, readMessages, readText, writeRequest } from '#system/netlink-codec.ts';
import { nft, paths } from '#system/registry.ts';

export type ForeignEvent = {
  /** Program and process ID as the kernel knows them, for example `nft[4711]`; a reason when it isn't known. */
  readonly by: string;
  /** The first events, for example `delete rule podSource`. */
  readonly events: readonly string[];
};

export type Monitor = {
  /** Everything that ever happened to nftables in this namespace since the start was told, as of now. */
  isCurrent(): boolean;
  close(): void;
};

/** linux/netfilter/nfnetlink.h, nf_tables.h. Every event but the generation names its table in attribute 1. */
const nfnetlink = { SOL_NETLINK: 270, ADD_MEMBERSHIP: 1, GROUP_NFTABLES: 7 } as const;
const subsystem = 10;
const newGeneration = 15;
const getGeneration = 16;
/** NFPROTO_INET, NFPROTO_NETDEV. */
const families = { inet: 1, netdev: 5 } as const;
const verbs: Readonly<Record<number, string>> = {
  0: 'add table',
  2: 'delete table',
  3: 'add chain',
  5: 'delete chain',
  6: 'add rule',
  8: 'delete rule',
  9: 'add set',
  11: 'delete set',
  12: 'add element',
  14: 'delete element',
  18: 'add object',
  20: 'delete object',
};
/** In which attribute the object's name stands: a chain's behind its handle, any other's behind its table's. */
const nameAttribute = (kind: number) => (kind === 3 || kind === 5 ? 3 : 2);

const ours = basename(paths.nftLink.value);
const keptEvents = 5;
/** Milliseconds: an empty look costs under 1 µs; libuv can't wait for a netlink socket. */
const interval = 50;
/** A load of 10,000 services is announced in one go, 100 bytes an element; the kernel takes this only while it waits. */
const receiveBuffer = 64 * 1024 * 1024;

/**
 * Each transaction ends with a generation that carries the name of the program: ours runs under its own (session.ts), so any other
 * name behind an event in our table is a foreign change. What the packet path learns makes no event. Lost events count as a
 * foreign change: whoever listens reads the table and knows. `family`: of the table. `nft monitor` would say the same, but grows by 50 KB a change.
 */
export function openMonitor(
  namespace: string | undefined,
  onForeign: (event: ForeignEvent) => void,
  family: keyof typeof families = 'inet',
): Monitor {
  const table = Buffer.from(`${nft.table.value}\0`);
  const number = families[family];
  const fd = openListening(namespace);
  // Answers must not wait behind notifications.
  const asking = netlinkSocketIn(namespace, linux.NETLINK_NETFILTER);
  const buffer = Buffer.allocUnsafeSlow(64 * 1024);
  let events: string[] = [];
  let touched = false;
  let seen = generation(asking);

  function message(kind: number, payload: Buffer): void {
    if (kind === newGeneration) {
      const attributes = readAttributes(payload, 4);
      seen = attributes.get(1)?.readUInt32BE();
      const name = readText(attributes, 3) ?? '';
      const pid = attributes.get(2)?.readUInt32BE() ?? 0;
      const said = events;
      const foreign = touched && name !== ours;
      events = [];
      touched = false;
      if (foreign) onForeign({ by: `${name}[${pid}]`, events: said });
      return;
    }
    if (payload[0] !== number || payload.compare(table, 0, table.length, 8, 8 + table.length) !== 0) return;
    touched = true;
    const verb = verbs[kind];
    if (verb === undefined || events.length >= keptEvents) return;
    const object = readText(readAttributes(payload, 4), nameAttribute(kind));
    const text = object === undefined || kind <= 2 ? verb : `${verb} ${object}`;
    if (!events.includes(text)) events.push(text);
  }

  function poll(): void {
    try {
      for (let length = receive(fd, buffer); length !== undefined; length = receive(fd, buffer)) {
        for (let at = 0; at + 20 <= length; ) {
          const size = buffer.readUInt32LE(at);
          if (size < 20 || at + size > length) break;
          const type = buffer.readUInt16LE(at + 4);
          if (type >> 8 === subsystem) message(type & 255, buffer.subarray(at + 16, at + size));
          at += (size + 3) & ~3;
        }
      }
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'ENOBUFS') throw error;
      events = [];
      touched = false;
      onForeign({ by: 'unknown: notifications were lost', events: [] });
    }
  }

  const timer = setInterval(poll, interval);
  timer.unref();
  return {
    isCurrent() {
      poll();
      return seen !== undefined && seen === generation(asking);
    },
    close() {
      clearInterval(timer);
      closeSync(fd);
      closeSync(asking);
    },
  };
}

/** The number of the last transaction, of whomever; undefined where the kernel doesn't say. */
function generation(fd: number): number | undefined {
  const message = Buffer.alloc(20);
  writeRequest(
    message,
    0,
    { type: (subsystem << 8) | getGeneration, flags: flag.REQUEST, payload: Buffer.alloc(4) },
    1,
  );
  send(fd, message);
  const answer = Buffer.alloc(1024);
  const length = receive(fd, answer);
  const [first] = length === undefined ? [] : readMessages(answer.subarray(0, length));
  if (first === undefined || (first.type & 255) !== newGeneration) return undefined;
  return readAttributes(first.payload, 4).get(1)?.readUInt32BE();
}

function openListening(namespace: string | undefined): number {
  const fd = netlinkSocketIn(namespace, linux.NETLINK_NETFILTER);
  try {
    setSocketOption(fd, linux.SOL_SOCKET, linux.SO_RCVBUFFORCE, receiveBuffer);
    setSocketOption(fd, nfnetlink.SOL_NETLINK, nfnetlink.ADD_MEMBERSHIP, nfnetlink.GROUP_NFTABLES);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
