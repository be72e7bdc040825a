/** What the parts of this folder hand to each other: what is known, who is attached where, and what is said of it. */
import type {
  GatewayBackendIntent,
  GatewayIntent,
  GatewayPortIntent,
  GatewayPortKind,
} from '#intent/gateway.ts';
import type { GatewayUsersIntent } from '#intent/gateway-policy.ts';
import type { ALB2Model, FrontendModel, RuleModel } from '#model/alauda/types.ts';
import type {
  ALBModel,
  BackendPolicyModel,
  HostnameGrantModel,
  TrafficPolicyModel,
  WAFPolicyModel,
} from '#model/gateway/policy-types.ts';
import type {
  AuthorityModel,
  BackendServiceModel,
  BackendSpeech,
  BackendTLSPolicyModel,
  CertificateModel,
  GatewayClassModel,
  GatewayModel,
  ListenerModel,
  ListenerSetModel,
  ObjectReference,
  ParentReference,
  ReferenceGrantModel,
  RouteModel,
} from '#model/gateway/types.ts';
import type { IngressClassModel, IngressModel } from '#model/ingress/types.ts';
import type { Labels } from '#model/selector.ts';
import type { EndpointSliceModel } from '#model/service.ts';
import type { AttachedPolicies } from './policies/types.ts';
import type { GatewayStatus } from './status/types.ts';

export type { GatewayStatus, ListenerStatus } from './status/types.ts';

/** Our controller's name in GatewayClasses and in the status of routes. */
export const controllerName = 'netloom.dev/gateway';

/** Kinds of objects that decide what gateways hold, with the model of each. Slices are by their own key, all others by `key`. */
export type GatewayInputs = {
  readonly class: GatewayClassModel;
  readonly gateway: GatewayModel;
  readonly listenerSet: ListenerSetModel;
  /** By `KIND/namespace/name`. */
  readonly route: RouteModel;
  readonly grant: ReferenceGrantModel;
  readonly tlsPolicy: BackendTLSPolicyModel;
  readonly service: BackendServiceModel;
  readonly slice: EndpointSliceModel;
  readonly certificate: CertificateModel;
  /** By `KIND/namespace/name`: ConfigMap or Secret. */
  readonly authority: AuthorityModel;
  /** Labels by name. */
  readonly namespace: Labels;
  readonly policy: TrafficPolicyModel;
  readonly backendPolicy: BackendPolicyModel;
  readonly wafPolicy: WAFPolicyModel;
  readonly hostnameGrant: HostnameGrantModel;
  readonly alb: ALBModel;
  readonly alb2: ALB2Model;
  readonly frontend: FrontendModel;
  readonly albRule: RuleModel;
  readonly ingress: IngressModel;
  readonly ingressClass: IngressClassModel;
  /** By `namespace/name` of the Secret. */
  readonly users: GatewayUsersIntent;
  /** By `namespace/name` of the ConfigMap. */
  readonly firewallRules: GatewayIntent['firewallRules'][string];
};

export type GatewayInput = keyof GatewayInputs;

/** The whole, by kind and key. */
export type GatewaySnapshot = { readonly [K in GatewayInput]: ReadonlyMap<string, GatewayInputs[K]> };

/** metav1.Condition without what only the API server's object tells (observedGeneration, time). */
export type GatewayCondition = {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
};

/** A listener of a Gateway or of a ListenerSet that is taken by it. */
export type Listener = {
  /** As in GatewayIntent.listeners. */
  readonly key: string;
  /** Of an ALB as such it is the Gateway that is derived of it. */
  readonly gateway: string;
  /** That serves the Gateway, where it isn't its own: an ALB's. */
  readonly instance?: string;
  /** The object that it stands in, and its namespace, which `Same` means. */
  readonly owner: {
    readonly kind: 'Gateway' | 'ListenerSet';
    readonly key: string;
    readonly namespace: string;
  };
  readonly model: ListenerModel;
  /** Key in GatewayIntent.ports. */
  readonly port: string;
  readonly portKind: GatewayPortKind;
  /** False: it is in conflict or refused, and nothing is served by it. Routes may be attached to it all the same. */
  readonly served: boolean;
  readonly conditions: readonly GatewayCondition[];
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
};

