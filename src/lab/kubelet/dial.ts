/** TCP connections that start in a node's network: of probes, and of requests that the API server passes on to pods. */
import { closeSync } from 'node:fs';
import { isIPv6, Socket } from 'node:net';
import { linux } from '#system/libc.ts';
import { socketIn } from '#system/namespace.ts';
import type { NodeHost } from './nodehost.ts';

/** Rejects in the words of a kubelet when nobody answers in time. */
export function connectFrom(
  host: Pick<NodeHost, 'networkNamespace'>,
  address: string,
  port: number,
  milliseconds: number,
): Promise<Socket> {
  const family = isIPv6(address) ? linux.AF_INET6 : linux.AF_INET;
  const fd = socketIn(host.networkNamespace, family, linux.SOCK_STREAM | linux.SOCK_NONBLOCK, 0);
  let socket: Socket;
  try {
    socket = new Socket({ fd });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`dial tcp ${address}:${port}: i/o timeout`));
    }, milliseconds);
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.connect(port, address, () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}
