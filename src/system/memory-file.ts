/** A file that lives in memory only and has no name: a child that inherited it reads it by `/proc/self/fd`. */
import { closeSync, ftruncateSync, writeSync } from 'node:fs';
import { memoryFile } from './libc.ts';

export type MemoryFile = {
  readonly fd: number;
  /** The file is this text from now on. */
  replace(text: string): void;
  close(): void;
};

/** `name`: shown in `/proc`. Throws SystemError. */
export function openMemoryFile(name: string): MemoryFile {
  const fd = memoryFile(name);
  return {
    fd,
    replace(text) {
      const bytes = Buffer.from(text);
      ftruncateSync(fd, 0);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
    },
    close: () => closeSync(fd),
  };
}
