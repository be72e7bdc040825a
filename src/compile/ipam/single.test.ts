/** Addresses that are claimed one by one: who gets which, and that no two pods ever have one at once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AddressHolder, BlockClaimModel } from '#model/blockclaim.ts';
import type { PoolModel } from '#model/ippool.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { serveSubnets } from '../topology/served.ts';
import { blockName } from './blocks.ts';
import type { Placement, PlacementInputs } from './placement.ts';
import { servePools } from './pools.ts';
import { decideSingles, type SingleDecision, type SinglePod, type SingleSituation } from './single.ts';
import { addressOf, surplusKeeps } from './single-book.ts';

const subnet: SubnetModel = {
  origin: { kind: 'Subnet', name: 'default' },
  name: 'default',
  created: '2026-01-01T00:00:00Z',
  cidrs: ['10.244.0.0/16', 'fd10:244::/56'],
  mode: 'overlay',
  namespaces: [],
  excluded: [],
  blockSizes: { ipv4: 26, ipv6: 122 },
  masquerade: true,
  allowFrom: [],
};
const pool: PoolModel = {
  origin: { kind: 'IPPool', name: 'web' },
  name: 'web',
  created: '2026-01-01T00:00:00Z',
  subnet: 'default',
  prefixes: ['10.244.1.0/30'],
  namespaces: ['shop'],
};
const served = serveSubnets([subnet]).value;
const inputs: PlacementInputs = { subnets: served, pools: servePools([pool], served.byName).value };

const placement = (some: Partial<Placement> = {}): Placement => ({
  subnet: 'default',
  fromBlocks: false,
  ordinary: false,
  ...some,
});
const named = (...entries: string[]): Placement =>
  placement({ entries: entries.map((entry) => ({ addresses: entry.split('+') })) });
const single = (name: string, uid: string, place: Placement, statefulSet?: string): SinglePod => ({
  pod: { namespace: 'shop', name, uid, ...(statefulSet === undefined ? {} : { statefulSet }) },
  placement: place,
});
const claim = (cidr: string, node: string, holder?: AddressHolder): BlockClaimModel => ({
  origin: { kind: 'BlockClaim', name: blockName(cidr)! },
  name: blockName(cidr)!,
  uid: `claim ${cidr}`,
  cidr,
  subnet: 'default',
  node,
  nodeUID: `uid-${node}`,
  ...(holder === undefined ? {} : { holder }),
});
const holder = (some: Partial<AddressHolder> = {}): AddressHolder => ({
  namespace: 'shop',
  pod: 'a',
  podUID: 'u-old',
  fixed: true,
  generation: 1,
  ...some,
});
const decide = (some: Partial<SingleSituation>): SingleDecision =>
  decideSingles({
    ...inputs,
    node: 'n1',
    nodeUID: 'uid-n1',
    pods: [],
    alive: new Set(some.pods?.map(({ pod }) => pod.uid)),
    claims: [],
    wired: new Set(),
    resting: new Set(),
    isCurrent: true,
    asked: new Set(),
    attempt: 0,
    ...some,
  });
const refusal = (decision: SingleDecision, uid = 'u1') => {
  const found = decision.pods.get(uid);
  return found !== undefined && 'refused' in found ? found.refused : JSON.stringify(found);
};

describe('addresses that a pod names', () => {
  test('are claimed in the name of the pod, and its once the watch shows it', () => {
    const pods = [single('a', 'u1', named('10.244.9.5+fd10:244::95'))];
    const first = decide({ pods });
    expect(first.create.map(({ cidr }) => cidr)).toEqual(['10.244.9.5/32', 'fd10:244::95/128']);
    expect(refusal(first)).toMatch(/being claimed/);
    const claims = first.create.map((each) => claim(each.cidr, 'n1', each.holder));
    const half = decide({ pods, claims: claims.slice(0, 1), asked: new Set([claims[1]!.name]) });
    expect(half).toMatchObject({ create: [], drop: [] });
    expect(decide({ pods, claims }).pods.get('u1')).toMatchObject({
      addresses: ['10.244.9.5', 'fd10:244::95'],
    });
  });

  test.each<[string, BlockClaimModel, RegExp]>([
    [
      'in a block of another node',
      claim('10.244.9.0/26', 'n2'),
      /lies in block 10\.244\.9\.0\/26, which node n2/,
    ],
    [
      'in a block of its own node',
      claim('10.244.9.0/26', 'n1'),
      /lies in block 10\.244\.9\.0\/26, which node n1/,
    ],
    [
      'of a running pod',
      claim('10.244.9.5/32', 'n2', holder()),
      /still on the interface of pod shop\/a on node n2/,
    ],
    [
      'of a pod of another namespace',
      claim('10.244.9.5/32', 'n2', holder({ namespace: 'bank' })),
      /held by pod bank\/a on node n2/,
    ],
    [
      'that another pod of another namespace had just now',
      claim('10.244.9.5/32', 'n2', holder({ namespace: 'bank', freedAt: '2026-01-01T00:00:00Z' })),
      /rests after its use by pod bank\/a/,
    ],
    [
      'that is kept for another pod',
      claim('10.244.9.5/32', 'n2', holder({ keep: 'Pod:db-0', freedAt: '2026-01-01T00:00:00Z' })),
      /is kept for Pod db-0 of namespace shop/,
    ],
  ])('are refused with the holder: one %s', (_, other, reason) => {
    const decision = decide({ pods: [single('b', 'u1', named('10.244.9.5'))], claims: [other] });
    expect(refusal(decision)).toMatch(reason);
    expect(decision).toMatchObject({ create: [], take: [] });
  });

  test('go to the next pod that names them at once when they are on no interface', () => {
    const freed = claim('10.244.9.5/32', 'n2', holder({ freedAt: '2026-01-01T00:00:00Z' }));
    const { take } = decide({ pods: [single('a', 'u1', named('10.244.9.5'))], claims: [freed] });
    expect(take).toMatchObject([{ claim: freed, holder: { podUID: 'u1', generation: 2 } }]);
    expect(take[0]!.holder.freedAt).toBeUndefined();
  });

  test('on one node need no word in the API, but the wiring must be gone', () => {
    const mine = claim('10.244.9.5/32', 'n1', holder());
    const pods = [single('a', 'u1', named('10.244.9.5'))];
    expect(decide({ pods, claims: [mine] }).take).toHaveLength(1);
    expect(decide({ pods, claims: [mine], wired: new Set(['10.244.9.5']) }).take).toHaveLength(0);
    expect(decide({ pods, claims: [mine], isCurrent: false }).take).toHaveLength(0);
    expect(decide({ pods, claims: [mine], alive: new Set(['u1', 'u-old']) }).take).toHaveLength(0);
  });

  test('of a list go one to each replica; who finds none free waits and hears why', () => {
    const list = named('10.244.9.5', '10.244.9.6');
    const pods = ['u1', 'u2', 'u3'].map((uid) => single(`web-${uid}`, uid, list));
    const decision = decide({ pods });
    expect(decision.create.map(({ cidr }) => cidr)).toEqual(['10.244.9.5/32', '10.244.9.6/32']);
    expect(refusal(decision, 'u3')).toMatch(/none of the 2 entries is free for pod shop\/web-u3/);
  });

  test('of a list follow the ordinals of a StatefulSet', () => {
    const list = named('10.244.9.5', '10.244.9.6', '10.244.9.7');
    const { create } = decide({ pods: [single('db-2', 'u1', list, 'db')] });
    expect(create.map(({ cidr }) => cidr)).toEqual(['10.244.9.7/32']);
  });

  test('of a pod that is gone are freed first, and given back when they have rested', () => {
    const mine = claim('10.244.9.5/32', 'n1', holder());
    expect(decide({ claims: [mine] })).toMatchObject({ free: [mine], drop: [] });
    expect(decide({ claims: [mine], wired: new Set(['10.244.9.5']) })).toMatchObject({ free: [], drop: [] });
    const freed = claim('10.244.9.5/32', 'n1', holder({ freedAt: '2026-01-01T00:00:00Z' }));
    expect(decide({ claims: [freed], resting: new Set(['10.244.9.5']) }).drop).toEqual([]);
    expect(decide({ claims: [freed] }).drop).toEqual([freed]);
  });
});

describe('addresses of a pool', () => {
  const fromPool = placement({ pool: 'web' });

  test('are given as long as there are some', () => {
    const pods = Array.from({ length: 5 }, (_, i) => single(`web-${i}`, `u${i}`, fromPool));
    const decision = decide({ pods });
    expect(new Set(decision.create.map(({ cidr }) => cidr)).size).toBe(4);
    expect(refusal(decision, 'u4')).toMatch(/IPPool web: no free IPv4 address: all 4 are held/);
  });

  test('rest before they are given back', () => {
    const mine = claim('10.244.1.1/32', 'n1', holder({ fixed: false, pool: 'web' }));
    expect(decide({ claims: [mine], resting: new Set(['10.244.1.1']) }).drop).toEqual([]);
    expect(decide({ claims: [mine] }).drop).toEqual([mine]);
  });
});

describe('kept addresses', () => {
  const kept = placement({ keep: 'Pod:db-0', release: 'OnOwnerDeletion' });
  const of = (some: Partial<AddressHolder>) =>
    holder({ fixed: false, keep: 'Pod:db-0', pod: 'db-0', ...some });
  const both = (node: string, some: Partial<AddressHolder>) => [
    claim('10.244.7.7/32', node, of(some)),
    claim('fd10:244::77/128', node, of(some)),
  ];

  test('are chosen once, outside of blocks and pools, and stay when the pod is gone', () => {
    const blocks = [claim('10.244.0.0/17', 'n2')];
    const { create } = decide({ pods: [single('db-0', 'u1', kept, 'db')], claims: blocks });
    expect(create).toHaveLength(2);
    expect(create[0]).toMatchObject({
      cidr: expect.stringMatching(/^10\.244\.(12[89]|1[3-9]\d|2\d\d)\./),
      holder: { keep: 'Pod:db-0', statefulSet: 'db', release: 'OnOwnerDeletion' },
    });
    const claims = both('n1', { podUID: 'gone' });
    expect(decide({ claims }).free).toEqual(claims);
    expect(decide({ claims: both('n1', { podUID: 'gone', freedAt: 'x' }) })).toMatchObject({
      free: [],
      drop: [],
    });
  });

  test('come to the pod on another node when they are on no interface, not before', () => {
    const pods = [single('db-0', 'u1', kept, 'db')];
    const waits = decide({ pods, claims: both('n2', {}) });
    expect(refusal(waits)).toMatch(/10\.244\.7\.7 is still on the interface of pod shop\/db-0 on node n2/);
    expect(waits).toMatchObject({ take: [], create: [] });
    const { take } = decide({ pods, claims: both('n2', { freedAt: 'x', generation: 4 }) });
    expect(take.map(({ holder: next }) => next)).toMatchObject([
      { podUID: 'u1', generation: 5 },
      { podUID: 'u1', generation: 5 },
    ]);
  });

  test('of a VM go to one pod at a time', () => {
    const vm = placement({ keep: 'VM:db' });
    const claims = [claim('10.244.7.7/32', 'n2', of({ keep: 'VM:db', podUID: 'source' }))];
    expect(refusal(decide({ pods: [single('virt-b', 'u1', vm)], claims }))).toMatch(/still on the interface/);
  });
});

type World = {
  /** Every state of every claim, in the order of the API server; a view is a position in it. */
  readonly log: { readonly name: string; readonly claim: BlockClaimModel | undefined }[];
  readonly now: Map<string, BlockClaimModel>;
  /** What runs, by identity. */
  readonly pods: Map<string, { readonly uid: string; readonly node: number; readonly each: SinglePod }>;
  readonly nodes: NodeState[];
  uids: number;
};
type NodeState = {
  dead: boolean;
  seen: number;
  /** Pods as its agent saw them, and what the datapath was told. */
  pods: readonly SinglePod[];
  told: ReadonlyMap<string, readonly string[]>;
  wired: Map<string, string>;
  resting: Set<string>;
  status: {
    readonly wired: ReadonlySet<string>;
    readonly resting: ReadonlySet<string>;
    readonly isCurrent: boolean;
  };
};

