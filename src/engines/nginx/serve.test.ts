/** Requests through the real nginx: who takes them, what backends are told, what clients get. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { intentOf, type Site } from './cases.ts';
import { callBothWays, openTestGateway, type TestGateway } from './testing-gateway.ts';

let box: Sandbox;
let gateway: TestGateway;

beforeAll(async () => {
  box = await openSandbox();
  gateway = await openTestGateway(box);
  await gateway.backends('a:9001', 'b:9002', 'c:9003', 'h:9101/h2c', 'u:/run/u.sock');
});
afterAll(async () => {
  await gateway?.close();
  await box?.close();
});

const backends: Site['backends'] = {
  a: ['127.0.0.1:9001'],
  b: ['127.0.0.1:9002'],
  ab: ['127.0.0.1:9001', '127.0.0.1:9002'],
  abc: ['127.0.0.1:9001', '127.0.0.1:9002', '127.0.0.1:9003'],
  h: { protocol: 'h2c', endpoints: ['127.0.0.1:9101'] },
  u: ['unix:/run/u.sock'],
  none: [],
  dead: ['127.0.0.1:1'],
  halfDead: ['127.0.0.1:1', '127.0.0.1:9001'],
};
const serve = (routes: Site['routes'], more: Partial<Site> = {}) =>
  gateway.hold(intentOf({ backends, routes, ...more }));
const name = async (path: string, host: string) => (await gateway.echo(path, { host })).name;

describe('who takes a request', () => {
  it('is decided by host and path, the most specific first', async () => {
    await serve({ 'one.test/': 'a', 'one.test/deep/er': 'b', '*.test/': 'b', '/any': 'a' });
    expect(await name('/', 'one.test')).toBe('a');
    expect(await name('/', 'ONE.test:8080')).toBe('a');
    expect(await name('/deep/er/x', 'one.test')).toBe('b');
    expect(await name('/deeper', 'one.test')).toBe('a');
    expect(await name('/', 'two.three.test')).toBe('b');
    expect(await name('/any', 'elsewhere.org')).toBe('a');
    expect((await gateway.ask('/', { host: 'elsewhere.org' })).status).toBe(404);
  });

  it('is nobody at a name that ends there, whatever takes names around it', async () => {
    const { rules, ...rest } = intentOf({ backends, routes: { 'one.test/a': 'a', '*.test/': 'b' } });
    const [rule] = Object.values(rules);
    if (rule === undefined) throw new Error('there is no rule');
    const end = {
      ...rule,
      host: 'one.test',
      path: { type: 'prefix' as const, value: '/' },
      rank: '~',
      action: '',
    };
    await gateway.hold({ ...rest, rules: { ...rules, end } });
    expect(await name('/a', 'one.test')).toBe('a');
    expect(await name('/b', 'two.test')).toBe('b');
    expect((await gateway.ask('/b', { host: 'one.test' })).status).toBe(404);
  });

  it('has one host, and not another one for who reads it otherwise', async () => {
    await serve({ 'one.test/': 'a', '*.test/': 'a', '/': 'b' });
    const status = async (host: string) => (await gateway.ask('/', { host })).status;
    for (const host of [
      'one.test:80@evil',
      'one.test:x',
      'evil?.two.test',
      'evil#.two.test',
      'evil@two.test',
      '[::1]x',
    ])
      expect([host, await status(host)]).toEqual([host, 400]);
    for (const host of [
      'one.test.',
      'one.test:8080',
      'under_score.test',
      '10.0.0.1:80',
      '[fd00::1]:80',
      '[::ffff:10.0.0.1]',
    ])
      expect([host, await status(host)]).toEqual([host, 200]);
  });

  it('may depend on method, headers and query, also by patterns that match the whole value', async () => {
    await serve({
      'm.test/1': { to: 'a', rule: { method: 'POST', path: { type: 'exact', value: '/' } } },
      'm.test/2': {
        to: 'b',
        rule: { path: { type: 'exact', value: '/' }, headers: [{ name: 'x-version', value: '2' }] },
      },
      'm.test/3': {
        to: 'u',
        rule: {
          path: { type: 'regex', value: '/v[0-9]+/(a|ab)' },
          query: [{ name: 'q', value: 'x+', regex: true }],
        },
      },
      'm.test/4': { to: 'h', rule: { path: { type: 'regex', value: '/(broken' } } },
    });
    const ask = async (path: string, more = {}) => {
      const answer = await gateway.ask(path, { host: 'm.test', ...more });
      return answer.headers['x-backend'] ?? answer.status;
    };
    expect(await ask('/', { method: 'POST' })).toBe('a');
    expect(await ask('/', { headers: { 'X-Version': '2' } })).toBe('b');
    expect(await ask('/', { headers: { 'X-Version': '22' } })).toBe(404);
    expect(await ask('/v12/ab?q=xx')).toBe('u');
    expect(await ask('/v12/ab?q=xxy')).toBe(404);
    expect(await ask('/v12/abc?q=xx')).toBe(404);
    expect(await ask('/(broken')).toBe(404);
  });

  it('is never told another path than the one that was matched', async () => {
    await serve({ 'p.test/': 'a', 'p.test/admin': 'b' });
    const seen = async (path: string) => {
      const answer = await gateway.ask(path, { host: 'p.test' });
      return answer.status === 200
        ? `${answer.headers['x-backend']} ${JSON.parse(answer.body).url}`
        : answer.status;
    };
    expect(await seen('/x/../admin/y?q=/../')).toBe('b /admin/y?q=/../');
    expect(await seen('//admin')).toBe('b /admin');
    expect(await seen('/%61dmin')).toBe('b /admin');
    expect(await seen('/a%2Fb%c3%a9')).toBe('a /a%2Fb%C3%A9');
    expect(await seen('/x/..%2fadmin')).toBe(400);
    expect(await seen('/../etc')).toBe(400);
    expect(await seen('/a%00b')).toBe(400);
    // curl itself would leave out what stands behind `#`.
    for (const target of ['/admin#x', '/x/..\\admin'])
      expect((await gateway.ask('/', { host: 'p.test', curl: ['--request-target', target] })).status).toBe(
        400,
      );
  });

  it('nor over HTTP/2, whose paths nginx escapes in its own way', async () => {
    await serve({ 'p.test/': 'h', 'p.test/admin': 'a' });
    const seen = async (path: string) => {
      const answer = await gateway.ask(path, { host: 'p.test' });
      return answer.status === 200
        ? `${answer.headers['x-backend']} ${JSON.parse(answer.body).url}`
        : answer.status;
    };
    expect(await seen('/admin%2fx')).toBe('h /admin%2fx');
    expect(await seen('//admin%2Fx')).toBe(400);
    expect(await seen('//admin%3Bx')).toBe(400);
    expect(await seen('//a+b%20c%25')).toBe('h /a+b%20c%25');
  });

  it('gets 404, 500 or 503 by what is missing, and gRPC its own way of it', async () => {
    await serve({
      'e.test/none': 'none',
      'e.test/nobody': { to: 'missing' },
      'e.test/empty': {},
      'e.test/dead': 'dead',
    });
    const status = async (path: string) => (await gateway.ask(path, { host: 'e.test' })).status;
    expect(await status('/')).toBe(404);
    expect(await status('/none')).toBe(503);
    expect(await status('/nobody')).toBe(500);
    expect(await status('/empty')).toBe(500);
    expect(await status('/dead')).toBe(502);
    const grpc = async (path: string) => {
      const { status: code, headers } = await gateway.ask(path, {
        host: 'e.test',
        method: 'POST',
        headers: { 'Content-Type': 'application/grpc', TE: 'trailers' },
        curl: ['--http2-prior-knowledge'],
      });
      return [code, headers['content-type'], headers['grpc-status']];
    };
    expect(await grpc('/x.Y/Z')).toEqual([200, 'application/grpc', '12']);
    expect(await grpc('/none')).toEqual([200, 'application/grpc', '14']);
  });

  it('gets 414 or 431 by what is too long', async () => {
    const long = 'x'.repeat(20_000);
    expect((await gateway.ask('/', { headers: { 'X-Long': long } })).status).toBe(431);
    expect((await gateway.ask(`/${long}`)).status).toBe(414);
  });
});

describe('what backends are told', () => {
  it('is the client, the way it came, and a number of its own', async () => {
    await serve({ 'f.test/': 'a' });
    const { headers } = await gateway.echo('/', {
      host: 'f.test:8080',
      headers: { 'X-Forwarded-For': '1.2.3.4', 'X-Real-IP': '6.6.6.6' },
    });
    expect(headers).toMatchObject({
      host: 'f.test:8080',
      'x-forwarded-for': '1.2.3.4, 127.0.0.1',
      'x-forwarded-host': 'f.test:8080',
      'x-forwarded-port': '80',
      'x-forwarded-proto': 'http',
      'x-real-ip': '127.0.0.1',
    });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    expect(headers['traceparent']).toBe(`00-${headers['x-request-id']}-6e65746c6f6f6d01-00`);
    const other = await gateway.echo('/', { host: 'f.test' });
    expect(other.headers['x-request-id']).not.toBe(headers['x-request-id']);
    const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const kept = await gateway.echo('/', {
      host: 'f.test',
      headers: { traceparent: trace, 'X-Request-Id': 'mine' },
    });
    expect(kept.headers).toMatchObject({ traceparent: trace, 'x-request-id': 'mine' });
  });

  it('is the port that clients know, and the client of a PROXY header', async () => {
    await serve(
      { 'f.test/': 'a' },
      {
        ports: { 'tcp/80': { port: 8081, kind: 'http', slot: 3, proxyProtocol: true } },
      },
    );
    const { headers } = await gateway.echo('/', {
      host: 'f.test',
      port: 11_003,
      curl: ['--haproxy-protocol', '--haproxy-clientip', '198.51.100.7'],
    });
    expect(headers).toMatchObject({ 'x-forwarded-port': '8081', 'x-real-ip': '198.51.100.7' });
    // Nobody asked for PROXY headers here.
    await serve({ 'f.test/': 'a' });
    const forged = { host: 'f.test', curl: ['--haproxy-protocol', '--haproxy-clientip', '198.51.100.7'] };
    expect((await gateway.ask('/', { ...forged, port: 11_000 })).status).toBe(400);
    expect((await gateway.ask('/', { ...forged, port: 10_000 })).status).toBe(400);
  });

  it('has nothing that is about a connection of the client', async () => {
    await serve({ 'f.test/': 'a' });
    const { headers } = await gateway.echo('/', {
      host: 'f.test',
      headers: {
        Connection: 'close',
        'Keep-Alive': 'x',
        TE: 'gzip',
        'Proxy-Connection': 'x',
        Upgrade: 'h2c',
      },
    });
    for (const gone of ['connection', 'keep-alive', 'te', 'upgrade'])
      expect(headers[gone] ?? 'keep-alive').toBe('keep-alive');
    const named = await gateway.echo('/', {
      host: 'f.test',
      headers: { Connection: 'keep-alive, X-Hop, Authorization', 'X-Hop': 'here', Authorization: 'x' },
    });
    expect(named.headers['x-hop']).toBeUndefined();
    // As long as `close`, `upgrade`, `keep-alive`.
    for (const name of ['X-Foo', 'X-Admin', 'X-Internal']) {
      const one = await gateway.echo('/', { host: 'f.test', headers: { Connection: name, [name]: 'here' } });
      expect(one.headers[name.toLowerCase()]).toBeUndefined();
    }
    expect(named.headers['authorization']).toBe('x');
  });
});

describe('ways to a backend', () => {
  it('are shared by requests, one pool an endpoint', async () => {
    await serve({ 'k.test/': 'a' });
    const curls = Array.from({ length: 10 }, () => '-s http://127.0.0.1:10000/ -H "Host: k.test"');
    const out = await gateway.sh(`curl ${curls.join(' --next ')}`);
    const earlier = [...out.matchAll(/"earlier":(\d+)/g)].map(([, count]) => Number(count));
    expect(earlier).toHaveLength(10);
    expect(Math.max(...earlier)).toBeGreaterThan(7);
  });

  it('lead over HTTP/2 without TLS, unix sockets, and past a dead endpoint', async () => {
    await serve({ 'w.test/h': 'h', 'w.test/u': 'u', 'w.test/d': 'halfDead' });
    expect(await gateway.echo('/h?x=1', { host: 'w.test', body: 'some' })).toMatchObject({
      version: '2.0',
      length: 4,
      url: '/h?x=1',
    });
    expect(await gateway.echo('/u', { host: 'w.test' })).toMatchObject({ name: 'u' });
    for (let at = 0; at < 6; at++) expect(await name('/d', 'w.test')).toBe('a');
  });

  it('are many at once: endpoints in turn, backends by weight', async () => {
    await serve({
      't.test/turn': 'abc',
      't.test/weight': {
        backends: [{ backend: 'a', weight: 3 }, { backend: 'b', weight: 1 }, { weight: 1 }],
      },
    });
    const count = async (path: string) => {
      const out = await gateway.sh(
        `for i in $(seq 100); do echo "url = http://127.0.0.1:10000${path}"; done | curl -s -K - -H 'Host: t.test' -w '\\n%{http_code} %header{x-backend}\\n' | grep -E '^[0-9]{3} ' | sort | uniq -c`,
      );
      return Object.fromEntries(
        out
          .trim()
          .split('\n')
          .map((line) => [line.trim().split(/ +/).slice(1).join(' '), Number.parseInt(line, 10)]),
      );
    };
    const turn = await count('/turn');
    expect(Object.values(turn).every((times) => times >= 30 && times <= 37)).toBe(true);
    const weighted = await count('/weight');
    expect(weighted['200 a']).toBeGreaterThan(40);
    expect(weighted['500']).toBeGreaterThan(5);
  });

  it('carry bodies of any size and both directions as they come', async () => {
    await serve({ 'l.test/': 'a', 'l.test/h': 'h' });
    const body = 'x'.repeat(5_000_000);
    expect(await gateway.echo('/', { host: 'l.test', body })).toMatchObject({ length: body.length });
    expect(
      await gateway.echo('/', { host: 'l.test', body, headers: { 'Transfer-Encoding': 'chunked' } }),
    ).toMatchObject({ length: body.length });
    expect(await gateway.echo('/h', { host: 'l.test', body })).toMatchObject({ length: body.length });
    expect(
      await gateway.echo('/', { host: 'l.test', body, curl: ['--http2-prior-knowledge'] }),
    ).toMatchObject({ length: body.length });
    const big = await gateway.sh(`curl -s -H 'Host: l.test' 'http://127.0.0.1:10000/?size=20000000' | wc -c`);
    expect(Number(big)).toBe(20_000_000);
    // The first events are here long before the last is written.
    const first = await gateway.sh(
      `timeout 0.6 curl -sN -H 'Host: l.test' http://127.0.0.1:10000/events || true`,
    );
    expect(first).toContain('data: 1');
    expect(first).not.toContain('data: 15');
  });

  /** What a WebSocket says that answers to `ping`, sent so many milliseconds after it came about. */
  const webSocket = async (path: string, silence = 0) => {
    const script = `
      const socket = require('net').connect(10000, '127.0.0.1');
      socket.write('GET ${path} HTTP/1.1\\r\\nHost: s.test\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Key: eA==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n');
      let text = '', said = false;
      socket.on('data', (d) => { text += d; if (text.includes('\\r\\n\\r\\n') && !said) { said = true; setTimeout(() => socket.write('ping'), ${silence}); } if (text.endsWith('ping')) { console.log(text); process.exit(); } });
    `;
    return (await box.exec(['/opt/node/bin/node', '-e', script], { timeoutMs: 5_000 })).stdout;
  };

  it('become WebSockets where that is asked for, and nothing else', async () => {
    await serve({ 's.test/': 'a' });
    const out = await webSocket('/ws');
    expect(out).toContain('101 Switching Protocols');
    expect(out).toContain('ping');
  });

  it('stay WebSockets however long these are silent, whatever time requests have', async () => {
    await serve({ 's.test/': { to: 'a', timeouts: { request: 300, backend: 300 } } });
    expect(await webSocket('/ws', 900)).toContain('ping');
  });

  it('carry calls of gRPC with all that belongs to them, in both directions at once', async () => {
    await serve({ 'g.test/': 'h' });
    expect(await callBothWays(box, 'g.test')).toBe('200 one two 3');
  });
});
