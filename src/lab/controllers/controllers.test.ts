import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { openTestLab, type TestLab } from '../kubelet/testlab.ts';
import type { Pod } from '../objects/pod.ts';
import type { EndpointSlice } from '../objects/service.ts';

let lab: TestLab;

beforeAll(async () => {
  lab = await openTestLab(['node1', 'node2']);
  lab.connect('node1');
  lab.connect('node2');
  await eventually(() =>
    lab.say(['wait', '--for=condition=Ready', 'node/node1', 'node/node2', '--timeout=20s']),
  );
}, 180_000);
afterAll(async () => lab?.close(), 30_000);

const template = (
  app: string,
  container: Record<string, unknown> = {},
  spec: Record<string, unknown> = {},
): object => ({
  metadata: { labels: { app } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'netloom/client', ...container }],
    ...spec,
  },
});
const workload = (kind: string, name: string, spec: Record<string, unknown>): object => ({
  apiVersion: kind === 'Job' ? 'batch/v1' : 'apps/v1',
  kind,
  metadata: { name, namespace: 'default' },
  spec: { ...(kind === 'Job' ? {} : { selector: { matchLabels: { app: name } } }), ...spec },
});
const pods = async (app: string): Promise<readonly Pod[]> => {
  const list = JSON.parse(await lab.say(['get', 'pods', '-l', `app=${app}`, '-o', 'json'])) as {
    readonly items: readonly Pod[];
  };
  return list.items;
};
const rolledOut = (what: string): Promise<string> => lab.say(['rollout', 'status', what, '--timeout=40s']);

