/** The registry as a page of Markdown. */
import type { Entry } from './registry.ts';

type Section = Readonly<Record<string, Entry<unknown>>>;

/** One section an export of registry.ts, one row an entry. */
export function registryPage(registry: Readonly<Record<string, Section>>): string {
  const sections = Object.entries(registry)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, entries]) =>
      [
        `## ${name}`,
        '',
        '| name | value | reason |',
        '|---|---|---|',
        ...Object.entries(entries).map(
          ([key, { value, reason }]) => `| ${key} | \`${text(name, value)}\` | ${reason} |`,
        ),
        '',
      ].join('\n'),
    );
  return [
    '# Registry',
    '',
    'Every mark, priority, name, number, port and path that Netloom puts on a machine.',
    'Printed from `src/system/registry.ts`; a test keeps it true.',
    '',
    ...sections,
  ].join('\n');
}

function text(section: string, value: unknown): string {
  if (typeof value === 'number' && section.endsWith('Marks'))
    return `0x${value.toString(16).padStart(8, '0')}`;
  return isRange(value) ? `${value.base} to ${value.base + value.count - 1}` : String(value);
}

function isRange(value: unknown): value is { readonly base: number; readonly count: number } {
  return typeof value === 'object' && value !== null && 'base' in value && 'count' in value;
}
