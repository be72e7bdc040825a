/**
 * Pauses between tries. nginx's balancer can't wait, but every other try may go to a socket of nginx's own, which waits and then closes the
 * connection without a word: that is a failure like others, and the next try is the backend's.
 */
import { type RouterEndpoint, routerEndpoint } from '../main.ts';
import { currentRequest, variable } from './request.ts';

/** Milliseconds that there is a socket for, in nginx.conf. */
const pauses = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** The shortest that is at least so long (milliseconds), or the longest. */
export function pauseOf(backoff: number): RouterEndpoint {
  let chosen = pauses[pauses.length - 1]!;
  for (let at = pauses.length - 1; at >= 0; at--) if (pauses[at]! >= backoff) chosen = pauses[at]!;
  return routerEndpoint(`unix:/run/netloom-gateway/pause-${chosen}.sock`);
}

/** rewrite_by_lua of these sockets' server. */
export function pause(): void {
  const address = variable(currentRequest(), 'server_addr');
  const [milliseconds] = string.match(address === undefined ? '' : address, 'pause%-(%d+)');
  ngx.sleep(tonumber(milliseconds === undefined ? '0' : milliseconds)! / 1000);
  ngx.exit(444);
}
