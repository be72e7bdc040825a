/** Assignment: single requests, and many nodes with claims, kills and cut journals in any order. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BlockIntent, SubnetIntent } from '#intent/node.ts';
import { assign, blockUsage } from './assign.ts';
import { blockName } from './blocks.ts';
import { type Claim, chooseBlocks, claimsToRelease, usableClaims } from './claims.ts';
import { recover } from './recover.ts';
import {
  type Assignment,
  applyRecord,
  emptyState,
  type IpamRecord,
  type IpamState,
  snapshotRecords,
} from './state.ts';

const restMs = 1000;
const subnet = (some: Partial<SubnetIntent> = {}): SubnetIntent => ({
  origin: { kind: 'Subnet', name: 's' },
  cidrs: ['10.0.0.0/28'],
  mode: 'overlay',
  masquerade: true,
  allowFrom: [],
  excluded: [],
  ...some,
});
const block = (cidr: string): BlockIntent => ({ cidr, subnet: 's', claim: `claim ${cidr}` });
const assignment = (key: string, addresses: readonly string[], since = 0): Assignment => ({
  key,
  addresses,
  since,
  subnet: 's',
  mode: 'overlay',
  pod: { namespace: 'ns', name: key, uid: key },
});

/** Assigns and records, as the datapath does. */
function add(state: IpamState, key: string, intent: SubnetIntent, blocks: readonly BlockIntent[], now = 0) {
  const decided = assign(state, { key, subnet: 's', intent, blocks, now, restMs });
  if (decided.value !== undefined && !state.assignments.has(key)) {
    expect(
      applyRecord(state, { op: 'assign', assignment: assignment(key, decided.value, now) }),
    ).toBeUndefined();
  }
  return decided;
}

describe('one node', () => {
  test('gives a dual-stack pod one address a family, and the same ones when asked again', () => {
    const state = emptyState();
    const intent = subnet({ cidrs: ['10.0.0.0/28', 'fd00::/120'] });
    const blocks = [block('10.0.0.0/30'), block('fd00::/122')];
    const first = add(state, 'a/eth0', intent, blocks);
    expect(first).toEqual({ value: ['10.0.0.1', 'fd00::1'], problems: [] });
    expect(add(state, 'a/eth0', intent, blocks)).toEqual(first);
    expect(add(state, 'a/eth1', intent, blocks).value).toEqual(['10.0.0.2', 'fd00::2']);
  });

  test('wires no pod with half of its addresses', () => {
    const state = emptyState();
    const intent = subnet({ cidrs: ['10.0.0.0/28', 'fd00::/120'] });
    expect(add(state, 'a/eth0', intent, [block('10.0.0.0/30')])).toEqual({
      value: undefined,
      problems: ['Subnet s: this node holds no IPv6 block of it yet'],
    });
    expect(state.owners.size).toBe(0);
  });

  test('lets a freed address rest, then gives back the one that rested longest', () => {
    const state = emptyState();
    const blocks = [block('10.0.0.4/30')];
    const keys = ['a', 'b', 'c', 'd'];
    for (const key of keys) add(state, key, subnet(), blocks);
    for (const [i, key] of ['c', 'a', 'd', 'b'].entries())
      applyRecord(state, { op: 'release', key, at: 100 + i });
    expect(add(state, 'e', subnet(), blocks, 500).problems).toEqual([
      "Subnet s: no free IPv4 address in this node's 1 block: of 4 assignable addresses 0 are in use and 4 rest after use (each for 1 s)",
    ]);
    expect(add(state, 'e', subnet(), blocks, 1100).value).toEqual(['10.0.0.6']);
    expect(add(state, 'f', subnet(), blocks, 1200).value).toEqual(['10.0.0.4']);
  });

  test('never gives an excluded address, nor one of another Subnet’s block', () => {
    const state = emptyState();
    const intent = subnet({ excluded: ['10.0.0.4/31'] });
    const blocks = [{ ...block('10.0.0.8/30'), subnet: 'other' }, block('10.0.0.4/30')];
    expect(add(state, 'a', intent, blocks).value).toEqual(['10.0.0.6']);
    expect(add(state, 'b', intent, blocks).value).toEqual(['10.0.0.7']);
    expect(add(state, 'c', intent, blocks).problems[0]).toContain(
      'of 2 assignable addresses 2 are in use and 0 rest',
    );
  });

  test('gives no reserved address, and none of a prefix that is on its way out', () => {
    const state = emptyState();
    const intent = subnet({
      cidrs: ['10.0.0.0/28', '10.1.0.0/28', 'fd00::/120'],
      retired: ['10.1.0.0/28', 'fd00::/120'],
      reserved: ['10.0.0.1/32', '10.0.0.2/32'],
    });
    const blocks = [block('10.1.0.0/28'), block('10.0.0.0/30'), block('fd00::/122')];
    expect(add(state, 'a', intent, blocks).value).toEqual(['10.0.0.3']);
    expect(add(state, 'b', intent, blocks).value).toBeUndefined();
    expect(blockUsage(state, blocks, { s: intent }, 0, restMs).map(({ free }) => free)).toEqual([0, 0, 0]);
  });

  test('gives addresses of every prefix of a Subnet, the next one when the first is full', () => {
    const state = emptyState();
    const intent = subnet({ cidrs: ['10.0.0.0/30', '10.1.0.0/30'] });
    const blocks = [block('10.0.0.0/30'), block('10.1.0.0/30')];
    const got = ['a', 'b', 'c'].map((key) => add(state, key, intent, blocks).value?.[0]);
    expect(got).toEqual(['10.0.0.1', '10.0.0.2', '10.1.0.1']);
  });

  test('counts what each block holds', () => {
    const state = emptyState();
    const blocks = [block('10.0.0.0/30'), block('10.0.0.4/30')];
    for (const key of ['a', 'b', 'c', 'd', 'e']) add(state, key, subnet(), blocks);
    applyRecord(state, { op: 'release', key: 'd', at: 100 });
    const usage = blockUsage(state, blocks, { s: subnet() }, 500, restMs);
    expect(usage.map(({ assigned, resting, free }) => [assigned, resting, free])).toEqual([
      [3, 0, 0],
      [1, 1, 2],
    ]);
  });
});

