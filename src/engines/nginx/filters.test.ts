/** What rules ask for beside a backend, through the real nginx. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
  await gateway.backends('a:9001', 'b:9002', 'h:9101/h2c');
});
afterAll(async () => {
  if (process.env['DEBUG'] !== undefined) console.log(gateway.errors());
  await gateway?.close();
  await box?.close();
});

const backends: Site['backends'] = {
  a: ['127.0.0.1:9001'],
  b: ['127.0.0.1:9002'],
  ab: ['127.0.0.1:9001', '127.0.0.1:9002'],
  h: { protocol: 'h2c', endpoints: ['127.0.0.1:9101'] },
  dead: ['127.0.0.1:1'],
  halfDead: ['127.0.0.1:1', '127.0.0.1:9001'],
};
const host = 'any.test';
const serve = (routes: Readonly<Record<string, string | SiteRoute>>) =>
  gateway.hold(
    intentOf({
      backends,
      routes: Object.fromEntries(Object.entries(routes).map(([path, route]) => [`${host}${path}`, route])),
    }),
  );
const ask = (path: string, options: Ask = {}) => gateway.ask(path, options);
/** Requests with this number that came to a backend. */
const logOf = async (id: string, name = 'a'): Promise<Echo[]> =>
  (JSON.parse(await gateway.sh(`curl -s 'http://127.0.0.1:9001/log?id=${id}'`)) as Echo[]).filter(
    (echo) => echo.name === name,
  );

describe('headers', () => {
  const change = {
    set: [{ name: 'X-Set', value: 'new' }],
    add: [{ name: 'X-Add', value: 'more' }],
    remove: ['X-Gone'],
  };
  it('are changed on the way in, first by the rule, then by its backend', async () => {
    await serve({
      '/': {
        filters: { request: change },
        backends: [
          { backend: 'a', weight: 1, filters: { request: { set: [{ name: 'X-Add', value: 'last' }] } } },
        ],
      },
      '/h': { to: 'h', filters: { request: change } },
    });
    const headers = { 'X-Set': 'old', 'X-Add': 'one', 'X-Gone': 'here', 'X-Stays': 'yes' };
    const { headers: seen } = await gateway.echo('/', { headers });
    expect(seen).toMatchObject({ 'x-set': 'new', 'x-add': 'last', 'x-stays': 'yes' });
    expect(seen['x-gone']).toBeUndefined();
    const overHTTP2 = await gateway.echo('/h', { headers });
    expect(overHTTP2.headers).toMatchObject({ 'x-set': 'new', 'x-add': 'one, more', 'x-stays': 'yes' });
  });

  it('are changed on the way out', async () => {
    await serve({
      '/': { to: 'a', filters: { response: change } },
      '/h': { to: 'h', filters: { response: change } },
    });
    for (const path of ['/', '/h']) {
      const { headers } = await ask(
        `${path}?answer=X-Set:old&answer=X-Add:one&answer=X-Gone:here&answer=X-Stays:yes`,
      );
      expect(headers).toMatchObject({ 'x-set': 'new', 'x-add': 'one | more', 'x-stays': 'yes' });
      expect(headers['x-gone']).toBeUndefined();
    }
  });

  it('with line breaks in them are never made', async () => {
    const evil = 'x\r\nX-Evil: yes';
    await serve({
      '/': {
        to: 'a',
        filters: {
          request: { set: [{ name: 'X-A', value: evil }], add: [{ name: evil, value: 'x' }] },
          response: { set: [{ name: 'X-B', value: evil }], add: [{ name: evil, value: 'x' }] },
          rewrite: { hostname: evil, path: { type: 'full', value: '/ok HTTP/1.1\r\nX-Evil: yes\r\n' } },
        },
      },
      '/r': { redirect: { statusCode: 302, hostname: evil, path: { type: 'full', value: `/${evil}` } } },
    });
    const { headers, body } = await ask('/');
    expect(headers['x-evil']).toBeUndefined();
    expect(JSON.parse(body).headers['x-evil']).toBeUndefined();
    expect((await ask('/r')).headers['x-evil']).toBeUndefined();
  });
});

