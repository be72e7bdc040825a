/** The store: revisions, the watch window, and what is left after every kind of end. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { Store } from './store.ts';
import { ExpiredRevision } from './table.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-store-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function object(name: string, value: number, namespace = 'a'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data: { value: String(value) },
  };
}

function content(store: Store): Record<string, unknown> {
  const versions = store.table('/configmaps').list();
  return Object.fromEntries(
    versions.map(({ namespace, name, object: each }) => [`${namespace}/${name}`, each]),
  );
}

describe('store', () => {
  it('gives each write the next revision and carries it in the object', async () => {
    const store = new Store({ directory });
    const first = store.put('/configmaps', object('x', 1));
    const second = store.put('/configmaps', object('x', 2));
    expect(second.revision).toBe(first.revision + 1);
    expect(second.object.metadata.resourceVersion).toBe(String(second.revision));
    expect(JSON.parse(second.json)).toEqual(second.object);
    await store.settled();
    expect(store.durable).toBe(second.revision);
    await store.close();
  });

  it('lists in key order, of one namespace and of all', async () => {
    const store = new Store({ directory });
    for (const [name, namespace] of [
      ['c', 'b'],
      ['a', 'b'],
      ['b', 'a'],
      ['b', 'b'],
    ] as const) {
      store.put('/configmaps', object(name, 0, namespace));
    }
    const names = (namespace?: string): string[] =>
      store
        .table('/configmaps')
        .list(namespace)
        .map((each) => `${each.namespace}/${each.name}`);
    expect(names()).toEqual(['a/b', 'b/a', 'b/b', 'b/c']);
    expect(names('b')).toEqual(['b/a', 'b/b', 'b/c']);
    await store.close();
  });

  it('shows every remembered revision as it was', async () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.record({ name: names, remove: fc.boolean(), value: fc.nat() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const path = mkdtempSync(join(directory, 'run-'));
        const store = new Store({ directory: path });
        const seen = new Map<number, string[]>();
        const look = (revision?: number): string[] => {
          const table = store.table('/configmaps');
          return (revision === undefined ? table.list() : table.listAt(revision)).map((each) => each.json);
        };
        for (const { name, remove, value } of steps) {
          seen.set(store.revision, look());
          if (remove) store.remove('/configmaps', 'a', name);
          else store.put('/configmaps', object(name, value));
        }
        for (const [revision, then] of seen) expect(look(revision)).toEqual(then);
        await store.close();
      }),
      { numRuns: 60 },
    );
  });

  it('forgets old changes and says so', async () => {
    const store = new Store({ directory, historySize: 10 });
    for (let value = 0; value < 40; value++) store.put('/configmaps', object('x', value));
    const table = store.table('/configmaps');
    expect(() => table.changesAfter(1)).toThrow(ExpiredRevision);
    expect(() => table.listAt(1)).toThrow(ExpiredRevision);
    expect(table.changesAfter(35).map((change) => change.revision)).toEqual([36, 37, 38, 39, 40]);
    await store.close();
  });

  it('comes back whole, with the changes since the last snapshot still to resume from', async () => {
    const before = new Store({ directory });
    before.put('/configmaps', object('x', 1));
    before.put('/configmaps', object('y', 1));
    before.remove('/configmaps', 'a', 'x');
    const then = content(before);
    const { revision } = before;
    await before.close();
    const after = new Store({ directory });
    expect(content(after)).toEqual(then);
    expect(after.revision).toBe(revision);
    expect(
      after
        .table('/configmaps')
        .changesAfter(1)
        .map(({ type }) => type),
    ).toEqual(['ADDED', 'DELETED']);
    await after.close();
  });

  it('writes snapshots, drops what they replace, and recovers from them', async () => {
    const store = new Store({ directory, snapshotBytes: 20_000 });
    for (let value = 0; value < 400; value++) {
      store.put('/configmaps', object(`x${value % 50}`, value));
      if (value % 20 === 0) await store.settled();
    }
    await store.settled();
    const then = content(store);
    const { revision } = store;
    await store.close();
    const files = readdirSync(directory).filter((name) => name !== 'lock');
    expect(files.filter((name) => name.startsWith('snapshot-'))).toHaveLength(1);
    expect(files.filter((name) => name.startsWith('log-'))).toHaveLength(1);
    const after = new Store({ directory });
    expect(content(after)).toEqual(then);
    expect(after.revision).toBe(revision);
    expect(() => after.table('/configmaps').changesAfter(1)).toThrow(ExpiredRevision);
    await after.close();
  });

  it('goes on behind the last whole record when the tail was cut or is garbage', async () => {
    const store = new Store({ directory });
    store.put('/configmaps', object('x', 1));
    await store.settled();
    const log = join(directory, readdirSync(directory).find((name) => name.startsWith('log-'))!);
    const { size } = statSync(log);
    store.put('/configmaps', object('y', 1));
    await store.close();
    const full = statSync(log).size;
    for (const cut of [size + 1, size + 7, size + 8, size + 9, full - 1]) {
      truncateSync(log, cut);
      const again = new Store({ directory });
      expect(Object.keys(content(again))).toEqual(['a/x']);
      expect(again.cutBytes).toBe(cut - size);
      again.put('/configmaps', object('y', 1));
      await again.close();
      expect(statSync(log).size).toBe(full);
    }
    appendFileSync(log, Buffer.alloc(100));
    const last = new Store({ directory });
    expect(Object.keys(content(last))).toEqual(['a/x', 'a/y']);
    await last.close();
  });

  it('refuses a directory that is already open', async () => {
    const store = new Store({ directory });
    expect(() => new Store({ directory })).toThrow(/held by another process/);
    await store.close();
    const again = new Store({ directory });
    await again.close();
  });
});

it('refuses what a full disk has no room for, and lives on', async () => {
  const disk = mkdtempSync(join(tmpdir(), 'netloom-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
  try {
    const store = new Store({ directory: join(disk, 'store') });
    const big = (name: string) => ({ ...object(name, 1), data: { value: 'x'.repeat(100_000) } });
    const full = `the disk of the lab's state is full (${join(disk, 'store')})`;
    store.put('/configmaps', big('first'));
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(1_500_000));
    expect(() => {
      for (let i = 0; i < 20; i += 1) store.put('/configmaps', big(`more${i}`));
    }).toThrow(full);
    const newest = store.revision;
    await store.settled();
    expect(store.durable).toBe(newest);
    expect(() => store.put('/configmaps', big('late'))).toThrow(full);
    expect(store.table('/configmaps').get('a', 'late')).toBeUndefined();
    store.remove('/configmaps', 'a', 'first');
    await store.settled();
    rmSync(join(disk, 'ballast'));
    store.put('/configmaps', big('late'));
    await store.settled();
    const held = content(store);
    await store.close();
    const again = new Store({ directory: join(disk, 'store') });
    expect(content(again)).toEqual(held);
    await again.close();
  } finally {
    execFileSync('umount', [disk]);
    rmSync(disk, { recursive: true });
  }
});
