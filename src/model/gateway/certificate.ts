/** Reads certificates: Secrets with `tls.crt` and `tls.key`, as cert-manager and kubectl make them, of whatever type. */
import type { KubeObject } from '#api/object.ts';
import { collectProblems, type Read, type Refuse } from '../problem.ts';
import { gatewayObject, readRaw } from './fields.ts';
import { decodeASCII, readPEM } from './pem.ts';
import type { CertificateModel } from './types.ts';

/**
 * What this folder can't see, being pure: the DNS names of the chain's leaf in lower case, or a sentence why the key isn't its key or one of
 * the certificates is none. `inspectCertificate` of system/certificate.ts.
 */
export type InspectCertificate = (
  certificate: string,
  privateKey: string,
) => { readonly names: readonly string[] } | string;

const keyLabels = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];

/** Whether a Secret is meant as one: by its type, or by what is in it. */
export function isCertificate(object: KubeObject): boolean {
  const { type, data } = object as { readonly type?: unknown; readonly data?: unknown };
  if (type === 'kubernetes.io/tls') return true;
  return typeof data === 'object' && data !== null && 'tls.crt' in data && 'tls.key' in data;
}

/** One with anything wrong has no value: it is never handed to the data plane. Messages show nothing of what is in it. */
export function readCertificate(object: KubeObject, inspect: InspectCertificate): Read<CertificateModel> {
  const { origin, key } = gatewayObject(object);
  const { problems, refuse } = collectProblems(origin);
  const data = readRaw(object['data'], 'data', refuse);
  const chain = readBlocks(data['tls.crt'], 'data[tls.crt]', refuse);
  const keys = readBlocks(data['tls.key'], 'data[tls.key]', refuse);
  const certificate = chain && certificatesOf(chain, 'data[tls.crt]', refuse);
  const [privateKey, ...more] = keys?.filter(({ label }) => keyLabels.includes(label)) ?? [];
  if (keys !== undefined && (privateKey === undefined || more.length > 0))
    refuse('data[tls.key]', 'InvalidCertificate', 'has not one private key that is not encrypted, in PEM');
  if (certificate === undefined || privateKey === undefined || problems.length > 0)
    return { value: undefined, problems };
  const found = inspect(certificate, privateKey.text);
  if (typeof found === 'string') {
    refuse('data[tls.crt]', 'InvalidCertificate', found);
    return { value: undefined, problems };
  }
  return {
    value: { origin, key, certificate, privateKey: privateKey.text, names: found.names },
    problems,
  };
}

type Blocks = NonNullable<ReturnType<typeof readPEM>>;

function readBlocks(value: unknown, field: string, refuse: Refuse): Blocks | undefined {
  if (typeof value !== 'string' || value === '') return refuse(field, 'Required', 'is not there, or empty');
  const text = decodeASCII(value);
  return (
    (text === undefined ? undefined : readPEM(text)) ??
    refuse(field, 'InvalidCertificate', 'is not in PEM: blocks of Base64 between BEGIN and END')
  );
}

/** All certificates among the blocks, in their order. */
export function certificatesOf(blocks: Blocks, field: string, refuse: Refuse): string | undefined {
  const certificates = blocks.filter(({ label }) => label === 'CERTIFICATE');
  if (certificates.length === 0) return refuse(field, 'InvalidCertificate', 'has no certificate');
  return certificates.map(({ text }) => text).join('');
}