describe('recovery', () => {
  test('after a loss all rests, but for blocks that came later', () => {
    const state = emptyState();
    applyRecord(state, { op: 'lost', at: 100 });
    const old = block('10.0.0.0/30');
    const fresh = { ...block('10.0.0.4/30'), since: 150 };
    expect(add(state, 'a', subnet(), [old], 200).value).toBeUndefined();
    expect(add(state, 'a', subnet(), [old, fresh], 200).value).toEqual(['10.0.0.4']);
    const usage = blockUsage(state, [old, fresh], { s: subnet() }, 200, restMs);
    expect(usage.map(({ resting, free }) => [resting, free])).toEqual([
      [3, 0],
      [0, 3],
    ]);
  });

  test('a running pod keeps its address; an assignment without interface is freed', () => {
    const state = emptyState();
    const records: IpamRecord[] = [
      { op: 'assign', assignment: assignment('gone', ['10.0.0.1']) },
      { op: 'assign', assignment: assignment('swapped', ['10.0.0.2']) },
      {
        op: 'assign',
        assignment: { key: 'node/tunnel', addresses: ['10.0.0.9'], subnet: 's', mode: 'overlay', since: 0 },
      },
    ];
    for (const record of records) applyRecord(state, record);
    const found = [
      assignment('swapped', ['10.0.0.1']),
      assignment('unknown', ['10.0.0.2']),
      assignment('thief', ['10.0.0.9']),
    ];
    const { value, problems } = recover(state, found, 50, false);
    for (const record of value) expect(applyRecord(state, record)).toBeUndefined();
    expect(Object.fromEntries(state.owners)).toEqual({
      '10.0.0.1': 'swapped',
      '10.0.0.2': 'unknown',
      '10.0.0.9': 'node/tunnel',
    });
    expect(problems).toEqual(['thief has 10.0.0.9, which belongs to node/tunnel']);
    expect(recover(state, found, 60, false).value).toEqual([]);
  });

  test('a snapshot makes the same state', () => {
    const state = emptyState();
    const blocks = [block('10.0.0.0/28')];
    for (const key of ['a', 'b', 'c']) add(state, key, subnet(), blocks);
    for (const [i, key] of ['c', 'a'].entries()) applyRecord(state, { op: 'release', key, at: 10 + i });
    const copy = emptyState();
    for (const record of snapshotRecords(state, 20, restMs)) applyRecord(copy, record);
    expect(copy).toEqual(state);
    expect([...copy.resting.keys()]).toEqual([...state.resting.keys()]);
  });
});

/** A cluster: an API that holds claims, nodes with a journal and pods that really run. */
type Machine = {
  readonly name: string;
  state: IpamState;
  /** On disk; the datapath answers only after a record is there. */
  journal: IpamRecord[];
  /** What the kernel shows. */
  readonly live: Map<string, Assignment>;
  /** Claims that the datapath assigns from. */
  held: Set<string>;
};

const step = fc.record({
  node: fc.nat(2),
  action: fc.constantFrom(
    'add',
    'add',
    'add',
    'add',
    'del',
    'del',
    'create',
    'create',
    'confirm',
    'confirm',
    'giveBack',
    'kill',
    'cutJournal',
    'loseJournal',
    'tick',
    'tick',
  ),
  pod: fc.nat(11),
  size: fc.constantFrom(28, 29, 30, 31, 32),
  /** The node chooses without seeing the last claims. */
  stale: fc.nat(2),
  /** Where in an ADD the datapath is killed. */
  dies: fc.constantFrom('never', 'never', 'never', 'before the link', 'before the answer'),
});

