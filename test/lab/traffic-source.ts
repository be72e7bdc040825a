/** Sends steady traffic until it is killed: runs in a pod, takes its flows as JSON, prints a JSON line an answer or fault. */
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setInterval as every, setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Flow, TrafficLine } from './traffic.ts';

const print = (line: TrafficLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
/** Longer than any answer takes, shorter than a test waits. */
const patience = 5000;

/** One connection for all time: a numbered line each 10 ms, which the other side sends back. */
async function stream({ id, host, port }: Flow): Promise<void> {
  const socket = connect({ host, port });
  let rest = '';
  socket.setNoDelay(true).setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((each) => /^\d+$/.test(each))) print({ id, n: Number(line) });
  });
  socket.on('error', (error) => print({ id, fault: error.message }));
  socket.on('close', () => print({ id, fault: 'the connection was cut' }));
  let n = 0;
  for await (const _ of every(10)) {
    if (socket.closed) return;
    n += 1;
    socket.write(`${n}\n`);
  }
}

/** A new connection each 20 ms; an answer that the server is at fault is none. */
async function requests(flow: Flow): Promise<void> {
  let n = 0;
  for await (const _ of every(20)) {
    n += 1;
    void ask(flow, n, false);
  }
}

/** One after the other, on one connection. */
async function kept(flow: Flow): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let n = 1; ; n += 1) {
    await ask(flow, n, agent);
    await sleep(10);
  }
}

function ask(
  { id, host, port, path = '/', name, status }: Flow,
  n: number,
  agent: Agent | false,
): Promise<void> {
  const fault = (what: string) => print({ id, fault: `${new Date().toISOString()} request ${n}: ${what}` });
  return new Promise((resolve) => {
    const headers = name === undefined ? {} : { host: name };
    const outgoing = request({ host, port, path, headers, agent, timeout: patience }, (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      response.on('error', (error) => fault(error.message));
      response.on('end', () => {
        if (status === undefined ? statusCode < 500 : statusCode === status) print({ id, n });
        else fault(String(statusCode));
      });
      response.on('close', resolve);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${patience} ms`)));
    outgoing.on('error', (error) => {
      fault(`${error.message}${outgoing.reusedSocket ? ' (on a kept connection)' : ''}`);
      resolve();
    });
    outgoing.end();
  });
}

/** One connection for all time: a numbered message each 20 ms, which comes back. */
async function websocket({ id, host, port, path = '/', name }: Flow): Promise<void> {
  const url = `ws://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
  const socket = new WebSocket(url, name === undefined ? {} : { headers: { host: name } });
  socket.on('message', (data) => {
    const n = Number(data instanceof Buffer ? data.toString() : Number.NaN);
    if (Number.isInteger(n)) print({ id, n });
  });
  socket.on('error', (error) => print({ id, fault: error.message }));
  socket.on('close', (code) =>
    print({ id, fault: `${new Date().toISOString()} the connection was closed: ${code}` }),
  );
  let n = 0;
  for await (const _ of every(20)) {
    if (socket.readyState === WebSocket.CLOSED) return;
    if (socket.readyState !== WebSocket.OPEN) continue;
    n += 1;
    socket.send(String(n));
  }
}

const senders = { stream, requests, kept, websocket };
const flows = JSON.parse(process.argv[2] ?? '[]') as readonly (Flow & { kind: keyof typeof senders })[];
await Promise.all(flows.map((flow) => senders[flow.kind](flow)));
