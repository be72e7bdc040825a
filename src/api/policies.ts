/** The kinds of network policy: networking.k8s.io's, and those of the Network Policy API of SIG Network. */
import type { KubeObject, LabelSelector, ResourceType } from './object.ts';

/** Without a spec it takes every pod of its namespace. */
export type NetworkPolicy = KubeObject & { readonly spec?: NetworkPolicySpec };

export type NetworkPolicySpec = {
  readonly podSelector?: LabelSelector;
  readonly policyTypes?: readonly ('Ingress' | 'Egress')[];
  readonly ingress?: readonly {
    readonly from?: readonly NetworkPolicyPeer[];
    readonly ports?: readonly NetworkPolicyPort[];
  }[];
  readonly egress?: readonly {
    readonly to?: readonly NetworkPolicyPeer[];
    readonly ports?: readonly NetworkPolicyPort[];
  }[];
};

export type NetworkPolicyPeer = {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
};

export type NetworkPolicyPort = {
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  readonly port?: number | string;
  readonly endPort?: number;
};

export type AdminNetworkPolicy = KubeObject & {
  readonly spec: AdminRules<'Allow' | 'Deny' | 'Pass'> & { readonly priority: number };
};

export type BaselineAdminNetworkPolicy = KubeObject & { readonly spec: AdminRules<'Allow' | 'Deny'> };

export type AdminRules<Action extends string> = {
  readonly subject: AdminSubject;
  readonly ingress?: readonly {
    readonly name?: string;
    readonly action: Action;
    readonly from: readonly AdminSubject[];
    readonly ports?: readonly AdminPort[];
  }[];
  readonly egress?: readonly {
    readonly name?: string;
    readonly action: Action;
    readonly to: readonly AdminEgressPeer[];
    readonly ports?: readonly AdminPort[];
  }[];
};

/** One of its fields; also what may stand in `from`. */
export type AdminSubject = {
  readonly namespaces?: LabelSelector;
  /** In v1alpha1 both selectors are required; in v1alpha2 a missing namespaceSelector takes every namespace. */
  readonly pods?: { readonly namespaceSelector?: LabelSelector; readonly podSelector: LabelSelector };
};

/** One of its fields. */
export type AdminEgressPeer = AdminSubject & {
  readonly networks?: readonly string[];
  readonly nodes?: LabelSelector;
  readonly domainNames?: readonly string[];
};

/** One of its fields. */
export type AdminPort = {
  readonly portNumber?: { readonly protocol?: string; readonly port: number };
  readonly portRange?: { readonly protocol?: string; readonly start: number; readonly end: number };
  readonly namedPort?: string;
};

export type ClusterNetworkPolicy = KubeObject & {
  readonly spec: {
    readonly tier: 'Admin' | 'Baseline';
    readonly priority: number;
    readonly subject: AdminSubject;
    readonly ingress?: readonly {
      readonly name?: string;
      readonly action: 'Accept' | 'Deny' | 'Pass';
      readonly from: readonly AdminSubject[];
      readonly protocols?: readonly ClusterProtocol[];
    }[];
    readonly egress?: readonly {
      readonly name?: string;
      readonly action: 'Accept' | 'Deny' | 'Pass';
      readonly to: readonly AdminEgressPeer[];
      readonly protocols?: readonly ClusterProtocol[];
    }[];
  };
};

/** One of its fields. Without a destinationPort, the whole protocol. */
export type ClusterProtocol = {
  readonly tcp?: { readonly destinationPort?: ClusterPort };
  readonly udp?: { readonly destinationPort?: ClusterPort };
  readonly sctp?: { readonly destinationPort?: ClusterPort };
  readonly destinationNamedPort?: string;
};

/** One of its fields. */
export type ClusterPort = {
  readonly number?: number;
  readonly range?: { readonly start: number; readonly end: number };
};

export const networkPolicyType: ResourceType = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
};

/** The group of the Network Policy API. */
export const policyGroup = 'policy.networking.k8s.io';

export const adminNetworkPolicyType: ResourceType = {
  group: policyGroup,
  version: 'v1alpha1',
  kind: 'AdminNetworkPolicy',
  plural: 'adminnetworkpolicies',
  namespaced: false,
};

export const baselineAdminNetworkPolicyType: ResourceType = {
  group: policyGroup,
  version: 'v1alpha1',
  kind: 'BaselineAdminNetworkPolicy',
  plural: 'baselineadminnetworkpolicies',
  namespaced: false,
};

export const clusterNetworkPolicyType: ResourceType = {
  group: policyGroup,
  version: 'v1alpha2',
  kind: 'ClusterNetworkPolicy',
  plural: 'clusternetworkpolicies',
  namespaced: false,
};
