/** The controller's decisions: what a Subnet says of itself, and when a gone node's blocks are free. */
import { describe, expect, test } from 'vitest';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import { readSubnet } from '#model/subnet.ts';
import { abandonedClaims } from './abandoned.ts';
import { subnetStatuses } from './subnet-status.ts';

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

describe('subnetStatuses', () => {
  test('a served Subnet counts its blocks and namespaces', () => {
    const statuses = subnetStatuses(
      new Map([read('default', '10.0.0.0/16')]),
      [claim],
      [{ name: 'shop', labels: {} }],
    );
    expect(statuses.get('default')).toMatchObject({
      ready: { status: 'True', reason: 'Served' },
      blocks: 1,
      namespaces: 1,
    });
  });

  test('an unreadable and an overlapping Subnet say why they are not ready', () => {
    const statuses = subnetStatuses(
      new Map([
        read('default', '10.0.0.0/16'),
        read('late', '10.0.128.0/24', '2026-02-01T00:00:00Z'),
        read('bad', '10.0.0.1/16'),
      ]),
      [],
      [],
    );
    expect(statuses.get('late')?.ready).toMatchObject({ status: 'False', reason: 'Overlap' });
    expect(statuses.get('bad')?.ready).toMatchObject({ status: 'False', reason: 'InvalidCIDR' });
    expect(statuses.get('bad')?.ready.message).toContain('spec.cidrs[0]');
  });
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