test('no interleaving of nodes, claims, kills and cut journals assigns an address twice, too early, or leaks one', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const intent = subnet({ cidrs: ['10.0.0.0/27'], excluded: ['10.0.0.8/30'] });
      const claims: Claim[] = [];
      const nodes: Machine[] = ['n0', 'n1', 'n2'].map((name) => ({
        name,
        state: emptyState(),
        journal: [],
        live: new Map(),
        held: new Set(),
      }));
      const freedAt = new Map<string, number>();
      let now = 10_000;
      let serial = 0;

      const blocksOf = (node: Machine): BlockIntent[] =>
        claims
          .filter((each) => node.held.has(each.uid))
          .map((each) => ({ cidr: each.cidr, subnet: 's', claim: each.uid }));
      const write = (node: Machine, record: IpamRecord) => {
        node.journal.push(record);
        expect(applyRecord(node.state, record)).toBeUndefined();
      };
      const restart = (node: Machine, lost: boolean) => {
        node.state = emptyState();
        for (const record of node.journal) applyRecord(node.state, record);
        const { value, problems } = recover(node.state, [...node.live.values()], now, lost);
        expect(problems).toEqual([]);
        for (const record of value) write(node, record);
        // The datapath has no blocks until the agent comes: it hands over what it knows to be in use first.
        node.held = new Set([...node.held].filter((uid) => claims.some((each) => each.uid === uid)));
      };
      const unlink = (node: Machine, key: string) => {
        for (const address of node.live.get(key)?.addresses ?? []) freedAt.set(address, now);
        node.live.delete(key);
      };

      for (const { node: index, action, pod, size, stale, dies } of steps) {
        const node = nodes[index]!;
        const key = `${node.name}-${pod}/eth0`;
        if (action === 'tick') now += 400;
        else if (action === 'create') {
          const view = claims.slice(0, Math.max(0, claims.length - stale));
          const wanted = {
            name: 's',
            cidrs: intent.cidrs,
            excluded: intent.excluded,
            blockSizes: { ipv4: size, ipv6: 122 },
          };
          for (const cidr of chooseBlocks({ subnet: wanted, claims: view, node: node.name, want: { 4: 1 } })
            .value) {
            if (claims.some((each) => blockName(each.cidr) === blockName(cidr))) continue;
            claims.push({ uid: `${++serial}`, cidr, subnet: 's', node: node.name, nodeUID: node.name });
          }
        } else if (action === 'confirm') {
          const { usable, withdraw } = usableClaims(
            claims,
            { node: node.name, nodeUID: node.name },
            node.held,
          );
          node.held = new Set(usable.map((each) => each.uid));
          for (const claim of withdraw) claims.splice(claims.indexOf(claim), 1);
        } else if (action === 'giveBack') {
          for (const uid of claimsToRelease(
            blockUsage(node.state, blocksOf(node), { s: intent }, now, restMs),
            1,
          )) {
            node.held.delete(uid);
            claims.splice(
              claims.findIndex((each) => each.uid === uid),
              1,
            );
          }
        } else if (action === 'kill') restart(node, false);
        else if (action === 'cutJournal') {
          node.journal.splice(Math.max(0, node.journal.length - 1 - stale));
          restart(node, true);
        } else if (action === 'loseJournal') {
          node.journal = [];
          restart(node, true);
        } else if (action === 'del') {
          if (node.live.has(key)) unlink(node, key);
          if (dies === 'never') write(node, { op: 'release', key, at: now });
          else restart(node, false);
        } else {
          const request = { key, subnet: 's', intent, blocks: blocksOf(node), now, restMs };
          const { value } = assign(node.state, request);
          if (value === undefined) continue;
          if (!node.state.assignments.has(key)) {
            write(node, { op: 'assign', assignment: assignment(key, value, now) });
          }
          if (dies === 'before the link') restart(node, false);
          else {
            if (!node.live.has(key)) {
              for (const address of value)
                expect(now - (freedAt.get(address) ?? 0)).toBeGreaterThanOrEqual(restMs);
            }
            node.live.set(key, node.state.assignments.get(key)!);
            if (dies === 'before the answer') restart(node, false);
          }
        }
        const used = nodes.flatMap((each) => [...each.live.values()].flatMap((a) => a.addresses));
        expect(new Set(used).size).toBe(used.length);
      }

      for (const node of nodes) {
        for (const key of node.live.keys()) unlink(node, key);
        restart(node, false);
        expect(node.state.owners.size).toBe(0);
        const usage = blockUsage(node.state, blocksOf(node), { s: intent }, now + 2 * restMs, restMs);
        const empty = blockUsage(emptyState(), blocksOf(node), { s: intent }, now + 2 * restMs, restMs);
        expect(usage).toEqual(empty);
      }
    }),
    { numRuns: 300 },
  );
});
