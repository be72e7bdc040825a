/** What all that look through connection tracking share (linux/netfilter/nfnetlink_conntrack.h): messages' heads, and how it is looked through. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { addrBytes, parseAddr } from '#net/addr.ts';
import { errnos } from './libc.ts';
import { aligned, type Request, request } from './netlink-codec.ts';
import type { RouteSocket } from './rtnetlink.ts';

export const conntrack = {
  new: 1 << 8,
  get: (1 << 8) | 1,
  delete: (1 << 8) | 2,
  getStats: (1 << 8) | 5,
} as const;
/** Of `header`, before a message's attributes. */
export const headerLength = 4;
/** Of an attribute's type, without its flags. */
export const typeMask = 0x3fff;
export const familyNumbers = { 4: 2, 6: 10 } as const;

/** A filtered look walks the whole table as an unfiltered one does, some 10 ms where it is empty: as long as it takes to read so many entries. */
const entriesOfLook = 4_000;
const statsAttribute = { entries: 1 } as const;
/** Milliseconds of reading after which the event loop gets a turn. */
const sliceMs = 2;
/** Changes between two turns: some 3 ms. */
const changesAtOnce = 256;

/** Reads what a query dumps, in slices, then does what `change` asks for of each entry. Returns how many that were. */
export async function lookThrough(
  socket: RouteSocket,
  query: Request,
  change: (payload: Buffer) => Request | undefined,
): Promise<number> {
  let began = performance.now();
  const changes = await socket.dumpPaced(
    query,
    ({ payload }) => change(payload),
    () => {
      if (performance.now() - began < sliceMs) return undefined;
      return nextTurn().then(() => {
        began = performance.now();
      });
    },
  );
  for (let from = 0; from < changes.length; from += changesAtOnce) {
    for (const { error } of socket.request(changes.slice(from, from + changesAtOnce))) {
      // A flow may end at any moment.
      if (error !== undefined && error.errno !== errnos.ENOENT) throw error;
    }
    await nextTurn();
  }
  return changes.length;
}

/** Whether so many filtered looks take longer than one at everything. */
export function isOneLookCheaper(socket: RouteSocket, looks: number): boolean {
  return looks > 1 && entries(socket) <= entriesOfLook * (looks - 1);
}

/** Of the whole table. */
function entries(socket: RouteSocket): number {
  const [reply] = socket.one(request(conntrack.getStats, 0, header(0)));
  const payload = reply?.payload;
  for (let at = headerLength; payload !== undefined && at + 8 <= payload.length; ) {
    if ((payload.readUInt16LE(at + 2) & typeMask) === statsAttribute.entries)
      return payload.readUInt32BE(at + 4);
    at += aligned(Math.max(payload.readUInt16LE(at), 4));
  }
  return Number.POSITIVE_INFINITY;
}

export function header(family: number): Buffer {
  return Buffer.from([family, 0, 0, 0]);
}

/** The key of an address among flows: its bytes as a latin1 string. Throws TypeError when it is none. */
export function flowAddress(text: string): string {
  const addr = parseAddr(text);
  if (addr === undefined) throw new TypeError(`not an IP address: ${text}`);
  return Buffer.from(addrBytes(addr)).toString('latin1');
}
