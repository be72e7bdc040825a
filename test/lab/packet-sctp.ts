/** SCTP without the kernel's help: an INIT by hand and its answer (RFC 9260), since test machines may have no SCTP sockets. */
import { closeSync, readFileSync } from 'node:fs';
import { sctpMessage } from '#engines/nftables/packet.ts';
import { linux } from '#system/libc.ts';
import { inNamespace, socketIn } from '#system/namespace.ts';
import { openPacketSocket, type PacketSocket } from '#system/packet-socket.ts';
import { exchange } from './packet-raw.ts';
import type { ProbeAnswer, ProbeOrder } from './packets.ts';

const protocolNumber = 132;
const chunk = { init: 1, initAck: 2, abort: 6 } as const;
const lookEach = 5;

/** Sends an INIT and waits for what comes back. */
export function sctpProbe(
  namespace: string | undefined,
  { target, source, port, timeoutMs }: Omit<ProbeOrder, 'protocol'>,
): Promise<ProbeAnswer> {
  const own = 20_000 + Math.floor(Math.random() * 40_000);
  return exchange(namespace, {
    target,
    ...(source === undefined ? {} : { source }),
    protocol: protocolNumber,
    packet: sctpMessage({ chunk: chunk.init, from: own, to: port, tag: 0 }),
    timeoutMs,
    answer: (packet) => {
      if (packet.length < 16 || packet.readUInt16BE(2) !== own) return undefined;
      if (packet[12] === chunk.initAck) return 'allowed';
      return packet[12] === chunk.abort ? 'refused' : undefined;
    },
  });
}

/** Answers every INIT for the port with an INIT ACK. */
export function sctpServer(namespace: string | undefined, port: number): () => void {
  const ifindex = inNamespace(namespace, ownDevice);
  const sockets = [0x0800, 0x86dd].map((etherType) => openPacketSocket({ namespace, ifindex, etherType }));
  // While somebody listens for the protocol the kernel says nobody that it is unknown.
  const listeners = [linux.AF_INET, linux.AF_INET6].map((family) =>
    socketIn(namespace, family, linux.SOCK_RAW | linux.SOCK_NONBLOCK, protocolNumber),
  );
  const timer = setInterval(() => {
    for (const socket of sockets) for (const frame of socket.receive()) answerFrame(socket, frame, port);
  }, lookEach);
  return () => {
    clearInterval(timer);
    for (const socket of sockets) socket.close();
    for (const fd of listeners) closeSync(fd);
  };
}

/** Interface index of eth0 in the namespace that the thread is in; of a dual-stack one. */
function ownDevice(): number {
  const lines = readFileSync('/proc/thread-self/net/if_inet6', 'utf8').split('\n');
  const line = lines.find((each) => each.endsWith(' eth0'));
  if (line === undefined) throw new Error('no eth0 with IPv6');
  return Number.parseInt(line.split(/\s+/)[1] ?? '', 16);
}

function answerFrame(socket: PacketSocket, frame: Buffer, port: number): void {
  const six = frame.readUInt16BE(12) === 0x86dd;
  const header = six ? 40 : 4 * ((frame[14] ?? 0) & 15);
  if (frame.length < 14 + header + 32) return;
  if (frame[14 + (six ? 6 : 9)] !== protocolNumber) return;
  const sctp = frame.subarray(14 + header);
  if (sctp.readUInt16BE(2) !== port || sctp[12] !== chunk.init) return;
  const reply = Buffer.from(frame.subarray(0, 14 + header + 32));
  reply.set(frame.subarray(6, 12), 0);
  reply.set(frame.subarray(0, 6), 6);
  const [from, to, length] = six ? ([22, 38, 16] as const) : ([26, 30, 4] as const);
  reply.set(frame.subarray(to, to + length), from);
  reply.set(frame.subarray(from, from + length), to);
  // Swapping the addresses leaves the IPv4 header's checksum as it is; its length does not, so the answer keeps that.
  reply.set(
    sctpMessage({ chunk: chunk.initAck, from: port, to: sctp.readUInt16BE(0), tag: sctp.readUInt32BE(16) }),
    14 + header,
  );
  socket.send(reply);
}
