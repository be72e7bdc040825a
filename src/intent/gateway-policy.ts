/** What policies add to what a gateway must hold: limits, who may come in, the web application firewall, and how backends are chosen. */
import type { GatewayWeightedBackend } from './gateway.ts';
import type { Origin } from './origin.ts';

/** Asked in this order, as ingress-nginx does: the header, the cookie, the share. */
export type GatewayCanary = {
  /** Without `value`: `always` is yes, `never` is no, and anything else asks on. */
  readonly header?: { readonly name: string; readonly value?: string; readonly regex?: true };
  /** `always`, `never`, or asks on. */
  readonly cookie?: string;
  /** Of a million. */
  readonly share?: number;
  readonly backends: readonly GatewayWeightedBackend[];
};

export type GatewayHash = {
  readonly by: 'client' | 'header' | 'cookie' | 'query' | 'path';
  /** Of a header (lower case), a cookie or a parameter. */
  readonly name?: string;
};

export type GatewayHealthCheck = {
  readonly protocol: 'http' | 'tcp';
  /** Of `http`. */
  readonly path?: string;
  readonly host?: string;
  /** From, to: of these the answer is good. */
  readonly codes?: readonly (readonly [number, number])[];
  /** Milliseconds. */
  readonly interval: number;
  readonly timeout: number;
  /** In a row. */
  readonly healthy: number;
  readonly unhealthy: number;
};

/** Asked in this order, before an action's own filters, external authorization among them. Of several levels all that is listed holds. */
export type GatewayPolicyIntent = {
  /** The objects that it is made of, the nearest first. */
  readonly origins: readonly Origin[];
  /** CIDRs of proxies whose X-Forwarded-For tells who the client is, and X-Forwarded-Proto and -Port how it came. */
  readonly trustedProxies?: readonly string[];
  /** By CIDR; each must let the client in, or it gets 403. */
  readonly access?: readonly { readonly allow?: readonly string[]; readonly deny?: readonly string[] }[];
  /** Above one: 429 with Retry-After. */
  readonly rateLimits?: readonly GatewayRateLimit[];
  /** At once; above one: 503. */
  readonly concurrency?: readonly {
    readonly counter: string;
    readonly by: readonly GatewayCountedBy[];
    readonly requests: number;
  }[];
  /** Bytes; above: 413. 0: any. */
  readonly maxBody?: number;
  /** `users`: key in `users`; absent: it can't be read, and nobody is let in (500). */
  readonly basicAuth?: { readonly realm: string; readonly users?: string };
  readonly firewall?: GatewayFirewall;
  readonly compression?: {
    /** Media types. */
    readonly types: readonly string[];
    /** Bytes. */
    readonly minLength: number;
  };
  /** What clients are shown in place of an answer with such a status, whether a backend's or our own. */
  readonly errors?: readonly GatewayErrorPage[];
  /** Absent: none is written. */
  readonly accessLog?: {
    readonly fields: readonly string[];
    /** Of a million requests. */
    readonly share: number;
  };
  /** Whole requests before they are sent on, whole answers before they are given. */
  readonly buffering?: { readonly requests?: true; readonly answers?: true };
};

/** What a counter is kept for, each by itself; none: one for all. */
export type GatewayCountedBy = 'client' | 'route' | 'tenant' | { readonly header: string };

export type GatewayRateLimit = {
  /** Its own name. */
  readonly counter: string;
  readonly by: readonly GatewayCountedBy[];
  readonly requests: number;
  /** Milliseconds. */
  readonly per: number;
  /** That many more at once. */
  readonly burst: number;
};

export type GatewayErrorPage = {
  readonly codes: readonly number[];
  /** Key in `backends`: asked for the page, with X-Code, X-Format, X-Original-URI and X-Request-Id. */
  readonly backend?: string;
  /** Text, where there is no backend. */
  readonly body?: { readonly contentType: string; readonly text: string };
};

/** ModSecurity with the Core Rule Set. */
export type GatewayFirewall = {
  readonly mode: 'detect' | 'block';
  /** 1 to 4. */
  readonly paranoia: number;
  /** Anomaly score from which on a request is blocked. Answers are not looked at. */
  readonly threshold: number;
  /** What of the rules isn't asked. */
  readonly exclusions: readonly {
    /** Ids or ranges (`942100`, `942000-942999`), and tags. Neither: all rules of the Core Rule Set, and then there is a target. */
    readonly rules?: readonly string[];
    readonly tags?: readonly string[];
    /** Only this is left out of the rules, for example `ARGS:comment`. Absent: the rules are. */
    readonly target?: string;
  }[];
  /** Keys in `firewallRules`. */
  readonly rules?: readonly string[];
};

export type GatewayUsersIntent = {
  /** The Secret. */
  readonly origin: Origin;
  /** By name: the password's hash as in a password file of Apache. */
  readonly users: Readonly<Record<string, string>>;
};

export type GatewayTenantIntent = {
  /** Requests a second, of each pod of the instance. */
  readonly requestsPerSecond?: number;
  /** Requests at once. */
  readonly concurrency?: number;
};
