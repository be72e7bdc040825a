/** Annotations about requests from other sites. */
import { isToken } from '#model/gateway/headers.ts';
import {
  type AnnotationRow,
  type Annotations,
  notBoolean,
  type Outcome,
  readBoolean,
  readNumber,
  refuse,
  shown,
} from '../annotations.ts';

const part = (name: string, text: string): AnnotationRow => ({
  name,
  state: 'done',
  text,
  of: 'enable-cors',
});

export const corsRows: readonly AnnotationRow[] = [
  {
    name: 'enable-cors',
    state: 'done',
    text: 'Preflights are answered, and answers say which sites may read them.',
    read(value, get) {
      const on = readBoolean(value);
      if (on === undefined) return refuse(notBoolean(value));
      return on ? cors(get) : {};
    },
  },
  part('cors-allow-origin', 'Origins, also `https://*.example.org`; absent: `*`.'),
  part('cors-allow-methods', 'Absent: GET, PUT, POST, DELETE, PATCH, OPTIONS.'),
  part('cors-allow-headers', 'Absent: the list of ingress-nginx.'),
  part('cors-expose-headers', 'Absent: none.'),
  part(
    'cors-allow-credentials',
    'Absent: true. With the origin `*` it is false, since no browser takes both.',
  ),
  part('cors-max-age', 'Seconds, at least 1; absent: 1728000.'),
];

const usual = {
  methods: 'GET, PUT, POST, DELETE, PATCH, OPTIONS',
  headers:
    'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization',
  seconds: 1_728_000,
} as const;

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', '*'];
const origin = /^https?:\/\/(?:(?:\*\.)?(?:[a-z0-9-]+\.)*[a-z0-9-]+|\*)(?::[0-9]{1,5})?$/;

/** What can't be read allows nothing. */
function cors(get: Annotations): Outcome {
  const origins = words(get('cors-allow-origin') ?? '*').map((each) => each.toLowerCase());
  const badOrigin = origins.find((each) => each !== '*' && !origin.test(each));
  if (badOrigin !== undefined)
    return {
      refused: `${shown(badOrigin)} is no origin, such as https://*.example.org`,
      at: 'cors-allow-origin',
    };
  const allowMethods = words(get('cors-allow-methods') ?? usual.methods);
  const badMethod = allowMethods.find((each) => !methods.includes(each));
  if (badMethod !== undefined)
    return { refused: `${shown(badMethod)} is no method`, at: 'cors-allow-methods' };
  const allowHeaders = words(get('cors-allow-headers') ?? usual.headers);
  const exposeHeaders = words(get('cors-expose-headers') ?? '');
  for (const [name, list] of [
    ['cors-allow-headers', allowHeaders],
    ['cors-expose-headers', exposeHeaders],
  ] as const) {
    const bad = list.find((each) => !isToken(each));
    if (bad !== undefined) return { refused: `${shown(bad)} is no name of a header`, at: name };
  }
  const credentials = get('cors-allow-credentials');
  const allowCredentials = readBoolean(credentials ?? 'true');
  if (allowCredentials === undefined)
    return { refused: notBoolean(credentials ?? ''), at: 'cors-allow-credentials' };
  const allowOrigins = origins.includes('*') ? ['*'] : origins;
  return {
    filters: [
      {
        type: 'CORS',
        allowOrigins,
        allowMethods,
        allowHeaders: lower(allowHeaders),
        exposeHeaders: lower(exposeHeaders),
        // The gateway would name the site that asks, and so let every site read what is meant for the user alone.
        allowCredentials: allowCredentials && !allowOrigins.includes('*'),
        maxAge: Math.max(readNumber(get('cors-max-age'), 0, 2_147_483_647) ?? usual.seconds, 1),
      },
    ],
  };
}

function words(value: string): readonly string[] {
  return value
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

function lower(names: readonly string[]): readonly string[] {
  return [...new Set(names.map((each) => each.toLowerCase()))];
}
