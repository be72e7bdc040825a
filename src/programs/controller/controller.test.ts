/** The controller's decisions: what a Subnet says of itself, and when a gone node's blocks are free. */
import { describe, expect, test } from 'vitest';
import type { Subnet } from '#api/kinds/subnet.ts';
import { blockName } from '#compile/ipam/blocks.ts';
import { servePools } from '#compile/ipam/pools.ts';
import { type ServedSubnet, serveSubnets } from '#compile/topology/served.ts';
import type { AddressHolder, BlockClaimModel } from '#model/blockclaim.ts';
import { readIPPool } from '#model/ippool.ts';
import { problemCodes, type Read } from '#model/problem.ts';
import { readSubnet, type SubnetModel } from '#model/subnet.ts';
import { catalogue } from '#telemetry/catalogue.ts';
import { formatUsage, parseUsage } from '../node-lease.ts';
import { abandonedClaims, abandonedLeases } from './abandoned.ts';
import { topologyProblems } from './findings.ts';
import { endedKeeps, type KeptSituation } from './kept.ts';
import { poolProblems, poolStatus, poolUses } from './pool-status.ts';
import { createRetirement } from './retirement.ts';
import { type SubnetSituation, subnetStatuses } from './subnet-status.ts';

const read = (name: string, cidr: string, created = '2026-01-01T00:00:00Z', extra: Partial<Subnet> = {}) =>
  [
    name,
    readSubnet({
      apiVersion: 'netloom.dev/v1alpha1',
      kind: 'Subnet',
      metadata: { name, creationTimestamp: created },
      spec: { cidrs: [cidr] },
      ...extra,
    }),
  ] as const;

const claim: BlockClaimModel = {
  origin: { kind: 'BlockClaim', name: 'v4-10-0-0-0-26' },
  name: 'v4-10-0-0-0-26',
  uid: 'c',
  cidr: '10.0.0.0/26',
  subnet: 'default',
  node: 'n',
  nodeUID: 'u',
};

const situation = (extra: Partial<SubnetSituation>): SubnetSituation => {
  const subnets = extra.subnets ?? new Map([read('default', '10.0.0.0/16')]);
  const claims = extra.claims ?? [];
  const asRead = claims.map((value) => ({ value, problems: [] }));
  const problems = topologyProblems({ subnets: [...subnets.values()], claims: asRead, nodes: [] });
  const staying = ({ retired }: ServedSubnet) => retired;
  return {
    deleting: new Set(),
    namespaces: [],
    usage: [],
    wire: new Map(),
    staying,
    ...extra,
    subnets,
    claims,
    problems,
  };
};
const other = (cidr: string, name: string, extra: Partial<BlockClaimModel> = {}): BlockClaimModel => ({
  ...claim,
  origin: { kind: 'BlockClaim', name },
  name,
  uid: name,
  cidr,
  ...extra,
});

const held = (cidr: string, holder: Partial<AddressHolder>): BlockClaimModel =>
  other(cidr, blockName(cidr)!, {
    holder: { namespace: 'shop', pod: 'web-0', podUID: 'p', generation: 1, ...holder },
  });
type Three<F extends (...args: never[]) => unknown> =
  Parameters<F> extends [infer A, infer B, infer C, ...unknown[]] ? [A, B, C] : never;

