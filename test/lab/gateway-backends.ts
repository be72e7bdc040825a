/**
 * Backends of Gateway cases, as a program on a machine of a lab: on each of its ports HTTP/1.1, HTTP/2 in the clear and TLS, told apart by what
 * comes first. Answers the number of the port. `gateway-backends.ts FIRST COUNT CERTIFICATE KEY`, files in PEM; says `ready`.
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

const [first = '', count = '', certificate = '', key = ''] = process.argv.slice(2);
const tls = { cert: readFileSync(certificate), key: readFileSync(key) };

const ready = Array.from({ length: Number(count) }, (_, at) => {
  const port = Number(first) + at;
  const answer = (
    _request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ) => void (response as ServerResponse).end(`port ${port}`);
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
