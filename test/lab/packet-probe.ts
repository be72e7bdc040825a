/** Opens connections and sends packets from a network namespace, and tells what came of it. */
import { createSocket } from 'node:dgram';
import { Socket } from 'node:net';
import { bind, linux } from '#system/libc.ts';
import { socketIn } from '#system/namespace.ts';
import { ping } from './packet-icmp.ts';
import { socketAddress } from './packet-raw.ts';
import { sctpProbe } from './packet-sctp.ts';
import type { ProbeAnswer, ProbeOrder } from './packets.ts';

/** A connection that stays open. */
export type Kept = { readonly socket: Socket; close(): void };

/** A pod that is gone mustn't hold the test up. */
const answerWithin = 1000;

export function probe(namespace: string | undefined, order: ProbeOrder): Promise<ProbeAnswer> {
  switch (order.protocol) {
    case 'tcp':
      return keep(namespace, order).then((result) => {
        if ('connection' in result) result.connection.close();
        return result.outcome;
      });
    case 'udp':
      return udp(namespace, order);
    case 'icmp':
      return ping(namespace, order);
    case 'sctp':
      return sctpProbe(namespace, order);
  }
}

/** Connects and reads the server's first line. */
export function keep(
  namespace: string | undefined,
  { target, source, port, timeoutMs }: ProbeOrder,
): Promise<{ readonly outcome: ProbeAnswer; readonly connection: Kept } | { readonly outcome: ProbeAnswer }> {
  const family = target.includes(':') ? linux.AF_INET6 : linux.AF_INET;
  const fd = socketIn(namespace, family, linux.SOCK_STREAM | linux.SOCK_NONBLOCK, 0);
  if (source !== undefined) bind(fd, socketAddress(source));
  // Node reads at once from a descriptor that it is given, before this one is connected.
  const options = { fd, manualStart: true };
  const socket = new Socket(options).setEncoding('utf8').setNoDelay(true);
  const close = () => void socket.destroy();
  return new Promise((resolve) => {
    let text = '';
    const fail = (outcome: ProbeAnswer): void => {
      clearTimeout(timer);
      close();
      resolve({ outcome });
    };
    const timer = setTimeout(() => fail({ outcome: 'dropped' }), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => fail(failed(error)));
    socket.on('data', (part: string) => {
      if (text.includes('\n')) return;
      text += part;
      if (!text.includes('\n')) return;
      clearTimeout(timer);
      resolve({ outcome: { outcome: 'allowed', ...greeting(text) }, connection: { socket, close } });
    });
    socket.connect({ host: target, port });
  });
}

/** Whether what is sent on it comes back. */
export function stillAnswers({ socket }: Kept): Promise<boolean> {
  if (socket.destroyed) return Promise.resolve(false);
  const word = `${Math.random()}\n`;
  return new Promise((resolve) => {
    let text = '';
    const end = (alive: boolean): void => {
      clearTimeout(timer);
      socket.off('data', take);
      resolve(alive);
    };
    const take = (part: string): void => {
      text += part;
      if (text.includes(word)) end(true);
    };
    const timer = setTimeout(() => end(false), answerWithin);
    socket.on('data', take);
    socket.write(word);
  });
}

function udp(
  namespace: string | undefined,
  { target, source, port, timeoutMs }: ProbeOrder,
): Promise<ProbeAnswer> {
  const six = target.includes(':');
  const type = linux.SOCK_DGRAM | linux.SOCK_NONBLOCK;
  const fd = socketIn(namespace, six ? linux.AF_INET6 : linux.AF_INET, type, 0);
  if (source !== undefined) bind(fd, socketAddress(source));
  const socket = createSocket(six ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    const timer = setTimeout(() => end({ outcome: 'dropped' }), timeoutMs);
    let ended = false;
    const end = (answer: ProbeAnswer): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    socket.on('error', (error) => end(failed(error)));
    socket.once('message', (message) => end({ outcome: 'allowed', ...greeting(message.toString('utf8')) }));
    socket.bind({ fd }, () =>
      socket.connect(port, target, () => {
        if (!ended) socket.send('who\n', (error) => void (error !== null && end(failed(error))));
      }),
    );
  });
}

/** `name address` of the server's first line. */
function greeting(text: string): { readonly server: string; readonly client: string } {
  const [server = '', client = ''] = (text.split('\n', 1)[0] ?? '').split(' ');
  return { server, client };
}

function failed(error: NodeJS.ErrnoException): ProbeAnswer {
  return error.code === 'ETIMEDOUT' ? { outcome: 'dropped' } : { outcome: 'refused', detail: error.message };
}
