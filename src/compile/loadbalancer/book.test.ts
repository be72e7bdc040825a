/** Any sequence of changes: no address is doubled, nothing moves without a reason, and a fresh start finds the same. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import { formatAddr, parseAddr } from '#net/addr.ts';
import { allocation, pool, service } from './arbitrary.ts';
import { createAllocationBook } from './book.ts';
import { familyOf } from './choose.ts';
import { compileAllocation } from './compile.ts';
import { isBuggy } from './free.ts';
import { isPinned, servePools, takes } from './pools.ts';
import { conflictOf } from './sharing.ts';

const none = { nil: undefined };
const requested = fc.option(
  fc.constantFrom(['10.0.0.1'], ['10.0.0.2'], ['10.0.1.1'], ['10.0.0.3', 'fd00::1'], ['10.9.9.9']),
  none,
);
const wish = fc.record({
  stack: fc.constantFrom<Pick<LoadBalancerModel, 'families' | 'familyPolicy'>>(
    { families: [4], familyPolicy: 'SingleStack' },
    { families: [6], familyPolicy: 'SingleStack' },
    { families: [4, 6], familyPolicy: 'PreferDualStack' },
    { families: [6, 4], familyPolicy: 'RequireDualStack' },
  ),
  addresses: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: requested }),
  pool: fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom('a', 'b') },
  ),
  sharingKey: fc.option(fc.constantFrom('k', 'l'), none),
  local: fc.boolean(),
  selector: fc.constantFrom('x', 'y'),
  port: fc.constantFrom(80, 443),
  labels: fc.constantFrom({}, { tier: 'gold' }),
  order: fc.integer({ min: 1, max: 3 }),
  deleted: fc.oneof(
    { weight: 9, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
});
const poolShape = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  addresses: fc.constantFrom(
    ['10.0.0.1-10.0.0.2'],
    ['10.0.0.0-10.0.0.3', 'fd00::1'],
    ['fd00::1-fd00::2', '10.0.0.2'],
    ['10.0.1.0-10.0.1.1', 'fd01::1'],
  ),
  autoAssign: fc.oneof(
    { weight: 4, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  avoidsBuggyAddresses: fc.boolean(),
  kept: fc.constantFrom<Partial<AddressPoolModel>>(
    {},
    {},
    allocation({ namespaces: ['n'] }),
    allocation({ priority: 1, serviceSelectors: [{ matchLabels: { tier: 'gold' } }] }),
    allocation({ namespaceSelectors: [{ matchLabels: { team: 't' } }] }),
    allocation({}),
  ),
});
const keys = fc.constantFrom('n/a', 'n/b', 'm/c', 'm/d', 'm/e');
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('service' as const), key: keys, wish: fc.option(wish, none) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('pools' as const),
      pools: fc.uniqueArray(poolShape, { maxLength: 3, selector: ({ name }) => name }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('namespace' as const),
      labels: fc.option(fc.constantFrom({}, { team: 't' }), none),
    }),
  },
);

function modelOf(
  key: string,
  given: typeof wish extends fc.Arbitrary<infer T> ? T : never,
): LoadBalancerModel {
  const { stack, addresses, port, order, pool: name, sharingKey, ...rest } = given;
  const fits = addresses?.every((address) => stack.families.includes(familyOf(address))) === true;
  const enough = stack.familyPolicy !== 'RequireDualStack' || addresses?.length === 2;
  return service(key, order, {
    ...stack,
    ...rest,
    ...(fits && enough ? { requested: { field: 'f', addresses: addresses! } } : {}),
    ...(name === undefined ? {} : { pool: name }),
    ...(sharingKey === undefined ? {} : { sharingKey }),
    ports: [{ protocol: 'tcp', port }],
  });
}

/** Every address of a pool, for a search that is not clever. */
function* addressesOf({ ranges, avoidsBuggyAddresses }: AddressPoolModel, family: number): Generator<string> {
  for (const { family: own, first, last } of ranges) {
    for (let value = first; own === family && value <= last; value += 1n)
      if (!avoidsBuggyAddresses || !isBuggy({ family: own, value })) yield formatAddr({ family: own, value });
  }
}

