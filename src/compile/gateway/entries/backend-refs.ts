/** Whether what a route sends to can be resolved, and how it is spoken to. */
import type { BackendReference, BackendSpeech, RouteKind } from '#model/gateway/types.ts';
import type { BackendUse, EntryContext } from '../types.ts';

/** Who refers to a backend. */
export type Referrer = {
  /** Absent: that of Gateway API. */
  readonly group?: string;
  readonly kind: RouteKind | (string & {});
  readonly namespace: string;
};

/** What is spoken to a backend. `passed` is TCP with the client's own TLS in it, to which no BackendTLSPolicy applies. */
export type Speech = 'http' | 'grpc' | 'tcp' | 'udp' | 'passed';

/**
 * `refusal` is for the route's condition. With neither of the two a BackendTLSPolicy is in force that can't be kept: its own status says
 * why, and the backend's requests fail, since they are never sent in plain text instead.
 */
export type Resolution = { readonly use?: BackendUse; readonly refusal?: Refusal };

export type Refusal = {
  readonly reason: 'InvalidKind' | 'RefNotPermitted' | 'BackendNotFound' | 'UnsupportedProtocol';
  /** A sentence without the field. */
  readonly message: string;
};

/**
 * Judged in this order: the kind; permission, before anything is told of another namespace; the Service, its type and its port; what the
 * port speaks; TLS.
 */
export function resolveBackend(
  reference: BackendReference,
  from: Referrer,
  speech: Speech,
  context: EntryContext,
): Resolution {
  const { group, kind, namespace, name, port } = reference;
  const key = `${namespace}/${name}`;
  const refuse = (reason: Refusal['reason'], message: string): Resolution => ({
    refusal: { reason, message },
  });
  if (group !== '' || kind !== 'Service') {
    const shown = group === '' ? kind : `${group}/${kind}`;
    return refuse('InvalidKind', `${shown} can't be a backend; use a Service`);
  }
  const { group: ofGroup = 'gateway.networking.k8s.io' } = from;
  const referrer = { group: ofGroup, kind: from.kind, namespace: from.namespace };
  if (namespace !== from.namespace && !context.permits(referrer, reference)) {
    return refuse('RefNotPermitted', `no ReferenceGrant in ${namespace} permits Service ${key}`);
  }
  const service = context.service(key);
  if (service === undefined) return refuse('BackendNotFound', `there is no Service ${key}`);
  if (service.external) {
    return refuse('InvalidKind', `Service ${key} is of type ExternalName, which can't be a backend`);
  }
  if (port === undefined) return refuse('BackendNotFound', `says no port of Service ${key}`);
  const entries = service.ports.filter((each) => each.port === port);
  if (entries.length === 0) return refuse('BackendNotFound', `Service ${key} has no port ${port}`);
  const transport = speech === 'udp' ? 'UDP' : 'TCP';
  const entry = entries.find((each) => each.protocol.toUpperCase() === transport);
  if (entry === undefined) {
    return refuse(
      'UnsupportedProtocol',
      `port ${port} of Service ${key} is ${entries[0]?.protocol}; a ${from.kind} needs ${transport}`,
    );
  }
  if (reference.speech !== undefined) return spokenAs(reference.speech, key, port, context);
  const tls = speech === 'udp' || speech === 'passed' ? undefined : context.tls(key, port);
  const protocol = protocolOf(speech, entry.appProtocol, tls !== undefined);
  if (protocol === undefined) {
    const needsTLS = protocolOf(speech, entry.appProtocol, true) !== undefined;
    return refuse(
      'UnsupportedProtocol',
      `port ${port} of Service ${key} speaks "${entry.appProtocol}", ${
        needsTLS ? 'which needs a BackendTLSPolicy' : `which a ${from.kind} can't be sent by`
      }`,
    );
  }
  if (tls?.usable === false) return {};
  const plain = { service: key, port, protocol };
  const place = `${key}:${port}/${protocol}`;
  if (tls === undefined) return { use: { key: place, ...plain } };
  const identity = `${tls.policy.key}/${protocol}`;
  return { use: { key: `${place}@${identity}`, ...plain, identity } };
}

/** As an Ingress says it. Who must prove to be somebody isn't spoken to while it can't be judged. */
function spokenAs(
  { protocol, tls }: BackendSpeech,
  service: string,
  port: number,
  context: EntryContext,
): Resolution {
  const plain = { service, port, protocol };
  const place = `${service}:${port}/${protocol}`;
  if (tls === undefined) return { use: { key: place, ...plain } };
  const { origin, hostname, authority, certificate } = tls;
  if (authority !== undefined && context.authority(authority) === undefined) {
    const message = `Secret ${authority.namespace}/${authority.name} doesn't exist or has no certificates in ca.crt`;
    return { refusal: { reason: 'BackendNotFound', message } };
  }
  const parts = [hostname, authority?.name ?? '', certificate?.name ?? ''].join('+');
  const identity = `${origin.namespace}/${origin.name}~ingress/${parts}/${protocol}`;
  return { use: { key: `${place}@${identity}`, ...plain, identity, speech: tls } };
}

/**
 * By appProtocol (KEP-3726, and names in common use), in any case. Where it isn't said, a GRPCRoute means HTTP/2 in plain text, another
 * HTTP/1.1. What says TLS by its name can't be spoken without a policy: nobody would know whom to trust.
 */
function protocolOf(
  speech: Speech,
  appProtocol: string | undefined,
  tls: boolean,
): BackendUse['protocol'] | undefined {
  switch (speech) {
    case 'udp':
      return 'udp';
    case 'tcp':
    case 'passed':
      return 'tcp';
    default: {
      const name = appProtocol?.toLowerCase() ?? '';
      if (name === '' || (tls && name === 'https')) return speech === 'grpc' ? 'h2c' : 'http';
      if (twos.has(name) || (tls && name === 'grpcs')) return 'h2c';
      const one = ones.has(name) || (tls && name === 'kubernetes.io/wss');
      return one && speech === 'http' ? 'http' : undefined;
    }
  }
}

const ones = new Set(['http', 'kubernetes.io/ws']);
const twos = new Set(['kubernetes.io/h2c', 'h2c', 'grpc']);
