/** Who answers a Service, time and again: which requests had no answer, and since when none goes to a node that died. */
import { createInterface } from 'node:readline';
import type { Lab } from '#lab/client.ts';
import { eventually } from '#lab/eventually.ts';
import { inNode } from '#lab/paths.ts';

export type AskingFlow = {
  readonly id: string;
  readonly kind: 'requests' | 'datagrams';
  readonly host: string;
  readonly port: number;
};

/** One request, sent at `at` (Unix milliseconds); without a pod nobody answered. */
export type Asked = { readonly id: string; readonly at: number; readonly pod?: string };

export type Asking = {
  /** Waits until the next 60 requests of each flow, from now on, are answered, and by these pods. */
  answeredBy(pods: readonly string[], deadline: number): Promise<void>;
  /** Waits until each of these pods answered one of each flow's new requests; of `datagrams` one will do. */
  reaches(pods: readonly string[], deadline: number): Promise<void>;
  /** Milliseconds from then until the last request that failed was sent, by flow; undefined: none failed. */
  lastFailure(since: number): ReadonlyMap<string, number | undefined>;
  stop(): void;
};

const enough = 60;

export async function startAsking(
  lab: Lab,
  from: { readonly where: string; readonly netns?: string },
  flows: readonly AskingFlow[],
): Promise<Asking> {
  const asked = new Map<string, Asked[]>(flows.map(({ id }) => [id, []]));
  const enter = from.netns === undefined ? [] : ['ip', 'netns', 'exec', from.netns];
  const script = `${inNode.source}/test/lab/failover-source.ts`;
  const child = await lab.spawn(from.where, [...enter, 'node', script, JSON.stringify(flows)]);
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Asked;
    asked.get(line.id)?.push(line);
  });
  let complaint = '';
  child.stderr.on('data', (part: Buffer) => {
    complaint += part.toString('utf8');
  });
  const since = (id: string, from: number): Asked[] => (asked.get(id) ?? []).filter(({ at }) => at >= from);

  return {
    answeredBy: (pods, deadline) =>
      eventually(() => {
        for (const { id } of flows) {
          const last = (asked.get(id) ?? []).toSorted((a, b) => a.at - b.at).slice(-enough);
          const wrong = last.filter(({ pod }) => pod === undefined || !pods.includes(pod));
          if (last.length < enough || wrong.length > 0)
            throw new Error(`${id}: of ${last.length} requests ${wrong.length} failed ${complaint}`);
        }
      }, deadline),
    reaches: (pods, deadline) => {
      const from = Date.now();
      return eventually(() => {
        for (const { id, kind } of flows) {
          const answering = new Set(since(id, from).flatMap(({ pod }) => pod ?? []));
          const missing = pods.filter((pod) => !answering.has(pod));
          if (kind === 'requests' ? missing.length > 0 : missing.length === pods.length)
            throw new Error(`${id}: nothing from ${missing.join(', ')} ${complaint}`);
        }
      }, deadline);
    },
    lastFailure: (from) =>
      new Map(
        flows.map(({ id }) => {
          const failed = since(id, from).filter(({ pod }) => pod === undefined);
          return [id, failed.length === 0 ? undefined : Math.max(...failed.map(({ at }) => at)) - from];
        }),
      ),
    stop: () => void child.kill(),
  };
}
