/**
 * Backends of Gateway cases, as a program on a machine of a lab: on each of its ports HTTP/1.1, HTTP/2 in the clear and TLS, told apart by what
 * comes first. Answers what it was asked (`BackendAnswer`); a request may ask for `status=N`, `wait=MS`, `fail=N` of `id=NAME` (503 to the first
 * N), and `others=NAME`: an answer of nobody, 404, unless another port was asked with that id. `gateway-backends.ts FIRST COUNT CERTIFICATE KEY`, files in PEM; says `ready`.
 */
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Socket } from 'node:net';

export type BackendAnswer = {
  readonly port: number;
  readonly path: string;
  /** Of HTTP: `1.1`, `2.0`. */
  readonly version: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
};

/** How often by `id`. */
const asked = new Map<string, number>();
/** By whom. */
const askers = new Map<string, Set<number>>();
const [first = '', count = '', certificate = '', key = ''] = process.argv.slice(2);
const tls = { cert: readFileSync(certificate), key: readFileSync(key) };

const ready = Array.from({ length: Number(count) }, (_, at) => {
  const port = Number(first) + at;
  const answer = (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): void => {
    const { searchParams: wish } = new URL(request.url ?? '/', 'http://backend');
    const id = wish.get('id') ?? '';
    const before = asked.get(id) ?? 0;
    asked.set(id, before + 1);
    askers.set(id, (askers.get(id) ?? new Set()).add(port));
    const others = wish.get('others');
    const isAlone =
      others !== null && (askers.get(others) ?? new Set()).difference(new Set([port])).size === 0;
    const failed = before < Number(wish.get('fail') ?? 0);
    const headers = { host: request.headers[':authority'], ...request.headers };
    const told: BackendAnswer = { port, path: request.url ?? '', version: request.httpVersion, headers };
    setTimeout(
      () => {
        const out = response as ServerResponse;
        if (isAlone) return out.writeHead(404).end();
        out.writeHead(failed ? 503 : Number(wish.get('status') ?? 200), { 'x-backend': `${port}` });
        out.end(JSON.stringify(told));
      },
      Number(wish.get('wait') ?? 0),
    );
  };
  const plain = createHttpServer(answer);
  const h2c = createHttp2Server(answer);
  const secure = createHttpsServer(tls, answer);
  for (const server of [h2c, secure]) server.on('sessionError', () => {});
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    // As it comes, and put back: servers that are given a connection begin with what was read already.
    socket.once('readable', () => {
      const part = socket.read() as Buffer | null;
      if (part === null) return socket.destroy();
      socket.unshift(part);
      const of = part[0] === 0x16 ? secure : part.toString('latin1', 0, 3) === 'PRI' ? h2c : plain;
      of.emit('connection', socket);
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(port, '::', resolve);
  return promise;
});
await Promise.all(ready);
process.stdout.write('ready\n');
