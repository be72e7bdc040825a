/** What the policies of a cluster are judged over. */

import type { Origin } from '#intent/origin.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyDirection, PolicyModel, PolicyProtocol, PolicyTier } from '#model/policy.ts';

export type PolicySnapshot = {
  /** By `PolicyModel.key`. */
  readonly policies: ReadonlyMap<string, PolicyModel>;
  /** By `namespace/name`. */
  readonly pods: ReadonlyMap<string, PodModel>;
  readonly namespaces: ReadonlyMap<string, NamespaceModel>;
  readonly nodes: ReadonlyMap<string, NodeModel>;
  /** Addresses of nodes in their overlay blocks, by node: what comes from another node through the tunnel carries them. */
  readonly tunnelAddresses?: ReadonlyMap<string, readonly string[]>;
  /** Addresses on the devices of nodes, by node, as far as they are known: each node knows its own. */
  readonly localAddresses?: ReadonlyMap<string, readonly string[]>;
  /** CIDRs of pod Subnets, by Subnet: an address in them that is nobody's is a pod that we didn't hear of. */
  readonly podPrefixes?: ReadonlyMap<string, readonly string[]>;
  /** Addresses that pods were told, by name (lower case, without the dot at the end). */
  readonly names?: ReadonlyMap<string, ReadonlySet<string>>;
};

/** One end of a connection. A node is an end by its address. */
export type PolicyEnd =
  | { readonly kind: 'pod'; readonly key: string }
  | { readonly kind: 'address'; readonly address: string };

/** A new connection as policy sees it: after translation. */
export type PolicyFlow = {
  readonly from: PolicyEnd;
  readonly to: PolicyEnd;
  /** `other`: any protocol besides the three, which has no ports. */
  readonly protocol: PolicyProtocol | 'other';
  readonly port: number;
  readonly family: 4 | 6;
  /** A pod that reached itself through a Service. Without it, from and to the same pod, the packet never leaves the pod: allowed. */
  readonly hairpin?: true;
};

/** One thing that was asked on the way to a verdict. */
export type PolicyStep = {
  readonly tier: PolicyTier;
  /** `PolicyModel.key`. */
  readonly policy: string;
  /** `PolicyRule.field`; absent: the policy as a whole (it isolates, or none of its rules matched). */
  readonly rule?: string;
  readonly outcome: 'accept' | 'deny' | 'pass' | 'no match' | 'isolates';
  /** For people, for example `peer is not in its namespaces`, `port 80 is not among tcp/443`. */
  readonly because: string;
};

export type Judgement = {
  readonly direction: PolicyDirection;
  /** `audit`: would be denied if it weren't for audit mode. */
  readonly verdict: 'allow' | 'deny' | 'audit';
  /** Of the policy and rule that decided; absent: no policy did. */
  readonly origin?: Origin;
  readonly steps: readonly PolicyStep[];
};