describe('subnetStatuses', () => {
  test('an underlay Subnet says whether the network below carries it, and names the nodes where it does not', () => {
    const [, { value, problems }] = read('default', '10.0.0.0/16');
    const subnets: SubnetSituation['subnets'] = new Map([
      ['default', { value: value && { ...value, mode: 'underlay' as const }, problems }],
    ]);
    const claims = [claim, other('10.0.1.0/26', 'v4-10-0-1-0-26', { node: 'm' })];
    const carries = (wire: SubnetSituation['wire'], of = subnets) =>
      subnetStatuses(situation({ subnets: of, claims, wire })).get('default')?.carries;
    const found = (lost: readonly string[]) => new Map([['default', lost]]);
    expect(carries(new Map())).toMatchObject({
      type: 'UnderlayCarries',
      status: 'Unknown',
      reason: 'NotProbed',
    });
    expect(carries(new Map([['n', found([])]]))).toMatchObject({ status: 'True', reason: 'Answered' });
    // What a node without blocks of the Subnet once found is no news of it.
    expect(carries(new Map([['gone', found(['IPv4: x'])]]))?.status).toBe('Unknown');
    expect(
      carries(
        new Map([
          ['n', found([])],
          ['m', found(['IPv4: nobody answered'])],
        ]),
      ),
    ).toMatchObject({
      status: 'False',
      reason: 'NotCarried',
      message: expect.stringMatching(/at m \(m: IPv4: nobody answered\)/),
    });
    expect(
      carries(new Map([['n', found(['x'])]]), new Map([read('default', '10.0.0.0/16')])),
    ).toBeUndefined();
  });

  test('a served Subnet counts its blocks and namespaces', () => {
    const namespaces = [{ name: 'shop', labels: {} }];
    expect(subnetStatuses(situation({ claims: [claim], namespaces })).get('default')).toMatchObject({
      ready: { status: 'True', reason: 'Served' },
      blocks: 1,
      namespaces: 1,
    });
  });

  test('an unreadable and an overlapping Subnet say why they are not ready', () => {
    const subnets = new Map([
      read('default', '10.0.0.0/16'),
      read('late', '10.0.128.0/24', '2026-02-01T00:00:00Z'),
      read('bad', '10.0.0.1/16'),
    ]);
    const statuses = subnetStatuses(situation({ subnets }));
    expect(statuses.get('late')?.ready).toMatchObject({ status: 'False', reason: 'Overlap' });
    expect(statuses.get('bad')?.ready).toMatchObject({ status: 'False', reason: 'InvalidCIDR' });
    expect(statuses.get('bad')?.ready.message).toContain('spec.cidrs[0]');
  });

  test('a Subnet that is being deleted says how many blocks hold it, and where', () => {
    const claims = [claim, other('10.0.0.64/26', 'v4-10-0-0-64-26', { node: 'm' })];
    const { ready } = subnetStatuses(situation({ claims, deleting: new Set(['default']) })).get('default')!;
    expect(ready).toMatchObject({ status: 'False', reason: 'InUse' });
    expect(ready.message).toContain('2 blocks held by m, n');
    const free = subnetStatuses(situation({ deleting: new Set(['default']) })).get('default')!;
    expect(free.ready).toMatchObject({ status: 'False', reason: 'Deleting' });
  });

  test('a Subnet that was moved names the blocks that it left behind', () => {
    const subnets = new Map([read('default', '10.1.0.0/16')]);
    const { ready } = subnetStatuses(situation({ subnets, claims: [claim] })).get('default')!;
    expect(ready).toMatchObject({ status: 'False', reason: 'BlockOutside' });
    expect(ready.message).toContain('v4-10-0-0-0-26 (n)');
  });

  test('a Subnet without a free block is ready and says so', () => {
    const subnets = new Map([read('default', '10.0.0.0/26')]);
    const { ready } = subnetStatuses(situation({ subnets, claims: [claim] })).get('default')!;
    expect(ready).toMatchObject({ status: 'True', reason: 'NoFreeBlock' });
    expect(ready.message).toContain('all 62 assignable addresses are in blocks that 1 node holds');
  });
});

describe('a prefix that was taken out of a Subnet', () => {
  const moved = read('default', '10.9.0.0/16', undefined, { status: { cidrs: ['10.0.0.0/16'] } });

  test('stays in effect while nodes hold blocks of it, and the condition names them', () => {
    const status = subnetStatuses(situation({ subnets: new Map([moved]), claims: [claim] })).get('default')!;
    expect(status.cidrs).toEqual(['10.9.0.0/16', '10.0.0.0/16']);
    expect(status.ready).toMatchObject({ status: 'True', reason: 'CIDRInUse' });
    expect(status.ready.message).toContain("10.0.0.0/16 can't go yet");
    expect(status.ready.message).toContain('v4-10-0-0-0-26 (n)');
  });

  test('goes a lease after its last block was given back', () => {
    const retirement = createRetirement(50_000);
    const served = serveSubnets([moved[1].value!]).value.list[0]!;
    expect(retirement.staying(served, [claim], 0)).toEqual(['10.0.0.0/16']);
    expect(retirement.staying(served, [], 1_000)).toEqual(['10.0.0.0/16']);
    expect(retirement.staying(served, [claim], 40_000)).toEqual(['10.0.0.0/16']);
    expect(retirement.staying(served, [], 60_000)).toEqual(['10.0.0.0/16']);
    expect(retirement.staying(served, [], 109_000)).toEqual(['10.0.0.0/16']);
    expect(retirement.staying(served, [], 110_000)).toEqual([]);
  });

  test('an edit that can not be leaves what was in effect', () => {
    const broken = read('default', '10.9.0.1/16', undefined, { status: { cidrs: ['10.0.0.0/16'] } });
    const status = subnetStatuses(situation({ subnets: new Map([broken]), claims: [claim] })).get('default')!;
    expect(status.cidrs).toEqual(['10.0.0.0/16']);
    expect(status.ready).toMatchObject({ status: 'True', reason: 'PartlyServed' });
    expect(status.ready.message).toContain('spec.cidrs[0]');
  });
});

