/**
 * A client of the gateway, run in a network namespace of its own: asks again and again until an answer changes, and keeps WebSockets open.
 *
 *     node gateway-client.ts ADDRESS PORT SOCKET-PORT
 *
 * Lines in, lines out: `until HOST PATH STATUS [PAUSE]` (milliseconds between two questions) → nanoseconds of the monotonic clock when an answer with that status had come;
 * `load HOST PATH PAUSE` asks beside all else, until the end → `loading`; `failed` → how many of those had another answer than 200;
 * `sockets COUNT HOST PATH` opens that many → `opened`; `count` → how many of them still answer. A server of WebSockets listens on SOCKET-PORT.
 */
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';

const [address = '', port = '', socketPort = ''] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const sockets: WebSocket[] = [];
let failed = 0;

const server = new WebSocketServer({ port: Number(socketPort) });
server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await obey(line.split(' '))}\n`);
}
process.exit(0);

async function obey([command, ...words]: string[]): Promise<string> {
  if (command === 'until') {
    const [host = '', path = '', status = '', pause = '0'] = words;
    const deadline = Date.now() + 10_000;
    while (String(await ask(agent, host, path)) !== status) {
      if (Date.now() > deadline) return `never ${status}`;
      if (pause !== '0') await sleep(Number(pause));
    }
    return String(process.hrtime.bigint());
  }
  if (command === 'load') {
    const [host = '', path = '', pause = ''] = words;
    void load(host, path, Number(pause));
    return 'loading';
  }
  if (command === 'failed') return String(failed);
  if (command === 'sockets') {
    const [count = '', host = '', path = ''] = words;
    await Promise.all(Array.from({ length: Number(count) }, () => open(host, path)));
    return 'opened';
  }
  if (command === 'count') return String((await Promise.all(sockets.map(answers))).filter(Boolean).length);
  return `what is ${command}?`;
}

async function load(host: string, path: string, pause: number): Promise<never> {
  const own = new Agent({ keepAlive: true, maxSockets: 1 });
  for (;;) {
    if ((await ask(own, host, path).catch(() => 0)) !== 200) failed += 1;
    await sleep(pause);
  }
}

function ask(agent: Agent, host: string, path: string): Promise<number> {
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
