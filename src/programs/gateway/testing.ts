/** What tests of the gateway share: intents, and certificates made by openssl. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayBackendIntent, GatewayChange, GatewayIdentityIntent } from '#intent/gateway.ts';

/** A directory that `remove` takes away. */
export function scratch(): { readonly directory: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-gateway-'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

export type KeyPair = { readonly certificate: string; readonly privateKey: string };

export type Authority = {
  /** PEM. */
  readonly certificate: string;
  /** Signs a certificate for these names, as openssl writes them: `DNS:a.example,URI:spiffe://b`. */
  sign(subject: string, names: string): KeyPair;
};

/** An authority of its own, in a directory of the test. */
export function createAuthority(directory: string, name: string): Authority {
  const at = (file: string) => join(directory, `${name}-${file}`);
  const openssl = (...argv: readonly string[]) => void execFileSync('openssl', argv, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-subj',
    `/CN=${name}`,
    '-days',
    '2',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.crt'),
  );
  let serial = 0;
  return {
    certificate: readFileSync(at('ca.crt'), 'utf8'),
    sign(subject, names) {
      serial++;
      const [key, request, signed, extensions] = ['key', 'csr', 'crt', 'ext'].map((kind) =>
        at(`${serial}.${kind}`),
      ) as [string, string, string, string];
      writeFileSync(extensions, names === '' ? 'basicConstraints=CA:FALSE\n' : `subjectAltName=${names}\n`);
      openssl('req', ...newKey, '-subj', `/CN=${subject}`, '-keyout', key, '-out', request);
      openssl(
        'x509',
        '-req',
        '-in',
        request,
        '-CA',
        at('ca.crt'),
        '-CAkey',
        at('ca.key'),
        '-set_serial',
        String(serial),
        '-days',
        '2',
        '-extfile',
        extensions,
        '-out',
        signed,
      );
      return { certificate: readFileSync(signed, 'utf8'), privateKey: readFileSync(key, 'utf8') };
    },
  };
}

export function backend(endpoints: readonly string[], identity?: string): GatewayBackendIntent {
  return {
    origin: { kind: 'Service', namespace: 'x', name: 'web' },
    protocol: 'http',
    endpoints,
    ...(identity !== undefined && { identity }),
  };
}

export function identity(hostname: string, more: Partial<GatewayIdentityIntent> = {}): GatewayIdentityIntent {
  return { origin: { kind: 'BackendTLSPolicy', namespace: 'x', name: 'web' }, hostname, ...more };
}

export function whole(generation: number, put: GatewayChange['put']): GatewayChange {
  return { generation, after: 0, replace: true, put, remove: {} };
}

export function delta(
  generation: number,
  put: GatewayChange['put'],
  remove: GatewayChange['remove'] = {},
): GatewayChange {
  return { generation, after: generation - 1, replace: false, put, remove };
}
