/** Engines are given every change, also after the machine refused one, and what they can't hold is known as it is now. */
import { expect, test, vi } from 'vitest';
import type { Engine, Report } from '#engines/engine.ts';
import type { IntentChange } from '#intent/node.ts';
import { createLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { createEngineSet, periodic } from './engines.ts';

const nothing: Report = { operations: [], problems: [] };
let generation = 0;
const put = (name: string, subnet = 's'): IntentChange => {
  return {
    generation: ++generation,
    replace: false,
    put: { namespaces: { [name]: { subnet } } },
    remove: {},
  };
};

/** One engine that does what it is told to. */
function open(
  answers: {
    apply?: (change: IntentChange) => Report;
    resync?: () => Report;
    unchanged?: () => boolean;
  } = {},
) {
  const lines: string[] = [];
  const calls: string[] = [];
  const engine: Engine = {
    name: 'kernel',
    async apply(change) {
      calls.push(Object.keys(change.put.namespaces ?? {}).join());
      return answers.apply?.(change) ?? nothing;
    },
    async resync() {
      calls.push('resync');
      return answers.resync?.() ?? nothing;
    },
    unchanged: () => answers.unchanged?.() === true,
    async cleanup() {},
    async close() {},
  };
  const registry = createRegistry();
  const set = createEngineSet([engine], createLog({ write: (line) => lines.push(line) }), registry);
  return { set, lines, calls, registry };
}

const refuse = (): never => {
  throw new Error('no memory');
};

test('a change that the machine refused goes out with the next one, and the engine goes on', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let refusing = true;
  const { set, calls, lines } = open({ apply: () => (refusing ? refuse() : nothing) });
  expect((await set.apply(put('a'))).failed).toMatchObject([{ engine: 'kernel', reason: 'no memory' }]);
  refusing = false;
  expect((await set.apply(put('b'))).failed).toEqual([]);
  expect(calls).toEqual(['a', 'a,b', 'resync']);
  // The retry that was due for the first one finds nothing left to do.
  await vi.advanceTimersByTimeAsync(250);
  expect((await set.apply(put('c'))).failed).toEqual([]);
  expect(lines.filter((line) => line.includes('refused'))).toHaveLength(2);
  await set.close();
  vi.useRealTimers();
});

test('a problem is over when its entry is changed and held, others stay', async () => {
  const problem = (name: string) => ({ entry: `namespaces/${name}`, reason: 'no' });
  const bad = new Set(['a', 'b']);
  const { set, lines, registry } = open({
    apply: ({ put: { namespaces = {} } }) => ({
      operations: [],
      problems: Object.keys(namespaces)
        .filter((name) => bad.has(name))
        .map(problem),
    }),
  });
  await set.apply(put('a'));
  await set.apply(put('b'));
  await set.apply(put('b', 'other'));
  expect(set.problems().map(({ entry }) => entry)).toEqual(['namespaces/a', 'namespaces/b']);
  bad.delete('a');
  await set.apply(put('a'));
  expect(set.problems().map(({ entry }) => entry)).toEqual(['namespaces/b']);
  await set.apply({ generation: ++generation, replace: false, put: {}, remove: { namespaces: ['b'] } });
  expect(set.problems()).toEqual([]);
  expect(lines.map((line) => line.replace(/engine="kernel" /, ''))).toEqual([
    expect.stringContaining('"an entry can\'t be held" entry="namespaces/a" reason="no"'),
    expect.stringContaining('"an entry can\'t be held" entry="namespaces/b" reason="no"'),
    expect.stringContaining('"an entry is held again, or gone" entry="namespaces/a"'),
    expect.stringContaining('"an entry is held again, or gone" entry="namespaces/b"'),
  ]);
  expect(registry.text()).toContain('netloom_datapath_engine_problems{engine="kernel"} 0');
  await set.close();
});

test("another program's changes are counted each and told once in a while", async () => {
  const { set, lines, registry } = open();
  const report = { operations: ['add table inet netloom'], problems: [] };
  for (let i = 0; i < 3; i++) {
    set.repaired('kernel', {
      cause: 'nft[12], delete table',
      report,
      foreign: true,
      opened: ['pods may forge'],
    });
  }
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('cause="nft[12], delete table"');
  expect(lines[0]).toContain('opened="pods may forge"');
  expect(registry.text()).toContain('netloom_datapath_foreign_changes_total{engine="kernel"} 3');
  await set.close();
});

test('what time alone asks for is left out where nothing can have changed', async () => {
  let unchanged = true;
  const { set, calls } = open({ unchanged: () => unchanged });
  set.resync(periodic);
  set.resync(periodic);
  await set.apply(put('a'));
  expect(calls).toEqual(['a']);
  set.resync('somebody asks');
  await vi.waitFor(() => expect(calls).toEqual(['a', 'resync']));
  unchanged = false;
  set.resync(periodic);
  await vi.waitFor(() => expect(calls).toEqual(['a', 'resync', 'resync']));
  await set.close();
});
