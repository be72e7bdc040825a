/** What an Ingress becomes, and what has to be known of everything else for it. */
import type { BackendPolicyModel, TrafficPolicyModel, WAFPolicyModel } from '#model/gateway/policy-types.ts';
import type {
  BackendServiceModel,
  ListenerSetModel,
  ObjectReference,
  RouteModel,
} from '#model/gateway/types.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import type { ProblemCode } from '#model/problem.ts';

/** Names of what is made contain `~`, which no object's name does. The origin of all of it is the Ingress. */
export type Translation = {
  /** At most one, `NAME~ingress`: the hosts of `spec.tls` that it is the first to have in its namespace, with its Secrets. */
  readonly listenerSets: readonly ListenerSetModel[];
  /** `NAME~ingress`, with several hosts `NAME~ingress~HOST`; behind it `~tls` (redirects to HTTPS), `~www`, `~default`, `~acme`, `~passthrough`. */
  readonly routes: readonly RouteModel[];
  /** `NAME~ingress` for its routes, `ROUTE~canary~N` for one rule. */
  readonly policies: readonly TrafficPolicyModel[];
  readonly backendPolicies: readonly BackendPolicyModel[];
  readonly wafPolicies: readonly WAFPolicyModel[];
  readonly findings: readonly IngressFinding[];
};

export type IngressFinding = {
  /** `metadata.annotations[NAME]`, or from `spec` on. */
  readonly field: string;
  readonly code: ProblemCode;
  /** What isn't so, and what to use instead. */
  readonly message: string;
};

/** Questions about everything else. Whoever answers notes what was asked. */
export type IngressContext = {
  /** That it attaches to: the ALB's. */
  readonly gateway: ObjectReference;
  /** Its listeners for any hostname. */
  readonly http?: { readonly section: string; readonly port: number };
  readonly https?: { readonly section: string; readonly port: number; readonly hasCertificate: boolean };
  /**
   * Ingresses of its namespace at the same Gateway that have a name (`namesOf`; '' any), the oldest first, itself among them. Those that say
   * nothing about others (`concernsPeers`) may be missing.
   */
  readonly peers: (name: string) => readonly IngressModel[];
  /** All of them. */
  readonly neighbours: (name: string) => readonly IngressModel[];
  /** A Service of its namespace. */
  readonly service: (name: string) => BackendServiceModel | undefined;
  /** Whether a Service of its namespace has no endpoint that serves. */
  readonly isEmpty: (name: string) => boolean;
};
