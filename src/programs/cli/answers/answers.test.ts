/** `netloom why` and `netloom diff` as a user calls them: what they print, and their exit codes. */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { sourceRoot } from '#lab/paths.ts';
import { type RunResult, run } from '#system/process.ts';
import { objectsIn } from './objects.ts';

const shop = join(sourceRoot, 'examples/policy/shop.yaml');
const isolate = join(sourceRoot, 'examples/policy/isolate.yaml');
/** Both of them. */
const examples = await mkdtemp(join(tmpdir(), 'netloom-answers-'));
for (const file of [shop, isolate]) await copyFile(file, join(examples, basename(file)));

const directories: string[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

afterAll(() => rm(examples, { recursive: true }));

/** No cluster is asked: neither a lab nor a kubeconfig is there. */
function netloom(...words: readonly string[]): Promise<RunResult> {
  const env = { ...process.env, KUBECONFIG: '/nonexistent', NETLOOM_STATE: '/nonexistent' };
  return run([process.execPath, join(sourceRoot, 'src/programs/cli/main.ts'), ...words], { env });
}

async function file(name: string, content: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'netloom-answers-'));
  directories.push(directory);
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

test('files are read as kubectl reads them, merge keys too', async () => {
  const path = await file(
    'merged.yaml',
    `apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop, annotations: {netloom.dev/a: b}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: b
  labels: &labels {app: web}
  annotations: {<<: *labels, more: c}
`,
  );
  const [, second] = (await objectsIn(path)).objects;
  expect(second?.metadata.annotations).toEqual({ app: 'web', more: 'c' });
});

test('several files are applied as one, and of a directory only what a cluster takes', async () => {
  const twice = await netloom('diff', '-f', isolate, '-f', shop, '--against', '/dev/null');
  expect(twice.code).toBe(1);
  const both = await netloom('diff', '-f', examples, '--against', '/dev/null');
  expect(twice).toEqual(both);
  const onlyLast = await netloom('diff', '-f', shop, '--against', '/dev/null');
  expect(onlyLast.stdout).not.toBe(twice.stdout);
  const asked = await netloom('why', 'shop/web', 'svc/shop/db', '-f', shop, '-f', isolate);
  expect(asked.stdout).toMatch(/^denied: /);

  const values = await file('values.yaml', 'replicas: 3\n');
  const directory = dirname(values);
  await writeFile(
    join(directory, 'kustomization.yaml'),
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [isolate.yaml]\n',
  );
  await copyFile(isolate, join(directory, 'isolate.yaml'));
  const told = await netloom('diff', '-f', directory, '--against', shop, '-o', 'json');
  expect(told.code).toBe(1);
  const notLookedAt = [
    `${directory}/kustomization.yaml, document 1: Kustomization has no metadata.name`,
    `${values}, document 1 is no Kubernetes object: it has no apiVersion and kind`,
  ];
  expect(told.stderr.trimEnd().split('\n')).toEqual(notLookedAt.map((each) => `not looked at: ${each}`));
  expect(JSON.parse(told.stdout)).toMatchObject({ notLookedAt, notes: [], problems: [] });
  const named = await netloom('diff', '-f', values, '--against', shop);
  expect([named.code, named.stdout]).toEqual([2, '']);
});

test('why: the verdict in one line, then each step', async () => {
  const denied = await netloom('why', 'shop/web', 'svc/shop/db', '-f', examples);
  expect(denied).toMatchObject({ code: 1, stderr: '' });
  expect(denied.stdout.split('\n')).toEqual([
    'denied: pod shop/web-0 (10.244.255.254, fd10:244::fffe) → pod shop/db (10.244.255.250, fd10:244::fffa), tcp/5432, IPv4 and IPv6',
    '  egress of pod shop/web-0  denied   isolated by NetworkPolicy shop/default-deny: no rule allows anything',
    '  Service shop/db           allowed  10.96.255.252:5432 (tcp) has one backend',
    '  ingress of pod shop/db    denied   isolated by NetworkPolicy shop/db-for-api, NetworkPolicy shop/default-deny: no rule takes this connection',
    '      nearest: NetworkPolicy shop/db-for-api spec.ingress[0]: labels of pod shop/web-0 are not selected',
    '',
    'note: Deployment shop/web: its pod shop/web-0',
    'note: addresses of pods that have none yet are made up',
    '',
  ]);
  const allowed = await netloom('why', 'shop/api', 'shop/db', 'tcp/sql', '-f', examples, '-o', 'json');
  expect(allowed.code).toBe(0);
  expect(JSON.parse(allowed.stdout)).toMatchObject({ verdict: 'allowed', paths: [{ families: [4, 6] }] });
});

