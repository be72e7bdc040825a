/**
 * What the agent and the datapath say to each other over `/run/netloom/datapath.sock` (HTTP/1.1, JSON).
 *
 *     POST /v1/intent      IntentChange       → 200 IntentAnswer, 400 Refusal (not a change), 409 Refusal (a delta that doesn't follow)
 *     GET  /v1/status      ?after=N&wait=S    → 200 DatapathStatus; with `after`, answers once `revision` differs from N or S seconds passed
 *     GET  /v1/endpoints                      → 200 EndpointStatus[]
 *     GET  /v1/problems                       → 200 EngineProblem[]
 *     GET  /v1/audit                          → 200 WouldDrop[], the latest last
 *     GET  /v1/names      ?instance=I&after=N&wait=S → 200 NamesAnswer; waits while `revision` is N in the process `instance`
 *     GET  /v1/policy-counters                → 200 PolicyCount[], of the rules in force on the node
 *     POST /v1/wire                           → 200 WireReport[], found out now
 */
import type { EndpointIntent, Protocol } from './node.ts';
import type { Origin } from './origin.ts';

/** What DNS answers told pods of names that rules of theirs have. */
export type NamesAnswer = {
  /** As of DatapathStatus; `revision` counts its changes. */
  readonly instance: string;
  readonly revision: number;
  /** True: these are all names; false: those that changed since `after`. */
  readonly whole: boolean;
  /** One without any address is forgotten. */
  readonly names: Readonly<Record<string, ToldName>>;
};

export type ToldName = {
  readonly addresses: readonly string[];
  /** Addresses whose time is over, for connections that stand. */
  readonly lapsed: readonly string[];
};

/** An entry that an engine can't hold, or that the datapath itself refuses. */
export type EngineProblem = {
  /** `netlink`, `nftables`, …; `datapath` for its own. */
  readonly engine: string;
  /** `domain/key` of the entry where one is to blame, else the engine's own name for it. */
  readonly entry: string;
  readonly reason: string;
};

/** Sent when every engine holds the change. */
export type IntentAnswer = { readonly generation: number; readonly problems: readonly EngineProblem[] };

/** The body of every answer that is not 2xx. On 409 the agent sends its whole intent (`replace: true`). */
export type Refusal = {
  readonly error: string;
  /** The generation that the datapath holds; 0: none since it started. */
  readonly generation: number;
};

export type BlockUsage = {
  readonly cidr: string;
  readonly subnet: string;
  /** UID of the BlockClaim. */
  readonly claim: string;
  /** Addresses in use by pods and by the node itself. */
  readonly assigned: number;
  /** Freed not long ago: in nobody's use, and not to be given again yet. */
  readonly resting: number;
  /** Can be assigned now. */
  readonly free: number;
};

/** Pods whose ADD can't be answered for want of addresses, by subnet. */
export type SubnetDemand = { readonly subnet: string; readonly waiting: number };

export type EngineStatus = {
  readonly name: string;
  /** The last change that it holds whole. */
  readonly generation: number;
  readonly problems: number;
  /** Why it is behind, if it is. */
  readonly error?: string;
};

/** A session with a BGP neighbor, as FRR sees it. */
export type BGPSession = {
  /** Key in the intent's domain `bgpNeighbors`. */
  readonly neighbor: string;
  readonly address: string;
  /** RFC 4271 §8.2.2: `Idle`, `Connect`, `Active`, `OpenSent`, `OpenConfirm`, `Established`; `Unknown` while FRR doesn't answer. */
  readonly state: string;
  /** RFC 3339; of an established one. */
  readonly since?: string | undefined;
  /** Prefixes accepted and announced. */
  readonly received: number;
  readonly sent: number;
  /** `Up`, `Down`, …; where BFD is asked for. */
  readonly bfd?: string | undefined;
  /** Why it isn't established, as far as FRR says. */
  readonly message?: string | undefined;
};

