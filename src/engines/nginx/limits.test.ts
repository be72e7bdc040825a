/** Who may come in, how often, how many at once and with how much, through the real nginx. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayPolicyIntent, GatewayTenantIntent } from '#intent/gateway-policy.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { intentOf, type Site, type SiteRoute } from './cases.ts';
import type { Echo } from './testing-backend.ts';
import { type Ask, openTestGateway, type TestGateway } from './testing-gateway.ts';

let box: Sandbox;
let gateway: TestGateway;

beforeAll(async () => {
  box = await openSandbox();
  gateway = await openTestGateway(box);
  await gateway.backends('a:9001', 'h:9101/h2c');
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
const origins = [{ kind: 'TrafficPolicy', namespace: 'shop', name: 'limits' }];
const hour = 3_600_000;
const auth = {
  protocol: 'http',
  backend: 'a',
  path: '/check?id=asked',
  allowedHeaders: [],
  allowedResponseHeaders: [],
  asIngress: { method: 'GET' },
} as const;
let counters = 0;
/** Another name each: what one test counts is nothing to the next. */
const counter = () => `shop/limits/${counters++}`;

type Policies = Readonly<Record<string, Omit<GatewayPolicyIntent, 'origins'>>>;

/** Routes by path; `policy` names one of the policies. */
const serve = (
  routes: Readonly<Record<string, SiteRoute>>,
  policies: Policies = {},
  tenants: Readonly<Record<string, GatewayTenantIntent>> = {},
) =>
  gateway.hold({
    ...intentOf({
      backends,
      routes: Object.fromEntries(
        Object.entries(routes).map(([path, route]) => [`${host}${path}`, { to: 'a', ...route }]),
      ),
    }),
    policies: Object.fromEntries(
      Object.entries(policies).map(([key, policy]) => [key, { origins, ...policy }]),
    ),
    tenants,
  });
const ask = (path: string, options: Ask = {}) => gateway.ask(path, options);
const statuses = async (count: number, path: string, options?: Ask): Promise<number[]> => {
  const all: number[] = [];
  for (let at = 0; at < count; at++) all.push((await ask(path, options)).status);
  return all;
};
const from = (address: string): Ask => ({ curl: ['--interface', address] });
const forwardedFor = (...list: string[]): Ask => ({ headers: { 'X-Forwarded-For': list.join(', ') } });

