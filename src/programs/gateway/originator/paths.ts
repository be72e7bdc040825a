/** Where the TLS originator listens for one endpoint as one identity: another identity, another path, so that no connection is ever mixed up. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { GatewayCertificateIntent, GatewayIdentityIntent } from '#intent/gateway.ts';

/** An identity with everything that a connection is made with. */
export type ResolvedIdentity = Omit<GatewayIdentityIntent, 'certificate'> & {
  /** Key in `identities`. */
  readonly key: string;
  readonly client?: Pick<GatewayCertificateIntent, 'certificate' | 'privateKey'>;
  /** The same for identities that make the same connections. */
  readonly fingerprint: string;
};

export function resolveIdentity(
  key: string,
  identity: GatewayIdentityIntent,
  certificate: GatewayCertificateIntent | undefined,
): ResolvedIdentity {
  const { certificate: _, ...rest } = identity;
  const client = certificate && {
    certificate: certificate.certificate,
    privateKey: certificate.privateKey,
  };
  const { hostname, authorities = '', subjectAltNames = [], alpn = '', anybody = false } = identity;
  const fingerprint = digest([
    // Nobody who must prove to be somebody is spoken to over a connection to just anybody.
    anybody,
    hostname,
    authorities,
    subjectAltNames.map(({ type, value }) => [type, value]),
    alpn,
    client?.certificate ?? '',
    client?.privateKey ?? '',
  ]);
  return { ...rest, key, ...(client && { client }), fingerprint };
}

/** Below 108 bytes for any directory of up to 70: what a socket's address can hold. */
export function socketPath(directory: string, identity: ResolvedIdentity, endpoint: string): string {
  return join(directory, `${digest([identity.fingerprint, endpoint])}.sock`);
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
