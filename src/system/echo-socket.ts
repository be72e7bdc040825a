/** ICMP and ICMPv6 echo (RFC 792, RFC 4443 §4) by raw sockets: many hosts by one socket, and only our own answers are taken in. */
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { internetChecksum } from '#net/neighbour.ts';
import {
  attachFilter,
  type FilterStep,
  linux,
  receive,
  SystemError,
  sendTo,
  setSocketOption,
} from './libc.ts';
import { socketAddress, socketIn } from './namespace.ts';

export type EchoSocket = {
  /** False where the kernel knows no way there now. `number`: 32 bits. */
  send(to: string, number: number): boolean;
  /** Numbers of what was answered since the last call; nothing wakes who waits for them. */
  receive(): number[];
  close(): void;
};

const types = {
  4: { protocol: 1, request: 8, reply: 0 },
  6: { protocol: 58, request: 128, reply: 129 },
} as const;
/** Header, token, number. */
const messageBytes = 8 + 8 + 4;
/** Requests to hosts that don't answer ARP wait in the kernel on our account: they must not keep others from being sent. */
const sendBufferBytes = 4 * 1024 * 1024;

/** Needs CAP_NET_RAW. */
export function openEchoSocket(family: 4 | 6, namespace?: string): EchoSocket {
  const { protocol, request, reply } = types[family];
  const domain = family === 4 ? linux.AF_INET : linux.AF_INET6;
  const fd = socketIn(namespace, domain, linux.SOCK_RAW | linux.SOCK_NONBLOCK, protocol);
  const id = randomBytes(2).readUInt16BE();
  const token = randomBytes(8);
  try {
    attachFilter(fd, onlyReplies(family, reply, id));
    setSocketOption(fd, linux.SOL_SOCKET, linux.SO_SNDBUFFORCE, sendBufferBytes);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const scratch = Buffer.allocUnsafe(512);
  let closed = false;
  return {
    send(to, number) {
      const message = Buffer.alloc(messageBytes);
      message[0] = request;
      message.writeUInt16BE(id, 4);
      message.writeUInt16BE(number & 0xffff, 6);
      token.copy(message, 8);
      message.writeUInt32BE(number >>> 0, 16);
      // That of ICMPv6 is the kernel's work.
      if (family === 4) message.writeUInt16BE(internetChecksum(message), 2);
      try {
        sendTo(fd, message, socketAddress(to, 0));
        return true;
      } catch (error) {
        if (error instanceof SystemError) return false;
        throw error;
      }
    },
    receive() {
      const numbers: number[] = [];
      for (;;) {
        const length = receive(fd, scratch);
        if (length === undefined) return numbers;
        // A raw socket of IPv4 gives the IP header, too.
        const at = family === 4 ? 4 * (scratch[0]! & 15) : 0;
        if (length < at + messageBytes) continue;
        if (scratch.subarray(at + 8, at + 16).equals(token)) numbers.push(scratch.readUInt32BE(at + 16));
      }
    },
    close() {
      if (!closed) closeSync(fd);
      closed = true;
    },
  };
}

/** Classic BPF (linux/bpf_common.h): the filter of an IPv4 socket sees the IP header first, that of an IPv6 one doesn't. */
function onlyReplies(family: 4 | 6, reply: number, id: number): FilterStep[] {
  const [halfAbsolute, byteAbsolute, halfIndexed, byteIndexed] = [0x28, 0x30, 0x48, 0x50];
  const [headerLength, jumpEqual, give] = [0xb1, 0x15, 0x06];
  return [
    ...(family === 4 ? ([[headerLength, 0, 0, 0]] as const) : []),
    [family === 4 ? byteIndexed : byteAbsolute, 0, 0, 0],
    [jumpEqual, 0, 3, reply],
    [family === 4 ? halfIndexed : halfAbsolute, 0, 0, 4],
    [jumpEqual, 0, 1, id],
    [give, 0, 0, 0xffff],
    [give, 0, 0, 0],
  ];
}
