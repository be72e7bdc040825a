/** Packet sockets (packet(7)): whole Ethernet frames of one device, filtered in the kernel. */
import { closeSync } from 'node:fs';
import { attachFilter, bind, type FilterStep, linux, receive, SystemError, send } from './libc.ts';
import { socketIn } from './namespace.ts';

export type PacketSocket = {
  /** Throws SystemError ENETDOWN when the device is down, EMSGSIZE for more than its MTU. */
  send(frame: Uint8Array): void;
  /** All frames that have come since the last call; none of its own. */
  receive(): Buffer[];
  close(): void;
};

export type PacketSocketOptions = {
  readonly namespace?: string | undefined;
  readonly ifindex: number;
  /** The EtherType to take in; undefined: none, the socket only sends. */
  readonly etherType?: number;
  /** Default: everything of the EtherType. */
  readonly filter?: readonly FilterStep[];
};

const AF_PACKET = 17;
const frameBytes = 2048;
/** A look takes so many at most: under a flood the rest waits in the kernel's bounded queue, and is lost there. */
const framesAtOnce = 256;

/** Needs CAP_NET_RAW. Throws SystemError ENODEV when there is no such device. */
export function openPacketSocket(options: PacketSocketOptions): PacketSocket {
  const { ifindex, etherType = 0, filter } = options;
  // Protocol 0 takes in nothing before the filter stands.
  const fd = socketIn(options.namespace, AF_PACKET, linux.SOCK_RAW, 0);
  try {
    if (filter !== undefined) attachFilter(fd, filter);
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16BE(etherType, 2);
    address.writeInt32LE(ifindex, 4);
    bind(fd, address);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const scratch = Buffer.allocUnsafe(frameBytes);
  let closed = false;
  return {
    send: (frame) => void send(fd, frame),
    receive: () => {
      const frames: Buffer[] = [];
      while (frames.length < framesAtOnce) {
        const length = receiveOne(fd, scratch);
        if (length === undefined) break;
        frames.push(Buffer.from(scratch.subarray(0, length)));
      }
      return frames;
    },
    close: () => {
      if (!closed) closeSync(fd);
      closed = true;
    },
  };
}

/** A device that went down says so once on the socket, and frames come again when it is up; of one that is gone none come. */
function receiveOne(fd: number, scratch: Buffer): number | undefined {
  try {
    return receive(fd, scratch);
  } catch (error) {
    if (error instanceof SystemError && unheard.has(error.code)) return undefined;
    throw error;
  }
}

const unheard = new Set(['ENETDOWN', 'ENODEV', 'ENXIO']);
