/** `netloom gateway` and `netloom why URL` as a user calls them: what they print, and their exit codes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sourceRoot } from '#lab/paths.ts';
import { UsageError } from '../command.ts';
import { commands } from '../commands.ts';
import { parseCommandLine } from '../parse.ts';

const example = join(sourceRoot, 'examples/gateway.yaml');

const directories: string[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

/** In this process: a process for each question costs more than all answers. */
async function netloom(...words: readonly string[]) {
  const out: string[] = [];
  const progress: string[] = [];
  const lines = (texts: readonly string[]) => texts.map((text) => `${text}\n`).join('');
  try {
    const parsed = parseCommandLine(commands, words);
    if (parsed.kind !== 'run') throw new Error(`${words.join(' ')} is no command`);
    const { run } = await parsed.command.load();
    const { values, operands } = parsed;
    const code = await run({
      values,
      operands,
      out: (text) => out.push(text),
      progress: (text) => progress.push(text),
    });
    return { code, stdout: lines(out), stderr: lines(progress) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { code: 2, stdout: lines(out), stderr: error.message };
  }
}

async function file(content: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'netloom-gateways-'));
  directories.push(directory);
  const path = join(directory, 'objects.yaml');
  await writeFile(path, content);
  return path;
}

const broken = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  gatewayClassName: netloom
  listeners:
    - { name: web, port: 80, protocol: HTTP }
    - name: secure
      port: 443
      protocol: HTTPS
      hostname: shop.example
      tls: { certificateRefs: [{ name: gone }] }
    - { name: db, port: 5432, protocol: TCP }
status:
  addresses: [{ type: IPAddress, value: 192.0.2.7 }]
  conditions: [{ type: Programmed, status: 'False', reason: Pending, message: its pod is not ready }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart, namespace: shop }
