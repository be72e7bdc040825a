/** Rtnetlink sockets (rtnetlink(7)): batches with acknowledgements, dumps, and a monitor of what others change. */
import { closeSync } from 'node:fs';
import { errnos, linux, receive, SystemError, send, sendAsync, setSocketOption, socketName } from './libc.ts';
import { netlinkSocketIn } from './namespace.ts';
import {
  control,
  flag,
  type Message,
  type Request,
  readAck,
  readMessages,
  wireLength,
  writeRequest,
} from './netlink-codec.ts';

const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const socketOption = { ADD_MEMBERSHIP: 1, CAP_ACK: 10, EXT_ACK: 11, GET_STRICT_CHK: 12 } as const;

/** Multicast groups of NETLINK_ROUTE (linux/rtnetlink.h). */
export const group = {
  LINK: 1,
  NEIGHBOUR: 3,
  TRAFFIC_CONTROL: 4,
  IPV4_ADDRESS: 5,
  IPV4_ROUTE: 7,
  IPV4_RULE: 8,
  IPV6_ADDRESS: 9,
  IPV6_ROUTE: 11,
  IPV6_RULE: 19,
} as const;

/** One datagram must fit the socket's send buffer (a little over 200 KiB by default). */
const batchBytes = 128 * 1024;
/** The kernel fills at most 32 KiB of a dump into one datagram; a single message may be larger only with very many VFs. */
const receiveBytes = 256 * 1024;
/** Acknowledgements of a batch in which everything fails, at over 1 KiB of kernel memory each, must fit. */
const receiveBuffer = 8 * 1024 * 1024;
const dumpAttempts = 10;

/** What the kernel said to one request. */
export type Outcome = {
  /** Undefined: done. */
  readonly error: SystemError | undefined;
  /** Answers other than the acknowledgement: to a GET, or to ECHO. */
  readonly replies: readonly Message[];
};

export type RouteSocket = {
  /** The socket's netlink port: changes notified with it are this socket's own. */
  readonly port: number;
  /**
   * Sends requests in order and returns one outcome each, in order. A request that fails does not stop those behind it.
   * Throws SystemError when the socket itself fails (ENOBUFS: answers were lost, so nothing is known about the batch).
   */
  request(requests: readonly Request[]): Outcome[];
  /** One request; throws what the kernel refuses. Returns its replies. */
  one(request: Request): readonly Message[];
  /** As `request`, with the kernel's work done on a pool thread: for what waits (deleting a link waits for RCU). One at a time. */
  requestAsync(requests: readonly Request[]): Promise<Outcome[]>;
  /**
   * All objects of a dump, each as `read` makes it (undefined: left out); starts again while the kernel says that they changed
   * meanwhile. A message lives only while `read` runs.
   */
  dump<T>(request: Request, read: (message: Message) => T | undefined): T[];
  /**
   * As `dump`, with `pause` between two datagrams, and with the kernel's work for the first one done on a pool thread: where little is found,
   * that is all of it, however much it looked through. Nothing else may use the socket until it is done.
   */
  dumpPaced<T>(
    request: Request,
    read: (message: Message) => T | undefined,
    pause: () => Promise<void> | undefined,
  ): Promise<T[]>;
  close(): void;
};

/** Opens a socket in a namespace (default: the own one); it stays there and keeps the namespace alive until closed. */
export function openRouteSocket(namespace?: string): RouteSocket {
  return openNetlinkSocket(NETLINK_ROUTE, namespace);
}

