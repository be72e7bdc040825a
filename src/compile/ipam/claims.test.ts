/** Block names, and which blocks nodes claim, use and give back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BlockUsage } from '#intent/handover.ts';
import { maxValue } from '#net/addr.ts';
import { formatPrefix, parsePrefix, prefixesOverlap, prefixOf } from '#net/prefix.ts';
import { parseRange } from '#net/range.ts';
import { intersect, isEmpty, setOfPrefixes, setOfRanges, size } from '#net/set.ts';
import { assignable, blockName, parseBlockName } from './blocks.ts';
import {
  type Claim,
  chooseBlocks,
  claimsNeeded,
  claimsToRelease,
  hasUnclaimed,
  type SubnetBlocks,
  usableClaims,
} from './claims.ts';

const subnet = (some: Partial<SubnetBlocks> = {}): SubnetBlocks => ({
  name: 'default',
  cidrs: ['10.244.0.0/16', 'fd10:244::/56'],
  excluded: [],
  blockSizes: { ipv4: 26, ipv6: 122 },
  ...some,
});
const claim = (cidr: string, node = 'n1', some: Partial<Claim> = {}): Claim => ({
  uid: `${node} ${cidr}`,
  cidr,
  subnet: 'default',
  node,
  nodeUID: `uid-${node}`,
  ...some,
});

test('what is left is counted alike by the cheap way and by the exact one', () => {
  const small = subnet({ cidrs: ['10.0.0.0/27'], excluded: ['10.0.0.8/30'] });
  const block = fc
    .tuple(fc.integer({ min: 27, max: 32 }), fc.nat(63))
    .map(([length, at]) => formatPrefix(prefixOf({ family: 4, value: 0x0a00_0000n + BigInt(at) }, length)));
  fc.assert(
    fc.property(fc.array(block, { maxLength: 6 }), fc.integer({ min: 1, max: 32 }), (cidrs, wanted) => {
      const claimed = setOfPrefixes(cidrs.map((cidr) => parsePrefix(cidr)!));
      const left = size(assignable(small)) - size(intersect(assignable(small), claimed));
      const claims = cidrs.map((cidr) => claim(cidr));
      expect(hasUnclaimed(small, claims, 4, BigInt(wanted))).toBe(left >= BigInt(wanted));
    }),
  );
});

describe('block names', () => {
  const prefix = fc.oneof(
    fc
      .tuple(fc.bigInt({ min: 0n, max: maxValue(4) }), fc.nat(32))
      .map(([value, length]) => prefixOf({ family: 4, value }, length)),
    fc
      .tuple(fc.bigInt({ min: 0n, max: maxValue(6) }), fc.nat(128))
      .map(([value, length]) => prefixOf({ family: 6, value }, length)),
  );

  test('a name is a DNS-1123 subdomain and stands for one CIDR', () => {
    fc.assert(
      fc.property(prefix, (p) => {
        const cidr = formatPrefix(p);
        const name = blockName(cidr)!;
        expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
        expect(parseBlockName(name)).toBe(cidr);
      }),
    );
    expect(blockName('10.244.0.64/26')).toBe('v4-10-244-0-64-26');
    expect(blockName('fd10:244::40/122')).toBe('v6-fd10-244-0-0-0-0-0-40-122');
  });

  test.each(['10.244.0.1/26', '10.244.0.0', 'FD00::/64', 'fd00:0::/64', 'x'])('%j has no name', (cidr) => {
    expect(blockName(cidr)).toBeUndefined();
  });

  test.each([
    'v4-10-244-0-1-26',
    'v4-010-244-0-0-26',
    'v5-10-244-0-0-26',
    'v4-10-244-0-0-33',
    'v4-10-244-0-0',
    'v6-fd00-0-0-0-0-0-0-0-064',
    'v6-FD00-0-0-0-0-0-0-0-64',
    'v6-fd00---64',
    'default',
    '',
  ])('%j names no block', (name) => {
    expect(parseBlockName(name)).toBeUndefined();
  });
});

describe('the addresses of a Subnet', () => {
  const count = (cidrs: string[], excluded: string[] = []) => size(assignable({ cidrs, excluded }));
  test('leave out network, broadcast and excluded addresses', () => {
    expect(count(['10.0.0.0/24'])).toBe(254n);
    expect(count(['fd00::/120'])).toBe(255n);
    expect(count(['10.0.0.0/24'], ['10.0.0.0/25', '10.0.1.0/24'])).toBe(127n);
  });
  test('are all of them where there are fewer than four', () => {
    expect(count(['10.0.0.4/32', 'fd00::/127'])).toBe(3n);
  });
});

describe('choosing blocks', () => {
  const lengths = fc.integer({ min: 24, max: 32 });
  const scene = fc.record({
    blockSize: lengths,
    excluded: fc.array(fc.tuple(fc.nat(255), lengths), { maxLength: 3 }),
    taken: fc.array(fc.tuple(fc.nat(255), lengths), { maxLength: 8 }),
    want: fc.integer({ min: 1, max: 5 }),
    node: fc.constantFrom('n1', 'n2', 'n3'),
    attempt: fc.nat(3),
  });
  const at = ([value, length]: readonly [number, number]) =>
    formatPrefix(prefixOf({ family: 4, value: 0x0a00_0000n + BigInt(value) }, length));

  test('never overlaps a claim, never takes a block of excluded addresses only, and stops only when nothing is left', () => {
    fc.assert(
      fc.property(scene, ({ blockSize, excluded, taken, want, node, attempt }) => {
        const claims = taken.map((each) => claim(at(each), 'other'));
        const where = subnet({
          cidrs: ['10.0.0.0/24'],
          excluded: excluded.map(at),
          blockSizes: { ipv4: blockSize, ipv6: 122 },
        });
        const { value, problems } = chooseBlocks({ subnet: where, claims, node, want: { 4: want }, attempt });
        const all = [...claims.map((each) => each.cidr), ...value].map((cidr) => parsePrefix(cidr)!);
        const usable = assignable(where);
        const free = setOfRanges([parseRange('10.0.0.0/24')!]);
        for (const [i, cidr] of value.entries()) {
          const block = parsePrefix(cidr)!;
          expect(isEmpty(intersect(setOfPrefixes([block]), usable))).toBe(false);
          expect(isEmpty(intersect(setOfPrefixes([block]), free))).toBe(false);
          expect(all.filter((other) => prefixesOverlap(other, block))).toHaveLength(1);
          expect(block.length).toBeGreaterThanOrEqual(blockSize);
          expect(value.indexOf(cidr)).toBe(i);
        }
        const covered = setOfPrefixes(all);
        const left = size(usable) - size(intersect(usable, covered));
        expect(value.length === want || left === 0n).toBe(true);
        expect(problems).toHaveLength(value.length < want ? 1 : 0);
      }),
      { numRuns: 500 },
    );
  });

  test('takes whole blocks while there are any, then what smaller pieces are left', () => {
    const where = subnet({ cidrs: ['10.0.0.0/25'], blockSizes: { ipv4: 26, ipv6: 122 } });
    const claims = [claim('10.0.0.0/28')];
    const { value } = chooseBlocks({ subnet: where, claims, node: 'n2', want: { 4: 2 } });
    expect(value).toEqual(['10.0.0.64/26', '10.0.0.32/27']);
  });

  test('fifty nodes that choose at the same moment mostly choose different blocks', () => {
    const nodes = Array.from({ length: 50 }, (_, i) => `node-${i}`);
    for (const want of [{ 4: 1 }, { 6: 1 }]) {
      const chosen = new Set(
        nodes.map((node) => chooseBlocks({ subnet: subnet(), claims: [], node, want }).value[0]),
      );
      expect(chosen.size).toBeGreaterThan(45);
    }
  });

  test('a half-excluded Subnet of 2^72 addresses is no work', () => {
    const where = subnet({ excluded: ['fd10:244::/57'] });
    const { value } = chooseBlocks({ subnet: where, claims: [], node: 'n1', want: { 6: 3 } });
    expect(value).toHaveLength(3);
    expect(value.every((cidr) => cidr.startsWith('fd10:244:0:'))).toBe(true);
  });

  test('says which Subnet is exhausted, and by how many', () => {
    const where = subnet({ name: 'small', cidrs: ['10.0.0.0/29'], blockSizes: { ipv4: 30, ipv6: 122 } });
    const claims = [
      claim('10.0.0.0/30', 'a', { subnet: 'small' }),
      claim('10.0.0.4/30', 'b', { subnet: 'small' }),
    ];
    expect(chooseBlocks({ subnet: where, claims, node: 'c', want: { 4: 1 } })).toEqual({
      value: [],
      problems: [
        {
          subnet: 'small',
          reason:
            'Subnet small has no free IPv4 block: 6 of its 6 assignable addresses are in blocks that nodes hold (2 claims)',
        },
      ],
    });
  });
});

describe('asking ahead and giving back', () => {
  const block = (cidr: string, assigned: number, resting: number, free: number): BlockUsage => ({
    cidr,
    subnet: 'default',
    claim: cidr,
    assigned,
    resting,
    free,
  });
  const ask = { subnet: 'default', family: 4, blockLength: 26, watermark: 16 } as const;

  test('asks before the last address is gone', () => {
    expect(claimsNeeded([], ask)).toBe(1);
    expect(claimsNeeded([block('10.0.0.0/26', 48, 0, 16)], ask)).toBe(0);
    expect(claimsNeeded([block('10.0.0.0/26', 49, 0, 15)], ask)).toBe(1);
    expect(claimsNeeded([block('10.0.0.0/26', 64, 0, 0)], { ...ask, waiting: 100 })).toBe(2);
    expect(claimsNeeded([block('fd00::/122', 0, 0, 64)], ask)).toBe(1);
    expect(claimsNeeded([], { ...ask, blockLength: 32, watermark: 3 })).toBe(3);
  });

  test('gives back idle blocks only, and keeps enough not to ask again at once', () => {
    const used = block('10.0.0.0/26', 1, 0, 63);
    const rests = block('10.0.0.64/26', 0, 1, 63);
    const idle = [block('10.0.0.128/26', 0, 0, 64), block('10.0.0.192/26', 0, 0, 64)];
    expect(claimsToRelease([used, rests, ...idle], 16)).toEqual(['10.0.0.128/26', '10.0.0.192/26']);
    expect(claimsToRelease(idle, 16)).toEqual(['10.0.0.128/26']);
    expect(claimsToRelease([idle[0]!], 16)).toEqual([]);
    expect(claimsToRelease([idle[0]!, block('fd00::/122', 0, 0, 64)], 16)).toEqual([]);
  });
});

describe('claims that overlap', () => {
  const owner = { node: 'n1', nodeUID: 'uid-n1' };

  test('the one that is in use stays, the newcomer withdraws', () => {
    const large = claim('10.0.0.0/26', 'n1');
    const small = claim('10.0.0.16/28', 'n2');
    const claims = [large, small];
    expect(usableClaims(claims, owner, new Set([large.uid]))).toEqual({ usable: [large], withdraw: [] });
    expect(usableClaims(claims, { node: 'n2', nodeUID: 'uid-n2' }, new Set())).toEqual({
      usable: [],
      withdraw: [small],
    });
  });

  test('two newcomers both withdraw', () => {
    const claims = [claim('10.0.0.0/26', 'n1'), claim('10.0.0.16/28', 'n2')];
    expect(usableClaims(claims, owner, new Set()).usable).toEqual([]);
  });

  test('a claim of an earlier Node of the same name is not ours', () => {
    const claims = [claim('10.0.0.0/26', 'n1', { nodeUID: 'older' })];
    expect(usableClaims(claims, owner, new Set())).toEqual({ usable: [], withdraw: [] });
  });
});
