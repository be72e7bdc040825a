/** Reads request bodies in Kubernetes' protobuf encoding, which kubectl's `create` commands send; answers are always JSON. */
import { readFileSync } from 'node:fs';
import { badRequest } from '../errors.ts';

/** JSON name ('' for an embedded struct), shape as generate.ts writes it, and whether a zero value is kept. */
export type Field = readonly [string, string, 0 | 1];
export type Messages = Record<string, Readonly<Record<string, Field>>>;

let loaded: Messages | undefined;

function messages(): Messages {
  const read = (): Messages => {
    const text = readFileSync(new URL('../schema/data/protobuf.json', import.meta.url), 'utf8');
    return (JSON.parse(text) as { readonly messages: Messages }).messages;
  };
  loaded ??= read();
  return loaded;
}

const magic = Buffer.from('k8s\0');

/**
 * The object in a body of type application/vnd.kubernetes.protobuf: `k8s\0` and a runtime.Unknown
 * (apimachinery/pkg/runtime/generated.proto). Throws a 400 for what is cut, wrong or of an unknown kind.
 */
export function decodeProtobuf(body: Buffer): Record<string, unknown> {
  if (!body.subarray(0, 4).equals(magic)) throw badRequest('the body is not Kubernetes protobuf');
  let apiVersion = '';
  let kind = '';
  let raw: Buffer = Buffer.alloc(0);
  try {
    for (const [number, value] of fieldsOf(body.subarray(4))) {
      if (number === 1) {
        for (const [part, text] of fieldsOf(bytesOf(value))) {
          if (part === 1) apiVersion = bytesOf(text).toString();
          if (part === 2) kind = bytesOf(text).toString();
        }
      }
      if (number === 2) raw = bytesOf(value);
    }
    const type = messageName(apiVersion, kind);
    if (messages()[type] === undefined)
      throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`);
    return { apiVersion, kind, ...decodeMessage(raw, type) };
  } catch (error) {
    if (error instanceof RangeError) throw badRequest('the protobuf body is damaged');
    throw error;
  }
}

function messageName(apiVersion: string, kind: string): string {
  if (kind === 'DeleteOptions') return 'meta/v1.DeleteOptions';
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
  return `${group!.split('.')[0]}/${version}.${kind}`;
}

type WireValue = bigint | Buffer;

function bytesOf(value: WireValue): Buffer {
  if (typeof value === 'bigint') throw new RangeError('a length-delimited field was expected');
  return value;
}

/** The fields of a message (protobuf.dev/programming-guides/encoding). */
function* fieldsOf(bytes: Buffer): Generator<readonly [number, WireValue]> {
  let offset = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (offset >= bytes.length || shift > 63n) throw new RangeError('varint');
      const byte = bytes[offset++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    if (offset + length > bytes.length) throw new RangeError('length');
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  while (offset < bytes.length) {
    const key = Number(varint());
    const wire = key & 7;
    const number = key >>> 3;
    if (wire === 0) yield [number, varint()];
    else if (wire === 1) yield [number, take(8)];
    else if (wire === 2) yield [number, take(Number(varint()))];
    else if (wire === 5) yield [number, take(4)];
    else throw new RangeError('wire type');
  }
}

function decodeMessage(bytes: Buffer, type: string): Record<string, unknown> {
  const definition = messages()[type]!;
  const out: Record<string, unknown> = {};
  for (const [number, wire] of fieldsOf(bytes)) {
    const field = definition[String(number)];
    if (field === undefined) continue;
    const [name, shape, keep] = field;
    if (shape.startsWith('[')) {
      const list = (out[name] ?? []) as unknown[];
      list.push(decodeValue(wire, shape.slice(1)));
      out[name] = list;
    } else if (shape.startsWith('{')) {
      const [key, value] = mapEntry(bytesOf(wire), shape.slice(1));
      const map = (out[name] ?? {}) as Record<string, unknown>;
      define(map, key, value);
      out[name] = map;
    } else if (name === '') {
      Object.assign(out, decodeValue(wire, shape));
    } else {
      const value = decodeValue(wire, shape);
      if (value !== undefined && (keep === 1 || !isZero(value))) out[name] = value;
    }
  }
  return out;
}

function mapEntry(bytes: Buffer, shape: string): readonly [string, unknown] {
  let key = '';
  let value: unknown = zeroOf(shape);
  for (const [number, wire] of fieldsOf(bytes)) {
    if (number === 1) key = bytesOf(wire).toString();
    if (number === 2) value = decodeValue(wire, shape);
  }
  return [key, value];
}

/** A key such as `__proto__` must become a plain member. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function zeroOf(shape: string): unknown {
  if (shape === 'string' || shape === 'bytes') return '';
  return shape.startsWith('(') || shape.startsWith('[') ? [] : {};
}

function isZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === '' || value === 0 || value === false;
}

function decodeValue(wire: WireValue, shape: string): unknown {
  switch (shape) {
    case 'string':
      return bytesOf(wire).toString();
    case 'bytes':
      return bytesOf(wire).toString('base64');
    case 'bool':
      return wire === 1n;
    case 'int':
      return Number(BigInt.asIntN(64, wire as bigint));
    case 'double':
      return bytesOf(wire).readDoubleLE();
    case 'time':
      return time(bytesOf(wire), 0);
    case 'microTime':
      return time(bytesOf(wire), 6);
    case 'duration':
      return `${Number(numbers(bytesOf(wire)).get(1) ?? 0n) / 1e9}s`;
    case 'quantity':
      return texts(bytesOf(wire)).get(1) ?? '0';
    case 'raw':
      return JSON.parse(texts(bytesOf(wire)).get(1) || 'null');
    case 'intOrString':
      return intOrString(bytesOf(wire));
    default:
      if (!shape.startsWith('(')) return decodeMessage(bytesOf(wire), shape);
      return [...fieldsOf(bytesOf(wire))].map(([, item]) => decodeValue(item, shape.slice(1)));
  }
}

function numbers(bytes: Buffer): ReadonlyMap<number, bigint> {
  const found = [...fieldsOf(bytes)].filter(
    (entry): entry is [number, bigint] => typeof entry[1] === 'bigint',
  );
  return new Map(found.map(([number, value]) => [number, BigInt.asIntN(64, value)]));
}

function texts(bytes: Buffer): ReadonlyMap<number, string> {
  const found = [...fieldsOf(bytes)].filter(
    (entry): entry is [number, Buffer] => typeof entry[1] !== 'bigint',
  );
  return new Map(found.map(([number, value]) => [number, value.toString()]));
}

/** Seconds since 1970 and nanoseconds; the zero time is absent. */
function time(bytes: Buffer, digits: 0 | 6): string | undefined {
  const parts = numbers(bytes);
  const seconds = parts.get(1);
  if (seconds === undefined) return undefined;
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) throw new RangeError('time');
  const whole = date.toISOString().slice(0, 19);
  const fraction = String((parts.get(2) ?? 0n) / 1000n).padStart(6, '0');
  return digits === 0 ? `${whole}Z` : `${whole}.${fraction}Z`;
}

/** Type 0: the number; type 1: the string (apimachinery/pkg/util/intstr). */
function intOrString(bytes: Buffer): number | string {
  if (numbers(bytes).get(1) === 1n) return texts(bytes).get(3) ?? '';
  return Number(numbers(bytes).get(2) ?? 0n);
}