test('whatever changes in whatever order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 25 }), (steps) => {
      const book = createAllocationBook();
      const services = new Map<string, LoadBalancerModel>();
      let pools: readonly AddressPoolModel[] = [];
      const namespaces = new Map<string, Record<string, string>>();
      /** As of the last time that all was settled. */
      let before = new Map<string, { wish: string; addresses: readonly string[] }>();

      const check = (): void => {
        const changed = new Set(book.settle());
        const served = servePools(pools).value;
        const has = (key: string) => book.get(key)?.addresses ?? [];
        const labelsOf = (namespace: string) => namespaces.get(namespace) ?? {};
        const holders = (address: string) =>
          [...services.values()].filter(({ key }) => has(key).includes(address));
        const canJoin = (one: LoadBalancerModel, address: string) =>
          holders(address).every((other) => other.key === one.key || conflictOf(other, one) === undefined);
        for (const one of services.values()) {
          const now = has(one.key);
          const old = before.get(one.key);
          for (const address of now) expect([address, canJoin(one, address)]).toEqual([address, true]);
          expect(new Set(now.map(familyOf)).size).toBe(now.length);
          if (!one.deleted) for (const address of now) expect(one.families).toContain(familyOf(address));
          if (one.requested !== undefined && !one.deleted)
            expect(one.requested.addresses).toEqual(expect.arrayContaining([...now]));
          if (old?.wish === JSON.stringify(one))
            expect(now).toEqual(expect.arrayContaining([...old.addresses]));
          expect(
            changed.has(one.key) ||
              now.join() === (old?.addresses ?? []).join() ||
              old?.wish !== JSON.stringify(one),
          ).toBe(true);
          for (const address of now.filter((each) => old?.addresses.includes(each) !== true)) {
            const owner = served.of(parseAddr(address)!);
            expect(owner).toBeDefined();
            expect(takes(owner!, one, labelsOf(one.namespace))).toBe(true);
            expect([...addressesOf(owner!, familyOf(address))]).toContain(address);
            if (one.pool === undefined && one.requested === undefined && now.length === 1)
              expect(owner!.autoAssign).toBe(true);
          }
          // Nobody waits for what there is.
          if (now.length > 0 || one.deleted || one.requested !== undefined) continue;
          const open = served.list.filter(
            (each) =>
              takes(each, one, labelsOf(one.namespace)) &&
              (one.pool === undefined
                ? each.autoAssign && (isPinned(each) || each.allocation === undefined)
                : each.name === one.pool),
          );
          const gives = (each: AddressPoolModel) => (family: number) =>
            [...addressesOf(each, family)].some((address) => canJoin(one, address));
          const served1 = open.some((each) =>
            one.familyPolicy === 'PreferDualStack'
              ? one.families.some(gives(each))
              : one.families.every(gives(each)),
          );
          expect([one.key, served1]).toEqual([one.key, false]);
        }
        const asWritten = [...services.values()].map((one): LoadBalancerModel => {
          const { addresses, pool: from } = book.get(one.key) ?? { addresses: [], pool: undefined };
          return { ...one, assigned: addresses, ...(from === undefined ? {} : { assignedFrom: from }) };
        });
        const fresh = compileAllocation({ pools, services: asWritten, namespaces });
        const [mine, theirs] = [book.problems(), fresh.problems].map((list) =>
          list.map((each) => JSON.stringify(each)).sort(),
        );
        for (const { key } of asWritten) expect(fresh.value.allocations.get(key)).toEqual(book.get(key));
        expect(mine).toEqual(theirs);
        expect(book.usage()).toEqual(fresh.value.usage);
        before = new Map(
          asWritten.map((one) => [
            one.key,
            { wish: JSON.stringify(services.get(one.key)), addresses: one.assigned },
          ]),
        );
      };

      for (const [each, settles] of steps) {
        if (each.kind === 'pools') {
          pools = each.pools.map(({ name, addresses, kept, ...rest }) =>
            pool(name, addresses, { ...rest, ...kept }),
          );
          book.setPools(pools);
        } else if (each.kind === 'namespace') {
          if (each.labels === undefined) namespaces.delete('m');
          else namespaces.set('m', each.labels);
          book.setNamespace('m', each.labels);
        } else {
          const model = each.wish === undefined ? undefined : modelOf(each.key, each.wish);
          if (model === undefined) services.delete(each.key);
          else services.set(each.key, model);
          book.setService(each.key, model);
        }
        if (settles) check();
      }
      check();
    }),
    { numRuns: 2000 },
  );
});

test('who waits longest gets what comes free, without a change of its own', () => {
  const book = createAllocationBook();
  book.setPools([pool('one', ['10.0.0.1'])]);
  for (const order of [1, 3, 2]) book.setService(`n/s${order}`, service(`n/s${order}`, order));
  expect(book.settle()).toContain('n/s1');
  expect(book.usage()).toMatchObject([{ waiting: 2, ipv4: { assigned: 1, available: 0n } }]);
  book.setService('n/s1', undefined);
  expect(book.settle()).toEqual(['n/s2']);
  expect(book.get('n/s2')).toEqual({ addresses: ['10.0.0.1'], pool: 'one' });
});

test('who waits for an address joins it as soon as it may', () => {
  const book = createAllocationBook();
  book.setPools([pool('one', ['10.0.0.1'])]);
  book.setService('n/a', service('n/a', 1));
  book.setService('n/b', service('n/b', 2, { sharingKey: 'k', ports: [{ protocol: 'tcp', port: 81 }] }));
  book.settle();
  expect(book.get('n/b')?.addresses).toEqual([]);
  book.setService('n/a', service('n/a', 1, { sharingKey: 'k' }));
  expect(book.settle()).toEqual(['n/b']);
});

test('of two that can share no longer the one that changed moves', () => {
  const book = createAllocationBook();
  const shares = { sharingKey: 'k' };
  const other = { ...shares, ports: [{ protocol: 'tcp' as const, port: 81 }] };
  book.setPools([pool('two', ['10.0.0.1-10.0.0.2'])]);
  book.setService('n/a', service('n/a', 1, shares));
  book.setService('n/b', service('n/b', 2, other));
  book.settle();
  expect(book.get('n/b')?.addresses).toEqual(['10.0.0.1']);
  book.setService('n/a', service('n/a', 1, other));
  book.settle();
  expect([book.get('n/a')?.addresses, book.get('n/b')?.addresses]).toEqual([['10.0.0.2'], ['10.0.0.1']]);
});

test('an address that was given stays although the status says otherwise, until the Service is another one', () => {
  const book = createAllocationBook();
  book.setPools([pool('two', ['10.0.0.1-10.0.0.2'])]);
  book.setService('n/a', service('n/a', 1));
  book.settle();
  book.setService('n/a', service('n/a', 1, { assigned: ['10.0.0.2'] }));
  expect(book.settle()).toEqual([]);
  expect(book.get('n/a')?.addresses).toEqual(['10.0.0.1']);
  book.setService('n/a', service('n/a', 2, { assigned: ['10.0.0.2'] }));
  book.settle();
  expect(book.get('n/a')?.addresses).toEqual(['10.0.0.2']);
});
