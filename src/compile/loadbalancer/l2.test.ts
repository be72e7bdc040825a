import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EndpointSliceModel } from '#model/endpointslice.ts';
import type { L2AdvertisementModel } from '#model/l2advertisement.ts';
import type { LoadBalancerModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import { compileL2, createL2Compiler, type L2Snapshot } from './l2.ts';
import { balancerModel, l2Model, nodeModel, poolModel, sliceModel } from './testing.ts';

const names = ['n1', 'n2', 'n3'];
const address = '192.168.66.100';

function world(part: {
  service?: Partial<LoadBalancerModel>;
  nodes?: readonly NodeModel[];
  advertisements?: readonly ReturnType<typeof l2Model>[];
  slices?: readonly EndpointSliceModel[];
}): L2Snapshot {
  const service = balancerModel('web', [address], part.service);
  const slices = part.slices ?? [sliceModel('web', ['n2'])];
  return {
    pools: new Map([['one', poolModel('one', ['192.168.66.100-192.168.66.110', 'fd66::100-fd66::110'])]]),
    advertisements: new Map((part.advertisements ?? [l2Model('lan')]).map((each) => [each.name, each])),
    services: new Map([[service.key, service]]),
    slices: new Map(slices.map((each, index) => [`shop/${index}`, each])),
    nodes: new Map((part.nodes ?? names.map((name) => nodeModel(name))).map((node) => [node.name, node])),
  };
}

const candidates = (snapshot: L2Snapshot, at = address) =>
  compileL2(snapshot, 'n1').value.virtualAddresses[at]?.candidates;

const hashed = (nodes: readonly string[], first = address) =>
  nodes.toSorted((a, b) => (digest(a, first) < digest(b, first) ? -1 : 1));
const digest = (node: string, first: string) => createHash('sha256').update(`${node}#${first}`).digest('hex');
const selector = (key: string, value: string) => ({ matchLabels: { [key]: value } });

describe('who may answer for an address', () => {
  it('is every node, in the order of a hash, as in MetalLB', () => {
    expect(candidates(world({}))).toEqual(hashed(names));
  });

  it('is the announcer first, while it may', () => {
    for (const announcer of names)
      expect(candidates(world({ service: { announcer } }))).toEqual([
        announcer,
        ...hashed(names.filter((name) => name !== announcer)),
      ]);
    expect(candidates(world({ service: { announcer: 'gone' } }))).toEqual(hashed(names));
  });

  it.each<[string, Parameters<typeof world>[0]]>([
    ['no L2Advertisement', { advertisements: [] }],
    ['none for its pool', { advertisements: [l2Model('lan', { pools: ['two'] })] }],
    ['none for its labels', { advertisements: [l2Model('lan', { serviceSelectors: [selector('a', 'b')] })] }],
    ['none for any node', { advertisements: [l2Model('lan', { nodeSelectors: [selector('a', 'b')] })] }],
    ['no endpoint', { slices: [] }],
    ['an address of no pool', { service: { assigned: ['203.0.113.1'] } }],
  ])('is nobody with %s', (_, part) => {
    const { value, problems } = compileL2(world(part), 'n1');
    expect(value.virtualAddresses).toEqual({});
    expect(problems).toEqual([]);
  });

  it('is no node that is excluded, without network or leaving', () => {
    const nodes = [
      nodeModel('n1', { announces: false }),
      nodeModel('n2'),
      nodeModel('n3', { leaving: true }),
    ];
    expect(candidates(world({ nodes }))).toEqual(['n2']);
  });

  it('is only a node with an endpoint under externalTrafficPolicy Local, one that ends only where none is ready', () => {
    const [endpoint] = sliceModel('web', ['n3']).endpoints;
    const ending = { ...endpoint!, ready: false, serving: true, terminating: true };
    const slice = sliceModel('web', ['n2']);
    const gone = { ...slice, endpoints: [{ ...endpoint!, node: 'n1', ready: false, serving: false }] };
    const withReady = [slice, { ...slice, endpoints: [ending] }, gone];
    expect(candidates(world({ service: { local: true }, slices: withReady }))).toEqual(['n2']);
    const without = [{ ...slice, endpoints: [ending, { ...ending, node: 'n2' }] }, gone];
    expect(candidates(world({ service: { local: true }, slices: without }))).toEqual(hashed(['n2', 'n3']));
    const service = { local: true, whileServing: true as const };
    expect(candidates(world({ service, slices: withReady }))).toEqual(hashed(['n2', 'n3']));
  });

  it('is by the sum of weights of preferred nodes, and only of advertisements that take the node', () => {
    const nodes = [
      nodeModel('n1', { labels: { rack: 'a' } }),
      nodeModel('n2', { labels: { rack: 'a', fast: 'yes' } }),
      nodeModel('n3', { labels: { rack: 'b' } }),
    ];
    const advertisements = [
      l2Model('lan', {
        preferences: [
          { weight: 10, selector: selector('rack', 'a') },
          { weight: 5, selector: selector('fast', 'yes') },
        ],
      }),
      l2Model('b', {
        nodeSelectors: [selector('rack', 'b')],
        preferences: [
          { weight: 12, selector: selector('rack', 'b') },
          { weight: 100, selector: selector('rack', 'a') },
        ],
      }),
    ];
    expect(candidates(world({ nodes, advertisements }))).toEqual(['n2', 'n3', 'n1']);
  });

  it('is at most five nodes', () => {
    const nodes = Array.from({ length: 9 }, (_, index) => nodeModel(`n${index}`));
    expect(candidates(world({ nodes }))).toEqual(hashed(nodes.map(({ name }) => name)).slice(0, 5));
  });

  it('keeps both families of a Service at one node', () => {
    const snapshot = world({ service: { assigned: [address, 'fd66::100'] } });
    expect(candidates(snapshot, 'fd66::100')).toEqual(candidates(snapshot));
  });

  it('is nobody for a shared address under serviceSelectors, and says so', () => {
    const advertisements = [l2Model('all'), l2Model('some', { serviceSelectors: [{}] })];
    const { value, problems } = compileL2(world({ advertisements, service: { sharingKey: 'k' } }), 'n1');
    expect(value.virtualAddresses).toEqual({});
    expect(problems).toMatchObject([
      { object: { name: 'web' }, field: 'metadata.annotations[metallb.io/allow-shared-ip]' },
    ]);
  });

  it('stays what it was for an address that was taken out of its pool, or whose pool is gone', () => {
    for (const assignedFrom of ['one', 'gone']) {
      const service = { assigned: ['192.168.66.200'], assignedFrom };
      const named = [l2Model('lan', { pools: [assignedFrom] })];
      expect(candidates(world({ service }), '192.168.66.200')).toHaveLength(3);
      expect(candidates(world({ service, advertisements: named }), '192.168.66.200')).toHaveLength(3);
    }
    const without = { ...world({ service: { assignedFrom: 'one' } }), pools: new Map() };
    expect(candidates(without)).toBeUndefined();
  });
});

describe('where a node answers', () => {
  const interfaces = (...advertisements: ReturnType<typeof l2Model>[]) =>
    compileL2(world({ advertisements }), 'n1').value.virtualAddresses[address]?.interfaces;

  it('is everywhere, unless every advertisement that takes the node names interfaces', () => {
    const named = (name: string, ...list: string[]) => l2Model(name, { interfaces: list });
    expect(interfaces(l2Model('lan'))).toBeUndefined();
    expect(interfaces(named('a', 'eth1', 'eth0'), named('b', 'eth2', 'eth0'))).toEqual([
      'eth0',
      'eth1',
      'eth2',
    ]);
    expect(interfaces(named('a', 'eth1'), l2Model('lan'))).toBeUndefined();
    const elsewhere = l2Model('other', { nodeSelectors: [selector('a', 'b')] });
    expect(interfaces(named('a', 'eth1'), elsewhere)).toEqual(['eth1']);
  });
});

describe('change by change', () => {
  type Step = { readonly kind: keyof L2Snapshot; readonly key: string; readonly value: unknown };
  const pools = [poolModel('one', ['10.0.0.0/28']), poolModel('two', ['10.0.1.0/28'])];
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const labels = fc.constantFrom({}, { a: '1' }, { a: '2' });
  const selectors = fc.subarray([{}, selector('a', '1'), selector('a', '2')], { maxLength: 1 });
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      kind: fc.constant('pools' as const),
      key: fc.constantFrom('one', 'two'),
      value: maybe(fc.constantFrom(...pools)),
    }),
    fc.record({
      kind: fc.constant('advertisements' as const),
      key: fc.constantFrom('x', 'y'),
      value: maybe(
        fc.record({
          pools: fc.subarray(['one', 'two']),
          nodeSelectors: selectors,
          serviceSelectors: selectors,
          interfaces: fc.subarray(['eth0', 'eth1']),
        }),
      ),
    }),
    fc.record({
      kind: fc.constant('nodes' as const),
      key: fc.constantFrom(...names),
      value: maybe(fc.record({ labels, announces: fc.constantFrom(undefined, false as const) })),
    }),
    fc.record({
      kind: fc.constant('services' as const),
      key: fc.constantFrom('shop/a', 'shop/b', 'shop/c'),
      value: maybe(
        fc.record({
          assigned: fc.subarray(['10.0.0.1', '10.0.0.2', '10.0.1.1']),
          labels,
          local: fc.boolean(),
          announcer: fc.constantFrom(undefined, 'n1', 'n2'),
          assignedFrom: fc.constantFrom(undefined, 'one'),
          sharingKey: fc.constantFrom(undefined, 'k'),
        }),
      ),
    }),
    fc.record({
      kind: fc.constant('slices' as const),
      key: fc.constantFrom('shop/s1', 's2', 's3'),
      value: maybe(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.subarray(names))),
    }),
  );

  it('ends where one compile of the last state ends', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.infiniteStream(fc.boolean()), (steps, flushes) => {
        const compiler = createL2Compiler('n1');
        const state = Object.fromEntries(
          ['pools', 'advertisements', 'nodes', 'services', 'slices'].map((kind) => [
            kind,
            new Map<string, unknown>(),
          ]),
        ) as Record<keyof L2Snapshot, Map<string, unknown>>;
        const told = new Map<string, unknown>();
        const flush = () => {
          const delta = compiler.flush();
          for (const key of delta?.remove['virtualAddresses'] ?? []) told.delete(key);
          for (const [key, entry] of Object.entries(delta?.put['virtualAddresses'] ?? {}))
            told.set(key, entry);
        };
        for (const { kind, key, value: raw } of steps) {
          const value = modelOf(kind, key, raw);
          if (value === undefined) state[kind].delete(key);
          else state[kind].set(key, value);
          if (kind === 'pools') compiler.setPool(key, value as never);
          if (kind === 'advertisements') compiler.setAdvertisement(key, value as never);
          if (kind === 'nodes') compiler.setNode(key, value as never);
          if (kind === 'services') compiler.setService(key, value as never);
          if (kind === 'slices') compiler.setSlice(key, value as never);
          if (flushes.next().value === true) flush();
        }
        flush();
        const { value, problems } = compileL2(state as unknown as L2Snapshot, 'n1');
        expect(Object.fromEntries(told)).toEqual(value.virtualAddresses);
        expect(compiler.problems()).toEqual(problems);
        expect(compiler.flush()).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  function modelOf(kind: keyof L2Snapshot, key: string, raw: unknown): unknown {
    if (raw === undefined) return undefined;
    if (kind === 'advertisements') return l2Model(key, raw as Partial<L2AdvertisementModel>);
    if (kind === 'nodes') return nodeModel(key, raw as Partial<NodeModel>);
    if (kind === 'services') return balancerModel(key.split('/')[1]!, [], raw as Partial<LoadBalancerModel>);
    if (kind !== 'slices') return raw;
    const [service, places] = raw as [string, string[]];
    return sliceModel(service, places);
  }
});
