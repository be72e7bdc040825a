/** The learnt names as a file, so that a datapath that starts knows what pods were told. */
import { isIP } from 'node:net';
import { readIfExists, writeFileAtomic } from '#system/files.ts';
import type { SavedNames } from './learnt.ts';

export function writeNames(path: string, names: SavedNames): void {
  writeFileAtomic(path, `${JSON.stringify(names)}\n`, 0o600);
}

/** Undefined: there is no such file. Throws for one that isn't whole. */
export function readNames(path: string): SavedNames | undefined {
  const text = readIfExists(path);
  if (text === undefined) return undefined;
  const saved = JSON.parse(text) as unknown;
  if (!isRecord(saved) || !Object.values(saved).every(isEntry))
    throw new Error(`${path}: not a list of names`);
  return saved as SavedNames;
}

function isEntry(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { pod, addresses, lapsed } = value;
  return typeof pod === 'string' && isTimes(addresses) && isTimes(lapsed);
}

function isTimes(value: unknown): boolean {
  return (
    isRecord(value) &&
    Object.entries(value).every(([address, time]) => isIP(address) !== 0 && typeof time === 'number')
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
