/** What is on the disk: one snapshot, the log segments after it, and how both become memory again. */
import { readdirSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject } from '#api/object.ts';
import { syncDirectory } from '#system/files.ts';
import { frame, readFrames } from './frames.ts';
import type { Version } from './table.ts';

/** `[revision, table, namespace, name]`, and the object's JSON behind a newline; no JSON: the object is gone. */
export function encodeRecord(
  revision: number,
  table: string,
  namespace: string,
  name: string,
  json: string | undefined,
): string {
  const head = JSON.stringify([revision, table, namespace, name]);
  return json === undefined ? head : `${head}\n${json}`;
}

type Use = (table: string, version: Version, deleted: boolean) => void;

function decodeRecord(payload: string, use: Use): void {
  const end = payload.indexOf('\n');
  const head = JSON.parse(end < 0 ? payload : payload.slice(0, end)) as [number, string, string, string];
  const json = end < 0 ? '' : payload.slice(end + 1);
  const object = (json === '' ? {} : JSON.parse(json)) as KubeObject;
  const [revision, table, namespace, name] = head;
  use(table, { namespace, name, revision, object, json }, json === '');
}

export type Recovered = {
  /** The segment to go on writing, and where its last whole record ends. */
  readonly segment: string;
  readonly segmentBytes: number;
  /** Bytes of an unfinished write that were found behind the last whole record. */
  readonly cutBytes: number;
};

const segmentPattern = /^log-(\d{16})$/;
const snapshotPattern = /^snapshot-(\d{16})$/;

/** Path of the log segment whose records all have a revision above the given one. */
export function segmentPath(directory: string, revision: number): string {
  return join(directory, `log-${String(revision).padStart(16, '0')}`);
}

/** Revision of the snapshot that recovery starts from; 0 when there is none. Removes what a killed writer left. */
export function newestSnapshot(directory: string): number {
  for (const name of readdirSync(directory)) {
    if (name.startsWith('snapshot-') && name.endsWith('.tmp')) rmSync(join(directory, name));
  }
  return revisionsOf(directory, snapshotPattern).at(-1) ?? 0;
}

function revisionsOf(directory: string, pattern: RegExp): number[] {
  const found = readdirSync(directory).flatMap((name) => pattern.exec(name)?.[1] ?? []);
  return found.map(Number).toSorted((a, b) => a - b);
}

/**
 * Reads the directory: `load` gets each object of the newest snapshot, then `replay` each later write in order.
 * Only the last segment may end in a cut record; damage anywhere else throws, since acknowledged writes are gone there.
 */
export function recover(directory: string, load: Use, replay: Use): Recovered {
  const snapshotRevision = newestSnapshot(directory);
  if (snapshotRevision > 0) readSnapshot(snapshotPath(directory, snapshotRevision), load);
  const segments = revisionsOf(directory, segmentPattern);
  if (segments.length === 0) segments.push(snapshotRevision);
  let segmentBytes = 0;
  let cutBytes = 0;
  for (const revision of segments) {
    const path = segmentPath(directory, revision);
    const { good, size } = readSegment(path, (table, version, deleted) => {
      if (version.revision > snapshotRevision) replay(table, version, deleted);
    });
    if (good < size && revision !== segments.at(-1)) {
      throw new Error(`${path}: damaged at byte ${good} of ${size}; later segments depend on it`);
    }
    segmentBytes = good;
    cutBytes = size - good;
  }
  return { segment: segmentPath(directory, segments.at(-1)!), segmentBytes, cutBytes };
}

function readSegment(path: string, use: Use): { readonly good: number; readonly size: number } {
  try {
    return readFrames(path, (payload) => decodeRecord(payload, use));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { good: 0, size: 0 };
    throw error;
  }
}

function snapshotPath(directory: string, revision: number): string {
  return join(directory, `snapshot-${String(revision).padStart(16, '0')}`);
}

function readSnapshot(path: string, load: Use): void {
  let count = 0;
  let announced: number | undefined;
  readFrames(path, (payload) => {
    if (payload.startsWith('end ')) announced = Number(payload.slice(4));
    else {
      decodeRecord(payload, load);
      count++;
    }
  });
  if (announced !== count) throw new Error(`${path}: damaged after ${count} objects`);
}

/** Writes a snapshot beside the old one, then removes what it replaces. Yields to the event loop between pieces. */
export async function writeSnapshot(
  directory: string,
  revision: number,
  versions: readonly { readonly table: string; readonly version: Version }[],
): Promise<void> {
  const path = snapshotPath(directory, revision);
  const file = await open(`${path}.tmp`, 'w', 0o600);
  try {
    const pieceSize = 256;
    for (let index = 0; index < versions.length; index += pieceSize) {
      const piece = versions.slice(index, index + pieceSize).map(({ table, version }) => {
        const { namespace, name, json } = version;
        return frame(encodeRecord(version.revision, table, namespace, name, json));
      });
      await file.write(Buffer.concat(piece));
    }
    await file.write(frame(`end ${versions.length}`));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
  syncDirectory(directory);
  for (const name of readdirSync(directory)) {
    const found = segmentPattern.exec(name) ?? snapshotPattern.exec(name);
    if (found !== null && Number(found[1]) < revision) rmSync(join(directory, name));
  }
}