export type DatapathStatus = {
  readonly node: string;
  /** New with each start: the agent that sees another one sends its whole intent. */
  readonly instance: string;
  readonly wiringVersion: number;
  /** The last change of the agent that was taken; 0: none since the start. */
  readonly generation: number;
  /** Goes up whenever anything in this status changes. */
  readonly revision: number;
  /** Engines hold an intent, and the CNI configuration is in place. */
  readonly ready: boolean;
  readonly blocks: readonly BlockUsage[];
  /** Addresses in use or resting outside of all `blocks`: their block was let go when the datapath wasn't there to object. */
  readonly strays: readonly string[];
  /** Addresses in use outside of all `blocks`, or by claims of their own. */
  readonly held: readonly string[];
  readonly demand: readonly SubnetDemand[];
  /** How many pod interfaces are wired. */
  readonly endpoints: number;
  readonly tunnelAddresses: readonly string[];
  readonly engines: readonly EngineStatus[];
  /** Why Services are not held, if they are not: a sentence. */
  readonly servicesWithheld?: string;
  /** Of underlay Subnets that the node has blocks of; those that nothing was found out about yet are missing. */
  readonly wire: readonly WireReport[];
  /** By key of the neighbor. */
  readonly bgp: readonly BGPSession[];
  /** Virtual addresses that this node answers for. Missing: none. */
  readonly answering?: readonly AnsweredAddress[];
  /** Nodes that this one found dead or silent (`intent/liveness.ts`). Missing: none. */
  readonly absent?: readonly AbsentNode[];
  /** What policies in audit mode would drop: of each the last that there was, another one at most once a minute. Missing: nothing. */
  readonly wouldDrop?: readonly WouldDrop[];
};

export type AnsweredAddress = {
  readonly address: string;
  readonly interfaces: readonly string[];
  /** RFC 3339. */
  readonly since: string;
};

export type AbsentNode = {
  readonly node: string;
  readonly state: 'dead' | 'silent';
  /** RFC 3339. */
  readonly since: string;
  /** Of all nodes that found it this one is to tell the cluster. */
  readonly teller?: true;
};

/** What a rule of a policy decided on this node, once for each of its pods that was an end of it. */
export type PolicyCount = {
  /** The policy, with its rule; without a rule, that it isolates. Absent: no policy speaks of it. */
  readonly policy?: Origin;
  readonly direction?: 'ingress' | 'egress';
  /** `audit`: passed, and would be denied. */
  readonly verdict: 'allow' | 'deny' | 'audit';
  /** First packets since the rule came into force here; one that is sent again is one more. */
  readonly connections: number;
};

/** Connections of one kind that pass only since a policy against them is in audit mode. */
export type WouldDrop = {
  /** The policy, with what in it decides; absent: it was changed before the packet could be told whose it is. */
  readonly policy?: Origin;
  readonly direction: 'ingress' | 'egress';
  /** Whose policy it is: a pod of this node. */
  readonly pod: FlowEnd;
  readonly peer: FlowEnd;
  readonly protocol: Protocol | 'icmp' | 'icmpv6' | `protocol ${number}`;
  /** At the destination, after translation; absent where there is none. */
  readonly port?: number;
  /** Of the last one; RFC 3339. */
  readonly at: string;
  /** How often it was seen. At most 5 packets a second of a class of pods are looked at. */
  readonly times: number;
};

export type FlowEnd = {
  readonly address: string;
  /** `namespace/name` of a pod, `node NAME`; absent: the address is none of these, or it isn't known whose it is. */
  readonly name?: string;
};

/** Whether the physical network carries the addresses of an underlay Subnet, as this node's last probe found. */
export type WireReport = {
  readonly subnet: string;
  readonly family: 4 | 6;
  readonly carried: boolean;
  /** Who answered whom. */
  readonly detail: string;
  /** RFC 3339. */
  readonly at: string;
};

export type EndpointStatus = EndpointIntent & {
  /** `containerID/interface`. */
  readonly key: string;
  readonly containerID: string;
  readonly interface: string;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** RFC 3339. */
  readonly since: string;
};
