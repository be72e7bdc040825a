/** The sources as the house rules see them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export const root: string = join(import.meta.dirname, '../..');

export type Source = {
  /** Relative to `src`, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Module specifiers, as written. */
  readonly imports: readonly string[];
};

/** All TypeScript files below `src`, tests too. */
export function sources(): readonly Source[] {
  const src = join(root, 'src');
  return readdirSync(src, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const text = readFileSync(file, 'utf8');
      return { path: relative(src, file), text, imports: importsOf(text) };
    });
}

/** Random values (`arbitrary.ts`) are tests' too: they need fast-check, which doesn't ship. */
export function isTest(source: Source): boolean {
  return /(?:\.test|\/arbitrary)\.ts$/.test(source.path);
}

/** Static imports, re-exports and `import()` of a literal. */
function importsOf(text: string): string[] {
  const pattern = /(?:\bfrom\s+|\bimport\s+|\bimport\()'([^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}
