import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inOrder } from './candidates.ts';
import { type Announced, spread } from './spread.ts';

const nodesOf = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
const everywhere = (nodes: readonly string[]) => nodes.map((node) => ({ node, weight: 0 }));
const services = (
  count: number,
  nodes: readonly string[],
  announcer?: (index: number) => string | undefined,
) =>
  Array.from(
    { length: count },
    (_, index): Announced => ({
      key: `shop/s${String(index).padStart(4, '0')}`,
      eligible: everywhere(nodes),
      announcer: announcer?.(index),
    }),
  );
/** As written by the controller. */
const after = (all: readonly Announced[], places: ReadonlyMap<string, string | undefined>): Announced[] =>
  all.map((each) => ({ ...each, announcer: places.get(each.key) }));
const loads = (places: ReadonlyMap<string, string | undefined>, nodes: readonly string[]) =>
  nodes.map((node) => [...places.values()].filter((place) => place === node).length);
const moved = (all: readonly Announced[], places: ReadonlyMap<string, string | undefined>) =>
  all.filter(({ key, announcer }) => places.get(key) !== announcer).length;
const evenly = (counts: readonly number[]) => Math.max(...counts) - Math.min(...counts);

const size = fc.record({ nodes: fc.integer({ min: 1, max: 12 }), services: fc.integer({ min: 0, max: 60 }) });

describe('the spread of announcers', () => {
  it('is even within one where nothing restricts, from nothing', () => {
    fc.assert(
      fc.property(size, ({ nodes, services: count }) => {
        const names = nodesOf(nodes);
        expect(evenly(loads(spread(services(count, names)), names))).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('stays as it is once it is written', () => {
    const eligible = fc.subarray(everywhere(nodesOf(6)));
    fc.assert(
      fc.property(fc.array(eligible, { maxLength: 40 }), fc.subarray(nodesOf(6)), (list, absent) => {
        const all = list.map((each, index) => ({ key: `${index}`, eligible: each, announcer: undefined }));
        const written = after(all, spread(all, new Set(absent)));
        expect(moved(written, spread(written, new Set(absent)))).toBe(0);
      }),
    );
  });

  it('is only ever where it may be, and somewhere where it may be anywhere', () => {
    const eligible = fc
      .subarray(nodesOf(5))
      .chain((nodes) =>
        fc.tuple(...nodes.map((node) => fc.record({ node: fc.constant(node), weight: fc.nat(3) }))),
      );
    const one = fc.record({ eligible, announcer: fc.constantFrom(undefined, ...nodesOf(6)) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 30 }), fc.subarray(nodesOf(5)), (list, absent) => {
        const all = list.map((each, index) => ({ key: `${index}`, ...each }));
        const places = spread(all, new Set(absent));
        for (const { key, eligible: may } of all) {
          const place = places.get(key);
          if (may.length === 0) expect(place).toBeUndefined();
          else expect(may.map(({ node }) => node)).toContain(place);
        }
      }),
    );
  });

  it('is even again after a node came, with no more moves than that takes', () => {
    fc.assert(
      fc.property(size, ({ nodes, services: count }) => {
        const names = nodesOf(nodes + 1);
        const before = services(count, names.slice(1));
        const written = after(before, spread(before)).map((each) => ({
          ...each,
          eligible: everywhere(names),
        }));
        const places = spread(written);
        expect(evenly(loads(places, names))).toBeLessThanOrEqual(1);
        expect(moved(written, places)).toBeLessThanOrEqual(Math.floor(count / names.length));
      }),
    );
  });

  it('leaves what somebody moved by hand, while no node comes', () => {
    const all = services(5, nodesOf(3), () => 'n1');
    expect(moved(all, spread(all, new Set(), false))).toBe(0);
    expect(evenly(loads(spread(all, new Set(), true), nodesOf(3)))).toBeLessThanOrEqual(1);
  });

  it('moves only what a node had when that goes', () => {
    fc.assert(
      fc.property(size, ({ nodes, services: count }) => {
        const names = nodesOf(nodes + 1);
        const before = services(count, names);
        const first = spread(before);
        const written = after(before, first).map((each) => ({
          ...each,
          eligible: everywhere(names.slice(1)),
        }));
        const places = spread(written);
        expect(moved(written, places)).toBe([...first.values()].filter((place) => place === 'n0').length);
        expect(evenly(loads(places, names.slice(1)))).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is at preferred nodes, and stays when one with as much weight comes', () => {
    const eligible = [
      { node: 'n0', weight: 0 },
      { node: 'n1', weight: 5 },
    ];
    const all: Announced[] = [{ key: 'a', eligible, announcer: undefined }];
    expect(spread(all).get('a')).toBe('n1');
    const more = [...eligible, { node: 'n2', weight: 5 }];
    expect(spread([{ key: 'a', eligible: more, announcer: 'n1' }]).get('a')).toBe('n1');
  });

  it('goes to a node with more weight, and waits for it while it is away', () => {
    const eligible = [
      { node: 'n0', weight: 0 },
      { node: 'n1', weight: 5 },
    ];
    const at = (announcer: string, absent: readonly string[]) =>
      spread([{ key: 'a', eligible, announcer }], new Set(absent)).get('a');
    expect([at('n0', []), at('n0', ['n1']), at('n1', ['n1'])]).toEqual(['n1', 'n0', 'n1']);
  });

  it('gives nothing new to a node that is away, and takes nothing from it', () => {
    const names = ['n0', 'n1'];
    const all = services(10, names, (index) => (index < 4 ? 'n0' : undefined));
    const places = spread(all, new Set(['n0']));
    expect(loads(places, names)).toEqual([4, 6]);
  });

  it('puts what has few choices first', () => {
    const all: Announced[] = [
      { key: 'a', eligible: everywhere(['n0', 'n1']), announcer: undefined },
      { key: 'b', eligible: everywhere(['n0']), announcer: undefined },
    ];
    expect(Object.fromEntries(spread(all))).toEqual({ a: 'n1', b: 'n0' });
  });

  it('leaves an address where the nodes have put it, as long as others have no fewer', () => {
    const eligible = everywhere(nodesOf(7));
    for (const address of ['192.0.2.1', '192.0.2.77', '2001:db8::5']) {
      const [first] = inOrder(eligible, address, undefined);
      expect(spread([{ key: 'shop/web', address, eligible, announcer: undefined }]).get('shop/web')).toBe(
        first,
      );
    }
  });
});
