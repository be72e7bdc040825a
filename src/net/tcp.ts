/** A TCP segment with its IP header, as the kernel logs it, and as frames to send on; pure. */
import { addrFromBytes, formatAddr } from './addr.ts';
import { ethernet, etherTypes, internetChecksum } from './neighbour.ts';
import { ipProtocols } from './packet.ts';

export type TcpSegment = {
  /** Canonical. */
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of the first byte of the payload, or of SYN, which takes one (RFC 9293 §3.4). */
  readonly sequence: number;
  readonly isSyn: boolean;
  readonly isFin: boolean;
  readonly isReset: boolean;
  readonly payload: Uint8Array;
};

const flags = { fin: 1, syn: 2, reset: 4, push: 8, reduced: 0x80 } as const;
const leastHeaderBytes = 20;

/** Undefined for anything else, a fragment, what was cut off, or TCP behind IPv6 extension headers. */
export function readTcpSegment(packet: Uint8Array): TcpSegment | undefined {
  const parts = partsOf(packet);
  if (parts === undefined) return undefined;
  const { ends, at, payloadAt, end } = parts;
  const view = viewOf(packet);
  const address = (bytes: Uint8Array) => formatAddr(addrFromBytes(bytes)!);
  const said = view.getUint8(at + 13);
  return {
    source: address(ends.subarray(0, ends.length / 2)),
    destination: address(ends.subarray(ends.length / 2)),
    sourcePort: view.getUint16(at),
    destinationPort: view.getUint16(at + 2),
    sequence: view.getUint32(at + 4),
    isSyn: (said & flags.syn) !== 0,
    isFin: (said & flags.fin) !== 0,
    isReset: (said & flags.reset) !== 0,
    payload: packet.subarray(payloadAt, end),
  };
}

/**
 * With checksums of their own, and cut so that no packet is longer than `atMost` bytes: what the kernel logs may be left to a device to
 * finish and to cut. What is no whole segment is one frame as it is.
 */
export function tcpFrames(
  packet: Uint8Array,
  { from, to, atMost }: { readonly from: string; readonly to: string; readonly atMost: number },
): Buffer[] {
  const parts = partsOf(packet);
  const isIPv4 = (packet[0] ?? 0) >> 4 === 4;
  const frame = (body: Uint8Array): Buffer =>
    Buffer.concat([ethernet(to, from, isIPv4 ? etherTypes.ipv4 : etherTypes.ipv6), body]);
  if (parts === undefined) return [frame(packet)];
  const { payloadAt, end } = parts;
  const piece = Math.max(1, atMost - payloadAt);
  const frames: Buffer[] = [];
  for (let start = payloadAt; start < end || frames.length === 0; start += piece) {
    const bytes = packet.subarray(start, Math.min(start + piece, end));
    const body = Buffer.concat([packet.subarray(0, payloadAt), bytes]);
    finish(body, parts, { number: frames.length, offset: start - payloadAt, isLast: start + piece >= end });
    frames.push(frame(body));
  }
  return frames;
}

/** Headers of one piece: what a device does that cuts segments itself. */
function finish(
  body: Buffer,
  { at, ends }: Parts,
  { number, offset, isLast }: { readonly number: number; readonly offset: number; readonly isLast: boolean },
): void {
  const said = body.readUInt8(at + 13);
  const notHere = (isLast ? 0 : flags.fin | flags.push) | (number === 0 ? 0 : flags.reduced);
  body.writeUInt8(said & ~notHere, at + 13);
  body.writeUInt32BE((body.readUInt32BE(at + 4) + offset) >>> 0, at + 4);
  if (body[0]! >> 4 === 4) {
    body.writeUInt16BE(body.length, 2);
    body.writeUInt16BE((body.readUInt16BE(4) + number) & 0xffff, 4);
    body.writeUInt16BE(0, 10);
    body.writeUInt16BE(internetChecksum(body.subarray(0, at)), 10);
  } else body.writeUInt16BE(body.length - at, 4);
  const segment = body.subarray(at);
  segment.writeUInt16BE(0, 16);
  const rest = Buffer.from([0, ipProtocols.tcp, segment.length >> 8, segment.length & 0xff]);
  segment.writeUInt16BE(internetChecksum(ends, rest, segment), 16);
}

type Parts = {
  /** Source and destination, one behind the other. */
  readonly ends: Uint8Array;
  /** Where TCP begins, its payload begins, and the packet ends. */
  readonly at: number;
  readonly payloadAt: number;
  readonly end: number;
};

function partsOf(packet: Uint8Array): Parts | undefined {
  const version = (packet[0] ?? 0) >> 4;
  const isIPv4 = version === 4;
  const at = isIPv4 ? 4 * (packet[0]! & 15) : 40;
  if ((!isIPv4 && version !== 6) || at < 20 || packet.length < at + leastHeaderBytes) return undefined;
  const view = viewOf(packet);
  if (view.getUint8(isIPv4 ? 9 : 6) !== ipProtocols.tcp) return undefined;
  if (isIPv4 && (view.getUint16(6) & 0x3fff) !== 0) return undefined;
  const end = isIPv4 ? view.getUint16(2) : 40 + view.getUint16(4);
  const headerBytes = 4 * (view.getUint8(at + 12) >> 4);
  const payloadAt = at + headerBytes;
  if (headerBytes < leastHeaderBytes || payloadAt > end || end > packet.length) return undefined;
  return { ends: isIPv4 ? packet.subarray(12, 20) : packet.subarray(8, 40), at, payloadAt, end };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
