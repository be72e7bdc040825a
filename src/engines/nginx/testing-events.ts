/**
 * A backend that goes on only when the client has seen what it said last, and that client, over HTTP/2 by TLS: what a gateway holds back stops
 * both. A program inside a sandbox: `node testing-events.ts PORT HOST GATEWAY-PORT ACCEPT` prints what was seen, `stuck` if that was not all.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:http2';

const [port = '', host = '', gatewayPort = '', accept = ''] = process.argv.slice(2);
const seen: string[] = [];
const say = (last: string) => {
  process.stdout.write(`${[...seen, last].join(' ')}\n`);
  process.exit(0);
};
setTimeout(() => say('stuck'), 5_000);

let answer: ServerResponse | undefined;
const server = createServer((request, response) => {
  answer = response;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  // A stream of events begins with silence; any other one with its first chunk.
  if (request.headers.accept === 'text/event-stream') response.flushHeaders();
  else response.write('first');
});
server.listen(Number(port), '127.0.0.1');
await once(server, 'listening');

const session = connect(`https://127.0.0.1:${gatewayPort}`, { servername: host, rejectUnauthorized: false });
session.on('error', (error) => say(String(error)));
const stream = session.request({ ':authority': host, ':path': '/events', accept });
stream.setEncoding('utf8');
stream.on('response', (headers) => {
  seen.push(String(headers[':status']));
  if (accept === 'text/event-stream') answer?.write('first');
});
stream.on('data', (text: string) => {
  seen.push(text);
  if (text === 'first') answer?.write('second');
  else answer?.end();
});
stream.on('end', () => say('end'));
