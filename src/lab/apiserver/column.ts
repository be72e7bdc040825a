/** Pieces that printer columns are made of. */
import type { KubeObject } from '#api/object.ts';
import { age } from './duration.ts';
import { jsonPath } from './jsonpath.ts';
import type { PrinterColumn } from './types.ts';

type Cell = ReturnType<NonNullable<PrinterColumn['cell']>>;
export type Make = (object: KubeObject, now: number) => Cell;

export function text(name: string, cell: Make): PrinterColumn {
  return { name, type: 'string', priority: 0, cell };
}

export function number(name: string, cell: Make): PrinterColumn {
  return { name, type: 'integer', priority: 0, cell };
}

/** Shown with `-o wide` only. */
export function wide(column: PrinterColumn): PrinterColumn {
  return { ...column, priority: 1 };
}

export const ageColumn: PrinterColumn = text('Age', (object, now) =>
  age(object.metadata.creationTimestamp, now),
);

/** The first value at a JSONPath, as it is. */
export function at<T>(object: unknown, path: string): T | undefined {
  return jsonPath(path, object)[0] as T | undefined;
}

export function list<T>(object: unknown, path: string): readonly T[] {
  return at<readonly T[]>(object, path) ?? [];
}

export function joined(values: readonly string[], empty = '<none>'): string {
  return values.length === 0 ? empty : values.join(',');
}

/** Three and how many more, as kubectl shortens long lists. */
export function shortened(values: readonly string[], empty = '<none>', shown = 3): string {
  if (values.length <= shown) return joined(values, empty);
  return `${values.slice(0, shown).join(',')} + ${values.length - shown} more...`;
}

export const count =
  (path: string): Make =>
  (object) =>
    at<number>(object, path) ?? 0;

export const field =
  (path: string, empty = ''): Make =>
  (object) =>
    at<string>(object, path) ?? empty;
