/** The cluster's keys and certificates: made once, kept in files, read on every later start. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAddr } from '#net/addr.ts';
import { readIfExists, writeFileAtomic } from '#system/files.ts';
import { type KeyPair, makeCertificate } from './certificate.ts';

export type Pki = {
  readonly authority: KeyPair;
  readonly server: KeyPair;
  /** Member of system:masters. */
  readonly admin: KeyPair;
  /** EC P-256 private key that signs service account tokens, PKCS#8 PEM. */
  readonly serviceAccountKey: string;
};

const authorityYears = 10;
const leafYears = 5;

/** Names and addresses that every server certificate carries beside those asked for. */
const serverNames = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  '127.0.0.1',
  '::1',
  '192.168.66.1',
  'fd66::1',
  '10.96.0.1',
  'fd10:96::1',
];

/**
 * Reads the PKI of a directory, making what is not there (CA, server, admin, service account key; files of mode 0600).
 * The server certificate is made again when it has expired or `names` asks for more than it has.
 */
export function openPki(directory: string, names: readonly string[] = []): Pki {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const authority =
    readPair(directory, 'ca') ??
    keep(
      directory,
      'ca',
      makeCertificate({ use: 'authority', commonName: 'kubernetes', ...validity(authorityYears) }),
    );
  const wanted = [...new Set([...serverNames, ...names])];
  const old = readPair(directory, 'server');
  const server =
    old !== undefined && covers(old.certificate, wanted)
      ? old
      : keep(
          directory,
          'server',
          makeCertificate(
            { use: 'server', commonName: 'kube-apiserver', names: wanted, ...validity(leafYears) },
            authority,
          ),
        );
  const admin =
    readPair(directory, 'admin') ??
    keep(directory, 'admin', issueClient(authority, 'kubernetes-admin', ['system:masters']));
  return { authority, server, admin, serviceAccountKey: signingKey(directory) };
}

/** A client certificate: `commonName` becomes the user, `organizations` the groups. */
export function issueClient(
  authority: KeyPair,
  commonName: string,
  organizations: readonly string[],
): KeyPair {
  return makeCertificate({ use: 'client', commonName, organizations, ...validity(leafYears) }, authority);
}

function signingKey(directory: string): string {
  const path = join(directory, 'service-account.key');
  const old = readIfExists(path);
  if (old !== undefined) return old;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const text = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  writeFileAtomic(path, text, 0o600);
  return text;
}

function readPair(directory: string, name: string): KeyPair | undefined {
  const certificate = readIfExists(join(directory, `${name}.crt`));
  const key = readIfExists(join(directory, `${name}.key`));
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

/** The certificate last: a pair of which only the key was written counts as not there. */
function keep(directory: string, name: string, pair: KeyPair): KeyPair {
  writeFileAtomic(join(directory, `${name}.key`), pair.key, 0o600);
  writeFileAtomic(join(directory, `${name}.crt`), pair.certificate, 0o600);
  return pair;
}

function covers(certificate: string, names: readonly string[]): boolean {
  const parsed = new X509Certificate(certificate);
  if (new Date(parsed.validTo).getTime() < Date.now()) return false;
  return names.every((name) => {
    const found = parseAddr(name) === undefined ? parsed.checkHost(name) : parsed.checkIP(name);
    return found !== undefined;
  });
}

function validity(years: number): { readonly notBefore: Date; readonly notAfter: Date } {
  // An hour back, since the clocks of machines differ.
  const notBefore = new Date(Date.now() - 3_600_000);
  return { notBefore, notAfter: new Date(notBefore.getTime() + years * 365 * 86_400_000) };
}