spec:
  parentRefs: [{ name: edge }]
  rules:
    - matches: [{ path: { value: /cart } }]
      backendRefs: [{ name: gone, port: 80 }]
    - matches: [{ path: { value: /limit } }]
      filters: [{ type: ExtensionRef, extensionRef: { group: acme.io, kind: Limit, name: a } }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: { name: db, namespace: shop }
spec:
  parentRefs: [{ name: edge, sectionName: db }]
  rules: [{ backendRefs: [{ name: db, port: 5432 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { ports: [{ port: 5432 }] }
`;

test('gateway: listeners, routes and where they lead; nothing is wrong', async () => {
  const { code, stdout, stderr } = await netloom('gateway', 'edge', '-f', example);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout.split('\n')).toEqual([
    'Gateway default/edge at no address',
    '',
    '  LISTENER  PORT    KIND  HOSTNAME   ROUTES',
    '  http      tcp/80  http  *.example  1',
    '',
    '  ROUTE                   HOSTS         RULES  TO',
    '  HTTPRoute default/shop  shop.example  3      default/shop-new:80,default/shop:80',
    '',
    '  BACKEND              SPOKEN TO BY  ENDPOINTS',
    '  default/shop-new:80  http          1',
    '  default/shop:80      http          1',
    '',
  ]);
});

test('gateway: what is wrong, object by object', async () => {
  const path = await file(broken);
  const { code, stdout } = await netloom('gateway', 'shop/edge', '-f', path);
  expect(code).toBe(1);
  const lines = stdout.split('\n');
  expect(lines[0]).toBe('Gateway shop/edge at 192.0.2.7');
  expect(stdout).toMatch(/^ {2}secure +- +not served +- +1$/m);
  expect(lines.slice(lines.lastIndexOf('', -2) + 1, -1)).toEqual([
    '  Gateway shop/edge: Pending: its pod is not ready',
    "  Gateway shop/edge listener secure: InvalidCertificateRef: Secret shop/gone doesn't exist or holds no certificate with its key",
    '  HTTPRoute shop/cart: InvalidKind: spec.rules[1].filters[0].extensionRef: there is no extension "Limit" here; spec.rules[0].backendRefs[0]: there is no Service shop/gone',
    '  HTTPRoute shop/cart: UnsupportedValue: Dropped Rule 1, whose requests get 500: spec.rules[1].filters[0].extensionRef: there is no extension "Limit" here',
    '  Service shop/db: port 5432 has no endpoint that is ready',
  ]);
  const json = JSON.parse((await netloom('gateway', '-f', path, '-o', 'json')).stdout) as object;
  expect(json).toMatchObject({ gateways: [{ gateway: 'shop/edge', addresses: ['192.0.2.7'] }] });
  expect(await netloom('gateway', 'shop/none', '-f', path)).toMatchObject({ code: 1, stdout: '' });
});

test('gateway: a ListenerSet that is not taken is told of, too', async () => {
  const path = await file(`${broken}---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: more, namespace: team }
spec:
  parentRef: { name: edge, namespace: shop }
  listeners: [{ name: own, port: 81, protocol: HTTP }]
`);
  const { stdout } = await netloom('gateway', 'shop/edge', '-f', path);
  expect(stdout).toContain('  ListenerSet team/more: NotAllowed: ');
});

test('why URL: each step, shares of backends, and what did not take the request', async () => {
  const { code, stdout } = await netloom('why', 'http://shop.example/cart', '--from', 'world', '-f', example);
  expect(code).toBe(0);
  expect(stdout.split('\n')).toEqual([
    'sent: GET http://shop.example/cart at Gateway default/edge',
    '  port      tcp/80 is for HTTP',
    '  listener  gateway/default/edge/http, hostname *.example',
    '  route     HTTPRoute default/shop spec.rules[2].matches[0], host shop.example, prefix path /',
    '  backend   90 %: Service default/shop by http, 10.244.255.254:8080',
    '  backend   10 %: Service default/shop-new by http, 10.244.255.253:8080',
    '  not by    HTTPRoute default/shop spec.rules[0].matches[0]: it wants header version to be new, and there is none',
    '',
  ]);
  const asked = await netloom('why', 'http://shop.example/', '--header', 'Version=new', '-f', example);
  expect(asked.stdout).toContain('  backend   Service default/shop-new by http, 10.244.255.253:8080\n');
  const moved = await netloom('why', 'http://shop.example/old/a?b=c', '-f', example);
  expect(moved).toMatchObject({ code: 0 });
  expect(moved.stdout).toContain('answers 301, Location http://shop.example/a?b=c\n');
});

const refused: readonly (readonly [string, string, readonly string[]])[] = [
  ['http://shop.example/cart', 'refused 500', ["what it refers to can't be used: 500"]],
  ['http://shop.example/limit', 'refused 500', ['sends it nowhere']],
  ['http://shop.example/else', 'refused 404', ['no rule of the listener takes it']],
  ['http://shop.example/%2e%2e/%2e%2e', 'refused 400', ['leads out of the root']],
  ['https://shop.example:80/', 'refused:', ['tcp/80 is for HTTP, and is asked by TLS']],
  ['http://db.example:5432/', 'refused:', ['TCPRoute shop/db', 'no endpoint is ready: closed']],
];

test('why URL: who is refused, and by what', async () => {
  const path = await file(broken);
  for (const [url, title, texts] of refused) {
    const { code, stdout } = await netloom('why', url, '-f', path);
    expect(code, url).toBe(1);
    expect(stdout.slice(0, title.length), url).toBe(title);
    for (const text of texts) expect(stdout, url).toContain(text);
  }
});

test.each([
  [['https://'], 'is no URL such as https://host/path'],
  [['https://shop.example/'], 'no Gateway of ours listens at tcp/443'],
  [['http://shop.example/', '--gateway', 'a/b'], 'there is no Gateway a/b of ours'],
  [['http://shop.example/', '--header', 'x'], '--header "x" is not NAME=VALUE'],
  [['http://shop.example/', '--from', 'shop/web'], '--from is one of world'],
  [['shop/web', 'shop/db', '--method', 'GET'], '--method is for a URL'],
])('why %j is wrong usage', async (words, message) => {
  const { code, stdout, stderr } = await netloom('why', ...words, '-f', example);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
});

const shared = join(sourceRoot, 'examples/alb.yaml');

test('gateway: an ALB with the Gateways that share it, by the name of any of them', async () => {
  const { stdout, stderr } = await netloom('gateway', 'bank/own', '-f', shared);
  expect(stderr).toBe('');
  expect(stdout.split('\n')).toEqual([
    'ALB default/edge at no address',
    'shared by Gateway bank/own',
    '',
    '  LISTENER                 PORT      KIND  HOSTNAME      ROUTES',
    '  http                     tcp/80    http  any           1',
    '  http (Gateway bank/own)  tcp/8080  http  bank.example  1',
    '',
    '  ROUTE                HOSTS         RULES  TO',
    '  HTTPRoute bank/bank  bank.example  1      bank/echo:80',
    '  HTTPRoute shop/shop  shop.example  1      shop/echo:80',
    '',
    '  BACKEND       SPOKEN TO BY  ENDPOINTS',
    '  bank/echo:80  http          1',
    '  shop/echo:80  http          1',
    '',
  ]);
  expect((await netloom('gateway', 'default/edge', '-f', shared)).stdout).toBe(stdout);
  const { stdout: why } = await netloom('why', 'http://shop.example/', '--from', 'world', '-f', shared);
  expect(why).toContain('sent: GET http://shop.example/ at ALB default/edge\n');
});

test('gateway: one that shares an ALB in vain says so', async () => {
  const path = await file(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge, namespace: shop }
spec:
  gatewayClassName: netloom
  infrastructure: { parametersRef: { group: netloom.dev, kind: ALB, name: none } }
  listeners: [{ name: web, port: 80, protocol: HTTP }]
`);
  const { code, stdout } = await netloom('gateway', 'shop/edge', '-f', path);
  expect(code).toBe(1);
  expect(stdout).toContain(
    'Gateway shop/edge: InvalidParameters: spec.infrastructure.parametersRef: there is no ALB shop/none',
  );
});