describe('counts', () => {
  const usage = [
    new Map([['default', { ipv4: 3, ipv6: 0, waiting: 1 }]]),
    new Map(),
    parseUsage('{"default":[2]}'),
  ];

  test('a Subnet sums what nodes hold and what their pods have', () => {
    const status = subnetStatuses(situation({ claims: [claim], usage })).get('default')!;
    expect(status.ipv4).toEqual({ total: '65534', held: '63', used: '5', available: '65529' });
    expect(status.ipv6).toBeUndefined();
    expect(status.nodes).toBe(1);
    expect(status.available).toMatchObject({ type: 'AddressesAvailable', status: 'True' });
  });

  test('an exhausted Subnet says so, and how many pods wait', () => {
    const full = situation({ subnets: new Map([read('default', '10.0.0.0/29', undefined, small)]), usage });
    const five = [...usage, new Map([['default', { ipv4: 1, ipv6: 0, waiting: 0 }]])];
    expect(subnetStatuses({ ...full, usage: five }).get('default')!.available).toMatchObject({
      status: 'False',
      reason: 'Exhausted',
      message: 'all 6 IPv4 addresses are in use; 1 pod waits',
    });
    const held = situation({
      subnets: new Map([read('default', '10.0.0.0/26')]),
      claims: [claim],
      usage,
    });
    expect(subnetStatuses(held).get('default')!.available).toMatchObject({
      status: 'False',
      reason: 'NoFreeBlock',
      message: expect.stringContaining('1 pod waits'),
    });
  });

  test('what a node writes is taken for numbers and nothing else', () => {
    expect(parseUsage('no json').size).toBe(0);
    expect(parseUsage('[1]').size).toBe(0);
    expect(parseUsage('{"a":[-1,1e300,"9"],"b":7}')).toEqual(
      new Map([['a', { ipv4: 0, ipv6: 0, waiting: 0 }]]),
    );
    const told = new Map([['s', { ipv4: 4, ipv6: 5, waiting: 6 }]]);
    expect(parseUsage(formatUsage(told))).toEqual(told);
  });
});

const small = { spec: { cidrs: ['10.0.0.0/29'], blockSizes: { ipv4: 29 } } };

describe('topologyProblems', () => {
  const problems = (
    subnets: readonly (readonly [string, Read<SubnetModel>])[],
    claims: readonly BlockClaimModel[],
  ) =>
    topologyProblems({
      subnets: subnets.map(([, each]) => each),
      claims: claims.map((value) => ({ value, problems: [] })),
      nodes: [
        { value: { origin: { kind: 'Node', name: 'n' }, name: 'n', uid: 'u', addresses: [] }, problems: [] },
      ],
    }).map(({ object, code }) => `${object.kind} ${object.name} ${code}`);

  test('a sound cluster has none', () => {
    expect(problems([read('default', '10.0.0.0/16')], [claim])).toEqual([]);
  });

  test('claims that a change of their Subnet cut off are one problem, of the Subnet', () => {
    const claims = [claim, other('10.0.0.64/26', 'v4-10-0-0-64-26')];
    expect(problems([read('default', '10.9.0.0/16')], claims)).toEqual(['Subnet default BlockOutside']);
    expect(problems([read('default', '10.0.0.1/16')], claims)).toEqual(['Subnet default InvalidCIDR']);
  });

  test('a claim on a Subnet that is not there, or under a wrong name, is its own', () => {
    expect(problems([], [claim])).toEqual(['BlockClaim v4-10-0-0-0-26 SubnetNotFound']);
    expect(problems([read('default', '10.0.0.0/16')], [other('10.0.0.0/26', 'mine')])).toEqual([
      'BlockClaim mine WrongName',
    ]);
  });

  test('two claims that overlap name each other', () => {
    const claims = [claim, other('10.0.0.0/27', 'v4-10-0-0-0-27', { node: 'm' })];
    expect(problems([read('default', '10.0.0.0/16')], claims)).toEqual([
      'BlockClaim v4-10-0-0-0-26 Overlap',
      'BlockClaim v4-10-0-0-0-27 Overlap',
    ]);
  });
});

