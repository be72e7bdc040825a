/** Alert rules name metrics that there are, and Prometheus takes them (where the machine has promtool). */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { isTest, root, sources } from './sources.ts';

type Rules = {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly labels: { readonly severity: string };
      readonly annotations: { readonly summary: string; readonly description: string };
    }[];
  }[];
};

const directory = join(root, 'deploy/alerts');
const files = readdirSync(directory).filter((name) => name.endsWith('.rules.yaml'));
const code = sources()
  .filter((source) => !isTest(source))
  .map(({ text }) => text)
  .join('\n');

/** As it stands in the sources, as a series of a histogram there, or as `stem_${rest}` with `'rest'`. */
function isThere(series: string): boolean {
  const metric = series.replace(/_(bucket|sum|count)$/, '');
  if (new RegExp(`\\b${metric}\\b`).test(code)) return true;
  const words = metric.split('_');
  return words.some((_, cut) => {
    const [stem, rest] = [words.slice(0, cut).join('_'), words.slice(cut).join('_')];
    return cut > 1 && code.includes(`\`${stem}_\${`) && code.includes(`'${rest}'`);
  });
}

test.each(files)('%s says what is wrong and what to do, by metrics that there are', (file) => {
  const { groups } = parse(readFileSync(join(directory, file), 'utf8')) as Rules;
  const rules = groups.flatMap((group) => group.rules);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, expr, labels, annotations } of rules) {
    expect(['info', 'warning', 'critical'], alert).toContain(labels.severity);
    expect(annotations.summary, alert).not.toBe('');
    expect(annotations.description, alert).not.toBe('');
    const metrics = expr.match(/\b(?:metallb|netloom)_[a-z0-9_]+/g) ?? [];
    expect(metrics, alert).not.toEqual([]);
    expect(
      metrics.filter((name) => !isThere(name)),
      alert,
    ).toEqual([]);
  }
});

const promtool = spawnSync('promtool', ['--version']).error === undefined;

test.skipIf(!promtool)('promtool takes them; skipped where the machine has none', () => {
  const { status, stdout, stderr } = spawnSync(
    'promtool',
    ['check', 'rules', ...files.map((file) => join(directory, file))],
    {
      encoding: 'utf8',
    },
  );
  expect(status, `${stdout}${stderr}`).toBe(0);
});
