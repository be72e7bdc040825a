/** Entries of connection tracking as its netlink messages have them: read by hand and without objects in between, since there may be hundreds of thousands. */
import { headerLength, typeMask } from './conntrack.ts';
import { aligned, bytes, nested } from './netlink-codec.ts';

/** Where the tuples and the id of an entry begin in its message (0: it has no id); status and mark themselves. */
export type TrackedEntry = {
  readonly orig: number;
  readonly reply: number;
  readonly id: number;
  readonly status: number;
  readonly mark: number;
};

/** One end of a tuple. An address is its bytes as a latin1 string; '': the tuple has none. */
export type End = { readonly address: string; readonly protocol: number; readonly port: number };

export const attribute = {
  tupleOrig: 1,
  tupleReply: 2,
  status: 3,
  mark: 8,
  id: 12,
  zone: 18,
  markMask: 21,
  filter: 25,
} as const;
export const tupleAttribute = { ip: 1, proto: 2 } as const;
export const ipAttribute = { v4Source: 1, v4Destination: 2, v6Source: 3, v6Destination: 4 } as const;
export const protoAttribute = { number: 1, sourcePort: 2, destinationPort: 3 } as const;
export const filterAttribute = { origFlags: 1, replyFlags: 2 } as const;

const ends = {
  source: { v4: ipAttribute.v4Source, v6: ipAttribute.v6Source, port: protoAttribute.sourcePort },
  destination: {
    v4: ipAttribute.v4Destination,
    v6: ipAttribute.v6Destination,
    port: protoAttribute.destinationPort,
  },
} as const;

/** Undefined for another zone's connections, which are another network's, and for what lacks a tuple. */
export function readEntry(payload: Buffer): TrackedEntry | undefined {
  let [orig, reply, id, status, mark] = [0, 0, 0, 0, 0];
  for (let at = headerLength; at + 4 <= payload.length; at += aligned(payload.readUInt16LE(at))) {
    if (payload.readUInt16LE(at) < 4) return undefined;
    const type = payload.readUInt16LE(at + 2) & typeMask;
    if (type === attribute.tupleOrig) orig = at;
    else if (type === attribute.tupleReply) reply = at;
    else if (type === attribute.status) status = payload.readUInt32BE(at + 4);
    else if (type === attribute.mark) mark = payload.readUInt32BE(at + 4);
    else if (type === attribute.id) id = at;
    else if (type === attribute.zone && payload.readUInt16BE(at + 4) !== 0) return undefined;
  }
  return orig === 0 || reply === 0 ? undefined : { orig, reply, id, status, mark };
}

/** Of the tuple at `tupleAt`. */
export function readEnd(data: Buffer, tupleAt: number, which: keyof typeof ends): End {
  const wanted = ends[which];
  let address = '';
  let protocol = 0;
  let port = 0;
  const end = tupleAt + data.readUInt16LE(tupleAt);
  for (let at = tupleAt + 4; at + 4 <= end; at += aligned(data.readUInt16LE(at))) {
    const type = data.readUInt16LE(at + 2) & typeMask;
    const innerEnd = at + data.readUInt16LE(at);
    if (innerEnd < at + 4) break;
    for (let inner = at + 4; inner + 4 <= innerEnd; inner += aligned(data.readUInt16LE(inner))) {
      const length = data.readUInt16LE(inner);
      if (length < 4) break;
      const kind = data.readUInt16LE(inner + 2) & typeMask;
      if (type === tupleAttribute.ip && (kind === wanted.v4 || kind === wanted.v6)) {
        address = data.toString('latin1', inner + 4, inner + length);
      } else if (type === tupleAttribute.proto && kind === protoAttribute.number) {
        protocol = data[inner + 4]!;
      } else if (type === tupleAttribute.proto && kind === wanted.port) {
        port = data.readUInt16BE(inner + 4);
      }
    }
  }
  return { address, protocol, port };
}

/** The original tuple for a request: copied, since a message lives no longer than its reading. */
export function copiedTuple(payload: Buffer, tupleAt: number): Buffer {
  return nested(attribute.tupleOrig, valueAt(payload, tupleAt));
}

/** The id for a request, copied; nothing where the entry has none. */
export function copiedId(payload: Buffer, idAt: number): readonly Buffer[] {
  return idAt === 0 ? [] : [bytes(attribute.id, valueAt(payload, idAt))];
}

function valueAt(payload: Buffer, at: number): Buffer {
  return payload.subarray(at + 4, at + payload.readUInt16LE(at));
}
