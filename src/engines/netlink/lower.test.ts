/** What intents lower to, as exact text, and what is said of those that can not be held. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { classNumber, classText } from '#intent/announcement-class.ts';
import { type BGPNeighborIntent, emptyIntent, type NodeIntent, type SubnetMode } from '#intent/node.ts';
import type { DeviceFact, Facts } from './context.ts';
import { lower } from './lower.ts';
import { linkLocalOf, tunnelMac } from './names.ts';
import { type NetlinkObject, printOperation } from './objects.ts';

const eth0: DeviceFact = {
  name: 'eth0',
  mtu: 1500,
  addresses: ['192.168.66.11/24', 'fd66::11/64'],
  reversePath: 0,
  acceptRouterAdvertisements: 0,
};
const facts: Facts = { ipv6: true, strictReversePath: false, devices: [eth0] };
const origin = { kind: 'Node', name: 'x' };

const self = {
  origin,
  node: 'a',
  nodeUID: 'u',
  addresses: ['192.168.66.11', 'fd66::11'],
  blocks: [],
  tunnelAddresses: ['10.244.1.0', 'fd10:244:0:1::'],
  assignUntil: 0,
};
const overlay = {
  origin,
  cidrs: ['10.244.0.0/16', 'fd10:244::/56'],
  mode: 'overlay',
  masquerade: true,
  allowFrom: [],
  excluded: [],
} as const;
const underlay = { ...overlay, mode: 'underlay', masquerade: false } as const;
const pod = { origin, device: 'nlp00000000001', ifindex: 7, mac: '02:00:00:00:00:01' };
/** Of a gateway: part of a hash, so that no two are likely to meet. */
const table = (gateway: string) =>
  0x6e00_0000 + createHash('sha256').update(gateway).digest().readUIntBE(0, 3);
const service = { kind: 'Service', name: 's' };
const metricOf = (communities: readonly string[]) => classNumber(classText({ origin: service, communities }));
const [plain, tagged] = [metricOf([]), metricOf(['65000:1'])];
const bgp: BGPNeighborIntent = {
  origin,
  address: '192.168.66.1',
  port: 179,
  localASN: 64_512,
  peerASN: 65_000,
  families: [4],
  multiHop: false,
  importPrefixes: [],
};
const block = (cidr: string, mode: SubnetMode) => ({ cidr, subnet: 's', mode });

const intent = (parts: Partial<NodeIntent>): NodeIntent => ({ ...emptyIntent, self: { a: self }, ...parts });

function lines(value: ReadonlyMap<string, NetlinkObject>): string[] {
  return [...value.values()]
    .map((object) => printOperation({ verb: 'put', object, before: undefined }))
    .filter((line) => !line.startsWith('sysctl'));
}
const settings = (value: ReadonlyMap<string, NetlinkObject>) =>
  [...value.values()].flatMap((object) =>
    object.kind === 'sysctl' ? [`${object.key}=${object.value}`] : [],
  );

