/** Annotations about ModSecurity, and snippets: none of them is passed on, and what protects closes what it was to protect. */
import type { WAFPolicyModel } from '#model/gateway/policy-types.ts';
import {
  type AnnotationRow,
  type Annotations,
  close,
  notBoolean,
  type Outcome,
  readBoolean,
  refuse,
  shown,
} from '../annotations.ts';
import { protectorIn } from './snippets.ts';

const snippet = (name: string): AnnotationRow => ({
  name,
  state: 'refused',
  text: 'No snippets: use the other annotations (for headers of answers `alb.ingress.cpaas.io/rewrite-response`), or an HTTPRoute with filters. Unless all that is in it is known to keep nobody out (answers’ headers, timeouts, buffers, logs), all requests get 503.',
  read(value) {
    const directive = protectorIn(value);
    return directive === undefined
      ? refuse('no snippets are served')
      : close(`no snippets are served, and ${shown(directive)} of it may keep somebody out`);
  },
});

export const firewallRows: readonly AnnotationRow[] = [
  {
    name: 'enable-modsecurity',
    state: 'translated',
    text: 'A WAFPolicy with the Core Rule Set, whether `enable-owasp-core-rules` is there or not: `detect`, or `block` by `SecRuleEngine On` in the snippet.',
    read: firewall,
    closes: true,
  },
  {
    name: 'enable-owasp-core-rules',
    state: 'translated',
    text: 'As `enable-modsecurity`.',
    read: (value, get, namespace) =>
      get('enable-modsecurity') !== undefined || readBoolean(value) === false
        ? {}
        : firewall(value, get, namespace),
    closes: true,
  },
  {
    name: 'modsecurity-snippet',
    state: 'translated',
    text: 'Of it these are read: SecRuleEngine, SecRuleRemoveById, SecRuleRemoveByTag, SecRuleUpdateTargetById with `!`; logs are ours. Without meaning here are the two Includes of ingress-nginx’ documentation (`/etc/nginx/owasp-modsecurity-crs/nginx-modsecurity.conf`, `/etc/nginx/modsecurity/modsecurity.conf`), `SecRequestBodyAccess On` and limits of bodies (1 MiB is looked at; a longer one gets 413 with `block`). Anything else is refused, and all requests get 503: put own rules into a ConfigMap that a WAFPolicy names.',
    of: 'enable-modsecurity',
    read: (_, get) =>
      get('enable-modsecurity') === undefined && get('enable-owasp-core-rules') === undefined
        ? refuse('is nothing without enable-modsecurity')
        : {},
  },
  { name: 'modsecurity-transaction-id', state: 'refused', text: 'The request’s own id (X-Request-Id).' },
  snippet('configuration-snippet'),
  snippet('server-snippet'),
  { name: 'stream-snippet', state: 'refused', text: 'No snippets; use a TCPRoute, UDPRoute or TLSRoute.' },
];

type Settings = WAFPolicyModel['settings'];

function firewall(value: string, get: Annotations, _namespace: string): Outcome {
  const on = readBoolean(value);
  if (on === undefined) return close(notBoolean(value));
  if (!on) return { firewall: { mode: 'off' } };
  const snippet = get('modsecurity-snippet');
  const read = snippet === undefined ? { mode: 'detect' as const } : readSnippet(snippet);
  if (typeof read === 'string') return { ...close(read), at: 'modsecurity-snippet' };
  return { firewall: read };
}

/** A sentence: it says more than is known here. */
function readSnippet(text: string): Settings | string {
  let mode: NonNullable<Settings['mode']> = 'detect';
  const exclusions: NonNullable<Settings['exclusions']>[number][] = [];
  for (const line of text.replaceAll(/\\\r?\n/g, ' ').split('\n')) {
    const [directive = '', ...words] = line
      .trim()
      .split(/\s+/)
      .map((each) => each.replaceAll(/^["']|["']$/g, ''));
    const name = directive.toLowerCase();
    if (name === '' || name.startsWith('#') || ours.test(name)) continue;
    if (isSaidAnyway(name, words)) continue;
    if (name === 'secdefaultaction' && letsIn.test(words.join(' '))) continue;
    const modeSaid = modes[words[0]?.toLowerCase() ?? ''];
    if (name === 'secruleengine' && modeSaid !== undefined) mode = modeSaid;
    else if (name === 'secruleremovebyid' && words.length > 0 && words.every(isRange))
      exclusions.push({ rules: words });
    else if (name === 'secruleremovebytag' && words.length === 1 && isTag(words[0]))
      exclusions.push({ tags: words });
    else if (name === 'secruleupdatetargetbyid' && isRange(words[0]) && words[1]?.startsWith('!') === true)
      for (const target of words.slice(1).join('').split(','))
        exclusions.push({ rules: [words[0]], target: target.replace(/^!/, '') });
    else return `"${name.slice(0, 40)}" of it isn't read; use a WAFPolicy`;
  }
  return { mode, ...(exclusions.length === 0 ? {} : { exclusions }) };
}

/** About logs, which are ours whatever they say. */
const ours = /^sec(?:audit|debuglog)\w*$/;

/** Of the configuration that ingress-nginx documents: what holds here whether it is said or not. */
function isSaidAnyway(name: string, words: readonly string[]): boolean {
  const [word = ''] = words;
  if (words.length !== 1) return false;
  if (name === 'include') return includes.includes(word);
  if (name === 'secrequestbodyaccess') return word.toLowerCase() === 'on';
  return /^secrequestbody(?:nofiles|inmemory)?limit$/.test(name) && /^[0-9]{1,12}$/.test(word);
}

/** The Core Rule Set and the engine's recommended configuration, as ingress-nginx has them in its image. */
const includes = [
  '/etc/nginx/owasp-modsecurity-crs/nginx-modsecurity.conf',
  '/etc/nginx/modsecurity/modsecurity.conf',
];

/** Actions that decide nothing. */
const letsIn = /^(?:\s*(?:phase:\d|log|nolog|auditlog|noauditlog|pass)\s*(?:,|$))+$/;

const modes: Readonly<Record<string, 'off' | 'detect' | 'block'>> = {
  on: 'block',
  off: 'off',
  detectiononly: 'detect',
};

function isRange(word: string | undefined): word is string {
  return word !== undefined && /^[0-9]{1,9}(?:-[0-9]{1,9})?$/.test(word);
}

function isTag(word: string | undefined): boolean {
  return word !== undefined && /^[\w./:-]{1,128}$/.test(word);
}
