/** A client that sends a datagram every few milliseconds (lb-client.c), and what it missed. */
import { createInterface } from 'node:readline';
import type { Lab } from '#lab/client.ts';
import { eventually } from '#lab/eventually.ts';
import { inNode } from '#lab/paths.ts';

/** One datagram; times are milliseconds since the epoch. */
export type Sent = { readonly at: number; readonly answered?: number };

export type Outage = {
  readonly lost: number;
  /** From the first datagram that was lost to the one after the last; 0: none was. */
  readonly milliseconds: number;
};

/** As the goals have it. */
export const everyMs = 5;

/** Of datagrams in the order in which they were sent. */
export function outageOf(sent: readonly Sent[], every: number = everyMs): Outage {
  const lost = sent.filter(({ answered }) => answered === undefined);
  const [first] = lost;
  const last = lost.at(-1);
  if (first === undefined || last === undefined) return { lost: 0, milliseconds: 0 };
  const next = sent[sent.indexOf(last) + 1];
  return { lost: lost.length, milliseconds: (next?.at ?? last.at + every) - first.at };
}

export function parseSent(line: string): Sent | undefined {
  const [at, answered] = line.split(' ').map(Number);
  if (at === undefined || answered === undefined || Number.isNaN(at + answered)) return undefined;
  return { at: at / 1000, ...(answered === 0 ? {} : { answered: answered / 1000 }) };
}

export type Client = {
  /** Resolves when so many that were sent from now on were answered in a row. */
  steady(count: number, timeoutMs?: number): Promise<void>;
  /** Forgets what was before. */
  begin(): void;
  /** Ends it; gives all that was sent since `begin`, with the answers that were still on their way. */
  stop(): Promise<readonly Sent[]>;
};

const program = '/tmp/lb-client';

/** On each machine once, before clients start there. */
export async function compileClient(lab: Lab, machine: string): Promise<void> {
  const { code, stderr } = await lab.exec(machine, [
    'tcc',
    '-o',
    program,
    `${inNode.source}/bench/lb-client.c`,
  ]);
  if (code !== 0) throw new Error(`lb-client.c: ${stderr}`);
}

export async function startClient(lab: Lab, machine: string, address: string, port: number): Promise<Client> {
  const child = await lab.spawn(machine, [program, address, String(port), String(everyMs * 1000), '0']);
  let sent: Sent[] = [];
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
  const ended = new Promise<void>((resolve) =>
    child.once('close', (code, signal) => {
      complaint += `the client ended: ${code ?? signal}`;
      resolve();
    }),
  );
  createInterface({ input: child.stdout }).on('line', (line) => {
    const one = parseSent(line);
    if (one !== undefined) sent.push(one);
  });
  return {
    async steady(count, timeoutMs = 60_000) {
      const from = Date.now();
      await eventually(() => {
        const last = sent.slice(-count);
        const good = last.filter(({ at, answered }) => at >= from && answered !== undefined).length;
        if (good < count) throw new Error(`${address}: ${good} of the last ${count} answered; ${complaint}`);
      }, timeoutMs);
    },
    begin() {
      sent = [];
    },
    async stop() {
      child.stdin.end();
      await ended;
      return sent;
    },
  };
}
