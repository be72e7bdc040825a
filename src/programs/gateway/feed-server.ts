/** The feed: where the controller says what to hold, by TLS with the instance's own key and nothing else. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { GatewayRefusal } from '#intent/gateway.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createThinned } from '#telemetry/thinned.ts';
import type { Gateway } from './gateway.ts';
import { pskOptions } from './psk.ts';
import { readChange } from './state.ts';

export type FeedServer = {
  readonly port: number;
  close(): Promise<void>;
};

export type FeedServerOptions = {
  /** Absent: all of both families. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  /** `NAMESPACE/GATEWAY`; who names another one has dialled the wrong pod. */
  readonly identity: string;
  /** Asked at each handshake, so that a new key needs no restart. Throws when there is none. */
  readonly key: () => Buffer;
  readonly gateway: Pick<Gateway, 'accept' | 'status'>;
  /** Bytes of a change. */
  readonly bodyLimit?: number;
  readonly log: Log;
  readonly metrics: Registry;
};

/** Some ten times a whole of 10,000 routes. */
const defaultBodyLimit = 64 * 1024 * 1024;
/** Between two lines about others who knock. */
const sayEveryMs = 60_000;

/** Listens; rejects when the address is taken. */
export async function startFeedServer(options: FeedServerOptions): Promise<FeedServer> {
  const { identity, key, log } = options;
  const strangers = createThinned(sayEveryMs);
  const rejected = options.metrics.counter({
    name: 'netloom_gateway_feed_rejected_total',
    help: 'Connections to the feed that did not prove to know the key.',
  });
  const server = createServer(
    {
      ...pskOptions,
      pskCallback(_: TLSSocket, named: string) {
        try {
          return named === identity ? key() : null;
        } catch (error) {
          log.error('the key of the feed can not be read', { error });
          return null;
        }
      },
      handshakeTimeout: 5_000,
    },
    (request, response) => {
      route(request, response, options).catch((error: unknown) => {
        refuse(response, 503, error instanceof Error ? error.message : String(error), options);
      });
    },
  );
  server.on('tlsClientError', (error, socket) => {
    rejected.inc();
    const from = socket.remoteAddress;
    strangers.happened((times) =>
      log.warn('somebody who does not know the key was turned away from the feed', { from, error, times }),
    );
  });
  limitUnproven(server, () => rejected.inc());
  server.requestTimeout = 60_000;
  // Longer than the controller keeps a connection that it does not use.
  server.keepAliveTimeout = 300_000;
  server.maxConnections = 256;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: options.host, port: options.port }, resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Of one address, that haven't proven to know the key: whoever opens more and says nothing must not keep the controller out. */
const mostUnproven = 16;

function limitUnproven(server: Server, onRefused: () => void): void {
  const unproven = new Map<string, Set<number>>();
  const forget = (address: string, port: number): void => {
    const ports = unproven.get(address);
    ports?.delete(port);
    if (ports?.size === 0) unproven.delete(address);
  };
  server.on('connection', (socket) => {
    const { remoteAddress: address = '', remotePort: port = 0 } = socket as Socket;
    const ports = unproven.get(address) ?? new Set<number>();
    if (ports.size >= mostUnproven) {
      onRefused();
      socket.destroy();
      return;
    }
    unproven.set(address, ports.add(port));
    socket.once('close', () => forget(address, port));
  });
  server.on('secureConnection', ({ remoteAddress = '', remotePort = 0 }) =>
    forget(remoteAddress, remotePort),
  );
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  options: FeedServerOptions,
): Promise<void> {
  const { gateway } = options;
  switch (`${request.method} ${request.url}`) {
    case 'POST /v1/change': {
      const text = await readBody(request, options.bodyLimit ?? defaultBodyLimit);
      if (text === undefined) {
        // What is still on its way is not waited for.
        response.setHeader('connection', 'close');
        return refuse(response, 413, 'the change is too large', options);
      }
      const change = readChange(text);
      if ('wrong' in change) return refuse(response, 400, change.wrong, options);
      const answer = await gateway.accept(change);
      if ('refused' in answer) return refuse(response, 409, answer.refused, options);
      return send(response, 200, answer);
    }
    case 'GET /v1/status':
      return send(response, 200, gateway.status());
    default:
      return refuse(response, 404, 'try POST /v1/change or GET /v1/status', options);
  }
}

/** Undefined: longer than the limit. */
async function readBody(request: IncomingMessage, limit: number): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limit) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function refuse(response: ServerResponse, code: number, error: string, { gateway }: FeedServerOptions): void {
  send(response, code, { error, generation: gateway.status().generation } satisfies GatewayRefusal);
}

function send(response: ServerResponse, code: number, body: unknown): void {
  if (response.headersSent) return;
  response.writeHead(code, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
