/** The engine on a kernel in memory: whatever the order of changes, kills and tampering, it ends in the same state. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyIntent, type IntentChange } from '#intent/node.ts';
import { changes, facts, lastState } from './arbitrary.ts';
import { createEngine } from './driver.ts';
import { createFakeKernel, type FakeKernel, Killed } from './fake.ts';
import { lower } from './lower.ts';

function machine(): FakeKernel {
  const kernel = createFakeKernel(facts);
  kernel.setPod('nlp00000000001', 101);
  kernel.setPod('nlp00000000002', 102);
  return kernel;
}

/** What must be there after a whole intent, on a machine that had nothing. */
async function fresh(change: IntentChange): Promise<{ dump: string[]; problems: string[] }> {
  const kernel = machine();
  const { problems } = await createEngine(kernel).apply(change);
  return { dump: owned(kernel), problems: problems.map((each) => JSON.stringify(each)).toSorted() };
}

/** Settings and pod devices outlive the entry that wanted them; all the rest is compared. */
function owned(kernel: FakeKernel): string[] {
  return kernel.dump().filter((line) => !/"kind":"(sysctl|device)"/.test(line));
}

describe('the engine on a kernel that refuses what dangles', () => {
  it('ends, after any sequence of changes, where one apply of the last state ends', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const kernel = machine();
        const engine = createEngine(kernel);
        for (const change of list) await engine.apply(change);
        const { problems } = await engine.resync();
        const wanted = await fresh(lastState(list));
        expect(owned(kernel)).toEqual(wanted.dump);
        expect(problems.map((each) => JSON.stringify(each)).toSorted()).toEqual(wanted.problems);
      }),
      { numRuns: 300 },
    );
  });

  it('needs no resync to get there', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const kernel = machine();
        const engine = createEngine(kernel);
        for (const change of list) await engine.apply(change);
        expect((await engine.resync()).operations).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('does nothing the second time', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const kernel = machine();
        const engine = createEngine(kernel);
        const last = lastState(list);
        await engine.apply(last);
        expect((await engine.apply(last)).operations).toEqual([]);
        expect((await engine.resync()).operations).toEqual([]);
        const restarted = createEngine(kernel);
        expect((await restarted.apply(last)).operations).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('converges when it is killed between any two operations', async () => {
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(40), fc.boolean(), async (list, count, restart) => {
        const kernel = machine();
        let engine = createEngine(kernel);
        kernel.killAfter(count);
        const last = lastState(list);
        for (const change of list) await engine.apply(change).catch(expectKilled);
        kernel.killAfter(Number.POSITIVE_INFINITY);
        if (restart) {
          engine = createEngine(kernel);
          await engine.apply(last);
        } else await engine.resync();
        expect(owned(kernel)).toEqual((await fresh(last)).dump);
        expect((await engine.resync()).operations).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('holds what lower() says, where the kernel refuses nothing', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const last = lastState(list);
        const kernel = machine();
        kernel.setPod('nlp00000000009', 109);
        await createEngine(kernel).apply(last);
        const intent = { ...emptyIntent, ...last.put };
        const wanted = [...lower(intent, facts).value.values()].filter(
          (object) => object.kind !== 'sysctl' && object.kind !== 'device',
        );
        expect(owned(kernel)).toEqual(wanted.map((object) => JSON.stringify(object)).toSorted());
      }),
      { numRuns: 200 },
    );
  });

  it('repairs whatever somebody else took away or changed', async () => {
    await fc.assert(
      fc.asyncProperty(changes, fc.infiniteStream(fc.nat(3)), async (list, dice) => {
        const kernel = machine();
        const engine = createEngine(kernel);
        const last = lastState(list);
        await engine.apply(last);
        const before = kernel.dump();
        kernel.tamper((objects) => {
          for (const [id, object] of objects) {
            const roll = dice.next().value;
            if (roll === 0 && object.kind !== 'device') objects.delete(id);
            if (roll === 1 && object.kind === 'link') objects.set(id, { ...object, mtu: 900, up: false });
            if (roll === 1 && object.kind === 'neighbour')
              objects.set(id, { ...object, mac: '02:00:00:00:00:99' });
          }
        });
        await engine.resync();
        expect(kernel.dump()).toEqual(before);
      }),
      { numRuns: 200 },
    );
  });
});

function expectKilled(error: unknown): void {
  if (!(error instanceof Killed)) throw error;
}