describe('workloads on two nodes', () => {
  test('a Deployment is spread, updated and rolled back, and its Service follows', async () => {
    const deployment = (version: string): object =>
      workload('Deployment', 'web', {
        replicas: 4,
        template: template('web', { env: [{ name: 'VERSION', value: version }] }),
      });
    await lab.apply(deployment('1'), {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        selector: { app: 'web' },
        ipFamilyPolicy: 'RequireDualStack',
        ports: [{ port: 80, targetPort: 8080 }],
      },
    });
    expect(await rolledOut('deployment/web')).toContain('successfully rolled out');
    const first = await pods('web');
    expect(first.map(({ spec }) => spec.nodeName ?? '').toSorted()).toEqual([
      'node1',
      'node1',
      'node2',
      'node2',
    ]);
    const backends = async (): Promise<readonly string[]> => {
      const text = await lab.say([
        'get',
        'endpointslices',
        '-l',
        'kubernetes.io/service-name=web',
        '-o',
        'json',
      ]);
      const { items } = JSON.parse(text) as { readonly items: readonly EndpointSlice[] };
      return items.flatMap(({ endpoints }) =>
        (endpoints ?? []).filter(({ conditions }) => conditions?.ready).flatMap(({ addresses }) => addresses),
      );
    };
    const addresses = (list: readonly Pod[]) =>
      list.flatMap(({ status }) => status?.podIPs?.map(({ ip }) => ip) ?? []);
    await eventually(async () => expect((await backends()).toSorted()).toEqual(addresses(first).toSorted()));
    await lab.apply(deployment('2'));
    expect(await rolledOut('deployment/web')).toContain('successfully rolled out');
    await eventually(async () => {
      const now = await pods('web');
      expect(now).toHaveLength(4);
      expect(now.every(({ spec }) => spec.containers[0]?.env?.[0]?.value === '2')).toBe(true);
      expect((await backends()).toSorted()).toEqual(addresses(now).toSorted());
    });
    await lab.say(['rollout', 'undo', 'deployment/web']);
    await rolledOut('deployment/web');
    expect(
      (await pods('web')).filter(({ metadata }) => metadata.deletionTimestamp === undefined)[0]?.spec
        .containers[0]?.env?.[0]?.value,
    ).toBe('1');
    await lab.say(['scale', 'deployment/web', '--replicas=0']);
    await eventually(async () => {
      expect(await pods('web')).toHaveLength(0);
      expect(await backends()).toEqual([]);
    });
  });

  test('a StatefulSet starts in order and keeps its names', async () => {
    await lab.apply(
      workload('StatefulSet', 'db', { replicas: 3, serviceName: 'db', template: template('db') }),
    );
    await rolledOut('statefulset/db');
    const made = await pods('db');
    expect(made.map(({ metadata }) => metadata.name)).toEqual(['db-0', 'db-1', 'db-2']);
    const starts = made.map(({ metadata }) => Number(metadata.creationTimestamp?.replaceAll(/\D/g, '')));
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(await lab.say(['exec', 'db-1', '--', 'hostname'])).toBe('db-1\n');
    await lab.say(['delete', 'pod', 'db-1']);
    await rolledOut('statefulset/db');
    await eventually(async () =>
      expect((await pods('db')).map(({ metadata }) => metadata.name)).toEqual(['db-0', 'db-1', 'db-2']),
    );
    await lab.say(['delete', 'statefulset', 'db']);
    await eventually(async () => expect(await pods('db')).toHaveLength(0));
  });

  test('a DaemonSet is on every node, also on the network of the node', async () => {
    await lab.apply(
      workload('DaemonSet', 'agent', { template: template('agent', {}, { hostNetwork: true }) }),
    );
    await rolledOut('daemonset/agent');
    const made = await pods('agent');
    expect(made.map(({ spec, status }) => `${spec.nodeName} ${status?.podIP}`).toSorted()).toEqual([
      'node1 192.168.66.11',
      'node2 192.168.66.12',
    ]);
    await lab.say(['delete', 'daemonset', 'agent']);
  });

  test('a Job runs to its end', async () => {
    await lab.apply(
      workload('Job', 'sum', {
        completions: 2,
        parallelism: 2,
        template: template('sum', { command: ['sh', '-c', 'echo $((6*7))'] }, { restartPolicy: 'Never' }),
      }),
    );
    await lab.say(['wait', '--for=condition=Complete', 'job/sum', '--timeout=30s']);
    expect(await lab.say(['logs', '-l', 'app=sum'])).toBe('42\n42\n');
  });

  test('the echo image answers on all its ports', async () => {
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'echo', namespace: 'default' },
      spec: {
        nodeName: 'node1',
        containers: [
          {
            name: 'main',
            image: 'netloom/echo:1.0',
            readinessProbe: { httpGet: { port: 8080, path: '/ready' }, periodSeconds: 1 },
          },
        ],
      },
    });
    await lab.say(['wait', '--for=condition=Ready', 'pod/echo', '--timeout=30s']);
    const { podIP = '' } =
      (JSON.parse(await lab.say(['get', 'pod', 'echo', '-o', 'json'])) as Pod).status ?? {};
    const http = await lab.onNode('node1', [
      'curl',
      '-s',
      '-d',
      'hello',
      `http://${podIP}:8080/path?status=418`,
    ]);
    expect(JSON.parse(http.stdout)).toMatchObject({
      pod: 'echo',
      method: 'POST',
      body: 'hello',
      path: '/path?status=418',
      remote: { address: '10.244.0.1' },
    });
    const tcp = await lab.onNode('node1', ['sh', '-c', `echo back | nc -N ${podIP} 8081`]);
    expect(tcp.stdout).toMatch(/^echo 10\.244\.0\.1 \d+\nback\n$/);
    const udp = await lab.onNode('node1', ['sh', '-c', `printf ping | nc -u -w1 ${podIP} 8082`]);
    expect(udp.stdout).toMatch(/^echo 10\.244\.0\.1 \d+\nping$/);
    const frame = '\\000\\000\\000\\000\\003abc';
    const grpc = await lab.onNode('node1', [
      'sh',
      '-c',
      `printf '${frame}' | curl -s -D - --http2-prior-knowledge -H 'content-type: application/grpc' --data-binary @- http://${podIP}:8083/any.Service/Method`,
    ]);
    expect(grpc.stdout).toContain('\u0003abc');
    expect(grpc.stdout).toContain('grpc-status: 0');
  });

  test('a pod of a deleted node goes, and a lost container comes back', async () => {
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'doomed', namespace: 'default' },
      spec: { nodeName: 'node2', containers: [{ name: 'main', image: 'netloom/client' }] },
    });
    await lab.say(['wait', '--for=condition=Ready', 'pod/doomed', '--timeout=30s']);
    await lab.say(['delete', 'node', 'node2']);
    await eventually(async () =>
      expect((await lab.kubectl(['get', 'pod', 'doomed'])).stderr).toContain('NotFound'),
    );
    await eventually(async () => expect((await lab.onNode('node2', ['crun', 'list', '-q'])).stdout).toBe(''));
  });
}, 120_000);
