/** What policies make of requests that pass: where they go, and what becomes of their answers. Through the real nginx. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { intentOf, type Site, type SiteRoute } from './cases.ts';
import type { Echo } from './testing-backend.ts';
import { type Ask, callBothWays, openTestGateway, type TestGateway } from './testing-gateway.ts';

let box: Sandbox;
let gateway: TestGateway;

beforeAll(async () => {
  box = await openSandbox();
  gateway = await openTestGateway(box);
  await gateway.backends('a:9001', 'b:9002', 'c:9003', 'h:9101/h2c', 'i:9102/h2c');
});
afterAll(async () => {
  if (process.env['DEBUG'] !== undefined) console.log(gateway.errors());
  await gateway?.close();
  await box?.close();
});

const three = ['127.0.0.1:9001', '127.0.0.1:9002', '127.0.0.1:9003'];
const backends: Site['backends'] = {
  a: ['127.0.0.1:9001'],
  b: ['127.0.0.1:9002'],
  h: { protocol: 'h2c', endpoints: ['127.0.0.1:9101'] },
  three,
  dead: ['127.0.0.1:1'],
};
const host = 'any.test';
const serve = (
  routes: Readonly<Record<string, string | SiteRoute>>,
  policies: NonNullable<Site['policies']> = {},
  more: Site['backends'] = {},
) =>
  gateway.hold(
    intentOf({
      backends: { ...backends, ...more },
      policies,
      routes: Object.fromEntries(Object.entries(routes).map(([path, route]) => [`${host}${path}`, route])),
    }),
  );
const ask = (path: string, options: Ask = {}) => gateway.ask(path, options);
const name = async (path: string, headers: Record<string, string> = {}) => {
  const { status, headers: answered } = await ask(path, { headers });
  return answered['x-backend'] ?? status;
};
/** Requests with this number that came to a backend. */
const logOf = async (id: string, who: string, port = 9001): Promise<Echo[]> =>
  (JSON.parse(await gateway.sh(`curl -s 'http://127.0.0.1:${port}/log?id=${id}'`)) as Echo[]).filter(
    (echo) => echo.name === who,
  );
const overHTTP2 = ['--http2-prior-knowledge'];

describe('canaries', () => {
  it('take requests by header, cookie and share, and sessions stay with them', async () => {
    const canaries = [
      { header: { name: 'X-New' }, cookie: 'new', backends: [{ backend: 'b', weight: 1 }] },
      {
        header: { name: 'x-who', value: 'bee[0-9]+', regex: true as const },
        backends: [{ backend: 'h', weight: 1 }],
      },
    ];
    await serve({
      '/': { to: 'a', canaries },
      '/share': { to: 'a', canaries: [{ share: 500_000, backends: [{ backend: 'b', weight: 1 }] }] },
      '/s': { to: 'a', canaries, persistence: { type: 'cookie', name: 'sid' } },
      '/gone': { to: 'a', canaries: [{ share: 1_000_000, backends: [{ weight: 1 }] }] },
    });
    expect(await name('/')).toBe('a');
    expect(await name('/', { 'X-New': 'always' })).toBe('b');
    expect(await name('/', { 'X-New': 'never', Cookie: 'new=always' })).toBe('a');
    expect(await name('/', { Cookie: 'x=y; new=always' })).toBe('b');
    expect(await name('/', { 'X-Who': 'bee12' })).toBe('h');
    expect(await name('/', { 'X-Who': 'bee' })).toBe('a');
    expect(await name('/gone')).toBe(500);
    const out = await gateway.sh(
      `for i in $(seq 200); do echo 'url = http://127.0.0.1:10000/share'; done | curl -s -K - -H 'Host: any.test' -w '\\n%header{x-backend}\\n' | grep -c '^b$'`,
    );
    expect(Number(out)).toBeGreaterThan(60);
    expect(Number(out)).toBeLessThan(140);
    const begun = await ask('/s', { headers: { 'X-New': 'always' } });
    const sid = /sid=[^;]+/.exec(begun.headers['set-cookie'] ?? '')?.[0] ?? '';
    expect(await name('/s', { Cookie: sid })).toBe('b');
  });
});

