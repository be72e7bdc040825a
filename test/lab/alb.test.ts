/** ALBs end to end: one that two namespaces' Gateways share and a third may not use, and those that have addresses of nodes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeType } from '#api/core.ts';
import { albKind } from '#api/kinds/alb.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;
const address = '192.168.66.246';
const group = 'gateway.networking.k8s.io';
const tenants = ['shop', 'bank', 'else'] as const;

const object = (apiVersion: string, kind: string, namespace: string, name: string, rest: object) =>
  ({ apiVersion, kind, metadata: { name, namespace }, ...rest }) as KubeObject;
const api = (kind: string, namespace: string, name: string, spec: object) =>
  object(`${group}/v1`, kind, namespace, name, { spec });
const alb = (name: string, spec: object) =>
  object('netloom.dev/v1alpha1', 'ALB', 'infra', name, { spec: { https: { port: 0 }, ...spec } });
const toEdge = { group: 'netloom.dev', kind: 'ALB', namespace: 'infra', name: 'edge' };
const route = (namespace: string, name: string, parent: object, hostnames: readonly string[]) =>
  api('HTTPRoute', namespace, name, {
    parentRefs: [parent],
    hostnames,
    rules: [{ backendRefs: [{ name: 'echo', port: 80 }] }],
  });
const tenant = (namespace: string): readonly KubeObject[] => [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  {
    ...object('v1', 'Pod', namespace, 'echo', {}),
    metadata: { name: `echo-${namespace}`, namespace, labels: { app: 'echo' } },
    spec: { containers: [{ name: 'main', image: 'netloom/echo' }] },
  } as KubeObject,
  object('v1', 'Service', namespace, 'echo', {
    spec: { selector: { app: 'echo' }, ports: [{ port: 80, targetPort: 8080 }] },
  }),
];

beforeAll(async () => {
  cluster = await startCluster('alb', { nodes: 2 });
  const metallb = (kind: string, spec: object) =>
    object('metallb.io/v1beta1', kind, 'metallb-system', 'gateways', { spec });
  await cluster.apply(
    ...['metallb-system', 'infra'].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    })),
    ...tenants.flatMap(tenant),
  );
  await cluster.apply(
    metallb('IPAddressPool', { addresses: [`${address}/32`] }),
    metallb('L2Advertisement', { ipAddressPools: ['gateways'] }),
    alb('edge', {
      network: { addresses: [address] },
      tenants: { namespaces: ['shop', 'bank'], projects: ['late'] },
    }),
    {
      apiVersion: `${group}/v1`,
      kind: 'GatewayClass',
      metadata: { name: 'shared' },
      spec: { controllerName: 'netloom.dev/gateway', parametersRef: toEdge },
    } as KubeObject,
    ...tenants.map((namespace) =>
      api('Gateway', namespace, 'own', {
        gatewayClassName: 'shared',
        listeners: [{ name: 'http', port: 80, protocol: 'HTTP', hostname: `${namespace}.example` }],
      }),
    ),
    ...tenants.map((namespace) => route(namespace, 'own', { name: 'own' }, [])),
    ...tenants.map((namespace) => route(namespace, 'direct', toEdge, [`direct-${namespace}.example`])),
  );
}, 180_000);
afterAll(() => cluster?.down());

type Answer = { readonly code: number; readonly pod: string };
const ask = async (host: string, at: string): Promise<Answer> => {
  const argv = ['curl', '-sS', '-m', '3', '-w', '\n%{http_code}', '-H', `Host: ${host}`, `http://${at}/`];
  const { code, stdout, stderr } = await cluster.lab.exec('outside', argv);
  if (code !== 0) throw new Error(`outside asks ${host} at ${at}: ${stderr}`);
  const end = stdout.lastIndexOf('\n');
  const pod = /"pod": "([^"]*)"/.exec(stdout.slice(0, end))?.[1] ?? '';
  return { code: Number(stdout.slice(end + 1)), pod };
};
const answers = (host: string, at: string, wish: object) =>
  eventually(async () => expect(await ask(host, at)).toMatchObject(wish), 60_000);
type Status = {
  readonly conditions?: readonly { type: string; status: string; message: string }[];
  readonly addresses?: readonly { readonly value: string }[];
};
const condition = (status: unknown, type: string) =>
  ((status ?? {}) as Status).conditions?.find((each) => each.type === type);
const served = (name: string) =>
  eventually(async () => {
    const { status } = await cluster.client.get(albKind, name, 'infra');
    expect(condition(status, 'Programmed')).toMatchObject({ status: 'True' });
    return status as Status;
  }, 60_000);

test('Gateways of two namespaces and routes share it, each to its own backends', async () => {
  const { addresses } = await served('edge');
  expect(addresses?.map(({ value }) => value)).toContain(address);
  for (const namespace of ['shop', 'bank']) {
    await answers(`${namespace}.example`, address, { code: 200, pod: `echo-${namespace}` });
    await answers(`direct-${namespace}.example`, address, { code: 200, pod: `echo-${namespace}` });
    const { status } = await cluster.client.get(gatewayKind, 'own', namespace);
    expect(condition(status, 'Programmed')).toMatchObject({ status: 'True' });
    expect((status as Status).addresses?.map(({ value }) => value)).toContain(address);
  }
  const { stdout } = await cluster.kubectl('get', 'alb', '-n', 'infra', 'edge', '--no-headers');
  expect(stdout).toMatch(/^edge +192\.168\.66\.246 +\S+ +True +2 +2 /);
  const { stdout: deployments } = await cluster.kubectl('get', 'deploy', '-A', '-l', 'netloom.dev/alb');
  expect(deployments.trim().split('\n')).toHaveLength(2);
}, 120_000);

test('who is no tenant gets nothing, until it is one', async () => {
  const refused = await cluster.client.get(gatewayKind, 'own', 'else');
  expect(condition(refused['status'], 'Accepted')).toMatchObject({ status: 'False' });
  const { status } = await cluster.client.get(httpRouteKind, 'direct', 'else');
  expect(JSON.stringify(status)).toContain('ALB infra/edge takes nothing of namespace else');
  for (const host of ['else.example', 'direct-else.example'])
    expect((await ask(host, address)).code).toBe(404);
  await cluster.kubectl('label', 'namespace', 'else', 'cpaas.io/project=late');
  for (const host of ['else.example', 'direct-else.example'])
    await answers(host, address, { code: 200, pod: 'echo-else' });
  await cluster.kubectl('label', 'namespace', 'else', 'cpaas.io/project-');
  await answers('direct-else.example', address, { code: 404 });
  expect((await ask('shop.example', address)).code).toBe(200);
}, 120_000);

test('with HostNetwork it is at the addresses of its nodes; of two for one port the older has it', async () => {
  const { items } = await cluster.client.list(nodeType, {});
  const [first, second] = items.map(({ metadata }) => metadata.name);
  const addressOf = (name: string | undefined): string => {
    const node = items.find(({ metadata }) => metadata.name === name);
    const { addresses = [] } = (node?.['status'] ?? {}) as {
      addresses?: readonly { type: string; address: string }[];
    };
    return (
      addresses.find(({ type, address: each }) => type === 'InternalIP' && each.includes('.'))?.address ?? ''
    );
  };
  const onNode = (name: string, node: string | undefined, port: number) => [
    alb(name, {
      network: { mode: 'HostNetwork' },
      http: { port },
      nodeSelector: { 'kubernetes.io/hostname': node },
    }),
    object(`${group}/v1`, 'HTTPRoute', 'infra', name, {
      spec: {
        parentRefs: [{ group: 'netloom.dev', kind: 'ALB', name }],
        rules: [
          {
            filters: [
              { type: 'RequestRedirect', requestRedirect: { hostname: `${name}.example`, statusCode: 302 } },
            ],
          },
        ],
      },
    }),
  ];
  await cluster.apply(...onNode('one', first, 80), ...onNode('two', second, 80));
  await cluster.apply(...onNode('three', first, 8088));
  const named = async (name: string, at: string) =>
    eventually(async () => {
      const argv = ['curl', '-sS', '-m', '3', '-o', '/dev/null', '-w', '%{redirect_url}', `http://${at}/`];
      expect((await cluster.lab.exec('outside', argv)).stdout).toContain(`//${name}.example`);
    }, 60_000);
  await named('one', addressOf(first));
  await named('two', addressOf(second));
  await named('three', `${addressOf(first)}:8088`);
  await served('one');
  await cluster.apply(...onNode('late', first, 80));
  await eventually(async () => {
    const { status } = await cluster.client.get(albKind, 'late', 'infra');
    expect(condition(status, 'Programmed')?.message).toContain(
      `tcp/80 of node ${addressOf(first)} is ALB infra/one's, which is older`,
    );
  }, 60_000);
  await named('one', addressOf(first));
  await cluster.kubectl('delete', 'alb', '-n', 'infra', 'one');
  await named('late', addressOf(first));
}, 180_000);
