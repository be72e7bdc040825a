/** Reads what nftables logs to a group (nfnetlink_log): one socket, packets cut short, lost records counted. */
import { closeSync } from 'node:fs';
import { linux, receive, SystemError, send } from './libc.ts';
import { netlinkSocketIn } from './namespace.ts';
import {
  bytes,
  control,
  flag,
  type Message,
  type Request,
  readAck,
  readAttributes,
  readMessages,
  readText,
  request,
  u8,
  wireLength,
  writeRequest,
} from './netlink-codec.ts';

export type NflogRecord = {
  /** What the rule that logged says. */
  readonly prefix: string;
  /** From the network header on, at most as long as rule and reader want. */
  readonly packet: Buffer;
};

export type NflogReader = {
  /** From now on records come. Throws SystemError EPERM when another process has the group, or without CAP_NET_ADMIN. */
  join(): void;
  /** No more come, and logging costs the packet path next to nothing. */
  leave(): void;
  /** Hands over at once what has come. */
  poll(): void;
  close(): void;
};

export type NflogOptions = {
  readonly namespace?: string | undefined;
  readonly group: number;
  /** Somebody waits for each record: packets come whole, one by one, and are looked for this often (milliseconds). Absent: in batches. */
  readonly wholeEvery?: number;
  /** In order, never an empty list. A packet lives only while it runs. */
  readonly onRecords: (records: readonly NflogRecord[]) => void;
  /** So many records were lost on the way, for want of room. */
  readonly onLost: (records: number) => void;
  /** A look failed in a way that no lost record explains. */
  readonly onError: (error: unknown) => void;
};

/** linux/netfilter/nfnetlink.h, nfnetlink_log.h. */
const subsystem = 4 << 8;
const type = { PACKET: subsystem, CONFIG: subsystem | 1 } as const;
const config = { CMD: 1, MODE: 2, TIMEOUT: 4, QTHRESH: 5, FLAGS: 6 } as const;
const command = { BIND: 1, UNBIND: 2 } as const;
const copyPacket = 2;
const numbered = 1;
const attribute = { PAYLOAD: 9, PREFIX: 10, SEQ: 12 } as const;

/** A packet as a whole: the kernel's own limit. */
const wholeBytes = 65_531;
/** The headers of a packet, IPv6 extensions among them. */
const copyBytes = 128;
/** The kernel sends what it has after so many records, or hundredths of a second. */
const batchRecords = 32;
const batchCentiseconds = 5;
/** Milliseconds: libuv can't wait for a netlink socket, and an empty look costs under 1 µs. */
const interval = 50;
/** So many at a look: under a flood the rest waits in the kernel's bounded queue, and is lost there. */
const datagramsAtOnce = 16;
/** The kernel makes none longer. */
const receiveBytes = 64 * 1024;

/**
 * The socket is opened by the first `join` and stays open: closing one of this protocol waits for what the kernel has still to free
 * (10 to 30 ms under load), and leaving is a message.
 */
export function createNflogReader(options: NflogOptions): NflogReader {
  const { group, onRecords, onLost, onError } = options;
  const buffer = Buffer.allocUnsafeSlow(receiveBytes);
  let fd: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let last: number | undefined;

  const take = (messages: readonly Message[]): void => {
    const records: NflogRecord[] = [];
    let lost = 0;
    for (const message of messages) {
      if (message.type !== type.PACKET) continue;
      const { sequence, ...record } = readNflogRecord(message);
      if (last !== undefined && sequence !== undefined) lost += (sequence - last - 1) >>> 0;
      last = sequence ?? last;
      records.push(record);
    }
    if (lost > 0) onLost(lost);
    if (records.length > 0) onRecords(records);
  };
  /** Undefined: nothing waits. What didn't fit is told by the numbers of the records behind it. */
  const next = (socket: number): Message[] | undefined => {
    for (;;) {
      try {
        const length = receive(socket, buffer);
        return length === undefined ? undefined : readMessages(buffer.subarray(0, length));
      } catch (error) {
        if (!(error instanceof SystemError) || error.code !== 'ENOBUFS') throw error;
      }
    }
  };
  const poll = (): void => {
    if (fd === undefined) return;
    try {
      for (let looks = 0; looks < datagramsAtOnce; looks++) {
        const messages = next(fd);
        if (messages === undefined) return;
        take(messages);
      }
    } catch (error) {
      onError(error);
    }
  };
  const configure = (message: Request): void => {
    fd ??= netlinkSocketIn(options.namespace, linux.NETLINK_NETFILTER);
    const data = Buffer.alloc(wireLength(message));
    writeRequest(data, 0, message, 0);
    send(fd, data);
    // The kernel has answered before send() returns; records may stand before its answer.
    for (let messages = next(fd); messages !== undefined; messages = next(fd)) {
      take(messages);
      const answer = messages.find((each) => each.type === control.ERROR);
      if (answer === undefined) continue;
      const { errno } = readAck(answer);
      if (errno !== 0) throw new SystemError('nfnetlink_log', errno);
      return;
    }
  };
  const rest = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    join() {
      if (timer !== undefined) return;
      last = undefined;
      configure(joinRequest(group, options.wholeEvery !== undefined));
      timer = setInterval(poll, options.wholeEvery ?? interval);
      timer.unref();
    },
    leave() {
      if (timer === undefined) return;
      rest();
      configure(configRequest(group, u8(config.CMD, command.UNBIND)));
    },
    poll,
    close() {
      rest();
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

/** Binds a socket to the group, and says how records are to come. */
export function joinRequest(group: number, whole = false): Request {
  const mode = Buffer.alloc(6);
  mode.writeUInt32BE(whole ? wholeBytes : copyBytes, 0);
  mode[4] = copyPacket;
  return configRequest(
    group,
    u8(config.CMD, command.BIND),
    bytes(config.MODE, mode),
    bytes(config.TIMEOUT, u32be(batchCentiseconds)),
    bytes(config.QTHRESH, u32be(whole ? 1 : batchRecords)),
    bytes(config.FLAGS, Uint8Array.of(0, numbered)),
  );
}

/** A record, and its number among those of the group. */
export function readNflogRecord({
  payload,
}: Pick<Message, 'payload'>): NflogRecord & { readonly sequence: number | undefined } {
  const attributes = readAttributes(payload, 4);
  const sequence = attributes.get(attribute.SEQ);
  return {
    prefix: readText(attributes, attribute.PREFIX) ?? '',
    packet: attributes.get(attribute.PAYLOAD) ?? Buffer.alloc(0),
    sequence: sequence?.length === 4 ? sequence.readUInt32BE() : undefined,
  };
}

function configRequest(group: number, ...attributes: readonly Uint8Array[]): Request {
  // struct nfgenmsg: family, version, and the group in network byte order.
  const header = Uint8Array.of(0, 0, group >> 8, group & 255);
  return request(type.CONFIG, flag.ACK, header, ...attributes);
}

function u32be(value: number): Uint8Array {
  const data = Buffer.alloc(4);
  data.writeUInt32BE(value);
  return data;
}
