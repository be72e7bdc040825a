/** A pod of the gateway without a cluster: both containers as they are run, real backends, requests by curl. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type {
  GatewayActionIntent,
  GatewayAnswer,
  GatewayChange,
  GatewayIdentityIntent,
  GatewayRuleIntent,
} from '#intent/gateway.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { buildRouter, buildStream } from '#router/build.ts';
import { ports } from '#system/registry.ts';
import { type Authority, createAuthority, delta, identity, type KeyPair, scratch, whole } from './testing.ts';
import type { Seen } from './testing-tls-backend.ts';

const key = '0123456789abcdef'.repeat(4);
const sources = '/opt/netloom/src';
const { directory, remove } = scratch();
let sandbox: Sandbox;
let ours: Authority;
let client: KeyPair;
let nginx: ChildProcessWithoutNullStreams;
let gateway: ChildProcessWithoutNullStreams;
let feed: ChildProcessWithoutNullStreams;
let log = '';

const inside = (path: string) => `/proc/${sandbox.pid}/root${path}`;
const authorities = () => ours.certificate;

beforeAll(async () => {
  await buildRouter();
  await buildStream();
  sandbox = await openSandbox();
  ours = createAuthority(directory, 'ours');
  client = ours.sign('gateway', 'DNS:gateway.example');
  writeFileSync(inside('/run/key'), key);
  writeFileSync(inside('/run/ca.pem'), ours.certificate);
  await sandbox.exec(['install', '-d', '-o', '10001', '-g', '10001', '/run/netloom-gateway']);
  await Promise.all([
    backend('one', 9443, ours.sign('one', 'DNS:one.example')),
    backend('strict', 9444, ours.sign('strict', 'DNS:strict.example'), '/run/ca.pem'),
  ]);
  nginx = startNginx();
  gateway = startGateway();
  await eventually(async () => expect((await at('/readyz')).text).toContain('nothing is held yet'));
  feed = start('node', `${sources}/programs/gateway/testing-feed.ts`, key, 'x/gw');
}, 240_000);
afterAll(async () => {
  await sandbox?.close();
  remove();
});

let generation = 0;
beforeEach(async () => {
  generation++;
  expect(await say(whole(generation, intent(routes())))).toEqual({ answer: { generation, problems: [] } });
});

function start(...argv: readonly [string, ...string[]]): ChildProcessWithoutNullStreams {
  const [program, ...rest] = argv;
  const child = sandbox.spawn([program === 'node' ? '/opt/node/bin/node' : program, ...rest]);
  // Nobody reads it otherwise, and a full pipe would hold the program.
  child.stdout.resume();
  child.stderr.on('data', (part: Buffer) => {
    log += part.toString();
  });
  child.on('error', () => {});
  return child;
}
/** As a container: nobody in particular, in a group of processes of its own. */
function contain(name: 'nginx' | 'gateway', ...argv: readonly string[]): ChildProcessWithoutNullStreams {
  const noted = ['setsid', '--wait', 'sh', '-c', 'echo $$ >/run/$0.pid; exec "$@"', name] as const;
  return start(...noted, 'setpriv', '--reuid=10001', '--regid=10001', '--clear-groups', ...argv);
}
const startNginx = () => contain('nginx', `${sources}/engines/nginx/run.sh`, '2');
const startGateway = () =>
  contain(
    'gateway',
    '/opt/node/bin/node',
    `${sources}/programs/gateway/main.ts`,
    '--identity=x/gw',
    '--key-file=/run/key',
  );

/** `KILL`: with all that it started; else as a kubelet does. */
async function end(name: 'nginx' | 'gateway', signal: 'KILL' | 'TERM'): Promise<void> {
  const pid = readFileSync(inside(`/run/${name}.pid`), 'utf8').trim();
  const argv = ['kill', `-${signal}`, '--', `${signal === 'KILL' ? '-' : ''}${pid}`];
  expect(await sandbox.exec(argv)).toMatchObject({ code: 0 });
}

async function backend(name: string, port: number, pair: KeyPair, authority?: string): Promise<void> {
  writeFileSync(inside(`/run/${name}.crt`), pair.certificate);
  writeFileSync(inside(`/run/${name}.key`), pair.privateKey);
  const files = [`/run/${name}.crt`, `/run/${name}.key`, ...(authority === undefined ? [] : [authority])];
  const program = `${sources}/programs/gateway/testing-tls-backend.ts`;
  const child = start('node', program, name, String(port), ...files);
  await new Promise((resolve) => child.stdout.once('data', resolve));
}

type Outcome = { readonly answer?: GatewayAnswer; readonly error?: string };
function say(change: GatewayChange): Promise<Outcome> {
  return new Promise((resolve) => {
    feed.stdout.once('data', (part: Buffer) => resolve(JSON.parse(part.toString()) as Outcome));
    feed.stdin.write(`${JSON.stringify(change)}\n`);
  });
}
const change = (put: GatewayChange['put']): Promise<Outcome> => {
  generation++;
  return say(delta(generation, put));
};

