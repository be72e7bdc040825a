/** Parts of a Gateway that die, routes that change and ports that come and go, under steady traffic that must not notice. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { podType } from '#api/core.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import type { KubeObject } from '#api/object.ts';
import { makeCertificate } from '#lab/apiserver/certificate.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';
import type { PodObject } from './pods.ts';
import { startTraffic, type Traffic } from './traffic.ts';

let cluster: Cluster;
const address = '192.168.66.245';

beforeAll(async () => {
  cluster = await startCluster('gateway-kills', { nodes: 2 });
  await cluster.applyExample('gateway-segment.yaml');
  const { code, stderr } = await cluster.kubectl(
    'wait',
    '--for=condition=Programmed',
    'gateway/web',
    '--timeout=90s',
  );
  if (code !== 0) throw new Error(stderr);
  await eventually(async () => expect(await codeOf('/hello')).toBe('200'));
}, 240_000);
afterAll(() => cluster?.down());

const curl = async (url: string, ...more: readonly string[]): Promise<string> => {
  const argv = ['curl', '-sS', '-m', '3', '-o', '/dev/null', '-w', '%{http_code}', ...more, url];
  return (await cluster.lab.exec('outside', argv)).stdout;
};
const codeOf = (path: string, port = 80) => curl(`http://${address}:${port}${path}`);
const killEverywhere = async (pattern: string): Promise<void> => {
  for (const node of await cluster.lab.nodes())
    await cluster.lab.exec(node, ['pkill', '-KILL', '-f', pattern]);
};
const on = async (script: string): Promise<string> => {
  const found = await Promise.all(
    (await cluster.lab.nodes()).map((node) => cluster.lab.exec(node, ['sh', '-c', script])),
  );
  return found.map(({ stdout }) => stdout).join('');
};
/** PIDs of nginx, its configuration, and how often its pod's containers were started again. */
const lookAtNginx = async () => {
  const [pod] = (
    await cluster.client.list<PodObject>(podType, { labelSelector: 'app.kubernetes.io/component=gateway' })
  ).items;
  const nginx = pod?.status?.containerStatuses?.find(({ name }) => name === 'nginx');
  return { uid: pod?.metadata.uid, restarts: nginx?.restartCount, pids: await on("pgrep -f '^nginx: '") };
};
/** Always has /hello, and one more. */
const setRoute = (more: string) => {
  const matches = ['/hello', more].map((value) => ({ path: { type: 'PathPrefix', value } }));
  return cluster.client.patch(
    httpRouteKind,
    { name: 'hello', namespace: 'default' },
    {
      kind: 'merge',
      body: { spec: { rules: [{ matches, backendRefs: [{ name: 'hello-gateway', port: 80 }] }] } },
    },
  );
};
const traffic = (): Promise<Traffic> => {
  const to = { host: address, port: 80, path: '/hello', status: 200 };
  return startTraffic(cluster.lab, { node: 'outside' }, [
    { id: 'new', kind: 'requests', ...to },
    { id: 'socket', kind: 'websocket', ...to },
    ...['a', 'b', 'c', 'd'].map((id) => ({ id: `kept ${id}`, kind: 'kept' as const, ...to })),
  ]);
};

test.each([
  ['the container that is told what to serve', '[p]rograms/gateway/main.ts'],
  ['the controller', '[p]rograms/controller/main.ts'],
])(
  'nobody misses %s',
  async (_, pattern) => {
    const flows = await traffic();
    await flows.proceed();
    const before = await lookAtNginx();
    for (let n = 0; n < 100; n += 1) {
      if (n % 50 === 20) await killEverywhere(pattern);
      await setRoute(`/n${n}`);
    }
    const last = `/after${pattern.length}`;
    await setRoute(last);
    await eventually(async () => expect(await codeOf(last)).toBe('200'), 60_000);
    await flows.proceed();
    flows.stop();
    expect(flows.faults()).toEqual([]);
    expect(await lookAtNginx()).toEqual(before);
  },
  180_000,
);

test('a worker of nginx takes along what it was busy with, and nothing after', async () => {
  const flows = await traffic();
  await flows.proceed();
  const killed = new Date(Date.now() - 50).toISOString();
  await on("pkill -KILL -o -f '^nginx: worker'");
  const isLater = new Date(Date.now() + 1_000).toISOString();
  await setRoute('/worker');
  await eventually(async () => expect(await codeOf('/worker')).toBe('200'));
  for (let n = 0; n < 40; n += 1) expect(await codeOf('/worker')).toBe('200');
  await flows.proceed((id) => id !== 'socket');
  flows.stop();
  // One at a time is under way on a kept connection; of the new ones one, or few on a busy machine.
  const faults = flows.faults();
  expect(faults.length).toBeLessThan(10);
  for (const fault of faults) {
    const at = /\d{4}-\S+Z/.exec(fault)?.[0] ?? '';
    expect(at > killed && at < isLater, fault).toBe(true);
  }
}, 60_000);

test('ports that come, become TLS as well, and go are a reload for nobody', async () => {
  const { certificate, key } = makeCertificate({
    use: 'server',
    commonName: 'web.example',
    names: ['web.example'],
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
  });
  const data = { 'tls.crt': certificate, 'tls.key': key };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web', namespace: 'default' } };
  await cluster.apply({
    ...secret,
    type: 'kubernetes.io/tls',
    data: Object.fromEntries(
      Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
    ),
  } as KubeObject);
  const http = { name: 'http', port: 80, protocol: 'HTTP' };
  const https = {
    name: 'https',
    port: 443,
    protocol: 'HTTPS',
    hostname: 'web.example',
    tls: { mode: 'Terminate', certificateRefs: [{ name: 'web' }] },
  };
  const pass = {
    name: 'pass',
    port: 443,
    protocol: 'TLS',
    hostname: 'pass.example',
    tls: { mode: 'Passthrough' },
  };
  const setListeners = (...listeners: readonly object[]) =>
    cluster.client.patch(
      gatewayKind,
      { name: 'web', namespace: 'default' },
      { kind: 'merge', body: { spec: { listeners } } },
    );
  const secure = () => curl('https://web.example/hello', '-k', '--resolve', `web.example:443:${address}`);
  const flows = await traffic();
  await flows.proceed();
  const before = await lookAtNginx();
  const extra = { name: 'extra', port: 8080, protocol: 'HTTP' };
  await setListeners(http, extra);
  await eventually(async () => expect(await codeOf('/hello', 8080)).toBe('200'));
  await setListeners(http, extra, https);
  await eventually(async () => expect(await secure()).toBe('200'));
  const secureFlow = await startTraffic(cluster.lab, { node: 'outside' }, [
    { id: 'extra', kind: 'kept', host: address, port: 8080, path: '/hello', status: 200 },
  ]);
  await secureFlow.proceed();
  // HTTPS alone, and beside names that are passed through: another socket of the pod.
  await setListeners(http, extra, https, pass);
  for (let n = 0; n < 40; n += 1) expect(await secure()).toBe('200');
  await setListeners(http, extra, https);
  for (let n = 0; n < 40; n += 1) expect(await secure()).toBe('200');
  await secureFlow.proceed();
  secureFlow.stop();
  expect(secureFlow.faults()).toEqual([]);
  await setListeners(http);
  await eventually(async () => expect(await codeOf('/hello', 8080)).toBe('000'));
  await flows.proceed();
  flows.stop();
  expect(flows.faults()).toEqual([]);
  expect(await lookAtNginx()).toEqual(before);
}, 180_000);
