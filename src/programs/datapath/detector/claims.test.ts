/** Two nodes that take one address for theirs: one goes on, whichever datagrams are lost. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Claims, claimTimes, createClaims } from './claims.ts';

const address = '192.168.66.240';
const one: ReadonlySet<string> = new Set([address]);
const none: ReadonlySet<string> = new Set();

type Node = { readonly name: string; readonly claims: Claims; wants: boolean; holds: boolean };
type World = { readonly nodes: readonly Node[]; readonly step: (loses?: () => boolean) => void; now: number };

function world(...names: readonly string[]): World {
  const nodes = names.map((name): Node => ({ name, claims: createClaims(name), wants: false, holds: false }));
  const settle = (now: number): void => {
    for (const node of nodes) {
      const others = new Map([...node.claims.kept(now), ...node.claims.yielded(now)]);
      node.holds = node.wants && !others.has(address);
      node.claims.setHeld(node.holds ? one : none, now);
    }
  };
  const made: World = {
    nodes,
    now: 0,
    step(loses = () => false) {
      made.now += 100;
      settle(made.now);
      for (const from of nodes)
        for (const message of from.claims.due(made.now))
          for (const to of nodes) if (to !== from && !loses()) to.claims.heard(from.name, message, made.now);
      settle(made.now);
    },
  };
  return made;
}
const holders = ({ nodes }: World) => nodes.filter(({ holds }) => holds).map(({ name }) => name);
const run = (made: World, milliseconds: number, loses?: () => boolean): void => {
  for (let i = 0; i < milliseconds / 100; i++) made.step(loses);
};

/** `b` has it since `a` gave way, both with an agent. */
function takenOver(): World {
  const made = world('a', 'b');
  const [a, b] = made.nodes as [Node, Node];
  for (const { claims } of made.nodes) claims.setAgent(undefined);
  a.wants = true;
  run(made, 1_000);
  b.wants = true;
  run(made, 1_000);
  expect(holders(made)).toEqual(['b']);
  return made;
}

test('who took over later goes on, and who was before takes it back when it is let go', () => {
  const made = world('a', 'b');
  const [a, b] = made.nodes as [Node, Node];
  for (const { claims } of made.nodes) claims.setAgent(undefined);
  a.wants = true;
  run(made, 60_000);
  b.wants = true;
  made.step();
  expect(holders(made)).toEqual(['b']);
  run(made, 60_000);
  expect(holders(made)).toEqual(['b']);
  b.wants = false;
  made.step();
  made.step();
  expect(holders(made)).toEqual(['a']);
});

test('whose agent lives goes on before one without, in whichever order they took over', () => {
  for (const first of [0, 1]) {
    const made = world('a', 'b');
    made.nodes[1]!.claims.setAgent(undefined);
    made.nodes[first]!.wants = true;
    run(made, 5_000);
    made.nodes[1 - first]!.wants = true;
    run(made, 300);
    expect(holders(made)).toEqual(['b']);
    run(made, 60_000);
    expect(holders(made)).toEqual(['b']);
  }
});

test('of two without an agent goes on whose agent was heard later, in whichever order they took over', () => {
  for (const first of [0, 1]) {
    const made = world('a', 'b');
    made.nodes[1]!.claims.setAgent(-1_000);
    made.nodes[first]!.wants = true;
    run(made, 5_000);
    made.nodes[1 - first]!.wants = true;
    run(made, 300);
    expect(holders(made)).toEqual(['b']);
    made.nodes[0]!.claims.setAgent(made.now);
    run(made, 300);
    expect(holders(made)).toEqual(['b']);
    made.nodes[1]!.wants = false;
    run(made, 300);
    made.nodes[1]!.wants = true;
    run(made, 300);
    expect(holders(made)).toEqual(['a']);
  }
});

test('at the same moment the lesser name goes on', () => {
  const made = world('b', 'a');
  for (const node of made.nodes) node.wants = true;
  made.step();
  expect(holders(made)).toEqual(['a']);
  run(made, 60_000);
  expect(holders(made)).toEqual(['a']);
});

test('of whom nothing is heard any more holds nothing', () => {
  const made = takenOver();
  run(made, claimTimes.forgotten + claimTimes.every, () => true);
  expect(holders(made)).toContain('a');
});

