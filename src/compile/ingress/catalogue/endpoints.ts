/** Annotations about which endpoint a request gets: sessions, hashes, ways of taking turns. */
import type { GatewayHash } from '#intent/gateway-policy.ts';
import {
  type AnnotationRow,
  type Annotations,
  type Outcome,
  readNumber,
  refuse,
  shown,
} from '../annotations.ts';

const part = (name: string, text: string): AnnotationRow => ({ name, state: 'done', text, of: 'affinity' });
const ours = (name: string): AnnotationRow => ({
  name,
  state: 'refused',
  text: 'The cookie is the gateway’s: Path /, HttpOnly, SameSite=Lax, over TLS Secure.',
});

export const endpointRows: readonly AnnotationRow[] = [
  {
    name: 'affinity',
    state: 'done',
    text: '`cookie`: a client stays at its endpoint while there is that.',
    read: (value, get) => (value === 'cookie' ? session(get) : refuse(`${shown(value)} is not cookie`)),
  },
  {
    name: 'affinity-mode',
    state: 'translated',
    text: 'Both ways are `persistent`: nobody is moved when endpoints are added.',
    read: (value) => (['balanced', 'persistent'].includes(value) ? {} : refuse(`${shown(value)} is no mode`)),
  },
  {
    name: 'affinity-canary-behavior',
    state: 'translated',
    text: '`legacy` is how it is: a canary is asked for each request, sessions or not.',
    read: (value) => (value === 'legacy' ? {} : refuse('canaries are asked for each request: legacy')),
  },
  part('session-cookie-name', 'Absent: INGRESSCOOKIE.'),
  part('session-cookie-max-age', 'Seconds. Absent: until the browser ends.'),
  part('session-cookie-expires', 'As `session-cookie-max-age`, where that is absent.'),
  {
    name: 'session-cookie-change-on-failure',
    state: 'translated',
    text: 'A client whose endpoint is gone gets another one and its cookie; one whose endpoint fails is kept.',
    read: (value) => (value === 'false' ? {} : refuse('a client leaves an endpoint when that is gone')),
  },
  ours('session-cookie-conditional-samesite-none'),
  ours('session-cookie-domain'),
  ours('session-cookie-partitioned'),
  ours('session-cookie-path'),
  ours('session-cookie-samesite'),
  ours('session-cookie-secure'),
  {
    name: 'load-balance',
    state: 'translated',
    text: '`round_robin` is the usual; `ewma` becomes fewest requests first, of the Service for all who use it.',
    read(value) {
      if (value === 'round_robin') return {};
      return value === 'ewma'
        ? { balance: { balance: 'leastRequests' } }
        : refuse(`${shown(value)} is no way`);
    },
  },
  {
    name: 'upstream-hash-by',
    state: 'translated',
    text: 'One of $remote_addr, $binary_remote_addr, $request_uri and $uri (both the path), $http_NAME, $cookie_NAME, $arg_NAME.',
    read(value) {
      const hash = hashOf(value);
      return hash === undefined
        ? refuse(
            `${shown(value)} is none that is known: an address, the path, a header, a cookie or a parameter`,
          )
        : { settings: { affinity: { type: 'hash', hash } } };
    },
  },
  { name: 'upstream-hash-by-subset', state: 'refused', text: 'One endpoint for each value.' },
  { name: 'upstream-hash-by-subset-size', state: 'refused', text: 'One endpoint for each value.' },
];

function session(get: Annotations): Outcome {
  const name = get('session-cookie-name') ?? 'INGRESSCOOKIE';
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(name))
    return { refused: `${shown(name)} is no name of a cookie`, at: 'session-cookie-name' };
  const age = get('session-cookie-max-age') ?? get('session-cookie-expires');
  const seconds = age === undefined ? undefined : readNumber(age, 1, 2_147_483_647);
  if (age !== undefined && seconds === undefined)
    return { refused: `${shown(age)} is no number of seconds`, at: 'session-cookie-max-age' };
  return {
    session: {
      type: 'Cookie',
      name,
      lifetime: seconds === undefined ? 'Session' : 'Permanent',
      ...(seconds === undefined ? {} : { absoluteTimeout: seconds }),
    },
  };
}

function hashOf(value: string): GatewayHash | undefined {
  const [, braced, plain = braced ?? ''] = /^\$(?:\{(\w+)\}|(\w+))$/.exec(value) ?? [];
  if (['remote_addr', 'binary_remote_addr', 'the_real_ip'].includes(plain)) return { by: 'client' };
  if (['request_uri', 'uri', 'document_uri'].includes(plain)) return { by: 'path' };
  const [, kind, name = ''] = /^(http|cookie|arg)_(\w{1,64})$/.exec(plain) ?? [];
  if (kind === 'http') return { by: 'header', name: name.toLowerCase().replaceAll('_', '-') };
  if (kind === 'cookie') return { by: 'cookie', name };
  return kind === 'arg' ? { by: 'query', name } : undefined;
}
