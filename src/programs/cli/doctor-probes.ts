/** What Netloom needs of a machine, as data: how to find out, and how to mend it. */

export type Probe = {
  readonly name: string;
  readonly mend: string;
  /** Missing it hinders the lab only. */
  readonly for?: 'lab';
} & (
  | { readonly kind: 'nft'; readonly ruleset: string }
  | { readonly kind: 'ip'; readonly lines: string }
  | { readonly kind: 'shell'; readonly script: string }
);

const kernel = (options: string) => `a kernel with ${options}`;
const rules = (chain: string, more = '') => `table inet doctor {
${more}
chain c { ${chain}
}
}
`;

/** Each is tried in a throw-away set of namespaces, with the node image's own nft and ip. */
export const kernelProbes: readonly Probe[] = [
  {
    kind: 'ip',
    name: 'network namespaces and veth',
    lines: 'link add dr0 type veth peer name dr1',
    mend: kernel('CONFIG_NET_NS, CONFIG_VETH'),
  },
  {
    kind: 'ip',
    name: 'bridge',
    lines: 'link add dr0 type bridge',
    mend: kernel('CONFIG_BRIDGE'),
    for: 'lab',
  },
  {
    kind: 'ip',
    name: 'VXLAN with external control',
    lines: 'link add dr0 type vxlan external dstport 4789 nolearning',
    mend: kernel('CONFIG_VXLAN'),
  },
  {
    kind: 'shell',
    name: 'limits of pods: tbf, ifb, redirection',
    script: `ip link add dr0 type ifb && tc qdisc add dev dr0 root tbf rate 1mbit burst 20000 limit 90000 &&
tc qdisc add dev dr0 clsact &&
tc filter add dev dr0 ingress protocol all u32 match u32 0 0 action mirred egress redirect dev dr0`,
    mend: kernel(
      'CONFIG_IFB, CONFIG_NET_SCH_TBF, CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_U32, CONFIG_NET_ACT_MIRRED',
    ),
  },
  {
    kind: 'ip',
    name: 'IPv6',
    lines: 'address add fd00::1/64 dev lo',
    mend: 'IPv6 in the kernel: no ipv6.disable=1 on its command line',
  },
  {
    kind: 'nft',
    name: 'nftables, family inet',
    ruleset: rules('type filter hook forward priority 0; ct state established accept'),
    mend: kernel('CONFIG_NF_TABLES_INET, CONFIG_NFT_CT'),
  },
  {
    kind: 'nft',
    name: 'maps with concatenated keys',
    ruleset: rules(
      'meta l4proto tcp',
      'map m { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }',
    ),
    mend: kernel('CONFIG_NF_TABLES, 5.6 or later'),
  },
  {
    kind: 'nft',
    name: 'sets with concatenated ranges',
    ruleset: rules(
      'meta l4proto tcp',
      'set s { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90 } }',
    ),
    mend: kernel('nftables 5.6 or later'),
  },
  {
    kind: 'nft',
    name: 'dynamic sets with timeout',
    ruleset: rules(
      'type filter hook input priority 0; update @s { ip saddr . tcp dport timeout 5s }',
      'set s { type ipv4_addr . inet_service; flags dynamic,timeout; size 1024; }',
    ),
    mend: kernel('CONFIG_NFT_SET_HASH (part of CONFIG_NF_TABLES)'),
  },
  {
    kind: 'nft',
    name: 'numgen',
    ruleset: rules('meta mark set numgen random mod 16'),
    mend: kernel('CONFIG_NFT_NUMGEN'),
  },
  {
    kind: 'nft',
    name: 'fib',
    ruleset: rules('type filter hook prerouting priority 0; fib daddr type local accept'),
    mend: kernel('CONFIG_NFT_FIB_INET'),
  },
  {
    kind: 'nft',
    name: 'raw payload match',
    ruleset: rules('type filter hook input priority 0; udp dport 4789 @th,96,32 0x1 accept'),
    mend: kernel('CONFIG_NF_TABLES'),
  },
  {
    kind: 'nft',
    name: 'masquerade',
    ruleset: rules('type nat hook postrouting priority 100; masquerade'),
    mend: kernel('CONFIG_NFT_MASQ, CONFIG_NF_NAT'),
  },
  {
    kind: 'nft',
    name: 'destination NAT by map',
    ruleset: rules(
      'type nat hook prerouting priority -100; dnat ip to ip daddr . tcp dport map @m',
      'map m { type ipv4_addr . inet_service : ipv4_addr . inet_service; }',
    ),
    mend: kernel('CONFIG_NFT_NAT'),
  },
  {
    kind: 'nft',
    name: 'reject',
    ruleset: rules('type filter hook forward priority 0; meta l4proto tcp reject with tcp reset'),
    mend: kernel('CONFIG_NFT_REJECT_INET'),
  },
  {
    kind: 'nft',
    name: 'connection tracking zones and marks',
    ruleset: rules('type filter hook prerouting priority -200; ct mark set 0x1'),
    mend: kernel('CONFIG_NF_CONNTRACK_MARK'),
  },
  {
    kind: 'shell',
    name: 'cgroup2',
    script: 'test -e /sys/fs/cgroup/cgroup.controllers',
    mend: kernel('CONFIG_CGROUPS (cgroup v2)'),
  },
  {
    kind: 'shell',
    name: 'overlayfs',
    script: 'grep -q "^netloom / overlay" /proc/mounts',
    mend: kernel('CONFIG_OVERLAY_FS'),
    for: 'lab',
  },
  {
    kind: 'shell',
    name: 'TUN devices',
    script: 'test -c /dev/net/tun && ip tuntap add dr0 mode tun',
    mend: kernel('CONFIG_TUN'),
    for: 'lab',
  },
];

/** The oldest kernel that is supported. */
export const kernelFloor = [5, 15] as const;

/** Whether a release text (`uname -r`) is at or above the floor. */
export function kernelSuffices(release: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  return major > kernelFloor[0] || (major === kernelFloor[0] && minor >= kernelFloor[1]);
}
