/** Looks into certificates and keys, which pure code can't. */
import { createPrivateKey, X509Certificate } from 'node:crypto';

/** DNS names of the leaf, lower case, or a sentence about what can't be used. PEM, the leaf first. */
export function inspectCertificate(
  certificate: string,
  privateKey: string,
): { readonly names: readonly string[] } | string {
  const chain = parse(certificate);
  if (typeof chain === 'string') return chain;
  const [leaf] = chain;
  if (leaf === undefined) return 'has no certificate';
  try {
    const key = createPrivateKey(privateKey);
    if (!leaf.checkPrivateKey(key)) return 'is of another key than tls.key';
  } catch {
    return 'comes with a private key that can’t be read';
  }
  return { names: namesOf(leaf) };
}

/** A sentence about what can't be used, of certificates of authorities. */
export function inspectAuthority(certificates: string): string | undefined {
  const found = parse(certificates);
  return typeof found === 'string' ? found : undefined;
}

function parse(text: string): readonly X509Certificate[] | string {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const read: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      read.push(new X509Certificate(block));
    } catch {
      return `has something else than a certificate as number ${index + 1}`;
    }
  }
  return read;
}

/** The common name counts only where there are no names otherwise (RFC 9525 §2). */
function namesOf(leaf: X509Certificate): readonly string[] {
  const names = [...(leaf.subjectAltName ?? '').matchAll(/(?:^|, )DNS:([^,"]+)/g)].map(
    ([, name]) => name ?? '',
  );
  const common = /(?:^|\n)CN=([^\n]+)/.exec(leaf.subject)?.[1];
  const found =
    names.length > 0 || leaf.subjectAltName !== undefined || common === undefined ? names : [common];
  return [...new Set(found.map((name) => name.trim().toLowerCase()))].filter((name) =>
    /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name),
  );
}
