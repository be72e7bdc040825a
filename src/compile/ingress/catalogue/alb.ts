/** Annotations of ALB on Ingresses: those that it shares with ingress-nginx, by the same rows, and its own. */
import { readHeaderRewrite } from '#model/alauda/header-rewrite.ts';
import { isToken } from '#model/gateway/headers.ts';
import type { FilterModel } from '#model/gateway/types.ts';
import {
  type AnnotationRow,
  type Annotations,
  isPath,
  notBoolean,
  type Outcome,
  readBoolean,
  readHost,
  readNumber,
  refuse,
  shown,
} from '../annotations.ts';
import { nginxRows } from './index.ts';

export const albPrefix = 'alb.ingress.cpaas.io/';
export const albNetworkingPrefix = 'alb.networking.cpaas.io/';
export const albFirewallPrefix = 'alb.modsecurity.cpaas.io/';
/** Before names that are as those under `albPrefix`, but for one path. */
export const albIndexPrefix = 'index.';

const shared = [
  'permanent-redirect',
  'permanent-redirect-code',
  'temporal-redirect',
  'temporal-redirect-code',
  'ssl-redirect',
  'force-ssl-redirect',
  'auth-url',
  'auth-method',
  'auth-proxy-set-headers',
  'auth-request-redirect',
  'auth-response-headers',
  'auth-signin',
  'auth-always-set-cookie',
  'auth-signin-redirect-param',
  'auth-type',
  'auth-realm',
  'auth-secret',
  'auth-secret-type',
  'proxy-connect-timeout',
  'proxy-send-timeout',
  'proxy-read-timeout',
];

const part = (name: string, of: string, text: string): AnnotationRow => ({ name, state: 'done', text, of });

/** Under `alb.ingress.cpaas.io/`; what stands there goes before the same name of ingress-nginx. */
export const albRows: readonly AnnotationRow[] = [
  ...nginxRows.filter(({ name }) => shared.includes(name)),
  {
    name: 'auth-enable',
    state: 'translated',
    text: '`false`: leave the other annotations out; what holds for the whole ALB holds for the Ingress, too.',
    read(value) {
      const on = readBoolean(value);
      if (on === undefined) return refuse(notBoolean(value));
      return on ? {} : refuse('what protects the Ingress is not switched off by this: leave it out');
    },
  },
  {
    name: 'redirect-host',
    state: 'done',
    text: 'All paths are redirected to the same path of this host.',
    read: (_, get) => redirect(get),
  },
  {
    name: 'redirect-port',
    state: 'done',
    text: 'All paths are redirected to this port.',
    read: (_, get) => (get('redirect-host') === undefined ? redirect(get) : {}),
  },
  {
    name: 'redirect-replace-prefix',
    state: 'translated',
    text: 'In the place of the path that the Ingress has (`redirect-prefix-match` has to be that).',
    read: (_, get) =>
      get('redirect-host') === undefined && get('redirect-port') === undefined ? redirect(get) : {},
  },
  part('redirect-code', 'redirect-host', 'In place of 302: 301, 302, 303, 307 or 308.'),
  part('redirect-prefix-match', 'redirect-replace-prefix', 'What the path begins with.'),
  {
    name: 'rewrite-request',
    state: 'translated',
    text: 'JSON: `headers` are set, `headers_add` added, `headers_remove` removed, on the way to the backend. `headers_var` and `headers_add_var` are refused: values are no variables.',
    read: (value) => headers(value, 'RequestHeaderModifier'),
  },
  {
    name: 'rewrite-response',
    state: 'done',
    text: 'The same, on the way back.',
    read: (value) => headers(value, 'ResponseHeaderModifier'),
  },
  {
    name: 'session-affinity-policy',
    state: 'translated',
    text: '`sip-hash`: by the address of the connection, never by what clients say; `cookie`: a cookie of ours; `header`: by its value.',
    read: affinity,
  },
  part(
    'session-affinity-attribute',
    'session-affinity-policy',
    'Name of the cookie (JSESSIONID) or the header.',
  ),
  { name: 'otel', state: 'refused', text: 'There are no traces yet; metrics and access logs are.' },
];

