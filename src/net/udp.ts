/** A UDP packet with its IP header, as the kernel logs it, and as a frame to send on; pure. */
import { addrFromBytes, formatAddr } from './addr.ts';
import { ethernet, etherTypes, internetChecksum } from './neighbour.ts';

export type UdpPacket = {
  /** Canonical. */
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
};

const udp = 17;
const udpHeaderBytes = 8;

/** Undefined for anything else, a fragment, what was cut off, or UDP behind IPv6 extension headers. */
export function readUdpPacket(packet: Uint8Array): UdpPacket | undefined {
  const parts = partsOf(packet);
  if (parts === undefined) return undefined;
  const { ends, at } = parts;
  const address = (bytes: Uint8Array) => formatAddr(addrFromBytes(bytes)!);
  const half = ends.length / 2;
  return {
    source: address(ends.subarray(0, half)),
    destination: address(ends.subarray(half)),
    sourcePort: u16(packet, at),
    destinationPort: u16(packet, at + 2),
    payload: packet.subarray(at + udpHeaderBytes, at + u16(packet, at + 4)),
  };
}

/** With checksums of its own: those of a packet that the kernel logs may be left to a device to finish. */
export function udpFrame(packet: Uint8Array, macs: { readonly from: string; readonly to: string }): Buffer {
  const body = Buffer.from(packet);
  const isIPv4 = (body[0] ?? 0) >> 4 === 4;
  const parts = partsOf(body);
  if (parts !== undefined) {
    const { ends, at } = parts;
    if (isIPv4) {
      body.writeUInt16BE(0, 10);
      body.writeUInt16BE(internetChecksum(body.subarray(0, at)), 10);
    }
    const datagram = body.subarray(at, at + body.readUInt16BE(at + 4));
    datagram.writeUInt16BE(0, 6);
    const rest = Buffer.alloc(4);
    rest[1] = udp;
    rest.writeUInt16BE(datagram.length, 2);
    // RFC 768: 0 would say that there is none.
    datagram.writeUInt16BE(internetChecksum(ends, rest, datagram) || 0xffff, 6);
  }
  return Buffer.concat([ethernet(macs.to, macs.from, isIPv4 ? etherTypes.ipv4 : etherTypes.ipv6), body]);
}

/** Source and destination one behind the other, and where UDP begins. */
function partsOf(packet: Uint8Array): { readonly ends: Uint8Array; readonly at: number } | undefined {
  const version = (packet[0] ?? 0) >> 4;
  const isIPv4 = version === 4;
  const at = isIPv4 ? 4 * (packet[0]! & 15) : 40;
  if ((!isIPv4 && version !== 6) || at < 20 || packet.length < at + udpHeaderBytes) return undefined;
  if (packet[isIPv4 ? 9 : 6] !== udp || (isIPv4 && (u16(packet, 6) & 0x3fff) !== 0)) return undefined;
  const length = u16(packet, at + 4);
  if (length < udpHeaderBytes || at + length > packet.length) return undefined;
  return { ends: isIPv4 ? packet.subarray(12, 20) : packet.subarray(8, 40), at };
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
