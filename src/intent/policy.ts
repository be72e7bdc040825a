/** What a node must hold of policy: classes of its pods, identities of their peers, and what a class does with an identity. */
import type { Protocol } from './node.ts';
import type { Origin } from './origin.ts';

/**
 * Policy of a node: each new connection of a pod of it is judged by the pod's class in that direction and the peer's identity. Both are
 * numbers of this node's own, good for as long as the agent that gave them runs.
 */
export type PolicySubjectIntent = {
  /** The pod. */
  readonly origin: Origin;
  /** As of PodIntent; a pod made again under the same name is another pod. */
  readonly uid: string;
  /** Absent: not restricted in this direction. 1 to 4095; a class is of one direction. */
  readonly ingress?: number;
  readonly egress?: number;
  /**
   * Names that rules for its egress accept (`example.org`, `*.example.org`; sorted): what it is told of them is learnt before it is told.
   * Absent: none.
   */
  readonly names?: readonly string[];
};

/** What the intent has of the names that the datapath learnt. */
export type PolicyNamesIntent = {
  /** As of `NamesAnswer`: `policyAddresses` has what was learnt up to there. */
  readonly instance: string;
  readonly revision: number;
  /**
   * By address: names under which pods were told it, until its time was over. New connections to it are judged without them;
   * those that stand are left alone where the pod still has a rule with such a name.
   */
  readonly lapsed: Readonly<Record<string, readonly string[]>>;
};

/**
 * Identities that every node has; others are from 16 to 1048575. For what a packet's peer is: the pod itself (through a Service), else
 * an address of `policyAddresses`, else a prefix of `policyPrefixes`, else an address in a pod Subnet, else any other.
 */
export const policyIdentities = {
  /** An address of which nothing is known, and nothing needs to be: also every identity without a decision of its own in a class. */
  other: 0,
  /** An address in a pod Subnet that is no known pod's: its pod is so new that this node didn't hear of it. */
  unknownPod: 1,
  /** The pod itself. */
  itself: 2,
} as const;

/** What a class does with connections from (ingress) or to (egress) one identity. */
export type PolicyDecisionIntent = {
  /** Of the class, for the sake of who reads what was counted. Absent: not said. */
  readonly direction?: 'ingress' | 'egress';
  /**
   * The whole of each protocol, without overlaps, sorted by protocol (tcp, udp, sctp, other) and port. `other`: any protocol besides the
   * three, always one row.
   */
  readonly rows: readonly PolicyRowIntent[];
};

export type PolicyRowIntent = {
  readonly protocol: Protocol | 'other';
  /** Destination ports after translation; 0 to 65535 is the whole protocol. */
  readonly first: number;
  readonly last: number;
  /** `audit`: passes, and is told of, since a policy in audit mode would drop it. */
  readonly verdict: 'allow' | 'deny' | 'audit';
  /** What decided, with its rule; absent: nothing did, so it is allowed. */
  readonly origin?: Origin;
};

/** Canonical address → identity. An address stands in one entry only. */
export type PolicyAddressIntent = { readonly identities: Readonly<Record<string, number>> };

export type PolicyPrefixIntent = { readonly identity: number };
