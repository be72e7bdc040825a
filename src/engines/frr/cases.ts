/** Intents that the golden files and the tests on real FRR share. */
import { type BGPNeighborIntent, emptyIntent, type NodeIntent } from '#intent/node.ts';

export const router: BGPNeighborIntent = {
  origin: { kind: 'BGPNeighbor', name: 'tor' },
  address: '192.168.66.1',
  port: 179,
  localASN: 64_512,
  peerASN: 65_000,
  families: [4],
  multiHop: false,
  importPrefixes: [],
};

/** A BGPPeer, as its reader makes it. */
export const peer = (name: string, extra: Partial<BGPNeighborIntent> = {}): BGPNeighborIntent => ({
  ...router,
  origin: { kind: 'BGPPeer', namespace: 'metallb-system', name },
  gracefulRestart: false,
  servicesOnly: true,
  ...extra,
});

const service = { kind: 'Service', namespace: 'shop', name: 'web' };
/** One announcement of each kind that there is. */
export const announcements: NodeIntent['announcements'] = {
  '10.9.0.1/32': { origin: service, communities: [] },
  '10.9.0.2/32': { origin: service, communities: [] },
  'fd09::1/128': { origin: service, communities: ['65000:200', '65000:30'] },
  '10.9.1.0/24': {
    origin: service,
    communities: ['65000:1:2', '65000:1:10', '65535:65281', '65535:65282', '65000:7'],
    localPreference: 150,
  },
  '10.9.0.3/32': {
    origin: service,
    neighbors: ['BGPPeer/metallb-system/one'],
    communities: ['65000:1'],
    others: [{ neighbors: ['BGPPeer/metallb-system/two', 'tor'], communities: [], localPreference: 50 }],
  },
  '10.9.0.4/32': { origin: service, neighbors: ['BGPPeer/metallb-system/two'], communities: [] },
};

const subnet = (cidrs: readonly string[], mode: 'overlay' | 'routed') => ({
  origin: { kind: 'Subnet', name: mode },
  cidrs,
  mode,
  masquerade: true,
  allowFrom: [],
  excluded: [],
});

/** A node with the two usual Subnets, and neighbors. */
export function intentWith(
  bgpNeighbors: NodeIntent['bgpNeighbors'],
  addresses: readonly string[] = ['192.168.66.11', 'fd66::11'],
): NodeIntent {
  return {
    ...emptyIntent,
    self: {
      node1: {
        origin: { kind: 'Node', name: 'node1' },
        node: 'node1',
        nodeUID: 'u1',
        addresses,
        blocks: [],
        tunnelAddresses: [],
        assignUntil: 0,
      },
    },
    subnets: {
      default: subnet(['10.244.0.0/16', 'fd10:244::/56'], 'overlay'),
      team: subnet(['10.20.0.0/16', 'fd20::/56'], 'routed'),
    },
    bgpNeighbors,
  };
}

export const serviceRanges = ['10.96.0.0/16', 'fd10:96::/112'];

/** By name of the golden files. */
export const cases: Readonly<Record<string, NodeIntent>> = {
  router: intentWith({ tor: router }),
  'both-families': intentWith({
    one: { ...router, families: [4, 6] },
    'two-v6': { ...router, address: 'fd66::1', families: [6] },
  }),
  'everything-set': intentWith({
    tor: {
      ...router,
      peerASN: 'external',
      port: 1179,
      password: 'a-Secret!#?"1',
      bfd: { receiveInterval: 100, transmitInterval: 120, detectMultiplier: 4 },
      timers: { keepalive: 3, hold: 9 },
      multiHop: true,
      importPrefixes: [
        { prefix: '10.20.0.0/16', le: 26 },
        { prefix: '172.16.0.0/12', ge: 16, le: 24 },
        { prefix: '172.16.0.0/12', ge: 14 },
        { prefix: '198.51.100.0/24', le: 24 },
        { prefix: '198.51.100.0/24' },
        { prefix: '203.0.113.0/24', le: 32 },
        { prefix: '0.0.0.0/0' },
        { prefix: 'fd20::/56', ge: 64, le: 128 },
        { prefix: '::/0' },
      ],
    },
    second: {
      ...router,
      address: '192.168.66.2',
      peerASN: 'internal',
      bfd: { receiveInterval: 300, transmitInterval: 300, detectMultiplier: 3 },
    },
  }),
  reflector: intentWith({
    'mesh/node2/4': {
      ...router,
      origin: { kind: 'BGPNeighbor', name: 'mesh' },
      address: '192.168.66.12',
      peerASN: 'internal',
      mesh: { clusterID: '10.0.0.1', client: true },
    },
    'mesh/node2/6': {
      ...router,
      origin: { kind: 'BGPNeighbor', name: 'mesh' },
      address: 'fd66::12',
      families: [6],
      peerASN: 'internal',
      mesh: { clusterID: '10.0.0.1', client: true },
    },
    'mesh/node3/4': {
      ...router,
      origin: { kind: 'BGPNeighbor', name: 'mesh' },
      address: '192.168.66.13',
      peerASN: 'internal',
      mesh: { clusterID: '10.0.0.1', client: false },
    },
  }),
  services: {
    ...intentWith({
      tor: router,
      'mesh/node2/4': {
        ...router,
        origin: { kind: 'BGPNeighbor', name: 'mesh' },
        address: '192.168.66.12',
        peerASN: 'internal',
        mesh: { client: false },
      },
      'BGPPeer/metallb-system/one': peer('one', { address: '192.168.66.2', families: [4, 6] }),
      'BGPPeer/metallb-system/two': peer('two', { address: 'fd66::2', families: [6] }),
    }),
    announcements,
  },
  'peer-everything-set': intentWith({
    'BGPPeer/metallb-system/far': peer('far', {
      address: '10.99.0.1',
      port: 1179,
      shownASN: 64_600,
      routerID: '9.9.9.9',
      sourceAddress: '192.168.66.77',
      password: 'a-Secret!#?"1',
      bfd: {
        receiveInterval: 100,
        transmitInterval: 120,
        detectMultiplier: 4,
        passive: true,
        minimumTTL: 9,
      },
      timers: { keepalive: 0, hold: 0 },
      connectTime: 10,
      multiHop: true,
      gracefulRestart: true,
    }),
    'BGPPeer/metallb-system/near': peer('near', {
      address: '192.168.66.3',
      bfd: { receiveInterval: 300, transmitInterval: 300, detectMultiplier: 3, echoInterval: 70 },
    }),
    [`BGPPeer/metallb-system/${'n'.repeat(50)}`]: peer('n'.repeat(50), {
      address: '192.168.66.4',
      peerASN: 'internal',
      bfd: { receiveInterval: 300, transmitInterval: 300, detectMultiplier: 3, echoInterval: 50 },
    }),
    'BGPPeer/metallb-system/unnumbered': peer('unnumbered', {
      address: '',
      interface: 'eth0',
      peerASN: 'external',
      families: [4, 6],
    }),
  }),
  vrf: {
    ...intentWith({
      'BGPPeer/metallb-system/red': peer('red', { vrf: 'red', localASN: 64_700 }),
      'BGPPeer/metallb-system/red6': peer('red6', {
        vrf: 'red',
        localASN: 64_700,
        address: 'fd66::1',
        families: [4, 6],
      }),
      tor: router,
    }),
    announcements,
  },
  'no-ipv4': intentWith({ six: { ...router, address: 'fd66::1', families: [6] } }, ['fd66::11']),
};
