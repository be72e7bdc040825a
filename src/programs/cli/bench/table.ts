/** Rows of a bench for people. */
import { columns } from '../columns.ts';
import type { Row } from './row.ts';

/** Without a trailing newline. */
export function benchTable(rows: readonly Row[]): string {
  const head = ['what', 'size', 'value', 'reference', 'ratio', 'goal', ''];
  const cells = rows.map((row) => [
    row.name,
    String(row.size),
    `${row.value} ${row.unit}`,
    row.reference,
    String(row.ratio),
    row.goal,
    row.goal === '' ? '' : row.met ? 'met' : 'MISSED',
  ]);
  return columns([head, ...cells])
    .map((line) => line.trimEnd())
    .join('\n');
}
