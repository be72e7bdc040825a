/** Reads authorities: ConfigMaps and Secrets with certificates in `ca.crt`. */
import type { KubeObject } from '#api/object.ts';
import { collectProblems, type Read } from '../problem.ts';
import { certificatesOf } from './certificate.ts';
import { gatewayObject, readRaw } from './fields.ts';
import { decodeASCII, readPEM } from './pem.ts';
import type { AuthorityModel } from './types.ts';

/** A sentence when one of the certificates is none. `inspectAuthority` of system/certificate.ts. */
export type InspectAuthority = (certificates: string) => string | undefined;

/** One with anything wrong has no value. A private key beside the certificates is dropped. */
export function readAuthority(object: KubeObject, inspect: InspectAuthority): Read<AuthorityModel> {
  const { origin, key } = gatewayObject(object);
  const { problems, refuse } = collectProblems(origin);
  const field = 'data[ca.crt]';
  const written = readRaw(object['data'], 'data', refuse)['ca.crt'];
  if (typeof written !== 'string' || written === '') {
    refuse(field, 'Required', 'is not there, or empty');
    return { value: undefined, problems };
  }
  const text = object.kind === 'Secret' ? decodeASCII(written) : written;
  const blocks = text === undefined ? undefined : readPEM(text);
  if (blocks === undefined)
    refuse(field, 'InvalidCertificate', 'is not in PEM: blocks of Base64 between BEGIN and END');
  const certificates = blocks && certificatesOf(blocks, field, refuse);
  const found = certificates && inspect(certificates);
  if (found !== undefined) refuse(field, 'InvalidCertificate', found);
  if (certificates === undefined || found !== undefined) return { value: undefined, problems };
  return { value: { origin, key, certificates }, problems };
}
