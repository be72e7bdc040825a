/** nginx's stream part, as clients see it: TLS by name, TCP, UDP; changes without a reload; crashes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayIntent } from '#intent/gateway.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { buildStream } from '#router/build.ts';
import { makeCertificate, pairOf } from './testing-certificates.ts';
import { openStreamGateway, type StreamGateway } from './testing-stream.ts';

let sandbox: Sandbox;
let gateway: StreamGateway;
let endPem: string;
let otherPem: string;

beforeAll(async () => {
  await buildStream();
  sandbox = await openSandbox();
  gateway = await openStreamGateway(sandbox);
  endPem = await makeCertificate(sandbox, '/tmp/end.pem', { names: ['end.example.org'] });
  otherPem = await makeCertificate(sandbox, '/tmp/other.pem', { names: ['*.wild.example.org'] });
  await makeCertificate(sandbox, '/tmp/own.pem', { names: ['own.example.org'] });
  await gateway.peers([
    { name: 'one', kind: 'tcp', port: 9001 },
    { name: 'two', kind: 'tcp', port: 9002 },
    { name: 'six', kind: 'tcp', port: 9006, host: '::1' },
    { name: 'dns', kind: 'udp', port: 9053 },
    { name: 'ntp', kind: 'udp', port: 9123 },
    { name: 'own', kind: 'tls', port: 9443, pem: '/tmp/own.pem' },
  ]);
});
afterAll(() => sandbox?.close());

const origin = { kind: 'TLSRoute', namespace: 'shop', name: 'r' } as const;
const backend = (...endpoints: string[]) => ({ origin, protocol: 'tcp', endpoints }) as const;

const say = (to: string, text = 'hello') =>
  gateway
    .sh(`echo ${text} | socat -t${to.startsWith('UDP') ? 0.5 : 3} - ${to}`)
    .then(({ stdout }) => stdout.trim());
const sayTls = (port: number, name: string | undefined, more = '') =>
  gateway.sh(
    `(echo hello; sleep 0.5) | timeout 5 openssl s_client -connect 127.0.0.1:${port} ${
      name === undefined ? '-noservername' : `-servername ${name}`
    } ${more} 2>&1`,
  );

describe('TCP and UDP', () => {
  const put = {
    ports: {
      'tcp/5432': { port: 5432, kind: 'tcp', slot: 0 },
      'tcp/5433': { port: 5433, kind: 'tcp', slot: 1 },
      'tcp/5434': { port: 5434, kind: 'tcp', slot: 2, proxyProtocol: true },
      'udp/53': { port: 53, kind: 'udp', slot: 0 },
    },
    listeners: {
      db: { origin, port: 'tcp/5432', kind: 'tcp', hostname: '' },
      six: { origin, port: 'tcp/5433', kind: 'tcp', hostname: '' },
      proxied: { origin, port: 'tcp/5434', kind: 'tcp', hostname: '' },
      dns: { origin, port: 'udp/53', kind: 'udp', hostname: '' },
    },
    streams: {
      'db|': { origin, listener: 'db', host: '', backends: [{ backend: 'db', weight: 1 }] },
      'six|': { origin, listener: 'six', host: '', backends: [{ backend: 'six', weight: 1 }] },
      'proxied|': { origin, listener: 'proxied', host: '', backends: [{ backend: 'db', weight: 1 }] },
      'dns|': { origin, listener: 'dns', host: '', backends: [{ backend: 'dns', weight: 1 }] },
    },
    backends: {
      db: backend('127.0.0.1:9001'),
      six: backend('[::1]:9006'),
      dns: { ...backend('127.0.0.1:9053'), protocol: 'udp' },
    },
  } satisfies Partial<GatewayIntent>;

  it('reach their backends over both families', async () => {
    gateway.apply(put);
    expect(await say('TCP4:127.0.0.1:10300')).toBe('one 127.0.0.1 hello');
    expect(await say('TCP6:[::1]:10300')).toBe('one 127.0.0.1 hello');
    expect(await say('TCP4:127.0.0.1:10301')).toBe('six ::1 hello');
    expect(await say('UDP4:127.0.0.1:10400')).toBe('dns hello');
    expect(await say('UDP6:[::1]:10400')).toBe('dns hello');
  });

  it('begin with a PROXY header where it is asked for, and are closed without one', async () => {
    gateway.apply(put);
    const line = 'PROXY TCP4 192.0.2.7 10.0.0.1 4711 5434';
    const proxied = await gateway.sh(
      `(printf '${line}\\r\\n'; sleep 0.2; echo hello) | socat -t3 - TCP4:127.0.0.1:11302`,
    );
    expect(proxied.stdout.trim()).toBe('one 127.0.0.1 hello');
    expect(await say('TCP4:127.0.0.1:11302')).toBe('');
  });

  it('are closed where nothing can take them', async () => {
    gateway.apply({ ...put, backends: { db: backend(), dns: { ...backend(), protocol: 'udp' } } });
    expect(await say('TCP4:127.0.0.1:10300')).toBe('');
    expect(await say('UDP4:127.0.0.1:10400')).toBe('');
    gateway.apply(put);
    expect(await say('TCP4:127.0.0.1:10350'), 'no port').toBe('');
  });

  it('follow a change at once, and what stands goes on', async () => {
    gateway.apply(put);
    const standing = gateway.sh('(echo first; sleep 2; echo second) | socat -t3 - TCP4:127.0.0.1:10300');
    await eventually(async () => {
      const { stdout } = await gateway.sh('ss -tnH state established dport = :10300 | wc -l');
      expect(Number(stdout)).toBeGreaterThan(0);
    });
    for (const [endpoint, name] of [
      ['127.0.0.1:9002', 'two'],
      ['127.0.0.1:9001', 'one'],
      ['127.0.0.1:9002', 'two'],
    ] as const) {
      gateway.change({
        generation: 9,
        after: 8,
        replace: false,
        put: { backends: { db: backend(endpoint) } },
        remove: {},
      });
      expect(await say('TCP4:127.0.0.1:10300')).toBe(`${name} 127.0.0.1 hello`);
    }
    expect((await standing).stdout.trim().split('\n')).toEqual([
      'one 127.0.0.1 first',
      'one 127.0.0.1 second',
    ]);
  });

  it('are shared by weight, the unresolved share closed', async () => {
    gateway.apply({
      ...put,
      streams: {
        ...put.streams,
        'db|': {
          origin,
          listener: 'db',
          host: '',
          backends: [{ backend: 'db', weight: 6 }, { backend: 'db2', weight: 3 }, { weight: 1 }],
        },
      },
      backends: { ...put.backends, db2: backend('127.0.0.1:9002') },
    });
    const all = await gateway.sh(
      'for i in $(seq 40); do echo hello | socat -t3 - TCP4:127.0.0.1:10300 || :; echo .; done',
    );
    expect(all.stdout.match(/one /g)).toHaveLength(24);
    expect(all.stdout.match(/two /g)).toHaveLength(12);
  });

  it('go round endpoints, and leave out one that fails', async () => {
    gateway.apply({ ...put, backends: { ...put.backends, db: backend('127.0.0.1:9001', '127.0.0.1:9002') } });
    const many = (count: number) =>
      gateway.sh(`for i in $(seq ${count}); do echo hello | socat -t3 - TCP4:127.0.0.1:10300; done`);
    const round = (await many(10)).stdout;
    expect(round.match(/one /g)).toHaveLength(5);
    expect(round.match(/two /g)).toHaveLength(5);
    gateway.apply({ ...put, backends: { ...put.backends, db: backend('127.0.0.1:9001', '127.0.0.1:9009') } });
    expect((await many(10)).stdout.match(/one /g)?.length).toBeGreaterThanOrEqual(9);
  });

  it('keep a client of UDP with its backend for a session', async () => {
    gateway.apply({
      ...put,
      backends: {
        ...put.backends,
        dns: { ...backend('127.0.0.1:9053', '127.0.0.1:9123'), protocol: 'udp' },
      },
    });
    const one = await gateway.sh(
      '(for i in 1 2 3 4; do echo q$i; sleep 0.1; done) | socat -t1 - UDP4:127.0.0.1:10400,sourceport=40001',
    );
    const names = new Set(
      one.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    );
    expect(one.stdout.trim().split('\n')).toHaveLength(4);
    expect(names.size).toBe(1);
  });
});

describe('TLS by server name', () => {
  const put = () =>
    ({
      ports: { 'tcp/443': { port: 443, kind: 'tls', slot: 3 } },
      listeners: {
        own: { origin, port: 'tcp/443', kind: 'passthrough', hostname: 'own.example.org' },
        wild: { origin, port: 'tcp/443', kind: 'passthrough', hostname: '*.pass.example.org' },
        end: {
          origin,
          port: 'tcp/443',
          kind: 'terminate',
          hostname: '*.example.org',
          certificates: ['shop/end', 'shop/other'],
        },
        new: {
          origin,
          port: 'tcp/443',
          kind: 'terminate',
          hostname: 'new.example.org',
          certificates: ['shop/end'],
          minimumTLS: '1.3',
        },
      },
      streams: {
        'own|': { origin, listener: 'own', host: '', backends: [{ backend: 'own', weight: 1 }] },
        'wild|': {
          origin,
          listener: 'wild',
          host: '*.pass.example.org',
          backends: [{ backend: 'own', weight: 1 }],
        },
        'end|': { origin, listener: 'end', host: '', backends: [{ backend: 'plain', weight: 1 }] },
        'new|': { origin, listener: 'new', host: '', backends: [{ backend: 'plain', weight: 1 }] },
      },
      backends: { own: backend('127.0.0.1:9443'), plain: backend('127.0.0.1:9001') },
      certificates: {
        'shop/end': { origin, ...pairOf(endPem), names: ['end.example.org'] },
        'shop/other': { origin, ...pairOf(otherPem), names: ['*.wild.example.org'] },
      },
    }) satisfies Partial<GatewayIntent>;

  it('passes through what a listener wants so', async () => {
    gateway.apply(put());
    for (const name of ['own.example.org', 'a.pass.example.org', 'a.b.PASS.example.org']) {
      const { stdout } = await sayTls(10203, name);
      expect(stdout).toContain('own 127.0.0.1 hello');
      expect(stdout).toContain('CN=own.example.org');
    }
  });

  it('ends where a listener wants so, with the certificate for the name', async () => {
    gateway.apply(put());
    const { stdout } = await sayTls(10203, 'end.example.org');
    expect(stdout).toContain('one 127.0.0.1 hello');
    expect(stdout).toContain('CN=end.example.org');
    expect((await sayTls(10203, 'a.wild.example.org')).stdout).toContain('CN=*.wild.example.org');
    expect((await sayTls(10203, 'a.b.wild.example.org')).stdout).toContain('CN=end.example.org');
  });

  it('ends from TLS 1.3 on only, where a listener wants so', async () => {
    gateway.apply(put());
    expect((await sayTls(10203, 'new.example.org', '-tls1_2')).stdout).not.toContain('hello');
    expect((await sayTls(10203, 'new.example.org', '-tls1_3')).stdout).toContain('one 127.0.0.1 hello');
    expect((await sayTls(10203, 'end.example.org', '-tls1_2')).stdout).toContain('one 127.0.0.1 hello');
  });

  it('closes connections of names that nobody takes, and of none', async () => {
    gateway.apply(put());
    for (const name of ['example.com', undefined]) {
      const { stdout } = await sayTls(10203, name);
      expect(stdout).toContain('no peer certificate available');
      expect(stdout).not.toContain('hello');
    }
    expect(await say('TCP4:127.0.0.1:10203', 'GET'), 'what is no TLS').toBe('');
  });

  it('shows a renewed certificate to the next connection', async () => {
    gateway.apply(put());
    const before = (await sayTls(10203, 'end.example.org', '-showcerts')).stdout;
    const renewed = await makeCertificate(sandbox, '/tmp/renewed.pem', { names: ['end.example.org'] });
    gateway.change({
      generation: 2,
      after: 1,
      replace: false,
      put: { certificates: { 'shop/end': { origin, ...pairOf(renewed), names: ['end.example.org'] } } },
      remove: {},
    });
    const after = (await sayTls(10203, 'end.example.org', '-showcerts')).stdout;
    const shown = (text: string) => /-----BEGIN CERTIFICATE-----[^-]*/.exec(text)?.[0].trim();
    expect(shown(before)).toBe(shown(endPem));
    expect(shown(after)).toBe(shown(renewed));
  });

  it('takes PROXY headers before TLS, too', async () => {
    gateway.apply(put());
    for (const [name, who] of [
      ['own.example.org', 'own'],
      ['end.example.org', 'one'],
    ]) {
      const { stdout } = await gateway.sh(
        `curl -sk --max-time 1 --http0.9 --haproxy-clientip 192.0.2.7 --resolve ${name}:11203:127.0.0.1 https://${name}:11203/`,
      );
      expect(stdout).toMatch(new RegExp(`^${who} 127.0.0.1 GET / HTTP/1.1`));
    }
    const without = await gateway.sh(
      'curl -sk --max-time 2 --connect-to ::127.0.0.1:11203 https://own.example.org/',
    );
    expect(without.code).not.toBe(0);
  });

  it('carries much both ways', async () => {
    gateway.apply(put());
    for (const name of ['end.example.org', 'own.example.org']) {
      const { stdout } = await gateway.sh(
        `(head -c 3000000 /dev/zero | tr '\\0' x; sleep 1) | timeout 4 openssl s_client -quiet -connect 127.0.0.1:10203 -servername ${name} 2>/dev/null | tr -cd x | wc -c`,
      );
      expect(Number(stdout)).toBe(3_000_000);
    }
  });

  it('serves on after a worker crashed and after nginx began anew', async () => {
    gateway.apply(put());
    await gateway.sh('pkill -9 -P $(cat /run/nginx.pid)');
    await eventually(async () => {
      expect((await sayTls(10203, 'end.example.org')).stdout).toContain('one 127.0.0.1 hello');
    });
    await gateway.restart();
    expect((await sayTls(10203, 'own.example.org')).stdout).toContain('own 127.0.0.1 hello');
    expect((await sayTls(10203, 'end.example.org')).stdout).toContain('one 127.0.0.1 hello');
  });
});

