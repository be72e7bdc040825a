/** What is known of objects that are ours beside Gateway API, once they are read: policies, grants of hostnames, load balancers. */
import type { LabelSelector } from '#api/object.ts';
import type { GatewayFirewall, GatewayHash, GatewayHealthCheck } from '#intent/gateway-policy.ts';
import type { TolerationModel } from './tolerations.ts';
import type { BackendReference, FilterModel, GatewayObject, SessionPersistenceModel } from './types.ts';

/** What a policy holds for, in its own namespace. `section`: name of a listener, of a rule of a route, or of a Service's port. */
export type PolicyTarget = {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly section?: string;
};

/** What one policy of any kind that is attached has. */
export type AttachedPolicy = GatewayObject & {
  readonly targets: readonly PolicyTarget[];
  /** What it says holds against policies that are nearer to the request: who owns the Gateway may insist. */
  readonly enforced: boolean;
  /**
   * What of it can't be read, and isn't in its settings. With `protects` it would have kept requests out: those that the policy holds for get
   * 500 until it is mended.
   */
  readonly refused?: readonly {
    readonly field: string;
    readonly message: string;
    readonly protects?: true;
  }[];
};

/**
 * TrafficPolicy. Of Gateway, listener, ListenerSet, route and rule the nearest that says something has its way, field by field, unless one
 * further out is enforced (the outermost of those wins). `access`, `rateLimits` and `concurrency` of all levels hold together.
 */
export type TrafficPolicyModel = AttachedPolicy & { readonly settings: TrafficSettings };

export type TrafficSettings = {
  readonly trustedProxies?: readonly string[];
  readonly access?: { readonly allow?: readonly string[]; readonly deny?: readonly string[] };
  readonly rateLimits?: readonly {
    readonly requests: number;
    /** Milliseconds. */
    readonly per: number;
    readonly burst: number;
    readonly by: readonly CountedBy[];
  }[];
  readonly concurrency?: readonly { readonly requests: number; readonly by: readonly CountedBy[] }[];
  /** Bytes; 0: any. */
  readonly maxBody?: number;
  /** Name of a Secret beside the policy, with `auth`: a password file of Apache. */
  readonly basicAuth?: { readonly realm: string; readonly secret: string };
  readonly externalAuth?: Extract<FilterModel, { readonly type: 'ExternalAuth' }>;
  readonly cors?: Extract<FilterModel, { readonly type: 'CORS' }>;
  /** Milliseconds; 0: never. */
  readonly timeouts?: {
    readonly request?: number;
    readonly backendRequest?: number;
    readonly connect?: number;
  };
  readonly retry?: {
    readonly codes: readonly number[];
    readonly attempts: number;
    /** Milliseconds. */
    readonly backoff?: number;
  };
  /** By a cookie or a header of ours, or by what a request has. */
  readonly affinity?:
    | { readonly type: 'session'; readonly session: SessionPersistenceModel }
    | { readonly type: 'hash'; readonly hash: GatewayHash };
  /** Of routes and rules only. */
  readonly canaries?: readonly {
    readonly header?: { readonly name: string; readonly value?: string; readonly regex?: true };
    readonly cookie?: string;
    /** Of a million. */
    readonly share?: number;
    readonly backends: readonly BackendReference[];
  }[];
  readonly mirrors?: readonly { readonly backend: BackendReference; readonly share: number }[];
  readonly compression?: { readonly types: readonly string[]; readonly minLength: number };
  readonly errors?: readonly {
    readonly codes: readonly number[];
    readonly backend?: BackendReference;
    readonly body?: { readonly contentType: string; readonly text: string };
  }[];
  /** `undefined` in `fields`: none is written, whatever policies further out say. */
  readonly accessLog?: { readonly fields?: readonly string[]; readonly share: number };
  readonly buffering?: { readonly requests?: boolean; readonly answers?: boolean };
};

export type CountedBy = 'client' | 'route' | 'tenant' | { readonly header: string };

/** BackendPolicy: how requests are spread over the endpoints of a Service (or of one of its ports), and which are left out. */
export type BackendPolicyModel = AttachedPolicy & {
  readonly settings: {
    readonly balance?: 'leastRequests' | GatewayHash;
    readonly health?: GatewayHealthCheck;
    readonly breaker?: { readonly failures: number; readonly seconds: number };
    readonly mostRequests?: number;
  };
};

/** WAFPolicy: attached and merged as a TrafficPolicy. */
export type WAFPolicyModel = AttachedPolicy & {
  readonly settings: {
    readonly mode?: 'off' | 'detect' | 'block';
    readonly paranoia?: number;
    readonly threshold?: number;
    /** Of all levels together. */
    readonly exclusions?: GatewayFirewall['exclusions'];
    /** Names of ConfigMaps beside the policy, with `rules`. Of all levels together. */
    readonly rules?: readonly string[];
  };
};

/** HostnameGrant (of the cluster): only these namespaces may claim these hostnames at gateways of ours. */
export type HostnameGrantModel = GatewayObject & {
  /** Lower case; `*.example.org` is any name below. */
  readonly hostnames: readonly string[];
  readonly tenants: TenantsModel;
};

/** Namespaces: those that are named, those with such labels, and those of projects (label `cpaas.io/project`). */
export type TenantsModel = {
  readonly namespaces: readonly string[];
  readonly selector?: LabelSelector;
  readonly projects: readonly string[];
};

/** ALB: an instance of the gateway that several Gateways and Ingresses may share. */
export type ALBModel = GatewayObject & {
  readonly instance: ALBInstance;
  /** What of it can't be used, each with its field. */
  readonly unusable?: readonly string[];
  /** `netloom.dev/proxy-protocol: "true"`, on it: connections begin with a PROXY header. */
  readonly proxyProtocol?: true;
  /** Absent: none. Listeners of its own Gateway, which Ingresses and routes attach to. */
  readonly http?: { readonly port: number };
  readonly https?: { readonly port: number; readonly certificate?: string };
  /** The IngressClass that it serves; it is made if there is none. */
  readonly ingressClass?: { readonly name: string; readonly isDefault: boolean };
  /** Besides its own namespace, which always may. Absent: nobody else may. */
  readonly tenants?: TenantsModel;
  /**
   * `FirstHolder`: a hostname belongs to the namespace that claimed it first, unless a HostnameGrant says whose it is; `GrantOnly`: nobody has
   * one without a grant; `Shared`: as Gateway API has it.
   */
  readonly hostnames: 'FirstHolder' | 'GrantOnly' | 'Shared';
  readonly quotas: {
    /** Of one tenant, routes and Ingresses. */
    readonly routes?: number;
    /** Bytes of all that a tenant has in the data plane. */
    readonly size?: number;
    readonly requestsPerSecond?: number;
    readonly concurrency?: number;
  };
};

export type ALBInstance = {
  /** Absent: left to whoever scales the Deployment. */
  readonly replicas?: number;
  readonly network: 'LoadBalancer' | 'NodePort' | 'ClusterIP' | 'HostNetwork';
  readonly externalTrafficPolicy: 'Local' | 'Cluster';
  /** Of HostNetwork: ports of nodes that listeners may take besides those of `http` and `https`. */
  readonly hostPorts?: readonly number[];
  readonly loadBalancerClass?: string;
  readonly addresses: readonly string[];
  /** Of its Service. */
  readonly annotations: Readonly<Record<string, string>>;
  /** As in a container. */
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly TolerationModel[];
};
