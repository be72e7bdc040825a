/** Prints locations.conf: the ways in which nginx can send a request on that only its configuration can tell apart. Not run in production. */
import { retryCodes } from '#router/src/answers.ts';

/** Smallest and largest of retryClass. */
const classes = { first: 128, last: 255 } as const;
/** As many filters as a rule may have. */
const mirrors = 16;

/** The whole file; `node src/engines/nginx/locations.ts` prints it. */
export function printLocations(): string {
  return [
    '# Printed by locations.ts; constant. Names of locations are known to router/src/nginx/steps.ts.',
    '# nginx says 400 to headers that are too long, HTTP has a status of its own (RFC 6585 §5).',
    'error_page 494 =431 @oversized;',
    ...location('@oversized', ['internal;', 'return 431 "431 Request Header Fields Too Large\\n";']),
    ...location('/', ['rewrite_by_lua_block { netloom.serve() }', ...asIs]),
    '# The same in a pod that is to end: the connection ends with the answer.',
    ...location('@closing', [
      'internal;',
      'keepalive_timeout 0;',
      'rewrite_by_lua_block { netloom.serveLast() }',
      ...asIs,
    ]),
    '# Paths that a filter or their normal form changed, and answers that a filter changes.',
    ...location('@http', [...plain, 'proxy_pass http://netloom_http$netloom_uri;']),
    ...location('@http_timed', [...timed, 'proxy_pass http://netloom_http$netloom_uri;']),
    ...location('@h2c', [...plain, ...grpc]),
    ...location('@h2c_timed', [...timed, ...grpc]),
    ...location('@failed', ['internal;', 'content_by_lua_block { netloom.failed() }']),
    '# Requests whose bodies the firewall looks at; a longer one gets 413.',
    ...location('@firewall', [
      'internal;',
      'client_max_body_size 1m;',
      'rewrite_by_lua_block { netloom.serveInspected() }',
    ]),
    '# Answers that are compressed, or gathered before they are given: router/src/nginx/shape-answer.ts says which.',
    ...ways.flatMap(({ name, lines }) =>
      location(`@http${name}`, [...gathering(timed, lines), 'proxy_pass http://netloom_http$netloom_uri;']),
    ),
    ...location('@h2c_gzip', [...timed, ...gzip, ...grpc]),
    '# The same for what is tried at the other end of relay.sock, which says by a status of its own that a page is to be asked for.',
    ...[{ name: '', lines: [] }, ...ways].flatMap(({ name, lines }) =>
      location(`@relay${name}`, [
        ...gathering(['internal;', ...limited, 'proxy_buffering off;', ...changed], lines),
        'proxy_intercept_errors on;',
        'error_page 599 @page;',
        'proxy_pass http://netloom_http$netloom_uri;',
      ]),
    ),
    '# Pages in place of answers; of the request they are told what is said here, and nothing else.',
    ...location('@page', [
      'internal;',
      'rewrite_by_lua_block { netloom.askForPage() }',
      'proxy_method GET;',
      'proxy_pass_request_body off;',
      'proxy_pass_request_headers off;',
      'proxy_set_header Host $http_host;',
      'proxy_set_header Connection "";',
      'proxy_set_header Content-Length "";',
      'proxy_set_header Accept $http_accept;',
      'proxy_set_header Accept-Language $http_accept_language;',
      'proxy_set_header X-Code $netloom_code;',
      'proxy_set_header X-Format $http_accept;',
      'proxy_set_header X-Original-URI $request_uri;',
      'proxy_set_header X-Request-Id $netloom_request_id;',
      'proxy_set_header X-Netloom-Backend $http_x_netloom_backend;',
      'proxy_read_timeout 5s;',
      'proxy_buffering off;',
      ...changed,
      'error_page 500 502 503 504 @page_failed;',
      'proxy_pass http://netloom_http$netloom_uri;',
    ]),
    ...location('@page_failed', ['internal;', ...changed, 'content_by_lua_block { netloom.withoutPage() }']),
    '# Bodies of which nobody knows how long they are, before they are tried again or copied.',
    ...location('@spooled', [
      'internal;',
      'error_page 413 @failed;',
      ...limited,
      'client_body_timeout 60s;',
      'content_by_lua_block { netloom.readSpooled() }',
    ]),
    '# External authorization.',
    ...location('= netloom-auth', [
      'internal;',
      'rewrite_by_lua_block { netloom.prepareQuestion() }',
      ...aside('proxy'),
      'proxy_pass http://netloom_http$netloom_uri;',
    ]),
    '# Mirrors: a copy goes to each of these, and most have nowhere to send it.',
    ...location('@mirrored', [
      ...limited,
      'mirror_request_body on;',
      ...Array.from({ length: mirrors }, (_, place) => `mirror netloom-mirror-${place};`),
      'content_by_lua_block { netloom.afterMirrors() }',
    ]),
    ...Array.from({ length: mirrors }, (_, place) =>
      location(`= netloom-mirror-${place}`, [
        'internal;',
        `rewrite_by_lua_block { netloom.mirror(${place}) }`,
        ...aside('proxy'),
        'proxy_pass http://netloom_http$netloom_uri;',
      ]),
    ).flat(),
    ...location('@aside_h2c', ['internal;', ...aside('grpc'), 'grpc_pass grpc://netloom_h2c;']),
    '# Retries: nginx takes the codes from its configuration only, so there is a location for each set of them.',
    ...Array.from({ length: classes.last - classes.first + 1 }, (_, at) =>
      retries(classes.first + at),
    ).flat(),
    '',
  ].join('\n');
}

