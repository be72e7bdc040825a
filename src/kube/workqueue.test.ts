/** The work queue: one worker a key, nothing lost, failures back off. */
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createRegistry } from '#telemetry/metrics.ts';
import { eventually } from './testing/witness.ts';
import { createWorkQueue, runWorkers } from './workqueue.ts';

afterEach(() => vi.useRealTimers());

describe('the queue', () => {
  test('a key waits once, however often it is added, in the order of first adding', async () => {
    const queue = createWorkQueue<string>();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.length()).toBe(3);
    expect([await queue.next(), await queue.next(), await queue.next()]).toEqual(['a', 'b', 'c']);
  });

  test('a key added while it is in work runs once more afterwards, not beside', async () => {
    const queue = createWorkQueue<string>();
    queue.add('a');
    await queue.next();
    queue.add('a');
    queue.add('a');
    expect(queue.length()).toBe(0);
    queue.done('a');
    expect(queue.length()).toBe(1);
    await queue.next();
    queue.done('a');
    expect(queue.length()).toBe(0);
  });

  test('of several delays the earliest counts, and a plain add goes before all', () => {
    vi.useFakeTimers();
    const queue = createWorkQueue<string>();
    queue.addAfter('a', 1000);
    queue.addAfter('a', 100);
    queue.addAfter('a', 5000);
    queue.addAfter('b', 1000);
    queue.add('b');
    expect(queue.length()).toBe(1);
    vi.advanceTimersByTime(101);
    expect(queue.length()).toBe(2);
    vi.advanceTimersByTime(10_000);
    expect(queue.length()).toBe(2);
  });

  test('a delay beyond what one timer can hold is kept', () => {
    vi.useFakeTimers();
    const queue = createWorkQueue<string>();
    const month = 31 * 24 * 3600 * 1000;
    queue.addAfter('a', month);
    vi.advanceTimersByTime(month - 1000);
    expect(queue.length()).toBe(0);
    vi.advanceTimersByTime(2000);
    expect(queue.length()).toBe(1);
  });

  test('failures double the delay up to the most, and are forgotten on request', () => {
    vi.useFakeTimers();
    const backoff = { baseMilliseconds: 10, maxMilliseconds: 35, random: () => 1 };
    const queue = createWorkQueue<string>({ backoff });
    const waits: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      queue.addRateLimited('a');
      let waited = 0;
      for (; queue.length() === 0; waited += 1) vi.advanceTimersByTime(1);
      waits.push(waited);
      void queue.next();
      queue.done('a');
    }
    expect(waits).toEqual([10, 20, 35, 35]);
    expect(queue.failures('a')).toBe(4);
    queue.forget('a');
    expect(queue.failures('a')).toBe(0);
  });

  test('stopped, it takes nothing and gives nothing', async () => {
    const queue = createWorkQueue<string>();
    const waiting = queue.next();
    queue.addAfter('late', 1);
    queue.stop();
    queue.add('a');
    expect(await waiting).toBeUndefined();
    expect(await queue.next()).toBeUndefined();
  });
});

describe('workers', () => {
  test('whatever is added whenever: no key twice at once, and each is worked on after its last add', async () => {
    const steps = fc.array(
      fc.record({ key: fc.integer({ min: 0, max: 5 }), wait: fc.boolean(), fails: fc.boolean() }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), async (plan, concurrency) => {
        const queue = createWorkQueue<number>({ backoff: { baseMilliseconds: 0.1, maxMilliseconds: 1 } });
        const wanted = new Map<number, number>();
        const reached = new Map<number, number>();
        const running = new Set<number>();
        const failing = new Map<number, number>();
        let overlaps = 0;
        let most = 0;
        const workers = runWorkers(queue, concurrency, async (key) => {
          if (running.has(key)) overlaps += 1;
          running.add(key);
          most = Math.max(most, running.size);
          const version = wanted.get(key) ?? 0;
          await new Promise((resolve) => setImmediate(resolve));
          running.delete(key);
          const failures = failing.get(key) ?? 0;
          if (failures > 0) {
            failing.set(key, failures - 1);
            throw new Error('not yet');
          }
          reached.set(key, version);
        });
        for (const { key, wait, fails } of plan) {
          wanted.set(key, (wanted.get(key) ?? 0) + 1);
          if (fails) failing.set(key, (failing.get(key) ?? 0) + 1);
          queue.add(key);
          if (wait) await new Promise((resolve) => setImmediate(resolve));
        }
        await eventually(() => [...wanted].every(([key, version]) => reached.get(key) === version));
        await workers.stop();
        expect(overlaps).toBe(0);
        expect(most).toBeLessThanOrEqual(concurrency);
      }),
      { numRuns: 50 },
    );
  });

  test('a wish to be looked at again is kept; stop waits for what runs and tells it', async () => {
    const queue = createWorkQueue<string>();
    let runs = 0;
    let ended = false;
    const workers = runWorkers(queue, 1, async (_, signal) => {
      runs += 1;
      if (runs < 3) return { requeueAfter: 1 };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      ended = true;
      return undefined;
    });
    queue.add('a');
    await eventually(() => runs === 3);
    await workers.stop();
    expect(ended).toBe(true);
  });

  test('its metrics have the names that dashboards look for', async () => {
    const registry = createRegistry();
    const queue = createWorkQueue<string>({ name: 'claims', registry });
    queue.add('a');
    queue.add('b');
    await queue.next();
    queue.addRateLimited('a');
    const text = registry.text();
    expect(text).toContain('workqueue_depth{name="claims"} 1');
    expect(text).toContain('workqueue_adds_total{name="claims"} 2');
    expect(text).toContain('workqueue_retries_total{name="claims"} 1');
    expect(text).toMatch(/workqueue_longest_running_processor_seconds\{name="claims"\} 0\.\d+/);
    queue.stop();
  });
});
