/** Claims: ahead of need, given back in two steps, never shared. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blockName } from '#compile/ipam/blocks.ts';
import type { ServedSubnet } from '#compile/topology/served.ts';
import type { BlockUsage } from '#intent/handover.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import { type ClaimSituation, decideClaims } from './claim-decision.ts';

const subnet: ServedSubnet = {
  origin: { kind: 'Subnet', name: 'default' },
  name: 'default',
  created: '2026-01-01T00:00:00Z',
  cidrs: ['10.244.0.0/16'],
  mode: 'overlay',
  namespaces: [],
  excluded: [],
  blockSizes: { ipv4: 26, ipv6: 122 },
  masquerade: true,
  allowFrom: [],
  retired: [],
};

const claim = (cidr: string, node = 'a', nodeUID = 'uid-a'): BlockClaimModel => ({
  origin: { kind: 'BlockClaim', name: blockName(cidr) ?? '' },
  name: blockName(cidr) ?? '',
  uid: `claim ${cidr}`,
  cidr,
  subnet: 'default',
  node,
  nodeUID,
});

const usage = (cidr: string, assigned: number, free = 64 - assigned): BlockUsage => ({
  cidr,
  subnet: 'default',
  claim: `claim ${cidr}`,
  assigned,
  resting: 0,
  free,
});

const situation = (extra: Partial<ClaimSituation>): ClaimSituation => ({
  node: 'a',
  nodeUID: 'uid-a',
  subnets: [subnet],
  claims: [],
  usage: [],
  strays: [],
  tunnelAddresses: [],
  isSettled: true,
  demand: [],
  needed: new Set(['default']),
  inUse: new Set(),
  releasing: new Set(),
  yielded: new Set(),
  nodes: 3,
  attempt: 0,
  ...extra,
});

describe('decideClaims', () => {
  test('a new node asks for a block before any pod needs one', () => {
    expect(decideClaims(situation({})).create).toHaveLength(1);
  });

  test('a claim that the datapath has not heard of yet is not asked for twice', () => {
    const decision = decideClaims(situation({ claims: [claim('10.244.0.0/26')] }));
    expect(decision.create).toEqual([]);
    expect(decision.use.map((each) => each.cidr)).toEqual(['10.244.0.0/26']);
  });

  test('few free addresses: one more block', () => {
    const decision = decideClaims(
      situation({ claims: [claim('10.244.0.0/26')], usage: [usage('10.244.0.0/26', 60)] }),
    );
    expect(decision.create).toHaveLength(1);
  });

  test('an idle block leaves use first, and its claim goes when the datapath has let go of it', () => {
    const claims = [claim('10.244.0.0/26'), claim('10.244.0.64/26')];
    const both = [usage('10.244.0.0/26', 1), usage('10.244.0.64/26', 0)];
    const first = decideClaims(situation({ claims, usage: both }));
    expect(first.use.map((each) => each.cidr)).toEqual(['10.244.0.0/26']);
    expect(first.drop).toEqual([]);
    const second = decideClaims(
      situation({ claims, usage: [usage('10.244.0.0/26', 1)], releasing: first.releasing }),
    );
    expect(second.drop.map((each) => each.cidr)).toEqual(['10.244.0.64/26']);
  });

  test('a pod that got an address from a block on its way out brings it back', () => {
    const claims = [claim('10.244.0.0/26'), claim('10.244.0.64/26')];
    const decision = decideClaims(
      situation({
        claims,
        usage: [usage('10.244.0.0/26', 1), usage('10.244.0.64/26', 1)],
        releasing: new Set(['claim 10.244.0.64/26']),
      }),
    );
    expect(decision.use).toHaveLength(2);
    expect(decision.drop).toEqual([]);
  });

  test('a datapath that has just started says nothing of blocks: no claim goes', () => {
    const releasing = new Set(['claim 10.244.0.64/26']);
    const claims = [claim('10.244.0.0/26'), claim('10.244.0.64/26')];
    expect(decideClaims(situation({ claims, releasing, isSettled: false })).drop).toEqual([]);
    expect(decideClaims(situation({ claims, releasing })).drop).toHaveLength(1);
  });

  test('a block on its way out that a pod got an address from before the datapath restarted comes back', () => {
    const decision = decideClaims(
      situation({
        claims: [claim('10.244.0.0/26'), claim('10.244.0.64/26')],
        usage: [usage('10.244.0.0/26', 1)],
        strays: ['10.244.0.70'],
        releasing: new Set(['claim 10.244.0.64/26']),
      }),
    );
    expect(decision.use).toHaveLength(2);
    expect(decision.drop).toEqual([]);
  });

  test('of two overlapping claims the later one withdraws, the one in use stays', () => {
    const claims = [claim('10.244.0.0/26'), claim('10.244.0.0/27', 'b', 'uid-b')];
    expect(decideClaims(situation({ claims })).use).toEqual([]);
    expect(decideClaims(situation({ claims })).drop).toHaveLength(1);
    const held = decideClaims(situation({ claims, inUse: new Set(['claim 10.244.0.0/26']) }));
    expect(held.use).toHaveLength(1);
    expect(held.drop).toEqual([]);
  });

  test('claims of the earlier Node object are taken over, not doubled', () => {
    const decision = decideClaims(situation({ claims: [claim('10.244.0.0/26', 'a', 'older')] }));
    expect(decision.adopt.map((each) => each.cidr)).toEqual(['10.244.0.0/26']);
    expect(decision.use).toEqual([]);
  });

  test('an exhausted Subnet is a problem that names it', () => {
    const small = { ...subnet, cidrs: ['10.244.0.0/26'] };
    const decision = decideClaims(
      situation({ subnets: [small], claims: [claim('10.244.0.0/26', 'b', 'uid-b')] }),
    );
    expect(decision.create).toEqual([]);
    expect(decision.problems[0]?.reason).toContain('Subnet default has no free IPv4 block');
  });

  test('a Subnet that is being deleted gets no more blocks and loses those without pods, the node’s own address or not', () => {
    const leaving = { ...subnet, deleting: true } as const;
    const claims = [claim('10.244.0.0/26'), claim('10.244.0.64/26')];
    const busy = decideClaims(
      situation({
        subnets: [leaving],
        claims,
        usage: [usage('10.244.0.0/26', 2), usage('10.244.0.64/26', 1)],
        tunnelAddresses: ['10.244.0.1', '10.244.0.65'],
      }),
    );
    expect(busy.use.map(({ cidr }) => cidr)).toEqual(['10.244.0.0/26']);
    expect([busy.create, busy.drop]).toEqual([[], []]);
    const { drop } = decideClaims(
      situation({
        subnets: [leaving],
        claims,
        usage: [usage('10.244.0.0/26', 2)],
        releasing: busy.releasing,
      }),
    );
    expect(drop.map(({ cidr }) => cidr)).toEqual(['10.244.0.64/26']);
  });

  test('blocks that were taken out of their Subnet go with their last pod, and new ones come from what is left', () => {
    const moved = { ...subnet, cidrs: ['10.9.0.0/16'], retired: ['10.244.0.0/16'] };
    const claims = [claim('10.244.0.0/26'), claim('10.244.0.64/26')];
    const decision = decideClaims(
      situation({
        subnets: [moved],
        claims,
        usage: [usage('10.244.0.0/26', 2, 0), usage('10.244.0.64/26', 1, 0)],
        tunnelAddresses: ['10.244.0.65'],
      }),
    );
    expect(decision.use.map(({ cidr }) => cidr)).toEqual(['10.244.0.0/26']);
    expect(decision.create.map(({ cidr }) => cidr.slice(0, 5))).toEqual(['10.9.']);
    const inUse = new Set(claims.map(({ uid }) => uid));
    const gone = situation({ subnets: [{ ...moved, retired: [] }], claims, inUse });
    expect(decideClaims(gone).drop).toEqual([]);
    expect(decideClaims({ ...gone, inUse: new Set() }).drop).toHaveLength(2);
  });

  test('a Subnet of several prefixes a family claims from each, and asks for each family once', () => {
    const cidrs = ['10.1.0.0/26', '10.2.0.0/26', 'fd10::/112', 'fd11::/112'];
    const several = { ...subnet, cidrs };
    const first = decideClaims(situation({ subnets: [several] }));
    expect(first.create).toHaveLength(2);
    const taken = [claim('10.1.0.0/26', 'b', 'uid-b')];
    const { create } = decideClaims(situation({ subnets: [several], claims: taken }));
    expect(create[0]?.cidr).toBe('10.2.0.0/26');
  });

  test('in a Subnet that is nearly given out a node asks when a pod waits, and not ahead of need', () => {
    const small = { ...subnet, cidrs: ['10.1.0.0/29'], blockSizes: { ipv4: 30, ipv6: 126 } };
    const own = claim('10.1.0.0/30');
    const full = situation({ subnets: [small], claims: [own], usage: [usage('10.1.0.0/30', 3, 0)] });
    expect(decideClaims(situation({ subnets: [small] })).create).toHaveLength(1);
    expect(decideClaims(full).create).toEqual([]);
    const waiting = decideClaims({ ...full, demand: [{ subnet: 'default', waiting: 1 }] });
    expect(waiting.create).toEqual([{ cidr: '10.1.0.4/30', subnet: 'default' }]);
  });

  test('with nothing left a node gives back what it does not use, and takes it again only for a pod, or when there is plenty', () => {
    const small = { ...subnet, cidrs: ['10.1.0.0/29'], blockSizes: { ipv4: 30, ipv6: 126 } };
    const claims = [claim('10.1.0.0/30'), claim('10.1.0.4/30', 'b', 'uid-b')];
    const all = situation({ subnets: [small], claims, usage: [usage('10.1.0.0/30', 0, 3)] });
    const first = decideClaims(all);
    expect(first.use).toEqual([]);
    const needy = decideClaims({ ...all, demand: [{ subnet: 'default', waiting: 1 }] });
    expect(needy.use).toHaveLength(1);
    const { releasing, yielded } = first;
    const after = { ...all, usage: [], releasing, yielded };
    expect(decideClaims(after).drop).toHaveLength(1);
    const given = { ...after, claims: claims.slice(1), releasing: new Set<string>() };
    expect(decideClaims(given).create).toEqual([]);
    expect(decideClaims({ ...given, demand: [{ subnet: 'default', waiting: 1 }] }).create).toHaveLength(1);
    expect(decideClaims({ ...given, subnets: [{ ...small, cidrs: ['10.1.0.0/16'] }] }).create).not.toEqual(
      [],
    );
  });

  test('a claim on a Subnet that is gone goes when the datapath can not be using it', () => {
    const claims = [claim('10.244.0.0/26')];
    const inUse = new Set(['claim 10.244.0.0/26']);
    const first = decideClaims(situation({ subnets: [], claims, inUse }));
    expect([first.use, first.drop]).toEqual([[], []]);
    expect(decideClaims(situation({ subnets: [], claims })).drop).toHaveLength(1);
    const busy = decideClaims(situation({ subnets: [], claims, usage: [usage('10.244.0.0/26', 1, 0)] }));
    expect(busy.drop).toEqual([]);
  });
});

/** Eight blocks of eight addresses, but for the ends of the prefix. */
const eight = { ...subnet, cidrs: ['10.1.0.0/26'], blockSizes: { ipv4: 29, ipv6: 122 } };
const room = (cidr: string): number => (cidr === '10.1.0.0/29' || cidr === '10.1.0.56/29' ? 7 : 8);

