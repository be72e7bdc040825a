/** The controller's decisions: what a Subnet says of itself, and when a gone node's blocks are free. */
import { describe, expect, test } from 'vitest';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import { problemCodes, type Read } from '#model/problem.ts';
import { readSubnet, type SubnetModel } from '#model/subnet.ts';
import { catalogue } from '#telemetry/catalogue.ts';
import { abandonedClaims, abandonedLeases } from './abandoned.ts';
import { topologyProblems } from './findings.ts';
import { type SubnetSituation, subnetStatuses } from './subnet-status.ts';

const read = (name: string, cidr: string, created = '2026-01-01T00:00:00Z') =>
  [
    name,
    readSubnet({
      apiVersion: 'netloom.dev/v1alpha1',
      kind: 'Subnet',
      metadata: { name, creationTimestamp: created },
      spec: { cidrs: [cidr] },
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
  return { deleting: new Set(), namespaces: [], ...extra, subnets, claims, problems };
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
