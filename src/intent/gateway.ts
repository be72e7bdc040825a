/**
 * What one instance of the gateway must hold: plain JSON by domain and key, so that a change costs what it touches.
 *
 * Written by compile/gateway, held by programs/gateway and its nginx. Nothing in here is ever rendered into nginx's configuration.
 */
import type { GatewayCORS, GatewayExternalAuth, GatewayFilters, GatewayRedirect } from './gateway-filters.ts';
import type {
  GatewayCanary,
  GatewayHash,
  GatewayHealthCheck,
  GatewayPolicyIntent,
  GatewayTenantIntent,
  GatewayUsersIntent,
} from './gateway-policy.ts';
import type { Origin } from './origin.ts';

export type {
  GatewayCORS,
  GatewayExternalAuth,
  GatewayFilters,
  GatewayHeaderChange,
  GatewayPathChange,
  GatewayRedirect,
} from './gateway-filters.ts';

export type GatewayIntent = {
  /** By `PROTOCOL/PORT` (`tcp/443`, `udp/53`): the ports of the Gateway, and which listening socket of the pod serves each. */
  readonly ports: Readonly<Record<string, GatewayPortIntent>>;
  /** By `gateway/NAMESPACE/NAME/LISTENER` or `set/NAMESPACE/NAME/LISTENER`. */
  readonly listeners: Readonly<Record<string, GatewayListenerIntent>>;
  /** By `LISTENER KEY|HOST|ROUTE KIND/NAMESPACE/NAME|RULE.MATCH`: one match of one rule at one host of one listener. */
  readonly rules: Readonly<Record<string, GatewayRuleIntent>>;
  /** By `ROUTE KIND/NAMESPACE/NAME|RULE`: what becomes of a request that the rule takes. */
  readonly actions: Readonly<Record<string, GatewayActionIntent>>;
  /** By `LISTENER KEY|HOST`: where connections of a listener that isn't HTTP go; HOST is '' for TCP and UDP. */
  readonly streams: Readonly<Record<string, GatewayStreamIntent>>;
  /** By `NAMESPACE/NAME:PORT/PROTOCOL`, with `@IDENTITY` behind it where it is spoken to by TLS. */
  readonly backends: Readonly<Record<string, GatewayBackendIntent>>;
  /** By `NAMESPACE/NAME` of the Secret. */
  readonly certificates: Readonly<Record<string, GatewayCertificateIntent>>;
  /** By any name: what client certificates are judged by. */
  readonly authorities: Readonly<Record<string, { readonly certificates: string }>>;
  /** By `NAMESPACE/NAME/PROTOCOL`, of a BackendTLSPolicy and as in `backends`: whom a TLS backend must prove to be, and who the gateway is to it. */
  readonly identities: Readonly<Record<string, GatewayIdentityIntent>>;
  /** By the policies that it is made of, the nearest first, joined by `+`: what holds for requests besides their action. */
  readonly policies: Readonly<Record<string, GatewayPolicyIntent>>;
  /** By `NAMESPACE/NAME` of the Secret: who is let in by name and password. */
  readonly users: Readonly<Record<string, GatewayUsersIntent>>;
  /** By namespace: what all that a tenant has at this instance may take together. */
  readonly tenants: Readonly<Record<string, GatewayTenantIntent>>;
  /** By `NAMESPACE/NAME` of the ConfigMap: a tenant's own rules for ModSecurity, as we print them. Held beside nginx, not by its router. */
  readonly firewallRules: Readonly<Record<string, { readonly origin: Origin; readonly rules: string }>>;
};

export type GatewayDomain = keyof GatewayIntent;

/**
 * Said to programs/gateway (`POST /v1/change`, by TLS with the instance's key) and by it to nginx over its unix socket.
 * `replace` true: the whole intent; false: a delta on generation `after`, which is refused with 409 if another one is held.
 */
export type GatewayChange = {
  readonly generation: number;
  readonly after: number;
  readonly replace: boolean;
  readonly put: { readonly [D in GatewayDomain]?: GatewayIntent[D] };
  readonly remove: { readonly [D in GatewayDomain]?: readonly string[] };
};

