/** The lab's network as pure data: who has which address, and the iproute2 lines and sysctls that make it so. */
import type { Family } from './config.ts';

/** Every lab is alone in its namespaces, so all use the same addresses. */
export const underlay = {
  ipv4: '192.168.66.0/24',
  ipv6: 'fd66::/64',
} as const;
export const clusterNetwork = {
  pods: { ipv4: '10.244.0.0/16', ipv6: 'fd10:244::/56' },
  /** The router's addresses among them, in a lab whose pods are on the underlay: a second network on the same wire. */
  podGateway: { ipv4: '10.244.0.1', ipv6: 'fd10:244::1' },
  services: { ipv4: '10.96.0.0/16', ipv6: 'fd10:96::/112' },
  kubernetesService: { ipv4: '10.96.0.1', ipv6: 'fd10:96::1' },
  dns: { ipv4: '10.96.0.10', ipv6: 'fd10:96::a' },
  domain: 'cluster.local',
  apiServerPort: 6443,
} as const;

/** L2 segments that a lab may have, each a bridge of the router; the first is `underlay`. */
export const maxSegments = 2;
const segmentNetworks = [underlay, { ipv4: '192.168.67.0/24', ipv6: 'fd67::/64' }] as const;

export const maxNodes = 100;
const firstNodeHost = 11;
const outsideHost = 200;

export type Topology = {
  readonly family: Family;
  /** Of the underlay: bridge, cables and nodes' eth0. */
  readonly mtu: number;
  /** Node names; a node's place in the list gives its address and stays its own while the lab lives. */
  readonly nodes: readonly string[];
  /** L2 segments behind the router, among which the nodes are dealt out; default one. */
  readonly segments?: number | undefined;
};

/** What one machine of the lab needs in its network namespace. */
export type MachineNetwork = {
  /** Lines for `ip -batch`; `@router` stands for the path of the router's namespace. */
  readonly lines: readonly string[];
  /** Lines for the router's `ip -batch`, after the machine's own. */
  readonly routerLines: readonly string[];
  /** Key with slashes (below /proc/sys), value, and another one for kernels that refuse it. */
  readonly sysctls: readonly Sysctl[];
};

export type Sysctl = readonly [key: string, value: string, otherwise?: string];

/**
 * For the lab's machines and its pods. bbr, the default of some kernels, needs a pacing qdisc that veth hasn't got. A namespace may only
 * choose what the host allows (tcp_allowed_congestion_control), but always reno; the host's setting is not ours to change.
 */
export const congestionControl: Sysctl = ['net/ipv4/tcp_congestion_control', 'cubic', 'reno'];

/** For the families of the lab, IPv4 first. */
export function ofFamily<T>(family: Family, value: { readonly ipv4: T; readonly ipv6: T }): T[] {
  return [...(family === 'ipv6' ? [] : [value.ipv4]), ...(family === 'ipv4' ? [] : [value.ipv6])];
}

/** The underlay's prefixes of a segment, from 0. */
export function underlayOf(segment: number): { readonly ipv4: string; readonly ipv6: string } {
  const found = segmentNetworks[segment];
  if (found === undefined) throw new Error(`a lab has no segment ${segment + 1}`);
  return found;
}

/** From 0. */
export function segmentsOf({ segments = 1 }: Topology): number[] {
  return Array.from({ length: segments }, (_, segment) => segment);
}

/** Nodes are dealt out in turn: one that is added later moves nobody. */
export function segmentOf(topology: Topology, node: string): number {
  return index(topology, node) % (topology.segments ?? 1);
}

/** Underlay addresses of a host number, at most one a family, IPv4 first. */
export function addressesOf(family: Family, host: number, segment = 0): string[] {
  const { ipv4, ipv6 } = underlayOf(segment);
  return ofFamily(family, { ipv4: ipv4.replace(/0\/.*/, `${host}`), ipv6: ipv6.replace(/\/.*/, `${host}`) });
}

export const routerAddresses = (family: Family, segment = 0): string[] => addressesOf(family, 1, segment);
export const outsideAddresses = (family: Family): string[] => addressesOf(family, outsideHost);
export const nodeAddresses = (topology: Topology, node: string): string[] =>
  addressesOf(topology.family, firstNodeHost + index(topology, node), segmentOf(topology, node));

/** The router's port to a machine. */
export const portOf = (topology: Topology, machine: string): string =>
  machine === 'outside' ? 'outside' : `port${index(topology, machine)}`;

/** A host beyond the router, so that a pod's way to the Internet can be seen (RFC 5737, RFC 3849). */
export const internetHost = { ipv4: '203.0.113.1', ipv6: '2001:db8:66::1' } as const;
export const internetNetwork = { ipv4: '203.0.113.0/24', ipv6: '2001:db8:66::/48' } as const;

