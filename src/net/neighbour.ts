/** ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861) as Ethernet frames; pure. */
import { type Addr, addrBytes, addrFromBytes, formatAddr, parseAddr } from './addr.ts';
import { formatMac, macBytes, macFromBytes, parseMac } from './mac.ts';

export const etherTypes = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;

/** What one frame says of who has an address, or asks. Addresses and MACs are canonical text. */
export type NeighbourMessage = {
  readonly kind: 'question' | 'answer';
  /** MAC of the one that says it: of ARP's sender field, of NDP's link-layer option, else of the frame. */
  readonly mac: string;
  /** The sender's own address; `0.0.0.0` or `::`: it has none yet and asks whether one is free. */
  readonly sender: string;
  /** The address that is asked for or claimed. */
  readonly target: string;
};

const broadcast = 'ff:ff:ff:ff:ff:ff';
const noAddress4 = '0.0.0.0';
const allNodes = 'ff02::1';

/** A request for `target`. `sender` `0.0.0.0` is RFC 5227's probe; `sender` = `target` its announcement. */
export function arpRequest(mac: string, sender: string, target: string): Buffer {
  return arp(1, mac, sender, '00:00:00:00:00:00', target, broadcast);
}

/** Tells the asker that `address` is at `mac`; to everybody when there is no asker. */
export function arpReply(
  mac: string,
  address: string,
  asker?: { readonly mac: string; readonly address: string },
): Buffer {
  return asker === undefined
    ? arp(2, mac, address, broadcast, address, broadcast)
    : arp(2, mac, address, asker.mac, asker.address, asker.mac);
}

/** A solicitation for `target`; `source` `::` asks whether it is free (RFC 4862 §5.4.2). */
export function neighbourSolicitation(mac: string, source: string, target: string): Buffer {
  const option = source === '::' ? [] : [linkLayerOption(1, mac)];
  const body = Buffer.concat([Buffer.alloc(4), address(target), ...option]);
  return icmpv6Frame({
    mac,
    toMac: multicastMac(solicitedNode(target)),
    source,
    to: solicitedNode(target),
    type: 135,
    body,
  });
}

/** Tells the asker, or everybody, that `target` is at `mac`; overrides what they knew (RFC 4861 §7.2.6). */
export function neighbourAdvertisement(
  mac: string,
  target: string,
  asker?: { readonly mac: string; readonly address: string },
): Buffer {
  const flags = Buffer.from([asker === undefined ? 0x20 : 0x60, 0, 0, 0]);
  const body = Buffer.concat([flags, address(target), linkLayerOption(2, mac)]);
  const to = asker?.address ?? allNodes;
  return icmpv6Frame({
    mac,
    toMac: asker?.mac ?? multicastMac(allNodes),
    source: target,
    to,
    type: 136,
    body,
  });
}

/** Undefined for any frame that is neither. Lengths are checked, checksums are not: the sender is not trusted either way. */
export function readNeighbourMessage(frame: Buffer): NeighbourMessage | undefined {
  if (frame.length < 42) return undefined;
  const type = frame.readUInt16BE(12);
  if (type === etherTypes.arp) return readArp(frame);
  return type === etherTypes.ipv6 ? readNdp(frame) : undefined;
}

/** ff02::1:ffXX:XXXX of an address (RFC 4291 §2.7.1). */
export function solicitedNode(target: string): string {
  const { value } = mustParse(target);
  return formatAddr({ family: 6, value: (0xff02n << 112n) | 0x1_ff00_0000n | (value & 0xff_ffffn) });
}

/** RFC 2464 §7. */
export function multicastMac(group: string): string {
  return formatMac(0x3333_0000_0000n | (mustParse(group).value & 0xffff_ffffn));
}

/** RFC 1071. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 2) sum += (part[at]! << 8) | (part[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** An IPv6 packet with an ICMPv6 message of `type`, code 0; `body` is what follows the checksum. */
export function icmpv6Frame(parts: {
  readonly mac: string;
  readonly toMac: string;
  readonly source: string;
  readonly to: string;
  readonly type: number;
  readonly body: Uint8Array;
}): Buffer {
  const message = Buffer.concat([Buffer.from([parts.type, 0, 0, 0]), parts.body]);
  const ends = Buffer.concat([address(parts.source), address(parts.to)]);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(message.length, 0);
  pseudo[7] = 58;
  message.writeUInt16BE(internetChecksum(ends, pseudo, message), 2);
  const header = Buffer.alloc(8);
  header[0] = 0x60;
  header.writeUInt16BE(message.length, 4);
  header[6] = 58;
  header[7] = 255;
  return Buffer.concat([ethernet(parts.toMac, parts.mac, etherTypes.ipv6), header, ends, message]);
}

export function ethernet(to: string, from: string, type: number): Buffer {
  return Buffer.concat([mac(to), mac(from), Buffer.from([type >> 8, type & 0xff])]);
}

function arp(
  operation: 1 | 2,
  senderMac: string,
  sender: string,
  targetMac: string,
  target: string,
  to: string,
): Buffer {
  const header = Buffer.from([0, 1, 8, 0, 6, 4, 0, operation]);
  const body = [header, mac(senderMac), address(sender), mac(targetMac), address(target)];
  return Buffer.concat([ethernet(to, senderMac, etherTypes.arp), ...body]);
}

function readArp(frame: Buffer): NeighbourMessage | undefined {
  if (frame.readUInt32BE(14) !== 0x0001_0800 || frame.readUInt16BE(18) !== 0x0604) return undefined;
  const operation = frame.readUInt16BE(20);
  if (operation !== 1 && operation !== 2) return undefined;
  const sender = addressAt(frame, 28, 4);
  const asked = addressAt(frame, 38, 4);
  // An announcement is a request that claims its own sender's address.
  const claims = operation === 2 || (sender === asked && sender !== noAddress4);
  return {
    kind: claims ? 'answer' : 'question',
    mac: macAt(frame, 22),
    sender,
    target: claims ? sender : asked,
  };
}

function readNdp(frame: Buffer): NeighbourMessage | undefined {
  // A hop limit of 255 shows that no router passed it on (RFC 4861 §7.1).
  if (frame.length < 78 || frame[20] !== 58 || frame[21] !== 255) return undefined;
  const type = frame[54];
  if (type !== 135 && type !== 136) return undefined;
  const option = frame.length >= 86 && frame[78] === (type === 135 ? 1 : 2) && frame[79] === 1;
  return {
    kind: type === 136 ? 'answer' : 'question',
    mac: macAt(frame, option ? 80 : 6),
    sender: addressAt(frame, 22, 16),
    target: addressAt(frame, 62, 16),
  };
}

function linkLayerOption(type: 1 | 2, text: string): Buffer {
  return Buffer.concat([Buffer.from([type, 1]), mac(text)]);
}

function addressAt(frame: Buffer, at: number, length: number): string {
  return formatAddr(addrFromBytes(frame.subarray(at, at + length))!);
}

function macAt(frame: Buffer, at: number): string {
  return formatMac(macFromBytes(frame.subarray(at, at + 6))!);
}

const address = (text: string): Uint8Array => addrBytes(mustParse(text));

function mustParse(text: string): Addr {
  const addr = parseAddr(text);
  if (addr === undefined) throw new TypeError(`not an IP address: ${text}`);
  return addr;
}

function mac(text: string): Uint8Array {
  const parsed = parseMac(text);
  if (parsed === undefined) throw new TypeError(`not a MAC address: ${text}`);
  return macBytes(parsed);
}