/** A socket of another netlink protocol that answers in the same way. */
export function openNetlinkSocket(protocol: number, namespace?: string): RouteSocket {
  const fd = boundSocket(protocol, namespace);
  const port = socketName(fd).readUInt32LE(4);
  let sequence = 0;
  let closed = false;

  function batchesOf(requests: readonly Request[]): { data: Buffer; first: number; count: number }[] {
    const batches: { data: Buffer; first: number; count: number }[] = [];
    for (let from = 0; from < requests.length; ) {
      let size = 0;
      let to = from;
      while (to < requests.length && (to === from || size + wireLength(requests[to]!) <= batchBytes)) {
        size += wireLength(requests[to++]!);
      }
      const data = Buffer.allocUnsafe(size);
      const first = sequence + 1;
      let offset = 0;
      for (let i = from; i < to; i++) {
        const each = requests[i]!;
        // Requests are handled in order and failures are always told, so one acknowledgement at the end stands for all before it.
        const flags = i === to - 1 ? each.flags | flag.ACK : each.flags & ~flag.ACK;
        sequence = (sequence + 1) >>> 0;
        offset = writeRequest(data, offset, { ...each, flags }, sequence);
      }
      batches.push({ data, first, count: to - from });
      from = to;
    }
    return batches;
  }

  function collect(first: number, count: number): Outcome[] {
    const errors: (SystemError | undefined)[] = Array.from({ length: count });
    const replies: Message[][] = Array.from({ length: count }, () => []);
    for (let done = false; !done; ) {
      const datagram = receiveDatagram(fd);
      // The kernel answers before send() returns, so an empty queue before the last acknowledgement means that it was lost.
      if (datagram === undefined)
        throw new SystemError('netlink', errnos.ENOBUFS, 'an acknowledgement is missing');
      for (const message of readMessages(datagram)) {
        const index = (message.sequence - first) >>> 0;
        if (index >= count || message.port !== port) continue;
        if (message.type !== control.ERROR) {
          replies[index]!.push(message);
          continue;
        }
        const { errno, detail } = readAck(message);
        if (errno !== 0) errors[index] = new SystemError('netlink', errno, detail);
        done ||= index === count - 1;
      }
    }
    return errors.map((error, index) => ({ error, replies: replies[index]! }));
  }

  const dumpOf = (query: Request) => batchesOf([{ ...query, flags: query.flags | flag.DUMP }])[0]!;

  /** Reads one dump that was asked for, datagram by datagram. Its return value says whether the objects changed while it ran. */
  function* dumpSteps<T>(
    first: number,
    read: (message: Message) => T | undefined,
    into: T[],
  ): Generator<void, boolean> {
    let interrupted = false;
    for (;;) {
      const datagram = receiveScratch(fd);
      if (datagram === undefined) throw new SystemError('netlink', errnos.ENOBUFS, 'a dump ended early');
      for (const message of readMessages(datagram)) {
        if (message.sequence !== first || message.port !== port) continue;
        interrupted ||= (message.flags & flag.DUMP_INTR) !== 0;
        if (message.type === control.DONE) {
          const errno = message.payload.length >= 4 ? -message.payload.readInt32LE(0) : 0;
          if (errno > 0) throw new SystemError('netlink dump', errno);
          return interrupted;
        }
        if (message.type === control.ERROR) {
          const { errno, detail } = readAck(message);
          if (errno === 0) continue;
          throw new SystemError('netlink dump', errno, detail);
        }
        const value = read(message);
        if (value !== undefined) into.push(value);
      }
      yield;
    }
  }

  const self: RouteSocket = {
    port,
    request: (requests) =>
      batchesOf(requests).flatMap(({ data, first, count }) => {
        send(fd, data);
        return collect(first, count);
      }),
    one: (single) => {
      const [outcome] = self.request([single]);
      if (outcome!.error !== undefined) throw outcome!.error;
      return outcome!.replies;
    },
    requestAsync: async (requests) => {
      const outcomes: Outcome[] = [];
      for (const { data, first, count } of batchesOf(requests)) {
        await sendAsync(fd, data);
        outcomes.push(...collect(first, count));
      }
      return outcomes;
    },
    dump: (query, read) => {
      for (let attempt = 0; attempt < dumpAttempts; attempt++) {
        const found: NonNullable<ReturnType<typeof read>>[] = [];
        const { data, first } = dumpOf(query);
        send(fd, data);
        const steps = dumpSteps(first, read, found);
        let step = steps.next();
        while (step.done !== true) step = steps.next();
        if (!step.value) return found;
      }
      throw new SystemError('netlink dump', errnos.EINTR, `changed under each of ${dumpAttempts} reads`);
    },
    dumpPaced: async (query, read, pause) => {
      const found: NonNullable<ReturnType<typeof read>>[] = [];
      const { data, first } = dumpOf(query);
      await sendAsync(fd, data);
      const steps = dumpSteps(first, read, found);
      let step = steps.next();
      for (; step.done !== true; step = steps.next()) await pause();
      // On a busy machine the next slow read would be disturbed as well; an undivided one is over sooner.
      return step.value ? self.dump(query, read) : found;
    },
    close: () => {
      if (!closed) closeSync(fd);
      closed = true;
    },
  };
  return self;
}

