/** Detectors on a simulated network: who is found dead, how soon, and who never is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { heldHere } from '#compile/loadbalancer/leader.ts';
import { times } from './peer.ts';
import { ringOf, targetsOf, watchersOf } from './ring.ts';
import { createWorld, type World } from './simulation.ts';
import { createWatch } from './watch.ts';

const origin = { kind: 'Test', name: 'address' };
/** Milliseconds in which a node that answers nobody is dead for all. */
const bound = 600;

const others = (world: World, ...but: readonly string[]) => world.names.filter((name) => !but.includes(name));

/** Milliseconds until it holds. */
function until(world: World, holds: () => boolean, most: number): number {
  const from = world.now();
  while (!holds()) {
    world.run(10);
    if (world.now() - from > most) throw new Error(`not within ${most} ms`);
  }
  return world.now() - from;
}

describe('the ring', () => {
  test('everybody has three watchers and three targets, and both sides agree', () => {
    const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
    const ring = ringOf(names);
    const dead = new Set(['n3', 'n4', 'n17']);
    for (const isDead of [() => false, (name: string) => dead.has(name)]) {
      for (const name of names) {
        expect(watchersOf(ring, name, isDead)).toHaveLength(3);
        if (isDead(name)) continue;
        const watched = names.filter((other) => watchersOf(ring, other, isDead).includes(name));
        expect(targetsOf(ring, name, isDead).toSorted()).toEqual(watched.toSorted());
      }
    }
    expect(ringOf(names.toReversed()).order).toEqual(ring.order);
  });

  test('one more node changes few pairs', () => {
    const names = Array.from({ length: 50 }, (_, i) => `n${i}`);
    const [before, after] = [ringOf(names), ringOf([...names, 'new'])];
    const alive = () => false;
    const moved = names.filter((name) => {
      const [old, now] = [watchersOf(before, name, alive), watchersOf(after, name, alive)];
      return old.join() !== now.join();
    });
    expect(moved.length).toBeLessThanOrEqual(3);
  });
});

describe.each([2, 3, 4, 7, 20])('of %i nodes', (count) => {
  test('one that is cut off is dead for all others soon, it itself drops nobody, and it comes back', () => {
    const world = createWorld(count);
    world.run(3_000);
    for (const name of world.names) {
      expect(world.watch(name).addressLiveness()).toEqual({
        dead: new Set(),
        silent: new Set(),
        isolated: false,
      });
    }
    world.cut('node2');
    const all = others(world, 'node2');
    const took = until(world, () => world.deadFor('node2').length >= all.length, bound);
    expect(took).toBeGreaterThan(200);
    world.run(2_000);
    // Of two nodes neither knows which one is cut off.
    if (count > 2) {
      expect(world.watch('node2').liveness()).toEqual({ dead: new Set(), silent: new Set(), isolated: true });
      expect(world.deadFor('node2')).toEqual(all);
    }
    for (const name of all) {
      const [change, ...more] = world.watch(name).changes();
      expect(more).toEqual([]);
      expect(change).toMatchObject({ node: 'node2', from: 'well', to: 'dead' });
      expect(change!.milliseconds).toBeLessThan(bound);
    }
    world.run(60_000);
    world.cut('node2', false);
    until(world, () => world.deadFor('node2').length === 0, 3_000);
    for (const name of all) expect(world.watch(name).addressLiveness().dead).toEqual(new Set(['node2']));
    if (count > 2) expect(world.watch('node2').addressLiveness().isolated).toBe(true);
    world.run(6_000);
    for (const name of world.names) {
      expect(world.watch(name).addressLiveness()).toEqual({
        dead: new Set(),
        silent: new Set(),
        isolated: false,
      });
    }
  });

  test('who was away and has no agent answers for nothing until all that it may have missed was said, or its agent is back', () => {
    if (count === 2) return;
    for (const [wait, informed] of [
      [times.ignorant - 1_000, true],
      [times.ignorant, false],
    ] as const) {
      const world = createWorld(count);
      world.run(3_000);
      world.watch('node2').setInformed(false);
      world.run(30_000);
      expect(world.watch('node2').addressLiveness().isolated).toBe(false);
      world.cut('node2');
      world.run(10_000);
      world.cut('node2', false);
      world.run(times.addressRest + times.missed);
      world.run(wait - 1_000, () => expect(world.watch('node2').addressLiveness().isolated).toBe(true));
      world.watch('node2').setInformed(informed);
      world.run(5_000);
      expect(world.watch('node2').addressLiveness().isolated).toBe(false);
    }
  });

  test('a datapath that stands still is silent and not dead; one that says that it ends for a while is neither', () => {
    const world = createWorld(count);
    world.run(3_000);
    world.freeze('node1');
    const all = others(world, 'node1');
    until(world, () => world.silentFor('node1').length === all.length, 5_500);
    expect(world.deadFor('node1')).toEqual([]);
    world.freeze('node1', false);
    until(world, () => world.silentFor('node1').length === 0, 2_000);
    for (const name of all) expect(world.watch(name).addressLiveness().dead).toEqual(new Set(['node1']));
    world.run(6_000);

    world.pause('node1', 20_000);
    world.run(50);
    world.freeze('node1');
    world.run(19_000, () => expect(world.silentFor('node1')).toEqual([]));
    until(world, () => world.silentFor('node1').length === all.length, 7_000);
  });

  test('no more than a third are dead at once', () => {
    const world = createWorld(count);
    world.run(3_000);
    for (const name of world.names.slice(0, Math.ceil(count * 0.6))) world.cut(name);
    world.run(10_000, () => {
      for (const name of world.names) {
        const { dead } = world.watch(name).liveness();
        expect(dead.size).toBeLessThanOrEqual(Math.max(1, Math.floor(count / 3)));
      }
    });
    for (const name of world.names) world.cut(name, false);
    world.run(8_000);
    for (const name of world.names) expect(world.watch(name).liveness().dead).toEqual(new Set());
  });

  test('a kernel that answers no echoes is nobody’s dead', () => {
    const world = createWorld(count);
    world.mute('node1');
    world.run(10_000, () => expect(world.deadFor('node1')).toEqual([]));
  });
});