describe('access', () => {
  it('is by address: denied ones never, others if they are allowed', async () => {
    await serve(
      { '/allow': { policy: 'allow' }, '/deny': { policy: 'deny' }, '/both': { policy: 'both' } },
      {
        allow: { access: [{ allow: ['127.0.0.2/31', '2001:db8::/32'] }] },
        deny: { access: [{ deny: ['127.0.0.2'] }] },
        both: { access: [{ allow: ['127.0.0.0/8'] }, { allow: ['127.0.0.2/31'], deny: ['127.0.0.3'] }] },
      },
    );
    const seen = async (path: string) => [
      (await ask(path, from('127.0.0.1'))).status,
      (await ask(path, from('127.0.0.2'))).status,
      (await ask(path, from('127.0.0.3'))).status,
    ];
    expect(await seen('/allow')).toEqual([403, 200, 200]);
    expect(await seen('/deny')).toEqual([200, 403, 200]);
    expect(await seen('/both')).toEqual([403, 200, 403]);
    const grpc = await ask('/allow', { headers: { 'Content-Type': 'application/grpc' } });
    expect(grpc).toMatchObject({ status: 200, headers: { 'grpc-status': '7' } });
  });

  it('goes by what trusted proxies say, and by nothing that clients make up', async () => {
    const access = [{ allow: ['192.0.2.0/24', '2001:db8::/32'] }];
    await serve(
      { '/trusting': { policy: 'trusting' }, '/not': { policy: 'not' } },
      { trusting: { access, trustedProxies: ['127.0.0.1', '10.0.0.0/8'] }, not: { access } },
    );
    const status = async (path: string, ...list: string[]) => (await ask(path, forwardedFor(...list))).status;
    expect(await status('/trusting', '192.0.2.1')).toBe(200);
    expect(await status('/trusting', '[2001:db8::1]:4711', '10.1.2.3')).toBe(200);
    expect(await status('/trusting', '192.0.2.1', '198.51.100.1')).toBe(403);
    expect(await status('/trusting', '192.0.2.1', 'nonsense', '10.1.2.3')).toBe(403);
    expect(await status('/not', '192.0.2.1')).toBe(403);
    // Who isn't a trusted proxy may say what he likes.
    const untrusted = { ...forwardedFor('192.0.2.1'), ...from('127.0.0.9') };
    expect((await ask('/trusting', untrusted)).status).toBe(403);
  });

  it('tells backends the same client', async () => {
    await serve(
      { '/': { policy: 'p' }, '/h': { to: 'h', policy: 'p' } },
      { p: { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] } },
    );
    for (const path of ['/', '/h']) {
      const { headers } = await gateway.echo(path, forwardedFor('6.6.6.6', '192.0.2.1', '10.0.0.7'));
      expect(headers).toMatchObject({
        'x-real-ip': '192.0.2.1',
        'x-forwarded-for': '192.0.2.1, 10.0.0.7, 127.0.0.1',
      });
    }
    const { headers } = await gateway.echo('/', { ...forwardedFor('6.6.6.6'), ...from('127.0.0.9') });
    expect(headers).toMatchObject({ 'x-real-ip': '127.0.0.9', 'x-forwarded-for': '127.0.0.9' });
  });

  it('tells backends how clients came, as trusted proxies say, and nobody else', async () => {
    await serve(
      {
        '/': { policy: 'p' },
        '/h': { to: 'h', policy: 'p' },
        '/not': { policy: 'not' },
        '/auth': { policy: 'p', externalAuth: auth },
        '/to': { policy: 'p', redirect: { path: { type: 'full', value: '/there' }, statusCode: 302 } },
      },
      { p: { trustedProxies: ['127.0.0.1'] }, not: {} },
    );
    const how = async (path: string, proto: string, port?: string, curl: readonly string[] = []) => {
      const said = port === undefined ? {} : { 'X-Forwarded-Port': port };
      const headers = { 'X-Forwarded-Proto': proto, ...said };
      const echo = await gateway.echo(path, { headers, curl });
      return `${echo.headers['x-forwarded-proto']} ${echo.headers['x-forwarded-port']}`;
    };
    for (const path of ['/', '/h', '/auth']) {
      expect(await how(path, 'https')).toBe('https 443');
      expect(await how(path, 'HTTPS', '8443')).toBe('https 8443');
      expect(await how(path, 'http', '8080')).toBe('http 8080');
      expect(await how(path, 'https', '0')).toBe('https 443');
      for (const said of ['ftp', 'https,http', '', 'https; x']) expect(await how(path, said)).toBe('http 80');
      expect(await how(path, 'http', '65536')).toBe('http 80');
      expect(await how(path, 'http', '8e1')).toBe('http 80');
      expect(await how(path, 'https', '8443', from('127.0.0.9').curl)).toBe('http 80');
    }
    expect(await how('/not', 'https', '8443')).toBe('http 80');
    const asked = JSON.parse((await gateway.ask('/log?id=asked')).body) as Echo[];
    expect(asked[0]!.headers).toMatchObject({ 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' });
    const to = async (options: Ask = {}) =>
      (await ask('/to', { headers: { 'X-Forwarded-Proto': 'https' }, ...options })).headers['location'];
    expect(await to()).toBe('https://any.test/there');
    expect(await to(from('127.0.0.9'))).toBe('http://any.test/there');
  });

  it('is not sent to HTTPS where a trusted proxy ended TLS, but served as there', async () => {
    const port = { kind: 'https', slot: 0, port: 443 } as const;
    const secure = { origin: origins[0]!, port: 'tcp/443', kind: 'https', hostname: '' } as const;
    const validation = { authority: 'ca', mode: 'require' } as const;
    const held = intentOf({
      backends,
      routes: {
        [`${host}/`]: { to: 'a', policy: 'p', redirect: { scheme: 'https', port: 443, statusCode: 308 } },
      },
    });
    const [[key, plain] = []] = Object.entries(held.rules);
    const hold = (listener: object) =>
      gateway.hold({
        ...held,
        ports: { ...held.ports, 'tcp/443': port },
        listeners: { ...held.listeners, secure: { ...secure, ...listener } },
        rules: { [key!]: plain!, there: { ...plain!, listener: 'secure', action: 'there' } },
        actions: { ...held.actions, there: served },
        policies: { p: { origins, trustedProxies: ['127.0.0.1'] } },
      });
    const served = {
      origin: origins[0]!,
      kind: 'http',
      policy: 'p',
      backends: [{ backend: 'a', weight: 1 }],
    } as const;
    const https = { headers: { 'X-Forwarded-Proto': 'https' } };
    await hold({});
    const { headers } = await gateway.echo('/x?y=1', https);
    expect(headers).toMatchObject({ 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' });
    expect((await ask('/x')).headers['location']).toBe(`https://${host}/x`);
    expect((await ask('/x', { ...https, ...from('127.0.0.9') })).status).toBe(308);
    await hold({ clientValidation: validation });
    expect((await ask('/x', https)).status).toBe(308);
  });

  it('is denied where the policy is not there', async () => {
    await serve({ '/': { policy: 'gone' } });
    expect((await ask('/')).status).toBe(500);
  });

  it('chooses the rule, where rules are for some clients only', async () => {
    await serve(
      {
        '/': { to: 'h', rule: { clients: ['127.0.0.2', '192.0.2.0/24'], rank: '0' }, policy: 'p' },
        '/x': { to: 'h', rule: { path: { type: 'prefix', value: '/' }, rank: '1' } },
      },
      { p: { trustedProxies: ['127.0.0.1'] } },
    );
    const version = async (options: Ask) => (await gateway.echo('/', options)).headers['x-real-ip'];
    expect(await version(from('127.0.0.2'))).toBe('127.0.0.2');
    expect(await version(forwardedFor('192.0.2.9'))).toBe('192.0.2.9');
    expect(await version(forwardedFor('192.0.3.9'))).toBe('127.0.0.1');
  });
});

describe('patterns', () => {
  const loose = (value: string, rank = '0') =>
    ({ rule: { path: { type: 'regex', value, loose: true }, rank } }) as const;
  const captured = (value: string) => ({ rewrite: { path: { type: 'captures', value } } }) as const;

  it('may be loose, and give parts of a path to another one', async () => {
    await serve({
      '/1': { ...loose('/api(/|$)(.*)'), filters: captured('/$2') },
      '/2': { ...loose('/old/([a-z]+)(?:/(\\d+))?', '1'), filters: captured('/new?kind=$1&id=$2&price=$$1') },
      '/3': {
        ...loose('/go/(.*)', '2'),
        redirect: { statusCode: 302, path: { type: 'captures', value: '/gone/$1' } },
      },
      '/h': { ...loose('/h(/.*)', '3'), to: 'h', filters: captured('$1') },
      '/q': { ...loose('/q/(.*)', '4'), to: 'h', filters: captured('/asked?for=$1') },
    });
    const url = async (path: string) => (await gateway.echo(path)).url;
    expect(await url('/API/users/7?q=1')).toBe('/users/7?q=1');
    expect(await url('/api')).toBe('/');
    expect(await url('/old/Shoe/12/more?q=1')).toBe('/new?kind=Shoe&id=12&price=$1&q=1');
    expect(await url('/old/shoe')).toBe('/new?kind=shoe&id=&price=$1');
    expect(await url('/h/over/there')).toBe('/over/there');
    expect(await url('/q/a%20b?q=1')).toBe('/asked?for=a%20b&q=1');
    expect((await ask('/go/a%20b?q=1')).headers['location']).toMatch(/\/gone\/a%20b\?q=1$/);
    expect((await ask('/x/api')).status).toBe(404);
  });
});

describe('rates', () => {
  it('are kept by all workers together, and by client', async () => {
    const rateLimits = [{ counter: counter(), by: ['client' as const], requests: 30, per: hour, burst: 20 }];
    await serve({ '/': { policy: 'p' } }, { p: { rateLimits } });
    const many = await gateway.sh(
      `h2load --h1 -n 400 -c 40 -H 'Host: ${host}' http://127.0.0.1:10000/ | grep 'status codes'`,
    );
    expect(many).toContain('50 2xx, 0 3xx, 350 4xx');
    const late = await ask('/');
    expect(late.status).toBe(429);
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(100);
    expect((await ask('/', from('127.0.0.2'))).status).toBe(200);
    // Counters outlive a reload, whose workers serve beside those before.
    await gateway.sh('kill -HUP $(cat /run/netloom-gateway/nginx.pid)');
    expect(await statuses(10, '/')).toEqual(Array.from({ length: 10 }, () => 429));
  });

  it('come back with time', async () => {
    const rateLimits = [{ counter: counter(), by: [], requests: 1, per: 200, burst: 0 }];
    await serve({ '/': { policy: 'p' } }, { p: { rateLimits } });
    expect((await ask('/')).status).toBe(200);
    await eventually(async () => expect((await ask('/')).status).toBe(200));
  });

  it('count by header, route and tenant, and all must be kept', async () => {
    const limit = (requests: number, ...by: GatewayPolicyIntentBy[]) => ({
      counter: counter(),
      by,
      requests,
      per: hour,
      burst: 0,
    });
    await serve(
      { '/header': { policy: 'header' }, '/one': { policy: 'route' }, '/two': { policy: 'route' } },
      {
        header: { rateLimits: [limit(2, { header: 'X-Key' }), limit(5)] },
        route: { rateLimits: [limit(2, 'route'), limit(3, 'tenant')] },
      },
    );
    const key = (value: string): Ask => ({ headers: { 'x-key': value } });
    expect(await statuses(3, '/header', key('a'))).toEqual([200, 200, 429]);
    expect(await statuses(3, '/header', key('b'))).toEqual([200, 200, 429]);
    // What was refused by the first counted nowhere.
    expect(await statuses(2, '/header')).toEqual([200, 429]);
    expect(await statuses(3, '/one')).toEqual([200, 200, 429]);
    expect(await statuses(2, '/two')).toEqual([200, 429]);
  });

  it('of tenants hold for all that they have, whether it has a policy or not', async () => {
    const namespace = `tenant-${counter().replaceAll('/', '-')}`;
    const origin = { kind: 'HTTPRoute', namespace, name: 'r' };
    await serve(
      { '/one': { origin }, '/two': { origin }, '/other': {} },
      {},
      { [namespace]: { requestsPerSecond: 3 } },
    );
    const many = await gateway.sh(
      `h2load --h1 -n 60 -c 20 -H 'Host: ${host}' http://127.0.0.1:10000/one http://127.0.0.1:10000/two | grep 'status codes'`,
    );
    expect(many).toMatch(/ [3-9] 2xx, 0 3xx, 5\d 4xx/);
    expect((await ask('/other')).status).toBe(200);
    await serve({ '/one': { origin } });
    expect(await statuses(5, '/one')).toEqual([200, 200, 200, 200, 200]);
  });
});

describe('requests at once', () => {
  const arrived = (id: string) =>
    eventually(async () => {
      const log = JSON.parse(await gateway.sh(`curl -s 'http://127.0.0.1:9001/log?id=${id}'`)) as Echo[];
      expect(log.length).toBeGreaterThan(0);
    });
  /** A request that takes longer than the test; gives the client's process. */
  const stay = async (path: string, id: string): Promise<string> => {
    const client = await gateway.sh(
      `curl -s -H 'Host: ${host}' 'http://127.0.0.1:10000${path}?wait=60000&id=${id}' >/dev/null 2>&1 & echo $!`,
    );
    await arrived(id);
    return client.trim();
  };

  it.each([
    ['by a policy', 'p'],
    ['by what its tenant has', undefined],
  ])('are limited %s, and given back when a client goes', async (_by, policy) => {
    const namespace = `tenant-${counter().replaceAll('/', '-')}`;
    const concurrency = [{ counter: counter(), by: ['client' as const], requests: 1 }];
    await serve(
      {
        '/': {
          ...(policy === undefined ? {} : { policy }),
          origin: { kind: 'HTTPRoute', namespace, name: 'r' },
        },
      },
      { p: { concurrency } },
      policy === undefined ? { [namespace]: { concurrency: 1 } } : {},
    );
    const client = await stay('/', counter());
    expect((await ask('/')).status).toBe(503);
    await gateway.sh(`kill -KILL ${client}`);
    await eventually(async () => expect((await ask('/')).status).toBe(200));
    expect(await statuses(3, '/')).toEqual([200, 200, 200]);
  });

  it('are given back when a worker dies', async () => {
    const concurrency = [{ counter: counter(), by: [], requests: 1 }];
    await serve({ '/': { policy: 'p' } }, { p: { concurrency } });
    await stay('/', counter());
    expect((await ask('/')).status).toBe(503);
    await gateway.sh('pkill -KILL -P $(cat /run/netloom-gateway/nginx.pid)');
    await eventually(async () => expect((await ask('/')).status).toBe(200));
  });

  it('are given back after retries, filters and errors', async () => {
    const concurrency = [{ counter: counter(), by: [], requests: 1 }];
    await serve(
      {
        '/retry': { policy: 'p', retry: { codes: [503], attempts: 2 } },
        '/redirect': { policy: 'p', redirect: { statusCode: 302, hostname: 'x.test' } },
        '/none': { policy: 'p', to: 'missing' },
      },
      { p: { concurrency } },
    );
    const id = counter();
    expect((await ask(`/retry?fail=1&id=${id}`)).status).toBe(200);
    expect((await ask('/redirect')).status).toBe(302);
    expect((await ask('/none')).status).toBe(500);
    expect((await ask('/retry')).status).toBe(200);
  });
});

type GatewayPolicyIntentBy = NonNullable<GatewayPolicyIntent['rateLimits']>[number]['by'][number];