test('in a small Subnet every pod gets its address if there are blocks for it, and then nodes are quiet', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }), (pods) => {
      fc.pre(pods.reduce((sum, count) => sum + Math.ceil(count / 7), 0) <= 8);
      let claims: BlockClaimModel[] = [];
      const nodes = pods.map((wanted, index) => ({
        name: `n${index}`,
        wanted,
        held: new Map<string, number>(),
        inUse: new Set<string>() as ReadonlySet<string>,
        releasing: new Set<string>() as ReadonlySet<string>,
        yielded: new Set<string>() as ReadonlySet<string>,
        attempt: 0,
      }));
      const waiting = (node: (typeof nodes)[number]) =>
        node.wanted - node.held.values().reduce((sum, count) => sum + count, 0);
      let quietSince = 0;
      for (let round = 0; round < 80; round++) {
        // All decide on what they see at the same moment.
        const seen = claims;
        for (const node of nodes) {
          const decision = decideClaims(
            situation({
              ...node,
              node: node.name,
              nodeUID: `uid-${node.name}`,
              subnets: [eight],
              claims: seen,
              nodes: nodes.length,
              usage: [...node.held].map(([cidr, assigned]) => usage(cidr, assigned, room(cidr) - assigned)),
              demand: waiting(node) > 0 ? [{ subnet: 'default', waiting: waiting(node) }] : [],
            }),
          );
          node.releasing = decision.releasing;
          node.yielded = decision.yielded;
          node.inUse = new Set(decision.use.map(({ uid }) => uid));
          const used = new Set(decision.use.map(({ cidr }) => cidr));
          for (const cidr of node.held.keys()) if (!used.has(cidr)) node.held.delete(cidr);
          for (const cidr of used) {
            const assigned = node.held.get(cidr) ?? 0;
            node.held.set(cidr, assigned + Math.min(room(cidr) - assigned, waiting(node)));
          }
          const dropped = new Set(decision.drop.map(({ uid }) => uid));
          claims = claims.filter(({ uid }) => !dropped.has(uid));
          for (const { cidr } of decision.create) {
            if (claims.some((other) => other.cidr === cidr)) node.attempt++;
            else claims = [...claims, claim(cidr, node.name, `uid-${node.name}`)];
          }
          if (decision.create.length + decision.drop.length > 0) quietSince = round + 1;
        }
      }
      expect(nodes.map(waiting)).toEqual(pods.map(() => 0));
      expect(quietSince).toBeLessThan(60);
    }),
    { numRuns: 200 },
  );
});