export type Monitor = {
  /** Hands over at once what has come. */
  poll(): void;
  close(): void;
};

export type MonitorOptions = {
  readonly namespace?: string | undefined;
  readonly groups: readonly number[];
  /** Changes made through the socket with this port are left out, as far as the kernel says whose they are. */
  readonly ignorePort?: number | undefined;
  /** Changes in the order in which they happened, never an empty list. */
  readonly onMessages: (messages: readonly Message[]) => void;
  /** Changes were lost (the queue overflowed): read everything again. */
  readonly onLost: () => void;
};

/**
 * Watches multicast groups. The queue is emptied by a timer, since libuv polls no socket of this family: libuv takes a file
 * descriptor over only as a stream, a terminal, or a UDP socket. An empty look costs under 1 µs.
 */
export function openMonitor(options: MonitorOptions): Monitor {
  const fd = boundSocket(NETLINK_ROUTE, options.namespace);
  for (const each of options.groups) setSocketOption(fd, SOL_NETLINK, socketOption.ADD_MEMBERSHIP, each);
  const poll = () => {
    const messages: Message[] = [];
    try {
      for (let datagram = receiveScratch(fd); datagram !== undefined; datagram = receiveScratch(fd)) {
        // One notification is one datagram, so this is the port of all that is in it.
        if (options.ignorePort !== undefined && datagram.readUInt32LE(12) === options.ignorePort) continue;
        messages.push(...readMessages(Buffer.from(datagram)));
      }
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'ENOBUFS') throw error;
      options.onLost();
    }
    if (messages.length > 0) options.onMessages(messages);
  };
  const timer = setInterval(poll, monitorInterval);
  timer.unref();
  return {
    poll,
    close: () => {
      clearInterval(timer);
      closeSync(fd);
    },
  };
}

/** Milliseconds. Short enough that nobody notices, long enough to cost nothing. */
const monitorInterval = 50;

function boundSocket(protocol: number, namespace: string | undefined): number {
  const fd = netlinkSocketIn(namespace, protocol);
  try {
    setSocketOption(fd, linux.SOL_SOCKET, linux.SO_RCVBUFFORCE, receiveBuffer);
    setSocketOption(fd, SOL_NETLINK, socketOption.EXT_ACK, 1);
    setSocketOption(fd, SOL_NETLINK, socketOption.CAP_ACK, 1);
    setSocketOption(fd, SOL_NETLINK, socketOption.GET_STRICT_CHK, 1);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

const scratch = { buffer: undefined as Buffer | undefined };

/** Valid until the next call. */
function receiveScratch(fd: number): Buffer | undefined {
  scratch.buffer ??= Buffer.allocUnsafeSlow(receiveBytes);
  const length = receive(fd, scratch.buffer);
  return length === undefined ? undefined : scratch.buffer.subarray(0, length);
}

function receiveDatagram(fd: number): Buffer | undefined {
  const datagram = receiveScratch(fd);
  return datagram === undefined ? undefined : Buffer.from(datagram);
}
