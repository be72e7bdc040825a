/** Steady traffic out of a pod, past API server and kubelet: what got through, and what did not. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Lab } from '#lab/client.ts';
import { eventually } from '#lab/eventually.ts';
import { inNode } from '#lab/paths.ts';

export type Flow = {
  readonly id: string;
  /**
   * Echo requests 10 ms apart; one connection with a line each 10 ms; a new connection each 20 ms; requests 10 ms apart on a connection that
   * is kept for as long as the server likes; a WebSocket with a message each 20 ms.
   */
  readonly kind: 'ping' | 'stream' | 'requests' | 'kept' | 'websocket';
  readonly host: string;
  /** Not for ping. */
  readonly port: number;
  /** Of requests: default `/`. */
  readonly path?: string;
  /** Of requests: the Host header. */
  readonly name?: string;
  /** Of requests: the one answer that is none of a fault's; default any below 500. */
  readonly status?: number;
};

export type Sender = { readonly node: string; readonly netns?: string };

export type TrafficLine =
  | { readonly id: string; readonly n: number }
  | { readonly id: string; readonly fault: string };

export type Traffic = {
  /** Waits until every flow (or those `of` takes) has had 20 more answers: what is lost forever shows as a deadline here or in `faults`. */
  proceed(of?: (id: string) => boolean): Promise<void>;
  /** Cut connections, failed requests, and the numbers of pings that have no answer though a later one has. */
  faults(): readonly string[];
  /** Longest time without an answer, in milliseconds, by flow. */
  gaps(): ReadonlyMap<string, number>;
  stop(): void;
};

/** A pod, or the node's own network, sends; the senders end with `stop` or with the node. */
export async function startTraffic(lab: Lab, from: Sender, flows: readonly Flow[]): Promise<Traffic> {
  const answered = new Map(flows.map((flow) => [flow.id, new Set<number>()]));
  const last = new Map<string, number>();
  const gaps = new Map<string, number>();
  const faults: string[] = [];
  const children: ChildProcessWithoutNullStreams[] = [];
  let stopped = false;

  const take = (line: TrafficLine): void => {
    if ('fault' in line) {
      faults.push(`${line.id}: ${line.fault}`);
      return;
    }
    const now = performance.now();
    const since = last.get(line.id);
    if (since !== undefined) gaps.set(line.id, Math.max(gaps.get(line.id) ?? 0, now - since));
    last.set(line.id, now);
    answered.get(line.id)?.add(line.n);
  };
  const start = async (
    argv: readonly string[],
    id: string,
    parse: (text: string) => TrafficLine | undefined,
  ) => {
    const child = await lab.spawn(from.node, [
      ...(from.netns === undefined ? [] : ['ip', 'netns', 'exec', from.netns]),
      ...argv,
    ]);
    children.push(child);
    let complaint = '';
    child.stderr.on('data', (part: Buffer) => {
      complaint += part.toString('utf8');
    });
    child.once('exit', () => {
      if (!stopped) faults.push(`${id}: the sender ended: ${complaint.trim()}`);
    });
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = parse(text);
      if (line !== undefined) take(line);
    });
  };

  for (const { id, host } of flows.filter(({ kind }) => kind === 'ping')) {
    await start(['ping', '-n', '-i', '0.01', host], id, (text) => {
      const n = /icmp_seq=(\d+) ttl=/.exec(text)?.[1];
      return n === undefined ? undefined : { id, n: Number(n) };
    });
  }
  const rest = flows.filter(({ kind }) => kind !== 'ping');
  if (rest.length > 0) {
    const argv = ['node', `${inNode.source}/test/lab/traffic-source.ts`, JSON.stringify(rest)];
    await start(argv, 'connections', (text) => JSON.parse(text) as TrafficLine);
  }

  return {
    async proceed(of = () => true) {
      const answers = 20;
      const before = new Map([...answered].map(([id, set]) => [id, set.size]));
      await eventually(() => {
        for (const [id, set] of answered) {
          if (!of(id)) continue;
          const more = set.size - (before.get(id) ?? 0);
          if (more < answers) throw new Error(`${id}: ${more} of ${answers} answers; ${faults.join('; ')}`);
        }
      });
    },
    faults: () => [
      ...faults,
      ...flows
        .filter(({ kind }) => kind === 'ping')
        .flatMap(({ id }) =>
          missing(answered.get(id) ?? new Set()).map((n) => `${id}: packet ${n} was lost`),
        ),
    ],
    gaps: () => gaps,
    stop() {
      stopped = true;
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

function missing(seen: ReadonlySet<number>): number[] {
  const greatest = Math.max(0, ...seen);
  return Array.from({ length: greatest }, (_, i) => i + 1).filter((n) => !seen.has(n));
}
