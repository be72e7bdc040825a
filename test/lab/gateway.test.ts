/** A Gateway as a user has it: an address, requests from outside, edits, and what becomes of it when parts of it die. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { podType } from '#api/core.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { run as gatewayCommand } from '#programs/cli/gateway.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { askForPods } from './gateway-size.ts';
import type { PodObject } from './pods.ts';
import { startTraffic } from './traffic.ts';

let cluster: Cluster;
const address = '192.168.66.245';

beforeAll(async () => {
  cluster = await startCluster('gateway', { nodes: 2 });
  await cluster.applyExample('gateway-segment.yaml');
}, 180_000);
afterAll(() => cluster?.down());

const kubectl = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
};
type Answer = { readonly code: number; readonly body: string };
const ask = async (path: string, at = address): Promise<Answer> => {
  const url = `http://${at.includes(':') ? `[${at}]` : at}${path}`;
  const argv = ['curl', '-sS', '-m', '3', '-w', '\n%{http_code}', url];
  const { code, stdout, stderr } = await cluster.lab.exec('outside', argv);
  if (code !== 0) throw new Error(`outside asks ${url}: ${stderr}`);
  const end = stdout.lastIndexOf('\n');
  return { code: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
};
const answers = (path: string, code: number, timeoutMs = 20_000) =>
  eventually(async () => expect((await ask(path)).code).toBe(code), timeoutMs);
const pods = () => cluster.client.list(podType, { labelSelector: 'app.kubernetes.io/component=gateway' });
const setPath = (value: string) =>
  cluster.client.patch(
    httpRouteKind,
    { name: 'hello', namespace: 'default' },
    {
      kind: 'merge',
      body: {
        spec: {
          rules: [
            {
              matches: [{ path: { type: 'PathPrefix', value } }],
              backendRefs: [{ name: 'hello-gateway', port: 80 }],
            },
          ],
        },
      },
    },
  );

test('it gets an address, says so, and answers there in both families', async () => {
  await kubectl('wait', '--for=condition=Programmed', 'gateway/web', '--timeout=90s');
  const gateway = await cluster.client.get(gatewayKind, 'web', 'default');
  expect(gateway['status']).toMatchObject({
    addresses: [
      { type: 'IPAddress', value: address },
      { type: 'IPAddress', value: 'fd66::f5' },
    ],
    listeners: [{ name: 'http', attachedRoutes: 1 }],
  });
  await answers('/hello', 200);
  expect((await ask('/hello/there')).body).toContain('"pod": "hello-gateway');
  expect((await ask('/hellothere')).code).toBe(404);
  await eventually(async () => expect((await ask('/hello', 'fd66::f5')).code).toBe(200));
}, 120_000);

test('an edit of its route is served at once', async () => {
  await setPath('/moved');
  await answers('/moved', 200, 2_000);
  expect((await ask('/hello')).code).toBe(404);
  await setPath('/hello');
  await answers('/hello', 200, 2_000);
}, 60_000);

test('backends come and go', async () => {
  await kubectl('scale', 'deployment', 'hello-gateway', '--replicas=0');
  await answers('/hello', 503);
  await kubectl('scale', 'deployment', 'hello-gateway', '--replicas=2');
  await answers('/hello', 200);
}, 60_000);

test('netloom gateway says which endpoints do not answer their health checks', async () => {
  const said = async (): Promise<readonly string[]> => {
    const lines: string[] = [];
    const values = { name: cluster.name, output: 'json' };
    await gatewayCommand({
      values,
      operands: ['web'],
      out: (line) => lines.push(line),
      progress: (line) => lines.push(line),
    });
    const { gateways } = JSON.parse(lines.join('')) as { gateways: { problems: readonly string[] }[] };
    return gateways.flatMap(({ problems }) => problems);
  };
  expect(await said()).toEqual([]);
  await cluster.apply({
    apiVersion: 'netloom.dev/v1alpha1',
    kind: 'BackendPolicy',
    metadata: { name: 'checked', namespace: 'default' },
    spec: {
      targetRefs: [{ group: '', kind: 'Service', name: 'hello-gateway' }],
      healthCheck: { codes: [{ from: 500, to: 599 }], interval: '1s', timeout: '1s', unhealthy: 1 },
    },
  } as KubeObject);
  const [one] = (await cluster.client.list<PodObject>(podType, { labelSelector: 'app=hello-gateway' })).items;
  const words = `${one?.status?.podIPs?.[0]?.ip}:8080 does not answer its health check`;
  await eventually(async () => expect(await said()).toContainEqual(expect.stringContaining(words)), 30_000);
  // Where nobody is well, all are asked.
  expect((await ask('/hello')).code).toBe(200);
  await kubectl('delete', 'backendpolicy', 'checked');
  await eventually(async () => expect(await said()).toEqual([]), 30_000);
}, 120_000);

test('without the controller it keeps serving, also after its containers were started again', async () => {
  await kubectl('-n', 'netloom-system', 'scale', 'deployment', 'netloom-controller', '--replicas=0');
  await eventually(async () => {
    const { items } = await cluster.client.list(podType, {
      labelSelector: 'app.kubernetes.io/component=controller',
    });
    expect(items).toEqual([]);
  }, 30_000);
  for (let round = 0; round < 10; round += 1) {
    expect((await ask('/hello')).code).toBe(200);
    await sleep(100);
  }
  const [pod] = (await pods()).items;
  const name = pod?.metadata.name ?? '';
  for (const container of ['gateway', 'nginx']) {
    await cluster.kubectl('exec', name, '-c', container, '--', 'sh', '-c', 'kill -9 -1');
    await answers('/hello', 200);
  }
  await kubectl('-n', 'netloom-system', 'scale', 'deployment', 'netloom-controller', '--replicas=1');
  await setPath('/after');
  await answers('/after', 200, 60_000);
  await setPath('/hello');
  await answers('/hello', 200);
}, 180_000);

test('a pod that is deleted comes back with what it is to serve', async () => {
  const [before] = (await pods()).items;
  await kubectl('delete', 'pod', before?.metadata.name ?? '', '--wait=false');
  await eventually(async () => {
    const { items } = await pods();
    expect(items.some(({ metadata }) => metadata.uid !== before?.metadata.uid)).toBe(true);
  });
  await answers('/hello', 200, 60_000);
  await kubectl('wait', '--for=condition=Programmed', 'gateway/web', '--timeout=60s');
}, 120_000);

test('pods that end refuse no request', async () => {
  await setPath('/');
  await askForPods(cluster, 'web', 2);
  await eventually(async () => expect((await pods()).items).toHaveLength(2), 20_000);
  await kubectl('rollout', 'status', 'deployment/web-netloom', '--timeout=60s');
  const traffic = await startTraffic(cluster.lab, { node: 'outside' }, [
    { id: 'requests', kind: 'requests', host: address, port: 80 },
  ]);
  await traffic.proceed();
  const [first] = (await pods()).items;
  await kubectl('delete', 'pod', first?.metadata.name ?? '');
  await kubectl('rollout', 'status', 'deployment/web-netloom', '--timeout=60s');
  await kubectl('rollout', 'restart', 'deployment/web-netloom');
  await kubectl('rollout', 'status', 'deployment/web-netloom', '--timeout=90s');
  await eventually(async () => expect((await pods()).items).toHaveLength(2), 60_000);
  await traffic.proceed();
  traffic.stop();
  // The address moves between nodes here (externalTrafficPolicy Local): what is under way in that instant is cut, but nothing is refused.
  const cuts = traffic.faults().filter((fault) => /ECONNRESET|socket hang up/.test(fault));
  expect(traffic.faults().filter((fault) => !cuts.includes(fault))).toEqual([]);
  expect(cuts.length).toBeLessThanOrEqual(3);
}, 300_000);

test('nothing of it is left once it is deleted', async () => {
  await kubectl('delete', 'gateway', 'web');
  await eventually(async () => {
    const selector = 'gateway.networking.k8s.io/gateway-name=web';
    const kinds = 'deployments,services,secrets,serviceaccounts,pods';
    const left = await kubectl('get', kinds, '-l', selector, '-o', 'name');
    expect(left).toBe('');
  }, 90_000);
  const { status } = (await cluster.client.get(httpRouteKind, 'hello', 'default')) as {
    status?: { parents?: readonly { controllerName: string }[] };
  };
  expect(status?.parents ?? []).toEqual([]);
}, 120_000);
