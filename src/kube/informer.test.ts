/** The watch cache against a server that misbehaves: nothing is missed, nothing goes back in time. */
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { createLog } from '#telemetry/log.ts';
import { createClient } from './client.ts';
import { type Informer, type InformerOptions, startInformer } from './informer.ts';
import { type HostileServer, type Mischief, startHostileServer, widgetType } from './testing/hostile.ts';
import { bearWitness, eventually, versions } from './testing/witness.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const quick = { silenceSeconds: 0.3, pageSize: 7, backoff: { baseMilliseconds: 5, maxMilliseconds: 50 } };

async function openServer(random: () => number = Math.random): Promise<HostileServer> {
  const server = await startHostileServer(random);
  cleanups.push(() => server.stop());
  return server;
}

function openInformer<T = KubeObject>(
  server: HostileServer,
  options: InformerOptions<KubeObject, T> = {},
): Informer<T> {
  const client = createClient({ server: server.url, requestsPerSecond: 1e6, burst: 1e6, retries: 1 });
  const informer = startInformer<KubeObject, T>(client, widgetType, { ...quick, ...options });
  cleanups.push(
    () => client.close(),
    () => informer.stop(),
  );
  return informer;
}

const caughtUp = (server: HostileServer, informer: Informer<KubeObject>) =>
  eventually(() => JSON.stringify(versions(informer.list())) === JSON.stringify(versions(server.state())), {
    describe: () => JSON.stringify({ cache: versions(informer.list()), server: versions(server.state()) }),
  });

describe('a quiet server', () => {
  test('list, then every kind of change, by key and by index', async () => {
    const server = await openServer();
    for (let i = 0; i < 20; i += 1) server.put(`w${i}`, i % 3);
    const informer = openInformer(server, { indexers: { value: (object) => [String(object.value)] } });
    expect(informer.hasSynced()).toBe(false);
    await informer.synced;
    const witness = bearWitness(informer);
    expect(informer.list()).toHaveLength(20);
    expect(informer.byIndex('value', '0').map((object) => object.metadata.name)).toContain('w3');
    server.put('w3', 1);
    server.remove('w0');
    server.put('new', 0);
    await caughtUp(server, informer);
    expect(informer.get('default', 'w3')?.value).toBe(1);
    expect(informer.get('default', 'w0')).toBeUndefined();
    const zeros = informer.byIndex('value', '0').map((object) => object.metadata.name);
    expect(zeros.toSorted()).toEqual(['new', 'w12', 'w15', 'w18', 'w6', 'w9']);
    expect(() => informer.byIndex('colour', 'red')).toThrow('no index');
    expect(witness.faults).toEqual([]);
    // One list of three pages, one watch: nothing was asked twice.
    expect(server.seen).toEqual({ lists: 3, watches: 1, absent: 0 });
  });

  test('a handler that throws or unsubscribes leaves the others undisturbed', async () => {
    const server = await openServer();
    const informer = openInformer(server, { log: createLog({ write: () => {} }) });
    await informer.synced;
    informer.onChange(() => {
      throw new Error('broken');
    });
    let told = 0;
    const end = informer.onChange(() => {
      told += 1;
      end();
    });
    const witness = bearWitness(informer);
    server.put('a', 1);
    server.put('b', 1);
    await eventually(() => witness.changes.length === 2);
    expect(told).toBe(1);
  });

  test('a handler that comes late is told what is there already', async () => {
    const server = await openServer();
    server.put('a', 1);
    const informer = openInformer(server);
    await informer.synced;
    const witness = bearWitness(informer);
    expect(witness.changes).toMatchObject([{ key: 'default/a', new: { value: 1 } }]);
  });

  test('transform keeps only what it gives, leaves out what it refuses, and equal values are not told', async () => {
    const server = await openServer();
    server.put('even', 2);
    server.put('odd', 1);
    const informer = openInformer<{ readonly half: number }>(server, {
      transform: (object) => {
        const value = object.value as number;
        return value % 2 === 0 ? { half: Math.floor(value / 4) } : undefined;
      },
      equal: (a, b) => a.half === b.half,
    });
    await informer.synced;
    const changes: unknown[] = [];
    informer.onChange(({ key, old, new: next }) => changes.push([key, old?.half, next?.half]));
    server.put('odd', 4);
    server.put('odd', 6);
    server.put('odd', 8);
    server.put('odd', 9);
    server.put('odd', 10);
    await eventually(() => changes.length === 5);
    expect(changes).toEqual([
      ['default/even', undefined, 0],
      ['default/odd', undefined, 1],
      ['default/odd', 1, 2],
      ['default/odd', 2, undefined],
      ['default/odd', undefined, 2],
    ]);
  });

  test('a transform that throws keeps what was there; a comparison that throws counts as a change', async () => {
    const server = await openServer();
    server.put('a', 1);
    const lines: string[] = [];
    const informer = openInformer<number>(server, {
      log: createLog({ write: (line) => lines.push(line) }),
      transform: ({ value }) => {
        if (value === 2) throw new Error('two');
        return value as number;
      },
      equal: () => {
        throw new Error('never equal');
      },
    });
    await informer.synced;
    server.put('a', 2);
    server.put('b', 1);
    await eventually(() => informer.get('default', 'b') === 1);
    expect(informer.get('default', 'a')).toBe(1);
    server.put('a', 3);
    await eventually(() => informer.get('default', 'a') === 3);
    expect(lines.join('')).toContain('"a transform failed" kind="Widget" key="default/a" error="two"');
    // Neither broke the watch.
    expect(server.seen.watches).toBe(1);
  });

  test('values are frozen: a handler can not change what others see', async () => {
    const server = await openServer();
    server.put('a', { list: [1] });
    const informer = openInformer(server);
    await informer.synced;
    const value = informer.get('default', 'a')?.value as { list: number[] };
    expect(() => value.list.push(2)).toThrow(TypeError);
  });

  test('resync tells every object again, unchanged', async () => {
    const server = await openServer();
    server.put('a', 1);
    const informer = openInformer(server, { resyncSeconds: 0.02 });
    await informer.synced;
    let again = 0;
    informer.onChange(({ old, new: next }) => {
      if (old !== undefined && old === next) again += 1;
    });
    await eventually(() => again > 2);
  });

  test('stopped before it synced, `synced` rejects', async () => {
    const server = await openServer();
    await server.stop();
    const informer = openInformer(server);
    informer.stop();
    await expect(informer.synced).rejects.toThrow('stopped');
    await server.start();
  });
});