/** Answered once every new request and connection is served by the change. */
export type GatewayAnswer = {
  readonly generation: number;
  /** Entries that can't be held, for example for want of memory; the rest is. */
  readonly problems: readonly { readonly entry: string; readonly reason: string }[];
};

/** The body of every answer of the feed that is not 2xx. On 409 the whole is sent (`replace`). */
export type GatewayRefusal = {
  readonly error: string;
  /** Held; 0: none. */
  readonly generation: number;
};

/** `GET /v1/status` of the feed. */
export type GatewayFeedStatus = GatewayAnswer & {
  /** Of the running process: another one after a restart, which keeps what is held. */
  readonly instance: string;
  /** A sentence, while nginx does not serve what is held. */
  readonly waiting?: string;
  /** Endpoints that do not answer their health checks as they should; absent: none. `backend` is a key in `backends`. */
  readonly unhealthy?: readonly {
    readonly backend: string;
    readonly endpoint: string;
    readonly reason: string;
  }[];
};

/** `http`: HTTP/1.1 and h2c; `https`: TLS ends at nginx; `tls`: the name is looked at first, since listeners of the port differ. */
export type GatewayPortKind = 'http' | 'https' | 'tls' | 'tcp' | 'udp';

export type GatewayPortIntent = {
  /** As clients see it. */
  readonly port: number;
  readonly kind: GatewayPortKind;
  /** Index among the listening sockets of its kind (`gatewaySlots` in the registry). */
  readonly slot: number;
  /** Connections begin with a PROXY header (v1 or v2), and one without is closed. Never of UDP. */
  readonly proxyProtocol?: true;
};

export type GatewayListenerIntent = {
  readonly origin: Origin;
  /** Key in `ports`. */
  readonly port: string;
  /** `https` and `terminate` end TLS here; `passthrough` doesn't. */
  readonly kind: 'http' | 'https' | 'passthrough' | 'terminate' | 'tcp' | 'udp';
  /** Lower case; `*.example.org` is any name below; '' any name. */
  readonly hostname: string;
  /** Keys in `certificates`, in the listener's order: the first whose names fit the client's is shown, else the first. */
  readonly certificates?: readonly string[];
  readonly clientValidation?: {
    /** Key in `authorities`. */
    readonly authority: string;
    /** `require`: the handshake fails without a valid one; `fallback`: whatever comes is taken. */
    readonly mode: 'require' | 'fallback';
  };
  /** `1.2` or `1.3`. Absent: 1.2. */
  readonly minimumTLS?: '1.2' | '1.3';
  /** Names of OpenSSL, joined by colons, for TLS 1.2; checked against a list. Of `https` only. */
  readonly ciphers?: string;
};

/** Which of several rules takes a request: host, then path, then `rank`. */
export type GatewayRuleIntent = {
  /** CIDRs: only of these clients. */
  readonly clients?: readonly string[];
  /** Key in `listeners`. */
  readonly listener: string;
  /** Lower case, as `hostname` of a listener; '' any. More exact ones come first, but only if one of their rules matches. */
  readonly host: string;
  /**
   * Exact before prefix before regex, and the prefix `/`, which takes everything, last; longer before shorter prefixes. A prefix ends at a
   * segment: `/a` takes `/a/b`, not `/ab`; no slash at its end but of `/`.
   */
  readonly path: {
    readonly type: 'exact' | 'prefix' | 'regex';
    readonly value: string;
    /** Of `regex`: letters' case is no matter, and what is behind the match isn't, either (as ingress-nginx has it). */
    readonly loose?: true;
  };
  readonly method?: string;
  readonly headers?: readonly GatewayValueMatch[];
  readonly query?: readonly GatewayValueMatch[];
  /** Of rules with the same path the least in byte order wins. */
  readonly rank: string;
  /** Key in `actions`; '': 404, and no rule of another host is asked. */
  readonly action: string;
};

export type GatewayValueMatch = {
  /** Headers: lower case. */
  readonly name: string;
  readonly value: string;
  /** The value is a regular expression (PCRE2) that the whole value must match. */
  readonly regex?: true;
};

