/** The beginning of an IP packet: who sends what to whom; pure. */
import { addrFromBytes, formatAddr } from './addr.ts';

export type PacketStart = {
  readonly family: 4 | 6;
  /** Canonical. */
  readonly source: string;
  readonly destination: string;
  /** Number of what the packet carries (IANA), behind IPv6 extension headers. */
  readonly protocol: number;
  /** Of TCP, UDP and SCTP; absent in a fragment that isn't the first, and where the packet was cut before it. */
  readonly ports?: { readonly source: number; readonly destination: number };
};

export const ipProtocols = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;

const withPorts: ReadonlySet<number> = new Set([ipProtocols.tcp, ipProtocols.udp, ipProtocols.sctp]);
/** RFC 7045: hop-by-hop, routing, destination options, mobility, HIP, shim6; their length is in units of 8 bytes without the first. */
const extensions: ReadonlySet<number> = new Set([0, 43, 60, 135, 139, 140]);
const fragment = 44;
const authentication = 51;

/** `packet` begins with its IP header; undefined for what is no such packet. Nothing but lengths is checked. */
export function readPacketStart(packet: Uint8Array): PacketStart | undefined {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4) return readIPv4(packet);
  return version === 6 ? readIPv6(packet) : undefined;
}

function readIPv4(packet: Uint8Array): PacketStart | undefined {
  const headerBytes = 4 * (packet[0]! & 15);
  if (headerBytes < 20 || packet.length < 20) return undefined;
  const isFirst = (u16(packet, 6) & 0x1fff) === 0;
  return {
    family: 4,
    source: addressAt(packet, 12, 4),
    destination: addressAt(packet, 16, 4),
    protocol: packet[9]!,
    ...(isFirst ? portsAt(packet, headerBytes, packet[9]!) : {}),
  };
}

function readIPv6(packet: Uint8Array): PacketStart | undefined {
  if (packet.length < 40) return undefined;
  const ends = { source: addressAt(packet, 8, 16), destination: addressAt(packet, 24, 16) };
  let protocol = packet[6]!;
  let at = 40;
  let isFirst = true;
  while (isFirst && at + 8 <= packet.length) {
    const length = packet[at + 1]!;
    if (extensions.has(protocol)) [protocol, at] = [packet[at]!, at + 8 * (length + 1)];
    else if (protocol === authentication) [protocol, at] = [packet[at]!, at + 4 * (length + 2)];
    else if (protocol === fragment) {
      isFirst = (u16(packet, at + 2) & 0xfff8) === 0;
      [protocol, at] = [packet[at]!, at + 8];
    } else break;
  }
  return { family: 6, ...ends, protocol, ...(isFirst ? portsAt(packet, at, protocol) : {}) };
}

function portsAt(packet: Uint8Array, at: number, protocol: number): Pick<PacketStart, 'ports'> {
  if (!withPorts.has(protocol) || packet.length < at + 4) return {};
  return { ports: { source: u16(packet, at), destination: u16(packet, at + 2) } };
}

function addressAt(packet: Uint8Array, at: number, length: number): string {
  return formatAddr(addrFromBytes(packet.subarray(at, at + length))!);
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