describe('gaps', () => {
  test('what was deleted, made and recreated while the server was away is told afterwards', async () => {
    const server = await openServer();
    for (const name of ['stays', 'goes', 'is-remade', 'changes']) server.put(name, 1);
    const informer = openInformer(server);
    await informer.synced;
    const witness = bearWitness(informer);
    const before = witness.changes.length;
    await server.stop();
    server.remove('goes');
    server.recreate('is-remade', 2);
    server.put('changes', 2);
    server.put('comes', 1);
    server.compact();
    await server.start();
    await caughtUp(server, informer);
    const told = witness.changes.slice(before).map(({ key, old, new: next }) => {
      return `${key.slice(8)} ${Number(old?.value ?? 0)} ${Number(next?.value ?? 0)}`;
    });
    expect(told.toSorted()).toEqual([
      'changes 1 2',
      'comes 0 1',
      'goes 1 0',
      'is-remade 0 2',
      'is-remade 1 0',
    ]);
    expect(told.indexOf('goes 1 0')).toBeLessThan(told.indexOf('comes 0 1'));
    expect(witness.faults).toEqual([]);
  });

  test('a short cut resumes where it was: no second list', async () => {
    const server = await openServer();
    server.put('a', 1);
    const informer = openInformer(server);
    await informer.synced;
    await eventually(() => server.seen.watches === 1);
    await server.stop();
    server.put('a', 2);
    await server.start();
    await caughtUp(server, informer);
    expect(server.seen.lists).toBe(1);
  });

  test('long delays end when another call finds the server there again', async () => {
    const server = await openServer();
    const client = createClient({ server: server.url, retries: 0 });
    const informer = startInformer(client, widgetType, { ...quick, backoff: { baseMilliseconds: 600_000 } });
    cleanups.push(
      () => client.close(),
      () => informer.stop(),
    );
    await informer.synced;
    await eventually(() => server.seen.watches === 1);
    await server.stop();
    await expect(client.list(widgetType)).rejects.toThrow();
    server.put('comes', 1);
    await server.start();
    await client.list(widgetType);
    await caughtUp(server, informer);
  });

  test('a connection that went silent is found and replaced', async () => {
    const server = await openServer();
    const informer = openInformer(server);
    await informer.synced;
    server.setMischief({ silent: 1 });
    await eventually(() => server.seen.watches > 0);
    server.put('a', 1);
    await eventually(() => server.seen.watches > 1);
    server.setMischief({});
    await caughtUp(server, informer);
  });

  test('a server restored from an older backup is believed', async () => {
    const server = await openServer();
    for (let i = 0; i < 50; i += 1) server.put('a', i);
    server.put('b', 1);
    const informer = openInformer(server);
    await informer.synced;
    const port = Number(new URL(server.url).port);
    await server.stop();
    const restored = await startHostileServer(Math.random, port);
    restored.put('a', 7);
    restored.compact();
    // The position of the client is in this server's future.
    restored.setMischief({ goneHttp: 0.5 });
    await caughtUp(restored, informer);
    restored.put('a', 8);
    await caughtUp(restored, informer);
    await restored.stop();
  });
});

