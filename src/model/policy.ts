/** One form for policies of every kind: NetworkPolicy, AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy. */
import type { LabelSelector } from '#api/object.ts';
import type { Origin } from '#intent/origin.ts';
import type { Prefix } from '#net/prefix.ts';

/** In the order in which they are asked. `network` has no order inside: what any rule allows is allowed. */
export type PolicyTier = 'admin' | 'network' | 'baseline';

export type PolicyDirection = 'ingress' | 'egress';

export type PolicyModel = {
  readonly origin: Origin;
  /** `Kind/name` or `Kind/namespace/name`. */
  readonly key: string;
  readonly tier: PolicyTier;
  /** Lower first, in tiers `admin` and `baseline`; of a BaselineAdminNetworkPolicy more than any priority can be. 0 for a NetworkPolicy. */
  readonly priority: number;
  /** Only tells what it would drop (annotation netloom.dev/audit: "true" on the policy, or on the namespace of a NetworkPolicy). */
  readonly audit: boolean;
  readonly subject: PodsSelector;
  /**
   * In order. Absent: the policy says nothing of this direction. Of a NetworkPolicy, present means that its subjects are isolated in this
   * direction, and every rule is an `accept`.
   */
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
};

/** Pods that have an address of their own (none with hostNetwork, none that ended). Both selectors must take the pod. */
export type PodsSelector = {
  /** A selector of namespaces, or the name of one. */
  readonly namespaces: LabelSelector | string;
  /** Absent: every pod of these namespaces. */
  readonly pods?: LabelSelector;
};

export type PolicyAction = 'accept' | 'deny' | 'pass';

export type PolicyRule = {
  /** Where it stands in the object, for people: `spec.ingress[0]`; with its name, `spec.ingress[0] (allow-dns)`. */
  readonly field: string;
  readonly action: PolicyAction;
  /** Absent: every peer, pods, nodes and the world. Empty: none (nothing of what was written could be used, and it accepts). */
  readonly peers?: readonly PolicyPeer[];
  /** Absent: every protocol and port. Empty: none. */
  readonly ports?: readonly PolicyPort[];
};

export type PolicyPeer =
  | { readonly kind: 'pods'; readonly select: PodsSelector }
  /** By the address in the packet, which may be a pod's or a node's. */
  | { readonly kind: 'cidr'; readonly prefix: Prefix; readonly except: readonly Prefix[] }
  /** By any address of a node. Egress only. */
  | { readonly kind: 'nodes'; readonly select: LabelSelector }
  /** Addresses that pods were told for a name: `example.org`, or `*.example.org` for one or more labels before it. Egress, `accept` only. */
  | { readonly kind: 'name'; readonly pattern: string }
  /** A peer of a kind that this release doesn't know: taken for everybody where the rule denies or passes; never stands in an `accept`. */
  | { readonly kind: 'everybody' };

export type PolicyProtocol = 'tcp' | 'udp' | 'sctp';

export type PolicyPort =
  /** Ports `first` to `last` of the protocol, at the destination and after translation. 0 to 65535: the whole protocol. */
  | { readonly protocol: PolicyProtocol; readonly first: number; readonly last: number }
  /** The destination pod's container port of this name; `protocol` absent: of any protocol. */
  | { readonly name: string; readonly protocol?: PolicyProtocol };
