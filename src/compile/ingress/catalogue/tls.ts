/** Annotations about TLS: to clients, with their certificates, and to backends. */
import {
  type AnnotationRow,
  type Annotations,
  close,
  notBoolean,
  type Outcome,
  readBoolean,
  readHost,
  readOwnName,
  refuse,
  shown,
} from '../annotations.ts';

const part = (name: string, of: string, text: string): AnnotationRow => ({ name, state: 'done', text, of });

export const tlsRows: readonly AnnotationRow[] = [
  {
    name: 'auth-tls-secret',
    state: 'done',
    text: 'A Secret of the same namespace with `ca.crt`: clients of the Ingress’s TLS hosts show a certificate of it, and by HTTP are sent to HTTPS.',
    read: clientCertificates,
    closes: true,
  },
  part(
    'auth-tls-verify-client',
    'auth-tls-secret',
    '`on`, the usual, or `off`. Others are refused, and all requests get 503.',
  ),
  {
    name: 'auth-tls-verify-depth',
    state: 'translated',
    text: 'Chains may be of any length.',
    read: (value) => (/^[0-9]{1,3}$/.test(value) ? {} : refuse(`${shown(value)} is no number`)),
  },
  {
    name: 'auth-tls-match-cn',
    state: 'refused',
    text: 'All requests get 503. Use an authority of its own for those who may come in.',
    closes: true,
  },
  {
    name: 'auth-tls-error-page',
    state: 'refused',
    text: 'A client without a certificate gets no connection.',
  },
  {
    name: 'auth-tls-pass-certificate-to-upstream',
    state: 'refused',
    text: 'Backends aren’t told of it; nobody else can tell them by `ssl-client-…`, either.',
    read: (value) =>
      readBoolean(value) === false ? {} : refuse('backends aren’t told of the client’s certificate'),
  },
  {
    name: 'backend-protocol',
    state: 'done',
    text: 'HTTP, HTTPS, GRPC, GRPCS. As in ingress-nginx whoever answers by TLS is taken, unless `proxy-ssl-verify` is on. AUTO_HTTP is HTTP; FCGI is refused, and all requests get 503.',
    read: speech,
  },
  part(
    'proxy-ssl-secret',
    'backend-protocol',
    'A Secret of the same namespace: `ca.crt` says whom to trust, `tls.crt` and `tls.key` are shown.',
  ),
  part(
    'proxy-ssl-verify',
    'backend-protocol',
    '`on`: the certificate must be of `ca.crt` and for `proxy-ssl-name`.',
  ),
  part('proxy-ssl-name', 'backend-protocol', 'The name that is asked for and looked for.'),
  part(
    'proxy-ssl-server-name',
    'backend-protocol',
    '`on`: it is asked for. With `proxy-ssl-verify` it always is.',
  ),
  { name: 'proxy-ssl-verify-depth', state: 'refused', text: 'Chains may be of any length.' },
  { name: 'proxy-ssl-ciphers', state: 'refused', text: 'The gateway’s own: those of OpenSSL’s usual list.' },
  { name: 'proxy-ssl-protocols', state: 'refused', text: 'TLS 1.2 and 1.3.' },
  {
    name: 'ssl-ciphers',
    state: 'done',
    text: 'Of TLS 1.2, by OpenSSL’s names: those that `netloom.dev/tls-ciphers` of a listener takes.',
    read: (value) =>
      /^[A-Z0-9-]+(?::[A-Z0-9-]+)*$/.test(value)
        ? { tlsOptions: { 'netloom.dev/tls-ciphers': value } }
        : refuse(`${shown(value)} are no names of ciphers, separated by colons`),
  },
  {
    name: 'ssl-prefer-server-ciphers',
    state: 'refused',
    text: 'The gateway’s own: clients choose among what is good.',
    read: (value) => (readBoolean(value) === false ? {} : refuse('clients choose among what is good')),
  },
  {
    name: 'ssl-passthrough',
    state: 'done',
    text: 'Connections for the hosts go on as they are, to the backend of the path `/`. Together with what is to keep somebody out (addresses, passwords, limits, firewall) they are closed.',
    read(value) {
      const on = readBoolean(value);
      if (on === undefined) return refuse(notBoolean(value));
      return on ? { passthrough: true } : {};
    },
  },
];

/** Said to backends by nginx of ingress-nginx: no client may. */
const clientHeaders = [
  'ssl-client-cert',
  'ssl-client-verify',
  'ssl-client-subject-dn',
  'ssl-client-issuer-dn',
];

export function asksForClientCertificates(get: Annotations): boolean {
  return get('auth-tls-secret') !== undefined && get('auth-tls-verify-client') !== 'off';
}

function clientCertificates(value: string, get: Annotations, namespace: string): Outcome {
  const mode = get('auth-tls-verify-client') ?? 'on';
  if (mode === 'off') return {};
  const name = readOwnName(value, namespace);
  if (name === undefined) return close(`${shown(value)} is no Secret of namespace ${namespace}`);
  if (mode !== 'on')
    return {
      ...close(`${shown(mode)} can't be served: backends aren't told of certificates`),
      at: 'auth-tls-verify-client',
    };
  return {
    validation: { authorities: [{ group: '', kind: 'Secret', namespace, name }], mode: 'AllowValidOnly' },
    request: { remove: clientHeaders },
  };
}

function speech(value: string, get: Annotations, namespace: string): Outcome {
  const name = value.toUpperCase();
  if (name === 'HTTP') return {};
  if (name === 'AUTO_HTTP') return refuse('is served as HTTP');
  if (name === 'GRPC') return { speech: { protocol: 'h2c' } };
  if (name !== 'HTTPS' && name !== 'GRPCS')
    return close(`${shown(value)} isn't spoken; use HTTP, HTTPS, GRPC or GRPCS`);
  const protocol = name === 'GRPCS' ? 'h2c' : 'http';
  const written = get('proxy-ssl-secret');
  const secret = written === undefined ? undefined : readOwnName(written, namespace);
  if (written !== undefined && secret === undefined)
    return { ...close(`${shown(written)} is no Secret of namespace ${namespace}`), at: 'proxy-ssl-secret' };
  const named = get('proxy-ssl-name');
  const hostname = named === undefined ? undefined : readHost(named);
  if (named !== undefined && (hostname === undefined || hostname.startsWith('*')))
    return { ...close(`${shown(named)} is no hostname`), at: 'proxy-ssl-name' };
  const said = get('proxy-ssl-verify') ?? 'off';
  if (said !== 'on' && said !== 'off')
    return { ...close(`${shown(said)} is not on or off`), at: 'proxy-ssl-verify' };
  const verify = said === 'on';
  if (verify && (secret === undefined || hostname === undefined))
    return { ...close('needs proxy-ssl-secret and proxy-ssl-name'), at: 'proxy-ssl-verify' };
  const asks = verify || get('proxy-ssl-server-name') === 'on';
  return {
    speech: {
      protocol,
      tls: {
        hostname: asks ? (hostname ?? '') : '',
        ...(verify && secret !== undefined ? { authority: secret } : {}),
        ...(secret === undefined ? {} : { certificate: secret }),
      },
    },
  };
}