test('every problem has its entry in the catalogue, and every entry is of a problem', () => {
  expect(Object.keys(catalogue).sort()).toEqual([...problemCodes].sort());
});

describe('abandonedClaims', () => {
  const times = { now: 1_000_000, startedAt: 0, defaultDurationMs: 40_000, marginMs: 10_000 };
  const lease = (seenAt: number) => new Map([['n', { renewTime: 't', durationMs: 40_000, seenAt }]]);

  const gone = (...[claims, nodes, leases]: Three<typeof abandonedClaims>) =>
    abandonedClaims(claims, nodes, leases, times).remove;

  test('a node that is there keeps its blocks, however old its lease', () => {
    expect(gone([claim], new Map([['n', 'u']]), lease(0))).toEqual([]);
  });

  test('a deleted node that still renews its lease may still assign', () => {
    expect(gone([claim], new Map(), lease(times.now - 20_000))).toEqual([]);
  });

  test('a deleted node whose lease ran out is done, and so is the older of two nodes of one name', () => {
    expect(gone([claim], new Map(), lease(times.now - 60_000))).toEqual([claim]);
    expect(gone([claim], new Map([['n', 'other']]), lease(times.now - 60_000))).toEqual([claim]);
  });

  test('a node whose lease was never seen counts from when we began to look', () => {
    const young = { ...times, startedAt: times.now - 20_000 };
    expect(abandonedClaims([claim], new Map(), new Map(), young).remove).toEqual([]);
    expect(gone([claim], new Map(), new Map())).toEqual([claim]);
  });

  test('a kept address of a gone node stays, and may move once the lease has run out', () => {
    const kept = held('10.0.0.70/32', { keep: 'Pod:db-0' });
    const at = (seenAt: number) => abandonedClaims([kept], new Map(), lease(seenAt), times);
    expect(at(times.now - 20_000)).toEqual({ remove: [], free: [] });
    expect(at(times.now - 60_000)).toEqual({ remove: [], free: [kept] });
    const freed = held('10.0.0.70/32', { keep: 'Pod:db-0', freedAt: 'x' });
    expect(abandonedClaims([freed], new Map(), lease(0), times).free).toEqual([]);
  });

  test('a node out of service gives up what single pods had, not its blocks, and not while it renews its lease', () => {
    const claims = [claim, held('10.0.0.70/32', { pool: 'web' }), held('10.0.0.71/32', { keep: 'VM:db' })];
    const at = (seenAt: number) =>
      abandonedClaims(claims, new Map([['n', 'u']]), lease(seenAt), times, new Set(['n']));
    expect(at(times.now - 60_000)).toEqual({ remove: [claims[1]], free: [claims[2]] });
    expect(at(times.now - 20_000)).toEqual({ remove: [], free: [] });
  });
});

describe('endedKeeps', () => {
  const day = 86_400_000;
  const at = Date.parse('2026-01-02T00:00:00Z');
  const ended = (holder: Partial<AddressHolder>, some: Partial<KeptSituation> = {}) =>
    endedKeeps({
      claims: [
        held('10.0.0.70/32', {
          keep: 'Pod:db-1',
          statefulSet: 'db',
          freedAt: '2026-01-01T00:00:00Z',
          ...holder,
        }),
      ],
      namespaces: new Set(['shop']),
      statefulSets: new Map([['shop/db', { key: 'shop/db', replicas: 2, start: 0 }]]),
      now: at,
      ...some,
    }).map(({ reason }) => reason);
  const owner = (replicas: number, start = 0) => new Map([['shop/db', { key: 'shop/db', replicas, start }]]);

  test.each<[string, Partial<AddressHolder>, Partial<KeptSituation>, string[]]>([
    ['its StatefulSet makes the pod', {}, {}, []],
    ['its StatefulSet is gone', {}, { statefulSets: new Map() }, ['StatefulSet db is gone']],
    ['its StatefulSet is scaled below it', {}, { statefulSets: owner(1) }, ['StatefulSet db is scaled to 1']],
    ['its StatefulSet starts above it', {}, { statefulSets: owner(5, 2) }, ['StatefulSet db is scaled to 5']],
    ['it is still on an interface', { freedAt: undefined } as never, { statefulSets: new Map() }, []],
    ['it is kept for ever', { release: 'Never' }, { statefulSets: new Map() }, []],
    ['its namespace is gone', { release: 'Never' }, { namespaces: new Set() }, ['namespace shop is gone']],
    ['its time has come', { release: '600s' }, {}, ['its pod is gone for 600 s']],
    ['its time has not come', { release: '600s' }, { now: at - day + 1000 }, []],
    ['it is a VM, of which nothing tells', { keep: 'VM:db', statefulSet: undefined } as never, {}, []],
  ])('when %s', (_, holder, some, reasons) => {
    expect(ended(holder, some)).toEqual(reasons);
  });

  test('when a lower one of the same family is kept for the same', () => {
    const kept = { keep: 'VM:db', release: 'Never', freedAt: '2026-01-01T00:00:00Z' } as const;
    const claims = [
      held('10.0.0.70/32', kept),
      held('10.0.0.71/32', kept),
      held('10.0.0.72/32', { ...kept, freedAt: undefined } as never),
      held('10.0.0.73/32', { ...kept, keep: 'VM:other' }),
      held('fd00::70/128', kept),
    ];
    const now = Date.parse('2026-01-02T00:00:00Z');
    const gone = endedKeeps({ claims, namespaces: new Set(['shop']), statefulSets: new Map(), now });
    expect(gone.map(({ claim: { cidr }, reason }) => `${cidr} ${reason}`)).toEqual([
      '10.0.0.71/32 another address is kept for VM:db',
    ]);
  });
});

