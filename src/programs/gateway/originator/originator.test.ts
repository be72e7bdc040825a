/** Connections to real TLS servers: who proves to be the right one is spoken to, and nobody else hears a byte. */

import { existsSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { GatewayIdentityIntent } from '#intent/gateway.ts';
import { eventually } from '#lab/eventually.ts';
import { createLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { type Authority, createAuthority, identity, type KeyPair, scratch } from '../testing.ts';
import type { Target } from './lower.ts';
import { createOriginator, type Originator } from './originator.ts';
import { resolveIdentity, socketPath } from './paths.ts';

const { directory, remove } = scratch();
const sockets = join(directory, 'tls');
let ours: Authority;
let theirs: Authority;
let web: KeyPair;
beforeAll(() => {
  ours = createAuthority(directory, 'ours');
  theirs = createAuthority(directory, 'theirs');
  web = ours.sign('web', 'DNS:web.example,URI:spiffe://x/web');
});
afterAll(remove);

const lines: string[] = [];
let metrics = createRegistry();
let originator: Originator;
const ends: (() => void)[] = [];
function begin(quietMs?: number): void {
  lines.length = 0;
  metrics = createRegistry();
  originator = createOriginator({
    directory: sockets,
    systemAuthorities: theirs.certificate,
    ...(quietMs !== undefined && { quietMs }),
    log: createLog({ write: (line) => void lines.push(line) }),
    metrics,
  });
}
afterEach(() => {
  originator.close();
  for (const end of ends.splice(0)) end();
});

type Backend = { readonly endpoint: string; readonly heard: string[]; readonly seen: TLSSocket[] };

/** Answers each line with `re: ` and the line. */
async function serve(options: TlsOptions): Promise<Backend> {
  const heard: string[] = [];
  const seen: TLSSocket[] = [];
  const server: Server = createServer({ allowHalfOpen: true, ...options }, (socket) => {
    seen.push(socket);
    socket.on('error', () => {});
    socket.on('data', (part: Buffer) => {
      heard.push(part.toString());
      socket.write(`re: ${part.toString()}`);
    });
    socket.on('end', () => socket.end('bye'));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    server.close();
    for (const socket of seen) socket.destroy();
  });
  return { endpoint: `127.0.0.1:${(server.address() as { port: number }).port}`, heard, seen };
}

function target(endpoint: string, one: GatewayIdentityIntent, client?: KeyPair): Target {
  const certificate = client && {
    origin: { kind: 'Secret', namespace: 'x', name: 'c' },
    names: [],
    ...client,
  };
  const resolved = resolveIdentity('i', one, certificate);
  return { path: socketPath(sockets, resolved, endpoint), endpoint, identity: resolved };
}

/** What comes back for one line, and whether the connection was closed without. */
async function say(path: string, text: string): Promise<string> {
  const { socket, all } = dial(path);
  socket.write(text);
  await eventually(() => expect(all() !== '' || socket.destroyed).toBe(true), 15_000, 5);
  const answer = all();
  socket.destroy();
  return answer;
}

function dial(path: string): { readonly socket: Socket; readonly all: () => string } {
  const socket = connect({ path, allowHalfOpen: true });
  ends.push(() => socket.destroy());
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (part: Buffer) => {
    text += part.toString();
  });
  socket.on('end', () => socket.end());
  return { socket, all: () => text };
}

test('a backend that proves to be the right one is spoken to, by the name and the protocol that were asked for', async () => {
  begin();
  const backend = await serve({
    cert: web.certificate,
    key: web.privateKey,
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  const of = (one: GatewayIdentityIntent) => target(backend.endpoint, one);
  const authorities = ours.certificate;
  const plain = of(identity('web.example', { authorities }));
  const h2 = of(identity('web.example', { authorities, alpn: 'h2' }));
  const byURI = of(
    identity('other.example', { authorities, subjectAltNames: [{ type: 'uri', value: 'spiffe://x/web' }] }),
  );
  for (const one of [plain, h2, byURI]) {
    expect(await originator.open(one)).toBeUndefined();
    expect(await say(one.path, 'hello')).toBe('re: hello');
  }
  expect(backend.seen.map(({ servername, alpnProtocol }) => [servername, alpnProtocol])).toEqual([
    ['web.example', false],
    ['web.example', 'h2'],
    ['other.example', false],
  ]);
  expect(statSync(plain.path).mode & 0o777).toBe(0o660);
  expect(metrics.text()).toContain(
    'netloom_gateway_tls_connections_total{policy="x/web",outcome="connected"} 3',
  );
  expect(lines).toEqual([]);
});

test('one that proves to be somebody else, or nothing, hears nothing, and one line a minute says why', async () => {
  begin();
  const backend = await serve({ cert: web.certificate, key: web.privateKey });
  const stranger = await serve({ ...pair(theirs.sign('web', 'DNS:web.example')) });
  const authorities = ours.certificate;
  const cases: readonly (readonly [Target, RegExp])[] = [
    [target(backend.endpoint, identity('other.example', { authorities })), /not for other\.example/],
    [target(stranger.endpoint, identity('web.example', { authorities })), /unable to (verify|get)/],
    // Those of the system are others'.
    [target(backend.endpoint, identity('web.example')), /unable to (verify|get)/],
    [
      target(
        backend.endpoint,
        identity('web.example', {
          authorities,
          subjectAltNames: [{ type: 'uri', value: 'spiffe://x/other' }],
        }),
      ),
      /for none of spiffe:\/\/x\/other/,
    ],
  ];
  for (const [one, reason] of cases) {
    begin();
    expect(await originator.open(one)).toBeUndefined();
    for (let times = 0; times < 3; times++) expect(await say(one.path, 'secret')).toBe('');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(reason);
    expect(lines[0]).toContain('BackendTLSPolicy x/web');
    expect(metrics.text()).toContain(
      'netloom_gateway_tls_connections_total{policy="x/web",outcome="unproven"} 3',
    );
    originator.close();
  }
  expect([...backend.heard, ...stranger.heard]).toEqual([]);
});

test('whoever answers is taken where an Ingress wants it so, over a connection that is for nobody else', async () => {
  begin();
  const backend = await serve({ cert: web.certificate, key: web.privateKey });
  const anybody = target(backend.endpoint, identity('', { anybody: true }));
  const careful = target(backend.endpoint, identity(''));
  expect(await originator.open(anybody)).toBeUndefined();
  expect(await say(anybody.path, 'hello')).toBe('re: hello');
  expect(backend.seen[0]!.servername).toBe(false);
  expect(careful.path).not.toBe(anybody.path);
  await originator.open(careful);
  expect(await say(careful.path, 'secret')).toBe('');
  expect(backend.heard).toEqual(['hello']);
});

test('the system’s authorities count where a policy names none', async () => {
  begin();
  const backend = await serve({ ...pair(theirs.sign('web', 'DNS:web.example')) });
  const one = target(backend.endpoint, identity('web.example'));
  expect(await originator.open(one)).toBeUndefined();
  expect(await say(one.path, 'hello')).toBe('re: hello');
});

test('a backend that wants a certificate gets that of its identity, and refuses us without', async () => {
  begin();
  const client = ours.sign('gateway', 'DNS:gateway.example');
  const backend = await serve({
    ...pair(web),
    ca: ours.certificate,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const wanted = identity('web.example', { authorities: ours.certificate });
  const withIt = target(backend.endpoint, wanted, client);
  const without = target(backend.endpoint, wanted);
  expect(withIt.path).not.toBe(without.path);
  for (const one of [withIt, without]) expect(await originator.open(one)).toBeUndefined();
  expect(await say(withIt.path, 'hello')).toBe('re: hello');
  expect(backend.seen[0]?.getPeerCertificate().subject.CN).toBe('gateway');
  // The other order too: what one identity negotiated is nothing to another one.
  expect(await say(without.path, 'secret')).toBe('');
  expect(await say(withIt.path, 'again')).toBe('re: again');
  expect(backend.heard).toEqual(['hello', 'again']);
  expect(lines[0]).toMatch(/certificate required/i);
  expect(metrics.text()).toContain(
    'netloom_gateway_tls_connections_total{policy="x/web",outcome="refused"} 1',
  );
});

test('what can not be used as a certificate is told, and its connections are closed', async () => {
  begin();
  const backend = await serve(pair(web));
  const one = target(backend.endpoint, identity('web.example', { authorities: ours.certificate }), {
    certificate: web.certificate,
    privateKey: ours.sign('x', 'DNS:x').privateKey,
  });
  expect(await originator.open(one)).toContain("can't be used");
  expect(await say(one.path, 'secret')).toBe('');
});

test('nobody there, or nobody who speaks TLS: closed', async () => {
  begin();
  const gone = target('127.0.0.1:1', identity('web.example'));
  await originator.open(gone);
  expect(await say(gone.path, 'secret')).toBe('');
  expect(lines[0]).toContain('ECONNREFUSED');
  expect(metrics.text()).toContain('outcome="unreachable"} 1');
});

test('a socket that is left takes nobody any more; who is connected goes on until it falls silent', async () => {
  begin(300);
  const backend = await serve(pair(web));
  const one = target(backend.endpoint, identity('web.example', { authorities: ours.certificate }));
  await originator.open(one);
  const { socket, all } = dial(one.path);
  socket.write('one');
  await eventually(() => expect(all()).toBe('re: one'));
  originator.leave(one.path);
  expect(existsSync(one.path)).toBe(false);
  socket.write(' two');
  await eventually(() => expect(all()).toBe('re: onere:  two'));
  expect(originator.connections()).toBe(1);
  await eventually(() => expect(originator.connections()).toBe(0));
  await eventually(() => expect(backend.seen[0]?.destroyed).toBe(true));

  // The same again is another socket at the same place.
  await originator.open(one);
  expect(await say(one.path, 'back')).toBe('re: back');
});

test('both ends may stop talking first, and everything said before arrives', async () => {
  begin();
  const backend = await serve(pair(web));
  const one = target(backend.endpoint, identity('web.example', { authorities: ours.certificate }));
  await originator.open(one);
  const { socket, all } = dial(one.path);
  socket.end('last words');
  await eventually(() => expect(all()).toBe('re: last wordsbye'));
  await eventually(() => expect(originator.connections()).toBe(0));
});

test('megabytes go both ways on many connections, however slowly one end reads', async () => {
  begin();
  const backend = await serve(pair(web));
  const one = target(backend.endpoint, identity('web.example', { authorities: ours.certificate }));
  await originator.open(one);
  const size = 2 * 1024 * 1024;
  const connections = Array.from({ length: 20 }, () => {
    const socket = connect({ path: one.path, allowHalfOpen: true });
    ends.push(() => socket.destroy());
    let received = 0;
    socket.on('data', (part: Buffer) => {
      received += part.length;
      socket.pause();
      setImmediate(() => socket.resume());
    });
    socket.write(Buffer.alloc(size, 'x'));
    return () => received;
  });
  await eventually(() => {
    for (const received of connections) expect(received()).toBeGreaterThanOrEqual(size);
  }, 40_000);
  expect(originator.connections()).toBe(20);
});

test('sockets that an earlier process left are taken over', async () => {
  begin();
  const backend = await serve(pair(web));
  const one = target(backend.endpoint, identity('web.example', { authorities: ours.certificate }));
  await originator.open(one);
  const before = originator;
  begin();
  expect(await originator.open(one)).toBeUndefined();
  expect(await say(one.path, 'hello')).toBe('re: hello');
  before.close();
});

function pair({ certificate, privateKey }: KeyPair): TlsOptions {
  return { cert: certificate, key: privateKey };
}