const identities: readonly (readonly [string, Placement])[] = [
  ['fix', named('10.244.9.5')],
  ['same', named('10.244.9.5', '10.244.9.6')],
  ['web-a', placement({ pool: 'web' })],
  ['web-b', placement({ pool: 'web' })],
  ['db-0', placement({ keep: 'Pod:db-0', release: 'Never' })],
  ['vm-1', placement({ keep: 'VM:v', release: 'Never', pool: 'web' })],
  ['vm-2', placement({ keep: 'VM:v', release: 'Never', pool: 'web' })],
];

function write(world: World, next: BlockClaimModel | undefined, name: string): void {
  world.log.push({ name, claim: next });
  if (next === undefined) world.now.delete(name);
  else world.now.set(name, next);
}

function viewOf(world: World, { seen }: NodeState): BlockClaimModel[] {
  const view = new Map<string, BlockClaimModel>();
  for (const { name, claim: each } of world.log.slice(0, seen)) {
    if (each === undefined) view.delete(name);
    else view.set(name, each);
  }
  return [...view.values()];
}

const same = (a: BlockClaimModel | undefined, b: BlockClaimModel) => JSON.stringify(a) === JSON.stringify(b);

/** One pass of a node's agent: decides on what it sees, and writes as the API server allows. */
function pass(world: World, index: number, attempt: number): void {
  const state = world.nodes[index]!;
  const node = `n${index}`;
  const alive = new Set(state.pods.map(({ pod }) => pod.uid));
  const situation = { ...inputs, node, nodeUID: `uid-${node}`, pods: state.pods, alive, attempt };
  const decision = decideSingles({
    ...situation,
    ...state.status,
    claims: viewOf(world, state),
    asked: new Set(),
  });
  const told = new Map<string, readonly string[]>();
  for (const [uid, given] of decision.pods) if ('addresses' in given) told.set(uid, given.addresses);
  state.told = told;
  for (const { cidr, holder: next } of decision.create) {
    const name = blockName(cidr)!;
    if (!world.now.has(name)) write(world, { ...claim(cidr, node, next), uid: `c${world.uids++}` }, name);
  }
  for (const { claim: each, holder: next } of decision.take) {
    const current = world.now.get(each.name);
    if (!same(current, each)) continue;
    expect(each.node === node || each.holder!.freedAt !== undefined).toBe(true);
    write(world, { ...each, node, nodeUID: `uid-${node}`, holder: next }, each.name);
  }
  for (const each of decision.free) {
    if (!same(world.now.get(each.name), each)) continue;
    write(world, { ...each, holder: { ...each.holder!, freedAt: 'now' } }, each.name);
  }
  for (const each of decision.drop) {
    if (same(world.now.get(each.name), each)) write(world, undefined, each.name);
  }
}

