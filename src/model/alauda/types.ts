/** What is known of ALB's own objects once they are read: ALB2, Frontend, Rule. */
import type { ALBInstance, TenantsModel } from '../gateway/policy-types.ts';
import type { GatewayObject, HeaderChange } from '../gateway/types.ts';

/** A Secret or Service that is named, with its namespace. */
export type Named = { readonly namespace: string; readonly name: string };

export type ALB2Model = GatewayObject & {
  /** Annotation `netloom.dev/serve: "true"`: without it the object is ALB's own controller's. */
  readonly isServed: boolean;
  readonly instance: ALBInstance;
  readonly tenants: TenantsModel;
  readonly ingress: {
    /** Absent: none. */
    readonly http?: number;
    readonly https?: number;
    /** All that comes to `http` is redirected to https. */
    readonly redirect: boolean;
    readonly isDefault: boolean;
  };
  /** Of Frontends that name none. */
  readonly certificate?: Named;
  readonly settings: AlaudaSettings;
};

export type FrontendModel = GatewayObject & {
  /** Name of the ALB2, of the same namespace. */
  readonly alb: string;
  readonly port: number;
  readonly protocol: 'http' | 'https' | 'grpc' | 'grpcs' | 'tcp' | 'udp';
  readonly certificate?: Named;
  readonly group?: ServiceGroup;
  readonly settings: AlaudaSettings;
};

export type RuleModel = GatewayObject & {
  /** Name of the ALB2, of the same namespace, as the Rule itself says it: whose it is while there is no Frontend. */
  readonly alb?: string;
  /** Name of the Frontend, of the same namespace. */
  readonly frontend: string;
  /** What ALB sorts by: the lower priority, then the greater weight, then the greater length. */
  readonly order: { readonly priority: number; readonly weight: number; readonly length: number };
  /** All must hold. */
  readonly terms: readonly Term[];
  /** Some of what it takes can't be told: it would take more than it should. */
  readonly isVague: boolean;
  readonly certificate?: { readonly domain: string; readonly secret: Named };
  readonly rewrite?: { readonly base: string; readonly target: string };
  readonly vhost?: string;
  readonly cors?: { readonly origins: readonly string[]; readonly headers: readonly string[] };
  /** By annotations: headers on the way to the backend, and back. */
  readonly headers: { readonly request?: HeaderChange; readonly response?: HeaderChange };
  readonly group?: ServiceGroup;
  readonly settings: AlaudaSettings;
};

export type TermType = 'HOST' | 'URL' | 'SRC_IP' | 'METHOD' | 'HEADER' | 'PARAM' | 'COOKIE';

/** Any of its conditions must hold. `key`: of a header (lower case), a parameter or a cookie. */
export type Term = {
  readonly type: TermType;
  readonly key?: string;
  readonly conditions: readonly Condition[];
};

export type Condition =
  | { readonly is: 'exactly' | 'prefix' | 'suffix'; readonly value: string }
  /** Found anywhere in the text, unless it says otherwise. */
  | { readonly is: 'regex'; readonly value: string }
  | { readonly is: 'there' }
  /** Of addresses; CIDRs. */
  | { readonly is: 'within'; readonly cidrs: readonly string[] };

export type ServiceGroup = {
  readonly services: readonly (Named & { readonly port: number; readonly weight: number })[];
  readonly affinity?: { readonly by: 'client' } | { readonly by: 'cookie' | 'header'; readonly name: string };
  /** Of `https` and `grpcs` whoever answers is taken, as in ALB. */
  readonly protocol: 'http' | 'https' | 'grpc' | 'grpcs';
};

/** `config`, of all three kinds: the nearest that says something has its way. */
export type AlaudaSettings = {
  readonly redirect?: AlaudaRedirect;
  /** Milliseconds. */
  readonly timeouts?: { readonly connect?: number; readonly read?: number };
  readonly auth?: AlaudaAuth;
  /** `unusable`: it protects, and can't be honoured as it is written: nobody is let in. */
  readonly firewall?: { readonly mode: 'off' | 'block' } | { readonly unusable: string };
};

export type AlaudaRedirect = {
  readonly code: number;
  readonly scheme?: 'http' | 'https';
  readonly host?: string;
  readonly port?: number;
  /** `full`: the whole path; else what comes in the place of the prefix `from`. */
  readonly path?: { readonly full: string } | { readonly from: string; readonly to: string };
};

export type AlaudaAuth =
  | { readonly by: 'nobody' }
  | { readonly by: 'password'; readonly realm: string; readonly secret: string }
  | {
      readonly by: 'service';
      readonly service: Named & { readonly port: number };
      readonly path: string;
      readonly method: string;
      readonly answerHeaders: readonly string[];
      readonly signIn?: { readonly url: string; readonly parameter: string };
    }
  | { readonly by: 'unusable'; readonly message: string };
