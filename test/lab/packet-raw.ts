/** One packet of a protocol without ports of the kernel's, and its answer: raw sockets (raw(7)). */
import { closeSync } from 'node:fs';
import { addrBytes, parseAddr } from '#net/addr.ts';
import { bind, connect, linux, receive, send } from '#system/libc.ts';
import { socketIn } from '#system/namespace.ts';
import type { ProbeAnswer } from './packets.ts';

export type Exchange = {
  readonly target: string;
  readonly source?: string;
  /** IP protocol number. */
  readonly protocol: number;
  readonly packet: Uint8Array;
  /** What a packet that came, without its IP header, says; undefined: it is somebody else's. */
  readonly answer: (packet: Buffer) => ProbeAnswer['outcome'] | undefined;
  readonly timeoutMs: number;
};

const lookEach = 5;
const mostBytes = 2048;

/** Needs CAP_NET_RAW. */
export function exchange(namespace: string | undefined, order: Exchange): Promise<ProbeAnswer> {
  const six = order.target.includes(':');
  const type = linux.SOCK_RAW | linux.SOCK_NONBLOCK;
  const fd = socketIn(namespace, six ? linux.AF_INET6 : linux.AF_INET, type, order.protocol);
  const deadline = performance.now() + order.timeoutMs;
  const scratch = Buffer.alloc(mostBytes);
  return new Promise((resolve) => {
    const end = (outcome: ProbeAnswer['outcome']): void => {
      closeSync(fd);
      resolve({ outcome });
    };
    const look = (): void => {
      for (let length = received(fd, scratch); length !== undefined; length = received(fd, scratch)) {
        // An ICMP error that came for this socket.
        const header = six ? 0 : 4 * ((scratch[0] ?? 0) & 15);
        const found =
          length === 'error' ? 'refused' : order.answer(Buffer.from(scratch.subarray(header, length)));
        if (found !== undefined) {
          end(found);
          return;
        }
      }
      if (performance.now() > deadline) end('dropped');
      else setTimeout(look, lookEach);
    };
    try {
      if (order.source !== undefined) bind(fd, socketAddress(order.source));
      connect(fd, socketAddress(order.target));
      send(fd, order.packet);
      look();
    } catch {
      end('refused');
    }
  });
}

/** struct sockaddr_in or sockaddr_in6, of no port. */
export function socketAddress(text: string, port = 0): Buffer {
  const addr = parseAddr(text);
  if (addr === undefined) throw new TypeError(`no address: ${text}`);
  const six = addr.family === 6;
  const name = Buffer.alloc(six ? 28 : 16);
  name.writeUInt16LE(six ? linux.AF_INET6 : linux.AF_INET, 0);
  name.writeUInt16BE(port, 2);
  name.set(addrBytes(addr), six ? 8 : 4);
  return name;
}

function received(fd: number, scratch: Buffer): number | 'error' | undefined {
  try {
    return receive(fd, scratch);
  } catch {
    return 'error';
  }
}