describe('endpoints', () => {
  it('are the same for what says the same, and only what was at one that is gone moves', async () => {
    const hash = { by: 'header', name: 'x-user' } as const;
    const users = Array.from({ length: 24 }, (_, at) => `user-${at}`);
    const placed = async () =>
      Object.fromEntries(
        await Promise.all(users.map(async (user) => [user, await name('/', { 'X-User': user })])),
      );
    await serve({ '/': 'hashed' }, {}, { hashed: { endpoints: three, balance: hash } });
    const first = await placed();
    expect(new Set(Object.values(first))).toEqual(new Set(['a', 'b', 'c']));
    expect(await placed()).toEqual(first);
    await serve({ '/': 'hashed' }, {}, { hashed: { endpoints: three.slice(0, 2), balance: hash } });
    const second = await placed();
    for (const user of users) if (first[user] !== 'c') expect(second[user]).toBe(first[user]);
    // The same where the rule asks for it, over several backends, too; and what says nothing takes turns.
    await serve({
      '/': {
        backends: ['a', 'b', 'h'].map((backend) => ({ backend, weight: 1 })),
        hash: { by: 'query', name: 'u' },
      },
      '/turn': { to: 'three', hash: { by: 'cookie', name: 'none' } },
    });
    const byQuery = async (user: string) => name(`/?u=${user}`);
    const once = await Promise.all(users.map(byQuery));
    expect(await Promise.all(users.map(byQuery))).toEqual(once);
    expect(new Set(once).size).toBe(3);
    expect(
      new Set([await name('/turn'), await name('/turn'), await name('/turn'), await name('/turn')]).size,
    ).toBeGreaterThan(1);
  });

  it('with the fewest requests get the next', async () => {
    // One worker counts for itself: the requests come over one connection.
    await serve({ '/': 'least' }, {}, { least: { endpoints: three, balance: 'leastRequests' } });
    const script = `
      const http2 = require('node:http2');
      const session = http2.connect('http://127.0.0.1:10000');
      const ask = (path) => new Promise((done) => {
        const call = session.request({ ':path': path, ':authority': 'any.test' });
        call.on('response', (headers) => done(headers['x-backend'])); call.resume();
      });
      (async () => {
        const slow = [ask('/?wait=1500'), ask('/?wait=1500')];
        const quick = [];
        for (let at = 0; at < 8; at++) quick.push(await ask('/'));
        const busy = await Promise.all(slow);
        console.log(JSON.stringify({ busy, quick })); session.close();
      })();`;
    const { stdout } = await box.exec(['/opt/node/bin/node', '-e', script], { timeoutMs: 8_000 });
    const { busy, quick } = JSON.parse(stdout) as { busy: string[]; quick: string[] };
    expect(new Set(busy).size).toBe(2);
    for (const one of quick) expect(busy).not.toContain(one);
  });

  it('get no more requests at once than they may, of all workers together', async () => {
    await serve(
      { '/': 'few', '/r': { to: 'few', retry: { codes: [500], attempts: 1 } } },
      {},
      {
        few: { endpoints: three.slice(0, 2), mostRequests: 2 },
      },
    );
    const out = await gateway.sh(
      `for i in $(seq 8); do curl -s -o /dev/null -w '%{http_code} %header{x-backend}\\n' -H 'Host: any.test' 'http://127.0.0.1:10000/?wait=2000' & done; wait`,
    );
    const said = out
      .trim()
      .split('\n')
      .map((line) => line.trim())
      .toSorted();
    expect(said).toEqual(['200 a', '200 a', '200 b', '200 b', '503', '503', '503', '503']);
    // What was held is free again, also after a retry.
    for (const path of ['/', '/r', '/r?id=once&fail=1&with=500', '/r', '/'])
      expect((await ask(path)).status).toBe(200);
    // So is what a worker held that died.
    const cut = [1, 2, 3, 4].map(() => ask('/?wait=60000&id=cut').catch(() => undefined));
    await eventually(async () =>
      expect((await logOf('cut', 'a')).length + (await logOf('cut', 'b', 9001)).length).toBe(4),
    );
    await gateway.sh('kill -9 $(cat /proc/$(cat /run/netloom-gateway/nginx.pid)/task/*/children)');
    await Promise.all(cut);
    await eventually(async () => {
      for (let at = 0; at < 4; at++) expect((await ask('/')).status).toBe(200);
    });
  });

  it('that fail are left out for a while, and the last never', async () => {
    const breaker = { failures: 3, seconds: 30 };
    await serve(
      { '/': 'broken', '/one': 'alone', '/h': 'brokenToo' },
      {},
      {
        broken: { endpoints: three.slice(0, 2), breaker },
        brokenToo: { protocol: 'h2c', endpoints: ['127.0.0.1:9101', '127.0.0.1:1'], breaker },
        alone: { endpoints: ['127.0.0.1:9003'], breaker },
      },
    );
    // Backend b answers 500 to what has its own number: a is asked for with another one.
    const first = new Set<unknown>();
    for (let at = 0; at < 12; at++) {
      const answered = await ask(`/?id=br${at}&status=${at < 6 ? 500 : 200}`);
      if (at >= 6) first.add(answered.headers['x-backend']);
    }
    expect(first.size).toBe(1);
    for (let at = 0; at < 5; at++) expect((await ask('/one?status=503')).status).toBe(503);
    expect((await ask('/one')).status).toBe(200);
    // Connections that fail: the request goes on to the other one, and after a while all go there at once.
    for (let at = 0; at < 12; at++) expect((await ask('/h')).status).toBe(200);
    const metrics = await gateway.engine.metrics();
    expect(metrics.backends).toContainEqual({ backend: 'broken', ejections: 1, out: 1 });
    expect(metrics.backends).toContainEqual({ backend: 'brokenToo', ejections: 1, out: 1 });
  });

  it('that do not answer to a connection are given up as soon as is asked for', async () => {
    await gateway.sh(
      "nft add table inet silent; nft add chain inet silent in '{ type filter hook input priority 0; }'; nft add rule inet silent in tcp dport 9555 drop",
    );
    await serve({ '/': { to: 'silent', timeouts: { connect: 300 } } }, {}, { silent: ['127.0.0.1:9555'] });
    const began = Date.now();
    expect((await ask('/')).status).toBe(504);
    expect(Date.now() - began).toBeLessThan(3_000);
  });
});

