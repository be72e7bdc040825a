/** TLS that ends in nginx's http part, as clients see it. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayIntent, GatewayListenerIntent } from '#intent/gateway.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { makeCertificate, pairOf } from './testing-certificates.ts';
import { openTestGateway, type TestGateway } from './testing-gateway.ts';

let box: Sandbox;
let gateway: TestGateway;
const pems: Record<string, string> = {};

beforeAll(async () => {
  box = await openSandbox();
  gateway = await openTestGateway(box);
  await gateway.backends('web:9001', 'one:/run/one.sock', 'two:/run/two.sock');
  const certificates = {
    a: { names: ['a.example.org'] },
    b: { names: ['*.b.example.org'] },
    both: { names: ['both.example.org'], kind: 'ec' },
    bothRsa: { names: ['both.example.org'], kind: 'rsa' },
    any: { names: ['any.example.org'] },
    first: { names: ['First authority'], authority: true },
    second: { names: ['Second authority'], authority: true },
  } as const;
  for (const [name, options] of Object.entries(certificates))
    pems[name] = await makeCertificate(box, `/tmp/${name}.pem`, options);
  await makeCertificate(box, '/tmp/client1.pem', { names: ['client1'], issuer: '/tmp/first.pem' });
  await makeCertificate(box, '/tmp/client2.pem', { names: ['client2'], issuer: '/tmp/second.pem' });
});
afterAll(async () => {
  await gateway?.close();
  await box?.close();
});

const origin = { kind: 'Gateway', namespace: 'shop', name: 'gw' } as const;

type Listeners = Readonly<Record<string, Partial<GatewayListenerIntent>>>;

/** Each listener takes all and sends it to `web`, which is told the listener's name. */
function intentOf(listeners: Listeners, more: Partial<GatewayIntent> = {}): Partial<GatewayIntent> {
  const each = <T>(make: (name: string) => readonly [string, T]): Record<string, T> =>
    Object.fromEntries(Object.keys(listeners).map(make));
  return {
    ports: { 'tcp/443': { port: 443, kind: 'https', slot: 0 } },
    listeners: each((name) => [
      name,
      {
        origin,
        port: 'tcp/443',
        kind: 'https',
        hostname: `${name}.example.org`,
        certificates: ['a'],
        ...listeners[name],
      },
    ]),
    rules: each((name) => [
      `${name}|`,
      { listener: name, host: '', path: { type: 'prefix', value: '/' }, rank: '', action: name },
    ]),
    actions: each((name) => [
      name,
      {
        origin,
        kind: 'http',
        backends: [{ backend: 'web', weight: 1 }],
        filters: { request: { set: [{ name: 'x-listener', value: name }] } },
      },
    ]),
    backends: { web: { origin, protocol: 'http', endpoints: ['127.0.0.1:9001'] } },
    certificates: Object.fromEntries(
      ['a', 'b', 'both', 'bothRsa', 'any'].map((name) => [
        name,
        { origin, ...pairOf(pems[name]!), names: [name === 'b' ? '*.b.example.org' : nameOf(name)] },
      ]),
    ),
    authorities: {
      first: { certificates: pairOf(pems['first']!).certificate },
      second: { certificates: pairOf(pems['second']!).certificate },
    },
    ...more,
  };
}

function nameOf(certificate: string): string {
  return `${certificate.replace('Rsa', '')}.example.org`;
}

const validated = (authority: string, mode: 'require' | 'fallback' = 'require') =>
  ({ clientValidation: { authority, mode } }) as const;

/** What s_client says; `-servername` and more are in `how`. */
async function handshake(how: string, port = 10_100): Promise<string> {
  const line = `echo | timeout 5 openssl s_client -connect 127.0.0.1:${port} ${how} 2>&1 || :`;
  return gateway.sh(line);
}

const workers = () => gateway.sh('pgrep -P $(cat /run/netloom-gateway/nginx.pid)');

const shown = (said: string) => /subject=(?:CN=)?(.*)/.exec(said)?.[1];

/** `STATUS LISTENER`, or curl's exit status where there was no answer. */
async function ask(name: string, how = '', port = 10_100): Promise<string> {
  const said = await gateway.sh(
    `curl -sk --max-time 5 --resolve ${name}:${port}:127.0.0.1 -w '\\n%{http_code}' ${how} https://${name}:${port}/ || echo "failed $?"`,
  );
  const lines = said.trim().split('\n');
  const last = lines.at(-1)!;
  if (last.includes('failed')) return 'failed';
  if (last !== '200') return last;
  return `200 ${(JSON.parse(lines.slice(0, -1).join('\n')) as { headers: Record<string, string> }).headers['x-listener']}`;
}

