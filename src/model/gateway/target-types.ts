/** What is known of what Gateways and routes name: Services with how they are spoken to, certificates, authorities. */
import type { Origin } from '#intent/origin.ts';
import type { ObjectReference } from './types.ts';

/** A Service as a target of routes: its ports with what they speak. Its endpoints come by EndpointSliceModel. */
export type BackendServiceModel = {
  readonly origin: Origin;
  readonly key: string;
  /** ExternalName can't be a backend. */
  readonly external: boolean;
  readonly ports: readonly {
    readonly name: string;
    readonly protocol: string;
    readonly port: number;
    readonly appProtocol?: string;
  }[];
};

/** A Secret with a certificate and its key; the PEM texts, already judged. */
export type CertificateModel = {
  readonly origin: Origin;
  readonly key: string;
  /** The chain, leaf first. */
  readonly certificate: string;
  readonly privateKey: string;
  /** DNS names that the leaf is for, lower case. */
  readonly names: readonly string[];
};

/** A ConfigMap or Secret with `ca.crt`. */
export type AuthorityModel = { readonly origin: Origin; readonly key: string; readonly certificates: string };

/** How the backend of an Ingress is spoken to. */
export type BackendSpeech = {
  readonly protocol: 'http' | 'h2c';
  readonly tls?: {
    /** The Ingress. */
    readonly origin: Origin;
    /** Asked for; '': none is. */
    readonly hostname: string;
    /** A Secret with `ca.crt`. Absent: as ingress-nginx has it, whoever answers is taken. */
    readonly authority?: ObjectReference;
    /** A Secret with what the gateway shows of itself. */
    readonly certificate?: ObjectReference;
  };
};

/** How ingress-nginx asks: always for the same target, with the request's own in X-Original-URL and X-Original-Method. */
export type IngressAuth = {
  /** Absent: the request's. */
  readonly method?: string;
  /**
   * Where clients are sent that get 401, with variables of ingress-nginx perhaps; `parameter` is put behind it and tells where they wanted to
   * go. Absent: the URL says so.
   */
  readonly signIn?: { readonly url: string; readonly parameter?: string };
  /** Cookies of its answer go to the client with answers of every status, not only of those that went well. */
  readonly alwaysSetCookie?: true;
};
