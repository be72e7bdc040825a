/** The engine on a kernel in memory: whatever the order of changes, kills and tampering, it ends in the same state. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IntentChange } from '#intent/node.ts';
import { changes, endpoint, lastState, podDevices, rate } from './arbitrary.ts';
import { createEngine } from './driver.ts';
import { createFakeKernel, type FakeKernel, Killed } from './fake.ts';

function machine(): FakeKernel {
  const kernel = createFakeKernel();
  for (const [index, device] of podDevices.entries()) kernel.setPod(device, 101 + index);
  return kernel;
}

/** What must be there after a whole intent, on a machine that had nothing. */
async function fresh(change: IntentChange): Promise<{ dump: string[]; problems: string[] }> {
  const kernel = machine();
  const { problems } = await createEngine(kernel).apply(change);
  return { dump: kernel.dump(), problems: problems.map((each) => JSON.stringify(each)).toSorted() };
}

const limited = (put: Partial<IntentChange['put']> = {}): IntentChange => ({
  generation: 1,
  replace: true,
  put: {
    endpoints: { 'c1/eth0': endpoint(1), 'c2/eth0': endpoint(2) },
    bandwidth: {
      'shop/p1': {
        origin: { kind: 'Pod', namespace: 'shop', name: 'p1' },
        uid: 'u1',
        ingress: rate(10_000_000),
        egress: rate(20_000_000),
      },
    },
    ...put,
  },
  remove: {},
});

describe('the engine on a kernel that refuses what dangles', () => {
  it('ends, after any sequence of changes, where one apply of the last state ends', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const kernel = machine();
        const engine = createEngine(kernel);
        for (const change of list) await engine.apply(change);
        const wanted = await fresh(lastState(list));
        expect(kernel.dump()).toEqual(wanted.dump);
        const { operations, problems } = await engine.resync();
        expect(operations).toEqual([]);
        expect(problems.map((each) => JSON.stringify(each)).toSorted()).toEqual(wanted.problems);
      }),
      { numRuns: 300 },
    );
  });

  it('does nothing the second time, nor after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const kernel = machine();
        const engine = createEngine(kernel);
        const last = lastState(list);
        await engine.apply(last);
        for (const again of [engine, createEngine(kernel)])
          expect((await again.apply(last)).operations).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('converges when it is killed between any two operations', async () => {
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(20), fc.boolean(), async (list, count, restart) => {
        const kernel = machine();
        let engine = createEngine(kernel);
        kernel.killAfter(count);
        const last = lastState(list);
        for (const change of list) await engine.apply(change).catch(expectKilled);
        kernel.killAfter(Number.POSITIVE_INFINITY);
        if (restart) engine = createEngine(kernel);
        await engine.apply(last);
        expect(kernel.dump()).toEqual((await fresh(last)).dump);
        expect((await engine.resync()).operations).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('repairs whatever somebody else took away or changed', async () => {
    await fc.assert(
      fc.asyncProperty(changes, fc.infiniteStream(fc.nat(3)), async (list, dice) => {
        const kernel = machine();
        const engine = createEngine(kernel);
        await engine.apply(lastState(list));
        const before = kernel.dump();
        kernel.tamper((objects) => {
          for (const [id, object] of objects) {
            const roll = dice.next().value;
            if (roll === 0 && object.kind !== 'ifb') objects.delete(id);
            if (roll === 1 && object.kind === 'ifb') objects.set(id, { ...object, up: false });
            if (roll === 1 && object.kind === 'shaper') objects.set(id, { ...object, bytesPerSecond: 7 });
          }
        });
        await engine.resync();
        expect(kernel.dump()).toEqual(before);
      }),
      { numRuns: 200 },
    );
  });

  it('holds nothing for a pod without a limit, and nothing for another pod of the same name', async () => {
    const kernel = machine();
    const engine = createEngine(kernel);
    const { bandwidth = {} } = limited().put;
    const other = { 'shop/p1': { ...bandwidth['shop/p1']!, uid: 'u2' } };
    expect((await engine.apply(limited({ bandwidth: other }))).operations).toEqual([]);
    expect(kernel.dump()).toEqual([]);
  });

  it('takes a dead pod’s ifb away, also one of which it never heard', async () => {
    const kernel = machine();
    await createEngine(kernel).apply(limited());
    kernel.setPod('nlp00000000001', undefined);
    const restarted = createEngine(kernel);
    const { operations } = await restarted.apply(limited({ endpoints: {} }));
    expect(operations).toEqual(['ip link del nlq00000000001']);
    expect(kernel.dump()).toEqual([]);
  });

  it("leaves a device that somebody else shapes alone: the pod's limit is a problem, the pod is not", async () => {
    const kernel = machine();
    kernel.addForeign('nlp00000000001');
    const { problems } = await createEngine(kernel).apply(limited());
    expect(problems).toEqual([{ entry: 'bandwidth/shop/p1', reason: 'foreign' }]);
  });

  it('holds nothing beside the bandwidth plugin, and takes over when that is gone', async () => {
    const kernel = machine();
    let chained: string | undefined = 'the bandwidth plugin is chained';
    const engine = createEngine(kernel, { yieldsTo: () => chained });
    const { problems } = await engine.apply(limited());
    expect(problems).toEqual([{ entry: 'bandwidth/shop/p1', reason: chained }]);
    expect(kernel.dump()).toEqual([]);
    chained = undefined;
    expect((await engine.resync()).problems).toEqual([]);
    expect(kernel.dump()).toHaveLength(4);
  });

  it('says of a kernel that refuses a limit that the pod can not be held', async () => {
    const kernel = machine();
    kernel.setPod('nlp00000000001', undefined);
    const { problems } = await createEngine(kernel).apply(limited());
    expect(problems).toMatchObject([{ entry: 'endpoints/c1/eth0' }]);
  });
});

function expectKilled(error: unknown): void {
  if (!(error instanceof Killed)) throw error;
}
