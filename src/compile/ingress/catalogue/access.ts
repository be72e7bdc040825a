/** Annotations that say who may come in and how often: lists of addresses, limits, passwords, other services' word. */
import { isToken } from '#model/gateway/headers.ts';
import type { IngressAuth } from '#model/gateway/target-types.ts';
import {
  type AnnotationRow,
  type Annotations,
  close,
  notBoolean,
  type Outcome,
  readBoolean,
  readCIDRs,
  readNumber,
  readOwnName,
  readURL,
  readWords,
  refuse,
  shown,
} from '../annotations.ts';
import type { Effects } from '../effects.ts';

const part = (name: string, of: string, text: string): AnnotationRow => ({ name, state: 'done', text, of });

/** By an older name, too. */
const twin = (of: string, name: string, text: string, read: NonNullable<AnnotationRow['read']>) =>
  [
    { name: of, state: 'done', text, read, needsValue: true },
    {
      name,
      state: 'done',
      needsValue: true,
      text: `As \`${of}\`, its newer name.`,
      read: (value, get, namespace) => (get(of) === undefined ? read(value, get, namespace) : {}),
    },
  ] as const satisfies readonly AnnotationRow[];

export const accessRows: readonly AnnotationRow[] = [
  ...twin(
    'allowlist-source-range',
    'whitelist-source-range',
    'Clients of these CIDRs; all others get 403.',
    (value) => {
      const allow = readCIDRs(value);
      return allow === undefined
        ? close(`${shown(value)} are no CIDRs`)
        : { settings: { access: { allow } } };
    },
  ),
  {
    name: 'denylist-source-range',
    state: 'done',
    needsValue: true,
    text: 'Clients of these CIDRs get 403.',
    read(value) {
      const deny = readCIDRs(value);
      return deny === undefined ? close(`${shown(value)} are no CIDRs`) : { settings: { access: { deny } } };
    },
  },
  {
    name: 'limit-connections',
    state: 'translated',
    text: 'Requests at once of one client, of each pod of the ALB.',
    read: (value) =>
      number(value, (requests) => ({ settings: { concurrency: [{ requests, by: ['client'] }] } })),
  },
  {
    name: 'limit-rps',
    state: 'translated',
    text: 'Requests a second of one client, of each pod of the ALB. Those above get 429, not 503.',
    read: (value, get) => rate(value, 1_000, get),
  },
  {
    name: 'limit-rpm',
    state: 'translated',
    text: 'Requests a minute of one client, of each pod of the ALB. Those above get 429, not 503.',
    read: (value, get) => rate(value, 60_000, get),
  },
  {
    name: 'limit-burst-multiplier',
    state: 'done',
    text: 'So many times the limit may come at once (5).',
    read: (value) =>
      readNumber(value, 1, 1_000) === undefined ? refuse(`${shown(value)} is no number`) : {},
  },
  { name: 'limit-rate', state: 'refused', text: 'Answers aren’t slowed down; a QoSPolicy limits pods.' },
  { name: 'limit-rate-after', state: 'refused', text: 'Answers aren’t slowed down.' },
  {
    name: 'limit-allowlist',
    state: 'refused',
    text: 'Limits hold for all clients; give those an Ingress of their own.',
  },
  {
    name: 'limit-whitelist',
    state: 'refused',
    text: 'Limits hold for all clients; give those an Ingress of their own.',
  },
  {
    name: 'auth-type',
    state: 'done',
    text: '`basic`; `digest` is refused, and all requests get 503.',
    read: basic,
    closes: true,
  },
  part('auth-secret', 'auth-type', 'A Secret of the Ingress’s own namespace.'),
  part(
    'auth-secret-type',
    'auth-type',
    '`auth-file`: key `auth` of the Secret is a password file. `auth-map` is refused, and all requests get 503.',
  ),
  part('auth-realm', 'auth-type', 'What browsers show.'),
  {
    name: 'auth-url',
    state: 'translated',
    text: 'Asked before each request. The host is a Service (`http://NAME.NAMESPACE.svc.cluster.local:PORT/PATH`; in another namespace with its ReferenceGrant) or `$host`, where the path is another Ingress’s; any other is refused, and all requests get 503.',
    read: external,
    closes: true,
  },
  part('auth-method', 'auth-url', 'How it is asked; absent: GET, as nginx asks.'),
  part('auth-response-headers', 'auth-url', 'Headers of its answer that go on with the request.'),
  part(
    'auth-signin',
    'auth-url',
    'Where clients are sent that get 401: a URL, with `$scheme`, `$host`, `$http_host`, `$request_uri`, `$escaped_request_uri`, `$request_method` perhaps; others are refused, and all requests get 503.',
  ),
  part(
    'auth-signin-redirect-param',
    'auth-url',
    'Names the parameter that says where they wanted to go (`rd`); put behind a URL that has none of that name.',
  ),
  {
    name: 'auth-request-redirect',
    state: 'refused',
    text: 'X-Auth-Request-Redirect is the request’s own target.',
  },
  part(
    'auth-always-set-cookie',
    'auth-url',
    'The service’s cookies reach the client with each answer of the backend; without it with answers 200, 201, 204, 206, 301 to 304, 307 and 308.',
  ),
  { name: 'auth-cache-key', state: 'refused', text: 'It is asked each time.' },
  { name: 'auth-cache-duration', state: 'refused', text: 'It is asked each time.' },
  { name: 'auth-keepalive', state: 'refused', text: 'Connections to it are kept anyway.' },
  { name: 'auth-keepalive-requests', state: 'refused', text: 'Connections to it are kept anyway.' },
  { name: 'auth-keepalive-share-vars', state: 'refused', text: 'Connections to it are kept anyway.' },
  { name: 'auth-keepalive-timeout', state: 'refused', text: 'Connections to it are kept anyway.' },
  {
    name: 'auth-proxy-set-headers',
    state: 'refused',
    text: 'The service is told the request’s own headers; all requests get 503.',
    closes: true,
  },
  {
    name: 'auth-snippet',
    state: 'refused',
    text: 'No snippets: all requests get 503. Use `auth-url` and what belongs to it.',
    closes: true,
  },
  {
    name: 'enable-global-auth',
    state: 'translated',
    text: 'A TrafficPolicy with `externalAuth` at the ALB is for all; one at the Ingress is nearer.',
    read(value) {
      const on = readBoolean(value);
      if (on === undefined) return refuse(notBoolean(value));
      return on
        ? {}
        : refuse(
            'an Ingress can’t step out of what holds for its ALB; a TrafficPolicy for it may say otherwise',
          );
    },
  },
  {
    name: 'satisfy',
    state: 'refused',
    text: '`any`: list of addresses and password must both let a client in.',
    read: (value) => (value === 'all' ? {} : refuse('all that protects must let a client in')),
  },
];

