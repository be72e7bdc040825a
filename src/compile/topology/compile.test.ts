/** Topology: what each object does to the intent, and that a change gives what a whole compile gives. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { PoolModel } from '#model/ippool.ts';
import type { NodeModel } from '#model/node.ts';
import type { SubnetModel } from '#model/subnet.ts';
import * as blocks from '../ipam/blocks.ts';
import { compileTopology, type TopologyIntent, type TopologySnapshot } from './compile.ts';
import { createTopologyCompiler, type TopologyChange } from './incremental.ts';

const blockName = (cidr: string): string => blocks.blockName(cidr) ?? '';

const node = (name: string, uid = `uid-${name}`): NodeModel => ({
  origin: { kind: 'Node', name },
  name,
  uid,
  addresses: [`192.168.66.${name.charCodeAt(0)}`],
});

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

const claim = (
  cidr: string,
  owner: string,
  of = 'default',
  extra: Partial<BlockClaimModel> = {},
): BlockClaimModel => ({
  origin: { kind: 'BlockClaim', name: blockName(cidr) },
  name: blockName(cidr),
  uid: `claim-${cidr}`,
  cidr,
  subnet: of,
  node: owner,
  nodeUID: `uid-${owner}`,
  ...extra,
});

const snapshot = (extra: Partial<TopologySnapshot>): TopologySnapshot => ({
  nodes: [node('a'), node('b')],
  subnets: [subnet('default', '10.244.0.0/16')],
  claims: [],
  namespaces: [],
  ...extra,
});

describe('compileTopology', () => {
  test("one address of one pod is routed to its node while it is on an interface, and is no block of the node's own", () => {
    const holder = { namespace: 'shop', pod: 'db-0', podUID: 'u', keep: 'Pod:db-0', generation: 2 };
    const at = (owner: string, freedAt?: string) => {
      const single = freedAt === undefined ? holder : { ...holder, freedAt };
      const claims = [claim('10.244.9.9/32', owner, 'default', { holder: single })];
      return compileTopology(snapshot({ claims }), 'a').value;
    };
    expect(at('b').peers.b?.blocks).toEqual([{ cidr: '10.244.9.9/32', subnet: 'default', mode: 'overlay' }]);
    expect(at('b', '2026-01-01T00:00:00Z').peers.b?.blocks).toEqual([]);
    expect(at('a').self.a).toMatchObject({
      blocks: [],
      singles: [{ cidr: '10.244.9.9/32', subnet: 'default' }],
    });
    expect(at('a', '2026-01-01T00:00:00Z').self.a?.singles).toBeUndefined();
  });

  test("a claim is routed to its node, and the node's own is its to assign from", () => {
    const { value, problems } = compileTopology(
      snapshot({ claims: [claim('10.244.0.0/26', 'a'), claim('10.244.0.64/26', 'b')] }),
      'a',
    );
    expect(problems).toEqual([]);
    expect(value.self.a?.blocks.map((block) => block.cidr)).toEqual(['10.244.0.0/26']);
    expect(value.peers.b?.blocks).toEqual([{ cidr: '10.244.0.64/26', subnet: 'default', mode: 'overlay' }]);
    expect(Object.keys(value.peers)).toEqual(['b']);
  });

  test.each<[string, Partial<BlockClaimModel>, string]>([
    ['outside its subnet', { cidr: '10.9.0.0/26', name: blockName('10.9.0.0/26') }, 'OutsideSubnet'],
    ['under a name that is not its CIDR', { name: 'mine' }, 'WrongName'],
    ['of a node that was made again', { nodeUID: 'older' }, 'NodeReplaced'],
    ['of a subnet that is not served', { subnet: 'gone' }, 'SubnetNotFound'],
  ])('a claim %s is not routed', (_, extra, code) => {
    const { value, problems } = compileTopology(
      snapshot({ claims: [claim('10.244.0.0/26', 'b', 'default', extra)] }),
      'a',
    );
    expect(value.peers.b?.blocks).toEqual([]);
    expect(problems.map((problem) => problem.code)).toEqual([code]);
  });

  test('the younger of two overlapping subnets is not served', () => {
    const younger = subnet('aaa', '10.244.8.0/24', { created: '2026-02-01T00:00:00Z' });
    const { value, problems } = compileTopology(
      snapshot({ subnets: [younger, subnet('default', '10.244.0.0/16')] }),
      'a',
    );
    expect(Object.keys(value.subnets)).toEqual(['default']);
    expect(problems).toMatchObject([{ object: { name: 'aaa' }, field: 'spec.cidrs', code: 'Overlap' }]);
  });

  test('a Subnet that grows over another keeps what it has, and takes nothing from the younger one', () => {
    const grown = subnet('default', '10.244.0.0/15', { recorded: ['10.244.0.0/16'] });
    const young = subnet('young', '10.245.0.0/16', {
      created: '2026-02-01T00:00:00Z',
      recorded: ['10.245.0.0/16'],
    });
    const { value, problems } = compileTopology(snapshot({ subnets: [young, grown] }), 'a');
    expect(value.subnets.default?.cidrs).toEqual(['10.244.0.0/16']);
    expect(value.subnets.young?.cidrs).toEqual(['10.245.0.0/16']);
    expect(problems).toMatchObject([{ object: { name: 'default' }, field: 'spec.cidrs', code: 'Overlap' }]);
  });

  test('what was taken out of a Subnet stays routed, gives no address, and is nobody else’s yet', () => {
    const moved = subnet('default', '10.244.0.0/17', { recorded: ['10.244.0.0/16'] });
    const next = subnet('next', '10.244.128.0/24', { created: '2026-02-01T00:00:00Z' });
    const { value, problems } = compileTopology(
      snapshot({ subnets: [moved, next], claims: [claim('10.244.128.0/26', 'b')] }),
      'a',
    );
    expect(value.subnets).toMatchObject({
      default: { cidrs: ['10.244.0.0/17', '10.244.128.0/17'], retired: ['10.244.128.0/17'] },
    });
    expect(value.peers.b?.blocks).toHaveLength(1);
    expect(problems.map(({ object, code }) => `${object.name} ${code}`)).toEqual(['next Overlap']);
  });

  test('a private Subnet lets in itself, whom it names, and the outside that it lets in; a name that is not there, nobody', () => {
    const { value } = compileTopology(
      snapshot({
        subnets: [
          subnet('default', '10.244.0.0/16'),
          subnet('team', '10.1.0.0/16', {
            private: { subnets: ['friend', 'nobody'], prefixes: ['192.0.2.0/24'] },
            allowFrom: ['198.51.100.0/24'],
          }),
          subnet('friend', '10.2.0.0/16'),
        ],
      }),
      'a',
    );
    expect(value.subnets.team?.onlyFrom).toEqual([
      '10.1.0.0/16',
      '10.2.0.0/16',
      '192.0.2.0/24',
      '198.51.100.0/24',
    ]);
    expect(value.subnets.friend?.onlyFrom).toBeUndefined();
  });

  test("nobody on an underlay Subnet's wire gets the address of a node or of the gateway", () => {
    const wire = subnet('wire', '192.168.66.0/24', {
      mode: 'underlay',
      excluded: ['192.168.66.1/32', '192.168.66.96/32'],
      gateways: ['192.168.66.1'],
    });
    const routed = subnet('routed', '192.168.67.0/24', { mode: 'routed' });
    const { value, problems } = compileTopology(snapshot({ subnets: [wire, routed] }), 'a');
    expect(problems).toEqual([]);
    // The nodes have .97 and .98.
    expect(value.subnets['wire']?.excluded).toEqual([
      '192.168.66.1/32',
      '192.168.66.96/31',
      '192.168.66.98/32',
    ]);
    expect(value.subnets['wire']?.gateways).toEqual(['192.168.66.1']);
    expect(value.subnets['routed']?.excluded).toEqual([]);
  });

  test('what a node says of its own addresses in a block goes to the others', () => {
    const told = claim('10.244.0.64/26', 'b', 'default', { nodeAddresses: ['10.244.0.65'] });
    const { value } = compileTopology(snapshot({ claims: [told] }), 'a');
    expect(value.peers.b?.tunnelAddresses).toEqual(['10.244.0.65']);
    expect(compileTopology(snapshot({ claims: [told] }), 'b').value.self.b?.blocks).toEqual([
      { cidr: '10.244.0.64/26', subnet: 'default', claim: 'claim-10.244.0.64/26' },
    ]);
  });

  test('a namespace follows its name, then its labels, then the default', () => {
    const { value } = compileTopology(
      snapshot({
        subnets: [
          subnet('default', '10.244.0.0/16'),
          subnet('by-label', '10.1.0.0/16', { namespaceSelector: { matchLabels: { tier: 'gold' } } }),
          subnet('by-name', '10.2.0.0/16', { namespaces: ['shop'] }),
        ],
        namespaces: [
          { name: 'shop', labels: { tier: 'gold' } },
          { name: 'bank', labels: { tier: 'gold' } },
          { name: 'rest', labels: {} },
        ],
      }),
      'a',
    );
    expect(value.namespaces).toEqual({
      shop: { subnet: 'by-name' },
      bank: { subnet: 'by-label' },
      rest: { subnet: 'default' },
    });
  });

  test('a Subnet that is being deleted serves no namespace and stays routed', () => {
    const { value } = compileTopology(
      snapshot({
        subnets: [
          subnet('default', '10.244.0.0/16'),
          subnet('team', '10.2.0.0/16', { namespaces: ['shop'], deleting: true }),
        ],
        claims: [claim('10.2.0.0/26', 'b', 'team')],
        namespaces: [{ name: 'shop', labels: {} }],
      }),
      'a',
    );
    expect(value.namespaces).toEqual({ shop: { subnet: 'default' } });
    expect(value.peers.b?.blocks).toEqual([{ cidr: '10.2.0.0/26', subnet: 'team', mode: 'overlay' }]);
  });
});

type Step =
  | { readonly kind: 'node'; readonly name: string; readonly uid: string | undefined }
  | { readonly kind: 'subnet'; readonly name: string; readonly index: number | undefined }
  | {
      readonly kind: 'claim';
      readonly block: number;
      readonly owner: string | undefined;
      readonly of: string;
      readonly single: string | undefined;
    }
  | { readonly kind: 'namespace'; readonly name: string; readonly gold: boolean | undefined }
  | { readonly kind: 'pool'; readonly name: string; readonly of: string; readonly block: number | undefined }
  | { readonly kind: 'flush' };

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 });
const names = fc.constantFrom('a', 'b', 'c');
const subnetNames = fc.constantFrom('default', 'x', 'y');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('node' as const), name: names, uid: optional(fc.constantFrom('1', '2')) }),
  fc.record({ kind: fc.constant('subnet' as const), name: subnetNames, index: optional(fc.nat(8)) }),
  fc.record({
    kind: fc.constant('claim' as const),
    block: fc.nat(5),
    owner: optional(names),
    of: subnetNames,
    single: optional(fc.constantFrom('used', 'freed')),
  }),
  fc.record({
    kind: fc.constant('namespace' as const),
    name: fc.constantFrom('n1', 'n2'),
    gold: optional(fc.boolean()),
  }),
  fc.record({
    kind: fc.constant('pool' as const),
    name: fc.constantFrom('p', 'q'),
    of: subnetNames,
    block: optional(fc.nat(5)),
  }),
  fc.record({ kind: fc.constant('flush' as const) }),
);

test('any sequence of changes gives what one compile of the final state gives', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const compiler = createTopologyCompiler('a');
      const state = {
        node: new Map(),
        subnet: new Map(),
        pool: new Map(),
        claim: new Map(),
        namespace: new Map(),
      };
      let folded: TopologyIntent = { self: {}, subnets: {}, namespaces: {}, peers: {} };
      for (const one of [...steps, { kind: 'flush' } as const]) {
        if (one.kind === 'flush') folded = fold(folded, compiler.flush());
        else applyStep(one, compiler, state);
      }
      const whole = compileTopology(
        {
          nodes: [...state.node.values()],
          subnets: [...state.subnet.values()],
          claims: [...state.claim.values()],
          namespaces: [...state.namespace.values()],
          pools: [...state.pool.values()],
        },
        'a',
      );
      expect(folded).toEqual(whole.value);
      expect(compiler.flush()).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

function applyStep(
  one: Exclude<Step, { kind: 'flush' }>,
  compiler: ReturnType<typeof createTopologyCompiler>,
  state: Record<string, Map<string, unknown>>,
): void {
  const put = <T>(key: string, value: T | undefined): T | undefined => {
    if (value === undefined) state[one.kind]?.delete(key);
    else state[one.kind]?.set(key, value);
    return value;
  };
  if (one.kind === 'node') {
    compiler.setNode(one.name, put(one.name, one.uid === undefined ? undefined : node(one.name, one.uid)));
  } else if (one.kind === 'subnet') {
    const value =
      one.index === undefined
        ? undefined
        : subnet(one.name, one.index === 8 ? '192.168.66.0/24' : `10.${one.index % 4}.0.0/16`, {
            mode: one.index === 8 ? 'underlay' : 'overlay',
            ...(one.index > 4 && one.index < 8 ? { recorded: [`10.${one.index % 3}.0.0/16`] } : {}),
            ...(one.index % 2 === 1 ? { private: { subnets: ['x'], prefixes: [] } } : {}),
            namespaces: one.index === 1 ? ['n1'] : [],
            ...(one.index === 3 ? { deleting: true } : {}),
            ...(one.index === 2 ? { namespaceSelector: { matchLabels: { tier: 'gold' } } } : {}),
          });
    compiler.setSubnet(one.name, put(one.name, value));
  } else if (one.kind === 'claim') {
    const cidr = `10.${one.block % 3}.0.${(one.block % 2) * 64}/${one.single === undefined ? 26 : 32}`;
    const holder = { namespace: 'n1', pod: 'p', podUID: 'u', generation: 1 };
    const single = one.single === 'freed' ? { ...holder, freedAt: 'x' } : holder;
    const kind = one.single === undefined ? {} : { holder: single };
    const own = one.block > 3 ? { nodeAddresses: [cidr.replace(/\/.*/, '')] } : {};
    const extra = { nodeUID: '1', ...kind, ...own };
    const value = one.owner === undefined ? undefined : claim(cidr, one.owner, one.of, extra);
    compiler.setClaim(blockName(cidr), put(blockName(cidr), value));
  } else if (one.kind === 'pool') {
    const value: PoolModel | undefined =
      one.block === undefined
        ? undefined
        : {
            origin: { kind: 'IPPool', name: one.name },
            name: one.name,
            created: '2026-01-01T00:00:00Z',
            subnet: one.of,
            prefixes: [`10.${one.block % 3}.0.${(one.block % 2) * 16}/28`],
            namespaces: [],
          };
    compiler.setPool(one.name, put(one.name, value));
  } else {
    const value =
      one.gold === undefined ? undefined : { name: one.name, labels: one.gold ? { tier: 'gold' } : {} };
    compiler.setNamespace(
      one.name,
      put(one.name, value as { name: string; labels: Record<string, string> } | undefined),
    );
  }
}

function fold(intent: TopologyIntent, change: TopologyChange | undefined): TopologyIntent {
  if (change === undefined) return intent;
  const next: Record<string, Record<string, unknown>> = structuredClone(intent) as never;
  for (const [domain, keys] of Object.entries(change.remove))
    for (const key of keys) delete next[domain]?.[key];
  for (const [domain, entries] of Object.entries(change.put)) Object.assign(next[domain] ?? {}, entries);
  return next as TopologyIntent;
}