describe('rewrites', () => {
  it('give a request another path and host', async () => {
    await serve({
      '/full': { to: 'a', filters: { rewrite: { path: { type: 'full', value: '/new' } } } },
      '/pre/fix': { to: 'a', filters: { rewrite: { path: { type: 'prefix', value: '/other' } } } },
      '/root': {
        to: 'a',
        filters: { rewrite: { path: { type: 'prefix', value: '/' }, hostname: 'inner.test' } },
      },
      '/h': { to: 'h', filters: { rewrite: { path: { type: 'prefix', value: '/x' } } } },
    });
    const seen = async (path: string) => {
      const { url, headers } = await gateway.echo(path);
      return `${headers['host']} ${url}`;
    };
    expect(await seen('/full/x?q=1')).toBe('any.test /new?q=1');
    expect(await seen('/pre/fix/a%2Fb%20c')).toBe('any.test /other/a%2Fb%20c');
    expect(await seen('/pre/fix')).toBe('any.test /other');
    expect(await seen('/root')).toBe('inner.test /');
    expect(await seen('/root/a')).toBe('inner.test /a');
    expect(await seen('/h/a%20b?q=%2F')).toBe('any.test /x/a%20b?q=%2F');
  });
});

describe('redirects', () => {
  it('say where else to ask', async () => {
    await serve({
      '/s': { redirect: { scheme: 'https', statusCode: 301 } },
      '/h': { redirect: { hostname: 'else.test', port: 8443, statusCode: 302 } },
      '/p': { redirect: { path: { type: 'prefix', value: '/q' }, statusCode: 308 } },
      '/b': { backends: [{ backend: 'a', weight: 1, redirect: { hostname: 'b.test', statusCode: 307 } }] },
    });
    const seen = async (path: string) => {
      const { status, headers } = await ask(path);
      return `${status} ${headers['location']}`;
    };
    expect(await seen('/s/x?q=1')).toBe('301 https://any.test/s/x?q=1');
    expect(await seen('/h')).toBe('302 http://else.test:8443/h');
    expect(await seen('/p/x')).toBe('308 http://any.test/q/x');
    expect(await seen('/b')).toBe('307 http://b.test/b');
  });
});

