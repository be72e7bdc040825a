/** What stays of what pods were told, for how long, and how much of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NamesAnswer } from '#intent/handover.ts';
import { createLearnt, type Learnt, learntLimits } from './learnt.ts';

const limits = { namesOfPod: 3, names: 5, addressesOfName: 4, addresses: 12, lapsed: 6 };
function open(some = learntLimits) {
  const clock = { now: 1_000_000 };
  return { clock, learnt: createLearnt(() => clock.now, some) };
}
const all = (learnt: Learnt) => learnt.since(undefined).names;
const told = (address: string, ttl = 60) => [{ address, ttl }];

describe('time', () => {
  it('is at least five seconds and at most a day, and answers put it off', () => {
    const { clock, learnt } = open();
    learnt.learn('d/a', 'short.org', told('192.0.2.1', 0));
    learnt.learn('d/a', 'long.org', told('192.0.2.2', 999_999));
    clock.now += 4_999;
    expect(learnt.expire()).toBe(false);
    learnt.learn('d/a', 'short.org', told('192.0.2.1', 1));
    clock.now += 4_999;
    expect(learnt.expire()).toBe(false);
    clock.now += 1;
    expect(learnt.expire()).toBe(true);
    expect(all(learnt)).toEqual({
      'short.org': { addresses: [], lapsed: ['192.0.2.1'] },
      'long.org': { addresses: ['192.0.2.2'], lapsed: [] },
    });
    clock.now += 86_400_000;
    expect(learnt.expire()).toBe(true);
    learnt.learn('d/a', 'short.org', told('192.0.2.1'));
    expect(all(learnt)['short.org']).toEqual({ addresses: ['192.0.2.1'], lapsed: [] });
  });

  it('a shorter answer takes nothing back', () => {
    const { clock, learnt } = open();
    learnt.learn('d/a', 'a.org', told('192.0.2.1', 100));
    learnt.learn('d/a', 'a.org', told('192.0.2.1', 10));
    clock.now += 99_000;
    expect(learnt.expire()).toBe(false);
  });
});

it('what was known already has the revision that it was learnt with', () => {
  const { learnt } = open();
  expect(learnt.learn('d/a', 'a.org', told('192.0.2.1'))).toBe(1);
  expect(learnt.learn('d/a', 'b.org', told('192.0.2.1'))).toBe(2);
  expect(learnt.learn('d/b', 'a.org', told('192.0.2.1'))).toBe(1);
  expect(learnt.learn('d/b', 'a.org', told('192.0.2.9'))).toBe(3);
});

it('is the same from its file', () => {
  const { clock, learnt } = open();
  learnt.learn('d/a', 'a.org', told('192.0.2.1', 5));
  learnt.learn('d/a', 'b.org', told('192.0.2.2', 50));
  clock.now += 6_000;
  learnt.expire();
  const again = createLearnt(() => clock.now);
  again.restore(JSON.parse(JSON.stringify(learnt.save())));
  expect(all(again)).toEqual(all(learnt));
  expect(again.save()).toEqual(learnt.save());
});

describe('bounds', () => {
  it('a hundred addresses of a name are kept', () => {
    const { learnt } = open();
    const many = Array.from({ length: 100 }, (_, i) => ({ address: `192.0.2.${i}`, ttl: 60 }));
    learnt.learn('d/a', 'a.org', many);
    expect(all(learnt)['a.org']?.addresses).toHaveLength(100);
    expect(learnt.overflow()).toBeUndefined();
  });

  it('the oldest go first, and it is said', () => {
    const { learnt } = open(limits);
    for (const name of ['a', 'b', 'c', 'a', 'd']) learnt.learn('d/a', `${name}.org`, told('192.0.2.1'));
    const live = Object.entries(all(learnt)).filter(([, { addresses }]) => addresses.length > 0);
    expect(live.map(([name]) => name).sort()).toEqual(['a.org', 'c.org', 'd.org']);
    expect(learnt.overflow()).toContain('3 names a pod');
  });

  it('hold whatever comes; and who follows the changes knows what who asks for all does', () => {
    const step = fc.record({
      pod: fc.constantFrom('d/a', 'd/b'),
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
      hosts: fc.uniqueArray(fc.nat(9), { maxLength: 6 }),
      pass: fc.constantFrom(0, 0, 1_000, 7_000),
      asks: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { clock, learnt } = open(limits);
        const followed = new Map<string, NamesAnswer['names'][string]>();
        let revision = 0;
        const follow = () => {
          const { names, whole, revision: now } = learnt.since(revision);
          if (whole) followed.clear();
          for (const [name, each] of Object.entries(names))
            if (each.addresses.length + each.lapsed.length === 0) followed.delete(name);
            else followed.set(name, each);
          revision = now;
        };
        for (const { pod, name, hosts, pass, asks } of steps) {
          learnt.learn(
            pod,
            name,
            hosts.map((host) => ({ address: `192.0.2.${host}`, ttl: 5 })),
          );
          clock.now += pass;
          learnt.expire();
          if (asks) follow();
          const names = Object.values(all(learnt));
          expect(names.length).toBeLessThanOrEqual(limits.names);
          for (const { addresses } of names)
            expect(addresses.length).toBeLessThanOrEqual(limits.addressesOfName);
          expect(names.reduce((sum, each) => sum + each.addresses.length, 0)).toBeLessThanOrEqual(
            limits.addresses,
          );
          expect(names.reduce((sum, each) => sum + each.lapsed.length, 0)).toBeLessThanOrEqual(limits.lapsed);
        }
        follow();
        const sorted = (each: NamesAnswer['names'][string]) => [
          each.addresses.toSorted(),
          each.lapsed.toSorted(),
        ];
        const text = (entries: Iterable<readonly [string, NamesAnswer['names'][string]]>) =>
          Object.fromEntries([...entries].map(([name, each]) => [name, sorted(each)]));
        expect(text(followed)).toEqual(text(Object.entries(all(learnt))));
      }),
      { numRuns: 500 },
    );
  });
});
