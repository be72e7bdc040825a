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
  'no-ipv4': intentWith({ six: { ...router, address: 'fd66::1', families: [6] } }, ['fd66::11']),
};
