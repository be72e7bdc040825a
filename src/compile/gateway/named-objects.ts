/** Secrets and ConfigMaps that Gateways, ListenerSets and policies name: certificates, and authorities that judge others'. */
import type { AuthorityModel, CertificateModel, ObjectReference } from '#model/gateway/types.ts';
import type { Asking } from './inputs.ts';

/** The object that names another one, as ReferenceGrants know it. */
export type Referrer = { readonly group: string; readonly kind: string; readonly namespace: string };

export type Found<T> =
  | { readonly value: T; readonly refused?: undefined }
  | { readonly value?: undefined; readonly refused: { readonly reason: string; readonly message: string } };

/** `reason`: what is said of a certificate that can't be used, `RefNotPermitted` aside. */
export function findCertificate(
  from: Referrer,
  reference: ObjectReference,
  reason: string,
  ask: Asking,
): Found<CertificateModel> {
  const { group, kind } = reference;
  if (group !== '' || kind !== 'Secret')
    return refuse(
      reason,
      `${shown(reference)} is no Secret; a certificate is in a Secret, as tls.crt and tls.key`,
    );
  // Asked first, so that it is watched already when a grant comes.
  const value = ask.certificate(reference);
  if (!ask.permits(from, reference)) return notPermitted(from, reference);
  if (value === undefined)
    return refuse(reason, `${shown(reference)} doesn't exist or holds no certificate with its key`);
  return { value };
}

/** A ConfigMap or Secret with `ca.crt`. */
export function findAuthority(
  from: Referrer,
  reference: ObjectReference,
  reasons: { readonly kind: string; readonly object: string },
  ask: Asking,
): Found<AuthorityModel> {
  const { group, kind } = reference;
  if (group !== '' || (kind !== 'ConfigMap' && kind !== 'Secret'))
    return refuse(reasons.kind, `${shown(reference)} is no ConfigMap and no Secret`);
  const value = ask.authority(reference);
  if (!ask.permits(from, reference)) return notPermitted(from, reference);
  if (value === undefined)
    return refuse(reasons.object, `${shown(reference)} doesn't exist or has no certificates in ca.crt`);
  return { value };
}

function notPermitted({ kind, namespace }: Referrer, reference: ObjectReference): Found<never> {
  return refuse(
    'RefNotPermitted',
    `No ReferenceGrant in ${reference.namespace} lets a ${kind} of ${namespace} use ${shown(reference)}`,
  );
}

function refuse(reason: string, message: string): Found<never> {
  return { refused: { reason, message } };
}

function shown({ group, kind, namespace, name }: ObjectReference): string {
  return `${group === '' ? kind : `${group}/${kind}`} ${namespace}/${name}`;
}