function wire(world: World, index: number): void {
  const state = world.nodes[index]!;
  for (const [uid, addresses] of state.told) {
    if (addresses.some((address) => state.wired.has(address))) continue;
    for (const address of addresses) state.wired.set(address, uid);
  }
  neverTwice(world);
}

/** The container runtime takes down what the API no longer has. */
function unwire(world: World, index: number): void {
  const state = world.nodes[index]!;
  const alive = new Set([...world.pods.values()].filter(({ node }) => node === index).map(({ uid }) => uid));
  for (const [address, uid] of state.wired) {
    if (alive.has(uid)) continue;
    state.wired.delete(address);
    state.resting.add(address);
  }
}

function look(state: NodeState): void {
  const alive = new Set(state.pods.map(({ pod }) => pod.uid));
  const isCurrent = [...state.told.keys()].every((uid) => alive.has(uid));
  const wired = new Set(state.wired.keys());
  state.status = { wired, resting: new Set([...wired, ...state.resting]), isCurrent };
}

function neverTwice(world: World): void {
  const all = world.nodes.filter(({ dead }) => !dead).flatMap(({ wired }) => [...wired.keys()]);
  expect(new Set(all).size).toBe(all.length);
}

/** As the controller does for a node that is gone. */
function bury(world: World, index: number): void {
  const state = world.nodes[index]!;
  if (state.dead) return;
  state.dead = true;
  for (const [key, { node }] of world.pods) if (node === index) world.pods.delete(key);
  for (const each of [...world.now.values()].filter(({ node }) => node === `n${index}`)) {
    const stays = each.holder?.keep !== undefined;
    write(world, stays ? { ...each, holder: { ...each.holder!, freedAt: 'gone' } } : undefined, each.name);
  }
}