test('two neighbours on the ring that die with the third are found, by those behind them', () => {
  const world = createWorld(9);
  world.run(3_000);
  const { order } = ringOf(world.names);
  const dying = order.slice(0, 3);
  for (const name of dying) world.cut(name);
  world.run(3_000);
  for (const name of others(world, ...dying))
    expect(world.watch(name).liveness().dead).toEqual(new Set(dying));
  for (const name of dying) expect(world.watch(name).liveness().dead).toEqual(new Set());
});

test('when two nodes that were parted meet again one of them answers for an address all the time', () => {
  for (const candidates of [
    ['node1', 'node2'],
    ['node2', 'node1'],
  ]) {
    const world = createWorld(2);
    const holders = () =>
      world.names.filter((name) =>
        heldHere({ candidates, origin }, world.watch(name).addressLiveness(), name),
      );
    world.run(3_000);
    expect(holders()).toEqual([candidates[0]]);
    world.part('node1', 'node2');
    until(world, () => holders().length === 2, bound);
    world.part('node1', 'node2', false);
    until(world, () => holders().length === 1, 2_000);
    world.run(4_000, () => expect(holders()).toHaveLength(1));
    // The rest of both is over at nearly the same moment.
    world.run(3_000);
    expect(holders()).toEqual([candidates[0]]);
  }
});

test('a datapath that begins anew is told who is dead', () => {
  const world = createWorld(6);
  world.run(3_000);
  world.cut('node6');
  world.run(20_000);
  for (const name of others(world, 'node6')) {
    world.restart(name);
    until(world, () => world.watch(name).liveness().dead.has('node6'), bound);
    world.run(3_000);
  }
  expect(world.deadFor('node6')).toEqual(others(world, 'node6'));
  world.cut('node6', false);
  until(world, () => world.deadFor('node6').length === 0, 3_000);
});

test('what was dead or silent for the last process is so for the next one, until it answers', () => {
  const watch = createWatch('a', { sure: true, dead: ['b', 'gone'], silent: ['c'] });
  watch.setNodes(['b', 'c', 'd'], 0);
  const absent = { dead: new Set(['b']), silent: new Set(['c']), isolated: false };
  expect(watch.liveness()).toEqual(absent);
  expect(watch.addressLiveness()).toEqual(absent);
  watch.tick(50);
  expect(watch.liveness()).toEqual(absent);
  watch.heard('c', { kind: 'answer', absent: false }, 60);
  watch.tick(100);
  expect(watch.liveness().silent).toEqual(new Set());
});

test('whoever reaches a node that the others lost keeps it', () => {
  const world = createWorld(6);
  world.run(3_000);
  for (const name of others(world, 'node1', 'node2')) world.part('node1', name);
  world.run(5_000, () => expect(world.watch('node2').liveness().dead.has('node1')).toBe(false));
  expect(world.deadFor('node1')).toEqual(others(world, 'node1', 'node2'));
});

