/** Where pods take addresses from: the order of looking, who may name what, and that the explanation is the decision. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import type { PoolModel } from '#model/ippool.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import { readPod } from '#model/pod.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { emptySet, equals, has, intersect, isEmpty, setOfPrefixes, union } from '#net/set.ts';
import { namespaceIntent } from '../topology/entries.ts';
import { serveSubnets } from '../topology/served.ts';
import { assignable } from './blocks.ts';
import { type Placed, place, usableFor } from './placement.ts';
import { servePools, withoutPools } from './pools.ts';

const subnet = (name: string, cidr: string, extra: Partial<SubnetModel> = {}): SubnetModel => ({
  origin: { kind: 'Subnet', name },
  name,
  created: '2026-01-01T00:00:00Z',
  cidrs: [cidr],
  mode: 'overlay',
  namespaces: [],
  excluded: [],
  blockSizes: { ipv4: 26, ipv6: 122 },
  masquerade: true,
  allowFrom: [],
  ...extra,
});
const pool = (
  name: string,
  of: string,
  prefixes: readonly string[],
  extra: Partial<PoolModel> = {},
): PoolModel => ({
  origin: { kind: 'IPPool', name },
  name,
  created: '2026-01-01T00:00:00Z',
  subnet: of,
  prefixes,
  namespaces: [],
  ...extra,
});
const pod = (annotations: Record<string, string> = {}, labels: Record<string, string> = {}) =>
  readPod({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-0',
      namespace: 'shop',
      uid: 'u1',
      labels,
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([key, value]) => [`netloom.dev/${key}`, value]),
      ),
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 's', controller: true },
      ],
    },
  } as KubeObject);
const shop: NamespaceModel = { name: 'shop', labels: { team: 'blue' } };

const subnets = [
  subnet('default', '10.244.0.0/16'),
  subnet('blue', '10.1.0.0/16', { namespaceSelector: { matchLabels: { team: 'blue' } } }),
  subnet('red', '10.2.0.0/16', { namespaces: ['crimson'] }),
  subnet('open', '10.3.0.0/16'),
];
const pools = [
  pool('web', 'blue', ['10.1.1.0/28'], {
    namespaces: ['shop'],
    podSelector: { matchLabels: { app: 'web' } },
  }),
  pool('asked', 'blue', ['10.1.2.0/28']),
  pool('reds', 'red', ['10.2.1.0/28'], { podSelector: {} }),
  pool('lent', 'red', ['10.2.2.0/28'], { namespaces: ['shop'], podSelector: { matchLabels: { app: 'x' } } }),
];
const inputs = (some = subnets, of = pools) => {
  const served = serveSubnets(some).value;
  return { subnets: served, pools: servePools(of, served.byName).value };
};
const taken = (placed: Placed) =>
  'placement' in placed ? (placed.placement.pool ?? placed.placement.subnet) : `refused: ${placed.refused}`;
const ask = (annotations: Record<string, string>, labels = {}, namespace: Partial<NamespaceModel> = {}) =>
  place(pod(annotations, labels), { ...shop, ...namespace }, inputs());

describe('place', () => {
  test.each<
    [string, Record<string, string>, Record<string, string>, Partial<NamespaceModel>, string | RegExp]
  >([
    ['the Subnet of its namespace', {}, {}, {}, 'blue'],
    ['the default Subnet', {}, {}, { name: 'rest', labels: {} }, 'default'],
    ['the Subnet of its annotation', { subnet: 'open' }, { app: 'web' }, {}, 'open'],
    ['the pool of its annotation', { 'ip-pool': 'asked' }, { app: 'web' }, {}, 'asked'],
    ['the pool rather than the Subnet', { 'ip-pool': 'asked', subnet: 'blue' }, {}, {}, 'asked'],
    ["its namespace's pool", {}, { app: 'web' }, { pool: 'asked' }, 'asked'],
    ["its own Subnet rather than its namespace's pool", { subnet: 'open' }, {}, { pool: 'asked' }, 'open'],
    ["its namespace's Subnet of annotation", {}, {}, { subnet: 'open' }, 'open'],
    ['the pool of its address', { addresses: '10.1.2.3' }, {}, {}, 'asked'],
    ['the Subnet of its address', { addresses: '10.3.9.9' }, {}, {}, 'open'],
    ['a pool lent by another Subnet', { 'ip-pool': 'lent' }, {}, {}, 'lent'],
    [
      "not another tenant's Subnet",
      { subnet: 'red' },
      {},
      {},
      /Subnet red is for other namespaces than shop/,
    ],
    ["not another tenant's pool", { 'ip-pool': 'reds' }, {}, {}, /reds is for the namespaces of its Subnet/],
    ["not an address of another tenant's", { addresses: '10.2.7.7' }, {}, {}, /Subnet red is for other/],
    ["not an address of another's pool", { addresses: '10.2.1.3' }, {}, {}, /IPPool reds/],
    ['not a Subnet that is not there', { subnet: 'gone' }, {}, {}, /no served Subnet gone/],
    ['not a pool that is not there', { 'ip-pool': 'gone' }, {}, {}, /no IPPool gone/],
    ['not a pool of another Subnet', { 'ip-pool': 'asked', subnet: 'open' }, {}, {}, /of Subnet blue/],
    ['not an address that nobody has', { addresses: '192.0.2.1' }, {}, {}, /in no served Subnet/],
    ["not a Subnet's first address", { addresses: '10.3.0.0' }, {}, {}, /not an address that pods can have/],
    ['nothing when an annotation is nonsense', { addresses: '10.3.0.300' }, {}, {}, /is no address/],
    ['nothing when an annotation is empty', { subnet: '' }, {}, {}, /is empty/],
  ])('a pod takes %s', (_, annotations, labels, namespace, expected) => {
    const placed = ask(annotations, labels, namespace);
    if (expected instanceof RegExp) expect(taken(placed)).toMatch(expected);
    else expect(taken(placed)).toBe(expected);
  });

  test('a pool that names the namespace takes the pods of its selector, and no others', () => {
    const only = [pools[0]!];
    const at = (labels: Record<string, string>) => place(pod({}, labels), shop, inputs(subnets, only));
    expect(taken(at({ app: 'web' }))).toBe('web');
    expect(taken(at({ app: 'db' }))).toBe('blue');
    expect(at({ app: 'db' }).considered.map(({ name, taken: is }) => `${name} ${is}`)).toEqual([
      'web false',
      'blue true',
    ]);
  });

  test("labels alone do not open a pool of another tenant's Subnet", () => {
    const placed = place(pod({}, { any: 'label' }), shop, inputs(subnets, [pools[2]!]));
    expect(taken(placed)).toBe('blue');
    expect(placed.considered[0]).toMatchObject({ name: 'reds', taken: false });
  });

  test('a reserved address is for pods that name it; neither a block nor a pool has it', () => {
    const reserving = [subnet('default', '10.244.0.0/16', { reserved: ['10.244.9.0/28'] })];
    const all = inputs(reserving, [pool('p', 'default', ['10.244.9.0/27'])]);
    const named = place(pod({ addresses: '10.244.9.3' }), { name: 'rest', labels: {} }, all);
    expect(named).toMatchObject({
      placement: { subnet: 'default', entries: [{ addresses: ['10.244.9.3'] }] },
    });
    expect(has(all.pools.byName.get('p')!.usable, parseAddr('10.244.9.3')!)).toBe(false);
    expect(withoutPools(all.subnets.list[0]!, all.pools).pooled).toEqual(['10.244.9.16/28', '10.244.9.0/28']);
  });

  test('a Subnet that is being deleted is refused by its name', () => {
    const leaving = subnets.map((each) =>
      each.name === 'open' ? { ...each, deleting: true as const } : each,
    );
    expect(taken(place(pod({ subnet: 'open' }), shop, inputs(leaving)))).toMatch(/being deleted/);
  });

  test('exactly the last one considered is taken, and an ordinary pod goes where its namespace goes', () => {
    const wish = fc.record(
      {
        subnet: fc.constantFrom('default', 'blue', 'red', 'open', 'gone'),
        'ip-pool': fc.constantFrom('web', 'asked', 'reds', 'lent', 'gone'),
        addresses: fc.constantFrom('10.1.1.3', '10.1.2.3,10.1.2.4', '10.2.1.1', '10.9.9.9', 'x'),
        'keep-addresses': fc.constantFrom('Pod', 'VM:db', 'x'),
      },
      { requiredKeys: [] },
    );
    const space = fc.record(
      {
        name: fc.constantFrom('shop', 'crimson', 'rest'),
        labels: fc.constantFrom<Record<string, string>>({}, { team: 'blue' }),
        subnet: fc.constantFrom('open', 'red'),
        pool: fc.constantFrom('asked', 'reds'),
      },
      { requiredKeys: ['name', 'labels'] },
    );
    fc.assert(
      fc.property(wish, space, fc.boolean(), (annotations, namespace, web) => {
        const all = inputs();
        const placed = place(pod(annotations, web ? { app: 'web' } : {}), namespace, all);
        const chosen = placed.considered.filter((each) => each.taken);
        if ('refused' in placed) {
          expect(chosen).toEqual([]);
          expect(placed.refused).not.toBe('');
          return;
        }
        const { placement } = placed;
        expect(chosen).toEqual([placed.considered.at(-1)]);
        expect(chosen[0]!.name).toBe(placement.pool ?? placement.subnet);
        if (placement.ordinary)
          expect(placement.subnet).toBe(namespaceIntent(namespace, all.subnets)?.subnet);
        const usable = usableFor(placement, all)!;
        for (const address of (placement.entries ?? []).flatMap((each) => each.addresses)) {
          expect(has(usable, parseAddr(address)!)).toBe(true);
        }
      }),
    );
  });
});

describe('servePools', () => {
  test('no address is of two pools or of a pool and of an ordinary pod, and none is lost', () => {
    const cidr = fc.tuple(fc.nat(63), fc.constantFrom(26, 28, 32)).map(([at, length]) => {
      const value = (at * 16) & ~((1 << (32 - length)) - 1);
      return `10.244.${value >> 8}.${value & 255}/${length}`;
    });
    fc.assert(
      fc.property(fc.array(fc.array(cidr, { minLength: 1, maxLength: 4 }), { maxLength: 5 }), (lists) => {
        const [own] = [subnet('default', '10.244.0.0/16', { excluded: ['10.244.0.8/29'] })];
        const of = lists.map((list, i) => pool(`p${i}`, 'default', list, { created: `2026-01-0${i + 1}` }));
        const served = servePools(of, new Map([['default', own]])).value;
        const sets = [...served.byName.values()].map(({ usable }) => usable);
        for (const [i, a] of sets.entries()) {
          for (const b of sets.slice(i + 1)) expect(isEmpty(intersect(a, b))).toBe(true);
          expect(isEmpty(intersect(a, assignable(withoutPools(own, served))))).toBe(true);
        }
        const wanted = setOfPrefixes(lists.flat().map((text) => parsePrefix(text)!));
        const whole = sets.reduce(union, emptySet);
        expect(equals(whole, intersect(wanted, assignable(own)))).toBe(true);
      }),
    );
  });

  test('what a pool does not get is told at the pool', () => {
    const own = new Map([['blue', subnet('blue', '10.1.0.0/16')]]);
    const { value, problems } = servePools(
      [
        pool('one', 'blue', ['10.1.0.0/30']),
        pool('two', 'blue', ['10.1.0.0/29'], { created: '2026-02-01' }),
        pool('out', 'blue', ['10.9.0.0/30']),
        pool('none', 'gone', ['10.1.0.0/30']),
      ],
      own,
    );
    expect([...value.byName.keys()]).toEqual(['one', 'two']);
    expect(problems.map(({ object, field, code }) => `${object.name} ${field} ${code}`).sort()).toEqual([
      'none spec.subnet SubnetNotFound',
      'one spec.addresses OutsideSubnet',
      'out spec.addresses OutsideSubnet',
      'two spec.addresses OutsideSubnet',
      'two spec.addresses Overlap',
    ]);
  });
});
