/** Files that are whole or absent, and locks between processes. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnos, linux, lockFile, SystemError } from './libc.ts';

/**
 * Replaces a file so that a reader, or a machine that loses power, finds the old or the new content and nothing between:
 * written beside it, synced, renamed, directory synced. `mode` counts for the new file.
 */
export function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o644): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const fd = openSync(temporary, 'w', mode);
  try {
    try {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content;
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    unlinkIfExists(temporary);
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Makes a rename, a new file or a removal in a directory survive a loss of power. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The file's text, undefined when there is no such file; any other failure throws. */
export function readIfExists(path: string): string | undefined {
  return orUndefined(() => readFileSync(path, 'utf8'));
}

/** Removes a file; false when there was none. */
export function unlinkIfExists(path: string): boolean {
  const removed = orUndefined(() => {
    unlinkSync(path);
    return true;
  });
  return removed ?? false;
}

/** Holds until `release()` or the end of the process, however it ends. */
export type FileLock = { release(): void };

/** Takes an advisory lock (flock(2)) on a file, made if need be; undefined when another holder has it. */
export function tryLock(path: string): FileLock | undefined {
  const fd = openSync(path, 'a', 0o600);
  if (!lockFile(fd, linux.LOCK_EX | linux.LOCK_NB)) {
    closeSync(fd);
    return undefined;
  }
  return { release: () => closeSync(fd) };
}

/** Takes the lock or throws EWOULDBLOCK naming the file. */
export function lock(path: string): FileLock {
  const held = tryLock(path);
  if (held === undefined)
    throw new SystemError('flock', errnos.EWOULDBLOCK, `${path} is held by another process`);
  return held;
}

function orUndefined<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