describe('pages for errors', () => {
  const text = { contentType: 'text/html; charset=utf-8', text: '<p>sorry</p>' };
  const errors = [
    { codes: [404, 502], body: text },
    { codes: [500, 503, 504, 418, 401], backend: 'b' },
  ];
  const routes = {
    '/': { to: 'a', policy: 'p' },
    '/h': { to: 'h', policy: 'p' },
    '/dead': { to: 'dead', policy: 'p' },
    '/empty': { policy: 'p' },
    '/retry': { to: 'a', policy: 'p', retry: { codes: [503], attempts: 1 } },
    '/timed': { to: 'a', policy: 'p', timeouts: { request: 5_000 } },
    '/late': { to: 'a', policy: 'p', timeouts: { request: 300 } },
    '/h2cpage': { to: 'a', policy: 'h2c' },
    '/nopage': { to: 'a', policy: 'dead' },
    '/text': { to: 'a', policy: 'text' },
    '/grpc': { to: 'h', kind: 'grpc' as const, policy: 'p' },
  };
  const policies = {
    p: { errors },
    text: { errors: [{ codes: [404], body: text }] },
    h2c: { errors: [{ codes: [500], backend: 'h' }] },
    dead: { errors: [{ codes: [500], backend: 'dead' }] },
  };

  it('take the place of answers of backends and of our own, with their status', async () => {
    await serve(routes, policies);
    for (const curl of [[], overHTTP2])
      for (const path of ['/', '/h', '/retry', '/timed', '/text']) {
        const missing = await ask(`${path}?status=404&size=100000&answer=ETag:"x"`, { curl });
        expect(missing).toMatchObject({ status: 404, body: text.text });
        expect(missing.headers).toMatchObject({ 'content-type': text.contentType });
        expect(missing.headers['etag']).toBeUndefined();
        expect(Object.keys(missing.headers).filter((name) => name.startsWith('x-netloom'))).toEqual([]);
        expect((await ask(`${path}?status=403&size=10`, { curl })).body).toBe('x'.repeat(10));
        expect((await ask(path, { curl })).status).toBe(200);
        expect((await ask(`${path}?size=3000000`, { curl })).body).toHaveLength(3_000_000);
      }
    expect(await ask('/dead')).toMatchObject({ status: 502, body: text.text });
    expect(await ask('/text?status=404', { method: 'HEAD' })).toMatchObject({ status: 404, body: '' });
  });

  it('keep nothing from backends that filters say', async () => {
    const set = ['x_team', 'x.team'].map((name) => ({ name, value: 'core' }));
    await serve({ '/': { to: 'a', policy: 'p', filters: { request: { set } } } }, policies);
    expect((await gateway.echo('/')).headers).toMatchObject({ x_team: 'core', 'x.team': 'core' });
    // Of clients such names are not believed, here as elsewhere.
    expect((await gateway.echo('/', { headers: { y_team: 'core' } })).headers['y_team']).toBeUndefined();
  });

  it('are asked for of a backend that is told why', async () => {
    await serve(routes, policies);
    for (const path of ['/', '/h', '/retry', '/timed']) {
      const answered = await ask(`${path}?id=page${path}&status=503`, {
        method: 'POST',
        body: 'the body',
        headers: { Cookie: 'secret=1', 'X-Request-Id': `r${path}`, Accept: 'text/html' },
      });
      expect(answered.status).toBe(503);
      const page = JSON.parse(answered.body) as Echo;
      expect(page).toMatchObject({ name: 'b', method: 'GET', url: '/', length: 0 });
      expect(page.headers).toMatchObject({
        'x-code': '503',
        'x-original-uri': `${path}?id=page${path}&status=503`,
        'x-request-id': `r${path}`,
        accept: 'text/html',
        'x-format': 'text/html',
        host: 'any.test',
      });
      expect(page.headers['cookie']).toBeUndefined();
      for (const hidden of ['x-netloom-code', 'x-netloom-upstream', 'x-netloom-relay'])
        expect([answered.headers[hidden], page.headers[hidden]]).toEqual([undefined, undefined]);
    }
    expect(await logOf('page/retry', 'a')).toHaveLength(2);
    const asked = (await logOf('page/', 'a'))[0]!;
    expect(asked).toMatchObject({ method: 'POST', length: 8, url: '/?id=page/&status=503' });
    expect(asked.headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      host: 'any.test',
    });
    expect(asked.headers['x-netloom-relay']).toBeUndefined();
    const own = await ask('/empty/x');
    expect(own.status).toBe(500);
    expect(JSON.parse(own.body).headers).toMatchObject({ 'x-code': '500', 'x-original-uri': '/empty/x' });
    const late = await ask('/late?wait=5000');
    expect(late.status).toBe(504);
    expect(JSON.parse(late.body).headers).toMatchObject({ 'x-code': '504' });
    const challenged = await ask('/?status=401&answer=WWW-Authenticate:Basic');
    expect(challenged).toMatchObject({ status: 401 });
    expect(challenged.headers['www-authenticate']).toBe('Basic');
    const overOther = await ask('/h2cpage?status=500');
    expect(overOther.status).toBe(500);
    expect(JSON.parse(overOther.body)).toMatchObject({ name: 'h', headers: { 'x-code': '500' } });
    expect(await ask('/nopage?status=500')).toMatchObject({ status: 500, body: '500\n' });
    // What nobody but us may say.
    const forged = await ask('/?status=599&answer=X-Netloom-Code:404');
    expect(forged.status).toBeGreaterThanOrEqual(500);
  });

  it('are not for gRPC, nor for WebSockets', async () => {
    await serve(routes, policies);
    const { headers, body } = await ask('/grpc?status=404', {
      method: 'POST',
      headers: { 'Content-Type': 'application/grpc', TE: 'trailers' },
      curl: overHTTP2,
    });
    expect(body).not.toContain('sorry');
    expect(headers['x-backend']).toBe('h');
    const socket = await ask('/', {
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Key': 'eA==',
        'Sec-WebSocket-Version': '13',
      },
      curl: ['--max-time', '1', '--no-buffer'],
    }).catch((error: unknown) => String(error));
    expect(String(typeof socket === 'string' ? socket : socket.status)).toMatch(/101|28/);
  });
});

