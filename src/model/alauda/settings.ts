/** Reads `config` of ALB2, Frontend and Rule: redirects, timeouts, who is let in, the firewall. */
import type { KubeObject } from '#api/object.ts';
import {
  forms,
  readChoice,
  readForm,
  readHostname,
  readInteger,
  readPort,
  readRaw,
  readText,
} from '../gateway/fields.ts';
import { readPathText } from '../gateway/matches.ts';
import type { Refuse } from '../problem.ts';
import { type Raw, rawOf, shown } from '../raw.ts';
import { readNamed } from './named.ts';
import type { AlaudaAuth, AlaudaRedirect, AlaudaSettings } from './types.ts';

/** What protects and can't be honoured is `unusable`; what else can't is left out and told. */
export function readSettings(
  value: unknown,
  field: string,
  object: KubeObject,
  refuse: Refuse,
): AlaudaSettings {
  const { namespace = '' } = object.metadata;
  const raw = readRaw(value, field, refuse);
  const redirect = readRedirect(raw['redirect'], `${field}.redirect`, refuse);
  const timeouts = readTimeouts(raw['timeout'], `${field}.timeout`, refuse);
  const auth = readAuth(raw['auth'], `${field}.auth`, namespace, refuse);
  const firewall = readFirewall(raw['modsecurity'], `${field}.modsecurity`, object, refuse);
  return {
    ...(redirect === undefined ? {} : { redirect }),
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(auth === undefined ? {} : { auth }),
    ...(firewall === undefined ? {} : { firewall }),
  };
}

const codes = [301, 302, 303, 307, 308];

/** Also of a Rule's own fields: `url` whole and `code`. Undefined: there is none, or it can't be done. */
export function readRedirect(value: unknown, field: string, refuse: Refuse): AlaudaRedirect | undefined {
  if (value === undefined || value === null) return undefined;
  const raw = readRaw(value, field, refuse);
  const given = raw['code'] === undefined || raw['code'] === 0 ? 301 : raw['code'];
  const code = codes.find((each) => each === given);
  if (code === undefined)
    return refuse(`${field}.code`, 'NotSupported', `${shown(given)} is not one of ${codes.join(', ')}`);
  const url = readText(raw['url'], `${field}.url`, refuse);
  const parts = url === undefined ? {} : partsOf(url, `${field}.url`, refuse);
  const scheme = readText(raw['scheme'], `${field}.scheme`, refuse);
  const host = readHostname(raw['host'], `${field}.host`, forms.preciseHostname, refuse);
  const port = raw['port'] === 0 ? undefined : readPort(raw['port'], `${field}.port`, refuse);
  const from = readPath(raw['prefix_match'], `${field}.prefix_match`, refuse);
  const to = readPath(raw['replace_prefix'], `${field}.replace_prefix`, refuse);
  if (parts === undefined) return undefined;
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    return refuse(`${field}.scheme`, 'NotSupported', `${shown(scheme)} is not http or https`);
  if (from !== undefined && to === undefined)
    return refuse(`${field}.replace_prefix`, 'Required', 'says not what comes in the place of prefix_match');
  const redirect: AlaudaRedirect = {
    ...parts,
    code,
    ...(scheme === undefined ? {} : { scheme }),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(to === undefined ? {} : { path: { from: from ?? '/', to } }),
  };
  return Object.keys(redirect).length === 1 ? undefined : redirect;
}

function readPath(value: unknown, field: string, refuse: Refuse): string | undefined {
  return value === undefined || value === '' ? undefined : readPathText(value, field, refuse);
}

