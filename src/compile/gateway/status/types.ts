/** What is said of each kind of object. */
import type { ParentReference } from '#model/gateway/types.ts';
import type { Problem } from '#model/problem.ts';
import type { PolicyAncestor } from '../policies/types.ts';
import type { GatewayCondition } from '../types.ts';

/** The status of one object, whole: what is missing in it is removed, except what other controllers wrote. */
export type GatewayStatus =
  | {
      readonly kind: 'GatewayClass';
      readonly key: string;
      readonly conditions: readonly GatewayCondition[];
      /** Sorted, as the specification wants it. */
      readonly supportedFeatures: readonly string[];
    }
  | {
      readonly kind: 'Gateway' | 'ListenerSet';
      readonly key: string;
      readonly conditions: readonly GatewayCondition[];
      readonly listeners: readonly ListenerStatus[];
      /** Of Gateways: ListenerSets that are attached. */
      readonly attachedListenerSets?: number;
    }
  | {
      readonly kind: 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute' | 'UDPRoute';
      readonly key: string;
      /** Of parents that are ours. */
      readonly parents: readonly {
        readonly parent: ParentReference;
        readonly conditions: readonly GatewayCondition[];
      }[];
    }
  | {
      readonly kind: 'BackendTLSPolicy' | 'TrafficPolicy' | 'BackendPolicy' | 'WAFPolicy';
      readonly key: string;
      /** The Gateways whose routes go to its targets; `target`: a target that isn't there, since no Gateway can be told. */
      readonly ancestors: readonly PolicyAncestor[];
    }
  | {
      readonly kind: 'Ingress';
      readonly key: string;
      /** The instances that serve it: their addresses are its own. */
      readonly instances: readonly string[];
      /** Kept by nobody: told as events and in the log. */
      readonly problems: readonly Problem[];
    }
  | {
      readonly kind: 'ALB';
      readonly key: string;
      readonly conditions: readonly GatewayCondition[];
      /** Of its own: the other listeners are in the statuses of the Gateways that share it. */
      readonly listeners: readonly ListenerStatus[];
      /** How many share it. */
      readonly gateways: number;
    }
  | {
      readonly kind: 'ALB2';
      readonly key: string;
      /** That serves it: its addresses are its own. */
      readonly instance: string;
      /** `waits`: why it doesn't serve yet. */
      readonly waits?: string;
      readonly problems: readonly Problem[];
    }
  | {
      readonly kind: 'Frontend';
      readonly key: string;
      /** That serves it. */
      readonly instance: string;
      /** Its port is another's. */
      readonly conflict: boolean;
      readonly problems: readonly Problem[];
    }
  | {
      /** Of ALB; its kind has no status: told as events and in the log. */
      readonly kind: 'Rule';
      readonly key: string;
      readonly instance: string;
      readonly problems: readonly Problem[];
    }
  | {
      readonly kind: 'HostnameGrant';
      readonly key: string;
      readonly conditions: readonly GatewayCondition[];
    };

export type ListenerStatus = {
  readonly name: string;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly attachedRoutes: number;
  readonly conditions: readonly GatewayCondition[];
};