describe('compression', () => {
  const policies = {
    z: { compression: { types: ['text/plain', 'application/json'], minLength: 1_000 } },
    zp: {
      compression: { types: ['text/*'], minLength: 1 },
      errors: [{ codes: [500], backend: 'b' }],
      buffering: { answers: true as const },
    },
  };
  const sizeOf = async (path: string, headers: Record<string, string>, curl: readonly string[] = []) => {
    const { headers: said } = await ask(path, { headers, curl: [...curl, '-o', '/dev/null', '-D', '-'] });
    return said;
  };
  it('is of answers of a kind, of a size, for who takes it', async () => {
    await serve(
      {
        '/': { to: 'a', policy: 'z' },
        '/h': { to: 'h', policy: 'z' },
        '/r': { to: 'a', policy: 'z', retry: { codes: [503], attempts: 1 } },
        '/p': { to: 'a', policy: 'zp' },
        '/hp': { to: 'h', policy: 'zp' },
        '/plain': 'a',
      },
      policies,
    );
    const big = 'size=50000&answer=Content-Type:text/plain&answer=ETag:"v1"';
    const takes = { 'Accept-Encoding': 'br, gzip' };
    for (const curl of [[], overHTTP2])
      for (const path of ['/', '/h', '/r', '/p', '/hp']) {
        const zipped = await sizeOf(`${path}?${big}`, takes, curl);
        expect(zipped).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding', etag: 'W/"v1"' });
        const plain = await sizeOf(`${path}?${big}`, {}, curl);
        expect(plain).toMatchObject({ vary: 'Accept-Encoding', etag: '"v1"' });
        expect(plain['content-encoding']).toBeUndefined();
      }
    const varied = await sizeOf(`/?${big}&answer=Vary:Origin,accept-encoding`, takes);
    expect(varied).toMatchObject({ 'content-encoding': 'gzip', vary: 'Origin,accept-encoding' });
    for (const kept of [
      '/?size=50000&answer=Content-Type:image/png',
      '/?size=500&answer=Content-Type:text/plain',
      `/?${big}&answer=Cache-Control:no-transform`,
      `/?${big}&answer=Content-Encoding:br`,
      `/?${big}&status=206`,
      `/plain?${big}`,
    ]) {
      const said = await sizeOf(kept, takes);
      expect([kept, said['content-encoding'] === 'gzip', said['vary']]).toEqual([kept, false, undefined]);
    }
    const whole = await ask(`/?${big}`, { headers: takes, curl: ['--compressed'] });
    expect(whole.body).toBe('x'.repeat(50_000));
  });
});

