/** The sources as the house rules see them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export const root: string = join(import.meta.dirname, '../..');

export type Source = {
  /** Relative to `src`, with slashes; of the router's package it begins with `router/`. */
  readonly path: string;
  /** Relative to the checkout. */
  readonly file: string;
  readonly text: string;
  /** Module specifiers, as written. */
  readonly imports: readonly string[];
};

/** All TypeScript files below `src` and in the router's package, tests too. */
export function sources(): readonly Source[] {
  return [
    ...filesBelow('src').map((file) => sourceOf(file, relative('src', file))),
    ...['router/build.ts', ...['router/src', 'router/test', 'router/types'].flatMap(filesBelow)].map((file) =>
      sourceOf(file, file),
    ),
  ];
}

/** Random values (`arbitrary.ts`) and grounds (`testing-….ts`) are tests' too: what they need doesn't ship. */
export function isTest(source: Source): boolean {
  return /^router\/test\/|(?:\.test|\/arbitrary|\/testing-[^/]+)\.ts$/.test(source.path);
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function sourceOf(file: string, path: string): Source {
  const text = readFileSync(join(root, file), 'utf8');
  return { path, file, text, imports: importsOf(text) };
}

/** Static imports, re-exports and `import()` of a literal. */
function importsOf(text: string): string[] {
  const pattern = /(?:\bfrom\s+|\bimport\s+|\bimport\()'([^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}
