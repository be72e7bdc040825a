/** To whom a node announces its Services: by the sessions that stand, and by what each is told. */
import { expect, test } from 'vitest';
import type { BGPSession } from '#intent/handover.ts';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { BGPNeighborIntent } from '#intent/node.ts';
import { rememberingServiceStatuses, serviceStatuses } from './service-peers.ts';

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
const announced = (...entries: readonly [string, Partial<AnnouncementIntent>][]) =>
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

test('a question that was just answered costs nothing', () => {
  const answer = rememberingServiceStatuses();
  const services = announced(['10.9.0.1/32', {}]);
  const first = answer(services, neighbors, both);
  expect(
    answer(
      services,
      neighbors,
      both.map((each) => ({ ...each, sent: 5 })),
    ),
  ).toBe(first);
  expect(answer(services, neighbors, both.slice(1)).get('n/s')).toEqual({ peers: ['two'], down: ['one'] });
});
