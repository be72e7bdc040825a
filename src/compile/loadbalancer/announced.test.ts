/** Who announces what, change by change: the same as all at once. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoadBalancerModel } from '#model/loadbalancer.ts';
import { type Answered, createAnnouncing, sharedAmong } from './announced.ts';
import { spread } from './spread.ts';
import { balancerModel } from './testing.ts';

const keys = ['a', 'b', 'c', 'd', 'e'];
const addresses = ['10.9.0.1', '10.9.0.2', '10.9.0.3', '10.9.0.4'];
const nodes = ['n1', 'n2', 'n3'];

const answered = (name: string, assigned: readonly string[], weights: Readonly<Record<string, number>>) => {
  const eligible = Object.entries(weights)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([node, weight]) => ({ node, weight }));
  return {
    service: balancerModel(name, assigned),
    answers: assigned.map((address) => ({ address, taking: [], eligible })),
  };
};

const announcer = (service: LoadBalancerModel, node: string): LoadBalancerModel => ({
  ...service,
  announcer: node,
});

describe('change by change', () => {
  it('Services that share addresses are together, and all are where they would be if they came at once', () => {
    const change = fc.record({
      name: fc.constantFrom(...keys),
      assigned: fc.uniqueArray(fc.constantFrom(...addresses), { minLength: 1, maxLength: 2 }),
      weights: fc.option(
        fc
          .uniqueArray(fc.constantFrom(...nodes), { minLength: 1 })
          .map((own) => Object.fromEntries(own.map((node) => [node, node === 'n3' ? 2 : 0]))),
        { nil: undefined, freq: 3 },
      ),
    });
    const step = fc.record({
      changes: fc.array(change, { maxLength: 3 }),
      absent: fc.subarray(nodes, { maxLength: 1 }),
      anew: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const announcing = createAnnouncing();
        const world = new Map<string, Answered>();
        let absent = new Set<string>();
        let known: ReadonlySet<string> | undefined;
        for (const each of steps) {
          const anew = known === undefined || each.anew;
          if (anew) absent = new Set(each.absent);
          const set = (key: string, next: Answered | undefined): void => {
            if (next === undefined) world.delete(key);
            else world.set(key, next);
            announcing.set(key, next);
          };
          for (const { name, assigned, weights } of each.changes) {
            const next = weights && answered(name, assigned, weights);
            const place = world.get(`shop/${name}`)?.service.announcer;
            const service = next && place !== undefined ? announcer(next.service, place) : next?.service;
            set(`shop/${name}`, next && service && { ...next, service });
          }
          const whole = sharedAmong(world.values());
          const eligible = new Set(
            [...whole.values()].flatMap((all) => all.eligible.map(({ node }) => node)),
          );
          const hasJoined = known !== undefined && [...eligible].some((node) => !known?.has(node));
          known = eligible;
          const expected = spread([...whole.values()], absent, hasJoined);
          const written = new Map<string, Answered>();
          for (const { shared, place } of announcing.settle(absent, anew)) {
            expect(shared).toEqual(whole.get(shared.key));
            for (const { key } of shared.services) {
              const one = world.get(key)!;
              if (one.service.announcer !== place)
                written.set(key, { ...one, service: announcer(one.service, place) });
            }
          }
          for (const [key, next] of written) set(key, next);
          const now = [...whole.values()].flatMap(({ key, services }) =>
            services.map((service) => [key, world.get(service.key)?.service.announcer]),
          );
          for (const [key, place] of now) expect([key, place]).toEqual([key, expected.get(key!)]);
          expect(
            announcing
              .settle(absent, false)
              .every(({ shared, place }) => shared.services.every((service) => service.announcer === place)),
          ).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
