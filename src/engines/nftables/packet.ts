/** Builds packets byte by byte, right or forged, for tests. */
import { addrBytes, parseAddr } from '#net/addr.ts';

export type Inner = {
  readonly from: string;
  readonly to: string;
  readonly port?: number;
  readonly payload?: Uint8Array;
};

/** An IPv4 or IPv6 UDP packet with right checksums; destination port 9999 unless said otherwise. */
export function udpPacket({ from, to, port = 9999, payload = Buffer.from('probe') }: Inner): Buffer {
  const source = bytesOf(from);
  const target = bytesOf(to);
  const udp = Buffer.alloc(8 + payload.length);
  udp.writeUInt16BE(40_000, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(udp.length, 4);
  udp.set(payload, 8);
  const pseudo = Buffer.from([0, 17, udp.length >> 8, udp.length & 255]);
  udp.writeUInt16BE(checksum(Buffer.concat([source, target, pseudo, udp])) || 0xffff, 6);
  return ipPacket(source, target, 17, udp);
}

/** An SCTP packet that begins an association (RFC 9260 §3.3.2), with its right checksum. */
export function sctpInit({ from, to, port = 9999 }: Inner): Buffer {
  const sctp = sctpMessage({ chunk: 1, from: 40_000, to: port, tag: 0 });
  return ipPacket(bytesOf(from), bytesOf(to), 132, sctp);
}

/**
 * Of 32 bytes: ports, tag, checksum, and an INIT (1) or INIT ACK (2) chunk: a tag, a window, one stream each way, a first number.
 * `tag`: 0 in an INIT, else what the other end wants.
 */
export function sctpMessage(message: {
  readonly chunk: 1 | 2;
  readonly from: number;
  readonly to: number;
  readonly tag: number;
}): Buffer {
  const sctp = Buffer.alloc(32);
  sctp.writeUInt16BE(message.from, 0);
  sctp.writeUInt16BE(message.to, 2);
  for (const [at, value] of [
    [4, message.tag],
    [12, message.chunk * 0x0100_0000 + 20],
    [16, 0x6e6c_0001],
    [20, 65_536],
    [24, 0x0001_0001],
    [28, 1],
  ] as const) {
    sctp.writeUInt32BE(value, at);
  }
  sctp.writeUInt32LE(crc32c(sctp), 8);
  return sctp;
}

function ipPacket(source: Uint8Array, target: Uint8Array, protocol: number, payload: Buffer): Buffer {
  if (source.length === 16) {
    const header = Buffer.alloc(40);
    header[0] = 0x60;
    header.writeUInt16BE(payload.length, 4);
    header[6] = protocol;
    header[7] = 64;
    header.set(source, 8);
    header.set(target, 24);
    return Buffer.concat([header, payload]);
  }
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header[8] = 64;
  header[9] = protocol;
  header.set(source, 12);
  header.set(target, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

/** Castagnoli's CRC (RFC 9260, appendix A). */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

export type Tunnelled = {
  readonly outerFrom: string;
  readonly outerTo: string;
  readonly inner: Inner;
  readonly vni: number;
  /** MAC of the receiving tunnel device. */
  readonly innerMac: readonly number[];
  /** Flags byte; 8: the VNI is valid. */
  readonly flags?: number;
  /** Puts an 802.1Q tag before the inner Ethernet type. */
  readonly vlan?: boolean;
  readonly port: number;
};

/** A VXLAN packet (RFC 7348). */
export function vxlanPacket(parts: Tunnelled): Buffer {
  const inner = udpPacket(parts.inner);
  const header = Buffer.alloc(8);
  header[0] = parts.flags ?? 8;
  header.writeUIntBE(parts.vni, 4, 3);
  const ethernet = Buffer.from([
    ...parts.innerMac,
    2,
    0,
    0,
    0,
    0,
    9,
    ...(parts.vlan ? [0x81, 0, 0, 5] : []),
    ...(inner[0]! >> 4 === 6 ? [0x86, 0xdd] : [8, 0]),
  ]);
  return udpPacket({
    from: parts.outerFrom,
    to: parts.outerTo,
    port: parts.port,
    payload: Buffer.concat([header, ethernet, inner]),
  });
}

function bytesOf(text: string): Uint8Array {
  return addrBytes(parseAddr(text)!);
}

function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
