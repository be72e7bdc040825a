/** What is known of Gateway API objects once they are read: defaults filled in, each reference with its namespace. */
import type { LabelSelector } from '#api/object.ts';
import type { Origin } from '#intent/origin.ts';
import type { BackendSpeech, IngressAuth } from './target-types.ts';

export type {
  AuthorityModel,
  BackendServiceModel,
  BackendSpeech,
  CertificateModel,
  IngressAuth,
} from './target-types.ts';

/** A reference with defaults filled in; `namespace` is the referrer's own unless it said another. */
export type ObjectReference = {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
};

/** What every object of Gateway API has. */
export type GatewayObject = {
  readonly origin: Origin;
  /** `namespace/name`; of a GatewayClass its name. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** RFC 3339: the older of two that contend wins, then the one whose key sorts first. */
  readonly created: string;
};

export type GatewayClassModel = GatewayObject & {
  readonly controllerName: string;
  readonly parameters?: ObjectReference;
};

export type GatewayModel = GatewayObject & {
  readonly className: string;
  /** `All`: takes routes that ask for default Gateways (experimental channel); another value as written. */
  readonly defaultScope?: string;
  readonly listeners: readonly ListenerModel[];
  readonly addresses: readonly GatewayAddress[];
  /** `netloom.dev/proxy-protocol: "true"`, on it or among infrastructure.annotations: connections begin with a PROXY header. */
  readonly proxyProtocol?: true;
  /** Which namespaces' ListenerSets are taken. */
  readonly allowedListeners: NamespacesFrom;
  readonly infrastructure: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly parameters?: ObjectReference;
  };
  /** spec.tls.frontend: by port what client certificates must be; `default` for all HTTPS ports that `perPort` doesn't have. */
  readonly clientValidation: {
    readonly default?: ClientValidationModel;
    readonly perPort: ReadonlyMap<number, ClientValidationModel | undefined>;
  };
  /** spec.tls.backend.clientCertificateRef. */
  readonly clientCertificate?: ObjectReference;
};

/** `value` undefined: any that is free. */
export type GatewayAddress = { readonly type: string; readonly value?: string };

export type ClientValidationModel = {
  readonly authorities: readonly ObjectReference[];
  readonly mode: 'AllowValidOnly' | 'AllowInsecureFallback';
};

export type NamespacesFrom =
  | { readonly from: 'All' | 'Same' | 'None' }
  | { readonly from: 'Selector'; readonly selector: LabelSelector | undefined };

export type ListenerSetModel = GatewayObject & {
  readonly parent: ObjectReference;
  readonly listeners: readonly ListenerModel[];
};

export type ListenerModel = {
  readonly name: string;
  /** As written; what is none that is served is refused by its status. */
  readonly protocol: string;
  readonly port: number;
  /** Lower case; absent: any. `*.example.org` stands for any name below. */
  readonly hostname?: string;
  readonly tls?: {
    readonly mode: 'Terminate' | 'Passthrough';
    readonly certificates: readonly ObjectReference[];
    readonly options: Readonly<Record<string, string>>;
  };
  readonly allowedNamespaces: NamespacesFrom;
  /** Of an Ingress: instead of what its Gateway says for the port. */
  readonly clientValidation?: ClientValidationModel;
  /** Absent: those that fit the protocol. */
  readonly allowedKinds?: readonly { readonly group: string; readonly kind: string }[];
};

export type RouteKind = 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute' | 'UDPRoute';

export type RouteModel = HTTPRouteModel | GRPCRouteModel | L4RouteModel;

export type RouteBase = GatewayObject & {
  /** Of what isn't Gateway API's: text in byte order that stands in the place of the specification's precedence, before its own age and name. */
  readonly rank?: string;
  readonly parents: readonly ParentReference[];
  /** `All`: beside `parents` every Gateway with that default scope is one. */
  readonly defaultGateways?: string;
  /** Lower case; empty: those of the listener. TCPRoute and UDPRoute have none. */
  readonly hostnames: readonly string[];
};

export type ParentReference = ObjectReference & {
  readonly sectionName?: string;
  readonly port?: number;
  /** As it stands in the object, for its status. */
  readonly written: Readonly<Record<string, string | number>>;
};

export type HTTPRouteModel = RouteBase & {
  readonly kind: 'HTTPRoute';
  readonly rules: readonly HTTPRuleModel[];
};

export type GRPCRouteModel = RouteBase & {
  readonly kind: 'GRPCRoute';
  readonly rules: readonly GRPCRuleModel[];
};

export type L4RouteModel = RouteBase & {
  readonly kind: 'TLSRoute' | 'TCPRoute' | 'UDPRoute';
  readonly rules: readonly { readonly name?: string; readonly backends: readonly BackendReference[] }[];
};

export type RuleBase = {
  readonly name?: string;
  /** Where it stands in what it was made of; absent: `spec.rules[N]`. */
  readonly field?: string;
  readonly filters: readonly FilterModel[];
  readonly backends: readonly (BackendReference & { readonly filters: readonly FilterModel[] })[];
  readonly sessionPersistence?: SessionPersistenceModel;
  /** A sentence, where the rule asks for what can't be served: then requests that it takes get 500. Matches that can't be used are gone. */
  readonly unusable?: string;
  /** Of an Ingress whose protection can't be had: 503 for all that the rule takes, until it can. */
  readonly closed?: true;
};

