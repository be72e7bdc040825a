/** The few C library calls that Node lacks, by FFI: namespaces, raw sockets, file locks. Nothing is loaded before the first call. */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';

/** Constants of asm-generic and linux headers, the same on x86-64 and arm64. */
export const linux = {
  AF_INET: 2,
  AF_INET6: 10,
  AF_NETLINK: 16,
  AF_BRIDGE: 7,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  NETLINK_NETFILTER: 12,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_SNDBUFFORCE: 32,
  SO_ATTACH_FILTER: 26,
  SO_RCVBUFFORCE: 33,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
  MSG_DONTWAIT: 0x40,
  MSG_TRUNC: 0x20,
  MFD_CLOEXEC: 1,
  CLONE_NEWNS: 0x0002_0000,
  CLONE_NEWNET: 0x4000_0000,
  LOCK_EX: 2,
  LOCK_NB: 4,
  LOCK_UN: 8,
  SCHED_RR: 2,
  SCHED_RESET_ON_FORK: 0x4000_0000,
  RLIMIT_RTTIME: 15,
} as const;

/** A system call that failed. `code` is the errno's name (`ENODEV`), `errno` its positive number. */
export class SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, detail?: string) {
    super(`${syscall}: ${errnoText(errno)}${detail === undefined ? '' : `: ${detail}`}`);
    this.name = 'SystemError';
    this.code = errnoName(errno);
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** `ENODEV` for 19; `errno 999` for a number that nobody knows. */
export function errnoName(errno: number): string {
  return errno > 0 && errno < 4096
    ? getSystemErrorName(-errno).replace(/^Unknown.*/, `errno ${errno}`)
    : `errno ${errno}`;
}

/** `no such device` for 19. */
export function errnoText(errno: number): string {
  return errno > 0 && errno < 4096 ? getSystemErrorMessage(-errno) : `errno ${errno}`;
}

export const errnos = constants.errno;

type Call = ((...args: unknown[]) => number) & { async: (...args: unknown[]) => void };
type Koffi = {
  load(name: string): { func(prototype: string): Call };
  struct(name: string, members: Readonly<Record<string, string>>): unknown;
  errno(): number;
};

let koffi: Koffi | undefined;
const calls = new Map<string, Call>();

function call(prototype: string): Call {
  const known = calls.get(prototype);
  if (known !== undefined) return known;
  const loaded = library().load('libc.so.6').func(prototype);
  calls.set(prototype, loaded);
  return loaded;
}

function library(): Koffi {
  koffi ??= createRequire(import.meta.url)('koffi') as Koffi;
  return koffi;
}

function checked(syscall: string, result: number): number {
  if (result >= 0) return result;
  throw new SystemError(syscall, koffi?.errno() ?? 0);
}

/** setns(2) on the calling thread. */
export function setns(fd: number, kind: number): void {
  checked('setns', call('int setns(int, int)')(fd, kind));
}

/** unshare(2) on the calling thread. */
export function unshare(flags: number): void {
  checked('unshare', call('int unshare(int)')(flags));
}

/** memfd_create(2), close-on-exec. Returns the file descriptor. */
export function memoryFile(name: string): number {
  return checked(
    'memfd_create',
    call('int memfd_create(const char *, unsigned int)')(name, linux.MFD_CLOEXEC),
  );
}

/** socket(2); close-on-exec is always set. Returns the file descriptor. */
export function socket(family: number, type: number, protocol: number): number {
  return checked('socket', call('int socket(int, int, int)')(family, type | linux.SOCK_CLOEXEC, protocol));
}

/** bind(2) to a raw struct sockaddr. */
export function bind(fd: number, address: Uint8Array): void {
  checked('bind', call('int bind(int, const void *, unsigned int)')(fd, address, address.length));
}

/** connect(2) to a raw struct sockaddr. */
export function connect(fd: number, address: Uint8Array): void {
  checked('connect', call('int connect(int, const void *, unsigned int)')(fd, address, address.length));
}

/** listen(2). */
export function listen(fd: number, backlog: number): void {
  checked('listen', call('int listen(int, int)')(fd, backlog));
}

/** setsockopt(2) with an int value. */
export function setSocketOption(fd: number, level: number, option: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  setSocketBytes(fd, level, option, bytes);
}

/** setsockopt(2) with any struct. */
export function setSocketBytes(fd: number, level: number, option: number, bytes: Uint8Array): void {
  checked(
    'setsockopt',
    call('int setsockopt(int, int, int, const void *, unsigned int)')(fd, level, option, bytes, bytes.length),
  );
}

/** getsockopt(2): fills `value`, which also carries what is asked where an option wants that; returns the bytes written. */
export function getSocketOption(fd: number, level: number, option: number, value: Uint8Array): number {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  checked(
    'getsockopt',
    call('int getsockopt(int, int, int, void *, void *)')(fd, level, option, value, length),
  );
  return length.readUInt32LE();
}

/** One instruction of classic BPF (linux/filter.h): code, jump if true, jump if false, operand. */
export type FilterStep = readonly [code: number, yes: number, no: number, operand: number];

/** SO_ATTACH_FILTER: only what the program lets pass reaches the socket. */
export function attachFilter(fd: number, steps: readonly FilterStep[]): void {
  const filter = Buffer.alloc(8 * steps.length);
  steps.forEach(([code, yes, no, operand], index) => {
    filter.writeUInt16LE(code, 8 * index);
    filter.set([yes, no], 8 * index + 2);
    filter.writeUInt32LE(operand, 8 * index + 4);
  });
  const program = 'sock_fprog';
  const prototype = `int setsockopt(int, int, int, const ${program} *, unsigned int)`;
  if (!calls.has(prototype)) {
    library().struct(program, { len: 'uint16_t', filter: 'const void *' });
  }
  const { SOL_SOCKET, SO_ATTACH_FILTER } = linux;
  const size = 16;
  checked(
    'setsockopt',
    call(prototype)(fd, SOL_SOCKET, SO_ATTACH_FILTER, { len: steps.length, filter }, size),
  );
}

/** getsockname(2): the raw struct sockaddr. */
export function socketName(fd: number): Buffer {
  const address = Buffer.alloc(128);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(address.length);
  checked('getsockname', call('int getsockname(int, void *, void *)')(fd, address, length));
  return address.subarray(0, length.readUInt32LE());
}

/** send(2); returns the bytes taken. */
export function send(fd: number, data: Uint8Array, flags = 0): number {
  return checked('send', call('long send(int, const void *, size_t, int)')(fd, data, data.length, flags));
}

/** sendto(2) to a raw struct sockaddr; returns the bytes taken. */
export function sendTo(fd: number, data: Uint8Array, address: Uint8Array): number {
  const prototype = 'long sendto(int, const void *, size_t, int, const void *, unsigned int)';
  return checked('sendto', call(prototype)(fd, data, data.length, 0, address, address.length));
}

/** send(2) on a pool thread, for calls that wait in the kernel. The socket's own namespace counts, not the thread's. */
export function sendAsync(fd: number, data: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    call('long send(int, const void *, size_t, int)').async(
      fd,
      data,
      data.length,
      0,
      (error: unknown, sent: number) => {
        // The pool thread's errno is gone by now; netlink says why in its answer, so this is rare and only tells that it failed.
        if (error !== null && error !== undefined) reject(error as Error);
        else if (sent < 0) reject(new SystemError('send', errnos.EIO));
        else resolve(sent);
      },
    );
  });
}