/** Where one parentRef of a route leads. */
export type Attachment = {
  readonly parent: ParentReference;
  /** Of the Gateway that it belongs to in the end. */
  readonly gateway: string;
  /** Listeners that take the route, each with the hostnames that both have; `['']` means any, none that older routes have them. Empty: not accepted. */
  readonly listeners: readonly { readonly listener: Listener; readonly hosts: readonly string[] }[];
  /** `Accepted`; where `ResolvedRefs` comes from what else the route says, it is added later. */
  readonly accepted: GatewayCondition;
  /** What else is said of it at this parent. */
  readonly also?: readonly GatewayCondition[];
};

/** What a route says to the data plane of one Gateway, and whether all that it refers to is there. */
export type RouteEntries = {
  readonly intent: Pick<GatewayIntent, 'rules' | 'actions' | 'streams'> &
    Partial<Pick<GatewayIntent, 'policies' | 'users' | 'firewallRules'>>;
  /** Service ports that it sends to, each way of speaking to one once. */
  readonly backends: readonly BackendUse[];
  /** `ResolvedRefs`, `PartiallyInvalid`; `Accepted` (False, no rule can be served) is instead of the attachment's. */
  readonly conditions: readonly GatewayCondition[];
};

/** One way to speak to a port of a Service: what a GRPCRoute and an HTTPRoute send to the same port may differ. */
export type BackendUse = {
  /** In GatewayIntent.backends: made of all that follows and of whom TLS is spoken to. */
  readonly key: string;
  /** `namespace/name`. */
  readonly service: string;
  readonly port: number;
  readonly protocol: GatewayBackendIntent['protocol'];
  /** Key in GatewayIntent.identities: spoken to by TLS. Absent: plainly, also where a policy is in force (TLS that is passed through). */
  readonly identity?: string;
  /** By TLS as an Ingress says it; then `identity` is made of this alone. */
  readonly speech?: NonNullable<BackendSpeech['tls']>;
};

/** What one `BackendUse` needs in a data plane; several may need the same identity. */
export type BackendEntries = Pick<GatewayIntent, 'backends' | 'identities'> &
  Partial<Pick<GatewayIntent, 'certificates'>>;

/**
 * What entries of one Gateway are made of. Whoever asks is noted with what was asked for, and asked anew once an answer may be another
 * one: so nothing is to be kept between calls.
 */
export type EntryContext = {
  readonly permits: Permits;
  /** By `namespace/name`. */
  readonly service: (key: string) => BackendServiceModel | undefined;
  readonly slices: (service: string) => readonly EndpointSliceModel[];
  /** How a port of a Service is to be spoken to by TLS; undefined: plainly. */
  readonly tls: (service: string, port: number) => BackendTLS | undefined;
  /** Key in GatewayIntent.certificates of what the Gateway shows to TLS backends, where it has one that can be used. */
  readonly clientCertificate: () => string | undefined;
  /** Of a reference in its own namespace, as Ingresses have them. */
  readonly authority: (reference: ObjectReference) => AuthorityModel | undefined;
  readonly certificate: (reference: ObjectReference) => CertificateModel | undefined;
  readonly policies: AttachedPolicies;
  /** By `namespace/name` of the Secret. */
  readonly users: (secret: string) => GatewayUsersIntent | undefined;
  /** By `namespace/name` of the ConfigMap. */
  readonly firewallRules: (configMap: string) => GatewayIntent['firewallRules'][string] | undefined;
};

