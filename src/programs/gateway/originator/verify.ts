/** Whether a backend's certificate is for whom it must be. That an authority signed it is checked before. */
import { X509Certificate } from 'node:crypto';
import type { GatewayIdentityIntent } from '#intent/gateway.ts';

/** Names of certificates as RFC 9525 has it: only subjectAltName counts, and a wildcard is one whole label, the first. */
const byName = {
  subject: 'never',
  partialWildcards: false,
  multiLabelWildcards: false,
  singleLabelSubdomains: false,
} as const;

/** What is wrong, as a sentence; undefined: it is who it must be. `raw`: the certificate in DER. */
export function wrongIdentity(
  { hostname, subjectAltNames = [] }: Pick<GatewayIdentityIntent, 'hostname' | 'subjectAltNames'>,
  raw: Uint8Array,
): string | undefined {
  const certificate = new X509Certificate(raw);
  const has = `its certificate is for ${(certificate.subjectAltName ?? 'no name').slice(0, 200)}`;
  if (subjectAltNames.length === 0) {
    return certificate.checkHost(hostname, byName) === undefined ? `${has}, not for ${hostname}` : undefined;
  }
  const names = alternativeNames(certificate.subjectAltName ?? '');
  const fits = subjectAltNames.some(({ type, value }) =>
    type === 'dns' ? fitsName(certificate, names, value) : names.some((name) => isURI(name, value)),
  );
  return fits ? undefined : `${has}, for none of ${subjectAltNames.map(({ value }) => value).join(', ')}`;
}

/** A name that is asked for may itself begin with `*.`: then any name one label below is taken, and the wildcard itself. */
function fitsName(certificate: X509Certificate, names: readonly AlternativeName[], wanted: string): boolean {
  if (!wanted.startsWith('*.')) return certificate.checkHost(wanted, byName) !== undefined;
  const parent = wanted.slice(1).toLowerCase();
  return names.some(({ type, value }) => {
    const dot = value.indexOf('.');
    return type === 'DNS' && dot > 0 && value.slice(dot).toLowerCase() === parent;
  });
}

/** Byte by byte: comparing URIs in any cleverer way takes what the authority did not sign. */
function isURI({ type, value }: AlternativeName, wanted: string): boolean {
  return type === 'URI' && value === wanted;
}

export type AlternativeName = { readonly type: string; readonly value: string };

/**
 * The names in the text that Node makes of them, `DNS:a.example, URI:spiffe://b`: a value that could be mistaken for more than one is a JSON string
 * there. Exported for tests.
 */
export function alternativeNames(text: string): readonly AlternativeName[] {
  const names: AlternativeName[] = [];
  const entry = /([^:,"]+):(?:"((?:[^"\\]|\\.)*)"|([^,]*))(?:, |$)/gy;
  for (let match = entry.exec(text); match !== null; match = entry.exec(text)) {
    const [, type = '', quoted, plain = ''] = match;
    try {
      names.push({ type, value: quoted === undefined ? plain : (JSON.parse(`"${quoted}"`) as string) });
    } catch {
      return [];
    }
    if (entry.lastIndex >= text.length) break;
  }
  return names;
}
