/** How long nobody answered, from what a client sent. */
import { expect, test } from 'vitest';
import { outageOf, parseSent } from '../../bench/lb-flow.ts';

const sent = (pattern: string) =>
  Array.from(pattern, (each, index) => ({
    at: 1000 + index * 5,
    ...(each === '.' ? { answered: 1001 + index * 5 } : {}),
  }));

test('an outage goes from the first that was lost to the one after the last', () => {
  expect(outageOf(sent('.....'))).toEqual({ lost: 0, milliseconds: 0 });
  expect(outageOf(sent('..x..'))).toEqual({ lost: 1, milliseconds: 5 });
  // Some come through meanwhile: it is not over.
  expect(outageOf(sent('..x..x.x...'))).toEqual({ lost: 3, milliseconds: 30 });
  expect(outageOf(sent('.xx'))).toEqual({ lost: 2, milliseconds: 10 });
  expect(outageOf([])).toEqual({ lost: 0, milliseconds: 0 });
});

test('a line of the client', () => {
  expect(parseSent('1000000 1000250')).toEqual({ at: 1000, answered: 1000.25 });
  expect(parseSent('1000000 0')).toEqual({ at: 1000 });
  expect(parseSent('')).toBeUndefined();
});
