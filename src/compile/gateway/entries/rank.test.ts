import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GRPCMatchModel, HTTPMatchModel, ValueMatch } from '#model/gateway/types.ts';
import { grpcRoute, httpMatch, httpRoute } from '../samples.ts';
import { type MatchPlace, rankOf } from './rank.ts';

const values = (count: number): ValueMatch[] =>
  Array.from({ length: count }, (_, index) => ({ name: `n${index}`, type: 'Exact', value: 'v' }));
const few = fc.integer({ min: 0, max: 16 });
const names = fc.constantFrom('a/b', 'a/b-c', 'a/b.c', 'a-b/c', 'a/b0', 'ab/c', 'b/a');
const dates = fc.constantFrom('2025-12-31T23:59:59Z', '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z');
const place = fc.record({ rule: fc.integer({ min: 0, max: 15 }), match: fc.integer({ min: 0, max: 63 }) });

const request = fc.record({
  match: fc
    .record({
      method: fc.option(fc.constantFrom('GET', 'PUT'), { nil: undefined }),
      headers: few,
      query: few,
    })
    .map(({ method, headers, query }) =>
      httpMatch({
        headers: values(headers),
        query: values(query),
        ...(method === undefined ? {} : { method }),
      }),
    ),
  key: names,
  created: dates,
  place,
});

const text = fc.option(fc.string({ minLength: 1, maxLength: 30 }), { nil: undefined });
const call = fc.record({
  match: fc.record({ service: text, method: text, headers: few }).map(
    ({ service, method, headers }): GRPCMatchModel => ({
      method: {
        type: 'RegularExpression',
        ...(service === undefined ? {} : { service }),
        ...(method === undefined ? {} : { method }),
      },
      headers: values(headers),
    }),
  ),
  key: names,
  created: dates,
  place,
});

type Entry<M> = {
  readonly match: M;
  readonly key: string;
  readonly created: string;
  readonly place: MatchPlace;
};

/** The first that isn't 0. */
function firstOf(...steps: readonly number[]): number {
  return steps.find((step) => step !== 0) ?? 0;
}

const alphabetic = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** "The oldest Route; the Route appearing first in alphabetical order by {namespace}/{name}; the FIRST matching rule." */
function routesAndRules(a: Entry<unknown>, b: Entry<unknown>): number {
  return firstOf(
    Date.parse(a.created) - Date.parse(b.created),
    alphabetic(a.key, b.key),
    a.place.rule - b.place.rule,
    a.place.match - b.place.match,
  );
}

/** HTTPRoute, after the path: "Method match. Largest number of header matches. Largest number of query param matches." */
function compareRequests(a: Entry<HTTPMatchModel>, b: Entry<HTTPMatchModel>): number {
  return firstOf(
    Number(a.match.method === undefined) - Number(b.match.method === undefined),
    b.match.headers.length - a.match.headers.length,
    b.match.query.length - a.match.query.length,
    routesAndRules(a, b),
  );
}

/** GRPCRoute, after the hostname: "Characters in a matching service. Characters in a matching method. Header matches." */
function compareCalls(a: Entry<GRPCMatchModel>, b: Entry<GRPCMatchModel>): number {
  return firstOf(
    (b.match.method?.service?.length ?? 0) - (a.match.method?.service?.length ?? 0),
    (b.match.method?.method?.length ?? 0) - (a.match.method?.method?.length ?? 0),
    b.match.headers.length - a.match.headers.length,
    routesAndRules(a, b),
  );
}

test('ranks of requests sort as the specification says', () => {
  const rank = ({ match, key, created, place: at }: Entry<HTTPMatchModel>) =>
    rankOf(httpRoute([], { key, created }), match, at);
  fc.assert(
    fc.property(request, request, (a, b) => {
      expect(alphabetic(rank(a), rank(b))).toBe(Math.sign(compareRequests(a, b)));
    }),
    { numRuns: 2000 },
  );
});

test('ranks of calls sort as the specification says', () => {
  const rank = ({ match, key, created, place: at }: Entry<GRPCMatchModel>) =>
    rankOf(grpcRoute([], { key, created }), match, at);
  fc.assert(
    fc.property(call, call, (a, b) => {
      expect(alphabetic(rank(a), rank(b))).toBe(Math.sign(compareCalls(a, b)));
    }),
    { numRuns: 2000 },
  );
});

test('ranks are in byte order: no character that UTF-16 sorts otherwise', () => {
  const rank = rankOf(httpRoute([]), httpMatch(), { rule: 15, match: 63 });
  expect(rank).toBe('h199999999 2026-01-01T00:00:00Z shop/route 0015.0063');
});