function partsOf(url: string, field: string, refuse: Refuse): Partial<AlaudaRedirect> | undefined {
  const bad = () =>
    refuse(field, 'NotSupported', `${shown(url)} can't be redirected to: give scheme, host and path`);
  const [, scheme, authority = '', path = ''] = /^(?:(https?):\/\/([^/?#]*))?(\/[^?#]*)?$/.exec(url) ?? [];
  if (/[$?#]/.test(url) || (scheme === undefined && path === '')) return bad();
  const [, name = '', digits] = /^([^:@]*)(?::(\d+))?$/.exec(authority) ?? [];
  if (scheme !== undefined && name === '') return bad();
  const host = name === '' ? undefined : readHostname(name, field, forms.preciseHostname, refuse);
  const port = digits === undefined ? undefined : readPort(Number(digits), field, refuse);
  const full = path === '' ? '/' : readPathText(path, field, refuse);
  if (full === undefined || (name !== '' && host === undefined)) return undefined;
  return {
    ...(scheme === 'http' || scheme === 'https' ? { scheme } : {}),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    path: { full },
  };
}

const day = 86_400_000;

function readTimeouts(value: unknown, field: string, refuse: Refuse): AlaudaSettings['timeouts'] {
  const raw = readRaw(value, field, refuse);
  const one = (name: string) => readInteger(raw[name], `${field}.${name}`, [0, day], refuse);
  const [connect, read] = [one('proxy_connect_timeout_ms'), one('proxy_read_timeout_ms')];
  if (connect === undefined && read === undefined) return undefined;
  return { ...(connect === undefined ? {} : { connect }), ...(read === undefined ? {} : { read }) };
}

function readAuth(value: unknown, field: string, namespace: string, refuse: Refuse): AlaudaAuth | undefined {
  if (value === undefined || value === null) return undefined;
  const { bad, first } = noting(refuse);
  const raw = readRaw(value, field, bad);
  const given = (['basic', 'forward'] as const).filter(
    (name) => raw[name] !== undefined && raw[name] !== null,
  );
  if (given.length > 1) bad(field, 'NotSupported', 'basic and forward together are not known');
  const auth = given.includes('basic')
    ? readPassword(readRaw(raw['basic'], `${field}.basic`, bad), `${field}.basic`, namespace, bad)
    : readService(readRaw(raw['forward'], `${field}.forward`, bad), `${field}.forward`, namespace, bad);
  if (given.length === 0 && first() === undefined) return { by: 'nobody' };
  return first() === undefined && auth !== undefined
    ? auth
    : { by: 'unusable', message: first() ?? `${field}: can't be read` };
}

/** Refuses, and keeps the first that it refused, of what protects. */
function noting(refuse: Refuse): { readonly bad: Refuse; readonly first: () => string | undefined } {
  let first: string | undefined;
  const bad: Refuse = (where, code, message) => {
    first ??= `${where}: ${message}`;
    return refuse(where, code, message);
  };
  return { bad, first: () => first };
}

function readPassword(raw: Raw, field: string, namespace: string, bad: Refuse): AlaudaAuth | undefined {
  const type = raw['auth_type'] ?? 'basic';
  if (type !== 'basic' && type !== '')
    bad(`${field}.auth_type`, 'NotSupported', `${shown(type)} is not basic`);
  const held = raw['secret_type'] ?? 'auth-file';
  if (held !== 'auth-file' && held !== '')
    bad(
      `${field}.secret_type`,
      'NotSupported',
      `${shown(held)} is not auth-file: put a password file under the key auth`,
    );
  const secret = readNamed(raw['secret'], `${field}.secret`, namespace, bad);
  if (secret === undefined) return bad(`${field}.secret`, 'Required', 'names no Secret');
  if (secret.namespace !== namespace)
    bad(
      `${field}.secret`,
      'NotSupported',
      `${secret.namespace}/${secret.name} is not of namespace ${namespace}`,
    );
  const realm = readText(raw['realm'], `${field}.realm`, bad) ?? 'Authentication Required';
  if (!/^[ !#-[\]-~]{1,128}$/.test(realm))
    bad(`${field}.realm`, 'InvalidValue', 'has quotes, or other than ASCII');
  return { by: 'password', realm, secret: secret.name };
}

/** A Service by its name in the cluster's DNS: what is outside of it is nobody's to vouch for. */
const serviceURL =
  /^http:\/\/([a-z0-9]([-a-z0-9]*[a-z0-9])?)\.([a-z0-9]([-a-z0-9]*[a-z0-9])?)(?:\.svc(?:\.cluster\.local)?)?(?::(\d{1,5}))?(\/[^?#$]*)?$/;

function readService(raw: Raw, field: string, namespace: string, bad: Refuse): AlaudaAuth | undefined {
  const url = readText(raw['url'], `${field}.url`, bad);
  const [, name = '', , of = namespace, , digits = '80', path = '/'] = serviceURL.exec(url ?? '') ?? [];
  const port = Number(digits);
  if (name === '' || port < 1 || port > 65_535)
    return bad(`${field}.url`, 'NotSupported', `${shown(url)} is not http://SERVICE.NAMESPACE:PORT/PATH`);
  const method =
    readChoice(raw['method'] === '' ? undefined : raw['method'], `${field}.method`, methods, bad) ?? 'GET';
  if (raw['auth_headers_cm_ref'] !== undefined && raw['auth_headers_cm_ref'] !== '')
    bad(`${field}.auth_headers_cm_ref`, 'NotSupported', 'the service is told the headers of the request');
  const signIn = readSignIn(raw, field, bad);
  const headers = Array.isArray(raw['upstream_headers']) ? raw['upstream_headers'] : [];
  const answerHeaders = headers.flatMap((each: unknown, index) => {
    const text = readForm(each, `${field}.upstream_headers[${index}]`, headerName, bad);
    return text === undefined ? [] : [text];
  });
  const read = readPathText(path, `${field}.url`, bad) ?? '/';
  return {
    by: 'service',
    service: { namespace: of, name, port },
    path: read,
    method,
    answerHeaders,
    ...(signIn === undefined ? {} : { signIn }),
  };
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const;

function readSignIn(
  raw: Raw,
  field: string,
  bad: Refuse,
): { readonly url: string; readonly parameter: string } | undefined {
  const url = readText(raw['signin'], `${field}.signin`, bad);
  if (url === undefined) return undefined;
  const parameter = readText(raw['signin_redirect_param'], `${field}.signin_redirect_param`, bad) ?? 'rd';
  if (!/^https?:\/\/[-A-Za-z0-9._:]+(\/[!#%-;=?-Z_a-z~]*)?$/.test(url) || url.length > 1024)
    return bad(`${field}.signin`, 'NotSupported', `${shown(url)} is no URL without variables`);
  if (!/^\w{1,64}$/.test(parameter))
    return bad(`${field}.signin_redirect_param`, 'InvalidValue', `${shown(parameter)} is no name`);
  return { url, parameter };
}

const headerName = { pattern: /^[A-Za-z0-9][-A-Za-z0-9]*$/, longest: 128, what: 'the name of a header' };

/** Beside `modsecurity`, of any of the three kinds. */
const snippetAnnotation = 'nginx.ingress.kubernetes.io/modsecurity-snippet';

function readFirewall(
  value: unknown,
  field: string,
  object: KubeObject,
  refuse: Refuse,
): AlaudaSettings['firewall'] {
  if (value === undefined || value === null) return undefined;
  const { bad, first } = noting(refuse);
  const raw = readRaw(value, field, bad);
  const enable = raw['enable'] ?? false;
  if (typeof enable !== 'boolean')
    bad(`${field}.enable`, 'InvalidValue', `${shown(enable)} is not true or false`);
  const rules = enable === false ? undefined : readText(raw['cmRef'], `${field}.cmRef`, bad);
  if (rules !== undefined)
    bad(`${field}.cmRef`, 'NotSupported', `${shown(rules)}: rules are to be in a WAFPolicy`);
  const snippet = rawOf(rawOf(object.metadata)?.['annotations'])?.[snippetAnnotation];
  if (enable === true && snippet !== undefined && snippet !== '')
    bad(`metadata.annotations[${snippetAnnotation}]`, 'NotSupported', 'rules are to be in a WAFPolicy');
  const unusable = first();
  return unusable === undefined ? { mode: enable === true ? 'block' : 'off' } : { unusable };
}
