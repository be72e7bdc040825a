/**
 * Two nodes with real datapaths on one layer 2 network, with hosts that know nothing of the cluster:
 *
 *     n1 .11 ─┐                    ┌─ n2 .12
 *             br0 ─ the wire ─ br0
 *     outside 192.168.66.1, fd66::1 (the nodes' router) and gw 10.77.0.1, fd10:77::1 (the router of another prefix)
 */
import { closeSync } from 'node:fs';
import { newVeth } from '#engines/netlink/link-messages.ts';
import { type EndpointIntent, emptyIntent, type NodeIntent, type SubnetIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { canonicalAddr } from '#net/addr.ts';
import { openNamespace } from '#system/namespace.ts';
import { openRouteSocket } from '#system/rtnetlink.ts';
import { openTestNode, type TestNode } from './node.ts';

export type Wire = {
  readonly n1: TestNode;
  readonly n2: TestNode;
  /** A script in a host on the wire, which must succeed. */
  outside(script: string): Promise<string>;
  gateway(script: string): Promise<string>;
  /** What the server in a namespace says to one in another: the address that it saw. */
  seen(from: Place, address: string): Promise<string>;
  /** Answers on TCP port 8080 with the asker's address. */
  serve(at: Place): Promise<void>;
  close(): Promise<void>;
};

/** A namespace of a node's sandbox: a pod, `outside` or `gw`; '': the node itself. */
export type Place = readonly [node: TestNode, netns: string];

/** The nodes' own prefix, of which other hosts have most, and one that is only on the wire. */
export const subnets: Readonly<Record<string, SubnetIntent>> = {
  default: subnet('default', 'overlay', ['10.244.0.0/16', 'fd10:244::/56'], {
    masquerade: true,
    allowFrom: [],
  }),
  own: subnet('own', 'underlay', ['192.168.66.0/24', 'fd66::/64'], {
    excluded: ['192.168.66.0/25', '192.168.66.192/26', 'fd66::/112'],
  }),
  other: subnet('other', 'underlay', ['10.77.0.0/24', 'fd10:77::/64'], {
    excluded: ['10.77.0.1/32', 'fd10:77::1/128'],
    gateways: ['10.77.0.1', 'fd10:77::1'],
  }),
  closed: subnet('closed', 'underlay', ['10.78.0.0/24', 'fd10:78::/64'], { allowFrom: [] }),
};

/** Blocks by node and Subnet. */
export const blocks: Readonly<Record<'n1' | 'n2', Readonly<Record<string, readonly string[]>>>> = {
  n1: {
    default: ['10.244.1.0/26', 'fd10:244:0:1::/122'],
    own: ['192.168.66.128/28', 'fd66::1:0/124'],
    other: ['10.77.0.16/28', 'fd10:77::10/124'],
    closed: ['10.78.0.16/28', 'fd10:78::10/124'],
  },
  n2: {
    default: ['10.244.2.0/26', 'fd10:244:0:2::/122'],
    own: ['192.168.66.144/28', 'fd66::1:10/124'],
    other: ['10.77.0.32/28', 'fd10:77::20/124'],
    closed: ['10.78.0.32/28', 'fd10:78::20/124'],
  },
};

const hosts = { n1: 11, n2: 12 } as const;

/** What the agent of a node would hand over; `held` replaces who has which blocks. */
export function wireIntent(name: 'n1' | 'n2', held: typeof blocks = blocks): NodeIntent {
  const other = name === 'n1' ? 'n2' : 'n1';
  const addresses = (node: 'n1' | 'n2') => [`192.168.66.${hosts[node]}`, `fd66::${hosts[node]}`];
  const ofNode = (node: 'n1' | 'n2') =>
    Object.entries(held[node]).flatMap(([subnetName, cidrs]) =>
      cidrs.map((cidr) => ({ cidr, subnet: subnetName, mode: subnets[subnetName]!.mode })),
    );
  return {
    ...emptyIntent,
    self: {
      [name]: {
        origin: { kind: 'Node', name },
        node: name,
        nodeUID: `uid-${name}`,
        addresses: addresses(name),
        blocks: ofNode(name).map(({ cidr, subnet: of }) => ({ cidr, subnet: of, claim: `claim ${cidr}` })),
        tunnelAddresses: [],
        assignUntil: Date.now() + 600_000,
      },
    },
    subnets,
    namespaces: Object.fromEntries(Object.keys(subnets).map((each) => [each, { subnet: each }])),
    peers: {
      [other]: { origin: { kind: 'Node', name: other }, addresses: addresses(other), blocks: ofNode(other) },
    },
    endpoints: {} as Record<string, EndpointIntent>,
  };
}

export async function openWire(): Promise<Wire> {
  const n1 = await openTestNode();
  const n2 = await openTestNode({ name: 'n2', host: 12 });
  const sh = (node: TestNode, script: string, netns?: string) => node.run(['sh', '-ec', script], netns);
  const wire: Wire = {
    n1,
    n2,
    outside: (script) => sh(n1, script, 'outside'),
    gateway: (script) => sh(n1, script, 'gw'),
    async seen([node, netns], address) {
      const target = address.includes(':') ? `TCP6:[${address}]` : `TCP4:${address}`;
      const argv = ['timeout', '8', 'socat', '-t2', '-T3', '-', `${target}:8080,connect-timeout=2`];
      const result = await node.box.exec(argv, { input: 'x\n', ...(netns === '' ? {} : { netns }) });
      const text = result.stdout.trim();
      return text === '' ? 'silence' : (canonicalAddr(text.replaceAll(/[[\]]/g, '')) ?? text);
    },
    async serve([node, netns]) {
      const where = netns === '' ? {} : { netns };
      for (const listen of ['TCP4-LISTEN:8080', 'TCP6-LISTEN:8080,ipv6only=1']) {
        const answer = 'SYSTEM:read x; echo $SOCAT_PEERADDR';
        node.box.spawn(['socat', '-lf', '/dev/null', `${listen},fork,reuseaddr`, answer], where);
      }
      await eventually(async () => {
        const { stdout } = await node.box.exec(['sh', '-c', 'ss -Hltn sport = 8080 | wc -l'], where);
        if (stdout.trim() !== '2') throw new Error(`${netns} does not listen`);
      });
    },
    async close() {
      await Promise.all([n1.close(), n2.close()]);
    },
  };
  try {
    await n1.box.addNamespace('gw');
    join(n1, n2);
    const bridge = (ports: string) =>
      `ip link add br0 type bridge mcast_snooping 0; sysctl -qw net.ipv6.conf.br0.accept_dad=0
       sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 || true
       for port in ${ports}; do ip link set $port master br0 up; done; ip link set br0 up`;
    await sh(n2, `ip addr flush dev eth0; ${bridge('eth0 cross')}`, 'outside');
    await wire.outside(
      `ip addr flush dev eth0; ip link add gw type veth peer name eth0 netns gw; ${bridge('eth0 cross gw')}
       ip addr add 192.168.66.1/24 dev br0; ip addr add fd66::1/64 dev br0 nodad
       ip addr add 192.168.66.200/24 dev br0; ip addr add fd66::200/64 dev br0 nodad preferred_lft 0`.replaceAll(
        'netns gw',
        'netns /run/netns/gw',
      ),
    );
    await wire.gateway(
      `sysctl -qw net.ipv6.conf.eth0.accept_dad=0; ip link set eth0 up
       ip addr add 10.77.0.1/24 dev eth0; ip addr add fd10:77::1/64 dev eth0 nodad
       ip addr add 203.0.113.1/32 dev lo; ip addr add 2001:db8:66::1/128 dev lo nodad
       ip route add 192.168.66.0/24 dev eth0; ip route add fd66::/64 dev eth0`,
    );
    for (const [name, node] of [
      ['n1', n1],
      ['n2', n2],
    ] as const) {
      await node.start({ intent: false });
      await node.intend(wireIntent(name));
    }
    for (const place of [
      [n1, 'outside'],
      [n1, 'gw'],
      [n1, ''],
      [n2, ''],
    ] as const)
      await wire.serve(place);
    return wire;
  } catch (error) {
    await wire.close();
    throw error;
  }
}

/** A cable between the outsides of two sandboxes. */
function join(a: TestNode, b: TestNode): void {
  const path = (node: TestNode) => `/proc/${node.box.pid}/root/run/netns/outside`;
  const far = openNamespace(path(b));
  const socket = openRouteSocket(path(a));
  try {
    const end = (mac: string) => ({ name: 'cross', mac });
    socket.one(newVeth(end('02:00:00:00:77:01'), end('02:00:00:00:77:02'), 1500, far));
  } finally {
    socket.close();
    closeSync(far);
  }
}

function subnet(
  name: string,
  mode: SubnetIntent['mode'],
  cidrs: readonly string[],
  some: Partial<SubnetIntent> = {},
): SubnetIntent {
  const origin = { kind: 'Subnet', name };
  return { origin, cidrs, mode, masquerade: false, allowFrom: ['0.0.0.0/0', '::/0'], excluded: [], ...some };
}
