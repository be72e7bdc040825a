/** What backends are told beside the request: a number that is its own, for logs and traces, and the port that clients know. */
import type { RouterTable } from '../main.ts';
import { setVariable } from './request.ts';

const bit = require('bit') as { readonly tohex: (this: void, value: number) => string };

/** Of this worker; the other half of each number is drawn. */
let own = '';

/** After a fork every worker would draw the same numbers. In init_worker_by_lua. */
export function seedIdentity(): void {
  const [file] = io.open('/dev/urandom', 'r');
  const bytes = file === undefined ? undefined : file.read(8);
  if (file !== undefined) file.close();
  let seed = ngx.now() * 1000 + ngx.worker.pid();
  if (bytes !== undefined) {
    for (let at = 0; at < 6; at++) seed = (seed * 256 + bytes.charCodeAt(at)) % 9_007_199_254_740_881;
  }
  math.randomseed(seed);
  own = bit.tohex(math.random(0, 2_147_483_647)) + bit.tohex(math.random(0, 2_147_483_647));
}

/**
 * 32 hexadecimal digits: X-Request-Id, and the trace of a `traceparent` (W3C Trace Context) where the client began none. nginx.conf makes the
 * headers of it.
 */
export function identify(pointer: FFIPointer, table: RouterTable, port: string): void {
  const high = bit.tohex(math.random(0, 2_147_483_647));
  const low = bit.tohex(math.random(0, 2_147_483_647));
  setVariable(pointer, 'netloom_id', own + high + low);
  const intent = table.ports[port];
  if (intent !== undefined && intent.port !== 80 && intent.port !== 443) {
    setVariable(pointer, 'netloom_port', tostring(intent.port));
  }
}
