/**
 * What must be true on one node, in no engine's words. Plain JSON data: it crosses a socket as it is.
 *
 * Addresses and prefixes are canonical strings (RFC 5952 for IPv6, prefixes with host bits zero).
 * Each domain is a record by key, so that a change is "put these, remove those" and costs what it touches.
 */
import type { BGPNeighborIntent } from './bgp.ts';
import type { AnnouncementIntent, VirtualAddressIntent } from './loadbalancer.ts';
import type { Origin } from './origin.ts';
import type {
  PolicyAddressIntent,
  PolicyDecisionIntent,
  PolicyNamesIntent,
  PolicyPrefixIntent,
  PolicySubjectIntent,
} from './policy.ts';

export type { BGPNeighborIntent, ImportPrefix } from './bgp.ts';

export type NodeIntent = {
  /** Exactly one entry, under the node's own name. */
  readonly self: Readonly<Record<string, SelfIntent>>;
  /** By Subnet name. */
  readonly subnets: Readonly<Record<string, SubnetIntent>>;
  /** By namespace name: which subnet its pods take addresses from. */
  readonly namespaces: Readonly<Record<string, NamespaceIntent>>;
  /** By `namespace/name`: this node's pods that need addresses. One that is not here is not known yet, and gets none. */
  readonly pods: Readonly<Record<string, PodIntent>>;
  /** By node name, all nodes but this one. */
  readonly peers: Readonly<Record<string, PeerIntent>>;
  /** By `namespace/name/port name/family`, with `/nodePort`, `/loadBalancer` or `/external` behind it where it is published. */
  readonly services: Readonly<Record<string, ServiceIntent>>;
  /** By `namespace/name` of the Service. */
  readonly healthChecks: Readonly<Record<string, HealthCheckIntent>>;
  /** By `namespace/name` of a pod of this node: how fast it may receive and send. Without an entry there is no limit. */
  readonly bandwidth: Readonly<Record<string, BandwidthIntent>>;
  /** By BGPNeighbor name, in a mesh by `name/node/family`, or `BGPPeer/namespace/name`: with whom this node speaks BGP. */
  readonly bgpNeighbors: Readonly<Record<string, BGPNeighborIntent>>;
  /** By address: what one of the nodes answers for on their network segment. */
  readonly virtualAddresses: Readonly<Record<string, VirtualAddressIntent>>;
  /** By prefix: what this node announces to routers beside its blocks. */
  readonly announcements: Readonly<Record<string, AnnouncementIntent>>;
  /** By `namespace/name` of a pod of this node that a policy selects. What isn't here no policy restricts. */
  readonly policySubjects: Readonly<Record<string, PolicySubjectIntent>>;
  /** By `CLASS/IDENTITY`, both as decimal numbers. */
  readonly policyDecisions: Readonly<Record<string, PolicyDecisionIntent>>;
  /** By whom the addresses belong to (`pod namespace/name`, `node NAME`, `name example.org`): identities of single addresses. */
  readonly policyAddresses: Readonly<Record<string, PolicyAddressIntent>>;
  /** By prefix: identities of addresses that `policyAddresses` doesn't have. Prefixes never overlap. */
  readonly policyPrefixes: Readonly<Record<string, PolicyPrefixIntent>>;
  /** One entry, under the node's own name, once a pod was told a name that a rule of its has. */
  readonly policyNames: Readonly<Record<string, PolicyNamesIntent>>;
  /** By `containerID/interface`; written by the datapath from its journal, never by the agent. */
  readonly endpoints: Readonly<Record<string, EndpointIntent>>;
};

export type Domain = keyof NodeIntent;

/** `replace` true: the change is the whole intent (of every domain but `endpoints`); false: a delta on what came before. */
export type IntentChange = {
  /** Increases by one with each change of the same agent process. */
  readonly generation: number;
  readonly replace: boolean;
  readonly put: { readonly [D in Domain]?: NodeIntent[D] };
  readonly remove: { readonly [D in Domain]?: readonly string[] };
};

