/** Bodies that are too long, and passwords, through the real nginx over HTTP/1.1, HTTP/2 and TLS. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayIntent } from '#intent/gateway.ts';
import type { GatewayPolicyIntent } from '#intent/gateway-policy.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { intentOf, type Site, type SiteRoute } from './cases.ts';
import type { Echo } from './testing-backend.ts';
import { makeCertificate, pairOf } from './testing-certificates.ts';
import { type Ask, openTestGateway, type TestGateway } from './testing-gateway.ts';

let box: Sandbox;
let gateway: TestGateway;
let certificate: { readonly certificate: string; readonly privateKey: string };

beforeAll(async () => {
  box = await openSandbox();
  gateway = await openTestGateway(box);
  await gateway.backends('a:9001', 'h:9101/h2c');
  certificate = pairOf(await makeCertificate(box, '/tmp/any.pem', { names: ['any.test'] }));
});
afterAll(async () => {
  if (process.env['DEBUG'] !== undefined) console.log(gateway.errors());
  await gateway?.close();
  await box?.close();
});

const backends: Site['backends'] = {
  a: ['127.0.0.1:9001'],
  h: { protocol: 'h2c', endpoints: ['127.0.0.1:9101'] },
};
const host = 'any.test';
const origin = { kind: 'Gateway', namespace: 'shop', name: 'gw' };

/** The same over HTTP and over TLS. */
async function serve(
  routes: Readonly<Record<string, SiteRoute>>,
  policies: Readonly<Record<string, Omit<GatewayPolicyIntent, 'origins'>>>,
  users: GatewayIntent['users'] = {},
): Promise<void> {
  const site = (listener: string, more: Partial<Site>): GatewayIntent =>
    intentOf({
      backends,
      listeners: { [listener]: { certificates: ['c'], kind: 'http' } },
      routes: Object.fromEntries(
        Object.entries(routes).map(([path, route]) => [`${host}${path}`, { to: 'a', ...route }]),
      ),
      ...more,
    });
  const plain = site('gateway/shop/gw/web', {});
  const secure = site('gateway/shop/gw/tls', {
    listeners: { 'gateway/shop/gw/tls': { port: 'tcp/443', kind: 'https', certificates: ['c'] } },
  });
  await gateway.hold({
    ...plain,
    ports: {
      'tcp/80': { port: 80, kind: 'http', slot: 0 },
      'tcp/443': { port: 443, kind: 'https', slot: 0 },
    },
    listeners: { ...plain.listeners, ...secure.listeners },
    rules: { ...plain.rules, ...secure.rules },
    certificates: { c: { origin, ...certificate, names: [host] } },
    policies: Object.fromEntries(
      Object.entries(policies).map(([key, policy]) => [key, { origins: [origin], ...policy }]),
    ),
    users,
  });
}

const ways = {
  'HTTP/1.1': ['--http1.1', 'http://any.test:10000'],
  'HTTP/2': ['--http2-prior-knowledge', 'http://any.test:10000'],
  'TLS and HTTP/1.1': ['--http1.1', 'https://any.test:10100'],
  'TLS and HTTP/2': ['--http2', 'https://any.test:10100'],
} as const;
const resolved = '--resolve any.test:10000:127.0.0.1 --resolve any.test:10100:127.0.0.1';

/** Sends so many bytes, and doesn't say how many they will be. */
async function stream(
  way: keyof typeof ways,
  path: string,
  bytes: number,
): Promise<{ status: string; body: string }> {
  const [version, base] = ways[way];
  const out = await gateway.sh(
    `head -c ${bytes} /dev/zero | curl -sk --max-time 20 ${version} ${resolved} -T - -X POST -o /tmp/body -w '%{http_code}' '${base}${path}' || true; echo; cat /tmp/body`,
  );
  const [status = '', ...rest] = out.split('\n');
  return { status, body: rest.join('\n') };
}