describe('certificates', () => {
  it('are the listener’s for the name', async () => {
    await gateway.hold(
      intentOf({
        a: {},
        b: { hostname: '*.b.example.org', certificates: ['b'] },
        many: { hostname: '*.example.org', certificates: ['any', 'a'] },
      }),
    );
    expect(shown(await handshake('-servername a.example.org'))).toBe('a.example.org');
    expect(shown(await handshake('-servername X.B.example.org'))).toBe('*.b.example.org');
    expect(shown(await handshake('-servername other.example.org'))).toBe('any.example.org');
    expect(await ask('a.example.org')).toBe('200 a');
    expect(await ask('x.y.b.example.org', '--http1.1')).toBe('200 b');
    expect(await ask('other.example.org')).toBe('200 many');
  });

  it('are of both kinds of key where a listener has both', async () => {
    await gateway.hold(intentOf({ both: { certificates: ['both', 'bothRsa'] } }));
    const rsa = await handshake('-servername both.example.org -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256');
    expect(rsa).toMatch(/Server public key is 2048 bit/i);
    const ec = await handshake('-servername both.example.org -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256');
    expect(ec).toMatch(/Server public key is 256 bit/i);
  });

  it('come with those that they are issued by', async () => {
    await makeCertificate(box, '/tmp/root.pem', { names: ['Root'], authority: true });
    const between = await makeCertificate(box, '/tmp/between.pem', {
      names: ['Between'],
      authority: true,
      issuer: '/tmp/root.pem',
    });
    const leaf = await makeCertificate(box, '/tmp/leaf.pem', {
      names: ['a.example.org'],
      issuer: '/tmp/between.pem',
    });
    const certificate = pairOf(leaf).certificate + pairOf(between).certificate;
    await gateway.hold({
      ...intentOf({ a: {} }),
      certificates: { a: { origin, ...pairOf(leaf), certificate, names: ['a.example.org'] } },
    });
    const how = '-servername a.example.org -verify_hostname a.example.org -CAfile';
    expect(await handshake(`${how} /tmp/root.pem.crt`)).toContain('Verify return code: 0 (ok)');
    expect(await handshake(`${how} /tmp/first.pem.crt`)).not.toContain('Verify return code: 0 (ok)');
  });

  it('are renewed without a reload', async () => {
    await gateway.hold(intentOf({ a: {} }));
    const before = await workers();
    const old = await handshake('-servername a.example.org -showcerts');
    const renewed = await makeCertificate(box, '/tmp/renewed.pem', { names: ['a.example.org'] });
    const intent = intentOf({ a: {} });
    await gateway.hold({
      ...intent,
      certificates: { a: { origin, ...pairOf(renewed), names: ['a.example.org'] } },
    });
    const after = await handshake('-servername a.example.org -showcerts');
    const first = (text: string) => /-----BEGIN CERTIFICATE-----[^-]*/.exec(text)?.[0].trim();
    expect(first(old)).toBe(first(pems['a']!));
    expect(first(after)).toBe(first(renewed));
    expect(await workers()).toBe(before);
  });

  it('that are broken or missing refuse the handshake, and nobody else’s', async () => {
    const intent = intentOf({ a: {}, none: { certificates: ['gone'] }, bad: { certificates: ['bad'] } });
    await gateway.hold({
      ...intent,
      certificates: {
        ...intent.certificates,
        bad: { origin, certificate: 'no PEM', privateKey: 'none', names: [] },
      },
    });
    for (const name of ['none', 'bad']) expect(await ask(`${name}.example.org`)).toBe('failed');
    expect(await ask('a.example.org')).toBe('200 a');
  });
});

