/** ICMP and ICMPv6 echo (RFC 792, RFC 4443 §4) as Ethernet frames; pure. */
import { addrBytes, addrFromBytes, formatAddr, parseAddr } from './addr.ts';
import { ethernet, etherTypes, icmpv6Frame, internetChecksum } from './neighbour.ts';

export type Echo = {
  readonly source: string;
  readonly to: string;
  /** 16 bits: tells one asker's echoes from another's. */
  readonly id: number;
};

/** A request from `source`, of the family of its addresses. */
export function echoRequest(echo: Echo & { readonly mac: string; readonly toMac: string }): Buffer {
  const body = Buffer.alloc(20);
  body.writeUInt16BE(echo.id, 0);
  if (echo.source.includes(':')) return icmpv6Frame({ ...echo, type: 128, body });
  const message = Buffer.concat([Buffer.from([8, 0, 0, 0]), body]);
  message.writeUInt16BE(internetChecksum(message), 2);
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(header.length + message.length, 2);
  header[8] = 64;
  header[9] = 1;
  header.set(bytes(echo.source), 12);
  header.set(bytes(echo.to), 16);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([ethernet(echo.toMac, echo.mac, etherTypes.ipv4), header, message]);
}

/** Undefined for any frame that is no echo reply. */
export function readEchoReply(frame: Buffer): Echo | undefined {
  if (frame.length < 42) return undefined;
  const type = frame.readUInt16BE(12);
  if (type === etherTypes.ipv4) {
    const at = 14 + 4 * (frame[14]! & 15);
    if (frame[23] !== 1 || frame.length < at + 8 || frame[at] !== 0) return undefined;
    return { source: text(frame, 26, 4), to: text(frame, 30, 4), id: frame.readUInt16BE(at + 4) };
  }
  if (type !== etherTypes.ipv6 || frame.length < 62 || frame[20] !== 58 || frame[54] !== 129)
    return undefined;
  return { source: text(frame, 22, 16), to: text(frame, 38, 16), id: frame.readUInt16BE(58) };
}

function bytes(address: string): Uint8Array {
  const addr = parseAddr(address);
  if (addr === undefined) throw new TypeError(`not an IP address: ${address}`);
  return addrBytes(addr);
}

function text(frame: Buffer, at: number, length: number): string {
  return formatAddr(addrFromBytes(frame.subarray(at, at + length))!);
}
