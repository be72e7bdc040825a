/** Who gets what several routes want, beside a search that is not clever. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RouteKind } from '#model/gateway/types.ts';
import { olderFirst } from '../age.ts';
import { covers } from '../hostnames.ts';
import { type Claimant, createContention } from './contention.ts';

type Wants = ReadonlyMap<string, readonly string[]>;
type Known = ReadonlyMap<string, { readonly route: Claimant; readonly wants: Wants }>;

const claimant = (kind: RouteKind, key: string, age: number): Claimant => ({
  kind,
  key,
  created: `2026-0${age}`,
});

/** Routes in the order of their age, each beside all that came before it. */
function expected(known: Known): ReadonlyMap<string, readonly string[]> {
  const order = [...known].sort(
    ([, { route: a }], [, { route: b }]) => olderFirst(a, b) || (a.kind < b.kind ? -1 : 1),
  );
  const lost = new Map<string, readonly string[]>();
  const before: (typeof order)[number][] = [];
  for (const entry of order) {
    const [id, { route, wants }] = entry;
    for (const [listener, hosts] of wants) {
      const others = before.filter(([, each]) => each.wants.has(listener));
      const hostsOf = ([, each]: (typeof order)[number]) => each.wants.get(listener) ?? [];
      const meet = (a: string, b: string) => covers(a, b) || covers(b, a);
      const isRequest = route.kind === 'HTTPRoute' || route.kind === 'GRPCRoute';
      const kind = route.kind === 'HTTPRoute' ? 'GRPCRoute' : 'HTTPRoute';
      const loses = isRequest
        ? others.some(
            (other) =>
              other[1].route.kind === kind &&
              !lost.has(`${other[0]} ${listener}`) &&
              hostsOf(other).some((host) => hosts.some((own) => meet(host, own))),
          )
        : false;
      const gone = isRequest
        ? hosts.filter(() => loses)
        : hosts.filter((host) =>
            others.some(
              (other) =>
                other[1].route.kind !== 'HTTPRoute' &&
                other[1].route.kind !== 'GRPCRoute' &&
                hostsOf(other).includes(host),
            ),
          );
      if (gone.length > 0) lost.set(`${id} ${listener}`, gone);
    }
    before.push(entry);
  }
  return lost;
}

const hosts = fc.uniqueArray(fc.constantFrom('', 'a.b.c', '*.b.c', '*.c', 'x.c', 'y'), {
  minLength: 1,
  maxLength: 2,
});
const step = fc.record({
  kind: fc.constantFrom<RouteKind>(
    'HTTPRoute',
    'HTTPRoute',
    'GRPCRoute',
    'GRPCRoute',
    'TLSRoute',
    'TCPRoute',
  ),
  name: fc.constantFrom('n/a', 'n/b', 'm/c'),
  age: fc.integer({ min: 1, max: 3 }),
  wants: fc.dictionary(fc.constantFrom('l', 'm'), hosts, { noNullPrototype: true, maxKeys: 2 }),
  gone: fc.boolean(),
  settles: fc.boolean(),
});

test('whoever wants whatever', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
      const contention = createContention();
      const known = new Map<string, { readonly route: Claimant; readonly wants: Wants }>();
      let lastTime = new Map<string, string>();
      const textOf = (id: string) => {
        const wants = known.get(id)?.wants ?? new Map<string, readonly string[]>();
        return JSON.stringify([...wants.keys()].map((listener) => [listener, contention.lost(id, listener)]));
      };
      for (const { kind, name, age, wants, gone, settles } of steps) {
        const id = `${kind}/${name}`;
        const claims = new Map(Object.entries(wants));
        if (gone) {
          known.delete(id);
          contention.set(id, undefined, new Map());
        } else {
          const route = claimant(kind, name, age);
          known.set(id, { route, wants: claims });
          contention.set(id, route, claims);
          lastTime.delete(id);
        }
        if (!settles) continue;
        const changed = new Set(contention.settle());
        const wanted = expected(known);
        for (const [each, { wants: all }] of known) {
          for (const listener of all.keys())
            expect([each, contention.lost(each, listener)]).toEqual([
              each,
              wanted.get(`${each} ${listener}`) ?? [],
            ]);
          // Nobody who has something else than before goes unnamed.
          if (lastTime.has(each) && !changed.has(each)) expect(textOf(each)).toBe(lastTime.get(each));
        }
        lastTime = new Map([...known.keys()].map((each) => [each, textOf(each)]));
      }
    }),
    { numRuns: 500 },
  );
});
