/** To whom a node announces its Services: by the sessions that stand, and by what each is told. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BGPSession } from '#intent/handover.ts';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { BGPNeighborIntent } from '#intent/node.ts';
import { createServiceStatuses, serviceStatuses } from './service-peers.ts';

const neighbor = (name: string, families: readonly (4 | 6)[] = [4]): BGPNeighborIntent => ({
  origin: { kind: 'BGPPeer', namespace: 'm', name },
  address: '192.168.66.1',
  port: 179,
  localASN: 64_512,
  peerASN: 65_000,
  families,
  multiHop: false,
  importPrefixes: [],
});
const neighbors = {
  'BGPPeer/m/one': neighbor('one'),
  'BGPPeer/m/two': neighbor('two', [4, 6]),
  'mesh/b/4': { ...neighbor('mesh'), mesh: { client: false } },
};
const session = (name: string, state = 'Established'): BGPSession => ({
  neighbor: name,
  address: '192.168.66.1',
  state,
  received: 0,
  sent: 0,
});
const origin = { kind: 'Service', name: 's' };
const announced = (
  ...entries: readonly [string, Partial<AnnouncementIntent>][]
): Map<string, ReadonlyMap<string, AnnouncementIntent>> =>
  new Map([
    ['n/s', new Map(entries.map(([prefix, each]) => [prefix, { origin, communities: [], ...each }]))],
  ]);
const both = [session('BGPPeer/m/one'), session('BGPPeer/m/two'), session('mesh/b/4')];

test.each<[string, ReturnType<typeof announced>, readonly BGPSession[], object | undefined]>([
  ['all routers', announced(['10.9.0.1/32', {}]), both, { peers: ['one', 'two'], down: [] }],
  [
    'one whose session is down',
    announced(['10.9.0.1/32', {}]),
    [both[0]!, session('BGPPeer/m/two', 'Active')],
    { peers: ['one'], down: ['two'] },
  ],
  ['only who carries the family', announced(['fd09::1/128', {}]), both, { peers: ['two'], down: [] }],
  [
    'only who is told',
    announced(['10.9.0.1/32', { neighbors: ['BGPPeer/m/one'] }]),
    both,
    { peers: ['one'], down: [] },
  ],
  [
    'whoever is told something else',
    announced([
      '10.9.0.1/32',
      { neighbors: ['BGPPeer/m/one'], others: [{ neighbors: ['BGPPeer/m/two'], communities: ['1:1'] }] },
    ]),
    both,
    { peers: ['one', 'two'], down: [] },
  ],
  ['nobody', announced(['10.9.0.1/32', { neighbors: [] }]), both, undefined],
])('%s', (_, services, sessions, expected) => {
  expect(serviceStatuses(services, neighbors, sessions).get('n/s')).toEqual(expected);
});

describe('change by change', () => {
  test('a question that was just answered costs nothing', () => {
    const statuses = createServiceStatuses();
    const services = announced(['10.9.0.1/32', {}]);
    expect(statuses.update(services, neighbors, both).get('n/s')).toMatchObject({ down: [] });
    const counted = both.map((each) => ({ ...each, sent: 5 }));
    expect(statuses.update(new Map(), neighbors, counted).size).toBe(0);
    expect(statuses.update(new Map(), neighbors, both.slice(1)).get('n/s')).toEqual({
      peers: ['two'],
      down: ['one'],
    });
  });

  test('it is the same as all at once', () => {
    const keys = ['n/a', 'n/b', 'n/c'];
    const said = [undefined, {}, { neighbors: ['BGPPeer/m/one'] }, { neighbors: [] }];
    const step = fc.record({
      changes: fc.array(fc.tuple(fc.constantFrom(...keys), fc.constantFrom(...said)), { maxLength: 3 }),
      neighbors: fc.constantFrom(neighbors, { 'BGPPeer/m/one': neighbors['BGPPeer/m/one'] }),
      sessions: fc.constantFrom(both, both.slice(1), [session('BGPPeer/m/one', 'Active')]),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const statuses = createServiceStatuses();
        const all: ReturnType<typeof announced> = new Map();
        const folded = new Map<string, unknown>();
        for (const { changes, neighbors: between, sessions } of steps) {
          const own = new Map(
            changes.map(([key, each]) => [key, each && announced(['10.9.0.1/32', each]).get('n/s')]),
          );
          for (const [key, each] of own)
            if (each === undefined) all.delete(key);
            else all.set(key, each);
          for (const [key, each] of statuses.update(own, between, sessions))
            if (each === undefined) folded.delete(key);
            else folded.set(key, each);
          expect(folded).toEqual(serviceStatuses(all, between, sessions));
        }
      }),
    );
  });
});