function number(value: string, then: (number: number) => Effects): Outcome {
  const read = readNumber(value, 0, 1_000_000_000);
  if (read === undefined) return close(`${shown(value)} is no number`);
  return read === 0 ? {} : then(read);
}

function rate(value: string, per: number, get: Annotations): Outcome {
  const times = readNumber(get('limit-burst-multiplier'), 1, 1_000) ?? 5;
  return number(value, (requests) => ({
    settings: { rateLimits: [{ requests, per, burst: requests * times, by: ['client'] }] },
  }));
}

function basic(value: string, get: Annotations, namespace: string): Outcome {
  if (value !== 'basic') return close(`${shown(value)} can't be served; use basic, or auth-url`);
  const kind = get('auth-secret-type') ?? 'auth-file';
  if (kind !== 'auth-file')
    return { ...close('users can only be in a password file under the key auth'), at: 'auth-secret-type' };
  const named = get('auth-secret');
  if (named === undefined) return close('needs auth-secret');
  const secret = readOwnName(named, namespace);
  if (secret === undefined)
    return { ...close(`${shown(named)} is no Secret of namespace ${namespace}`), at: 'auth-secret' };
  const realm = get('auth-realm') ?? '';
  if (!/^[ -~]*$/.test(realm) || /["\\]/.test(realm))
    return { ...close(`${shown(realm)} can't be a realm`), at: 'auth-realm' };
  return { settings: { basicAuth: { realm, secret } } };
}

function external(value: string, get: Annotations): Outcome {
  const url = readURL(value);
  if (url === undefined)
    return close(`${shown(value)} is no URL of a Service, and variables can't be used in it`);
  const method = get('auth-method');
  if (method !== undefined && !['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].includes(method))
    return { ...close(`${shown(method)} is no method`), at: 'auth-method' };
  const responseHeaders = readWords(get('auth-response-headers'));
  const bad = responseHeaders.find((each) => !isToken(each));
  if (bad !== undefined)
    return { ...close(`${shown(bad)} is no name of a header`), at: 'auth-response-headers' };
  const signIn = signInOf(get);
  if (signIn === 'unusable') {
    const text = `${shown(get('auth-signin') ?? '')} is no URL that clients can be sent to`;
    return { ...close(text), at: 'auth-signin' };
  }
  const always = get('auth-always-set-cookie');
  const alwaysSetCookie = readBoolean(always);
  const asIngress = {
    method: method ?? 'GET',
    ...(signIn && { signIn }),
    ...(alwaysSetCookie === true && { alwaysSetCookie }),
  };
  const effects: Effects = { auth: { url, asIngress, responseHeaders } };
  if (always !== undefined && alwaysSetCookie === undefined)
    return { ...refuse(notBoolean(always)), at: 'auth-always-set-cookie', but: effects };
  return effects;
}

/** As it is written; who says by the parameter where clients wanted to go isn't told once more. */
function signInOf(get: Annotations): NonNullable<IngressAuth['signIn']> | 'unusable' | undefined {
  const url = get('auth-signin');
  if (url === undefined) return undefined;
  const parameter = get('auth-signin-redirect-param') ?? 'rd';
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(parameter) || url.length > 2_048 || !isSignIn(url)) return 'unusable';
  const told = new RegExp(`[?&]${parameter.replaceAll('.', '\\.')}=[^&]`);
  return told.test(url) ? { url } : { url, parameter };
}

/** Known to router/src/nginx/authorize-ingress.ts. */
const schemes = ['$scheme', '$pass_access_scheme'];
const hosts = ['$host', '$http_host', '$best_http_host'];
const variables = [...schemes, ...hosts, '$request_uri', '$escaped_request_uri', '$request_method'];

/** A URL of http or https whose scheme and host may be the request's, and whose path and query may tell of it. */
function isSignIn(url: string): boolean {
  const [, scheme = '', host = '', rest = ''] =
    /^(https?|\$\w+):\/\/(\$\w+|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?([/?][!-~]*)?$/.exec(
      url,
    ) ?? [];
  return (
    host !== '' &&
    (!scheme.startsWith('$') || schemes.includes(scheme)) &&
    (!host.startsWith('$') || hosts.includes(host)) &&
    !/["'\\{};<>]|\$(?!\w)/.test(rest) &&
    (rest.match(/\$\w+/g) ?? []).every((each) => variables.includes(each))
  );
}
