/** Pods of a Gateway that end on purpose (a rollout, a node that is drained) take no request with them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { podType } from '#api/core.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { askForPods } from './gateway-size.ts';
import type { PodObject } from './pods.ts';
import { startTraffic, type Traffic } from './traffic.ts';

let cluster: Cluster;
const address = '192.168.66.245';

beforeAll(async () => {
  cluster = await startCluster('gateway-end', { nodes: 3 });
  await cluster.applyExample('gateway-segment.yaml');
  await askForPods(cluster, 'web', 2);
  await kubectl('wait', '--for=condition=Programmed', 'gateway/web', '--timeout=90s');
  await bothReady();
  await eventually(async () => {
    const { code } = await cluster.lab.exec('outside', [
      'curl',
      '-sSf',
      '-m',
      '2',
      `http://${address}/hello`,
    ]);
    expect(code).toBe(0);
  });
}, 300_000);
afterAll(() => cluster?.down());

const kubectl = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
};
const pods = async () =>
  (await cluster.client.list<PodObject>(podType, { labelSelector: 'app.kubernetes.io/component=gateway' }))
    .items;
/** All that was before is gone, too. */
const bothReady = async () => {
  await eventually(async () => {
    const found = await pods();
    expect(found).toHaveLength(2);
    for (const { status } of found)
      expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  }, 150_000);
};
const traffic = (): Promise<Traffic> => {
  const to = { host: address, port: 80, path: '/hello', status: 200 };
  return startTraffic(cluster.lab, { node: 'outside' }, [
    { id: 'new', kind: 'requests', ...to },
    ...['a', 'b', 'c', 'd'].map((id) => ({ id: `kept ${id}`, kind: 'kept' as const, ...to })),
  ]);
};
/** Takes ten seconds: its pod may be told to end meanwhile. */
const longRequest = () =>
  cluster.lab.exec(
    'outside',
    [
      'curl',
      '-sS',
      '-m',
      '30',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      `http://${address}/hello?delay=10000`,
    ],
    { timeoutMs: 40_000 },
  );

test('a rollout', async () => {
  const flows = await traffic();
  await flows.proceed();
  const long = Promise.all([longRequest(), longRequest(), longRequest(), longRequest()]);
  await flows.proceed();
  await kubectl('rollout', 'restart', 'deployment/web-netloom');
  await kubectl('rollout', 'status', 'deployment/web-netloom', '--timeout=50s');
  expect((await long).map(({ stdout, stderr }) => stdout + stderr)).toEqual(['200', '200', '200', '200']);
  await bothReady();
  await flows.proceed();
  flows.stop();
  expect(flows.faults()).toEqual([]);
}, 300_000);

test('a node that is drained', async () => {
  const flows = await traffic();
  await flows.proceed();
  const node = (await pods())[0]?.spec.nodeName ?? '';
  const long = Promise.all([longRequest(), longRequest(), longRequest(), longRequest()]);
  await flows.proceed();
  await kubectl('cordon', node);
  const names = (await pods()).flatMap(({ spec, metadata }) =>
    spec.nodeName === node ? [metadata.name] : [],
  );
  for (const name of names) await kubectl('delete', 'pod', name, '--wait=false');
  expect((await long).map(({ stdout, stderr }) => stdout + stderr)).toEqual(['200', '200', '200', '200']);
  await bothReady();
  await flows.proceed();
  flows.stop();
  expect(flows.faults()).toEqual([]);
  await kubectl('uncordon', node);
}, 300_000);
