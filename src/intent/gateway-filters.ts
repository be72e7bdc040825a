/** What an action does with a request besides sending it on: changes, redirects, who is asked. */

/** What is changed of requests on the way in and of answers on the way out; a backend's own come after its rule's. */
export type GatewayFilters = {
  readonly request?: GatewayHeaderChange;
  readonly response?: GatewayHeaderChange;
  readonly rewrite?: { readonly hostname?: string; readonly path?: GatewayPathChange };
};

export type GatewayHeaderChange = {
  readonly set?: readonly { readonly name: string; readonly value: string }[];
  readonly add?: readonly { readonly name: string; readonly value: string }[];
  readonly remove?: readonly string[];
};

/** `prefix` puts `value` in place of the prefix that the rule matched. */
export type GatewayPathChange =
  | { readonly type: 'full' | 'prefix'; readonly value: string }
  /** The rule's path is a regex: `$1` to `$9` in `value` are what its groups matched, `$$` a dollar; what a group didn't match is ''. */
  | { readonly type: 'captures'; readonly value: string };

export type GatewayRedirect = {
  /** Absent: the request's. */
  readonly scheme?: 'http' | 'https';
  /** Absent: the request's. */
  readonly hostname?: string;
  /** Absent: the listener's; always there with `scheme`. Not written into Location where it is the scheme's own. */
  readonly port?: number;
  /** Absent: the request's. */
  readonly path?: GatewayPathChange;
  readonly statusCode: number;
  /** The request's query isn't taken over. */
  readonly withoutQuery?: true;
};

export type GatewayCORS = {
  /** `*`, or `scheme://host[:port]` where the host may begin with `*.`. */
  readonly allowOrigins: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  /** Seconds. */
  readonly maxAge: number;
};

export type GatewayExternalAuth = {
  readonly protocol: 'http' | 'grpc';
  /** Key in `backends`; absent: it can't be resolved, and every request gets 500. */
  readonly backend?: string;
  readonly path: string;
  readonly allowedHeaders: readonly string[];
  readonly allowedResponseHeaders: readonly string[];
  /** Bytes; absent: the body stays here. */
  readonly forwardBody?: number;
  /**
   * Of an Ingress, as ingress-nginx asks: `path` is all of the target, with the request's own in X-Original-URL and X-Original-Method; any 2xx lets
   * it pass, 401 becomes a redirect to `signIn`, 403 stays, and all else is 500. Cookies of its answer go to the client.
   */
  readonly asIngress?: {
    /** Absent: the request's. */
    readonly method?: string;
    /**
     * `$scheme`, `$host` and their like in the URL are the request's; `parameter` is put behind it and says where the client wanted to go.
     * Absent: the URL says so.
     */
    readonly signIn?: { readonly url: string; readonly parameter?: string };
    /** Whatever the status of the answer is; absent: of those that went well, and redirects. */
    readonly alwaysSetCookie?: true;
  };
};
