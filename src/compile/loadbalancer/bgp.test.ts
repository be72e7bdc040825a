/** BGP announcements: who is told what of which prefix, when nothing is, and that a change gives what a whole compile gives. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BGPNeighborIntent } from '#intent/node.ts';
import type { BGPAdvertisementModel } from '#model/bgpadvertisement.ts';
import type { CommunityModel } from '#model/community.ts';
import type { EndpointSliceModel } from '#model/endpointslice.ts';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import {
  type AnnouncementCompiler,
  type AnnouncementSnapshot,
  compileAnnouncements,
  createAnnouncementCompiler,
} from './bgp.ts';
import { balancerModel, nodeModel, poolModel, sliceModel } from './testing.ts';

const ad = (name: string, part: Partial<BGPAdvertisementModel> = {}): BGPAdvertisementModel => ({
  origin: { kind: 'BGPAdvertisement', namespace: 'metallb-system', name },
  name,
  namespace: 'metallb-system',
  created: '2026-01-01T00:00:00Z',
  pools: [],
  poolSelectors: [],
  nodeSelectors: [],
  serviceSelectors: [],
  lengths: { 4: 32, 6: 128 },
  communities: [],
  peers: [],
  ...part,
});
const session = (kind: 'BGPNeighbor' | 'BGPPeer', name: string): BGPNeighborIntent => ({
  origin: kind === 'BGPPeer' ? { kind, namespace: 'metallb-system', name } : { kind, name },
  address: '192.168.66.1',
  port: 179,
  localASN: 64_512,
  peerASN: 65_000,
  families: [4, 6],
  multiHop: false,
  importPrefixes: [],
});
const community = (name: string, value: string, namespace = 'metallb-system'): CommunityModel => ({
  origin: { kind: 'Community', namespace, name },
  namespace,
  created: '2026-01-01T00:00:00Z',
  values: new Map([[name, value]]),
});
const mapped = <T extends { readonly name: string }>(list: readonly T[]) =>
  new Map(list.map((each) => [each.name, each]));
const neighbors = {
  'BGPPeer/metallb-system/one': session('BGPPeer', 'one'),
  'BGPPeer/metallb-system/two': session('BGPPeer', 'two'),
  tor: session('BGPNeighbor', 'tor'),
  'mesh/b/4': { ...session('BGPNeighbor', 'mesh'), mesh: { client: false } },
};

type Given = {
  readonly pools?: readonly AddressPoolModel[];
  readonly ads?: readonly BGPAdvertisementModel[];
  readonly communities?: readonly CommunityModel[];
  readonly node?: Partial<NodeModel>;
  readonly services?: readonly LoadBalancerModel[];
  readonly slices?: readonly EndpointSliceModel[];
};
const web = balancerModel('web', ['10.9.0.1', 'fd09::1']);
const snapshot = ({
  pools = [poolModel('p', ['10.9.0.0/24', 'fd09::/64'], { labels: { tier: 'a' } })],
  ads = [ad('all')],
  communities = [],
  node = {},
  services = [web],
  slices = [sliceModel('web', ['b'])],
}: Given): AnnouncementSnapshot => ({
  pools: mapped(pools),
  advertisements: mapped(ads),
  communities: new Map(communities.map((each) => [each.origin.name, each])),
  node: nodeModel('a', node),
  neighbors,
  services: new Map(services.map((each) => [each.key, each])),
  slices: new Map(slices.map((each) => [each.origin.name, each])),
});
const compiled = (given: Given) => compileAnnouncements(snapshot(given), 'a');
const prefixes = (given: Given) => Object.keys(compiled(given).value.announcements);
const told = (given: Given) =>
  compiled(given).problems.map(
    ({ object, field, code, message }) => `${object.name} ${field} ${code}: ${message}`,
  );

describe('what is announced', () => {
  test('each address of a Service with endpoints, to every router', () => {
    expect(compiled({})).toEqual({
      value: {
        announcements: {
          '10.9.0.1/32': { origin: web.origin, communities: [] },
          'fd09::1/128': { origin: web.origin, communities: [] },
        },
      },
      problems: [],
    });
  });

  test('nothing without an advertisement, an endpoint, or a pool', () => {
    expect(prefixes({ ads: [] })).toEqual([]);
    expect(prefixes({ slices: [] })).toEqual([]);
    expect(prefixes({ pools: [] })).toEqual([]);
  });

  test('externalTrafficPolicy Local: only with an endpoint here, ready or serving', () => {
    const services = [{ ...web, local: true }];
    const slice = sliceModel('web', ['b', 'a']);
    expect(prefixes({ services })).toEqual([]);
    expect(prefixes({ services, slices: [slice] })).toHaveLength(2);
    const ending = (serving: boolean) => ({
      ...slice,
      endpoints: slice.endpoints.map((each) => ({ ...each, ready: false, serving, terminating: true })),
    });
    expect(prefixes({ services, slices: [ending(true)] })).toHaveLength(2);
    expect(prefixes({ services, slices: [ending(false)] })).toEqual([]);
  });

  test.each<[string, Partial<NodeModel>]>([
    ['is excluded from load balancers, or has no network', { announces: false }],
    ['is leaving', { leaving: true }],
  ])('nothing by a node that %s', (_, node) => {
    expect(prefixes({ node })).toEqual([]);
  });

  test('selectors: pools by name and label, nodes, Services', () => {
    expect(prefixes({ ads: [ad('x', { pools: ['q'] })] })).toEqual([]);
    expect(prefixes({ ads: [ad('x', { pools: ['p'] })] })).toHaveLength(2);
    const labelled = (tier: string) => [ad('x', { poolSelectors: [{ matchLabels: { tier } }] })];
    expect(prefixes({ ads: labelled('a') })).toHaveLength(2);
    expect(prefixes({ ads: labelled('b') })).toEqual([]);
    const racks = [ad('x', { nodeSelectors: [{ matchLabels: { rack: '1' } }] })];
    expect(prefixes({ ads: racks })).toEqual([]);
    expect(prefixes({ ads: racks, node: { labels: { rack: '1' } } })).toHaveLength(2);
    const some = [ad('x', { serviceSelectors: [{ matchLabels: { app: 'web' } }] })];
    expect(prefixes({ ads: some })).toEqual([]);
    expect(prefixes({ ads: some, services: [{ ...web, labels: { app: 'web' } }] })).toHaveLength(2);
  });
});

describe('what is said of it', () => {
  test('an aggregate is one prefix however many Services, in the name of the first', () => {
    const services = ['web', 'api'].map((name, index) => balancerModel(name, [`10.9.0.${index + 1}`]));
    const slices = [sliceModel('web', ['b']), sliceModel('api', ['b'])];
    const aggregate = ad('x', { lengths: { 4: 26, 6: 128 } });
    expect(compiled({ services, slices, ads: [aggregate] }).value.announcements).toEqual({
      '10.9.0.0/26': { origin: services[1]!.origin, communities: [] },
    });
    expect(prefixes({ services, slices, ads: [aggregate, ad('y')] })).toEqual([
      '10.9.0.0/26',
      '10.9.0.1/32',
      '10.9.0.2/32',
    ]);
  });

  test('an aggregate that is larger than the pool is refused', () => {
    const pools = [poolModel('p', ['10.9.0.0/28'])];
    expect(told({ pools, ads: [ad('x', { lengths: { 4: 24, 6: 128 } })] })).toEqual([
      "x spec.aggregationLength InvalidRange: /24 is more than 10.9.0.0-10.9.0.15 of IPAddressPool p, whose addresses this one doesn't announce",
    ]);
    expect(prefixes({ pools, ads: [ad('x', { lengths: { 4: 24, 6: 128 } })] })).toEqual([]);
  });

  test('communities of all advertisements, by name or not; an unknown name refuses its advertisement', () => {
    const ads = [
      ad('x', { communities: ['65000:2', 'near'] }),
      ad('y', { communities: ['large:65000:1:2', '65000:2'] }),
    ];
    const communities = [community('near', '65000:1')];
    expect(compiled({ ads, communities }).value.announcements['10.9.0.1/32']).toMatchObject({
      communities: ['65000:1', '65000:1:2', '65000:2'],
    });
    expect(told({ ads, communities: [community('near', '65000:1', 'other')] })).toEqual([
      'x spec.communities[1] InvalidCommunity: "near" is neither a community nor a name in a Community of namespace metallb-system',
    ]);
  });

  test('each router is told what the advertisements that take it say', () => {
    const ads = [
      ad('everyone', { communities: ['1:1'] }),
      ad('some', { communities: ['2:2'], peers: ['one', 'tor', 'elsewhere'] }),
    ];
    expect(compiled({ ads }).value.announcements['10.9.0.1/32']).toEqual({
      origin: web.origin,
      neighbors: ['BGPPeer/metallb-system/one', 'tor'],
      communities: ['1:1', '2:2'],
      others: [{ neighbors: ['BGPPeer/metallb-system/two'], communities: ['1:1'] }],
    });
    expect(compiled({ ads: ads.slice(1) }).value.announcements['10.9.0.1/32']).toMatchObject({
      neighbors: ['BGPPeer/metallb-system/one', 'tor'],
    });
    expect(prefixes({ ads: [ad('x', { peers: ['elsewhere'] })] })).toEqual([]);
    const foreign = ad('x', { peers: ['one'], namespace: 'other' });
    expect(prefixes({ ads: [foreign] })).toEqual([]);
  });

  test('of two local preferences of one prefix to one router the older one is heard', () => {
    const younger = ad('young', {
      created: '2026-02-01T00:00:00Z',
      localPreference: 200,
      communities: ['2:2'],
    });
    const ads = [younger, ad('old', { localPreference: 100, communities: ['1:1'] })];
    expect(compiled({ ads }).value.announcements['10.9.0.1/32']).toMatchObject({
      localPreference: 100,
      communities: ['1:1'],
    });
    expect(told({ ads })).toEqual([
      'young spec.localPref PreferenceConflict: BGPAdvertisement metallb-system/old, which is older, says 100 of 10.9.0.1/32 to the same routers; what this one says of it is left out',
    ]);
    const apart = [
      ad('a', { localPreference: 100, peers: ['one'] }),
      ad('b', { localPreference: 200, peers: ['two'] }),
    ];
    expect(told({ ads: apart })).toEqual([]);
    const lengths = [
      ad('a', { localPreference: 1 }),
      ad('b', { localPreference: 2, lengths: { 4: 24, 6: 64 } }),
    ];
    expect(told({ ads: lengths })).toEqual([]);
  });
});

test('change by change gives what the whole gives', () => {
  const ads = [
    ad('x'),
    ad('x', { communities: ['near'], peers: ['one'] }),
    ad('y', { localPreference: 5, lengths: { 4: 24, 6: 64 } }),
    ad('y', { serviceSelectors: [{ matchLabels: { app: 'web' } }] }),
  ];
  const services = ['web', 'api'].flatMap((name, index) => [
    balancerModel(name, [`10.9.0.${index + 1}`]),
    balancerModel(name, ['10.9.0.1', 'fd09::1'], { labels: { app: 'web' }, local: true }),
  ]);
  type On = { readonly world: World; readonly compiler: AnnouncementCompiler };
  type World = { -readonly [K in keyof AnnouncementSnapshot]: AnnouncementSnapshot[K] };
  /** Puts one of these, or takes it away. */
  const change = <T>(values: readonly T[], set: (on: On, value: T, there: T | undefined) => void) =>
    fc.tuple(fc.boolean(), fc.constantFrom(...values)).map(
      ([there, value]) =>
        (on: On) =>
          set(on, value, there ? value : undefined),
    );
  const kept = <T>(map: ReadonlyMap<string, T>, key: string, value: T | undefined) => {
    const next = new Map(map);
    if (value === undefined) next.delete(key);
    else next.set(key, value);
    return next;
  };
  const step = fc.oneof(
    change(ads, ({ world, compiler }, { name }, value) => {
      world.advertisements = kept(world.advertisements, name, value);
      compiler.setAdvertisement(name, value);
    }),
    change(services, ({ world, compiler }, { key }, value) => {
      world.services = kept(world.services, key, value);
      compiler.setService(key, value);
    }),
    change(
      [sliceModel('web', ['a']), sliceModel('web', []), sliceModel('api', ['b'])],
      ({ world, compiler }, { origin }, value) => {
        world.slices = kept(world.slices, origin.name, value);
        compiler.setSlice(origin.name, value);
      },
    ),
    change(
      [poolModel('p', ['10.9.0.0/24']), poolModel('p', ['fd09::/64'])],
      ({ world, compiler }, { name }, value) => {
        world.pools = kept(world.pools, name, value);
        compiler.setPool(name, value);
      },
    ),
    change([community('near', '1:1'), community('near', '1:2')], ({ world, compiler }, { origin }, value) => {
      world.communities = kept(world.communities, origin.name, value);
      compiler.setCommunity(origin.name, value);
    }),
    change([nodeModel('a'), nodeModel('a', { leaving: true })], ({ world, compiler }, _, value) => {
      world.node = value;
      compiler.setNode(value);
    }),
    change<AnnouncementSnapshot['neighbors']>(
      [neighbors, { tor: neighbors.tor }],
      ({ world, compiler }, _, value) => {
        world.neighbors = value ?? {};
        compiler.setNeighbors(world.neighbors);
      },
    ),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 30 }), (steps) => {
      const compiler = createAnnouncementCompiler('a');
      const nothing = { pools: [], ads: [], services: [], slices: [] };
      const world: World = { ...snapshot(nothing), node: undefined, neighbors: {} };
      const entries: Record<string, unknown> = {};
      const announced = new Map<string, ReadonlyMap<string, unknown>>();
      const flush = () => {
        const delta = compiler.flush();
        for (const key of delta?.remove['announcements'] ?? []) delete entries[key];
        Object.assign(entries, delta?.put['announcements']);
        for (const [key, own] of compiler.takeAnnounced())
          if (own === undefined) announced.delete(key);
          else announced.set(key, own);
      };
      for (const [apply, flushes] of steps) {
        apply({ world, compiler });
        if (flushes) flush();
      }
      flush();
      const whole = compileAnnouncements(world, 'a');
      expect(entries).toEqual(JSON.parse(JSON.stringify(whole.value.announcements)));
      expect(compiler.problems()).toEqual(whole.problems);
      const named = Object.fromEntries([...announced.values()].flatMap((each) => [...each]));
      expect(JSON.parse(JSON.stringify(named))).toEqual(entries);
      const fresh = createAnnouncementCompiler('a');
      setAll(fresh, world);
      fresh.flush();
      expect(announced).toEqual(new Map([...fresh.takeAnnounced()].filter(([, own]) => own !== undefined)));
    }),
    { numRuns: 500 },
  );
});

function setAll(compiler: AnnouncementCompiler, world: AnnouncementSnapshot): void {
  for (const [key, pool] of world.pools) compiler.setPool(key, pool);
  for (const [key, each] of world.advertisements) compiler.setAdvertisement(key, each);
  for (const [key, each] of world.communities) compiler.setCommunity(key, each);
  for (const [key, service] of world.services) compiler.setService(key, service);
  for (const [key, slice] of world.slices) compiler.setSlice(key, slice);
  compiler.setNode(world.node);
  compiler.setNeighbors(world.neighbors);
}
