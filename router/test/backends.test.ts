import { expect, test } from 'vitest';
import { chooseBackend, hashedEndpoint, nextEndpoint } from '../src/backends.ts';
import type { RouterBackend } from '../src/prepared.ts';
import { prepareAction, prepareBackend } from '../src/prepared.ts';

const backend = (count: number): RouterBackend =>
  prepareBackend('n/s:80', {
    origin: { kind: 'Service', namespace: 'n', name: 's' },
    protocol: 'http',
    endpoints: Array.from({ length: count }, (_, index) => `10.0.0.${index + 1}:80`),
  });

test('values spread over endpoints by hash', () => {
  const endpoints = backend(5);
  const counts = tally(10_000, (index) => hashedEndpoint(endpoints, `client-${index}`)!.name);
  expect(counts.size).toBe(5);
  for (const count of counts.values()) expect(Math.abs(count - 2_000)).toBeLessThan(400);
});

test('an endpoint that goes moves only what was on it', () => {
  const five = backend(5);
  const four = backend(4);
  for (let index = 0; index < 1000; index++) {
    const before = hashedEndpoint(five, `client-${index}`)!.name;
    if (before !== '10.0.0.5:80') expect(hashedEndpoint(four, `client-${index}`)!.name).toBe(before);
  }
});

test('turns are even', () => {
  const endpoints = backend(3);
  const counts = tally(300, () => nextEndpoint(endpoints, 0.7)!.name);
  expect([...counts.values()]).toEqual([100, 100, 100]);
});

test('weights are kept', () => {
  const action = prepareAction(
    'a',
    {
      origin: { kind: 'HTTPRoute', namespace: 'n', name: 'r' },
      kind: 'http',
      backends: [
        { backend: 'one', weight: 1 },
        { backend: 'two', weight: 9 },
        { backend: 'three', weight: 90 },
      ],
    },
    {},
  );
  const counts = tally(1000, (index) => chooseBackend(action, index / 1000)!.backend!);
  expect(Object.fromEntries(counts)).toEqual({ one: 10, two: 90, three: 900 });
});

function tally(rounds: number, draw: (index: number) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (let index = 0; index < rounds; index++) {
    const drawn = draw(index);
    counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
  }
  return counts;
}