describe('cross-origin requests', () => {
  const cors = {
    allowOrigins: ['https://www.test', 'https://*.app.test'],
    allowMethods: ['GET', 'PUT'],
    allowHeaders: ['X-One'],
    exposeHeaders: ['X-Two'],
    allowCredentials: true,
    maxAge: 60,
  };
  it('are told what they may, and preflights end here', async () => {
    await serve({ '/': { to: 'a', cors } });
    const preflight = { 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'x-one' };
    const asked = await ask('/', {
      method: 'OPTIONS',
      headers: { Origin: 'https://x.app.test', ...preflight },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': 'https://x.app.test',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'X-One',
      'access-control-max-age': '60',
    });
    expect(asked.headers['x-backend']).toBeUndefined();
    const simple = await ask('/?answer=Access-Control-Allow-Origin:*', {
      headers: { Origin: 'https://www.test' },
    });
    expect(simple.headers).toMatchObject({
      'access-control-allow-origin': 'https://www.test',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'X-Two',
      'x-backend': 'a',
    });
    const varied = await ask('/?answer=Vary:Accept-Encoding', { headers: { Origin: 'https://www.test' } });
    expect(varied.headers['vary']).toBe('Accept-Encoding | Origin');
    expect((await ask('/')).headers['vary']).toBe('Origin');
    const denied = await ask('/', { headers: { Origin: 'https://evil.test' } });
    expect(denied.headers).toMatchObject({ vary: 'Origin', 'x-backend': 'a' });
    expect(denied.headers['access-control-allow-origin']).toBeUndefined();
    const other = await ask('/', {
      method: 'OPTIONS',
      headers: { Origin: 'https://evil.test', ...preflight },
    });
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('mirrors', () => {
  it('get copies, with the body and as filters made it, and nobody waits for them', async () => {
    await serve({
      '/m': {
        to: 'a',
        filters: {
          request: { set: [{ name: 'X-New', value: 'yes' }] },
          rewrite: { path: { type: 'prefix', value: '/n' } },
        },
        mirrors: [
          { backend: 'b', share: 1_000_000 },
          { backend: 'h', share: 1_000_000 },
          { backend: 'dead', share: 1_000_000 },
          { backend: 'a', share: 0 },
        ],
      },
    });
    const body = 'y'.repeat(200_000);
    const answer = await gateway.echo('/m/x?id=copy&z=1', { method: 'POST', body });
    expect(answer).toMatchObject({ name: 'a', length: body.length });
    await eventually(async () => {
      for (const copies of [await logOf('copy', 'b'), await logOf('copy', 'h')]) {
        expect(copies).toHaveLength(1);
        expect(copies[0]).toMatchObject({
          method: 'POST',
          url: '/n/x?id=copy&z=1',
          length: body.length,
          sum: answer.sum,
        });
        expect(copies[0]!.headers['x-new']).toBe('yes');
        expect(copies[0]!.headers['host']).toBe('any.test');
      }
    });
    expect(await logOf('copy')).toHaveLength(1);
  });

  it('get their share', async () => {
    await serve({ '/m': { to: 'a', mirrors: [{ backend: 'b', share: 200_000 }] } });
    await gateway.sh(
      `for i in $(seq 300); do echo 'url = http://127.0.0.1:10000/m?id=share'; done | curl -s -K - -H 'Host: any.test'`,
    );
    await eventually(async () => expect((await logOf('share')).length).toBe(300));
    const copies = (await logOf('share', 'b')).length;
    expect(copies).toBeGreaterThan(30);
    expect(copies).toBeLessThan(95);
  });
});

describe('external authorization', () => {
  const auth = {
    protocol: 'http',
    backend: 'b',
    path: '/check',
    allowedHeaders: ['x-ask', 'x-test-id'],
    allowedResponseHeaders: ['x-user'],
  } as const;
  it('is asked first, told what it may know, and heard', async () => {
    await serve({ '/': { to: 'a', externalAuth: auth } });
    const { headers } = await gateway.echo('/x?id=auth&answer=X-User:joe', {
      method: 'POST',
      body: 'secret',
      headers: { Authorization: 'Bearer x', 'X-Ask': 'yes', 'X-Not': 'for you', 'X-User': 'admin' },
    });
    expect(headers).toMatchObject({ 'x-user': 'joe', 'x-not': 'for you' });
    const [asked] = await logOf('auth', 'b');
    expect(asked).toMatchObject({ method: 'POST', length: 0 });
    expect(asked!.url).toBe('/check/x?id=auth&answer=X-User:joe');
    expect(asked!.headers).toMatchObject({ authorization: 'Bearer x', 'x-ask': 'yes', host: 'any.test' });
    expect(asked!.headers['x-not']).toBeUndefined();
    expect(asked!.headers['x-user']).toBeUndefined();
  });

  it('is told the path that the backend is', async () => {
    await serve({ '/': { to: 'a', externalAuth: auth } });
    const { url } = await gateway.echo('/public/../%61dmin?id=walk&q=/../');
    expect(url).toBe('/admin?id=walk&q=/../');
    expect((await logOf('walk', 'b'))[0]!.url).toBe(`/check${url}`);
  });

  it('can not say where a body ends', async () => {
    const allowedResponseHeaders = ['X-User', 'Content-Length', 'Transfer-Encoding'];
    await serve({ '/': { to: 'a', externalAuth: { ...auth, allowedResponseHeaders } } });
    const seen = await gateway.echo('/x?answer=X-User:joe', { method: 'POST', body: 'all of it' });
    expect(seen).toMatchObject({ length: 9, headers: { 'x-user': 'joe' } });
  });

  it('is believed rather than the client, also where it says nothing', async () => {
    const allowedResponseHeaders = ['X-User', 'Authorization'];
    await serve({ '/': { to: 'a', externalAuth: { ...auth, allowedResponseHeaders } } });
    const sent = { 'X-User': 'admin', Authorization: 'Bearer x' };
    const { headers } = await gateway.echo('/x', { headers: sent });
    expect(headers['x-user']).toBeUndefined();
    expect(headers['authorization']).toBe('Bearer x');
  });

  it('is heard wholly where nothing is said of its headers', async () => {
    await serve({ '/': { to: 'a', externalAuth: { ...auth, allowedResponseHeaders: [] } } });
    const { headers } = await gateway.echo('/x?answer=X-User:joe&answer=Set-Cookie:a=b', {
      headers: { 'X-User': 'admin', 'Content-Type': 'text/x-own' },
    });
    expect(headers).toMatchObject({ 'x-user': 'joe', 'content-type': 'text/x-own' });
    expect(headers['set-cookie']).toBeUndefined();
  });

  it('is asked for one target by an Ingress, and those it does not know are sent to sign in', async () => {
    const signIn = { url: 'http://$http_host/start?a=1', parameter: 'rd' };
    const asIngress = { method: 'GET', signIn };
    const own = { ...auth, path: '/check?id=one&answer=X-User:joe', asIngress };
    await serve({
      '/': { to: 'a', externalAuth: own },
      '/in': { to: 'a', externalAuth: { ...own, path: '/check?status=401' } },
      '/no': { to: 'a', externalAuth: { ...own, path: '/check?status=403' } },
      '/odd': { to: 'a', externalAuth: { ...own, path: '/check?status=404' } },
    });
    const sent = { 'X-Any': 'told', 'X-User': 'admin', 'X-Original-URL': 'http://other/' };
    const { headers } = await gateway.echo('/x/../y?q=1', { method: 'POST', body: 'secret', headers: sent });
    expect(headers).toMatchObject({ 'x-user': 'joe', 'x-any': 'told' });
    const [asked] = await logOf('one', 'b');
    expect(asked).toMatchObject({ method: 'GET', length: 0, url: own.path });
    expect(asked!.headers).toMatchObject({
      'x-any': 'told',
      'x-original-url': 'http://any.test/y?q=1',
      'x-original-method': 'POST',
    });
    const turned = await ask('/in/here?q=1');
    expect(turned.status).toBe(302);
    expect(turned.headers['location']).toBe(
      'http://any.test/start?a=1&rd=http%3A%2F%2Fany.test%2Fin%2Fhere%3Fq%3D1',
    );
    expect((await ask('/no')).status).toBe(403);
    expect((await ask('/odd')).status).toBe(500);
  });

  it('is told where the client wanted to go as the URL of an Ingress has it', async () => {
    const own = (url: string) => ({
      to: 'a',
      externalAuth: { ...auth, path: '/check?status=401', asIngress: { method: 'GET', signIn: { url } } },
    });
    await serve({
      '/p': own('https://$host/oauth2/start?rd=$escaped_request_uri'),
      '/all': own('$scheme://$http_host/s?rd=$scheme://$host$request_uri&m=$request_method&x=$unknown'),
    });
    const turned = await ask('/p/./q?a=%20&b=1', { headers: { Host: 'Any.test:8080' } });
    expect(turned.status).toBe(302);
    expect(turned.headers['location']).toBe('https://any.test/oauth2/start?rd=%2Fp%2Fq%3Fa%3D%2520%26b%3D1');
    expect((await ask('/all?$host=<1>')).headers['location']).toBe(
      'http://any.test/s?rd=http://any.test/all?$host=<1>&m=GET&x=$unknown',
    );
  });

  it('sets cookies of clients where an Ingress asks, all of them', async () => {
    const path = '/check?answer=Set-Cookie:a=1&answer=Set-Cookie:b=2';
    const asIngress = { method: 'GET' } as const;
    const own = { ...auth, path, asIngress };
    const always = { ...own, asIngress: { ...asIngress, alwaysSetCookie: true } } as const;
    const signIn = { url: 'http://id.test/' };
    await serve({
      '/': { to: 'a', externalAuth: own },
      '/always': { to: 'a', externalAuth: always },
      '/in': {
        to: 'a',
        externalAuth: { ...own, path: `${path}&status=401`, asIngress: { ...asIngress, signIn } },
      },
      '/no': { to: 'a', externalAuth: { ...own, path: `${path}&status=403` } },
    });
    const cookies = async (url: string) => (await ask(url)).headers['set-cookie'];
    expect(await cookies('/?answer=Set-Cookie:own=1')).toBe('own=1 | a=1 | b=2');
    expect(await cookies('/?status=404')).toBeUndefined();
    expect(await cookies('/always?status=404')).toBe('a=1 | b=2');
    expect(await cookies('/in')).toBe('a=1 | b=2');
    expect(await cookies('/no')).toBeUndefined();
  });

  it('ends the request where it says no, or nobody says anything', async () => {
    await serve({
      '/no': { to: 'a', externalAuth: auth },
      '/dead': { to: 'a', externalAuth: { ...auth, backend: 'dead' } },
      '/missing': { to: 'a', externalAuth: { ...auth, backend: 'nobody' } },
      '/body': { to: 'a', externalAuth: { ...auth, forwardBody: 3 } },
      '/h2c': { to: 'a', externalAuth: { ...auth, backend: 'h' } },
    });
    const denied = await ask('/no?status=403&answer=WWW-Authenticate:Basic');
    expect(denied.status).toBe(403);
    expect(denied.headers).toMatchObject({ 'www-authenticate': 'Basic', 'x-backend': 'b' });
    expect((await ask('/dead')).status).toBeGreaterThanOrEqual(500);
    expect((await ask('/missing')).status).toBe(500);
    expect(await gateway.echo('/body?id=body', { method: 'POST', body: '123456' })).toMatchObject({
      name: 'a',
      length: 6,
    });
    expect((await logOf('body', 'b'))[0]).toMatchObject({ length: 3 });
    expect(await gateway.echo('/body', { curl: ['--http2-prior-knowledge'] })).toMatchObject({ name: 'a' });
    expect(await gateway.echo('/h2c')).toMatchObject({ name: 'a' });
  });
});

describe('external authorization by gRPC', () => {
  const auth = {
    protocol: 'grpc',
    backend: 'h',
    path: '',
    allowedHeaders: ['x-ask'],
    allowedResponseHeaders: [],
  } as const;
  it('is told of the request, and heard', async () => {
    await serve({ '/': { to: 'a', externalAuth: { ...auth, forwardBody: 100 } } });
    const headers = { 'X-Ask': 'yes', 'X-Not': 'for you', 'X-User': 'admin' };
    for (const curl of [[], ['--http2-prior-knowledge']]) {
      const seen = await gateway.echo('/g?q=1', { method: 'POST', body: 'the body', headers, curl });
      expect(seen).toMatchObject({ method: 'POST', length: 8, url: '/g?q=1' });
      expect(seen.headers).toMatchObject({ 'x-user': 'joe', 'x-seen': 'x-ask /g?q=1 any.test the body' });
      expect(seen.headers['x-not']).toBeUndefined();
    }
  });

  it('ends the request where it says no, nonsense, or nothing', async () => {
    await serve({
      '/': { to: 'a', externalAuth: auth },
      '/dead': { to: 'a', externalAuth: { ...auth, backend: 'dead' } },
      '/http': { to: 'a', externalAuth: { ...auth, backend: 'b' } },
    });
    const denied = await ask('/', { headers: { 'X-Ask': 'deny' } });
    expect(denied).toMatchObject({ status: 401, body: 'no' });
    expect(denied.headers['www-authenticate']).toBe('Basic');
    expect((await ask('/', { headers: { 'X-Ask': 'nonsense' } })).status).toBe(503);
    expect((await ask('/dead')).status).toBe(503);
    expect((await ask('/http')).status).toBe(503);
  });
});

describe('sessions', () => {
  it('go on where they began, by cookie or header, until the endpoint is gone', async () => {
    await serve({
      '/c': { to: 'ab', persistence: { type: 'cookie', name: 'sid', maxAge: 100 } },
      '/h': { to: 'ab', persistence: { type: 'header', name: 'X-Session' } },
    });
    const begun = await ask('/c?answer=Set-Cookie:own=1');
    const cookie = begun.headers['set-cookie']!;
    expect(cookie).toMatch(/own=1/);
    expect(cookie).toMatch(/sid=[^;]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=100/);
    const value = /sid=([^;]+)/.exec(cookie)![1]!;
    for (let at = 0; at < 6; at++) {
      const again = await ask('/c', { headers: { Cookie: `x=y; sid=${value}` } });
      expect(again.headers['x-backend']).toBe(begun.headers['x-backend']);
      expect(again.headers['set-cookie']).toBeUndefined();
    }
    const first = await ask('/h');
    const token = first.headers['x-session']!;
    for (let at = 0; at < 6; at++)
      expect((await ask('/h', { headers: { 'X-Session': token } })).headers['x-backend']).toBe(
        first.headers['x-backend'],
      );
    expect((await ask('/c', { headers: { Cookie: 'sid=made-up' } })).headers['set-cookie']).toContain('sid=');
  });
});

describe('sessions that end', () => {
  it('are begun anew once they are over', async () => {
    await serve({ '/e': { to: 'ab', persistence: { type: 'cookie', name: 'sid', absolute: 100 } } });
    const tokenOf = (cookie: string | undefined) => /sid=([^;]+)/.exec(cookie ?? '')?.[1] ?? '';
    const value = tokenOf((await ask('/e')).headers['set-cookie']);
    expect(value).toMatch(/\.\d+$/);
    const live = await ask('/e', { headers: { Cookie: `sid=${value}` } });
    expect(live.headers['set-cookie']).toBeUndefined();
    const over = value.replace(/\d+$/, String(Math.floor(Date.now() / 1000) - 1));
    const anew = tokenOf((await ask('/e', { headers: { Cookie: `sid=${over}` } })).headers['set-cookie']);
    expect(Number(anew.split('.')[1])).toBeGreaterThan(Date.now() / 1000 + 90);
  });
});

describe('time', () => {
  it('runs out for a request as a whole, and for one try', async () => {
    await serve({
      '/r': { to: 'a', timeouts: { request: 400 } },
      '/b': { to: 'a', timeouts: { backend: 400 } },
      '/hr': { to: 'h', timeouts: { request: 400 } },
      '/never': { to: 'a', timeouts: { request: 0, backend: 0 } },
    });
    for (const path of ['/r', '/b', '/hr']) {
      const began = Date.now();
      expect((await ask(`${path}?wait=5000`)).status).toBe(504);
      expect(Date.now() - began).toBeLessThan(2_000);
      expect((await ask(path)).status).toBe(200);
    }
    expect((await ask('/never?wait=600')).status).toBe(200);
    await expect(ask('/r?drip=100')).rejects.toThrow(/curl/);
  });
});

describe('pauses between tries', () => {
  const retry = { codes: [503], attempts: 2, backoff: 200 };
  it('are as long as is asked for, and no longer than the request may take', async () => {
    await serve({
      '/': { to: 'a', retry },
      '/h': { to: 'h', retry },
      '/t': { to: 'a', retry: { ...retry, backoff: 9_000 }, timeouts: { request: 500 } },
    });
    for (const path of ['/', '/h']) {
      const began = Date.now();
      expect((await ask(`${path}?id=pause${path}&fail=2`, { method: 'POST', body: 'some' })).status).toBe(
        200,
      );
      expect(Date.now() - began).toBeGreaterThan(500);
      expect(await logOf(`pause${path}`, path === '/' ? 'a' : 'h')).toHaveLength(3);
    }
    expect((await ask('/?id=paused&fail=9')).status).toBe(503);
    expect(await logOf('paused')).toHaveLength(3);
    expect((await ask('/t?id=late&fail=9')).status).toBe(504);
  });
});

describe('retries', () => {
  const retry = { codes: [500, 503], attempts: 2 };
  it('follow answers with these codes, and connections that fail', async () => {
    await serve({
      '/': { to: 'a', retry },
      '/h': { to: 'h', retry },
      '/half': { to: 'halfDead', retry: { codes: [], attempts: 1 } },
      '/t': { to: 'a', retry: { codes: [503], attempts: 2 }, timeouts: { backend: 300, request: 700 } },
    });
    expect((await ask('/?id=r1&fail=2')).status).toBe(200);
    expect(await logOf('r1')).toHaveLength(3);
    expect((await ask('/?id=r2&fail=9')).status).toBe(503);
    expect(await logOf('r2')).toHaveLength(3);
    expect((await ask('/?id=r3&fail=1&with=502')).status).toBe(502);
    expect(await logOf('r3')).toHaveLength(1);
    const body = 'z'.repeat(300_000);
    const posted = await gateway.echo('/?id=r4&fail=1', { method: 'POST', body });
    expect(posted.length).toBe(body.length);
    expect((await ask('/h?id=r5&fail=1')).status).toBe(200);
    for (let at = 0; at < 4; at++) expect((await ask('/half')).status).toBe(200);
    const began = Date.now();
    expect((await ask('/t?id=r6&wait=5000')).status).toBe(504);
    expect(Date.now() - began).toBeLessThan(1_500);
    await eventually(async () => expect((await logOf('r6')).length).toBeGreaterThan(1));
  });
});