const forwarded = [
  'X-Forwarded-For $proxy_add_x_forwarded_for',
  'X-Forwarded-Host $http_host',
  'X-Forwarded-Port $netloom_port',
  'X-Forwarded-Proto $scheme',
  'X-Real-IP $remote_addr',
  'X-Request-Id $netloom_request_id',
  'traceparent $netloom_trace',
];
// The same headers as elsewhere, made of what costs least: Host stays, nothing is upgraded.
const asIs = [
  'proxy_set_header Host $http_host;',
  'proxy_set_header Connection "";',
  ...forwarded.map((header) => `proxy_set_header ${header};`),
  'proxy_pass http://netloom_http;',
];
// Bodies are read here, and counted while they are.
const limited = ['rewrite_by_lua_block { netloom.limitBodyHere() }'];
const plain = [
  'internal;',
  'proxy_buffering off;',
  'header_filter_by_lua_block { netloom.changeAnswer() }',
  'error_page 413 500 502 503 504 @failed;',
  ...limited,
];
const timed = [...plain, 'body_filter_by_lua_block { return netloom.limitAnswer() }'];
const changed = [
  'header_filter_by_lua_block { netloom.changeAnswer() }',
  'body_filter_by_lua_block { return netloom.limitAnswer() }',
];
// A stream may be silent for long, in both directions.
const grpc = ['client_body_timeout 1h;', 'grpc_pass grpc://netloom_h2c;'];

// Which answers, the header filter says; Vary is its, too.
const gzip = [
  'gzip on;',
  'gzip_types *;',
  'gzip_min_length 0;',
  'gzip_proxied any;',
  'gzip_comp_level 4;',
  'gzip_vary off;',
];
// Spooled bodies are counted by as much: router/src/nginx/spool.ts.
const gathered = ['proxy_buffering on;', 'proxy_max_temp_file_size 16m;'];
const ways = [
  { name: '_gzip', lines: gzip },
  { name: '_gathered', lines: gathered },
  { name: '_gzip_gathered', lines: [...gzip, ...gathered] },
];

/** What is off in `lines` is on where `more` says so. */
function gathering(lines: readonly string[], more: readonly string[]): string[] {
  const gathers = more.includes('proxy_buffering on;');
  return [...lines.filter((line) => !gathers || line !== 'proxy_buffering off;'), ...more];
}

function aside(module: 'proxy' | 'grpc'): string[] {
  return [`${module}_read_timeout 5s;`, ...(module === 'proxy' ? ['proxy_request_buffering on;'] : [])];
}

function retries(number: number): string[] {
  const codes = retryCodes(number).map((code) => ` http_${code}`);
  const causes = `error timeout invalid_header non_idempotent${codes.join('')}`;
  return [
    ...location(`@http${number}`, [
      ...timed,
      'proxy_request_buffering on;',
      `proxy_next_upstream ${causes};`,
      'proxy_pass http://netloom_http$netloom_uri;',
    ]),
    ...location(`@h2c${number}`, [...timed, `grpc_next_upstream ${causes};`, ...grpc]),
  ];
}

function location(name: string, lines: readonly string[]): string[] {
  return [`location ${name} {`, ...lines.map((line) => `    ${line}`), '}'];
}

if (import.meta.main) process.stdout.write(printLocations());
