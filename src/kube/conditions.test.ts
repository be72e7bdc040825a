/** Conditions: what is written, when nothing is, and when the time moves. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Condition } from '#api/object.ts';
import {
  cut,
  isConditionTrue,
  microTimestamp,
  removeCondition,
  setCondition,
  timestamp,
} from './conditions.ts';

const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const condition = fc.record({
  type: fc.constantFrom('Ready', 'Accepted', 'Programmed'),
  status: fc.constantFrom('True' as const, 'False' as const, 'Unknown' as const),
  reason: fc.constantFrom('A', 'B'),
  message: fc.constantFrom('', 'm'),
  observedGeneration: fc.integer({ min: 0, max: 3 }),
});

test('any sequence: one entry a type, the last said, and a time that moves with the status only', () => {
  fc.assert(
    fc.property(fc.array(condition), (wanted) => {
      let list: readonly Condition[] = [];
      const last = new Map<string, { status: string; since: number }>();
      wanted.forEach((one, second) => {
        const next = setCondition(list, one, at(second));
        expect(setCondition(next, one, at(second + 1))).toBe(next);
        for (const other of list) if (other.type !== one.type) expect(next).toContain(other);
        if (last.get(one.type)?.status !== one.status) {
          last.set(one.type, { status: one.status, since: second });
        }
        const held = next.filter((candidate) => candidate.type === one.type);
        const since = last.get(one.type)?.since ?? -1;
        expect(held).toEqual([{ ...one, lastTransitionTime: timestamp(at(since)) }]);
        list = next;
      });
    }),
  );
});

test('the same again gives the same list, so that no write follows', () => {
  const list = setCondition(undefined, { type: 'Ready', status: 'True', reason: 'R', message: '' }, at(0));
  expect(setCondition(list, { type: 'Ready', status: 'True', reason: 'R', message: '' }, at(9))).toBe(list);
  expect(removeCondition(list, 'Other')).toBe(list);
  expect(removeCondition(list, 'Ready')).toEqual([]);
});

test('true for an older generation is not yet true for this one', () => {
  const ready = { type: 'Ready', status: 'True', reason: 'R', message: '', observedGeneration: 3 } as const;
  const list = setCondition([], ready, at(0));
  expect(isConditionTrue(list, 'Ready', 3)).toBe(true);
  expect(isConditionTrue(list, 'Ready', 4)).toBe(false);
  expect(isConditionTrue(list, 'Accepted')).toBe(false);
});

test('a message longer than the API allows is cut, once and for all', () => {
  const long = { type: 'Ready', status: 'False', reason: 'R', message: '🙂'.repeat(20_000) } as const;
  const list = setCondition([], long, at(0));
  expect(list[0]?.message.length).toBeLessThanOrEqual(32_768);
  expect(list[0]?.message.isWellFormed()).toBe(true);
  expect(setCondition(list, long, at(1))).toBe(list);
  expect(cut('abc', 3)).toBe('abc');
});

test('times as the API writes them', () => {
  const date = new Date('2026-11-23T04:05:06.789Z');
  expect(timestamp(date)).toBe('2026-11-23T04:05:06Z');
  expect(microTimestamp(date)).toBe('2026-11-23T04:05:06.789000Z');
});
