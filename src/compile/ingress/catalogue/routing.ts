/** Annotations that say which requests are meant, and where they are sent: rewrites, redirects, names, canaries. */
import {
  type AnnotationRow,
  type Annotations,
  close,
  isPath,
  notBoolean,
  type Outcome,
  readBoolean,
  readHost,
  readNumber,
  readURL,
  readWords,
  refuse,
  shown,
} from '../annotations.ts';
import type { TargetURL } from '../effects.ts';

const part = (name: string, of: string, text: string): AnnotationRow => ({ name, state: 'done', text, of });

/** In the Host header for backends. */
export const hostVariable = /\$(service_name|namespace|service_port)\b/g;

export const routingRows: readonly AnnotationRow[] = [
  {
    name: 'app-root',
    state: 'done',
    text: 'Requests for `/` get 302 to this path, whatever the paths of the Ingress are.',
    read: (value) => (isPath(value) ? { appRoot: value } : refuse(`${shown(value)} is no path`)),
  },
  {
    name: 'canary',
    state: 'done',
    text: 'The Ingress gives backends to paths of another one of its namespace with the same host, path and type; the others of its annotations are without effect.',
    read: (value) => (readBoolean(value) === undefined ? refuse(notBoolean(value)) : {}),
  },
  part('canary-by-header', 'canary', 'Asked first: `always`, `never`, or the next is asked.'),
  part('canary-by-header-value', 'canary', 'The value that is for the canary.'),
  part('canary-by-header-pattern', 'canary', 'A regular expression that is somewhere in the value.'),
  part('canary-by-cookie', 'canary', 'Asked second: `always`, `never`, or the next is asked.'),
  part('canary-weight', 'canary', 'Asked last.'),
  part('canary-weight-total', 'canary', 'Of how many; less than 100 is 100.'),
  {
    name: 'force-ssl-redirect',
    state: 'done',
    text: 'HTTP gets 308 to HTTPS, whether the Ingress has TLS or not.',
    read: (value) => flag(value, (forced) => ({ secureOnly: { forced } })),
  },
  {
    name: 'from-to-www-redirect',
    state: 'done',
    text: 'Of each host, the name with `www.` before it, or without: 308 to the host. A host that has an Ingress of its own stays that.',
    read: (value) => flag(value, (on) => (on ? { www: true } : {})),
  },
  {
    name: 'permanent-redirect',
    state: 'done',
    text: 'All paths get 301 to the URL, which may end in `$request_uri`, behind a path, too, unless paths are expressions.',
    read: (value, get) =>
      get('temporal-redirect') === undefined ? redirect(value, code(get, 'permanent')) : {},
  },
  part('permanent-redirect-code', 'permanent-redirect', 'In place of 301: 301, 302, 303, 307 or 308.'),
  {
    name: 'preserve-trailing-slash',
    state: 'done',
    text: 'Redirects to HTTPS always keep the path as it is.',
    read: (value) => flag(value, () => ({})),
  },
  {
    name: 'relative-redirects',
    state: 'refused',
    text: 'Redirects name scheme and host.',
    read: (value) => flag(value, (on) => (on ? refuse('redirects name scheme and host') : {})),
  },
  {
    name: 'rewrite-target',
    state: 'done',
    text: 'The path becomes this, `$1` to `$9` are what the groups of the Ingress’s path took. Arguments behind `?` come before the request’s own. A URL is a redirect (302). Anything else is refused, and all requests get 503. All paths of the host (in this namespace) become regular expressions by it, as with `use-regex`.',
    read: rewrite,
    closes: true,
  },
  {
    name: 'server-alias',
    state: 'done',
    text: 'More names for each host, with the same paths and certificate. One that has an Ingress of its own in the namespace stays that.',
    read(value) {
      const names = readWords(value);
      const aliases = names.flatMap((each) => readHost(each) ?? []);
      const bad = names.find((each) => readHost(each) === undefined);
      return bad === undefined
        ? { aliases }
        : { refused: `${shown(bad)} is no hostname; write names, not regular expressions`, but: { aliases } };
    },
  },
  {
    name: 'ssl-redirect',
    state: 'done',
    text: '`false`: hosts with TLS are served by HTTP, too. Else HTTP gets 308 to HTTPS, but for `/.well-known/acme-challenge`.',
    read: (value) => flag(value, (wished) => ({ secureOnly: { wished } })),
  },
  {
    name: 'temporal-redirect',
    state: 'done',
    text: 'All paths get 302 to the URL, which may end in `$request_uri`, as with `permanent-redirect`.',
    read: (value, get) => redirect(value, code(get, 'temporal')),
  },
  part('temporal-redirect-code', 'temporal-redirect', 'In place of 302: 301, 302, 303, 307 or 308.'),
  {
    name: 'upstream-vhost',
    state: 'done',
    text: 'The Host header that backends get, perhaps with a port; `$service_name`, `$namespace` and `$service_port` are those of the path’s backend.',
    read: backendHost,
  },
  {
    name: 'use-port-in-redirects',
    state: 'translated',
    text: 'A redirect to HTTPS names the port of the ALB where it isn’t 443, whatever this says.',
    read: (value) => flag(value, () => ({})),
  },
  {
    name: 'use-regex',
    state: 'done',
    text: 'All paths of the host (in this namespace) are regular expressions: in any case of letters, from the beginning, whatever follows; the longest first.',
    read: (value) => flag(value, () => ({})),
  },
  {
    name: 'x-forwarded-prefix',
    state: 'done',
    text: 'X-Forwarded-Prefix for backends, where the path is rewritten.',
    read: (value) =>
      isPath(value) ? { forwardedPrefix: value } : refuse(`${shown(value)} is no path; groups can't be used`),
  },
];

