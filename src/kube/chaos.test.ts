/** The lab's API server is killed and stopped at random moments while objects are written: nothing may be missed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { sleep } from './backoff.ts';
import { type Client, createClient, isAlreadyExists, isConflict, isNotFound } from './client.ts';
import { type Informer, startInformer } from './informer.ts';
import { type LabServer, startLabServer } from './testing/labserver.ts';
import { bearWitness, eventually, versions } from './testing/witness.ts';

const configMapType: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
};
const namespace = 'default';
const long = process.env.NETLOOM_LONG === '1';

let server: LabServer;
beforeAll(async () => {
  // A short memory, so that some restarts answer 410 and some resume.
  server = await startLabServer({ historySize: 100 });
});
afterAll(() => server.close());

/** What was last acknowledged for each name, and what was tried after that and may or may not have happened. */
type Ledger = Map<string, { acknowledged: string | undefined; possible: Set<string | undefined> }>;

/** Writes one object at a time, as programs do: an unclear outcome is neither believed nor forgotten. */
async function write(client: Client, ledger: Ledger, name: string, value: string | undefined): Promise<void> {
  const entry = ledger.get(name) ?? { acknowledged: undefined, possible: new Set() };
  ledger.set(name, entry);
  entry.possible.add(value);
  const labels = { parity: Number(value ?? 0) % 2 === 0 ? 'even' : 'odd' };
  const body = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, labels },
    data: { value },
  };
  try {
    if (value === undefined)
      await client.delete(configMapType, name, { namespace }).catch(unless(isNotFound));
    else {
      const created = await client.create<KubeObject>(configMapType, body).catch(unless(isAlreadyExists));
      if (created === undefined) {
        const patch = { kind: 'merge', body: { metadata: { labels }, data: { value } } } as const;
        await client.patch(configMapType, { name, namespace }, patch, { retries: 0 });
      }
    }
    entry.acknowledged = value;
    entry.possible = new Set();
  } catch (error) {
    if (isConflict(error)) throw error;
  }
}

const unless =
  (expected: (error: unknown) => boolean) =>
  (error: unknown): undefined => {
    if (!expected(error)) throw error;
  };

test('after any number of kills, every cache is what the server holds, and no acknowledged write is lost', async () => {
  const client = createClient({ ...server.config, retries: 1, requestsPerSecond: 1e6, burst: 1e6 });
  const options = {
    silenceSeconds: 3,
    pageSize: 10,
    backoff: { baseMilliseconds: 20, maxMilliseconds: 200 },
  };
  const everything = startInformer(client, configMapType, { ...options, namespace });
  const even = startInformer(client, configMapType, { ...options, namespace, labelSelector: 'parity=even' });
  const witnesses = [bearWitness(everything), bearWitness(even)];
  const ledgers: Ledger[] = [];
  const ending = new AbortController();
  const writers = Array.from({ length: 3 }, async (_, writer) => {
    const ledger: Ledger = new Map();
    ledgers.push(ledger);
    for (let n = 0; !ending.signal.aborted; n += 1) {
      const name = `w${writer}-${Math.floor(Math.random() * 15)}`;
      await write(client, ledger, name, Math.random() < 0.25 ? undefined : String(n));
      await sleep(Math.random() * 6);
    }
  });
  await Promise.all([everything.synced, even.synced]);

  const until = performance.now() + (long ? 180_000 : 7_000);
  let kills = 0;
  while (performance.now() < until) {
    await sleep(300 + Math.random() * 900);
    if (Math.random() < 0.3) {
      server.pause();
      await sleep(Math.random() * 500);
      server.resume();
      continue;
    }
    await server.kill();
    kills += 1;
    await sleep(Math.random() * 300);
    await server.start();
  }
  ending.abort();
  await Promise.all(writers);

  const truth = (await client.list(configMapType, { namespace })).items;
  const evens = truth.filter((object) => object.metadata.labels?.['parity'] === 'even');
  const same = (informer: Informer<KubeObject>, objects: readonly KubeObject[]): boolean =>
    JSON.stringify(versions(informer.list())) === JSON.stringify(versions(objects));
  await eventually(() => same(everything, truth) && same(even, evens), {
    describe: () => JSON.stringify({ cache: versions(everything.list()), server: versions(truth) }),
  });
  for (const { faults } of witnesses) expect(faults).toEqual([]);
  expect(versions(witnesses[0]?.folded.values() ?? [])).toEqual(versions(truth));
  expect(versions(witnesses[1]?.folded.values() ?? [])).toEqual(versions(evens));

  const held = new Map(truth.map((object) => [object.metadata.name, object]));
  const lost = ledgers
    .flatMap((ledger) => [...ledger])
    .filter(([name, { acknowledged, possible }]) => {
      const value = (held.get(name) as { data?: { value?: string } } | undefined)?.data?.value;
      return value !== acknowledged && !possible.has(value);
    });
  expect(lost).toEqual([]);
  if (long) console.info(`${kills} kills, ${witnesses[0]?.changes.length} changes`);
  expect(kills).toBeGreaterThan(1);
  expect(witnesses[0]?.changes.length).toBeGreaterThan(100);
  everything.stop();
  even.stop();
  client.close();
}, 300_000);
