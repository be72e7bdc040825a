/** The lab's network as data. */
import { expect, test } from 'vitest';
import { nodeNames } from './lab.ts';
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