type Route = { readonly endpoint: string; readonly identity?: GatewayIdentityIntent; readonly h2?: true };
/** Each is reached at `/NAME`. */
const routes = (): Record<string, Route> => {
  const one = '127.0.0.1:9443';
  const strict = '127.0.0.1:9444';
  const known = authorities();
  return {
    right: { endpoint: one, identity: identity('one.example', { authorities: known }) },
    wrong: { endpoint: one, identity: identity('two.example', { authorities: known }) },
    unknown: { endpoint: one, identity: identity('one.example') },
    h2: { endpoint: one, identity: identity('one.example', { authorities: known, alpn: 'h2' }), h2: true },
    shows: {
      endpoint: strict,
      identity: identity('strict.example', { authorities: known, certificate: 'x/client' }),
    },
    hides: { endpoint: strict, identity: identity('strict.example', { authorities: known }) },
    nobody: { endpoint: '127.0.0.1:1', identity: identity('one.example', { authorities: known }) },
  };
};

function intent(all: Readonly<Record<string, Route>>): GatewayChange['put'] {
  const origin = { kind: 'HTTPRoute', namespace: 'x', name: 'web' };
  const names = Object.keys(all);
  const record = <T>(of: (name: string, route: Route) => readonly [string, T]) =>
    Object.fromEntries(names.map((name) => of(name, all[name] as Route)));
  return {
    ports: { 'tcp/80': { port: 80, kind: 'http', slot: 0 } },
    listeners: { l: { origin, port: 'tcp/80', kind: 'http', hostname: '' } },
    rules: record((name): [string, GatewayRuleIntent] => [
      `l||HTTPRoute/x/web|${name}.0`,
      {
        listener: 'l',
        host: '',
        path: { type: 'prefix', value: `/${name}` },
        rank: name,
        action: `HTTPRoute/x/web|${name}`,
      },
    ]),
    actions: record((name): [string, GatewayActionIntent] => [
      `HTTPRoute/x/web|${name}`,
      { origin, kind: 'http', backends: [{ backend: name, weight: 1 }] },
    ]),
    backends: record((name, { endpoint, identity: as, h2 }) => [
      name,
      {
        origin: { kind: 'Service', namespace: 'x', name },
        protocol: h2 === true ? ('h2c' as const) : ('http' as const),
        endpoints: [endpoint],
        ...(as !== undefined && { identity: name }),
      },
    ]),
    identities: Object.fromEntries(
      names.flatMap((name) => {
        const as = all[name]?.identity;
        return as === undefined ? [] : [[name, as] as const];
      }),
    ),
    certificates: {
      'x/client': { origin: { kind: 'Secret', namespace: 'x', name: 'client' }, names: [], ...client },
    },
  };
}

/** The answer's code, and what the backend saw. */
async function ask(path: string): Promise<{ readonly code: number; readonly seen: Seen }> {
  const { code, text } = await curl(`http://127.0.0.1:10000${path}`);
  return { code, seen: (code === 200 ? JSON.parse(text) : {}) as Seen };
}
const at = (path: string) => curl(`http://127.0.0.1:${ports.gatewayMetrics.value}${path}`);
async function curl(url: string): Promise<{ readonly code: number; readonly text: string }> {
  const argv = ['curl', '-sS', '-m', '20', '-w', '\n%{http_code}', url];
  const { code, stdout, stderr } = await sandbox.exec(argv);
  const end = stdout.lastIndexOf('\n');
  if (code !== 0) throw new Error(stderr);
  return { code: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) };
}

test('a backend is reached by TLS as its policy has it, over connections that are kept', async () => {
  let kept = 0;
  for (let times = 0; times < 6; times++) {
    const { code, seen } = await ask('/right');
    expect(code).toBe(200);
    expect(seen).toMatchObject({ name: 'one', version: '1.1', servername: 'one.example', client: '' });
    kept = Math.max(kept, seen.earlier);
  }
  expect(kept).toBeGreaterThan(0);
  expect((await ask('/h2')).seen).toMatchObject({ name: 'one', version: '2.0' });
  expect((await ask('/nobody')).code).toBe(502);
});

test('a connection that was proven for one policy carries nothing of another', async () => {
  for (let times = 0; times < 8; times++) {
    const codes = await Promise.all(
      ['/right', '/wrong', '/unknown', '/shows', '/hides'].map(async (path) => (await ask(path)).code),
    );
    expect(codes).toEqual([200, 502, 502, 200, 502]);
  }
  expect((await ask('/shows')).seen.client).toBe('gateway');
});

test('after an edit of a policy no request goes the old way, however warm its connections are', async () => {
  for (let times = 0; times < 5; times++) {
    for (let warm = 0; warm < 4; warm++) expect((await ask('/right')).code).toBe(200);
    await change({ identities: { right: identity('two.example', { authorities: authorities() }) } });
    for (let tries = 0; tries < 4; tries++) expect((await ask('/right')).code).toBe(502);
    await change({ identities: { right: identity('one.example', { authorities: authorities() }) } });
    expect((await ask('/right')).code).toBe(200);
  }
});