describe('the access log', () => {
  it('has what was asked for, a line a request, and nobody forges one', async () => {
    const fields = [
      'status',
      'method',
      'path',
      'query',
      'route',
      'policy',
      'tenant',
      'requestId',
      'backend',
      'upstream',
      'upstreamStatus',
      'userAgent',
      'client',
      'duration',
      'tries',
    ];
    await serve(
      {
        '/log': { to: 'a', policy: 'l' },
        '/logr': { to: 'a', policy: 'lr' },
        '/never': { to: 'a', policy: 'n' },
        '/quiet': 'a',
      },
      {
        l: { accessLog: { fields, share: 1_000_000 } },
        n: { accessLog: { fields, share: 0 } },
        lr: {
          accessLog: {
            fields: ['path', 'upstream', 'upstreamStatus', 'backend', 'status'],
            share: 1_000_000,
          },
          errors: [
            { codes: [500], backend: 'b' },
            { codes: [404], body: { contentType: 'text/plain', text: 'none' } },
          ],
        },
      },
    );
    await ask('/quiet/x');
    await ask('/never/x');
    await ask('/log/a?q=1', { headers: { 'User-Agent': 'x","status":1}\t{"', 'X-Request-Id': 'mine' } });
    await ask('/logr/b?status=500');
    await ask('/logr/c?status=404');
    const lines = () =>
      gateway
        .output()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    await eventually(async () => expect(lines()).toHaveLength(3));
    const [line, relayed, text] = lines();
    expect(line).toMatchObject({
      status: 200,
      method: 'GET',
      path: '/log/a',
      query: 'q=1',
      route: 'HTTPRoute/shop/web0',
      policy: 'l',
      tenant: 'shop',
      requestId: 'mine',
      backend: 'a',
      upstream: '127.0.0.1:9001',
      upstreamStatus: '200',
      userAgent: 'x","status":1}\t{"',
      client: '127.0.0.1',
      tries: 1,
    });
    expect(Object.keys(line!)).toEqual(fields);
    expect(relayed).toEqual({
      path: '/logr/b',
      upstream: '127.0.0.1:9001',
      upstreamStatus: '500',
      backend: 'a',
      status: 500,
    });
    expect(text).toEqual({
      path: '/logr/c',
      upstream: '127.0.0.1:9001',
      upstreamStatus: '404',
      backend: 'a',
      status: 404,
    });
  });
});

