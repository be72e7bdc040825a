/**
 * The registry: every mark bit, hook priority, name, number, port and path that Netloom puts on a machine, each with its reason.
 *
 * Nothing else in the code base may spell one of these by hand; docs/registry.md is printed from here.
 */

/** One registered value: what it is and why it is that. */
export type Entry<V> = { readonly value: V; readonly reason: string };

const entry = <const V>(value: V, reason: string): Entry<V> => ({ value, reason });

/**
 * Packet mark bits. Netloom needs no packet mark today; the row is kept free so that nobody else's bits are ever touched.
 * Foreign owners are listed so that a new use can be checked against them.
 */
export const packetMarks = {
  netloom: entry(0x00ff_0000, 'reserved for Netloom; clear of every known owner below; not written yet'),
  kubeletMasquerade: entry(0x4000, 'kubelet/kube-proxy KUBE-MARK-MASQ; left as found'),
  kubeletDrop: entry(0x8000, 'kubelet KUBE-MARK-DROP; left as found'),
  portmap: entry(0x2000, 'CNI portmap plugin: masquerade for hostPort; left as found'),
} as const;

/** Connection mark bits. */
export const connectionMarks = {
  netloom: entry(0x00ff_0000, 'reserved for Netloom; written with a mask, so that every other bit stays'),
  policyDenied: entry(
    0x0080_0000,
    'of these: a connection that policy forbids since it began; set and cleared by the datapath, dropped by the filter',
  ),
} as const;

/**
 * nftables base chain priorities, in the order a packet meets them.
 * Invariant: validation < translation (dstnat -100) < policy (filter 0) < source NAT (srcnat 100).
 */
export const hookPriorities = {
  guard: entry(
    -290,
    'after conntrack defragmentation (-400) and raw (-300), so that inner headers are whole; before conntrack (-200), which has no use for outer ones and must not see a forged source',
  ),
  routedGuard: entry(
    -150,
    'after conntrack (-200): needs ct state; before any translation, so the sender is still visible',
  ),
  serviceDnat: entry(-100, 'dstnat: Service translation in prerouting'),
  serviceOutputDnat: entry(-100, 'dstnat in output: Services reached from the node itself'),
  filter: entry(0, 'filter: what may pass, policy too: after translation'),
  masquerade: entry(100, 'srcnat: leaving pods take the node address, hairpin connections too'),
  dnsAnswers: entry(150, 'after srcnat: an answer to a pod as the pod gets it'),
  neighbourAnswers: entry(
    -10,
    "netdev ingress, before others' filters (0): questions for virtual addresses are answered, nothing else is looked at",
  ),
} as const;

/** nftables names. One table, own chains only. */
export const nft = {
  table: entry('netloom', 'the only name of a table that Netloom owns'),
  family: entry('inet', 'one set of chains for both families'),
  linkFamily: entry(
    'netdev',
    'a table of the same name: what answers ARP and NDP for virtual addresses, while this node has any',
  ),
} as const;

/** Groups of nfnetlink_log: who listens to one is sent what nftables logs to it; without a listener it is lost. */
export const nflogGroups = {
  policyAudit: entry(
    0x6e6c,
    'new connections that pass only since the policy against them is in audit mode ("nl")',
  ),
  dnsAnswers: entry(
    0x6e6d,
    'DNS answers to pods that policies allow names; the datapath sends them on when what they tell is held ("nm")',
  ),
} as const;

/** Links. Linux limits a name to 15 bytes. */
export const links = {
  podPrefix: entry(
    'nlp',
    'host end of a pod veth: nlp + 11 hex digits of a hash of container ID and interface',
  ),
  ifbPrefix: entry(
    'nlq',
    "intermediate device in which a limited pod's outgoing packets wait: nlq + the same digits as its pod device",
  ),
  tunnel: entry('nlvx0', 'the one VXLAN device of a node, for every overlay subnet'),
  podMac: entry(
    'ee:ee:ee:ee:ee:ee',
    'MAC of every host end: a pod keeps one permanent neighbour whatever node it is on',
  ),
} as const;

/** Link groups (`ip link show group N`): a number to compare where a name would be 16 bytes. Adjacent, so that both are one range. */
export const linkGroups = {
  pods: entry(28_268, 'node ends of pod veths (0x6e6c, "nl")'),
  tunnel: entry(28_269, 'the VXLAN device'),
} as const;

/** Queueing disciplines and their filters (tc(8)), on devices of limited pods only. */
export const qdiscs = {
  shaperHandle: entry(
    0x6e6c,
    'major number ("nl") of our token bucket filters: tells them from those of others (the bandwidth plugin: 1)',
  ),
  redirectPriority: entry(
    0x6e6c,
    'preference of the filter that leads outgoing packets to the ifb: behind those of others on the same device',
  ),
} as const;

/** Link-local next hops inside a pod. */
export const gateway = {
  ipv4: entry('169.254.1.1', "a pod's IPv4 next hop; answered by a permanent neighbour entry, never by ARP"),
  ipv6: entry('fe80::1', "a pod's IPv6 next hop; answered by a permanent neighbour entry, never by NDP"),
} as const;