/** Whether it has regular expressions for paths: then all of its host's paths in its namespace are some. */
export function usesRegex(get: Annotations): boolean {
  return readBoolean(get('use-regex')) === true || get('rewrite-target') !== undefined;
}

export function isCanary(get: Annotations): boolean {
  return readBoolean(get('canary')) === true;
}

function flag(value: string, then: (on: boolean) => Outcome): Outcome {
  const on = readBoolean(value);
  return on === undefined ? refuse(notBoolean(value)) : then(on);
}

/** What can't be done closes: a path that is rewritten confines requests to a part of the backend. */
function rewrite(value: string, get: Annotations): Outcome {
  const [, origin, path = value] = /^([^/]*:\/\/[^/]*)(.*)$/.exec(value) ?? [];
  const problem = path === '' ? undefined : targetProblem(path);
  if (problem !== undefined) return close(`${shown(value)} ${problem}`);
  if (origin === undefined) return { rewrite: value };
  const url = readURL(origin);
  if (url === undefined) return close(`${shown(value)} is no path and no URL`);
  if (get('permanent-redirect') !== undefined || get('temporal-redirect') !== undefined) return {};
  const type = path.includes('$') ? 'ReplaceCaptures' : 'ReplaceFullPath';
  return { redirect: { ...elsewhere(value, url), path: { type, value: path || '/' }, statusCode: 302 } };
}

function targetProblem(path: string): string | undefined {
  if (!/^(?:\/|\$[1-9])[!-~]*$/.test(path) || /[#"\\{};]/.test(path)) return 'is no path';
  if (/\$(?![1-9])/.test(path)) return 'has variables other than $1 to $9';
  return path.endsWith('?') ? 'takes the arguments of requests away' : undefined;
}

function redirect(value: string, statusCode: number): Outcome {
  const kept = value.endsWith('$request_uri');
  const url = readURL(kept ? value.slice(0, -'$request_uri'.length) : value);
  if (url === undefined || (kept && url.path.includes('?')))
    return refuse(`${shown(value)} is no URL, perhaps with $request_uri behind its host or path`);
  const base = url.path.replace(/\/$/, '');
  const whole = { path: { type: 'ReplaceFullPath', value: url.path || '/' }, withoutQuery: true } as const;
  return {
    redirect: { ...elsewhere(value, url), ...(kept ? {} : whole), statusCode },
    ...(kept && base !== '' ? { redirectBase: base } : {}),
  };
}

function elsewhere(value: string, { scheme, host, port }: TargetURL) {
  return {
    type: 'RequestRedirect' as const,
    ...(value.startsWith('$scheme') ? {} : { scheme }),
    ...(host === '$host' ? {} : { hostname: host }),
    ...(port === undefined ? {} : { port }),
  };
}

function backendHost(value: string): Outcome {
  const filled = value.replaceAll(hostVariable, '1');
  const [, name = '', port = '1'] = /^([^:*]*)(?::([0-9]+))?$/.exec(filled) ?? [];
  return readHost(name) === undefined || readNumber(port, 1, 65_535) === undefined
    ? refuse(
        `${shown(value)} is no hostname, perhaps with a port; of variables there are $service_name, $namespace and $service_port`,
      )
    : { host: value.toLowerCase() };
}

/** What isn't one is the usual, as in ingress-nginx. */
function code(get: Annotations, kind: 'permanent' | 'temporal'): number {
  const number = readNumber(get(`${kind}-redirect-code`), 300, 308);
  return number !== undefined && [301, 302, 303, 307, 308].includes(number)
    ? number
    : kind === 'permanent'
      ? 301
      : 302;
}
