/** Who holds which hostname: beside a search that is not clever, and the cases that people ask about. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { olderFirst } from '../age.ts';
import { covers } from '../hostnames.ts';
import { createFirstHolders, type HostClaimant } from './first-holders.ts';

type Claims = ReadonlyMap<string, readonly string[]>;
type Known = ReadonlyMap<string, { readonly claimant: HostClaimant; readonly claims: Claims }>;

/** All claims in the order of their age, each beside all that came before it. */
function expected(known: Known): ReadonlyMap<string, string> {
  const all = [...known].flatMap(([id, { claimant, claims }]) =>
    [...claims].flatMap(([instance, hosts]) => hosts.map((host) => ({ id, claimant, instance, host }))),
  );
  all.sort((a, b) => olderFirst(a.claimant, b.claimant) || (a.id < b.id ? -1 : 1));
  const held: typeof all = [];
  const lost = new Map<string, string>();
  for (const claim of all) {
    const holder = held.find(
      ({ claimant, instance, host }) =>
        claimant.namespace !== claim.claimant.namespace &&
        instance === claim.instance &&
        covers(host, claim.host),
    );
    if (holder === undefined) held.push(claim);
    else lost.set(`${claim.id} ${claim.instance} ${claim.host}`, holder.claimant.namespace);
  }
  return lost;
}

const hosts = fc.uniqueArray(fc.constantFrom('a.b.c', '*.b.c', '*.c', 'x.c', 'y', '@l'), {
  minLength: 1,
  maxLength: 3,
});
const step = fc.record({
  namespace: fc.constantFrom('m', 'n', 'o'),
  name: fc.constantFrom('a', 'b'),
  age: fc.integer({ min: 1, max: 3 }),
  claims: fc.dictionary(fc.constantFrom('i', 'j'), hosts, { noNullPrototype: true, maxKeys: 2 }),
  gone: fc.boolean(),
  settles: fc.boolean(),
});

test('whoever claims whatever', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
      const holders = createFirstHolders();
      const known = new Map<string, { readonly claimant: HostClaimant; readonly claims: Claims }>();
      const last = new Map<string, string>();
      for (const { namespace, name, age, claims: wanted, gone, settles } of steps) {
        const key = `${namespace}/${name}`;
        const claimant = { namespace, key, created: `2026-0${age}` };
        const claims = new Map(Object.entries(wanted));
        last.delete(key);
        if (gone) known.delete(key);
        else known.set(key, { claimant, claims });
        holders.set(key, gone ? undefined : claimant, gone ? new Map() : claims);
        if (!settles) continue;
        const changed = new Set(holders.settle());
        const wantedLosses = expected(known);
        for (const [id, { claims: own }] of known) {
          const lost = [...own].flatMap(([instance, hostnames]) =>
            hostnames.flatMap((host) => {
              const holder = holders.lost(id, instance).get(host);
              return holder === undefined ? [] : [[`${id} ${instance} ${host}`, holder] as const];
            }),
          );
          expect(lost).toEqual([...wantedLosses].filter(([at]) => at.startsWith(`${id} `)));
          // Nobody who has something else than before goes unnamed.
          const text = JSON.stringify(lost);
          if (last.has(id) && last.get(id) !== text) expect(changed).toContain(id);
          last.set(id, text);
        }
      }
    }),
    { numRuns: 500 },
  );
});

const claimed = (list: readonly (readonly [string, ...string[]])[]) => {
  const holders = createFirstHolders();
  for (const [index, [key, ...hostnames]] of list.entries()) {
    const [namespace = ''] = key.split('/');
    holders.set(key, { namespace, key, created: `2026-0${index + 1}` }, new Map([['i', hostnames]]));
  }
  holders.settle();
  return Object.fromEntries(
    list.flatMap(([key]) => {
      const lost = Object.fromEntries(holders.lost(key, 'i'));
      return Object.keys(lost).length === 0 ? [] : [[key, lost]];
    }),
  );
};

test.each<[string, readonly (readonly [string, ...string[]])[], object]>([
  [
    'the first keeps it',
    [
      ['a/x', 'shop.example'],
      ['b/x', 'shop.example'],
    ],
    { 'b/x': { 'shop.example': 'a' } },
  ],
  [
    'one’s own is no rival',
    [
      ['a/x', 'shop.example'],
      ['a/y', 'shop.example', '*.shop.example'],
    ],
    {},
  ],
  [
    'a wildcard denies names below',
    [
      ['a/x', '*.shop.example'],
      ['b/x', 'c.d.shop.example', 'shop.example'],
    ],
    { 'b/x': { 'c.d.shop.example': 'a' } },
  ],
  [
    'but not those that were there',
    [
      ['b/x', 'c.shop.example'],
      ['a/x', '*.shop.example'],
      ['b/y', 'c.shop.example'],
    ],
    { 'b/y': { 'c.shop.example': 'a' } },
  ],
  [
    'who holds nothing denies nothing',
    [
      ['a/x', '*.example'],
      ['b/x', '*.shop.example'],
      ['a/y', 'c.shop.example'],
    ],
    { 'b/x': { '*.shop.example': 'a' } },
  ],
])('%s', (_, list, lost) => {
  expect(claimed(list)).toEqual(lost);
});