/** Routing. */
export const routes = {
  protocol: entry(110, 'rtnetlink protocol of every route that Netloom owns (`ip route show proto 110`)'),
  table: entry(254, 'the main table: what a node operator looks at first'),
  gatewayTables: entry(
    0x6e00_0000,
    'first of the tables with the default route of an underlay gateway ("n"); one each, by a hash of 24 bits',
  ),
  knownRulePriority: entry(
    30_110,
    'underlay pods with a gateway: what the main table knows by more than its default route; before main (32766)',
  ),
  gatewayRulePriority: entry(30_111, 'underlay pods with a gateway: the rest goes there'),
  unreachableMetric: entry(
    4_278_198_272,
    'subnet-wide unreachable routes lose against any other route; FRR reads the high byte as distance 255: never used',
  ),
  routerMetric: entry(
    4_026_531_840,
    'blocks behind a router lose against routes learnt by BGP; FRR reads the high byte as distance 240',
  ),
  announcedTable: entry(
    110,
    'what this node announces by BGP, one route a block or a Service address: FRR redistributes the table (`ip route show table 110`)',
  ),
  blockMetric: entry(
    110,
    'of announced blocks in that table: below all numbers of classes of announced Service addresses',
  ),
  blockTag: entry(110, "tag of announced blocks inside FRR's BGP; never leaves the node"),
  serviceTag: entry(111, "tag of announced Service addresses inside FRR's BGP; never leaves the node"),
} as const;

/** UDP and TCP ports on a node. */
export const ports = {
  vxlan: entry(4789, 'IANA VXLAN (RFC 7348)'),
  bgp: entry(179, 'BGP (RFC 4271): FRR listens while the node has a BGPNeighbor'),
  bfd: entry(3784, 'BFD (RFC 5881): bfdd listens while the node has a BGPNeighbor'),
  bfdMultiHop: entry(4784, 'BFD over more than one hop (RFC 5883)'),
  detector: entry(
    9473,
    'UDP: the datapaths of nodes tell each other who is dead; from the addresses of nodes only, never from pods',
  ),
  serviceHealth: entry(
    10_256,
    "kube-proxy's own: load balancers ask /healthz whether to send new connections to this node (KEP-3836)",
  ),
  agentMetrics: entry(9470, 'agent: /metrics, /healthz, /readyz'),
  datapathMetrics: entry(9471, 'datapath: /metrics, /healthz, /readyz'),
  controllerMetrics: entry(9472, 'controller: /metrics, /healthz, /readyz'),
  gatewayFeed: entry(
    9474,
    "a gateway's pod: the controller says here what to hold, by TLS with the instance's own key",
  ),
  gatewayMetrics: entry(9475, "a gateway's pod: /metrics, /healthz, /readyz"),
} as const;

/**
 * Listening sockets of a gateway's pod, by kind: `base + slot`, open from the start, so that a new port needs no reload. The instance's
 * Service maps ports to them. Those that expect a PROXY header are `gatewayProxyOffset` higher.
 */
export const gatewaySlots = {
  http: entry({ base: 10_000, count: 32 }, 'HTTP/1.1 and h2c'),
  https: entry({ base: 10_100, count: 32 }, 'TLS that ends at nginx'),
  tls: entry(
    { base: 10_200, count: 16 },
    'ports whose listeners differ by server name: some pass TLS through',
  ),
  tcp: entry({ base: 10_300, count: 64 }, 'TCP listeners'),
  udp: entry({ base: 10_400, count: 64 }, 'UDP listeners'),
} as const;

/** Other numbers. */
export const numbers = {
  vni: entry(0x6e6c, 'VXLAN network identifier of the cluster ("nl")'),
  vxlanOverhead4: entry(50, 'bytes: outer Ethernet 14 + IPv4 20 + UDP 8 + VXLAN 8'),
  vxlanOverhead6: entry(70, 'bytes: outer Ethernet 14 + IPv6 40 + UDP 8 + VXLAN 8'),
  gatewayProxyOffset: entry(
    1000,
    'added to the ports of a gateway: the same sockets once more, for clients that send a PROXY header',
  ),
  addressRestSeconds: entry(30, 'a freed address rests: longer than any node needs to hear of it'),
  wiringVersion: entry(
    1,
    'layout of veths, tables and files; kept in the alias of each link and in each file',
  ),
} as const;

/** Files and sockets on a node. */
export const paths = {
  runDirectory: entry('/run/netloom', 'sockets; gone after a reboot, like everything they speak of'),
  gatewayDirectory: entry(
    '/run/netloom-gateway',
    "a gateway's pod: sockets between its two containers, what nginx holds, as a file, and its temporary files",
  ),
  cniSocket: entry('/run/netloom/cni.sock', 'the CNI executable speaks to the datapath here'),
  nftLink: entry(
    '/run/netloom/netloom-nft',
    'link to nft: the kernel notes this name with each transaction, which tells our changes from foreign ones',
  ),
  frrDirectory: entry(
    '/run/netloom/frr',
    "FRR's configuration and sockets while the node has a BGPNeighbor; the container frr runs what is configured here",
  ),
  learntNames: entry(
    '/run/netloom/names.json',
    'which addresses pods were told for names that policies allow',
  ),
  absentNodes: entry(
    '/run/netloom/absent-nodes.json',
    'which nodes the datapath found dead or silent, and until when a planned restart is over: for its next process',
  ),
  datapathSocket: entry('/run/netloom/datapath.sock', 'the agent hands intents to the datapath here'),
  stateDirectory: entry('/var/lib/netloom', 'the address journal; survives a reboot'),
  journal: entry('/var/lib/netloom/addresses.journal', 'which address belongs to which pod interface'),
  cniBinDirectory: entry('/opt/cni/bin', 'where kubelets look for CNI executables'),
  cniBinary: entry('/opt/cni/bin/netloom', 'the CNI executable'),
  cniConfigDirectory: entry('/etc/cni/net.d', 'where runtimes look for a network configuration'),
  cniConfig: entry(
    '/etc/cni/net.d/10-netloom.conflist',
    'written last and atomically: its presence means "ready"',
  ),
} as const;