describe('bodies', () => {
  it('are whole before they go on, where that is asked for, and so are answers', async () => {
    await serve(
      {
        '/in': { to: 'a', policy: 'in' },
        '/out': { to: 'a', policy: 'out' },
        '/hout': { to: 'h', policy: 'out' },
        '/r': { to: 'a', retry: { codes: [503], attempts: 1 } },
      },
      { in: { buffering: { requests: true } }, out: { buffering: { answers: true } } },
    );
    const body = 'y'.repeat(300_000);
    for (const curl of [[], overHTTP2, ['-H', 'Transfer-Encoding: chunked']]) {
      expect(await gateway.echo('/in', { method: 'POST', body, curl })).toMatchObject({
        length: body.length,
      });
      expect(await gateway.echo('/r?fail=1&id=spool', { method: 'POST', body, curl })).toMatchObject({
        length: body.length,
      });
    }
    for (const path of ['/out', '/hout'])
      expect((await ask(`${path}?size=5000000`)).body).toHaveLength(5_000_000);
    // The first pieces wait for the last.
    const early = await gateway.sh(
      `timeout 0.7 curl -sN -H 'Host: any.test' 'http://127.0.0.1:10000/in?drip=100' || true`,
    );
    expect(early).toContain('1');
  });

  it('of calls go both ways at once, also where they would be tried again', async () => {
    await serve(
      { '/': { to: 'h', retry: { codes: [503], attempts: 1 }, policy: 'in' } },
      { in: { buffering: { requests: true, answers: true }, errors: [{ codes: [500], backend: 'b' }] } },
    );
    expect(await callBothWays(box, 'any.test')).toBe('200 one two 3');
  });

  it('that nobody can hold are refused: longer than all may be, or of unsaid length and longer than one may be', async () => {
    await serve({ '/r': { to: 'a', retry: { codes: [503], attempts: 1 } }, '/': 'a' });
    const status = (line: string) =>
      gateway.sh(
        `${line} -s -o /dev/null -w '%{http_code}' -H 'Host: any.test' http://127.0.0.1:10000/r || true`,
      );
    expect(await status(`head -c 40000000 /dev/zero | curl -X POST -T - -H 'Expect:'`)).toContain('413');
    expect(
      await status(
        `head -c 1000 /dev/zero | curl -X POST --data-binary @- -H 'Content-Length: 700000000' -m 3`,
      ),
    ).toContain('413');
    // A tenant's are counted together: of three that say 200 MB one is more than half of all.
    const script = `
      const { connect } = require('node:net');
      const answers = [];
      const sockets = [1, 2, 3].map(() => {
        const socket = connect(10000, '127.0.0.1');
        socket.write('POST /r HTTP/1.1\\r\\nHost: any.test\\r\\nContent-Length: 200000000\\r\\n\\r\\nbegins');
        socket.on('data', (text) => { answers.push(String(text).slice(9, 12)); sockets.forEach((one) => one.destroy()); });
        socket.on('error', () => {});
        return socket;
      });
      process.on('exit', () => console.log(answers.join()));
      setTimeout(() => process.exit(), 4000).unref();
    `;
    const { stdout } = await box.exec(['/opt/node/bin/node', '-e', script], { timeoutMs: 8_000 });
    expect(stdout.trim()).toBe('503');
    // They are gone, and so is what was counted for them.
    expect((await ask('/r', { method: 'POST', body: 'z'.repeat(100_000) })).status).toBe(200);
  });
});
