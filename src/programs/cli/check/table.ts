/** The result of a check for people: a line a kind of traffic, then whatever went wrong. */
import type { CaseResult } from './run.ts';

/** Without a trailing newline. */
export function resultTable(results: readonly CaseResult[]): string {
  const groups = [...Map.groupBy(results, (result) => result.group)];
  const width = Math.max(...groups.map(([group]) => group.length), 'traffic'.length);
  const rows = groups.map(([group, cases]) => {
    const good = cases.filter((each) => each.ok).length;
    const mark = good === cases.length ? 'ok' : 'FAILED';
    return `${group.padEnd(width)}  ${`${good}/${cases.length}`.padStart(9)}  ${mark}`;
  });
  const failures = results.filter((each) => !each.ok).map((each) => `  ${each.title}: ${each.detail}`);
  return [
    `${'traffic'.padEnd(width)}  ${'as it must'.padStart(9)}`,
    ...rows,
    ...(failures.length === 0 ? [] : ['', 'what went wrong:', ...failures]),
  ].join('\n');
}
