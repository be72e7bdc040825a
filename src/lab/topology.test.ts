/** The lab's network as data. */
import { expect, test } from 'vitest';
import { nodeNames } from './lab.ts';
import { routerFrr, routerNeighbors } from './router.ts';
import { parsePaths, parseRoutes } from './router-table.ts';
import { maxNodes, nodeAddresses, nodeNetwork, portOf, routerNetwork, type Topology } from './topology.ts';

const topology: Topology = { family: 'dual', mtu: 1500, nodes: ['a', 'b'] };

test('addresses follow the place in the list, IPv4 first', () => {
  expect(nodeAddresses(topology, 'b')).toEqual(['192.168.66.12', 'fd66::12']);
  expect(nodeAddresses({ ...topology, family: 'ipv6' }, 'a')).toEqual(['fd66::11']);
  expect(() => nodeAddresses(topology, 'c')).toThrow('the lab has no node c');
});

test('a node added later moves nobody', () => {
  const more = { ...topology, nodes: [...topology.nodes, 'c'] };
  expect(nodeNetwork(more, 'a')).toEqual(nodeNetwork(topology, 'a'));
});

test('no two machines of the largest lab share address, MAC or port', () => {
  const large: Topology = { family: 'dual', mtu: 1500, nodes: nodeNames(maxNodes) };
  const lines = large.nodes
    .flatMap((node) => nodeNetwork(large, node).lines)
    .concat(routerNetwork(large).lines);
  const words = lines.flatMap(
    (line) => line.match(/(?<=^address add )\S+|(?<=^link add \S+ address )\S+/g) ?? [],
  );
  expect(new Set(words).size).toBe(words.length);
  expect(new Set(large.nodes.map((node) => portOf(large, node))).size).toBe(maxNodes);
  expect(words).not.toContain('192.168.66.200/24');
  for (const node of large.nodes) expect(portOf(large, node).length).toBeLessThan(16);
});

test('one family only, where asked', () => {
  const four = nodeNetwork({ ...topology, family: 'ipv4' }, 'a');
  expect(four.lines.join('\n')).not.toContain('fd66');
  expect(four.sysctls).toContainEqual(['net/ipv6/conf/all/disable_ipv6', '1']);
  expect(nodeNetwork({ ...topology, family: 'ipv6' }, 'a').lines.join('\n')).not.toContain('192.168');
});

test('the wished MTU is on both ends of a cable and on the bridge', () => {
  const jumbo = { ...topology, mtu: 9000 };
  expect(nodeNetwork(jumbo, 'a').lines[0]).toMatch(/mtu 9000 .* mtu 9000 /);
  expect(routerNetwork(jumbo).lines[0]).toContain('mtu 9000');
});

test('nodes are dealt out to the segments in turn, each behind the router', () => {
  const two: Topology = { family: 'dual', mtu: 1500, nodes: ['a', 'b', 'c'], segments: 2 };
  expect(two.nodes.map((node) => nodeAddresses(two, node)[0])).toEqual([
    '192.168.66.11',
    '192.168.67.12',
    '192.168.66.13',
  ]);
  const { lines, routerLines } = nodeNetwork(two, 'b');
  expect(lines).toContain('route add default via fd67::1 dev eth0');
  expect(routerLines[0]).toBe('link set port1 master underlay2');
  expect(routerNetwork(two).lines.join('\n')).toContain('address add 192.168.67.1/24 dev underlay2');
  const bgp = routerFrr(two)['bgpd.conf'];
  for (const range of ['192.168.66.0/24', '192.168.67.0/24', 'fd66::/64', 'fd67::/64'])
    expect(bgp).toContain(` bgp listen range ${range} peer-group nodes`);
  expect(routerNeighbors(two).map(({ metadata }) => metadata.name)).toEqual([
    'router-1-ipv4',
    'router-1-ipv6',
    'router-2-ipv4',
    'router-2-ipv6',
  ]);
});

test('what the router holds is read by node', () => {
  const nodes = new Map([
    ['192.168.66.11', 'a'],
    ['192.168.66.12', 'b'],
    ['fe80::ff:fe00:420b', 'a'],
  ]);
  const route = { flags: [], nhid: 29, metric: 20 };
  const hops = ['192.168.66.12', '192.168.66.11'].map((gateway) => ({ gateway, dev: 'underlay', weight: 1 }));
  expect(
    parseRoutes(
      JSON.stringify([
        { ...route, dst: '198.51.100.7', nexthops: hops },
        { ...route, dst: '198.51.100.64/26', gateway: '192.168.66.99' },
        { ...route, dst: '2001:db8:77::7', gateway: 'fe80::ff:fe00:420b', dev: 'underlay' },
      ]),
      nodes,
    ),
  ).toEqual([
    { prefix: '198.51.100.7/32', via: ['a', 'b'] },
    { prefix: '198.51.100.64/26', via: ['192.168.66.99'] },
    { prefix: '2001:db8:77::7/128', via: ['a'] },
  ]);
  expect(parseRoutes('', nodes)).toEqual([]);
  const path = (peerId: string, more: object) => ({
    aspath: { string: '64512' },
    valid: true,
    peer: { peerId, type: 'external' },
    ...more,
  });
  const text = JSON.stringify({
    prefix: '198.51.100.7/32',
    paths: [
      path('192.168.66.12', {
        community: { string: '64512:7 65000:100' },
        largeCommunity: { string: '65000:1:2' },
      }),
      path('192.168.66.11', { locPrf: 200 }),
    ],
  });
  expect(parsePaths(text, nodes)).toEqual([
    { node: 'a', communities: [], localPreference: 200, asPath: '64512' },
    { node: 'b', communities: ['64512:7', '65000:100', '65000:1:2'], asPath: '64512' },
  ]);
  expect(parsePaths('{}', nodes)).toEqual([]);
});
