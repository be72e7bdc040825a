/** What a client that means no good must not get: past a rule by another spelling, past who it is, past what is counted. Through the real nginx. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { intentOf, type Site } from './cases.ts';
import type { Echo } from './testing-backend.ts';
import { openTestGateway, type TestGateway } from './testing-gateway.ts';

let box: Sandbox;
let gateway: TestGateway;

beforeAll(async () => {
  box = await openSandbox();
  gateway = await openTestGateway(box);
  await gateway.backends('a:9001', 'b:9002', 'c:9003');
});
afterAll(async () => {
  if (process.env['DEBUG'] !== undefined) console.log(gateway.errors());
  await gateway?.close();
  await box?.close();
});

const backends: Site['backends'] = { a: ['127.0.0.1:9001'], b: ['127.0.0.1:9002'] };
const serve = (
  routes: Site['routes'],
  policies: NonNullable<Site['policies']> = {},
  more: Site['backends'] = {},
) => gateway.hold(intentOf({ backends: { ...backends, ...more }, routes, policies }));

/** First lines of the answers to what is sent over `count` connections, which stay open until `awaited` of them have one. */
async function openAll(text: string, count: number, awaited: number): Promise<string[]> {
  const script = `
    const net = require('node:net');
    const heard = Array.from({ length: ${count} }, () => '');
    heard.forEach((_, at) => {
      const socket = net.connect(10000, '127.0.0.1', () => socket.write(Buffer.from(process.argv[1], 'latin1')));
      socket.on('data', (data) => { heard[at] += data; });
      socket.on('error', () => {});
    });
    const deadline = Date.now() + 10_000;
    setInterval(() => {
      if (heard.filter(Boolean).length < ${awaited} && Date.now() < deadline) return;
      console.log(JSON.stringify(heard));
      process.exit();
    }, 20);
  `;
  const { stdout } = await box.exec(['/opt/node/bin/node', '-e', script, text], { timeoutMs: 15_000 });
  return (JSON.parse(stdout) as string[]).map((answer) => answer.split('\r\n')[0] ?? '');
}

describe('a path', () => {
  it('that is written as nobody may is the one that it stands for', async () => {
    await serve({ 'any.test/': 'a', 'any.test/caf%C3%A9': 'b', 'any.test/a%7Cb': 'b' });
    for (const path of ['/caf%c3%a9', '/a|b', '/a%7cb', '/a|b/x?q=1'])
      expect([path, (await gateway.echo(path)).name]).toEqual([path, 'b']);
    expect((await gateway.echo('/a|b/x?q=[1]|', { curl: ['-g'] })).url).toBe('/a%7Cb/x?q=[1]|');
    expect((await gateway.echo('/x?q=|')).name).toBe('a');
    // A backend of Node refuses what comes to it as it is written here; what is between is refused by us.
    for (const [path, status] of [
      ['/caf\xc3\xa9', '200 OK'],
      ['/a#b', '400 Bad Request'],
      ['/a\\b', '400 Bad Request'],
    ])
      expect(await openAll(`GET ${path} HTTP/1.1\r\nHost: any.test\r\n\r\n`, 1, 1)).toEqual([
        `HTTP/1.1 ${status}`,
      ]);
  });
});

describe('who somebody is', () => {
  it('is what a proxy says, whatever the client says of its connection', async () => {
    await serve(
      { 'any.test/': { to: 'a', policy: 'p' } },
      { p: { trustedProxies: ['127.0.0.0/8'], access: [{ deny: ['192.0.2.0/24'] }] } },
    );
    const headers = { 'X-Forwarded-For': '192.0.2.7', Connection: 'close, X-Forwarded-For' };
    expect((await gateway.ask('/', { headers })).status).toBe(403);
  });
});

describe('a connection', () => {
  it('names headers that go no further, but not more than one looks for in no time', async () => {
    await serve({ 'any.test/': 'a' });
    const { headers } = await gateway.echo('/', { headers: { 'X-One': '1', Connection: 'close, x-one' } });
    expect(headers['x-one']).toBeUndefined();
    const many = Array.from({ length: 5000 }, () => 'a').join();
    expect((await gateway.ask('/', { headers: { Connection: many } })).status).toBe(400);
  });
});

