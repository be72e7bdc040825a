/** The controller's decisions: what a Subnet says of itself, and when a gone node's blocks are free. */
import { describe, expect, test } from 'vitest';
import type { Subnet } from '#api/kinds/subnet.ts';
import { type ServedSubnet, serveSubnets } from '#compile/topology/served.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import { problemCodes, type Read } from '#model/problem.ts';
import { readSubnet, type SubnetModel } from '#model/subnet.ts';
import { catalogue } from '#telemetry/catalogue.ts';
import { formatUsage, parseUsage } from '../node-lease.ts';
import { abandonedClaims, abandonedLeases } from './abandoned.ts';
import { topologyProblems } from './findings.ts';
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

  test('a node that is there keeps its blocks, however old its lease', () => {
    expect(abandonedClaims([claim], new Map([['n', 'u']]), lease(0), times)).toEqual([]);
  });

  test('a deleted node that still renews its lease may still assign', () => {
    expect(abandonedClaims([claim], new Map(), lease(times.now - 20_000), times)).toEqual([]);
  });

  test('a deleted node whose lease ran out is done, and so is the older of two nodes of one name', () => {
    expect(abandonedClaims([claim], new Map(), lease(times.now - 60_000), times)).toEqual([claim]);
    expect(abandonedClaims([claim], new Map([['n', 'other']]), lease(times.now - 60_000), times)).toEqual([
      claim,
    ]);
  });

  test('a node whose lease was never seen counts from when we began to look', () => {
    expect(
      abandonedClaims([claim], new Map(), new Map(), { ...times, startedAt: times.now - 20_000 }),
    ).toEqual([]);
    expect(abandonedClaims([claim], new Map(), new Map(), times)).toEqual([claim]);
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
