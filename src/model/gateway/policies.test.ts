/** What is read out of policies and password files, and what becomes of what can't be used. */
import { describe, expect, test } from 'vitest';
import { readBackendPolicy } from './backendpolicy.ts';
import { backendPolicySpec, passwordFile, sampleOf, trafficSpec } from './samples.ts';
import { readTrafficPolicy } from './trafficpolicy.ts';
import { readUsers } from './users.ts';

const backend = (name: string, weight = 1) => ({
  group: '',
  kind: 'Service',
  namespace: 'shop',
  name,
  port: 80,
  weight,
});

test('a TrafficPolicy with about all that it can say', () => {
  const { value, problems } = readTrafficPolicy(sampleOf('TrafficPolicy', trafficSpec));
  expect(problems).toEqual([]);
  const group = 'gateway.networking.k8s.io';
  expect(value).toMatchObject({
    key: 'shop/x',
    enforced: true,
    targets: [
      { group, kind: 'HTTPRoute', name: 'web', section: 'first' },
      { group, kind: 'Gateway', name: 'edge' },
    ],
  });
  expect(value?.settings).toEqual({
    trustedProxies: ['10.0.0.0/8', '2001:db8::1/128'],
    access: { allow: ['192.0.2.0/24'], deny: ['192.0.2.1/32'] },
    rateLimits: [{ requests: 10, per: 60_000, burst: 5, by: ['client', 'route', { header: 'x-key' }] }],
    concurrency: [{ requests: 3, by: ['tenant'] }],
    maxBody: 8 * 1024 * 1024,
    basicAuth: { realm: 'Shop', secret: 'users' },
    externalAuth: {
      type: 'ExternalAuth',
      protocol: 'HTTP',
      backend: backend('auth'),
      path: '/check',
      allowedHeaders: ['cookie'],
      allowedResponseHeaders: ['x-user'],
    },
    cors: {
      type: 'CORS',
      allowOrigins: ['https://a.example'],
      allowMethods: ['GET'],
      allowHeaders: [],
      exposeHeaders: [],
      allowCredentials: false,
      maxAge: 60,
    },
    timeouts: { request: 10_000, backendRequest: 5000, connect: 1000 },
    retry: { codes: [502], attempts: 2, backoff: 10 },
    affinity: { type: 'hash', hash: { by: 'header', name: 'x-user' } },
    canaries: [
      {
        header: { name: 'x-canary', value: 'v[0-9]', regex: true },
        cookie: 'canary',
        share: 333_333,
        backends: [backend('next', 2)],
      },
    ],
    mirrors: [{ backend: backend('copy'), share: 100_000 }],
    compression: { types: ['text/*'], minLength: 10 },
    errors: [
      { codes: [502, 503], backend: backend('pages') },
      { codes: [404], body: { contentType: 'text/plain', text: 'Nothing here' } },
    ],
    accessLog: { fields: ['time', 'status'], share: 500_000 },
    buffering: { requests: true, answers: false },
  });
});

test('one that says nothing is one', () => {
  const { value, problems } = readTrafficPolicy(sampleOf('TrafficPolicy', {}));
  expect(problems).toEqual([]);
  expect(value).toMatchObject({ targets: [], enforced: false, settings: {} });
  expect(value).not.toHaveProperty('refused');
});

