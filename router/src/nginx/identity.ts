/** What backends are told beside the request: a number that is its own, for logs and traces, and the port that clients know. */
import type { RouterTable } from '../main.ts';
import { numberedLength, numberedVariable, pointNumbered, valuesOf } from './variables.ts';
import type { Visit } from './visits.ts';

const ffi = require('ffi') as FFI;
const bit = require('bit') as {
  readonly band: (this: void, value: number, mask: number) => number;
  readonly rshift: (this: void, value: number, by: number) => number;
};

/** A `traceparent` whose 32 digits are the number. */
const trace = { before: '00-', after: '-6e65746c6f6f6d01-00', length: 55 } as const;
const digitsInIt = 32;

/** What a visit's request is known by, in memory that nginx reads as long as the request lasts. No string is made of it. */
export type Identity = {
  /** What the others point into: gone once nobody has it. */
  readonly memory: FFICells<number>;
  /** `00-DIGITS-…`. */
  readonly trace: FFICells<number>;
  readonly digits: FFICells<number>;
  /** The digits, two a cell. */
  readonly pairs: FFICells<number>;
};

const id = numberedVariable('netloom_id');
const requestId = numberedVariable('netloom_request_id');
const parent = numberedVariable('netloom_trace');
const givenRequestId = numberedVariable('http_x_request_id');
const givenParent = numberedVariable('http_traceparent');
const portVariable = numberedVariable('netloom_port');
/** Ports as text. */
const ports: Record<number, { readonly bytes: FFICells<number>; readonly length: number } | undefined> = {};

/** The first half of each number is this worker's, the other is drawn. */
const first = ffi.new<number>('uint16_t[8]');
/** Two digits, by the byte that they stand for. */
const hexadecimal = ffi.new<number>('uint16_t[256]');
const bytesOfPair = ffi.cast('unsigned char *', hexadecimal) as unknown as FFICells<number>;

/** After a fork every worker would draw the same numbers. In init_worker_by_lua. */
export function seedIdentity(): void {
  for (let byte = 0; byte < 256; byte++) {
    const text = string.format('%02x', byte);
    bytesOfPair[2 * byte] = text.charCodeAt(0);
    bytesOfPair[2 * byte + 1] = text.charCodeAt(1);
  }
  const [file] = io.open('/dev/urandom', 'r');
  const bytes = file === undefined ? undefined : file.read(8);
  if (file !== undefined) file.close();
  let seed = ngx.now() * 1000 + ngx.worker.pid();
  if (bytes !== undefined) {
    for (let at = 0; at < 6; at++) seed = (seed * 256 + bytes.charCodeAt(at)) % 9_007_199_254_740_881;
  }
  math.randomseed(seed);
  draw(first, 0);
  draw(first, 4);
}

/**
 * Says what nginx.conf makes X-Request-Id of, and the trace of a `traceparent` (W3C Trace Context), or these themselves where the client began
 * none: it would find out with a lookup each. And the port that clients know.
 */
export function identify(pointer: FFIPointer, visit: Visit, table: RouterTable, port: string): void {
  let own = visit.identity;
  if (own === undefined) {
    own = createIdentity();
    visit.identity = own;
  }
  draw(own.pairs, 8);
  draw(own.pairs, 12);
  const values = valuesOf(pointer);
  pointNumbered(pointer, values, id, own.digits, digitsInIt);
  if (numberedLength(pointer, givenRequestId) === 0)
    pointNumbered(pointer, values, requestId, own.digits, digitsInIt);
  if (numberedLength(pointer, givenParent) === 0)
    pointNumbered(pointer, values, parent, own.trace, trace.length);
  const intent = table.ports[port];
  if (intent === undefined) return;
  let text = ports[intent.port];
  if (text === undefined) {
    text = textOfPort(intent.port);
    ports[intent.port] = text;
  }
  pointNumbered(pointer, values, portVariable, text.bytes, text.length);
}

function createIdentity(): Identity {
  // One byte to begin with, so that pairs of digits are where pairs of bytes are.
  const memory = ffi.new<number>('unsigned char[56]');
  const start = ffi.cast('unsigned char *', memory) as unknown as number;
  const at = (place: number): FFICells<number> => (start + place) as unknown as FFICells<number>;
  ffi.copy(at(1), trace.before, trace.before.length);
  ffi.copy(at(4), first, digitsInIt / 2);
  ffi.copy(at(4 + digitsInIt), trace.after, trace.after.length);
  return {
    memory,
    trace: at(1),
    digits: at(4),
    pairs: ffi.cast('uint16_t *', at(4)) as unknown as FFICells<number>,
  };
}

function textOfPort(port: number): { bytes: FFICells<number>; length: number } {
  const text = tostring(port);
  const bytes = ffi.new<number>('unsigned char[8]');
  ffi.copy(bytes, text, text.length);
  return { bytes, length: text.length };
}

/** Eight digits. By hand: a loop would be a trace of its own. */
function draw(pairs: FFICells<number>, from: number): void {
  const number = math.random(0, 4_294_967_295);
  pairs[from] = hexadecimal[bit.band(number, 255)]!;
  pairs[from + 1] = hexadecimal[bit.band(bit.rshift(number, 8), 255)]!;
  pairs[from + 2] = hexadecimal[bit.band(bit.rshift(number, 16), 255)]!;
  pairs[from + 3] = hexadecimal[bit.band(bit.rshift(number, 24), 255)]!;
}