test('nobody begins to answer for what a node claimed whose datapath is away, until its agent is heard again or its time is over', () => {
  for (const returns of [true, false]) {
    const made = world('a', 'b');
    const [a, b] = made.nodes as [Node, Node];
    b.wants = true;
    run(made, 1_000);
    a.claims.heard('b', { kind: 'pause', for: 20_000 }, made.now);
    // Nothing of it comes or is heard.
    b.wants = false;
    const silently = (milliseconds: number) => {
      made.nodes[0]!.wants = true;
      run(made, milliseconds, () => true);
    };
    silently(10_000);
    expect(holders(made)).toEqual([]);
    if (returns) a.claims.heard('b', { kind: 'claim', informed: true, held: [] }, made.now);
    else silently(10_000);
    run(made, 200, () => true);
    expect(holders(made)).toEqual(['a']);
  }
});

test('who begins while another is away is told what that one claimed, unless it has heard from it since', () => {
  const [witness, late] = world('a', 'c').nodes as [Node, Node];
  witness.claims.heard('b', { kind: 'claim', informed: true, held: [[address, 0]] }, 0);
  witness.claims.heard('b', { kind: 'pause', for: 20_000 }, 1_000);
  const told = witness.claims.everything(6_000);
  expect(told).toEqual([{ kind: 'kept', node: 'b', for: 15_000, addresses: [address] }]);
  for (const message of told) late.claims.heard('a', message, 6_000);
  expect(late.claims.kept(20_900)).toEqual(new Map([[address, 'b']]));
  expect(late.claims.kept(21_000)).toEqual(new Map());

  late.claims.heard('b', { kind: 'claim', informed: true, held: [] }, 22_000);
  for (const message of told) late.claims.heard('a', message, 22_100);
  expect(late.claims.kept(22_200)).toEqual(new Map());
  expect(witness.claims.everything(21_000)).toEqual([]);
});

test('nobody is told what it keeps itself', () => {
  const [node] = world('b').nodes as [Node];
  node.claims.heard('a', { kind: 'kept', node: 'b', for: 15_000, addresses: [address] }, 0);
  expect(node.claims.kept(100)).toEqual(new Map());
});

test('what was claimed long ago is nobody’s, whoever is away now', () => {
  const [node] = world('a').nodes as [Node];
  node.claims.heard('b', { kind: 'claim', informed: true, held: [[address, 0]] }, 0);
  node.claims.heard('b', { kind: 'pause', for: 20_000 }, claimTimes.forgotten);
  expect(node.claims.kept(claimTimes.forgotten)).toEqual(new Map());
});

test('what the dead claimed is free', () => {
  const made = takenOver();
  made.nodes[0]!.claims.buried(['b']);
  run(made, 100, () => true);
  expect(holders(made)).toContain('a');
});

test('an agent that is back is told of, also where nothing is held', () => {
  const made = world('a', 'b');
  const [a] = made.nodes as [Node];
  expect(a.claims.due(0)).toEqual([]);
  a.claims.setAgent(undefined);
  expect(a.claims.due(0)).toEqual([{ kind: 'claim', informed: true, held: [] }]);
  expect(a.claims.due(50)).toEqual([]);
});

test('with every other datagram lost there is exactly one in the end', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: 2 }), fc.boolean(), fc.nat({ max: 40 })), {
        minLength: 1,
        maxLength: 12,
      }),
      fc.array(fc.boolean(), { minLength: 20, maxLength: 60 }),
      fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      (deeds, losses, informed) => {
        const made = world('a', 'b', 'c');
        for (const [index, node] of made.nodes.entries())
          node.claims.setAgent(informed[index] === true ? undefined : index * -1_000);
        let at = 0;
        for (const [index, wants, steps] of deeds) {
          made.nodes[index]!.wants = wants;
          run(made, steps * 100, () => losses[at++ % losses.length]!);
        }
        run(made, 2 * claimTimes.forgotten);
        const wanting = made.nodes.some(({ wants }) => wants);
        expect(holders(made)).toHaveLength(wanting ? 1 : 0);
      },
    ),
  );
});
