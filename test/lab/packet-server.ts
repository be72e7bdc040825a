/** Answers on one port in a network namespace: who it is and whom it sees, then what it gets. */

import { createSocket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { bind, linux, setSocketOption } from '#system/libc.ts';
import { listenFdIn, socketIn } from '#system/namespace.ts';
import { socketAddress } from './packet-raw.ts';
import { sctpServer } from './packet-sctp.ts';
import type { ServedPort } from './packets.ts';

/**
 * Both families. A machine with several addresses names those that it answers at, or its UDP answers may come from another. Gives what ends
 * it.
 */
export async function serve(
  namespace: string | undefined,
  { protocol, port }: ServedPort,
  name: string,
  addresses: readonly string[] = ['0.0.0.0', '::'],
): Promise<() => void> {
  if (protocol === 'sctp') return sctpServer(namespace, port);
  const closers: (() => void)[] = [];
  try {
    for (const address of addresses) {
      closers.push(
        await (protocol === 'tcp'
          ? tcpServer(namespace, address, port, name)
          : udpServer(namespace, address, port, name)),
      );
    }
  } catch (error) {
    for (const close of closers) close();
    throw error;
  }
  return () => {
    for (const close of closers) close();
  };
}

async function tcpServer(
  namespace: string | undefined,
  address: string,
  port: number,
  name: string,
): Promise<() => void> {
  const fd = listenFdIn(namespace, address, port);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.write(`${name} ${socket.remoteAddress}\n`);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd }, resolve);
  });
  return () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
}

async function udpServer(
  namespace: string | undefined,
  address: string,
  port: number,
  name: string,
): Promise<() => void> {
  const six = address.includes(':');
  const fd = socketIn(
    namespace,
    six ? linux.AF_INET6 : linux.AF_INET,
    linux.SOCK_DGRAM | linux.SOCK_NONBLOCK,
    0,
  );
  try {
    if (six) setSocketOption(fd, linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 1);
    bind(fd, socketAddress(address, port));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const socket = createSocket(six ? 'udp6' : 'udp4');
  socket.on('message', (_, from) => socket.send(`${name} ${from.address}\n`, from.port, from.address));
  // An answer to a client that is gone.
  socket.on('error', () => {});
  await new Promise<void>((resolve) => void socket.bind({ fd }, resolve));
  return () => void socket.close();
}