test('a new certificate of ours is shown at once, and one that is taken away no longer', async () => {
  expect((await ask('/shows')).seen.client).toBe('gateway');
  const next = ours.sign('renewed', 'DNS:gateway.example');
  await change({
    certificates: {
      'x/client': { origin: { kind: 'Secret', namespace: 'x', name: 'client' }, names: [], ...next },
    },
  });
  expect((await ask('/shows')).seen.client).toBe('renewed');
  await change({ identities: { shows: identity('strict.example', { authorities: authorities() }) } });
  expect((await ask('/shows')).code).toBe(502);
});

test('either process is killed and comes back alone: everything is served as before, without a controller', async () => {
  for (let round = 0; round < 2; round++) {
    await end('gateway', 'KILL');
    gateway = startGateway();
    await eventually(async () => expect((await ask('/right')).code).toBe(200));
    expect((await ask('/wrong')).code).toBe(502);
    await end('nginx', 'KILL');
    nginx = startNginx();
    // It begins with what was kept last, and is told what came after.
    await eventually(async () => expect((await ask('/shows')).seen.client).toBe('gateway'));
    expect((await ask('/right')).code).toBe(200);
  }
  await eventually(async () => expect((await at('/readyz')).code).toBe(200));
});

test('connections that are not HTTP go to backends by TLS, too', async () => {
  const origin = { kind: 'TCPRoute', namespace: 'x', name: 'db' };
  const at5432 = { port: 5432, kind: 'tcp', slot: 0 } as const;
  const to = (as: string) => ({
    db: {
      origin: { kind: 'Service', namespace: 'x', name: 'db' },
      protocol: 'tcp' as const,
      endpoints: ['127.0.0.1:9443'],
      identity: as,
    },
  });
  await change({
    ports: { 'tcp/5432': at5432 },
    listeners: { t: { origin, port: 'tcp/5432', kind: 'tcp', hostname: '' } },
    streams: { 't|': { origin, listener: 't', host: '', backends: [{ backend: 'db', weight: 1 }] } },
    backends: to('right'),
  });
  expect(JSON.parse((await curl('http://127.0.0.1:10300/')).text)).toMatchObject({ name: 'one' });
  await change({ backends: to('wrong') });
  await expect(curl('http://127.0.0.1:10300/')).rejects.toThrow(/empty reply|reset/i);
});

test('endpoints by TLS that do not prove themselves to a health check are left out', async () => {
  const health = { protocol: 'http', interval: 100, timeout: 2_000, healthy: 1, unhealthy: 1 } as const;
  const origin = { kind: 'Service', namespace: 'x', name: 'right' };
  const endpoints = ['127.0.0.1:9443', '127.0.0.1:9444'];
  await change({ backends: { right: { origin, protocol: 'http', endpoints, identity: 'right', health } } });
  const told = (): readonly string[] => {
    const kept = readFileSync(inside('/run/netloom-gateway/nginx.entries'), 'utf8').split('\n');
    const line = kept.find((one) => one.startsWith('backends\tright\t')) ?? '';
    return (JSON.parse(line.slice(line.indexOf('{'))) as { endpoints: string[] }).endpoints;
  };
  await eventually(async () =>
    expect((await at('/metrics')).text).toMatch(
      /netloom_gateway_unhealthy_endpoints\{[^}]*endpoint="127.0.0.1:9444"\} 1/,
    ),
  );
  await eventually(async () => expect(told()).toHaveLength(1));
  for (let times = 0; times < 4; times++) expect((await ask('/right')).seen.name).toBe('one');
});

test('metrics tell of routes, of policies and of what is held', async () => {
  await ask('/right');
  await ask('/wrong');
  await eventually(async () => {
    const { text } = await at('/metrics');
    expect(text).toMatch(
      /netloom_gateway_requests_total\{namespace="x",kind="HTTPRoute",route="web",code="2xx"\} \d/,
    );
    expect(text).toMatch(
      /netloom_gateway_requests_total\{namespace="x",kind="HTTPRoute",route="web",code="5xx"\} \d/,
    );
    expect(text).toMatch(/netloom_gateway_request_seconds_bucket\{[^}]*route="web",le="\+Inf"\} \d/);
    expect(text).toMatch(/netloom_gateway_tls_connections_total\{policy="x\/web",outcome="unproven"\} \d/);
    expect(text).toContain(`netloom_gateway_generation ${generation}`);
  });
});

test('what is under way when the pod is told to end is answered, and then both end', async () => {
  const slow = ask('/right?wait=4000');
  await eventually(async () => {
    const { text } = await at('/metrics');
    // Besides the one by which it is asked.
    const [, writing] = /nginx_connections\{state="writing"\} (\d+)/.exec(text) ?? [];
    expect(Number(writing)).toBeGreaterThan(1);
  });
  const ended = [nginx, gateway].map((child) => new Promise((resolve) => child.once('close', resolve)));
  await Promise.all([end('gateway', 'TERM'), end('nginx', 'TERM')]);
  expect((await slow).code).toBe(200);
  await Promise.all(ended);
  expect(log).toContain('"stopped" all=true');
  expect(readFileSync(inside('/run/netloom-gateway/held/changes'), 'utf8')).toContain('"x/client"');
});
