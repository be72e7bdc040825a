/** One HTTP exchange with the API server: sockets, TLS, credentials and deadlines; no meaning. */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ConnectionError } from './errors.ts';

/** Where the server is and who we are. PEM texts, not file names. */
export type Endpoint = {
  /** `https://host:port`, with a path if the API lives below one; `http` is for tests and local proxies. */
  readonly server: string;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Name to verify the server's certificate for, when it isn't the host. */
  readonly serverName?: string | undefined;
  readonly insecureSkipTlsVerify?: boolean | undefined;
  /** Bearer token; a function is asked before each request, so that a rotated token is used. */
  readonly token?: string | (() => string | undefined | Promise<string | undefined>) | undefined;
  readonly userAgent?: string | undefined;
  /** Sockets for calls; watches have one each beside. Default 8. */
  readonly maxSockets?: number | undefined;
};

export type Exchange = {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A call: time to the last byte. A stream: time to the response's head. */
  readonly timeoutMilliseconds: number;
};

export type Answer = {
  readonly code: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
};

export type Stream = {
  readonly code: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Rejects when the connection is cut before the end. Leaving the loop closes the connection. */
  readonly chunks: http.IncomingMessage;
};

export type Transport = {
  /** Sends and reads the whole answer. Throws ConnectionError. */
  call(exchange: Exchange): Promise<Answer>;
  /** Sends and gives the answer's body as it comes; ends with an error after `silenceMilliseconds` without a byte. */
  stream(exchange: Exchange, silenceMilliseconds: number): Promise<Stream>;
  /** Calls `listener` each time the server answers after it could not be reached. Gives the function that ends it. */
  onRecovery(listener: () => void): () => void;
  close(): void;
};

/** Kernel probes from 15 s of silence find a vanished peer within half a minute (libuv: ten probes, a second apart). */
const keepAliveMilliseconds = 15_000;
const maxAnswerBytes = 256 * 1024 * 1024;

export function createTransport(endpoint: Endpoint): Transport {
  const url = new URL(endpoint.server);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new Error(`API server ${endpoint.server}: neither https nor http`);
  }
  const secure = url.protocol === 'https:';
  const tls = {
    ca: endpoint.ca,
    cert: endpoint.cert,
    key: endpoint.key,
    servername: endpoint.serverName,
    rejectUnauthorized: endpoint.insecureSkipTlsVerify !== true,
  };
  const sockets = { keepAlive: true, keepAliveMsecs: keepAliveMilliseconds, scheduling: 'lifo' as const };
  const pool = { ...sockets, maxSockets: endpoint.maxSockets ?? 8, maxFreeSockets: 2, timeout: 90_000 };
  const callAgent = secure ? new https.Agent({ ...pool, ...tls }) : new http.Agent(pool);
  const streamAgent = secure
    ? new https.Agent({ ...sockets, maxFreeSockets: 0, ...tls })
    : new http.Agent({ ...sockets, maxFreeSockets: 0 });
  const base = url.pathname.replace(/\/$/, '');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const listeners = new Set<() => void>();
  let isAway = false;

  const open = async (exchange: Exchange, agent: http.Agent): Promise<Opened> => {
    const token = typeof endpoint.token === 'function' ? await endpoint.token() : endpoint.token;
    const headers: Record<string, string> = {
      accept: 'application/json',
      'user-agent': endpoint.userAgent ?? 'netloom',
      ...exchange.headers,
    };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (exchange.body !== undefined) headers['content-length'] = String(Buffer.byteLength(exchange.body));
    const options = {
      host,
      port: url.port,
      method: exchange.method,
      path: base + exchange.path,
      headers,
      agent,
    };
    try {
      const answered = await opened(secure ? https.request(options) : http.request(options), exchange);
      if (isAway) for (const listener of listeners) listener();
      isAway = false;
      return answered;
    } catch (error) {
      isAway ||= exchange.signal?.aborted !== true;
      throw error;
    }
  };

  return {
    async call(exchange) {
      const { request, response, fail, finish } = await open(exchange, callAgent);
      const chunks: Buffer[] = [];
      let size = 0;
      try {
        for await (const chunk of response as AsyncIterable<Buffer>) {
          size += chunk.length;
          if (size > maxAnswerBytes) throw new Error(`an answer of more than ${maxAnswerBytes} bytes`);
          chunks.push(chunk);
        }
      } catch (error) {
        request.destroy();
        throw fail(error);
      } finally {
        finish();
      }
      const text = Buffer.concat(chunks).toString('utf8');
      return { code: response.statusCode ?? 0, headers: response.headers, text };
    },
    async stream(exchange, silenceMilliseconds) {
      const { request, response, finish } = await open(exchange, streamAgent);
      // The deadline was for the head; from here on only silence and the caller's signal end the stream.
      finish();
      const { signal } = exchange;
      const abort = (): void => void response.destroy(new Error('stopped'));
      signal?.addEventListener('abort', abort, { once: true });
      response.once('close', () => signal?.removeEventListener('abort', abort));
      request.setTimeout(silenceMilliseconds, () => {
        response.destroy(
          new ConnectionError(`no byte for ${silenceMilliseconds / 1000} s`, 'ETIMEDOUT', true),
        );
      });
      if (signal?.aborted) abort();
      return { code: response.statusCode ?? 0, headers: response.headers, chunks: response };
    },
    onRecovery(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      callAgent.destroy();
      streamAgent.destroy();
    },
  };
}

type Opened = {
  readonly request: http.ClientRequest;
  readonly response: http.IncomingMessage;
  readonly fail: (error: unknown) => ConnectionError;
  readonly finish: () => void;
};

/** Sockets that were connected once. */
const used = new WeakSet<Socket>();

/** Writes the request and waits for the response's head, under the deadline and the signal. */
function opened(request: http.ClientRequest, exchange: Exchange): Promise<Opened> {
  const { promise, resolve, reject } = Promise.withResolvers<Opened>();
  let connected = false;
  let late = false;
  const fail = (cause: unknown): ConnectionError => {
    const code = late ? 'ETIMEDOUT' : ((cause as NodeJS.ErrnoException).code ?? 'ECONNRESET');
    const what = late
      ? `no answer within ${exchange.timeoutMilliseconds / 1000} s`
      : (cause as Error).message || code;
    return new ConnectionError(`${exchange.method} ${exchange.path}: ${what}`, code, connected, cause);
  };
  const timer = setTimeout(() => {
    late = true;
    request.destroy(new Error('deadline'));
  }, exchange.timeoutMilliseconds);
  const abort = (): void => void request.destroy(new Error('stopped'));
  const finish = (): void => {
    clearTimeout(timer);
    exchange.signal?.removeEventListener('abort', abort);
  };
  exchange.signal?.addEventListener('abort', abort, { once: true });
  request.on('socket', (socket) => {
    // TLS ends its handshake before the first byte of a request is written.
    const ready = (socket as TLSSocket).encrypted ? 'secureConnect' : 'connect';
    // A request that waited for a socket gets a used one without being told so.
    if (request.reusedSocket || used.has(socket)) connected = true;
    else {
      socket.once(ready, () => {
        used.add(socket);
        connected = true;
      });
    }
  });
  request.on('error', (error) => {
    finish();
    reject(fail(error));
  });
  request.on('response', (response) => resolve({ request, response, fail, finish }));
  if (exchange.signal?.aborted) abort();
  else request.end(exchange.body);
  return promise;
}