export type GatewayActionIntent = {
  /** The route, with `spec.rules[N]`. */
  readonly origin: Origin;
  readonly kind: 'http' | 'grpc';
  readonly filters?: GatewayFilters;
  readonly redirect?: GatewayRedirect;
  readonly cors?: GatewayCORS;
  readonly externalAuth?: GatewayExternalAuth;
  readonly mirrors?: readonly {
    readonly backend: string;
    /** Of a million. */
    readonly share: number;
  }[];
  /** Instead of all else: every request gets this. */
  readonly refused?: 503;
  /** Empty without `redirect`: 500. */
  readonly backends: readonly GatewayWeightedBackend[];
  /** Milliseconds; 0: never. `request` is from the first byte to the whole answer, `backend` of one try. */
  readonly timeouts?: { readonly request?: number; readonly backend?: number; readonly connect?: number };
  readonly retry?: {
    readonly codes: readonly number[];
    readonly attempts: number;
    /** Milliseconds. */
    readonly backoff?: number;
  };
  readonly persistence?: {
    readonly type: 'cookie' | 'header';
    readonly name: string;
    /** Seconds that a client keeps it; only of cookies. Absent: until it ends its own session. */
    readonly maxAge?: number;
    /** Seconds from its beginning until it is over, however much it is used. Absent: never. */
    readonly absolute?: number;
  };
  /** Before `backends`, the first whose condition holds gets the request. */
  readonly canaries?: readonly GatewayCanary[];
  /** A request that says the same gets the same endpoint; not together with `persistence`. */
  readonly hash?: GatewayHash;
  /** Key in `policies`. */
  readonly policy?: string;
};

export type GatewayWeightedBackend = {
  /** Key in `backends`; absent: the reference can't be resolved, and its share of requests gets 500. */
  readonly backend?: string;
  /** 1 to 1,000,000; those of weight 0 are not here. */
  readonly weight: number;
  readonly filters?: GatewayFilters;
  readonly redirect?: GatewayRedirect;
};

export type GatewayStreamIntent = {
  readonly origin: Origin;
  /** Key in `listeners`. */
  readonly listener: string;
  /** As in rules. */
  readonly host: string;
  /** Connections to what can't be resolved are closed. */
  readonly backends: readonly { readonly backend?: string; readonly weight: number }[];
};

export type GatewayBackendIntent = {
  /** The Service. */
  readonly origin: Origin;
  readonly protocol: 'http' | 'h2c' | 'tcp' | 'udp';
  /** `ADDRESS:PORT`, IPv6 in brackets; sorted. Empty: requests get 503, connections are closed. */
  readonly endpoints: readonly string[];
  /** Key in `identities`: spoken to by TLS. */
  readonly identity?: string;
  /** Absent: by turns. */
  readonly balance?: 'leastRequests' | GatewayHash;
  /** Asked by programs/gateway; endpoints that don't answer are left out while others do. */
  readonly health?: GatewayHealthCheck;
  /** Endpoints that fail as often in a row are left out for a while, while others are left. */
  readonly breaker?: { readonly failures: number; readonly seconds: number };
  /** Requests at once to one endpoint; those above go to others, and get 503 if all are full. */
  readonly mostRequests?: number;
};

/** PEM. */
export type GatewayCertificateIntent = {
  readonly origin: Origin;
  readonly certificate: string;
  readonly privateKey: string;
  /** Its DNS names, lower case. */
  readonly names: readonly string[];
};

export type GatewayIdentityIntent = {
  /** The BackendTLSPolicy, or the Ingress. */
  readonly origin: Origin;
  /** Server name that is asked for; its certificate must be for it, unless `subjectAltNames` says otherwise. '' (only with `anybody`): none is. */
  readonly hostname: string;
  /** Whoever answers is taken: an Ingress asks for it, which is what ingress-nginx does. */
  readonly anybody?: true;
  /** PEM; absent: those of the system. */
  readonly authorities?: string;
  /** One of them must be in the certificate. */
  readonly subjectAltNames?: readonly { readonly type: 'dns' | 'uri'; readonly value: string }[];
  /** What the gateway shows of itself: key in `certificates`. */
  readonly certificate?: string;
  /** The only protocol that is offered by ALPN; absent: none is, since what is spoken isn't known. */
  readonly alpn?: 'h2' | 'http/1.1';
};