describe('bodies', () => {
  const limited = { maxBody: 10_000 };
  const kinds: Readonly<Record<string, SiteRoute>> = {
    '/plain': {},
    '/h2c': { to: 'h' },
    '/timed': { timeouts: { request: 20_000 } },
    '/retried': { retry: { codes: [503], attempts: 1 } },
    '/mirrored': { mirrors: [{ backend: 'h', share: 1_000_000 }] },
    '/asked': {
      externalAuth: {
        protocol: 'http',
        backend: 'a',
        path: '/auth',
        allowedHeaders: [],
        allowedResponseHeaders: [],
        forwardBody: 1_000_000,
      },
    },
  };
  const limitAll = () =>
    serve(
      Object.fromEntries(Object.entries(kinds).map(([path, route]) => [path, { ...route, policy: 'p' }])),
      { p: limited, any: { maxBody: 0 } },
    );

  it('that say they are too long are refused before they come', async () => {
    await limitAll();
    expect((await gateway.ask('/plain', { body: 'x'.repeat(10_000) })).status).toBe(200);
    const long = await gateway.ask('/plain', { body: 'x'.repeat(10_001) });
    expect(long).toMatchObject({ status: 413, headers: { connection: 'close' } });
    expect((await stream('TLS and HTTP/2', '/plain', 0)).status).toBe('200');
  });

  it.each(
    Object.keys(kinds).flatMap(
      (path) =>
        [
          [path, 'HTTP/1.1' as const],
          [path, 'TLS and HTTP/2' as const],
        ] as const,
    ),
  )('on %s over %s that turn out too long are cut off', async (path, way) => {
    await limitAll();
    const id = `${path}-${way}`.replaceAll(/[^a-z0-9]/gi, '');
    const most = await stream(way, `${path}?id=${id}`, 10_000);
    expect(most.status).toBe('200');
    expect(JSON.parse(most.body)).toMatchObject({ length: 10_000 });
    expect((await stream(way, `${path}?id=${id}`, 10_001)).status).toBe('413');
    expect((await stream(way, `${path}?id=${id}`, 3_000_000)).status).toBe('413');
    // None of these became a request that a backend would act on.
    const log = JSON.parse(await gateway.sh(`curl -s 'http://127.0.0.1:9001/log?id=${id}'`)) as Echo[];
    expect(log.filter(({ length }) => length > 10_000)).toEqual([]);
  });

  it('are as long as they like where the nearest policy says so', async () => {
    await serve({ '/': { policy: 'any' } }, { any: { maxBody: 0 } });
    expect(JSON.parse((await stream('HTTP/2', '/', 3_000_000)).body)).toMatchObject({ length: 3_000_000 });
  });
});

describe('limits', () => {
  it.each(Object.keys(ways) as (keyof typeof ways)[])('hold over %s', async (way) => {
    const [version, base] = ways[way];
    const counted = { by: ['client' as const], requests: 2 };
    await serve(
      { '/rate': { policy: 'rate' }, '/access': { policy: 'access' } },
      {
        rate: { rateLimits: [{ counter: way, per: 3_600_000, burst: 0, ...counted }] },
        access: { access: [{ deny: ['127.0.0.0/8'] }] },
      },
    );
    const statuses = await gateway.sh(
      `for path in rate rate rate access; do curl -sk ${version} ${resolved} -o /dev/null -w '%{http_code} ' ${base}/$path; done`,
    );
    expect(statuses.trim()).toBe('200 200 429 403');
  });
});

