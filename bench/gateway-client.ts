/**
 * A client of the gateway, run in a network namespace of its own: asks again and again until an answer changes, and keeps WebSockets open.
 *
 *     node gateway-client.ts ADDRESS PORT SOCKET-PORT
 *
 * Lines in, lines out: `until HOST PATH STATUS` → nanoseconds of the monotonic clock when an answer with that status had come;
 * `sockets COUNT HOST PATH` opens that many → `opened`; `count` → how many of them still answer. A server of WebSockets listens on SOCKET-PORT.
 */
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { WebSocket, WebSocketServer } from 'ws';

const [address = '', port = '', socketPort = ''] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const sockets: WebSocket[] = [];

const server = new WebSocketServer({ port: Number(socketPort) });
server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await obey(line.split(' '))}\n`);
}
process.exit(0);

async function obey([command, ...words]: string[]): Promise<string> {
  if (command === 'until') {
    const [host = '', path = '', status = ''] = words;
    const deadline = Date.now() + 10_000;
    while (String(await ask(host, path)) !== status) {
      if (Date.now() > deadline) return `never ${status}`;
    }
    return String(process.hrtime.bigint());
  }
  if (command === 'sockets') {
    const [count = '', host = '', path = ''] = words;
    await Promise.all(Array.from({ length: Number(count) }, () => open(host, path)));
    return 'opened';
  }
  if (command === 'count') return String((await Promise.all(sockets.map(answers))).filter(Boolean).length);
  return `what is ${command}?`;
}

function ask(host: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ agent, host: address, port, path, headers: { Host: host } }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    asked.on('error', reject);
    asked.end();
  });
}

function open(host: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${address}:${port}${path}`, { headers: { Host: host } });
    socket.once('open', () => {
      sockets.push(socket);
      resolve();
    });
    socket.once('error', reject);
  });
}

function answers(socket: WebSocket): Promise<boolean> {
  if (socket.readyState !== WebSocket.OPEN) return Promise.resolve(false);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 5_000);
    socket.once('message', () => {
      clearTimeout(timer);
      resolve(true);
    });
    socket.send('are you there');
  });
}