export type SelfIntent = {
  readonly origin: Origin;
  readonly node: string;
  /** UID of the Node object: a node that was deleted and made again is another node. */
  readonly nodeUID: string;
  /** Underlay addresses, at most one a family, IPv4 first. */
  readonly addresses: readonly string[];
  /** Blocks that this node may assign from. */
  readonly blocks: readonly BlockIntent[];
  /** Single addresses that the node claimed for pods of its own: not to assign from, but to be told to routers. Missing: none. */
  readonly singles?: readonly { readonly cidr: string; readonly subnet: string }[];
  /**
   * Addresses out of the node's own overlay blocks, at most one a family: the node's own source towards remote pods,
   * so that such traffic goes and comes back through the tunnel. Never assigned to a pod.
   */
  readonly tunnelAddresses: readonly string[];
  /** Unix time in milliseconds until which the node may assign; past it the datapath refuses ADD (fencing). */
  readonly assignUntil: number;
  /** It is about to go: load balancers are told to send nothing new. */
  readonly leaving?: true | undefined;
  /** Why it may not, where it isn't for want of time: a sentence for the pod that waits. */
  readonly assignRefused?: string | undefined;
};

export type BlockIntent = {
  readonly cidr: string;
  readonly subnet: string;
  /** UID of the BlockClaim: the same CIDR claimed again is another block. */
  readonly claim: string;
  /**
   * Filled in by the datapath: when it got the block, in Unix milliseconds; missing for those of before its start.
   * What the journal lost before that is nothing of this block's.
   */
  readonly since?: number | undefined;
};

/**
 * `overlay`: through the tunnel; `routed`: by the owning node as next hop; `underlay`: on the wire, where each node answers for its
 * own pods.
 */
export type SubnetMode = 'overlay' | 'routed' | 'underlay';

export type SubnetIntent = {
  readonly origin: Origin;
  readonly cidrs: readonly string[];
  /** Those of `cidrs` that were taken out of the Subnet and still have pods: no address is assigned there. Missing: none. */
  readonly retired?: readonly string[];
  readonly mode: SubnetMode;
  /** Pods' connections to addresses outside the cluster take the node's address. */
  readonly masquerade: boolean;
  /** Prefixes outside the cluster that may open connections to this subnet's pods. */
  readonly allowFrom: readonly string[];
  /** Addresses that are never assigned, as prefixes. In mode `underlay` gateways and nodes' own addresses are among them. */
  readonly excluded: readonly string[];
  /** Addresses that are assigned only to a pod that asks for them, as prefixes; missing: none. */
  readonly reserved?: readonly string[];
  /**
   * Prefixes that may open connections to this subnet's pods, its own among them; nodes may besides. Missing: no pod
   * is kept out. A connection is judged by its pod's own address, where the pod is: after translation.
   */
  readonly onlyFrom?: readonly string[];
  /** Mode `underlay`: the way out of pods, at most one a prefix of `cidrs`. */
  readonly gateways?: readonly string[];
  /** Overlay only: between nodes of one L2 segment packets travel without the tunnel. */
  readonly crossSubnet?: true | undefined;
};

export type NamespaceIntent = { readonly subnet: string };

/** Without any of the optional fields: an ordinary pod, with addresses of the Subnet of its namespace. */
export type PodIntent = {
  /** As the runtime says it (K8S_POD_UID): a pod made again is another one. */
  readonly uid: string;
  /** Another Subnet than its namespace's, from whose blocks it takes addresses. */
  readonly subnet?: string;
  /** Addresses that the node claimed for this pod alone, IPv4 first, and the Subnet that they are of. */
  readonly claimed?: { readonly subnet: string; readonly addresses: readonly string[] };
  /** MAC of the pod's end. */
  readonly mac?: string;
  /** Why it gets no addresses now: a sentence for the pod that waits. */
  readonly refused?: string;
};

