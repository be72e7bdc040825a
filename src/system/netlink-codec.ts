/** Netlink messages and attributes as bytes (RFC 3549, linux/netlink.h); pure. */

/** One request. `payload` is the family's fixed header followed by attributes. */
export type Request = { readonly type: number; readonly flags: number; readonly payload: Uint8Array };

/** One message as received. */
export type Message = {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port of the socket whose request caused it; 0 when the kernel itself did. */
  readonly port: number;
  readonly payload: Buffer;
};

/** Attributes by type, without the nested and byte order flags; of a repeated type the last. */
export type Attributes = ReadonlyMap<number, Buffer>;

export const flag = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  ECHO: 0x8,
  DUMP_INTR: 0x10,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
} as const;

export const control = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;

const headerLength = 16;
const nestedFlag = 0x8000;
const typeMask = 0x3fff;

/** Messages and attributes begin at multiples of four bytes. */
export const aligned = (length: number): number => (length + 3) & ~3;

/** Host byte order is little-endian on every machine that Node runs on here (x86-64, arm64). */
export function u8(type: number, value: number): Buffer {
  return bytes(type, Uint8Array.of(value));
}

export function u16(type: number, value: number): Buffer {
  return bytes(type, Uint8Array.of(value & 0xff, value >> 8));
}

/** Network byte order: ports. */
export function u16be(type: number, value: number): Buffer {
  return bytes(type, Uint8Array.of(value >> 8, value & 0xff));
}

export function u32(type: number, value: number): Buffer {
  const attribute = header(type, 4);
  attribute.writeUInt32LE(value >>> 0, 4);
  return attribute;
}

/** Network byte order: what netfilter says. */
export function u32be(type: number, value: number): Buffer {
  const attribute = header(type, 4);
  attribute.writeUInt32BE(value >>> 0, 4);
  return attribute;
}

/** NUL-terminated. */
export function text(type: number, value: string): Buffer {
  return bytes(type, Buffer.from(`${value}\0`));
}

export function bytes(type: number, value: Uint8Array): Buffer {
  const attribute = header(type, value.length);
  attribute.set(value, 4);
  return attribute;
}

export function nested(type: number, ...attributes: readonly Uint8Array[]): Buffer {
  return bytes(type | nestedFlag, Buffer.concat(attributes));
}

function header(type: number, length: number): Buffer {
  const attribute = Buffer.alloc(aligned(4 + length));
  attribute.writeUInt16LE(4 + length, 0);
  attribute.writeUInt16LE(type, 2);
  return attribute;
}

export function request(type: number, flags: number, ...parts: readonly Uint8Array[]): Request {
  return { type, flags: flags | flag.REQUEST, payload: Buffer.concat(parts) };
}

/** Length of a request on the wire. */
export function wireLength(message: Request): number {
  return aligned(headerLength + message.payload.length);
}

/** Writes a request at `offset` of `target`; returns the offset behind it. */
export function writeRequest(target: Buffer, offset: number, message: Request, sequence: number): number {
  const end = offset + headerLength + message.payload.length;
  target.writeUInt32LE(end - offset, offset);
  target.writeUInt16LE(message.type, offset + 4);
  target.writeUInt16LE(message.flags, offset + 6);
  target.writeUInt32LE(sequence, offset + 8);
  target.writeUInt32LE(0, offset + 12);
  target.set(message.payload, offset + headerLength);
  target.fill(0, end, aligned(end));
  return aligned(end);
}

/** Splits one datagram into its messages; what is cut off or malformed at the end is left out. */
export function readMessages(datagram: Buffer): Message[] {
  const messages: Message[] = [];
  for (let offset = 0; offset + headerLength <= datagram.length; ) {
    const length = datagram.readUInt32LE(offset);
    if (length < headerLength || offset + length > datagram.length) break;
    messages.push({
      type: datagram.readUInt16LE(offset + 4),
      flags: datagram.readUInt16LE(offset + 6),
      sequence: datagram.readUInt32LE(offset + 8),
      port: datagram.readUInt32LE(offset + 12),
      payload: datagram.subarray(offset + headerLength, offset + length),
    });
    offset += aligned(length);
  }
  return messages;
}

/** Reads attributes from `offset` of a payload to its end; a malformed rest is left out. */
export function readAttributes(payload: Buffer, offset = 0): Attributes {
  const attributes = new Map<number, Buffer>();
  for (let at = aligned(offset); at + 4 <= payload.length; ) {
    const length = payload.readUInt16LE(at);
    if (length < 4 || at + length > payload.length) break;
    attributes.set(payload.readUInt16LE(at + 2) & typeMask, payload.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return attributes;
}

export function readU32(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value !== undefined && value.length >= 4 ? value.readUInt32LE() : undefined;
}

export function readU16(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value !== undefined && value.length >= 2 ? value.readUInt16LE() : undefined;
}

export function readU8(attributes: Attributes, type: number): number | undefined {
  return attributes.get(type)?.[0];
}

export function readText(attributes: Attributes, type: number): string | undefined {
  const value = attributes.get(type);
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end === -1 ? value.length : end);
}

/** Outcome of an acknowledgement (NLMSG_ERROR): errno 0 is success; `detail` is the kernel's own sentence (extended ack). */
export function readAck(message: Message): { readonly errno: number; readonly detail: string | undefined } {
  const errno = message.payload.length >= 4 ? -message.payload.readInt32LE(0) : 0;
  if ((message.flags & flag.ACK_TLVS) === 0 || message.payload.length < 4 + headerLength)
    return { errno, detail: undefined };
  const echoed = (message.flags & flag.CAPPED) !== 0 ? headerLength : message.payload.readUInt32LE(4);
  return { errno, detail: readText(readAttributes(message.payload, 4 + aligned(echoed)), 1) };
}
