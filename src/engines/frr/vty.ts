/** Speaks with one FRR daemon over its vty socket, as vtysh does: a command and a zero byte; text, three zero bytes and a status. */
import { createConnection } from 'node:net';

export type Answer = {
  readonly text: string;
  /** 0: done (lib/command.h, CMD_SUCCESS). */
  readonly status: number;
};

export type Vty = {
  command(text: string): Promise<Answer>;
  close(): void;
};

const timeoutMs = 5_000;

/** Rejects while the daemon doesn't listen. The session may read everything and configure. */
export async function openVty(path: string): Promise<Vty> {
  const socket = createConnection(path);
  socket.setTimeout(timeoutMs);
  let received = Buffer.alloc(0);
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
  const fail = (error: Error): void => {
    waiting?.reject(error);
    waiting = undefined;
    socket.destroy();
  };
  socket.on('timeout', () => fail(new Error(`${path}: no answer within ${timeoutMs / 1000} s`)));
  socket.on('error', fail);
  socket.on('close', () => fail(new Error(`${path}: the daemon ended the session`)));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const at = received.length - 4;
    if (at < 0 || received[at] !== 0 || received[at + 1] !== 0 || received[at + 2] !== 0) return;
    const answer = { text: received.subarray(0, at).toString('utf8'), status: received[at + 3]! };
    received = Buffer.alloc(0);
    waiting?.resolve(answer);
    waiting = undefined;
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const vty: Vty = {
    command: (text) =>
      new Promise((resolve, reject) => {
        // A zero byte or a line's end would be a second command.
        if (/[\0\r\n]/.test(text)) return reject(new Error('a command is one line'));
        if (socket.destroyed || waiting !== undefined)
          return reject(new Error(`${path}: the session is not free`));
        waiting = { resolve, reject };
        socket.write(`${text}\0`);
      }),
    close: () => socket.destroy(),
  };
  await vty.command('enable');
  return vty;
}
