/** Asks a Service again and again until it is killed: runs on a machine or in a pod, takes its flows as JSON, prints a line an answer. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setInterval as every } from 'node:timers/promises';
import type { Asked, AskingFlow } from './failover-traffic.ts';

/** Who has no answer by then has none. */
const patience = 400;
const step = 10;

const print = (line: Asked): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** A new connection each time; the other side begins with its name. */
async function requests({ id, host, port }: AskingFlow): Promise<void> {
  for await (const _ of every(step)) {
    const at = Date.now();
    const socket = connect({ host, port });
    const end = (pod: string | undefined): void => {
      if (socket.destroyed) return;
      socket.destroy();
      print({ id, at, ...(pod === undefined ? {} : { pod }) });
    };
    socket.setTimeout(patience, () => end(undefined));
    socket.on('error', () => end(undefined));
    socket.once('data', (data) => end(data.toString('utf8').split(' ', 1)[0]));
  }
}

/** One flow for all time, as a resolver's; an answer is the other side's name and what it got. */
async function datagrams({ id, host, port }: AskingFlow): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const open = new Set<number>();
  socket.on('error', () => {});
  socket.on('message', (message) => {
    const text = message.toString('utf8');
    const at = Number(/at=(\d+)/.exec(text)?.[1]);
    if (open.delete(at)) print({ id, at, pod: text.split(' ', 1)[0] ?? '' });
  });
  for await (const _ of every(step)) {
    const at = Date.now();
    open.add(at);
    socket.send(`at=${at}`, port, host, () => {});
    for (const sent of open) {
      if (sent > at - patience) break;
      open.delete(sent);
      print({ id, at: sent });
    }
  }
}

const flows = JSON.parse(process.argv[2] ?? '[]') as readonly AskingFlow[];
await Promise.all(flows.map((flow) => (flow.kind === 'datagrams' ? datagrams(flow) : requests(flow))));