/** The BackendTLSPolicy that is in force for a port of a Service: of several the one for the port, then the oldest. */
export type BackendTLS = {
  readonly policy: BackendTLSPolicyModel;
  /** False: its status says why, and nothing is sent to the port (requests get 500). */
  readonly usable: boolean;
  /** PEM; absent: those of the system. */
  readonly authorities?: string;
};

/**
 * In route-entries.ts: `attachments` are those of one Gateway, with at least one listener each, and only listeners that are served. Of a
 * route that isn't accepted there are none: only what is said of its references is wanted. `gateways`: to how many it is attached.
 */
export type RouteEntriesOf = (
  route: RouteModel,
  attachments: readonly Attachment[],
  context: EntryContext,
  gateways?: number,
) => RouteEntries;

/** In backend-entries.ts. */
export type BackendEntriesOf = (use: BackendUse, context: EntryContext) => BackendEntries;

/** Whether somebody may refer to an object of another namespace; always within one's own. */
export type Permits = (
  from: { readonly group: string; readonly kind: string; readonly namespace: string },
  to: ObjectReference,
) => boolean;

/**
 * What only the running part knows and status needs: the addresses of an instance, whether its data plane is there, and what it holds.
 * One that isn't here isn't there yet.
 */
export type InstanceFacts = {
  readonly addresses: readonly { readonly type: 'IPAddress' | 'Hostname'; readonly value: string }[];
  /** A sentence, while it has no data plane or no address. */
  readonly waiting?: string;
  /**
   * A sentence, while what `infrastructure.parametersRef` names can't be used: `Accepted` is False (InvalidParameters), and what is
   * served stays served.
   */
  readonly invalidParameters?: string;
  /** Ports of its Service that lead to a listening socket already, by key in GatewayIntent.ports: they keep it. */
  readonly slots?: ReadonlyMap<string, Pick<GatewayPortIntent, 'kind' | 'slot' | 'proxyProtocol'>>;
};

/** How many listening sockets of each kind a pod has (`gatewaySlots` in the registry, which compile can't see). */
export type GatewaySlots = Readonly<Record<GatewayPortKind, number>>;

/** One instance's part of what changed: a delta on the last (see `DeltaOutput`). */
export type GatewayChanges = {
  /** By instance (a Gateway's own key, or that of an ALB); `undefined`: it is gone or no longer ours. */
  readonly instances: ReadonlyMap<
    string,
    | {
        readonly put: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
        readonly remove: Readonly<Record<string, readonly string[]>>;
      }
    | undefined
  >;
  /** By `KIND/namespace/name`, those that changed; `undefined`: nothing of ours is to be in the object's status any more. */
  readonly statuses: ReadonlyMap<string, GatewayStatus | undefined>;
};

/** The whole of it, change by change: `createGatewayBook(slots)` in book.ts. */
export type GatewayBook = {
  /** `undefined` removes. */
  set<K extends GatewayInput>(kind: K, key: string, value: GatewayInputs[K] | undefined): void;
  /**
   * Of instances that run already before the first `settle`: without their slots ports may get other sockets than their Services lead to.
   */
  setFacts(instance: string, facts: InstanceFacts | undefined): void;
  /** What changed since the last call, at the cost of what was touched. */
  settle(): GatewayChanges;
  /** The whole intent of an instance: for a data plane that holds none or another generation. */
  whole(instance: string): GatewayIntent | undefined;
  /** The instance that serves a Gateway; undefined: none does. */
  instanceOf(gateway: string): string | undefined;
  /** Whether an ALB is to serve a Gateway that isn't there or takes nothing of it: then nobody serves it. */
  isUnshared(gateway: string): boolean;
  /** All that are derived of an ALB or share it, or the Gateway whose own it is. */
  gatewaysOf(instance: string): readonly string[];
  /** Which Secrets and ConfigMaps are referred to, permitted or not: those are watched. By `KIND/namespace/name`. */
  references(): ReadonlySet<string>;
};
