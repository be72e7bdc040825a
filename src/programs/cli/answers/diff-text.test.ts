/** A difference in words: what is said besides lines, and that names stay names in Markdown. */
import { expect, test } from 'vitest';
import type { Line } from '#compile/answers/diff.ts';
import { diffLines, diffMarkdown, type Report } from './diff-text.ts';

const line: Line = {
  kind: 'closes',
  from: ['Pod x/a'],
  to: ['Pod x/b'],
  ports: [{ protocol: 'tcp', first: 80, last: 80 }],
  families: [4],
  decider: 'ingress',
  before: { verdict: 'allow', text: 'no policy says otherwise' },
  after: { verdict: 'deny', text: 'spec.ingress[0] (`<b>` a|b [x](http://y))' },
  witness: {
    from: { name: 'pod x/a', address: '10.1.0.1' },
    to: { name: 'pod x/b', address: '10.1.0.2' },
    flow: { protocol: 'tcp', port: 80 },
  },
  observed: 1,
} as unknown as Line;

const report: Report = {
  dns: [],
  closes: [line],
  opens: [],
  reasons: [],
  unknownFlows: 0,
  notes: ['names are <not> compared'],
  problems: ['NetworkPolicy x/b: spec.ingress[0] is bad'],
  notLookedAt: ['1 ConfigMap (v1)'],
};

test('Markdown: names are no markup, and what is bad, noted and left out is there', () => {
  const lines = diffMarkdown(report);
  expect(lines.find((each) => each.includes('x/a'))).toContain(
    '| spec.ingress\\[0\\] (\\`&lt;b>\\` a\\|b \\[x\\](http://y)) |',
  );
  expect(lines.find((each) => each.includes('x/a'))).toMatch(/ \| \*\*1 connection\*\* \|$/);
  expect(lines).toEqual(
    expect.arrayContaining([
      '- names are &lt;not> compared',
      '- NetworkPolicy x/b: spec.ingress\\[0\\] is bad',
      '- 1 ConfigMap (v1)',
    ]),
  );
});

test('text: notes come last', () => {
  expect(diffLines(report).slice(-3)).toEqual([
    '1 line closes, 0 lines open, 1 of them used by observed traffic',
    '',
    'note: names are <not> compared',
  ]);
});