describe('names', () => {
  it('that no listener takes are refused, and so is none', async () => {
    await gateway.hold(intentOf({ a: {} }));
    for (const how of ['-servername b.example.org', '-noservername']) {
      const said = await handshake(how);
      expect(said).toContain('no peer certificate available');
      expect(said).toMatch(/unrecognized name/);
    }
  });

  it('are any where a listener has no hostname', async () => {
    await gateway.hold(intentOf({ a: {}, rest: { hostname: '', certificates: ['any'] } }));
    expect(shown(await handshake('-noservername'))).toBe('any.example.org');
    expect(await ask('b.example.org')).toBe('200 rest');
  });

  it('of Host get 421 where another listener takes them, 404 where none does', async () => {
    await gateway.hold(intentOf({ a: {}, b: { hostname: '*.b.example.org', certificates: ['b'] } }));
    for (const version of ['--http1.1', '--http2']) {
      expect(await ask('a.example.org', `${version} -H 'Host: x.b.example.org'`)).toBe('421');
      expect(await ask('x.b.example.org', `${version} -H 'Host: a.example.org'`)).toBe('421');
      expect(await ask('x.b.example.org', `${version} -H 'Host: y.b.example.org'`)).toBe('200 b');
      expect(await ask('a.example.org', `${version} -H 'Host: example.com'`)).toBe('404');
    }
  });

  it('of Host, where a listener takes any name', async () => {
    await gateway.hold(
      intentOf({
        rest: { hostname: '' },
        b: { hostname: '*.b.example.org' },
        x: { hostname: 'x.b.example.org' },
      }),
    );
    for (const [name, host, wanted] of [
      ['example.com', 'example.net', '200 rest'],
      ['example.com', 'y.b.example.org', '421'],
      ['y.b.example.org', 'example.com', '421'],
      ['y.b.example.org', 'z.b.example.org', '200 b'],
      ['y.b.example.org', 'x.b.example.org', '421'],
      ['x.b.example.org', 'y.b.example.org', '421'],
    ])
      expect(await ask(name!, `-H 'Host: ${host}'`), `${name}, ${host}`).toBe(wanted);
  });
});

