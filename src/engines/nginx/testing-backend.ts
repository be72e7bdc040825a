/**
 * Backends for tests of the HTTP part, as a program inside a sandbox: each answers what it was asked, under its own name.
 *
 *     node testing-backend.ts a:9001 b:9002 h:9101/h2c u:/run/u.sock
 *
 * The answer is JSON (`Echo`). What a request asks for itself by its query: `status=N`, `wait=MS` before the answer, `drip=MS` between ten
 * pieces of it, `size=BYTES`, `answer=NAME:VALUE` a header, `fail=N` 503 to the first N requests with the same `id`. Paths `/events`
 * (server-sent events), `/log` (what came to `id`), and upgrades to `websocket`, which are echoed. Says `ready` when all listen.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, type Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Echo = {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly version: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Names and values as they came. */
  readonly raw: readonly string[];
  /** Bytes of the body, and their SHA-256. */
  readonly length: number;
  readonly sum: string;
  /** How many requests came over the same connection before. */
  readonly earlier: number;
};

const seen = new Map<string, Echo[]>();
const connections = new WeakMap<object, number>();

async function answer(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { searchParams: query, pathname } = new URL(request.url ?? '/', 'http://test');
  const id = query.get('id') ?? (request.headers['x-test-id'] as string | undefined) ?? '';
  if (pathname === '/log') return void response.end(JSON.stringify(seen.get(id) ?? []));
  const socket = request.socket instanceof Socket ? request.socket : request;
  const earlier = connections.get(socket) ?? 0;
  connections.set(socket, earlier + 1);
  if (pathname === '/events') return events(response);
  if (pathname.endsWith('/Check')) return check(request, response);
  if (pathname.endsWith('/Stream')) return stream(request, response);

  const hash = createHash('sha256');
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    hash.update(piece);
    length += piece.length;
  }
  const echo: Echo = {
    name,
    method: request.method ?? '',
    url: request.url ?? '',
    version: request.httpVersion,
    headers: request.headers as Record<string, string>,
    raw: request.rawHeaders ?? [],
    length,
    sum: hash.digest('hex'),
    earlier,
  };
  const before = seen.get(id) ?? [];
  seen.set(id, [...before, echo]);
  if (query.has('wait')) await sleep(Number(query.get('wait')));
  for (const header of query.getAll('answer')) {
    const colon = header.indexOf(':');
    response.appendHeader(header.slice(0, colon), header.slice(colon + 1));
  }
  response.setHeader('X-Backend', name);
  const failing = before.length < Number(query.get('fail') ?? 0);
  response.statusCode = failing ? Number(query.get('with') ?? 503) : Number(query.get('status') ?? 200);
  if (query.has('drip')) return drip(response, Number(query.get('drip')));
  if (query.has('size')) return void response.end(Buffer.alloc(Number(query.get('size')), 'x'));
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(echo));
}

async function drip(response: ServerResponse, pause: number): Promise<void> {
  for (let piece = 0; piece < 10; piece++) {
    response.write(`${piece}`);
    await sleep(pause);
  }
  response.end();
}

/** An authorization service (envoy.service.auth.v3): says no to requests that say `deny` anywhere, nonsense to those that say `nonsense`. */
async function check(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  const asked = Buffer.concat(pieces).toString('latin1');
  const field = (number: number, content: string | number): string =>
    typeof content === 'number'
      ? String.fromCharCode(number * 8, (content % 128) | (content > 127 ? 128 : 0)) +
        (content > 127 ? String.fromCharCode(content >> 7) : '')
      : String.fromCharCode(number * 8 + 2, content.length) + content;
  const header = (name: string, value: string) => field(2, field(1, field(1, name) + field(2, value)));
  // What was asked for comes back by its length and what is found in it.
  const seen = ['x-ask', 'x-not', '/g?q=1', 'any.test', 'the body']
    .filter((text) => asked.includes(text))
    .join(' ');
  const message = asked.includes('nonsense')
    ? '\x0a\x7fshort'
    : asked.includes('deny')
      ? field(1, field(1, 7)) +
        field(2, field(1, field(1, 401)) + header('www-authenticate', 'Basic') + field(3, 'no'))
      : field(1, '') + field(3, header('x-user', 'joe') + header('x-seen', seen) + field(5, 'x-not'));
  response.setHeader('Content-Type', 'application/grpc');
  response.addTrailers({ 'grpc-status': '0' });
  response.end(Buffer.from(`\0\0\0\0${String.fromCharCode(message.length)}${message}`, 'latin1'));
}

/** Begins to answer before anything is asked, gives back what comes as it comes, and ends with a status in trailers. */
async function stream(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('Content-Type', 'application/grpc');
  response.flushHeaders();
  for await (const piece of request as AsyncIterable<Buffer>) response.write(piece);
  response.addTrailers({ 'grpc-status': '3' });
  response.end();
}

async function events(response: ServerResponse): Promise<void> {
  response.setHeader('Content-Type', 'text/event-stream');
  for (let event = 0; event < 20; event++) {
    response.write(`data: ${event}\n\n`);
    await sleep(100);
  }
  response.end();
}

/** RFC 6455 as far as a handshake; what follows goes back as it came. */
function upgrade(request: IncomingMessage, socket: Socket): void {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}\r\n\r\n`,
  );
  socket.pipe(socket);
  socket.on('error', () => socket.destroy());
}

async function start(argument: string): Promise<AddressInfo | string | null> {
  const colon = argument.indexOf(':');
  const name = argument.slice(0, colon);
  const rest = argument.slice(colon + 1);
  const isH2c = rest.endsWith('/h2c');
  const where = isH2c ? rest.slice(0, -4) : rest;
  const listener = (request: unknown, response: unknown) => {
    answer(name, request as IncomingMessage, response as ServerResponse).catch(() => {
      (response as ServerResponse).destroy();
    });
  };
  const server: Server = isH2c
    ? createHttp2Server(listener)
    : createServer({ keepAliveTimeout: 60_000 }, listener).on('upgrade', upgrade as never);
  await once(
    where.startsWith('/') ? server.listen(where) : server.listen(Number(where), '127.0.0.1'),
    'listening',
  );
  return server.address();
}

if (import.meta.main) {
  for (const argument of process.argv.slice(2)) await start(argument);
  process.stdout.write('ready\n');
}
