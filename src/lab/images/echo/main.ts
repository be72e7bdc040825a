/**
 * The image `netloom/echo`: answers on HTTP (with WebSocket and, prior-knowledge h2c, gRPC), TCP and UDP with what came and who answers.
 * Ports by environment or flags: HTTP_PORT 8080, TCP_PORT 8081, UDP_PORT 8082, GRPC_PORT 8083 (`--http-port 80`, …); 0 turns one off.
 */

import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { flushCompileCache } from 'node:module';
import { createServer as createTcpServer } from 'node:net';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { answerGrpc } from './grpc.ts';
import { answerHttp, plainAddress, portOf } from './http.ts';

const { values: flags } = parseArgs({
  options: {
    'http-port': { type: 'string' },
    'tcp-port': { type: 'string' },
    'udp-port': { type: 'string' },
    'grpc-port': { type: 'string' },
  },
});
const name = process.env.POD_NAME ?? hostname();
const ports = {
  http: portOf(flags['http-port'] ?? process.env.HTTP_PORT, 8080),
  tcp: portOf(flags['tcp-port'] ?? process.env.TCP_PORT, 8081),
  udp: portOf(flags['udp-port'] ?? process.env.UDP_PORT, 8082),
  grpc: portOf(flags['grpc-port'] ?? process.env.GRPC_PORT, 8083),
};
const fail = (what: string) => (error: Error) => {
  process.stderr.write(`${what}: ${error.message}\n`);
  process.exit(1);
};

if (ports.http > 0) {
  const server = createServer((request, response) => void answerHttp(name, request, response));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    socket.send(
      JSON.stringify({ pod: name, path: request.url, remote: plainAddress(request.socket.remoteAddress) }),
    );
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.on('error', () => socket.terminate());
  });
  server.on('error', fail(`HTTP port ${ports.http}`)).listen(ports.http, '::');
}
if (ports.tcp > 0) {
  const server = createTcpServer((socket) => {
    // What a client sends comes back; the first line says who answers and whom it sees.
    socket.write(`${name} ${plainAddress(socket.remoteAddress)} ${socket.remotePort}\n`);
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.on('error', fail(`TCP port ${ports.tcp}`)).listen(ports.tcp, '::');
}
if (ports.udp > 0) {
  // A socket a family: an answer must leave from the address that was asked, which a dual-stack socket shows in another form.
  for (const type of ['udp4', 'udp6'] as const) {
    const socket = createSocket({ type, ipv6Only: type === 'udp6' });
    socket.on('message', (message, { address, port }) => {
      socket.send(`${name} ${address} ${port}\n${message.toString()}`, port, address);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A pod of one family has no address of the other.
      if (error.code !== 'EAFNOSUPPORT' && error.code !== 'EADDRNOTAVAIL')
        fail(`UDP port ${ports.udp}`)(error);
    });
    socket.bind(ports.udp);
  }
}
if (ports.grpc > 0) {
  const server = createHttp2Server();
  server.on('stream', (stream, headers) => answerGrpc(name, stream, headers));
  server.on('error', fail(`gRPC port ${ports.grpc}`)).listen(ports.grpc, '::');
}
// A process that is killed would not keep it (NODE_COMPILE_CACHE).
flushCompileCache();
process.stdout.write(`${name} answers on ${JSON.stringify(ports)}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