const bridgeOf = (segment: number): string => (segment === 0 ? 'underlay' : `underlay${segment + 1}`);

/** The router: bridge of the underlay, first hop of every machine. */
export function routerNetwork(topology: Topology): MachineNetwork {
  const { family, mtu } = topology;
  return {
    lines: [
      ...segmentsOf(topology).flatMap((segment) => {
        const bridge = bridgeOf(segment);
        const mac = `02:00:00:00:${(0x42 + segment).toString(16)}:01`;
        return [
          `link add ${bridge} address ${mac} mtu ${mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
          ...routerAddresses(family, segment).map((address) => addressLine(address, bridge)),
          `link set ${bridge} up`,
        ];
      }),
      ...ofFamily(family, internetHost).map((address) => `address add ${address} dev lo`),
    ],
    routerLines: [],
    sysctls: [...commonSysctls(family), ...forwarding(family), ...equalPaths(family)],
  };
}

/** Of several next hops a flow takes one by addresses and ports; nobody is told to go past the router, where he would stick to one of them. */
function equalPaths(family: Family): Sysctl[] {
  return [
    ['net/ipv4/fib_multipath_hash_policy', '1'],
    ['net/ipv4/conf/all/send_redirects', '0'],
    ['net/ipv4/conf/default/send_redirects', '0'],
    ...(family === 'ipv4' ? [] : ([['net/ipv6/fib_multipath_hash_policy', '1']] as const)),
  ];
}

/** A node: eth0 on the underlay, default route to the router, forwarding on as kubeadm asks of every node. */
export function nodeNetwork(topology: Topology, node: string): MachineNetwork {
  return hostNetwork(topology, node, firstNodeHost + index(topology, node), forwarding(topology.family));
}

/** A client outside the cluster, on the same underlay. */
export function outsideNetwork(topology: Topology): MachineNetwork {
  return hostNetwork(topology, 'outside', outsideHost, []);
}

function hostNetwork(
  topology: Topology,
  machine: string,
  host: number,
  sysctls: MachineNetwork['sysctls'],
): MachineNetwork {
  const { family, mtu } = topology;
  const port = portOf(topology, machine);
  const segment = machine === 'outside' ? 0 : segmentOf(topology, machine);
  const mac = `02:00:00:00:42:${host.toString(16).padStart(2, '0')}`;
  return {
    lines: [
      `link add eth0 address ${mac} mtu ${mtu} type veth peer name ${port} mtu ${mtu} netns @router`,
      ...addressesOf(family, host, segment).map((address) => addressLine(address, 'eth0')),
      'link set eth0 up',
      ...routerAddresses(family, segment).map((address) => `route add default via ${address} dev eth0`),
    ],
    routerLines: [`link set ${port} master ${bridgeOf(segment)}`, `link set ${port} up`],
    sysctls: [...commonSysctls(family), ...sysctls],
  };
}

/** Without duplicate address detection, which would keep every address tentative for a second. */
function addressLine(address: string, device: string): string {
  return address.includes(':')
    ? `address add ${address}/64 dev ${device} nodad`
    : `address add ${address}/24 dev ${device}`;
}

/** Only keys that each network namespace has for itself: the host's settings stay as they are. */
function commonSysctls(family: Family): Sysctl[] {
  const ipv6Off = family === 'ipv4' ? '1' : '0';
  return [
    congestionControl,
    // On in every new namespace where br_netfilter is there; a lab's switch is a switch.
    ['net/bridge/bridge-nf-call-iptables', '0'],
    ['net/bridge/bridge-nf-call-ip6tables', '0'],
    ['net/bridge/bridge-nf-call-arptables', '0'],
    ['net/ipv6/conf/all/disable_ipv6', ipv6Off],
    ['net/ipv6/conf/default/disable_ipv6', ipv6Off],
    ['net/ipv6/conf/default/accept_ra', '0'],
    // A router can't be told not to send them (RFC 4861 §8).
    ['net/ipv6/conf/default/accept_redirects', '0'],
    ['net/ipv6/conf/default/accept_dad', '0'],
    // A private port range that leaves NodePorts (30000-32767) to the cluster.
    ['net/ipv4/ip_local_port_range', '32768 60999'],
    ['net/ipv4/ping_group_range', '0 2147483647'],
  ];
}

function forwarding(family: Family): Sysctl[] {
  return [
    ['net/ipv4/ip_forward', '1'],
    ...(family === 'ipv4' ? [] : ([['net/ipv6/conf/all/forwarding', '1']] as const)),
  ];
}

function index(topology: Topology, node: string): number {
  const found = topology.nodes.indexOf(node);
  if (found < 0) throw new Error(`the lab has no node ${node}`);
  return found;
}
