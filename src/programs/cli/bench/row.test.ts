/** From samples to what is printed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { row } from './row.ts';
import { median, pairedRatio, percentile } from './statistics.ts';
import { benchTable } from './table.ts';

const samples = fc.array(fc.double({ min: 0.001, max: 1e9, noNaN: true }), { minLength: 1 });

test('a median has half of the samples on each side, whatever their order', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  fc.assert(
    fc.property(samples, (values) => {
      const middle = median(values);
      expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
      expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
    }),
  );
});

test('a percentile is a sample that so many others do not exceed', () => {
  expect(percentile([5, 1, 4, 2, 3], 99)).toBe(5);
  expect(percentile([5, 1, 4, 2, 3], 50)).toBe(3);
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 100 }), (values, percent) => {
      const value = percentile(values, percent);
      expect(values).toContain(value);
      const within = values.filter((each) => each <= value).length;
      expect((within / values.length) * 100).toBeGreaterThanOrEqual(percent - 1e-9);
    }),
  );
});

test('rounds are compared one by one, so that a machine that slows down changes nothing', () => {
  expect(pairedRatio([1, 10, 100], [2, 20, 200])).toBe(0.5);
  expect(() => pairedRatio([1], [])).toThrow('lacks one');
});

test('no samples are no figure', () => {
  expect(() => median([])).toThrow('no samples');
  expect(() => percentile([], 99)).toThrow('no samples');
});

const measured = { name: 'ADD', size: 10, value: 4, unit: 'ms', against: { what: 'bridge', value: 10 } };

test('a row says what it is compared with and has every key', () => {
  expect(row(measured)).toEqual({
    name: 'ADD',
    size: 10,
    value: 4,
    unit: 'ms',
    reference: 'bridge: 10',
    ratio: 0.4,
    goal: '',
    met: true,
  });
});

test('a goal is on the ratio or on the value, and a figure that is no number meets none', () => {
  const goal = { of: 'ratio', atMost: 0.5 } as const;
  expect(row({ ...measured, goal })).toMatchObject({ goal: '≤ 0.5 ×', met: true });
  expect(row({ ...measured, value: 6, goal })).toMatchObject({ ratio: 0.6, met: false });
  expect(row({ ...measured, goal: { of: 'value', atMost: 3 } })).toMatchObject({
    goal: '≤ 3 ms',
    met: false,
  });
  expect(row({ ...measured, ratio: 0.96, goal: { of: 'ratio', atLeast: 0.95 } }).met).toBe(true);
  expect(row({ ...measured, value: Number.NaN, goal }).met).toBe(false);
});

test('the table shows what was missed', () => {
  const rows = [
    row({ ...measured, goal: { of: 'ratio', atMost: 0.5 } }),
    row({ ...measured, name: 'DEL', value: 90, goal: { of: 'ratio', atMost: 0.8 } }),
  ];
  expect(benchTable(rows)).toMatchInlineSnapshot(`
    "what  size  value  reference   ratio  goal
    ADD   10    4 ms   bridge: 10  0.4    ≤ 0.5 ×  met
    DEL   10    90 ms  bridge: 10  9      ≤ 0.8 ×  MISSED"
  `);
});