describe('what a listener allows', () => {
  it('are versions', async () => {
    await gateway.hold(intentOf({ a: {}, new: { minimumTLS: '1.3' } }));
    expect(await ask('a.example.org', '--tls-max 1.2')).toBe('200 a');
    expect(await ask('new.example.org', '--tls-max 1.2')).toBe('failed');
    expect(await ask('new.example.org', '--tlsv1.3')).toBe('200 new');
    expect(await handshake('-servername a.example.org -tls1_1 -cipher DEFAULT@SECLEVEL=0')).toMatch(/alert/);
  });

  it('are ciphers', async () => {
    await gateway.hold(intentOf({ a: {}, few: { ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' } }));
    const with12 = (name: string, cipher: string) =>
      handshake(`-servername ${name}.example.org -tls1_2 -cipher ${cipher}`);
    expect(await with12('few', 'ECDHE-ECDSA-CHACHA20-POLY1305')).toContain('Cipher is ECDHE-ECDSA-CHACHA20');
    expect(await with12('few', 'ECDHE-ECDSA-AES128-GCM-SHA256')).toMatch(/alert handshake failure/);
    expect(await with12('a', 'ECDHE-ECDSA-AES128-GCM-SHA256')).toContain('Cipher is ECDHE-ECDSA-AES128');
  });
});

describe('client certificates', () => {
  beforeEach(() =>
    gateway.hold(
      intentOf({
        a: {},
        one: validated('first'),
        two: validated('second'),
        soft: validated('first', 'fallback'),
        lost: validated('nobody'),
      }),
    ),
  );

  it.each(['--tls-max 1.2', '--tlsv1.3'])('are required: %s', async (version) => {
    expect(await ask('one.example.org', version)).toBe('failed');
    expect(await ask('one.example.org', `${version} --cert /tmp/client2.pem`)).toBe('failed');
    expect(await ask('one.example.org', `${version} --cert /tmp/client1.pem`)).toBe('200 one');
    expect(await ask('two.example.org', `${version} --http1.1 --cert /tmp/client2.pem`)).toBe('200 two');
    expect(await ask('a.example.org', version)).toBe('200 a');
    expect(await ask('lost.example.org', `${version} --cert /tmp/client1.pem`)).toBe('failed');
  });

  it.each(['--tls-max 1.2', '--tlsv1.3'])('are asked for but not required: %s', async (version) => {
    for (const certificate of ['', '--cert /tmp/client1.pem', '--cert /tmp/client2.pem'])
      expect(await ask('soft.example.org', `${version} ${certificate}`)).toBe('200 soft');
  });

  it('of one listener are none of another’s, whatever Host says', async () => {
    expect(await ask('a.example.org', "-H 'Host: one.example.org'")).toBe('421');
    expect(await ask('two.example.org', "--cert /tmp/client2.pem -H 'Host: one.example.org'")).toBe('421');
  });

  /** Statuses of two requests over one connection; `change` comes between them. */
  const around = async (how: string, change: () => Promise<void>): Promise<string[]> => {
    const line = 'GET / HTTP/1.1\\r\\nHost: one.example.org\\r\\n\\r\\n';
    const last = line.replace('\\r\\n\\r\\n', '\\r\\nConnection: close\\r\\n\\r\\n');
    await gateway.sh('rm -f /tmp/asked /tmp/said');
    const standing = gateway.sh(
      `(printf '${line}'; while [ ! -e /tmp/asked ]; do sleep 0.05; done; printf '${last}'; sleep 0.5) | timeout 10 openssl s_client -quiet -connect 127.0.0.1:10100 -servername one.example.org ${how} 2>&1 | tee /tmp/said`,
    );
    await eventually(() => gateway.sh("grep -q '^HTTP/1.1 200' /tmp/said"));
    await change();
    await gateway.sh('touch /tmp/asked');
    return ((await standing).match(/HTTP\/1.1 \d+/g) ?? []).map((status) => status.slice(9));
  };

  it('are asked of connections that stand, too, once a listener asks', async () => {
    await gateway.hold(intentOf({ one: {} }));
    const asks = () => gateway.hold(intentOf({ one: validated('first') }));
    expect(await around('', asks)).toEqual(['200', '421']);
  });

  it.each(['-tls1_2', '-tls1_3'])(
    'must lead to the authority of now, on connections that stand, too: %s',
    async (version) => {
      const shown = `${version} -cert /tmp/client1.pem`;
      await gateway.hold(intentOf({ one: validated('first') }));
      expect(await around(shown, async () => {})).toEqual(['200', '200']);
      const another = () => gateway.hold(intentOf({ one: validated('second') }));
      expect(await around(shown, another)).toEqual(['200', '421']);
    },
  );

  it('aren’t told to backends', async () => {
    const said = await gateway.sh(
      'curl -sk --cert /tmp/client1.pem --resolve one.example.org:10100:127.0.0.1 https://one.example.org:10100/',
    );
    expect(said).not.toMatch(/client1|BEGIN CERT|authority/i);
  });
});

describe('sessions', () => {
  const begin = (name: string, version: string, more = '') =>
    gateway.sh(
      `(printf 'GET / HTTP/1.1\\r\\nHost: ${name}\\r\\nConnection: close\\r\\n\\r\\n'; sleep 0.3) | timeout 5 openssl s_client -ign_eof -connect 127.0.0.1:10100 -servername ${name} ${version} ${more} 2>&1 || :`,
    );

  it.each(['-tls1_2', '-tls1_3'])('never go on at another listener: %s', async (version) => {
    await gateway.hold(intentOf({ a: {}, one: validated('first'), two: validated('second') }));
    const mine = `${version} -cert /tmp/client1.pem -key /tmp/client1.pem`;
    expect(await begin('a.example.org', version, '-sess_out /tmp/a.sess')).toContain('200 OK');
    expect(await begin('one.example.org', mine, '-sess_out /tmp/one.sess')).toContain('200 OK');

    const again = await begin('a.example.org', version, '-sess_in /tmp/a.sess');
    expect(again).toMatch(/^Reused/m);
    expect(again).toContain('200 OK');
    const here = await begin('one.example.org', version, '-sess_in /tmp/one.sess');
    expect(here, 'who proved it once needn’t again').toMatch(/^Reused/m);
    expect(here).toContain('200 OK');

    for (const [session, name] of [
      ['a', 'one.example.org'],
      ['a', 'two.example.org'],
      ['one', 'two.example.org'],
    ]) {
      const said = await begin(name!, version, `-sess_in /tmp/${session}.sess`);
      expect(said, `${session} at ${name}`).not.toMatch(/^Reused/m);
      expect(said, `${session} at ${name}`).not.toContain('200 OK');
    }
  });

  it.each(['-tls1_2', '-tls1_3'])('end when a listener asks for something else: %s', async (version) => {
    await gateway.hold(intentOf({ one: validated('first') }));
    const mine = `${version} -cert /tmp/client1.pem -key /tmp/client1.pem`;
    expect(await begin('one.example.org', mine, '-sess_out /tmp/one.sess')).toContain('200 OK');
    await gateway.hold(intentOf({ one: validated('second') }));
    expect(await begin('one.example.org', version, '-sess_in /tmp/one.sess')).not.toContain('200 OK');
    await gateway.hold(intentOf({ one: validated('first') }));
    expect(await begin('one.example.org', version, '-sess_in /tmp/one.sess')).toContain('200 OK');
  });
});

describe('a port whose listeners differ by name', () => {
  const mixed = () =>
    intentOf({ a: { port: 'tcp/8443' } }, { ports: { 'tcp/8443': { port: 8443, kind: 'tls', slot: 2 } } });
  const asked = async (how: string) => {
    const said = await gateway.sh(
      `curl -sk --max-time 5 ${how} https://a.example.org:10202/ || echo "failed $?"`,
    );
    return (JSON.parse(said) as { headers: Record<string, string> }).headers;
  };

  it('ends TLS where a listener wants so, and backends learn who the client is', async () => {
    await gateway.hold(mixed());
    for (const version of ['--http1.1', '--http2']) {
      const headers = await asked(`${version} --resolve a.example.org:10202:127.0.0.1`);
      expect(headers['x-listener']).toBe('a');
      expect(headers['x-forwarded-for']).toBe('127.0.0.1');
      expect(headers['x-forwarded-port']).toBe('8443');
      expect(headers['x-forwarded-proto']).toBe('https');
    }
    const six = await asked('--resolve a.example.org:10202:[::1]');
    expect(six['x-forwarded-for']).toBe('::1');
    expect(shown(await handshake('-servername a.example.org', 10_202))).toBe('a.example.org');
    expect(await handshake('-servername b.example.org', 10_202)).toContain('no peer certificate');
  });

  it('asks for client certificates where a listener does', async () => {
    await gateway.hold(
      intentOf(
        { a: { port: 'tcp/8443' }, one: { port: 'tcp/8443', ...validated('first') } },
        { ports: { 'tcp/8443': { port: 8443, kind: 'tls', slot: 2 } } },
      ),
    );
    expect(await ask('a.example.org', '', 10_202)).toBe('200 a');
    expect(await ask('one.example.org', '', 10_202)).toBe('failed');
    expect(await ask('one.example.org', '--cert /tmp/client1.pem', 10_202)).toBe('200 one');
  });

  it('takes PROXY headers', async () => {
    const curl =
      'curl -sk --max-time 5 --haproxy-clientip 192.0.2.7 --resolve a.example.org:11202:127.0.0.1 https://a.example.org:11202/';
    const intent = mixed();
    const ports = { 'tcp/8443': { ...intent.ports!['tcp/8443']!, proxyProtocol: true } as const };
    await gateway.hold({ ...intent, ports });
    const { headers } = JSON.parse(await gateway.sh(curl)) as { headers: Record<string, string> };
    expect(headers['x-forwarded-for']).toBe('192.0.2.7');
    // Where nobody asked for them they are not believed.
    await gateway.hold(intent);
    expect(await gateway.sh(`${curl} -o /dev/null -w '%{http_code}'`)).toBe('400');
  });
});

it('backends of two identities never share a connection', async () => {
  // nginx itself speaks TLS to no backend: programs/gateway does, with a socket for each identity and endpoint.
  const identified = (name: string) =>
    ({ origin, protocol: 'http', endpoints: [`unix:/run/${name}.sock`], identity: name }) as const;
  const intent = intentOf({ one: {}, two: {} });
  const to = (name: string) => ({ ...intent.actions![name]!, backends: [{ backend: name, weight: 1 }] });
  await gateway.hold({
    ...intent,
    actions: { one: to('one'), two: to('two') },
    backends: { one: identified('one'), two: identified('two') },
  });
  for (let turn = 0; turn < 8; turn++) {
    for (const name of ['one', 'two']) {
      const said = await gateway.sh(
        `curl -sk --resolve ${name}.example.org:10100:127.0.0.1 https://${name}.example.org:10100/`,
      );
      expect((JSON.parse(said) as { name: string }).name).toBe(name);
    }
  }
});

describe('answers that come bit by bit', () => {
  /** Nothing is changed of requests, which is the common way. */
  const plain = (): Partial<GatewayIntent> => {
    const intent = intentOf({ a: {} });
    const backends = { web: { origin, protocol: 'http' as const, endpoints: ['127.0.0.1:9300'] } };
    const actions = { a: { origin, kind: 'http' as const, backends: [{ backend: 'web', weight: 1 }] } };
    return { ...intent, actions, backends };
  };
  const follow = (accept: string) =>
    gateway.sh(`node /opt/netloom/src/engines/nginx/testing-events.ts 9300 a.example.org 10100 ${accept}`);

  it('a stream of events begins before its first event', async () => {
    await gateway.hold(plain());
    expect(await follow('text/event-stream')).toBe('200 first second end\n');
  });

  it('chunks are sent on as they come', async () => {
    await gateway.hold(plain());
    expect(await follow("'*/*'")).toBe('200 first second end\n');
  });
});
