/** The journal on a real disk: what was acknowledged is there again, whatever is cut off behind it. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Assignment,
  applyRecord,
  emptyState,
  type IpamRecord,
  snapshotRecords,
} from '#compile/ipam/state.ts';
import { loadJournal, openJournal } from './journal.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-journal-'));
  path = join(directory, 'addresses.journal');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const assigned = (key: string, address: string): IpamRecord => {
  const pod = { namespace: 'ns', name: key, uid: `uid ${key}` };
  const assignment: Assignment = {
    key,
    pod,
    network: 'n',
    subnet: 's',
    mode: 'overlay',
    addresses: [address],
    since: 1,
  };
  return { op: 'assign', assignment };
};
const records: readonly IpamRecord[] = [
  assigned('a/eth0', '10.0.0.1'),
  assigned('b/eth0', '10.0.0.2'),
  { op: 'release', key: 'a/eth0', at: 5000 },
  assigned('ü "quoted"\n/eth0', '10.0.0.3'),
];

async function write(some: readonly IpamRecord[]) {
  const state = emptyState();
  const journal = await openJournal(path, () => snapshotRecords(state, 5000, 1000));
  for (const record of some) {
    applyRecord(state, record);
    await journal.append([record]);
  }
  await journal.close();
  return state;
}

describe('the address journal', () => {
  test('gives back what was written', async () => {
    const state = await write(records);
    expect(loadJournal(path)).toEqual({ state, lost: false, problems: [] });
  });

  test('cut anywhere, still holds every record before the cut and says that something is missing', async () => {
    await write(records);
    const whole = readFileSync(path);
    const ends = [...whole.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      const kept = ends.filter((end) => end <= length).length - 1;
      const expected = emptyState();
      for (const record of records.slice(0, Math.max(0, kept))) applyRecord(expected, record);
      const loaded = loadJournal(path);
      expect(loaded.state).toEqual(expected);
      expect(loaded.lost).toBe(!ends.includes(length));
    }
  });

  test('a damaged record is left out and told; the others count', async () => {
    await write(records);
    const lines = readFileSync(path, 'utf8').split('\n');
    lines[2] = lines[2]!.replace('10.0.0.2', '10.0.0.9');
    writeFileSync(path, lines.join('\n'));
    const { state, lost, problems } = loadJournal(path);
    expect([...state.owners.keys()]).toEqual(['10.0.0.3']);
    expect(lost).toBe(true);
    expect(problems).toEqual(['line 3 is damaged']);
  });

  test('a record that gives an address away twice is refused', async () => {
    await write([assigned('a', '10.0.0.1'), assigned('b', '10.0.0.1')]);
    const { state, problems } = loadJournal(path);
    expect(Object.fromEntries(state.owners)).toEqual({ '10.0.0.1': 'a' });
    expect(problems).toEqual(['line 3: 10.0.0.1 belongs to a already']);
  });

  test('a newer release’s file is kept aside', async () => {
    await write(records);
    const text = readFileSync(path, 'utf8').split('\n');
    const { crc32 } = await import('node:zlib');
    const header = '{"netloom":"addresses","wiring":99}';
    text[0] = `${crc32(header).toString(16).padStart(8, '0')} ${header}`;
    writeFileSync(path, text.join('\n'));
    const { state, lost, problems } = loadJournal(path);
    expect([state.owners.size, lost]).toEqual([0, true]);
    expect(problems).toEqual([`a newer release wrote it (wiring 99); kept as ${path}.v99`]);
    expect(readFileSync(`${path}.v99`, 'utf8')).toBe(text.join('\n'));
  });

  test('is written anew before it grows large, and loses nothing by it', async () => {
    const state = emptyState();
    const journal = await openJournal(path, () => snapshotRecords(state, 0, 1000));
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 5000; i++) {
      for (const record of [
        assigned(`pod-${i}`, '10.0.0.1'),
        { op: 'release', key: `pod-${i}`, at: 0 },
      ] as const) {
        applyRecord(state, record);
        writes.push(journal.append([record]));
      }
      // So that the disk gets many batches.
      if (i % 500 === 0) await Promise.all(writes);
    }
    applyRecord(state, assigned('last', '10.0.0.7'));
    await journal.append([assigned('last', '10.0.0.7')]);
    await Promise.all(writes);
    await journal.close();
    expect(readFileSync(path).length).toBeLessThan(1024 * 1024);
    expect(Object.fromEntries(loadJournal(path).state.owners)).toEqual({ '10.0.0.7': 'last' });
  });

  test('a disk that refuses fails the write; the next one that works holds everything', async () => {
    const state = emptyState();
    const journal = await openJournal(path, () => snapshotRecords(state, 0, 1000));
    const put = (record: IpamRecord) => {
      applyRecord(state, record);
      return journal.append([record]);
    };
    await put(assigned('a', '10.0.0.1'));
    await journal.close();
    renameSync(directory, `${directory}.gone`);
    await expect(put(assigned('b', '10.0.0.2'))).rejects.toThrow('ENOENT');
    rmSync(`${directory}.gone`, { recursive: true });
    mkdirSync(directory);
    await put(assigned('c', '10.0.0.3'));
    await journal.close();
    expect([...loadJournal(path).state.owners.values()]).toEqual(['a', 'b', 'c']);
  });
});