export type PeerIntent = {
  readonly origin: Origin;
  /** Underlay addresses, at most one a family, IPv4 first. */
  readonly addresses: readonly string[];
  /** The peer's own addresses in its overlay blocks (`SelfIntent.tunnelAddresses`), as it says; missing: none known. */
  readonly tunnelAddresses?: readonly string[];
  readonly blocks: readonly PeerBlock[];
};

export type PeerBlock = {
  readonly cidr: string;
  readonly subnet: string;
  readonly mode: SubnetMode;
  /** As of the Subnet. */
  readonly crossSubnet?: true | undefined;
};

export type Protocol = 'tcp' | 'udp' | 'sctp';

export type ServiceIntent = {
  readonly origin: Origin;
  readonly protocol: Protocol;
  /** Virtual addresses and port, all of one family. */
  readonly frontends: readonly Place[];
  /** Sorted; of the frontends' family. Empty: see `unserved`. */
  readonly backends: readonly Place[];
  /** UDP: backends that end and serve on. Nothing new is sent there; flows in which both ends go on sending stay with them. */
  readonly leaving?: readonly Place[];
  /** ClientIP affinity: seconds a client stays with its backend after its last new connection. */
  readonly affinitySeconds?: number;
  /**
   * Without backends a connection is refused (RST, ICMP port unreachable); with this it is dropped, since other nodes have
   * backends and may be asked next.
   */
  readonly unserved?: 'dropped';
  /**
   * Absent: addresses of the cluster itself, for connections from inside; ports of theirs that nobody serves are refused.
   * Present: the outside connects, too, and other ports of these addresses are none of this entry's business.
   */
  readonly published?: PublishedIntent;
};

/** An address and a port. */
export type Place = { readonly address: string; readonly port: number };

export type PublishedIntent = {
  /**
   * For connections that neither a pod of this node nor the node itself opened: only these backends, with the client's address
   * as it is; none: dropped. Absent: `backends`, and for the client's address the node's own, through which the answer comes.
   */
  readonly localBackends?: readonly Place[];
  /** Prefixes that may connect; absent: all may. Of a family without a prefix nobody may. */
  readonly sources?: readonly string[];
};

/** An HTTP port on this node where a load balancer asks whether the node has endpoints of a Service: 200 with some, 503 without. */
export type HealthCheckIntent = {
  readonly origin: Origin;
  /** Of the node, to listen on. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Ready endpoints on this node. */
  readonly localEndpoints: number;
};

export type BandwidthIntent = {
  /** The pod. */
  readonly origin: Origin;
  /** A pod made again under the same name is another pod. '' where the name must do (mirrors of static pods). */
  readonly uid: string;
  /** To the pod. */
  readonly ingress?: RateIntent;
  /** From the pod. */
  readonly egress?: RateIntent;
};

export type RateIntent = {
  /** What sets it: the pod's annotation, or a QoSPolicy. */
  readonly origin: Origin;
  /** Of whole frames, as tc counts them. */
  readonly bitsPerSecond: number;
  /** Bits that may pass at once; absent: as the engine finds best for the rate. */
  readonly burstBits?: number;
};

export type EndpointIntent = {
  readonly origin: Origin;
  /** Absent where the runtime didn't say it. */
  readonly podUID?: string;
  /** Name of the host end of the pod's veth. */
  readonly device: string;
  /** Its interface index on the node. */
  readonly ifindex: number;
  /** MAC of the pod's end: what the node's permanent neighbour entry holds, so that nothing is ever asked by ARP or NDP. */
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly subnet: string;
  readonly mode: SubnetMode;
};

/** An intent in which nothing must be true. */
export const emptyIntent: NodeIntent = {
  self: {},
  subnets: {},
  namespaces: {},
  pods: {},
  peers: {},
  services: {},
  healthChecks: {},
  bandwidth: {},
  bgpNeighbors: {},
  virtualAddresses: {},
  announcements: {},
  policySubjects: {},
  policyDecisions: {},
  policyAddresses: {},
  policyPrefixes: {},
  policyNames: {},
  endpoints: {},
};
