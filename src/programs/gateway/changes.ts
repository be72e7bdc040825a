/** Changes on disk: a file that holds what was taken whenever the process ends, however it ends. */
import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import type { GatewayChange } from '#intent/gateway.ts';
import { unlinkIfExists } from '#system/files.ts';
import { inSlices, type Steps } from '#system/steps.ts';
import { domains, type GatewayState, readChange } from './state.ts';

export type ChangesFile = {
  /** The change is in the file when this is back: it outlives the process (not the machine, like the directory). Throws when the disk refuses. */
  append(change: GatewayChange): void;
  /** Waits until nothing is being rewritten. */
  close(): Promise<void>;
};

/** What a rewrite begins from. */
export type Holding = Pick<GatewayState, 'generation' | 'entries'>;

/**
 * Reads a file of changes, a line of JSON each: a whole first, then deltas that follow each other. What follows a line that is cut off,
 * damaged or out of order is left out; nobody was told that a line that is cut off was taken.
 */
export function loadChanges(path: string): {
  readonly changes: readonly GatewayChange[];
  /** A sentence for the log when something was left out. */
  readonly problem?: string;
} {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { changes: [] };
    throw error;
  }
  const lines = text.split('\n');
  const cut = lines.pop() !== '';
  const changes: GatewayChange[] = [];
  let held = 0;
  for (const [index, line] of lines.entries()) {
    const change = readChange(line);
    if ('wrong' in change) return { changes, problem: `${path}, line ${index + 1}: ${change.wrong}` };
    if (!change.replace && (held === 0 || change.after !== held)) {
      return { changes, problem: `${path}, line ${index + 1} does not follow generation ${held}` };
    }
    changes.push(change);
    held = change.generation;
  }
  return cut ? { changes, problem: `${path}: its last line is cut off` } : { changes };
}

/** Bytes that may be appended to a file, however small the whole is, until it is written anew. */
const leastAppended = 4 * 1024 * 1024;
/** Entries a line: a reader, and the slices in which a whole is printed, stay small. */
const entriesALine = 200;

/**
 * Opens a file of changes, written anew from what is held. `append` comes after the change was taken into `held`. When more was appended than
 * the whole takes, the file is written anew beside it, in slices, while further changes go to both.
 */
export function openChanges(
  path: string,
  held: Holding,
  onError: (error: unknown) => void,
  appendedLimit: number = leastAppended,
): ChangesFile {
  const temporary = `${path}.new`;
  let { file, size: base } = rewriteAtOnce(path, temporary, held);
  let appended = 0;
  let rewriting: Promise<void> | undefined;
  /** A write failed: what the file ends with is unknown. */
  let broken = false;
  /** Taken since the rewrite began. */
  let meanwhile: string[] = [];

  const rewrite = async (): Promise<void> => {
    const copy = copyOf(held);
    const fresh = openSync(temporary, 'w', 0o600);
    let size = 0;
    try {
      await inSlices(
        (function* (): Steps<void> {
          for (const line of linesOf(copy)) {
            size += write(fresh, line);
            yield;
          }
        })(),
      );
      appended = 0;
      for (const line of meanwhile) appended += write(fresh, line);
      renameSync(temporary, path);
    } catch (error) {
      closeSync(fresh);
      unlinkIfExists(temporary);
      // The old file goes on; the next try comes when it has grown as much again.
      appended = 0;
      onError(error);
      return;
    }
    adopt(fresh, size);
  };

  const adopt = (fresh: number, size: number): void => {
    closeSync(file);
    file = fresh;
    base = size;
    broken = false;
  };

  return {
    append(change) {
      if (rewriting === undefined && (change.replace || broken)) {
        const { file: fresh, size } = rewriteAtOnce(path, temporary, held);
        adopt(fresh, size);
        appended = 0;
        return;
      }
      const line = `${JSON.stringify(change)}\n`;
      if (rewriting !== undefined) meanwhile.push(line);
      try {
        appended += write(file, line);
      } catch (error) {
        broken = true;
        throw error;
      }
      if (rewriting === undefined && appended > Math.max(appendedLimit, base)) {
        meanwhile = [];
        rewriting = rewrite().finally(() => {
          rewriting = undefined;
        });
      }
    },
    async close() {
      await rewriting;
      closeSync(file);
    },
  };
}

function rewriteAtOnce(path: string, temporary: string, held: Holding): { file: number; size: number } {
  const file = openSync(temporary, 'w', 0o600);
  let size = 0;
  for (const line of linesOf(held)) size += write(file, line);
  renameSync(temporary, path);
  return { file, size };
}

/** Entries are never changed in place, so the copies of the maps are what is held now. */
function copyOf(held: Holding): Holding {
  const maps = new Map(domains.map((domain) => [domain, new Map<string, unknown>(held.entries(domain))]));
  return { generation: held.generation, entries: (domain) => maps.get(domain) as never };
}

/** While it is not all there. Controllers count from far above. */
const unfinished = 1;

/**
 * A whole without entries, then all entries as deltas, and only the last line has the generation: of a file that is damaged nobody takes the
 * half for the whole. Nothing at all before the first change.
 */
function* linesOf(held: Holding): Generator<string> {
  if (held.generation === 0) return;
  const line = (after: number, generation: number, put: object) =>
    `${JSON.stringify({ generation, after, replace: after === 0, put, remove: {} })}\n`;
  yield line(0, unfinished, {});
  for (const domain of domains) {
    let batch: [string, unknown][] = [];
    for (const entry of held.entries(domain)) {
      batch.push(entry);
      if (batch.length < entriesALine) continue;
      yield line(unfinished, unfinished, { [domain]: Object.fromEntries(batch) });
      batch = [];
    }
    if (batch.length > 0) yield line(unfinished, unfinished, { [domain]: Object.fromEntries(batch) });
  }
  yield line(unfinished, held.generation, {});
}

function write(file: number, text: string): number {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
  return bytes.length;
}
