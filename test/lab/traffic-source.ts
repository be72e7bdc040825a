/** Sends steady traffic until it is killed: runs in a pod, takes its flows as JSON, prints a JSON line an answer or fault. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { setInterval as every } from 'node:timers/promises';
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
async function requests({ id, host, port }: Flow): Promise<void> {
  let n = 0;
  for await (const _ of every(20)) {
    n += 1;
    const number = n;
    const outgoing = request({ host, port, agent: false, timeout: patience }, (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      response.on('end', () =>
        print(statusCode < 500 ? { id, n: number } : { id, fault: `request ${number}: ${statusCode}` }),
      );
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${patience} ms`)));
    outgoing.on('error', (error) => print({ id, fault: `request ${number}: ${error.message}` }));
    outgoing.end();
  }
}

const flows = JSON.parse(process.argv[2] ?? '[]') as readonly Flow[];
await Promise.all(flows.map((flow) => (flow.kind === 'stream' ? stream(flow) : requests(flow))));