export type HTTPRuleModel = RuleBase & {
  /** At least one, unless none can be used: then the rule is unusable, and takes nothing. */
  readonly matches: readonly HTTPMatchModel[];
  /** Milliseconds; 0: never. */
  readonly timeouts: { readonly request?: number; readonly backendRequest?: number };
  readonly retry?: {
    readonly codes: readonly number[];
    /** How often it is tried again. */
    readonly attempts: number;
    /** Milliseconds. */
    readonly backoff?: number;
  };
};

export type HTTPMatchModel = {
  readonly path: {
    readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression';
    readonly value: string;
    /** Of a RegularExpression that comes of an Ingress: letters' case and what is behind the match are no matter, and longer ones come first. */
    readonly loose?: true;
  };
  readonly method?: string;
  /** Names in lower case, each once. */
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  /** CIDRs: only of these clients, as the connection tells them. Gateway API has no field for it. */
  readonly clients?: readonly string[];
};

export type ValueMatch = {
  readonly name: string;
  readonly type: 'Exact' | 'RegularExpression';
  readonly value: string;
};

export type GRPCRuleModel = RuleBase & {
  /** At least one (without a method and headers: all calls), unless none can be used: then it is unusable, and takes nothing. */
  readonly matches: readonly GRPCMatchModel[];
};

export type GRPCMatchModel = {
  readonly method?: {
    readonly type: 'Exact' | 'RegularExpression';
    readonly service?: string;
    readonly method?: string;
  };
  readonly headers: readonly ValueMatch[];
};

export type BackendReference = ObjectReference & {
  /** Absent where the kind needs none; a Service without one can't be resolved. */
  readonly port?: number;
  /** 0 to 1,000,000. */
  readonly weight: number;
  /** Of an Ingress that says it: whatever the Service and policies for it say. */
  readonly speech?: BackendSpeech;
};

export type HeaderChange = {
  readonly set: readonly { readonly name: string; readonly value: string }[];
  readonly add: readonly { readonly name: string; readonly value: string }[];
  readonly remove: readonly string[];
};

export type PathChange =
  | { readonly type: 'ReplaceFullPath'; readonly value: string }
  | { readonly type: 'ReplacePrefixMatch'; readonly value: string }
  /** Of an Ingress: `$1` to `$9` are what the groups of the match's regular expression took, `$$` is a dollar. */
  | { readonly type: 'ReplaceCaptures'; readonly value: string };

/** As in the specification; one whose type isn't known, or whose values can't be used, is `unusable`. */
export type FilterModel =
  | { readonly type: 'RequestHeaderModifier' | 'ResponseHeaderModifier'; readonly headers: HeaderChange }
  | {
      readonly type: 'RequestRedirect';
      readonly scheme?: 'http' | 'https';
      readonly hostname?: string;
      readonly port?: number;
      readonly path?: PathChange;
      readonly statusCode: number;
      /** Of an Ingress: the request's query isn't taken over. */
      readonly withoutQuery?: true;
    }
  | { readonly type: 'URLRewrite'; readonly hostname?: string; readonly path?: PathChange }
  | {
      readonly type: 'RequestMirror';
      readonly backend: BackendReference;
      /** Of a million. */
      readonly share: number;
    }
  | {
      readonly type: 'CORS';
      readonly allowOrigins: readonly string[];
      readonly allowMethods: readonly string[];
      readonly allowHeaders: readonly string[];
      readonly exposeHeaders: readonly string[];
      readonly allowCredentials: boolean;
      /** Seconds. */
      readonly maxAge: number;
    }
  | {
      readonly type: 'ExternalAuth';
      readonly protocol: 'HTTP' | 'GRPC';
      readonly backend: BackendReference;
      /** HTTP: put before the request's path. */
      readonly path: string;
      /** Of an Ingress. */
      readonly asIngress?: IngressAuth;
      readonly allowedHeaders: readonly string[];
      readonly allowedResponseHeaders: readonly string[];
      /** Bytes; absent: the body is not sent. */
      readonly forwardBody?: number;
    }
  | {
      readonly type: 'unusable';
      /** From `spec` on. */
      readonly field: string;
      readonly message: string;
      /** For its condition; absent: `UnsupportedValue`. `InvalidKind`: an extension of somebody else's that isn't known here. */
      readonly reason?: 'IncompatibleFilters' | 'InvalidKind';
    };

export type SessionPersistenceModel = {
  readonly type: 'Cookie' | 'Header';
  readonly name?: string;
  /** Seconds. */
  readonly absoluteTimeout?: number;
  readonly lifetime: 'Permanent' | 'Session';
};

export type ReferenceGrantModel = GatewayObject & {
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  /** Without a name: all of the kind. */
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
};

export type BackendTLSPolicyModel = GatewayObject & {
  /** In its own namespace; `section` is the name of a port of the Service. */
  readonly targets: readonly {
    readonly group: string;
    readonly kind: string;
    readonly name: string;
    readonly section?: string;
  }[];
  /** '': what it validates can't be read, and nobody can prove to be that. */
  readonly hostname: string;
  readonly authorities: readonly ObjectReference[];
  /** `System`: those that the image brings; another value as written. */
  readonly wellKnown?: string;
  readonly subjectAltNames: readonly { readonly type: 'Hostname' | 'URI'; readonly value: string }[];
  readonly options: Readonly<Record<string, string>>;
};