it('counts connections by route', async () => {
  const named = (name: string) => ({ kind: 'TCPRoute', namespace: 'shop', name }) as const;
  const to = (name: string, ...endpoints: string[]) => ({
    route: { origin: named(name), listener: name, host: '', backends: [{ backend: name, weight: 1 }] },
    backend: backend(...endpoints),
  });
  const sound = to('sound', '127.0.0.1:9001');
  const broken = to('broken', '127.0.0.1:9009');
  const empty = to('empty');
  gateway.apply({
    ports: {
      'tcp/1': { port: 1, kind: 'tcp', slot: 0 },
      'tcp/2': { port: 2, kind: 'tcp', slot: 1 },
      'tcp/3': { port: 3, kind: 'tcp', slot: 2 },
    },
    listeners: {
      sound: { origin, port: 'tcp/1', kind: 'tcp', hostname: '' },
      broken: { origin, port: 'tcp/2', kind: 'tcp', hostname: '' },
      empty: { origin, port: 'tcp/3', kind: 'tcp', hostname: '' },
    },
    streams: { sound: sound.route, broken: broken.route, empty: empty.route },
    backends: { sound: sound.backend, broken: broken.backend, empty: empty.backend },
  });
  for (const port of [10_300, 10_300, 10_301, 10_302]) await say(`TCP4:127.0.0.1:${port}`);
  const counts = await gateway.counts();
  const of = (name: string) => counts.find(({ route }) => route === `TCPRoute/shop/${name}`);
  const none = { served: 0, failed: 0, refused: 0, received: 0, sent: 0 };
  expect(of('sound')).toMatchObject({
    ...none,
    served: 2,
    received: 12,
    sent: 2 * 'one 127.0.0.1 hello\n'.length,
  });
  expect(of('broken')).toMatchObject({ ...none, failed: 1 });
  expect(of('empty')).toMatchObject({ ...none, refused: 1 });
});

it('says nothing in the log that isn’t worth it', () => {
  const lines = gateway
    .errors()
    .split('\n')
    .filter((line) => /\[(error|crit|alert|emerg)\]/.test(line));
  // What did happen: an endpoint that refused, a PROXY header that was none, handshakes that failed.
  const expected = /Connection refused|broken header|SSL_do_handshake|exited on signal 9/;
  expect(lines.filter((line) => !expected.test(line))).toEqual([]);
});
