/** Entering another network namespace for the length of one synchronous call. */
import { closeSync, openSync } from 'node:fs';
import { addrBytes, parseAddr } from '#net/addr.ts';
import { bind, linux, listen, setns, setSocketOption, socket } from './libc.ts';

/** Path of the network namespace of a process; valid while the process lives. */
export function namespaceOf(pid: number): string {
  return `/proc/${pid}/ns/net`;
}

/**
 * Runs `work` inside the network namespace at `path` and returns its result. `work` must be synchronous: synchronous file access,
 * sockets and child processes started in it belong to that namespace; anything asynchronous runs after the thread is back.
 * If the thread can't be brought back the process aborts, since from then on everything would happen in the wrong network.
 * Throws ENOENT or EINVAL (setns(2)) when `path` is no namespace.
 */
export function inNamespace<T>(path: string | undefined, work: () => T): T {
  if (path === undefined) return work();
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const target = openNamespace(path);
    try {
      setns(target, linux.CLONE_NEWNET);
    } finally {
      closeSync(target);
    }
    try {
      const result = work();
      if (result instanceof Promise) throw new TypeError('inNamespace: work must be synchronous');
      return result;
    } finally {
      comeBack(home);
    }
  } finally {
    closeSync(home);
  }
}

function comeBack(home: number): void {
  try {
    setns(home, linux.CLONE_NEWNET);
  } catch (error) {
    process.stderr.write(`cannot leave a network namespace: ${String(error)}\n`);
    process.abort();
  }
}

/** A file descriptor that keeps the namespace at `path` alive until it is closed. */
export function openNamespace(path: string): number {
  return openSync(path, 'r');
}

/** socket(2) inside the namespace at `path`; the socket stays in that namespace and keeps it alive. */
export function socketIn(path: string | undefined, family: number, type: number, protocol: number): number {
  return inNamespace(path, () => socket(family, type, protocol));
}

/** A netlink socket (netlink(7)) inside the namespace at `path`, under an address of the kernel's choice. */
export function netlinkSocketIn(path: string | undefined, protocol: number): number {
  const fd = socketIn(path, linux.AF_NETLINK, linux.SOCK_RAW, protocol);
  try {
    const address = Buffer.alloc(12);
    address.writeUInt16LE(linux.AF_NETLINK);
    bind(fd, address);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * A listening TCP socket inside the namespace at `path`, for `server.listen({ fd })`.
 * Throws EADDRINUSE, EADDRNOTAVAIL as bind(2) does, TypeError when `address` is none.
 */
export function listenFdIn(path: string | undefined, address: string, port: number): number {
  const fd = boundFdIn(path, address, port, linux.SOCK_STREAM);
  try {
    listen(fd, 511);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A UDP socket inside the namespace at `path`, for `socket.bind({ fd })`. Throws as listenFdIn. */
export function udpFdIn(path: string | undefined, address: string, port: number): number {
  return boundFdIn(path, address, port, linux.SOCK_DGRAM);
}

function boundFdIn(path: string | undefined, address: string, port: number, type: number): number {
  const addr = parseAddr(address);
  if (addr === undefined) throw new TypeError(`not an IP address: ${address}`);
  const six = addr.family === 6;
  const fd = socketIn(path, six ? linux.AF_INET6 : linux.AF_INET, type | linux.SOCK_NONBLOCK, 0);
  try {
    if (type === linux.SOCK_STREAM) setSocketOption(fd, linux.SOL_SOCKET, linux.SO_REUSEADDR, 1);
    if (six) setSocketOption(fd, linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 1);
    bind(fd, socketAddress(address, port));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A raw struct sockaddr_in or sockaddr_in6. Throws TypeError when `address` is none. */
export function socketAddress(address: string, port: number): Buffer {
  const addr = parseAddr(address);
  if (addr === undefined) throw new TypeError(`not an IP address: ${address}`);
  const six = addr.family === 6;
  const name = Buffer.alloc(six ? 28 : 16);
  name.writeUInt16LE(six ? linux.AF_INET6 : linux.AF_INET, 0);
  name.writeUInt16BE(port, 2);
  name.set(addrBytes(addr), six ? 8 : 4);
  return name;
}
