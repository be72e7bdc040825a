/** Many instances in one cluster: how soon all are ready, and what the controller takes for them. Their pods are made up, the API server is not. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { podType, serviceType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { gatewayClassKind } from '#api/kinds/gatewayclass.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import { kinds } from '#api/kinds.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import { type Client, createClient } from '#kube/client.ts';
import { testServer } from '#lab/apiserver/testing.ts';
import { eventually } from '#lab/eventually.ts';
import { type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { instanceComponent } from '#programs/controller/gateways/names.ts';
import { memoryOf } from './process-memory.ts';

const namespace = 'default';
const routesEach = 5;
const mega = 1e6;

export async function measureInstances({ quick, progress }: BenchOptions): Promise<Row[]> {
  const count = quick ? 50 : 200;
  const api = await testServer();
  const { authority, admin } = api.server.pki;
  const config = { server: api.url, ca: authority.certificate, cert: admin.certificate, key: admin.key };
  const client = createClient({ ...config, requestsPerSecond: 5_000, burst: 5_000 });
  let controller: ChildProcess | undefined;
  try {
    const crdType = {
      group: 'apiextensions.k8s.io',
      version: 'v1',
      kind: 'CustomResourceDefinition',
      plural: 'customresourcedefinitions',
      namespaced: false,
    };
    await Promise.all(kinds.map((kind) => client.create(crdType, crdOf(kind))));
    await Promise.all(kinds.map((kind) => eventually(() => client.list(kind))));
    await make(client, gatewayClassKind, 'netloom', { controllerName: 'netloom.dev/gateway' });
    controller = spawn(process.execPath, [fileURLToPath(new URL('tenants-controller.ts', import.meta.url))], {
      env: { ...process.env, NETLOOM_BENCH_API: JSON.stringify(config) },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const { pid } = controller;
    await grow(client, 0, 1);
    const first = await settled(pid);
    const started = performance.now();
    await grow(client, 1, count);
    const seconds = (performance.now() - started) / 1_000;
    const taken = await settled(pid);
    progress(
      `${count} instances: ready after ${seconds.toFixed(1)} s; the controller takes ${Math.round(taken / mega)} MB, ${Math.round(first / mega)} for one`,
    );
    return [
      row({
        name: 'memory of the controller for so many instances',
        size: count,
        unit: 'MB',
        value: taken / mega,
        against: { what: 'one instance', value: first / mega },
      }),
      row({
        name: 'from their creation until all are programmed',
        size: count,
        unit: 's',
        value: seconds,
        against: { what: 'instances', value: count },
      }),
    ];
  } finally {
    controller?.kill('SIGTERM');
    client.close();
    await api.close();
  }
}

/** Gateways with their routes, and what a cluster makes of them: a pod that is ready, an address of the Service. */
async function grow(client: Client, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, at) => from + at);
  const each = async (number: number): Promise<void> => {
    const name = `gw-${number}`;
    const listeners = [{ name: 'http', port: 80, protocol: 'HTTP' }];
    await make(client, gatewayKind, name, { gatewayClassName: 'netloom', listeners });
    for (let route = 0; route < routesEach; route++)
      await make(client, httpRouteKind, `${name}-${route}`, {
        parentRefs: [{ name }],
        hostnames: [`h${route}.example`],
        rules: [{ backendRefs: [{ name: 'none', port: 80 }] }],
      });
    const instance = `${name}-netloom`;
    await eventually(() => client.get(serviceType, instance, namespace), 60_000, 100);
    const labels = { ...instanceComponent, 'app.kubernetes.io/instance': instance };
    await client.create(podType, {
      ...object(podType, `${name}-pod`),
      metadata: { name: `${name}-pod`, namespace, labels },
      spec: { containers: [{ name: 'nginx', image: 'x' }] },
    });
    const podIP = `10.0.${number >> 8}.${number & 255}`;
    const conditions = [{ type: 'Ready', status: 'True' }];
    await state(client, podType, `${name}-pod`, { phase: 'Running', podIP, conditions });
    const ingress = [{ ip: `192.0.2.${(number % 250) + 1}` }];
    await state(client, serviceType, instance, { loadBalancer: { ingress } });
    await eventually(
      async () => {
        const { conditions: said = [] } = ((await client.get(gatewayKind, name, namespace))['status'] ??
          {}) as {
          readonly conditions?: readonly { readonly type: string; readonly status: string }[];
        };
        if (!said.some(({ type, status }) => type === 'Programmed' && status === 'True'))
          throw new Error(`${name} is not programmed: ${JSON.stringify(said)}`);
      },
      120_000,
      100,
    );
  };
  const queue = numbers.values();
  const worker = async (): Promise<void> => {
    for (const number of queue) await each(number);
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}

async function make(client: Client, type: ResourceType, name: string, spec: object): Promise<void> {
  await client.create(type, { ...object(type, name), spec });
}

function object(type: ResourceType, name: string): KubeObject {
  const metadata = type.namespaced ? { name, namespace } : { name };
  return { apiVersion: apiVersionOf(type), kind: type.kind, metadata };
}

async function state(client: Client, type: ResourceType, name: string, status: object): Promise<void> {
  await client.patch(type, { name, namespace, subresource: 'status' }, { kind: 'merge', body: { status } });
}

/** Bytes, once they are the same for a while. */
async function settled(pid: number | undefined): Promise<number> {
  const read = async () => memoryOf([await readFile(`/proc/${pid}/smaps`, 'utf8')]).proportional;
  let [last, same] = [await read(), 0];
  for (let second = 0; second < 30 && same < 4; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const now = await read();
    same = Math.abs(now - last) < mega ? same + 1 : 0;
    last = now;
  }
  return last;
}