const refusals: readonly [name: string, spec: object, field: string, protects: boolean][] = [
  [
    'an address that is none',
    { access: { deny: ['192.0.2.1', '192.0.2.300'] } },
    'spec.access.deny[1]',
    true,
  ],
  ['an empty list of addresses', { access: { allow: [] } }, 'spec.access.allow', true],
  ['neither allow nor deny', { access: {} }, 'spec.access', true],
  ['a proxy that is none', { trustedProxies: ['all'] }, 'spec.trustedProxies[0]', true],
  ['a limit of nothing', { rateLimits: [{}] }, 'spec.rateLimits[0].requests', true],
  ['a time too short', { rateLimits: [{ requests: 1, per: '1ms' }] }, 'spec.rateLimits[0].per', true],
  [
    'a counter of what is not known',
    { concurrency: [{ requests: 1, by: ['Pod'] }] },
    'spec.concurrency[0].by[0]',
    true,
  ],
  ['a size that is none', { maxBodySize: '8 MB' }, 'spec.maxBodySize', true],
  ['a negative size', { maxBodySize: -1 }, 'spec.maxBodySize', true],
  ['users of nobody', { basicAuth: {} }, 'spec.basicAuth.secretRef.name', true],
  [
    'another namespace’s users',
    { basicAuth: { secretRef: { name: '../bank/users' } } },
    'spec.basicAuth.secretRef.name',
    true,
  ],
  [
    'a realm that ends its header',
    { basicAuth: { realm: 'a"\r\nX: y', secretRef: { name: 'u' } } },
    'spec.basicAuth.realm',
    true,
  ],
  ['an authorization of nobody', { externalAuth: {} }, 'spec.externalAuth.protocol', true],
  ['whether it insists', { enforced: 'yes' }, 'spec.enforced', true],
  ['an origin that is none', { cors: { allowOrigins: ['a b'] } }, 'spec.cors.allowOrigins[0]', false],
  ['a time that is none', { timeouts: { connect: '1 s' } }, 'spec.timeouts.connect', false],
  ['two affinities', { affinity: { session: {}, hash: { by: 'Client' } } }, 'spec.affinity', false],
  ['a hash of no header', { affinity: { hash: { by: 'Header' } } }, 'spec.affinity.hash.name', false],
  [
    'a canary for nobody',
    { canaries: [{ backendRefs: [{ name: 'a', port: 80 }] }] },
    'spec.canaries[0]',
    false,
  ],
  [
    'an expression that takes forever',
    {
      canaries: [
        {
          header: { name: 'a', value: '(?R)', type: 'RegularExpression' },
          backendRefs: [{ name: 'a', port: 80 }],
        },
      ],
    },
    'spec.canaries[0].header.value',
    false,
  ],
  [
    'a page in two ways',
    { errors: [{ codes: [404], body: {}, backendRef: { name: 'a', port: 80 } }] },
    'spec.errors[0]',
    false,
  ],
  [
    'a page whose type ends its header',
    { errors: [{ codes: [404], body: { contentType: 'text/html\r\nX: y', text: '' } }] },
    'spec.errors[0].body.contentType',
    false,
  ],
  [
    'a page that is too long',
    { errors: [{ codes: [404], body: { text: 'x'.repeat(5000) } }] },
    'spec.errors[0].body.text',
    false,
  ],
  [
    'a field of the log that is not known',
    { accessLog: { fields: ['password'] } },
    'spec.accessLog.fields[0]',
    false,
  ],
  ['a media type that is none', { compression: { types: ['*'] } }, 'spec.compression.types[0]', false],
];

test.each(refusals)(
  '%s: there is none of the field, and what protects closes',
  (_, spec, field, protects) => {
    const { value, problems } = readTrafficPolicy(
      sampleOf('TrafficPolicy', { ...spec, buffering: { requests: true } }),
    );
    expect(value?.settings).toEqual({ buffering: { requests: true } });
    expect(value?.refused?.[0]).toEqual({
      field,
      message: expect.any(String) as string,
      ...(protects ? { protects: true } : {}),
    });
    expect(problems[0]?.field).toBe(field);
  },
);

test('a target with a section that can not be read is none: all of it is not what was meant', () => {
  const target = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' };
  const targetRefs = [{ ...target, sectionName: 'A B' }, target, { ...target, name: 'a/b' }];
  const { value } = readTrafficPolicy(sampleOf('TrafficPolicy', { targetRefs }));
  expect(value?.targets).toEqual([target]);
});

test('a log without fields is none', () => {
  const { value } = readTrafficPolicy(sampleOf('TrafficPolicy', { accessLog: { fields: [] } }));
  expect(value?.settings).toEqual({ accessLog: { share: 1_000_000 } });
});