test('a node that only one lost stays', () => {
  const world = createWorld(6);
  world.run(3_000);
  const { order } = ringOf(world.names);
  world.part(order[0]!, order[1]!);
  world.run(10_000, () => {
    for (const name of world.names) expect(world.watch(name).liveness().dead.size).toBe(0);
  });
});

test('a liar and a starved one remove nobody', () => {
  const world = createWorld(5);
  world.run(3_000);
  for (let round = 0; round < 40; round++) {
    for (const about of others(world, 'node3')) {
      world.lie('node3', { kind: 'report', about, state: 'lost', for: 300 });
      world.lie('node3', { kind: 'answer', absent: true });
    }
    world.starve('node4', 100 + ((round * 97) % 900));
    world.run(1_000, () => {
      for (const name of world.names) {
        expect(world.watch(name).liveness()).toEqual({ dead: new Set(), silent: new Set(), isolated: false });
      }
    });
  }
});

test('nobody that is reached stays dead, and the dead are found, whatever else happens', () => {
  const event = fc.record({
    kind: fc.constantFrom('cut', 'part', 'starve', 'lie', 'freeze') as fc.Arbitrary<
      'cut' | 'part' | 'starve' | 'lie' | 'freeze'
    >,
    a: fc.nat(),
    b: fc.nat(),
    is: fc.boolean(),
    wait: fc.integer({ min: 0, max: 1_500 }),
    long: fc.integer({ min: 20, max: 1_200 }),
  });
  const schedule = fc.record({
    count: fc.integer({ min: 2, max: 9 }),
    seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    loss: fc.constantFrom(0, 0.01),
    events: fc.array(event, { minLength: 3, maxLength: 15 }),
  });
  fc.assert(
    fc.property(schedule, ({ count, seed, loss, events }) => {
      const world = createWorld(count, randomOf(seed));
      world.lose(loss);
      const liar = 'node1';
      const badSince = new Map<string, number>();
      const frozen = new Set<string>();
      const deadBefore = new Set<string>();
      const reachedSince = new Map<string, number>();
      const look = (now: number) => {
        for (const name of world.names) {
          for (const other of world.names) {
            const key = `${name} ${other}`;
            if (!world.connected(name, other)) reachedSince.delete(key);
            else if (!reachedSince.has(key)) reachedSince.set(key, now);
            const isDead = world.watch(name).liveness().dead.has(other);
            // Whoever reached a node all the time, or as long as three echoes take, never takes it for dead.
            if (isDead && !deadBefore.has(key) && now - (reachedSince.get(key) ?? now) > 600)
              throw new Error(`${name} reaches ${other}, and takes it for dead`);
            if (isDead) deadBefore.add(key);
            else deadBefore.delete(key);
          }
          const { dead } = world.watch(name).liveness();
          expect(dead.size).toBeLessThanOrEqual(Math.max(1, Math.floor(count / 3)));
          for (const other of dead) {
            const key = `${name} ${other}`;
            if (!world.connected(name, other) || frozen.has(name)) badSince.delete(key);
            else badSince.set(key, badSince.get(key) ?? now);
            // Ten answers in a row; packets get lost and loops are late.
            if (now - (badSince.get(key) ?? now) > 4_500) throw new Error(`${other} is dead for ${name}`);
          }
          for (const key of badSince.keys()) {
            const [by, other = ''] = key.split(' ');
            if (by === name && !dead.has(other)) badSince.delete(key);
          }
        }
      };
      world.run(2_000, look);
      for (const { kind, a, b, is, wait, long } of events) {
        const [one, two] = [world.names[a % count]!, world.names[b % count]!];
        if (kind === 'cut') world.cut(one, is);
        else if (kind === 'part') world.part(one, two, is);
        else if (kind === 'starve') world.starve(one, long);
        else if (kind === 'freeze') {
          world.freeze(one, is);
          if (is) frozen.add(one);
          else frozen.delete(one);
        } else world.lie(liar, { kind: 'report', about: two, state: is ? 'lost' : 'silent', for: long });
        world.run(wait, look);
      }
      for (const one of world.names) {
        world.cut(one, false);
        world.freeze(one, false);
        frozen.delete(one);
        for (const two of world.names) world.part(one, two, false);
      }
      world.run(8_000, look);
      for (const name of world.names)
        expect(world.watch(name).liveness()).toEqual({ dead: new Set(), silent: new Set(), isolated: false });
      world.lose(0);
      world.cut(world.names.at(-1)!);
      const all = others(world, world.names.at(-1)!);
      until(world, () => all.every((name) => world.deadFor(world.names.at(-1)!).includes(name)), bound);
    }),
    { numRuns: Number(process.env['NETLOOM_DETECTOR_RUNS'] ?? 60) },
  );
});

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