test.each([
  [['shop/web', 'shop/nope', '-f', examples], 'netloom why: there is no pod shop/nope'],
  [['shop/web'], 'netloom why takes FROM TO [PROTO/PORT], or a URL, not "shop/web"'],
  [['shop/web', 'shop/db', '-f', '/nonexistent'], "/nonexistent can't be read"],
  [['shop/web', 'shop/db', '-f', examples, '--probe'], 'files have no pods to send from'],
  [['shop/web', 'shop/db', '-f', examples, '-o', 'xml'], '-o is one of text, json'],
])('why %j is wrong usage', async (words, message) => {
  const { code, stdout, stderr } = await netloom('why', ...words);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
});

test('diff: exit code 0 where nothing changes, 1 where something does', async () => {
  const same = await netloom('diff', '-f', isolate, '--against', examples);
  expect(same).toEqual({ code: 0, stdout: 'no connection opens or closes\n', stderr: '' });
  const closes = await netloom('diff', '-f', isolate, '--against', shop);
  expect(closes).toMatchObject({ code: 1, stderr: '' });
  expect(closes.stdout).toMatch(
    /^NO CLUSTER DNS ANY MORE\n {2}Deployment shop\/web \(IPv4 and IPv6\): isolated by/,
  );
  expect(closes.stdout).toMatch(/6 lines close, 0 lines open\n$/);
  const pruned = await netloom('diff', '-f', shop, '--against', examples, '--prune', '-o', 'json');
  expect(pruned.code).toBe(1);
  expect(JSON.parse(pruned.stdout)).toMatchObject({ closes: [], dns: [] });
});

test('diff: Markdown for a pull request, and what traffic used comes first', async () => {
  const seen = await file(
    'flows.jsonl',
    '{"from":"shop/web-0","to":"shop/db","protocol":"TCP","port":5432}\n\n',
  );
  const { stdout } = await netloom(
    'diff',
    '-f',
    isolate,
    '--against',
    shop,
    '--observed',
    seen,
    '-o',
    'markdown',
  );
  const lines = stdout.split('\n');
  expect(lines[0]).toBe('### Connections: 6 lines close, 0 lines open, 1 of them used by observed traffic');
  const rows = lines.filter((line) => line.startsWith('| '));
  expect(rows[2]).toMatch(/^\| Deployment shop\/web \| StatefulSet shop\/db \|.*\| \*\*1 connection\*\* \|$/);
});

test('diff: what is wrong with the files is told, and is exit code 2', async () => {
  const bad = await file(
    'bad.yaml',
    `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: bad, namespace: shop }
spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/99 } }] }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: other }
`,
  );
  const { code, stdout, stderr } = await netloom('diff', '-f', bad, '--against', shop);
  expect(code).toBe(2);
  expect(stderr).toContain('not looked at: 1 ConfigMap (v1)');
  expect(stderr).toContain('NetworkPolicy shop/bad: spec.ingress[0].from[0].ipBlock.cidr');
  expect(stdout).toContain('closes');
  const none = await file('none.yaml', 'kind: Pod\n');
  expect(await netloom('diff', '-f', none, '--against', shop)).toMatchObject({ code: 2, stdout: '' });
  const flows = await file('flows.jsonl', '{"from":"a"}\n');
  const observed = await netloom('diff', '-f', isolate, '--against', shop, '--observed', flows);
  expect(observed.stderr).toContain('flows.jsonl, line 1 is no connection');
  expect((await netloom('diff')).stderr).toContain('netloom diff needs -f FILE|DIR');
});

test('fields that are null, or not there at all, are no accident', async () => {
  const odd = await file(
    'odd.yaml',
    `
{ apiVersion: v1, kind: Service, metadata: { name: a, namespace: shop }, spec: null }
---
{ apiVersion: v1, kind: Service, metadata: { name: h, namespace: shop }, spec: { clusterIP: None, ports: null } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: bare, namespace: null, labels: null }, spec: { containers: [{ name: c, ports: null }] } }
---
{ apiVersion: apps/v1, kind: Deployment, metadata: { name: d }, spec: { template: { spec: { containers: [] } } } }
---
{ apiVersion: v1, kind: List, items: null }
---
{ apiVersion: v1, kind: Namespace, metadata: { name: x, labels: null, annotations: null } }
---
{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: n, namespace: shop } }
---
`,
  );
  const { code, stdout, stderr } = await netloom('diff', '-f', odd, '--against', shop);
  expect([code, stderr]).toEqual([1, '']);
  expect(stdout).toContain('NetworkPolicy shop/n');
});