test('a BackendPolicy with about all that it can say, and one with nothing but a check', () => {
  const { value, problems } = readBackendPolicy(sampleOf('BackendPolicy', backendPolicySpec));
  expect(problems).toEqual([]);
  expect(value).toMatchObject({
    targets: [{ group: '', kind: 'Service', name: 'web', section: 'http' }],
    settings: {
      balance: { by: 'cookie', name: 'User' },
      health: {
        protocol: 'http',
        path: '/healthz',
        host: 'web.example',
        codes: [[200, 299]],
        interval: 5000,
        timeout: 1000,
        healthy: 1,
        unhealthy: 2,
      },
      breaker: { failures: 7, seconds: 60 },
      mostRequests: 100,
    },
  });
  const usual = readBackendPolicy(sampleOf('BackendPolicy', { healthCheck: {} })).value;
  expect(usual?.settings.health).toEqual({
    protocol: 'http',
    path: '/',
    codes: [[200, 399]],
    interval: 10_000,
    timeout: 2000,
    healthy: 2,
    unhealthy: 3,
  });
});

test.each<[string, object, string]>([
  ['a type', { balance: { type: 'Random' } }, 'spec.balance.type'],
  ['a path', { healthCheck: { path: 'a b' } }, 'spec.healthCheck.path'],
  ['a time', { healthCheck: { interval: '1s', timeout: '2s' } }, 'spec.healthCheck.timeout'],
  ['codes', { healthCheck: { codes: [{ from: 300, to: 200 }] } }, 'spec.healthCheck.codes[0]'],
  ['a number', { maxRequests: 0 }, 'spec.maxRequests'],
  ['how long', { circuitBreaker: { duration: '0s' } }, 'spec.circuitBreaker.duration'],
])('%s of a BackendPolicy that can not be used', (_, spec, field) => {
  const { value } = readBackendPolicy(sampleOf('BackendPolicy', spec));
  expect(value?.settings).toEqual({});
  expect(value?.refused?.map((each) => each.field)).toContain(field);
});

describe('a password file', () => {
  const read = (text: string) =>
    readUsers(sampleOf('Secret', undefined, { data: { auth: Buffer.from(text).toString('base64') } }));

  test('has users by name, the first of a name', () => {
    const { value, problems } = read(
      `# users\n\n${passwordFile}\r\nann:$apr1$other$0123456789abcdefghijkl\n`,
    );
    expect(problems).toEqual([]);
    expect(Object.keys(value?.users ?? {})).toEqual(['ann', 'bob', 'cid', 'dan']);
    expect(value?.users['ann']).toMatch(/^\$2y\$05\$/);
  });

  test.each([
    ['eve:secret', 'plain text'],
    ['eve:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=', 'SHA-1'],
    ['eve:{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=', 'SHA-1'],
    ['eve:ab01FAX.bQRSU', 'plain text'],
    ['eve:$1$salt$0123456789abcdefghijkl', 'MD5'],
    [`eve:$2y$31$${'a'.repeat(53)}`, 'cost'],
    [`eve:$6$rounds=999999999$salt$${'b'.repeat(86)}`, 'rounds'],
    ['eve:$y$j9T$abc$def', 'no hash that is known'],
    [':$apr1$salt$0123456789abcdefghijkl', 'no name'],
    ['nothing', 'NAME:HASH'],
  ])('%s is refused, with the reason and without the secret', (line, reason) => {
    const { value, problems } = read(`${passwordFile}\n${line}`);
    expect(Object.keys(value?.users ?? {})).toEqual(['ann', 'bob', 'cid', 'dan']);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.field).toBe('data[auth], line 5');
    expect(problems[0]?.message).toContain(reason);
    expect(JSON.stringify(problems)).not.toContain(line.slice(line.indexOf(':') + 1));
  });

  test('of which nothing can be used is none', () => {
    expect(read('eve:secret').value).toBeUndefined();
    expect(read('').value).toBeUndefined();
    expect(readUsers(sampleOf('Secret', undefined, { data: {} })).value).toBeUndefined();
  });

  test('can have odd names', () => {
    const { value } = read('__proto__:$apr1$salt$0123456789abcdefghijkl');
    expect(JSON.stringify(value?.users)).toBe('{"__proto__":"$apr1$salt$0123456789abcdefghijkl"}');
  });
});