describe('poolStatus', () => {
  const pool = readIPPool({
    apiVersion: 'netloom.dev/v1alpha1',
    kind: 'IPPool',
    metadata: { name: 'web' },
    spec: { subnet: 'default', addresses: ['10.0.0.8-10.0.0.9', '10.0.0.70'] },
  });
  const subnets = new Map([['default', read('default', '10.0.0.0/16')[1].value!]]);
  const statusOf = (claims: readonly BlockClaimModel[], pools = [pool.value!]) => {
    const served = servePools(pools, subnets);
    const uses = poolUses(served.value, claims);
    const problems = [...served.problems, ...poolProblems(uses.values())];
    return poolStatus(uses.get('web'), problems);
  };

  test('says who holds what', () => {
    const status = statusOf([held('10.0.0.70/32', { pool: 'web' }), held('10.0.0.8/32', { keep: 'VM:db' })]);
    expect(status).toMatchObject({ usage: '2/3', free: '1', held: 2 });
    expect(status.holders).toEqual([
      { address: '10.0.0.8', pod: 'shop/web-0', node: 'n', kept: 'VM:db' },
      { address: '10.0.0.70', pod: 'shop/web-0', node: 'n' },
    ]);
    expect(status.conditions).toMatchObject([
      { type: 'Ready', status: 'True', reason: 'Served' },
      { type: 'Exhausted', status: 'False' },
    ]);
  });

  test('says when it is exhausted, and when blocks are in the way', () => {
    const all = ['10.0.0.8/32', '10.0.0.9/32', '10.0.0.70/32'].map((cidr) => held(cidr, {}));
    expect(statusOf(all).conditions).toMatchObject([
      { type: 'Ready', status: 'True', reason: 'NoFreeAddress' },
      { type: 'Exhausted', status: 'True', message: expect.stringContaining('3 of 3 are held') },
    ]);
    const blocked = statusOf([claim]);
    expect(blocked).toMatchObject({ usage: '0/3', free: '1' });
    expect(blocked.conditions[0]).toMatchObject({ status: 'True', reason: 'InBlocks' });
    expect(blocked.conditions[0]!.message).toContain('10.0.0.0/26 (n)');
  });

  test('says why it is not served', () => {
    const lost = { ...pool.value!, subnet: 'gone' };
    expect(statusOf([], [lost]).conditions).toMatchObject([
      { type: 'Ready', status: 'False', reason: 'SubnetNotFound' },
      { type: 'Exhausted', status: 'Unknown' },
    ]);
  });
});

test('a lease goes when it has run out and neither Node nor claim speaks of it', () => {
  const times = { now: 1_000_000, startedAt: 0, defaultDurationMs: 40_000, marginMs: 10_000 };
  const leases = (seenAt: number) => new Map([['n', { renewTime: 't', durationMs: 40_000, seenAt }]]);
  expect(abandonedLeases([], new Map(), leases(0), times)).toEqual(['n']);
  expect(abandonedLeases([], new Map(), leases(times.now - 20_000), times)).toEqual([]);
  expect(abandonedLeases([], new Map([['n', 'v']]), leases(0), times)).toEqual([]);
  expect(abandonedLeases([claim], new Map(), leases(0), times)).toEqual([]);
});