/** As the controller does with what is kept twice. */
function sweep(world: World): void {
  for (const each of surplusKeeps(world.now.values())) {
    if (each.holder?.freedAt !== undefined) write(world, undefined, each.name);
  }
}

/** What a node does in turn when nothing is late; a round leaves out what `late` has a bit for. */
const turns = ['pods', 'unwire', 'look', 'watch', 'pass', 'wire', 'rested'] as const;

const at = fc.nat(2);
const which = fc.constantFrom(0, 0, 0, 0, 4, 4, 4, 4, 5, 6, 1, 2, 3);
/** Often everything in time, or only the runtime and the status late. */
const late = fc.oneof(fc.constantFrom(0, 0, 0, 2, 2, 2, 6, 6, 4, 32), fc.nat(127));
const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('start'), at, which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete'), at, which }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('move'), at, which }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom(...turns), at, which }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('round'), at, which: late }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('bury'), at: fc.constant(2), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep'), at, which }) },
);

test('no two pods ever have one address at once, whatever each node knows and when', () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 30, maxLength: 150 }), (actions) => {
      const fresh = (): NodeState => ({
        dead: false,
        seen: 0,
        pods: [],
        told: new Map(),
        wired: new Map(),
        resting: new Set(),
        status: { wired: new Set(), resting: new Set(), isCurrent: false },
      });
      const world: World = {
        log: [],
        now: new Map(),
        pods: new Map(),
        nodes: [fresh(), fresh(), fresh()],
        uids: 0,
      };
      const see = (index: number) => {
        const state = world.nodes[index]!;
        const own = [...world.pods.values()].filter(({ node }) => node === index);
        state.pods = own.map(({ each }) => each);
        // What the agent knows of no longer, the datapath hears of with its next word; until then no status counts.
        state.status = { ...state.status, isCurrent: false };
      };
      const step = (kind: string, at: number, which: number, attempt: number): void => {
        const state = world.nodes[at]!;
        const [name, place] = identities[which % identities.length]!;
        if (kind === 'sweep') sweep(world);
        if (kind === 'delete' || kind === 'move') world.pods.delete(name);
        if (state.dead) return;
        if ((kind === 'start' || kind === 'move') && !world.pods.has(name)) {
          const uid = `u${world.uids++}`;
          world.pods.set(name, { uid, node: at, each: single(name, uid, place) });
        } else if (kind === 'watch') state.seen = Math.min(state.seen + which + 1, world.log.length);
        else if (kind === 'pods') see(at);
        else if (kind === 'pass') pass(world, at, attempt);
        else if (kind === 'wire') wire(world, at);
        else if (kind === 'unwire') unwire(world, at);
        else if (kind === 'look') look(state);
        else if (kind === 'rested') state.resting.clear();
        else if (kind === 'bury') bury(world, at);
        else if (kind === 'round') {
          for (const [bit, turn] of turns.entries()) {
            if (((which >> bit) & 1) === 0) step(turn, at, identities.length - 1, attempt);
          }
        }
      };
      for (const [i, { kind, at, which }] of actions.entries()) step(kind, at, which, i);
      // Left alone, everybody gets what can be had.
      for (let i = 0; i < 12; i++) {
        sweep(world);
        for (const at of [0, 1, 2]) {
          for (const kind of [
            'pods',
            'unwire',
            'rested',
            'pass',
            'look',
            'watch',
            'watch',
            'watch',
            'pass',
            'wire',
          ]) {
            step(kind, at, 6, 1000 + i);
          }
        }
      }
      const waiting = [...world.pods].filter(
        ([, { uid, node }]) => ![...world.nodes[node]!.wired.values()].includes(uid),
      );
      const names = waiting.map(([name]) => name).filter((name) => !/^(fix|same|vm)/.test(name));
      expect(names).toEqual([]);
      const vms = waiting.filter(([name]) => name.startsWith('vm'));
      expect(vms.length).toBeLessThan(2);
    }),
    { numRuns: 600 },
  );
});

test('an address of a claim is its prefix without the length', () => {
  expect(addressOf({ cidr: 'fd10:244::77/128' })).toBe('fd10:244::77');
});