/** Under `alb.networking.cpaas.io/`. */
export const albNetworkingRows: readonly AnnotationRow[] = [
  {
    name: 'tls',
    state: 'refused',
    text: 'Certificates of other namespaces aren’t taken on an Ingress’s word: use `spec.tls`, or a ListenerSet with a ReferenceGrant.',
  },
];

/** Under `alb.modsecurity.cpaas.io/`. */
export const albFirewallRows: readonly AnnotationRow[] = [
  { name: 'use-recommend', state: 'translated', text: 'They are always in force.', read: () => ({}) },
  {
    name: 'cmref',
    state: 'refused',
    text: 'Rules are to be in a ConfigMap that a WAFPolicy names; all requests get 503.',
    closes: true,
  },
];

/** `index.RULE-PATH.alb.ingress.cpaas.io/NAME`; undefined: it is somebody else's. */
export function albIndexRow(name: string): AnnotationRow | undefined {
  const [, of] = /^\d+-\d+\.alb\.ingress\.cpaas\.io\/(.+)$/.exec(name) ?? [];
  if (of === undefined) return undefined;
  return {
    name,
    state: 'refused',
    text: 'Annotations are for all of an Ingress: give the path one of its own.',
    ...(of.startsWith('auth-') ? { closes: true } : {}),
  };
}

function redirect(get: Annotations): Outcome {
  const [host, port, to] = [get('redirect-host'), get('redirect-port'), get('redirect-replace-prefix')];
  const hostname = host === undefined ? undefined : readHost(host);
  if (host !== undefined && (hostname === undefined || hostname.startsWith('*')))
    return { ...refuse(`${shown(host)} is no hostname`), at: 'redirect-host' };
  const number = port === undefined ? undefined : readNumber(port, 1, 65_535);
  if (port !== undefined && number === undefined)
    return { ...refuse(`${shown(port)} is no port`), at: 'redirect-port' };
  if (to !== undefined && !isPath(to))
    return { ...refuse(`${shown(to)} is no path`), at: 'redirect-replace-prefix' };
  const code = readNumber(get('redirect-code'), 301, 308);
  const statusCode = code !== undefined && [301, 302, 303, 307, 308].includes(code) ? code : 302;
  return {
    redirect: {
      type: 'RequestRedirect',
      ...(hostname === undefined ? {} : { hostname }),
      ...(number === undefined ? {} : { port: number }),
      ...(to === undefined ? {} : { path: { type: 'ReplacePrefixMatch', value: to } }),
      statusCode,
    },
  };
}

type Modifier = 'RequestHeaderModifier' | 'ResponseHeaderModifier';

function headers(value: string, type: Modifier): Outcome {
  const read = readHeaderRewrite(value);
  if (typeof read === 'string') return refuse(read);
  const { change, refused } = read;
  const filters: readonly FilterModel[] = [{ type, headers: change }];
  return refused === undefined ? { filters } : { ...refuse(refused), but: { filters } };
}

function affinity(value: string, get: Annotations): Outcome {
  const attribute = get('session-affinity-attribute');
  if (attribute !== undefined && !isToken(attribute))
    return { ...refuse(`${shown(attribute)} is no name`), at: 'session-affinity-attribute' };
  if (value === 'sip-hash') return { settings: { affinity: { type: 'hash', hash: { by: 'client' } } } };
  if (value === 'cookie')
    return { session: { type: 'Cookie', name: attribute ?? 'JSESSIONID', lifetime: 'Session' } };
  if (value !== 'header')
    return value === 'rr' ? {} : refuse(`${shown(value)} is not sip-hash, cookie or header`);
  return attribute === undefined
    ? { ...refuse('needs the name of a header'), at: 'session-affinity-attribute' }
    : { settings: { affinity: { type: 'hash', hash: { by: 'header', name: attribute.toLowerCase() } } } };
}
