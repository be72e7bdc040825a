/** The case files of this folder and those below. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, readCase } from './case.ts';

/** In the order of their names, `policy/deny-all` for a file in a folder. */
export function readCases(): readonly Case[] {
  const root = import.meta.dirname;
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.case'))
    .sort()
    .map((file) => readCase(file.slice(0, -'.case'.length), readFileSync(join(root, file), 'utf8')));
}
