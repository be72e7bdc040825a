/** One question to an endpoint: a connection, or a request over HTTP/1.1 or HTTP/2. */
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import type { GatewayHealthCheck } from '#intent/gateway-policy.ts';

export type Probed = {
  readonly check: GatewayHealthCheck;
  /** `ADDRESS:PORT`, IPv6 in brackets. */
  readonly endpoint: string;
  /** Where it is reached instead, by TLS of the originator. */
  readonly socket?: string;
  readonly protocol: 'http1' | 'http2';
};

/** Resolves to why it isn't well; undefined: it is. Never rejects, and takes no longer than the check may. */
export async function probe(asked: Probed, signal: AbortSignal): Promise<string | undefined> {
  const { check } = asked;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(check.timeout)]);
  const late = () => `no answer within ${check.timeout} ms`;
  try {
    if (check.protocol === 'tcp') {
      await connected(open({ ...asked, socket: undefined }), deadline);
      return undefined;
    }
    const status = await (asked.protocol === 'http2' ? askHttp2 : askHttp1)(asked, deadline);
    const codes = check.codes ?? [[200, 399]];
    return codes.some(([from, to]) => status >= from && status <= to) ? undefined : `it answers ${status}`;
  } catch (error) {
    return deadline.aborted ? late() : (error as Error).message || String(error);
  }
}

function open({
  endpoint,
  socket,
}: Pick<Probed, 'endpoint'> & { readonly socket?: string | undefined }): Socket {
  if (socket !== undefined) return connect({ path: socket });
  const colon = endpoint.lastIndexOf(':');
  const host = endpoint.slice(0, colon).replace(/^\[|\]$/g, '');
  return connect({ host, port: Number(endpoint.slice(colon + 1)) });
}

/** Resolves when the connection is there, and closes it. */
function connected(socket: Socket, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve);
  return settle(promise, reject, socket, signal, () => socket.destroy());
}

function askHttp1(asked: Probed, signal: AbortSignal): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = request({
    method: 'GET',
    path: asked.check.path ?? '/',
    headers: { Host: hostOf(asked), 'User-Agent': agent, Connection: 'close' },
    createConnection: () => open(asked),
  });
  sent.once('response', (response) => resolve(response.statusCode ?? 0));
  sent.end();
  return settle(promise, reject, sent, signal, () => sent.destroy());
}

function askHttp2(asked: Probed, signal: AbortSignal): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const session = connectHttp2('http://health', { createConnection: () => open(asked) });
  const stream = session.request({
    ':method': 'GET',
    ':path': asked.check.path ?? '/',
    ':authority': hostOf(asked),
    'user-agent': agent,
  });
  stream.once('response', (headers) => resolve(headers[':status'] ?? 0));
  stream.once('error', reject);
  stream.once('close', () => reject(new Error('the connection ends without an answer')));
  stream.resume();
  return settle(promise, reject, session, signal, () => session.destroy());
}

const agent = 'netloom-health';

function hostOf({ check, endpoint }: Probed): string {
  return check.host ?? endpoint;
}

/** Whatever comes of it, nothing stays open, and an error that comes afterwards is nobody's. */
async function settle<T>(
  promise: Promise<T>,
  reject: (error: Error) => void,
  source: { on(event: 'error' | 'close', heard: (error?: Error) => void): unknown },
  signal: AbortSignal,
  end: () => void,
): Promise<T> {
  const aborted = () => reject(new Error('aborted'));
  signal.addEventListener('abort', aborted, { once: true });
  if (signal.aborted) aborted();
  source.on('error', (error) => reject(error ?? new Error('it fails')));
  source.on('close', () => reject(new Error('the connection ends without an answer')));
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', aborted);
    end();
  }
}
