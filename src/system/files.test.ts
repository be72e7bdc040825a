/** Files are whole or absent, and a lock is held by one. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lock, readIfExists, tryLock, unlinkIfExists, writeFileAtomic } from './files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'netloom-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('writeFileAtomic', () => {
  it('replaces the content and leaves nothing else', () => {
    const path = join(folder, 'file');
    writeFileAtomic(path, 'old');
    writeFileAtomic(path, Buffer.from('new'), 0o600);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('leaves the old content when it fails', () => {
    const path = join(folder, 'taken');
    mkdirSync(path);
    chmodSync(path, 0o700);
    expect(() => writeFileAtomic(path, 'x')).toThrow(/EISDIR|ENOTEMPTY/);
    expect(readdirSync(folder)).toEqual(['taken']);
  });
});

it('tells a file that is not there from one that can not be read', () => {
  expect(readIfExists(join(folder, 'none'))).toBeUndefined();
  expect(() => readIfExists(folder)).toThrow(/EISDIR/);
  expect(unlinkIfExists(join(folder, 'none'))).toBe(false);
  writeFileAtomic(join(folder, 'file'), '');
  expect(unlinkIfExists(join(folder, 'file'))).toBe(true);
});

it('gives a lock to one holder at a time, across processes, until it lets go or ends', () => {
  const path = join(folder, 'lock');
  const held = lock(path);
  expect(tryLock(path)).toBeUndefined();
  expect(() => lock(path)).toThrow(`${path} is held by another process`);
  const other = () => spawnSync('flock', ['-n', path, 'true']).status;
  expect(other()).toBe(1);
  held.release();
  expect(other()).toBe(0);
  spawnSync('sh', ['-c', `flock -n ${path} sh -c 'kill -9 $PPID'`]);
  tryLock(path)!.release();
});
