/** What backends are told beside the request: a number that is its own, for logs and traces, and the port that clients know. */
import type { RouterTable } from '../main.ts';
import { setBytes, setVariable } from './request.ts';

const ffi = require('ffi') as FFI;
const bit = require('bit') as {
  readonly band: (this: void, value: number, mask: number) => number;
  readonly rshift: (this: void, value: number, by: number) => number;
};

/** 32 hexadecimal digits: the first half is this worker's, the other is drawn. Written over each time: no string is made of it. */
const digits = ffi.new<number>('unsigned char[32]');
/** The same memory, two digits a cell. */
const pairs = ffi.cast('uint16_t *', digits) as unknown as FFICells<number>;
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
  draw(0);
  draw(4);
}

/**
 * Sets what nginx.conf makes X-Request-Id of, and the trace of a `traceparent` (W3C Trace Context) where the client began none; and the port,
 * if it isn't the usual one.
 */
export function identify(pointer: FFIPointer, table: RouterTable, port: string): void {
  draw(8);
  draw(12);
  setBytes(pointer, 'netloom_id', digits, 32);
  const intent = table.ports[port];
  if (intent !== undefined && intent.port !== 80 && intent.port !== 443) {
    setVariable(pointer, 'netloom_port', tostring(intent.port));
  }
}

/** Eight digits. By hand: a loop would be a trace of its own. */
function draw(from: number): void {
  const number = math.random(0, 4_294_967_295);
  pairs[from] = hexadecimal[bit.band(number, 255)]!;
  pairs[from + 1] = hexadecimal[bit.band(bit.rshift(number, 8), 255)]!;
  pairs[from + 2] = hexadecimal[bit.band(bit.rshift(number, 16), 255)]!;
  pairs[from + 3] = hexadecimal[bit.band(bit.rshift(number, 24), 255)]!;
}