describe('lower', () => {
  it.each<[string, Partial<NodeIntent>, Partial<Facts>, string[]]>([
    ['a node without subnets has no tunnel', {}, {}, []],
    [
      'an overlay subnet',
      { subnets: { s: overlay } },
      {},
      [
        'ip link add nlvx0 address 02:6e:c0:a8:42:0b mtu 1450 group 28269 type vxlan id 28268 local 192.168.66.11 dstport 4789 nolearning; ip link set nlvx0 addrgenmode none alias "netloom/1" up',
        'ip address replace 10.244.1.0/32 dev nlvx0',
        'ip address replace fd10:244:0:1::/128 dev nlvx0 nodad',
        'ip route replace unreachable 10.244.0.0/16 metric 4278198272 proto 110',
        'ip -6 route replace unreachable fd10:244::/56 metric 4278198272 proto 110',
      ],
    ],
    [
      'a peer with overlay blocks of both families is one neighbour a family and one forwarding entry',
      {
        subnets: { s: { ...overlay, cidrs: [] } },
        self: { a: { ...self, tunnelAddresses: [] } },
        peers: {
          b: {
            origin,
            addresses: ['192.168.66.12', 'fd66::12'],
            blocks: [block('10.244.2.0/24', 'overlay'), block('fd10:244:0:2::/64', 'overlay')],
          },
        },
      },
      {},
      [
        'bridge fdb replace 02:6e:c0:a8:42:0c dev nlvx0 dst 192.168.66.12 self permanent',
        'ip neigh replace 192.168.66.12 lladdr 02:6e:c0:a8:42:0c dev nlvx0 nud permanent',
        'ip neigh replace fe80::6e:c0ff:fea8:420c lladdr 02:6e:c0:a8:42:0c dev nlvx0 nud permanent',
        'ip route replace 10.244.2.0/24 via 192.168.66.12 dev nlvx0 onlink proto 110',
        'ip -6 route replace fd10:244:0:2::/64 via fe80::6e:c0ff:fea8:420c dev nlvx0 proto 110',
        'ip link add nlvx0 address 02:6e:c0:a8:42:0b mtu 1450 group 28269 type vxlan id 28268 local 192.168.66.11 dstport 4789 nolearning; ip link set nlvx0 addrgenmode none alias "netloom/1" up',
      ],
    ],
    [
      'routed blocks go by the underlay',
      {
        peers: {
          b: {
            origin,
            addresses: ['192.168.66.12', 'fd66::12'],
            blocks: [block('10.245.2.0/24', 'routed'), block('fd10:245:0:2::/64', 'routed')],
          },
          c: { origin, addresses: ['fd66::13'], blocks: [block('10.245.3.0/24', 'routed')] },
        },
      },
      {},
      [
        'ip route replace 10.245.2.0/24 via 192.168.66.12 dev eth0 proto 110',
        'ip -6 route replace fd10:245:0:2::/64 via fd66::12 dev eth0 proto 110',
        'ip route replace 10.245.3.0/24 via inet6 fd66::13 dev eth0 proto 110',
      ],
    ],
    [
      'own blocks of a routed Subnet are announced whole, single addresses too, and lead nowhere else',
      {
        subnets: { s: { ...overlay, cidrs: [], mode: 'routed' } },
        self: {
          a: {
            ...self,
            tunnelAddresses: [],
            addresses: ['fd66::11'],
            blocks: [
              { cidr: '10.245.1.0/26', subnet: 's', claim: 'c1' },
              { cidr: '10.245.9.9/32', subnet: 's', claim: 'c2' },
              { cidr: 'fd10:245:0:1::/122', subnet: 's', claim: 'c3' },
              { cidr: '10.244.1.0/26', subnet: 'o', claim: 'c4' },
            ],
          },
        },
      },
      {},
      [
        'ip route replace unreachable 10.245.1.0/26 metric 110 table 110 proto 110',
        'ip route replace unreachable 10.245.1.0/26 metric 4278198272 proto 110',
        'ip route replace unreachable 10.245.9.9/32 metric 110 table 110 proto 110',
        'ip route replace unreachable 10.245.9.9/32 metric 4278198272 proto 110',
        'ip -6 route replace unreachable fd10:245:0:1::/122 metric 110 table 110 proto 110',
        'ip -6 route replace unreachable fd10:245:0:1::/122 metric 4278198272 proto 110',
      ],
    ],
    [
      'addresses of Services are announced by routes whose metric says what is said of them, and stand nowhere else',
      {
        announcements: {
          '10.9.0.1/32': { origin: service, communities: [] },
          '10.9.1.0/24': { origin: { kind: 'Service', name: 't' }, communities: ['65000:1'] },
          'fd09::1/128': { origin: service, communities: [] },
        },
      },
      {},
      [
        `ip route replace unreachable 10.9.0.1/32 metric ${plain} table 110 proto 110`,
        `ip route replace unreachable 10.9.1.0/24 metric ${tagged} table 110 proto 110`,
        `ip -6 route replace unreachable fd09::1/128 metric ${plain} table 110 proto 110`,
      ],
    ],
    [
      'a routed block behind a router goes by the neighbor that speaks BGP, and less gladly than by what BGP teaches',
      {
        bgpNeighbors: {
          tor: bgp,
          far: { ...bgp, address: '203.0.113.1' },
          six: { ...bgp, address: 'fd66::1' },
        },
        peers: {
          b: {
            origin,
            addresses: ['192.168.67.12', 'fd66::12'],
            blocks: [block('10.245.2.0/24', 'routed'), block('fd10:245:0:2::/64', 'routed')],
          },
        },
      },
      {},
      [
        'ip route replace 10.245.2.0/24 via 192.168.66.1 dev eth0 metric 4026531840 proto 110',
        'ip -6 route replace fd10:245:0:2::/64 via fd66::12 dev eth0 proto 110',
      ],
    ],
    [
      'with no router on a network of the node only BGP knows the way',
      {
        bgpNeighbors: {
          far: { ...bgp, address: '203.0.113.1' },
          mesh: { ...bgp, address: '192.168.66.9', mesh: { client: false } },
        },
        peers: { b: { origin, addresses: ['192.168.67.12'], blocks: [block('10.245.2.0/24', 'routed')] } },
      },
      {},
      [],
    ],
    [
      'a crossSubnet block goes plain inside the segment; one without it, and one behind a router, by the tunnel',
      {
        subnets: { s: { ...overlay, cidrs: [] } },
        self: { a: { ...self, tunnelAddresses: [] } },
        peers: {
          b: {
            origin,
            addresses: ['192.168.66.12'],
            blocks: [
              { ...block('10.247.2.0/24', 'overlay'), crossSubnet: true },
              block('10.244.2.0/24', 'overlay'),
            ],
          },
          c: {
            origin,
            addresses: ['192.168.67.13'],
            blocks: [{ ...block('10.247.3.0/24', 'overlay'), crossSubnet: true }],
          },
        },
      },
      {},
      [
        'bridge fdb replace 02:6e:c0:a8:42:0c dev nlvx0 dst 192.168.66.12 self permanent',
        'bridge fdb replace 02:6e:c0:a8:43:0d dev nlvx0 dst 192.168.67.13 self permanent',
        'ip link add nlvx0 address 02:6e:c0:a8:42:0b mtu 1450 group 28269 type vxlan id 28268 local 192.168.66.11 dstport 4789 nolearning; ip link set nlvx0 addrgenmode none alias "netloom/1" up',
        'ip neigh replace 192.168.66.12 lladdr 02:6e:c0:a8:42:0c dev nlvx0 nud permanent',
        'ip neigh replace 192.168.67.13 lladdr 02:6e:c0:a8:43:0d dev nlvx0 nud permanent',
        'ip route replace 10.244.2.0/24 via 192.168.66.12 dev nlvx0 onlink proto 110',
        'ip route replace 10.247.2.0/24 via 192.168.66.12 dev eth0 proto 110',
        'ip route replace 10.247.3.0/24 via 192.168.67.13 dev nlvx0 onlink proto 110',
      ],
    ],
    [
      'a pod',
      {
        endpoints: {
          'c1/eth0': {
            origin,
            device: 'nlp00000000001',
            ifindex: 7,
            mac: '02:00:00:00:00:01',
            addresses: ['10.244.1.5', 'fd10:244:0:1::5'],
            subnet: 's',
            mode: 'overlay',
          },
        },
      },
      {},
      [
        'ip link set nlp00000000001 addrgenmode none group 28268 alias "netloom/1 c1/eth0" up',
        'ip neigh replace 10.244.1.5 lladdr 02:00:00:00:00:01 dev nlp00000000001 nud permanent',
        'ip route replace 10.244.1.5/32 dev nlp00000000001 scope link src 192.168.66.11 proto 110',
        'ip neigh replace fd10:244:0:1::5 lladdr 02:00:00:00:00:01 dev nlp00000000001 nud permanent',
        'ip -6 route replace fd10:244:0:1::5/128 dev nlp00000000001 src fd66::11 proto 110',
      ],
    ],
    [
      'an underlay subnet of a network of the node, whose pods other nodes find on the wire',
      {
        subnets: { s: { ...underlay, cidrs: ['192.168.66.128/25', 'fd66::/64'] } },
        peers: {
          b: { origin, addresses: ['192.168.66.12'], blocks: [block('192.168.66.128/28', 'underlay')] },
        },
        endpoints: {
          'c1/eth0': { ...pod, addresses: ['192.168.66.140', 'fd66::1:5'], subnet: 's', mode: 'underlay' },
        },
      },
      {},
      [
        'ip link set nlp00000000001 addrgenmode none group 28268 alias "netloom/1 c1/eth0" up',
        'ip neigh replace 192.168.66.140 lladdr 02:00:00:00:00:01 dev nlp00000000001 nud permanent',
        'ip route replace 192.168.66.140/32 dev nlp00000000001 scope link src 192.168.66.11 proto 110',
        'ip neigh replace fd66::1:5 lladdr 02:00:00:00:00:01 dev nlp00000000001 nud permanent',
        'ip -6 route replace fd66::1:5/128 dev nlp00000000001 src fd66::11 proto 110',
        'ip neigh add proxy 192.168.66.140 dev eth0 protocol 110',
        'ip neigh add proxy fd66::1:5 dev eth0 protocol 110',
      ],
    ],
    [
      'an underlay subnet of another network on the same wire, with its own way out',
      {
        subnets: {
          s: {
            ...underlay,
            cidrs: ['10.77.0.0/24', 'fd10:77::/64'],
            gateways: ['10.77.0.1', 'fd10:77::1'],
          },
        },
      },
      {},
      [
        'ip route replace 10.77.0.0/24 dev eth0 scope link src 192.168.66.11 proto 110',
        'ip -6 route replace fd10:77::/64 dev eth0 src fd66::11 proto 110',
        `ip route replace 0.0.0.0/0 via 10.77.0.1 dev eth0 onlink table ${table('10.77.0.1')} proto 110`,
        `ip -6 route replace ::/0 via fd10:77::1 dev eth0 onlink table ${table('fd10:77::1')} proto 110`,
        'ip rule add from 10.77.0.0/24 table 254 priority 30110 suppress_prefixlength 0 protocol 110',
        `ip rule add from 10.77.0.0/24 table ${table('10.77.0.1')} priority 30111 protocol 110`,
        'ip -6 rule add from fd10:77::/64 table 254 priority 30110 suppress_prefixlength 0 protocol 110',
        `ip -6 rule add from fd10:77::/64 table ${table('fd10:77::1')} priority 30111 protocol 110`,
      ],
    ],
    [
      'an underlay subnet of the network of another device',
      {
        subnets: { s: { ...underlay, cidrs: ['10.77.0.0/25'] } },
        endpoints: { 'c1/eth0': { ...pod, addresses: ['10.77.0.5'], subnet: 's', mode: 'underlay' } },
      },
      { devices: [eth0, { ...eth0, name: 'eth1', addresses: ['10.77.0.200/24'] }] },
      [
        'ip link set nlp00000000001 addrgenmode none group 28268 alias "netloom/1 c1/eth0" up',
        'ip neigh replace 10.77.0.5 lladdr 02:00:00:00:00:01 dev nlp00000000001 nud permanent',
        'ip route replace 10.77.0.5/32 dev nlp00000000001 scope link src 192.168.66.11 proto 110',
        'ip neigh add proxy 10.77.0.5 dev eth1 protocol 110',
      ],
    ],
    [
      'an IPv6 underlay',
      {
        self: { a: { ...self, addresses: ['fd66::11'], tunnelAddresses: ['10.244.1.0'] } },
        subnets: { s: { ...overlay, cidrs: [] } },
        peers: { b: { origin, addresses: ['fd66::12'], blocks: [block('10.244.2.0/24', 'overlay')] } },
      },
      {},
      [
        `bridge fdb replace ${tunnelMac('fd66::12')} dev nlvx0 dst fd66::12 self permanent`,
        `ip neigh replace ${linkLocalOf(tunnelMac('fd66::12'))} lladdr ${tunnelMac('fd66::12')} dev nlvx0 nud permanent`,
        `ip route replace 10.244.2.0/24 via inet6 ${linkLocalOf(tunnelMac('fd66::12'))} dev nlvx0 src 10.244.1.0 proto 110`,
        `ip link add nlvx0 address ${tunnelMac('fd66::11')} mtu 1430 group 28269 type vxlan id 28268 local fd66::11 dstport 4789 nolearning; ip link set nlvx0 addrgenmode none alias "netloom/1" up`,
        'ip address replace 10.244.1.0/32 dev nlvx0',
      ],
    ],
    [
      'a kernel without IPv6',
      {
        self: { a: { ...self, addresses: ['192.168.66.11'], tunnelAddresses: [] } },
        subnets: { s: { ...overlay, cidrs: [] } },
        peers: { b: { origin, addresses: ['192.168.66.12'], blocks: [block('10.244.2.0/24', 'overlay')] } },
      },
      { ipv6: false },
      [
        'bridge fdb replace 02:6e:c0:a8:42:0c dev nlvx0 dst 192.168.66.12 self permanent',
        'ip neigh replace 192.168.66.12 lladdr 02:6e:c0:a8:42:0c dev nlvx0 nud permanent',
        'ip route replace 10.244.2.0/24 via 192.168.66.12 dev nlvx0 onlink proto 110',
        'ip link add nlvx0 address 02:6e:c0:a8:42:0b mtu 1450 group 28269 type vxlan id 28268 local 192.168.66.11 dstport 4789 nolearning; ip link set nlvx0 addrgenmode none alias "netloom/1" up',
      ],
    ],
  ])('%s', (_, parts, some, expected) => {
    const { value, problems } = lower(intent(parts), { ...facts, ...some });
    expect(problems).toEqual([]);
    expect(lines(value).toSorted()).toEqual(expected.toSorted());
  });

  it('an address that a pod has by itself is announced as a block is, where its Subnet is routed', () => {
    const singles = [
      { cidr: '10.245.9.9/32', subnet: 'plain' },
      { cidr: '10.244.9.9/32', subnet: 's' },
    ];
    const plain = { ...overlay, cidrs: ['10.245.0.0/16'], mode: 'routed' } as const;
    const { value } = lower(
      intent({ self: { a: { ...self, singles } }, subnets: { s: overlay, plain } }),
      facts,
    );
    const told = lines(value).filter((line) => line.includes('9.9/32'));
    expect(told).toEqual([
      'ip route replace unreachable 10.245.9.9/32 metric 110 table 110 proto 110',
      'ip route replace unreachable 10.245.9.9/32 metric 4278198272 proto 110',
    ]);
  });

  it.each<[string, Partial<NodeIntent>, Partial<Facts>, string, string]>([
    [
      'the node has no such address',
      { self: { a: { ...self, addresses: ['192.168.66.99'] } } },
      {},
      'self/a',
      'no device of the node has its address 192.168.66.99',
    ],
    [
      'a routed peer on another network',
      { peers: { b: { origin, addresses: ['192.168.99.1'], blocks: [block('10.245.2.0/24', 'routed')] } } },
      {},
      'peers/b',
      "192.168.99.1 is not on a network of this node, so it can't be the next hop of a routed block",
    ],
    [
      'a peer of the other family',
      {
        subnets: { s: overlay },
        peers: { b: { origin, addresses: ['fd66::12'], blocks: [block('10.244.2.0/24', 'overlay')] } },
      },
      {},
      'peers/b',
      'has no IPv4 underlay address, which the tunnel needs',
    ],
    [
      "a peer with the node's own address",
      {
        subnets: { s: overlay },
        peers: { b: { origin, addresses: ['192.168.66.11'], blocks: [block('10.244.2.0/24', 'overlay')] } },
      },
      {},
      'peers/b',
      "has this node's own underlay address 192.168.66.11",
    ],
    [
      'two peers with one block: the first by name has it',
      {
        peers: {
          b: { origin, addresses: ['192.168.66.12'], blocks: [block('10.245.2.0/24', 'routed')] },
          c: { origin, addresses: ['192.168.66.13'], blocks: [block('10.245.2.0/24', 'routed')] },
        },
      },
      {},
      'peers/c',
      'another entry already has route 10.245.2.0/24 metric 0',
    ],
    [
      'an IPv6 subnet on a kernel without IPv6',
      { self: { a: { ...self, addresses: ['192.168.66.11'] } }, subnets: { s: overlay } },
      { ipv6: false },
      'subnets/s',
      "the node's kernel has IPv6 switched off (ipv6.disable=1)",
    ],
    [
      'a node that can ask nobody on an underlay subnet',
      {
        self: { a: { ...self, addresses: ['fd66::11'] } },
        subnets: { s: { ...underlay, cidrs: ['10.77.0.0/24'] } },
      },
      {},
      'subnets/s',
      'the node has no IPv4 underlay address on a device, which answering ARP for 10.77.0.0/24 needs',
    ],
    [
      'an underlay too small for IPv6',
      { subnets: { s: overlay } },
      { devices: [{ ...eth0, mtu: 1300 }] },
      'self/a',
      "the underlay's MTU leaves 1250 bytes in the tunnel; IPv6 needs 1280",
    ],
  ])('says so when %s', (_, parts, some, entry, reason) => {
    expect(lower(intent(parts), { ...facts, ...some }).problems).toEqual([{ entry, reason }]);
  });

  it('lets the kernel answer for pods at once', () => {
    expect(
      settings(
        lower(intent({ subnets: { s: { ...underlay, cidrs: ['10.77.0.0/24', 'fd66::/64'] } } }), facts).value,
      ),
    ).toEqual(
      expect.arrayContaining([
        'net/ipv4/neigh/eth0/proxy_delay=0',
        'net/ipv6/neigh/eth0/proxy_delay=0',
        'net/ipv6/conf/eth0/proxy_ndp=1',
      ]),
    );
  });

  it('loosens strict filtering and keeps router advertisements where they are used, before forwarding goes on', () => {
    const strict = { ...eth0, reversePath: 1, acceptRouterAdvertisements: 1 };
    expect(settings(lower(intent({}), { ...facts, devices: [strict] }).value)).toEqual([
      'net/ipv4/conf/eth0/rp_filter=2',
      'net/ipv6/conf/eth0/accept_ra=2',
      'net/ipv4/ip_forward=1',
      'net/ipv6/conf/all/forwarding=1',
    ]);
    expect(settings(lower(intent({}), facts).value)).toEqual([
      'net/ipv4/ip_forward=1',
      'net/ipv6/conf/all/forwarding=1',
    ]);
  });
});
