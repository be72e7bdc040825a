/** The address journal: an append-only file of checksummed records that an ADD's answer waits for. */

import { existsSync, readFileSync, renameSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { applyRecord, emptyState, type IpamRecord, type IpamState } from '#compile/ipam/state.ts';
import { syncDirectory } from '#system/files.ts';
import { numbers } from '#system/registry.ts';

export type Loaded = {
  readonly state: IpamState;
  /** Records may be missing: the file was absent, cut, damaged, or of a newer release. */
  readonly lost: boolean;
  /** One sentence for the log for each thing that was wrong. */
  readonly problems: readonly string[];
};

export type Journal = {
  /** Resolves when the records are on disk. Call it after they were applied to the state. Rejects when the disk refuses. */
  append(records: readonly IpamRecord[]): Promise<void>;
  /** Waits for what was appended and closes the file. */
  close(): Promise<void>;
};

/**
 * Reads a journal: one line a record, `<crc32 of the rest, 8 hex digits> <JSON>\n`, the first one `{"netloom":"addresses","wiring":N}`.
 * A last line without end is a write that was cut off by a crash; nobody was told that it succeeded, but it
 * shows that the disk lost something, so addresses rest once more. A file of a newer release is set aside, never overwritten.
 */
export function loadJournal(path: string): Loaded {
  const state = emptyState();
  const problems: string[] = [];
  if (!existsSync(path)) return { state, lost: true, problems };
  const lines = readFileSync(path, 'utf8').split('\n');
  const tail = lines.pop();
  if (tail !== '') problems.push('its last record is cut off');
  const header = parseLine(lines[0] ?? '') as Header | undefined;
  if (header?.netloom !== 'addresses') problems.push('it does not start with a header');
  else if (header.wiring > numbers.wiringVersion.value) {
    const aside = `${path}.v${header.wiring}`;
    renameSync(path, aside);
    return {
      state,
      lost: true,
      problems: [`a newer release wrote it (wiring ${header.wiring}); kept as ${aside}`],
    };
  }
  for (const [index, line] of lines.entries()) {
    const record = parseLine(line);
    if (record === undefined) problems.push(`line ${index + 1} is damaged`);
    else if (index > 0) {
      const refused = applyRecord(state, record as IpamRecord);
      if (refused !== undefined) problems.push(`line ${index + 1}: ${refused}`);
    }
  }
  return { state, lost: problems.length > 0, problems };
}

/** Bytes after which a journal is written anew: some thousand records, a few milliseconds to replay. */
const compactAbove = 512 * 1024;

/**
 * Opens a journal for writing; it is first written anew from `snapshot` (records that make the present state). Appends that come while
 * the disk is busy go out together, with one sync for all.
 */
export async function openJournal(path: string, snapshot: () => readonly IpamRecord[]): Promise<Journal> {
  let file: FileHandle | undefined;
  let size = 0;
  let waiting: { text: string; done: () => void; failed: (error: unknown) => void }[] = [];
  let running: Promise<void> | undefined;

  const rewrite = async (): Promise<void> => {
    const header: Header = { netloom: 'addresses', wiring: numbers.wiringVersion.value };
    const text = [header, ...snapshot()].map(formatLine).join('');
    const temporary = `${path}.new`;
    await file?.close();
    file = undefined;
    const fresh = await open(temporary, 'w', 0o600);
    try {
      await fresh.writeFile(text);
      await fresh.datasync();
      await rename(temporary, path);
      syncDirectory(dirname(path));
    } catch (error) {
      await fresh.close();
      throw error;
    }
    file = fresh;
    size = Buffer.byteLength(text);
  };

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        // The state has these records already, so a rewritten journal holds them. `file` is missing after a failure: then too.
        if (file === undefined || size > compactAbove) await rewrite();
        else {
          const text = batch.map((each) => each.text).join('');
          await file.write(text, undefined);
          await file.datasync();
          size += Buffer.byteLength(text);
        }
        for (const each of batch) each.done();
      } catch (error) {
        // What reached the disk is unknown: the next write starts a new file.
        await file?.close().catch(() => {});
        file = undefined;
        for (const each of batch) each.failed(error);
      }
    }
    running = undefined;
  };

  await rewrite();
  return {
    append(records) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ text: records.map(formatLine).join(''), done: resolve, failed: reject });
      running ??= drain();
      return promise;
    },
    async close() {
      await running;
      await file?.close();
      file = undefined;
    },
  };
}

type Header = { readonly netloom: 'addresses'; readonly wiring: number };

function formatLine(record: IpamRecord | Header): string {
  const text = JSON.stringify(record);
  return `${checksum(text)} ${text}\n`;
}

function parseLine(line: string): unknown {
  const text = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== checksum(text)) return undefined;
  return JSON.parse(text);
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