/** Everything at once, each now and then. */
const everything: Mischief = {
  refuse: 0.1,
  goneHttp: 0.1,
  goneEvent: 0.02,
  cutAnswer: 0.15,
  cutLine: 0.03,
  end: 0.03,
  silent: 0.005,
  repeat: 0.1,
  replay: 0.15,
  swap: 0.1,
  bookmark: 0.3,
  shred: 0.1,
  delay: 0.05,
};

test('whatever the server does, the cache ends as the server is, and so does the fold of the changes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 - 1 }), async (seed) => {
      const random = seeded(seed);
      const server = await startHostileServer(random);
      const client = createClient({ server: server.url, requestsPerSecond: 1e6, burst: 1e6, retries: 1 });
      const informer = startInformer(client, widgetType, quick);
      const witness = bearWitness(informer);
      try {
        server.setMischief(everything);
        for (let step = 0; step < 400; step += 1) {
          const name = `w${Math.floor(random() * 25)}`;
          const what = random();
          if (what < 0.6) server.put(name, step);
          else if (what < 0.85) server.remove(name);
          else server.recreate(name, step);
          if (random() < 0.01) server.compact();
          if (random() < 0.008) {
            await server.stop();
            await server.start();
          }
          if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, 3 * random()));
        }
        server.setMischief({});
        await caughtUp(server, informer);
        expect(witness.faults).toEqual([]);
        expect(versions(witness.folded.values())).toEqual(versions(server.state()));
      } finally {
        informer.stop();
        client.close();
        await server.stop();
      }
    }),
    { numRuns: process.env.NETLOOM_LONG === '1' ? 200 : 6 },
  );
}, 600_000);

describe('a kind that may be absent', () => {
  test('counts as empty, without a word, and is found when it is installed', async () => {
    const server = await openServer();
    server.serve(false);
    server.put('w1', 1);
    const lines: string[] = [];
    const log = createLog({ level: 'warn', write: (line) => void lines.push(line) });
    const informer = openInformer(server, { mayBeAbsent: true, log });
    await informer.synced;
    expect(informer.list()).toEqual([]);
    expect(informer.position()).toBeUndefined();
    server.serve(true);
    await caughtUp(server, informer);
    await eventually(() => informer.position() === server.state()[0]?.metadata.resourceVersion);
    expect(lines).toEqual([]);
  });

  test('one that was served and is missing for a moment keeps its objects', async () => {
    const server = await openServer();
    server.put('w1', 1);
    const informer = openInformer(server, { mayBeAbsent: true });
    await informer.synced;
    const witness = bearWitness(informer);
    const before = server.seen.lists;
    server.serve(false);
    await eventually(() => server.seen.absent > 3);
    server.serve(true);
    await eventually(() => server.seen.lists > before);
    server.put('w2', 2);
    await caughtUp(server, informer);
    expect(witness.changes.filter(({ new: next }) => next === undefined)).toEqual([]);
  });
});

test('a burst of thousands of events leaves timers their turn', async () => {
  const server = await openServer();
  const informer = openInformer(server, { silenceSeconds: 30 });
  await informer.synced;
  await eventually(() => server.seen.watches === 1);
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  cleanups.push(() => clearInterval(timer));
  let told = 0;
  let turnsAtFirst = 0;
  informer.onChange(() => {
    told += 1;
    if (told === 1) turnsAtFirst = turns;
    // A handler that works: 5,000 × 0.02 ms is a stall of 100 ms unless the loop gets its turns.
    const until = performance.now() + 0.02;
    while (performance.now() < until);
  });
  for (let i = 0; i < 5000; i += 1) server.put(`w${i}`, 'x'.repeat(500));
  await eventually(() => told === 5000);
  expect(turns - turnsAtFirst).toBeGreaterThan(5);
});

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