/** recv(2) into `data`; returns the bytes received, or undefined where it would block. Throws ENOBUFS when messages were lost. */
export function receive(
  fd: number,
  data: Uint8Array,
  flags: number = linux.MSG_DONTWAIT,
): number | undefined {
  const received = call('long recv(int, void *, size_t, int)')(fd, data, data.length, flags);
  if (received >= 0) return received;
  const errno = koffi?.errno() ?? 0;
  if (errno === errnos.EAGAIN || errno === errnos.EINTR) return undefined;
  throw new SystemError('recv', errno);
}

/** flock(2); false when another open file holds the lock. */
export function lockFile(fd: number, operation: number): boolean {
  const result = call('int flock(int, int)')(fd, operation);
  if (result >= 0) return true;
  const errno = koffi?.errno() ?? 0;
  if (errno === errnos.EWOULDBLOCK) return false;
  throw new SystemError('flock', errno);
}

/** mkfifo(3): a named pipe. Throws EEXIST when the name is taken. */
export function makeFifo(path: string, mode: number): void {
  checked('mkfifo', call('int mkfifo(const char *, unsigned int)')(path, mode));
}

/** sched_setscheduler(2) of a thread; 0: the calling one. Throws EPERM without CAP_SYS_NICE, or where its cgroup has no realtime budget. */
export function setScheduler(tid: number, policy: number, priority: number): void {
  const parameters = Buffer.alloc(4);
  parameters.writeInt32LE(priority);
  checked('sched_setscheduler', call('int sched_setscheduler(int, int, void *)')(tid, policy, parameters));
}

/** sched_getscheduler(2) of the calling thread, with its flags. */
export function getScheduler(): number {
  return checked('sched_getscheduler', call('int sched_getscheduler(int)')(0));
}

/** setrlimit(2) of this process, soft and hard limit the same. */
export function setLimit(resource: number, value: bigint): void {
  const limit = Buffer.alloc(16);
  limit.writeBigUInt64LE(value, 0);
  limit.writeBigUInt64LE(value, 8);
  checked('setrlimit', call('int setrlimit(int, void *)')(resource, limit));
}