describe('passwords', () => {
  const hashes = {
    apr1: '$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/',
    sha512:
      '$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.',
    sha256: '$5$rounds=1000$abcd$b8MCU4GEeZIekOy5ahQ8EWfT330hvYGVeDYkBxXBva.',
    bcrypt: '$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a',
    sha1: '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=',
    endless: '$2y$31$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a',
    plain: 'secret',
    empty: '',
    none: '*0',
  };
  const let_in = { apr1: 200, sha512: 200, sha256: 200, bcrypt: 200, sha1: 200 };
  let number = 0;
  /** With a Secret of its own, whose attempts are counted apart. */
  const guarded = async (users: Readonly<Record<string, string>> = hashes): Promise<void> => {
    const key = `shop/passwords-${number++}`;
    await serve(
      { '/': { policy: 'p' }, '/open': { policy: 'none' } },
      { p: { basicAuth: { realm: 'the "shop"', users: key } }, none: { basicAuth: { realm: 'x' } } },
      { [key]: { origin, users } },
    );
  };
  const by = (name: string, password: string, curl: readonly string[] = []): Ask => ({
    curl: ['-u', `${name}:${password}`, ...curl],
  });

  it('open for those who know them, by each kind of hash', async () => {
    await guarded();
    const seen: Record<string, number> = {};
    const wrong: Record<string, number> = {};
    for (const name of Object.keys(hashes)) {
      seen[name] = (await gateway.ask('/', by(name, 'secret'))).status;
      // Each from elsewhere: who is wrong often must wait.
      wrong[name] = (await gateway.ask('/', by(name, 'Secret', ['--interface', '127.0.0.2']))).status;
    }
    expect(seen).toEqual({ ...let_in, endless: 401, plain: 401, empty: 401, none: 401 });
    expect([...new Set(Object.values(wrong))]).toEqual([401]);
  });

  it('are asked for, and go no further', async () => {
    await guarded();
    const asked = await gateway.ask('/');
    expect(asked).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="the \\"shop\\"", charset="UTF-8"' },
    });
    for (const header of [
      'Basic',
      'Basic !!',
      'Bearer x',
      `Basic ${btoa('nobody')}`,
      `Basic ${btoa('nobody:x')}`,
    ])
      expect((await gateway.ask('/', { headers: { Authorization: header } })).status).toBe(401);
    const { headers } = await gateway.echo('/', by('apr1', 'secret'));
    expect(headers['authorization']).toBeUndefined();
    const grpc = await gateway.ask('/', { headers: { 'Content-Type': 'application/grpc' } });
    expect(grpc.headers['grpc-status']).toBe('16');
  });

  it.each(Object.keys(ways) as (keyof typeof ways)[])('are verified over %s', async (way) => {
    await guarded();
    const [version, base] = ways[way];
    const status = (user: string) =>
      gateway.sh(`curl -sk ${version} ${resolved} -u ${user} -o /dev/null -w '%{http_code}' ${base}/`);
    expect([await status('bcrypt:secret'), await status('bcrypt:wrong')]).toEqual(['200', '401']);
  });

  it('let nobody in where they can not be read', async () => {
    await guarded();
    expect((await gateway.ask('/open')).status).toBe(500);
    await serve({ '/': { policy: 'p' } }, { p: { basicAuth: { realm: 'x', users: 'shop/gone' } } });
    expect((await gateway.ask('/', by('a', 'secret'))).status).toBe(500);
  });

  it('that are tried one after the other must wait, and those who know one need not', async () => {
    await guarded();
    expect((await gateway.ask('/', by('bcrypt', 'secret'))).status).toBe(200);
    const tried: number[] = [];
    for (let at = 0; at < 25; at++) tried.push((await gateway.ask('/', by('bcrypt', `guess${at}`))).status);
    expect(tried.filter((status) => status === 401)).toHaveLength(20);
    expect(tried.at(-1)).toBe(429);
    // Both workers learn it by themselves, from somewhere that may still ask.
    await eventually(async () => {
      const status = (await gateway.ask('/', by('bcrypt', 'secret', ['--interface', '127.0.0.2']))).status;
      expect(status).toBe(200);
    });
  });

  it('of many connections at once are verified once, and nobody is sent away', async () => {
    await guarded();
    const ask = `curl -s -o /dev/null -w '%{http_code} ' -u sha512:secret ${resolved} http://any.test:10000/`;
    const said = await gateway.sh(`for i in $(seq 60); do ${ask} & done; wait`);
    expect([...new Set(said.trim().split(' '))]).toEqual(['200']);
  });

  it('that change count at once', async () => {
    await guarded({ joe: hashes.bcrypt });
    expect((await gateway.ask('/', by('joe', 'secret'))).status).toBe(200);
    const key = `shop/passwords-${number - 1}`;
    await serve(
      { '/': { policy: 'p' } },
      { p: { basicAuth: { realm: 'x', users: key } } },
      { [key]: { origin, users: { joe: '$2y$05$abcdefghijklmnopqrstuu0000000000000000000000000000000' } } },
    );
    expect((await gateway.ask('/', by('joe', 'secret'))).status).toBe(401);
  });
});

describe('metrics', () => {
  it('say why requests were turned away', async () => {
    // The last two, whose names no other test has.
    const others = Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`/other${at}`, {}]));
    await serve(
      { ...others, '/': { policy: 'p' }, '/a': { policy: 'a' } },
      { p: { maxBody: 10 }, a: { access: [{ allow: [] }] } },
    );
    await gateway.ask('/', { body: 'x'.repeat(11) });
    await stream('HTTP/1.1', '/', 11);
    await gateway.ask('/a');
    // Each worker tells once a second what it counted.
    await eventually(async () => {
      const { refusals, routes } = await gateway.engine.metrics();
      const counted = (route: string, reason: string) =>
        routes.find((count) => count.route.endsWith(route))?.refused[refusals.indexOf(reason)];
      expect([counted('/web10', 'body'), counted('/web11', 'access')]).toEqual([2, 1]);
    });
  });
});
