/**
 * Backends for tests of the gateway, as a program inside a sandbox: each answers what it is told with its own name.
 *
 *     node testing-peers.ts '[{"name":"a","kind":"tcp","port":9001}, …]'
 *
 * `tcp`: `NAME PEER TEXT` per piece of text; `tls`: the same above TLS with its own certificate (`pem`: file); `udp`: `NAME TEXT`;
 * `http`: the request's headers as JSON. Says `ready` when all listen.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

export type Peer = {
  readonly name: string;
  readonly kind: 'tcp' | 'tls' | 'udp' | 'http';
  readonly port: number;
  readonly host?: string;
  readonly pem?: string;
};

async function start(peer: Peer): Promise<void> {
  const host = peer.host ?? '127.0.0.1';
  if (peer.kind === 'udp') {
    const socket = createSocket('udp4');
    socket.on('message', (text, from) =>
      socket.send(`${peer.name} ${text.toString()}`, from.port, from.address),
    );
    socket.bind(peer.port, host);
    await once(socket, 'listening');
    return;
  }
  if (peer.kind === 'http') {
    const server = createHttpServer((request, response) =>
      response.end(`${JSON.stringify({ name: peer.name, url: request.url, headers: request.headers })}\n`),
    );
    await once(server.listen(peer.port, host), 'listening');
    return;
  }
  const answer = (socket: Socket) => {
    socket.on('data', (text) => socket.write(`${peer.name} ${socket.remoteAddress} ${text.toString()}`));
    socket.on('error', () => socket.destroy());
  };
  const pem = peer.pem === undefined ? undefined : readFileSync(peer.pem);
  const server = pem === undefined ? createServer(answer) : createTlsServer({ key: pem, cert: pem }, answer);
  await once(server.listen(peer.port, host), 'listening');
}

if (import.meta.main) {
  const peers = JSON.parse(process.argv[2] ?? '[]') as Peer[];
  for (const peer of peers) await start(peer);
  process.stdout.write('ready\n');
}