describe('what lies on disk', () => {
  it('is bounded where a service is told of bodies', async () => {
    const externalAuth = {
      protocol: 'http' as const,
      backend: 'b',
      path: '/auth',
      allowedHeaders: [],
      allowedResponseHeaders: [],
      forwardBody: 1000,
    };
    await serve(
      { 'any.test/': { to: 'a', externalAuth }, 'any.test/limited': { to: 'a', externalAuth, policy: 'p' } },
      { p: { maxBody: 1_000_000_000 } },
    );
    const sent = (path: string, bytes: number) =>
      gateway.sh(
        `head -c ${bytes} /dev/zero | curl -s -o /dev/null -w '%{http_code}' -H 'Host: any.test' -T - -X POST http://127.0.0.1:10000${path} || true`,
      );
    for (const path of ['/', '/limited']) {
      expect(await sent(path, 1_000_000)).toBe('200');
      expect(await sent(path, 34_000_000)).toBe('413');
    }
  });

  it('is counted once, also where another page takes the answer’s place', async () => {
    await serve(
      { 'any.test/page': { to: 'a', policy: 'page' }, 'any.test/up': { to: 'a', policy: 'up' } },
      {
        page: { buffering: { answers: true }, errors: [{ codes: [500], backend: 'b' }] },
        up: { buffering: { requests: true } },
      },
    );
    const pages = await gateway.sh(
      `curl -s -o /dev/null -w '%{http_code} ' -H 'Host: any.test' 'http://127.0.0.1:10000/page?status=500&n=[1-40]'`,
    );
    expect([...new Set(pages.trim().split(' '))]).toEqual(['500']);
    // Half of the room is one tenant's: 16 bodies without a length.
    const upload = 'POST /up HTTP/1.1\r\nHost: any.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n';
    const answers = await openAll(upload, 18, 2);
    expect(answers.filter((line) => line.includes(' 503 '))).toHaveLength(2);
    expect((await gateway.ask('/up', { body: 'x' })).status).toBe(200);
  });
});

describe('what is counted of backends', () => {
  it('has nothing of the answer that a page of theirs takes the place of', async () => {
    await serve(
      { 'any.test/': { to: 'a', policy: 'page' } },
      { page: { errors: [{ codes: [500], backend: 'pages' }] } },
      { pages: { endpoints: ['127.0.0.1:9002', '127.0.0.1:9003'], breaker: { failures: 2, seconds: 60 } } },
    );
    for (let at = 0; at < 12; at++) expect((await gateway.ask('/?status=500')).status).toBe(500);
    const { backends: counted } = await gateway.engine.metrics();
    expect(counted.filter(({ backend }) => backend === 'pages')).toEqual([]);
  });
});

describe('metrics', () => {
  it('of more routes than are told apart are nobody’s in particular', async () => {
    const refused = Array.from({ length: 4200 }, (_, at) => [`any.test/r${at}`, { refused: 503 }] as const);
    await serve(Object.fromEntries(refused));
    const script = `
      let heard = '';
      const socket = require('node:net').connect(10000, '127.0.0.1', () => {
        for (let at = 0; at < 4200; at++) socket.write('GET /r' + at + ' HTTP/1.1\\r\\nHost: any.test\\r\\n\\r\\n');
        socket.write('GET /end HTTP/1.1\\r\\nHost: any.test\\r\\nConnection: close\\r\\n\\r\\n');
      });
      socket.on('data', (data) => { heard += data; });
      socket.on('close', () => console.log(heard.split('HTTP/1.1 503').length - 1));
    `;
    const { stdout } = await box.exec(['/opt/node/bin/node', '-e', script], { timeoutMs: 30_000 });
    expect(stdout.trim()).toBe('4200');
    await eventually(async () => {
      const { routes: counted } = await gateway.engine.metrics();
      const all = counted.map(({ route, codes }) => ({
        route,
        served: codes.reduce((sum, one) => sum + one),
      }));
      expect(all.filter(({ route }) => route === 'other').map(({ served }) => served >= 100)).toEqual([true]);
      // Those of this test, of which each was asked once.
      const told = all.filter(({ route }) => /web\d{3,}$/.test(route));
      expect(told.filter(({ served }) => served !== 1)).toEqual([]);
    });
  });
});

describe('memory', () => {
  const tunables = ['mmap_threshold=1024', 'mmap_max=1000000', 'top_pad=0', 'tcache_count=0'];
  const environment = `GLIBC_TUNABLES=${tunables.map((tunable) => `glibc.malloc.${tunable}`).join(':')}`;
  // As all of it is on arm64, and some of it where there is much.
  it('at high addresses is found again by those that are asked on behalf of a request', async () => {
    const high = await openSandbox();
    try {
      const there = await openTestGateway(high, [environment]);
      await there.backends('a:9001', 'b:9002');
      const asks = { protocol: 'http' as const, backend: 'b', path: '/auth' };
      const externalAuth = { ...asks, allowedHeaders: [], allowedResponseHeaders: ['x-backend'] };
      await there.hold(
        intentOf({
          backends,
          routes: { 'any.test/': { to: 'a', externalAuth, mirrors: [{ backend: 'b', share: 1_000_000 }] } },
        }),
      );
      for (let at = 0; at < 8; at++)
        expect((await there.echo('/?id=high')).headers).toMatchObject({ 'x-backend': 'b' });
      const log = await there.sh(`curl -s 'http://127.0.0.1:9002/log?id=high'`);
      // The question and the copy of each.
      expect((JSON.parse(log) as Echo[]).filter(({ name }) => name === 'b')).toHaveLength(16);
      await there.close();
    } finally {
      await high.close();
    }
  });
});
