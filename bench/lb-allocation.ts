/** What it costs to give Services of type LoadBalancer their addresses: one after another, and all of them again after a restart. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { namespaceType, serviceType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { ipAddressPoolKind } from '#api/kinds/ipaddresspool.ts';
import { kinds } from '#api/kinds.ts';
import { apiVersionOf, type KubeObject } from '#api/object.ts';
import { createAllocationBook } from '#compile/loadbalancer/book.ts';
import { type Client, createClient } from '#kube/client.ts';
import { testServer } from '#lab/apiserver/testing.ts';
import { readAddressPool } from '#model/addresspool.ts';
import type { LoadBalancerModel } from '#model/loadbalancer.ts';
import { readLoadBalancer } from '#model/loadbalancerservice.ts';
import { formatAddr } from '#net/addr.ts';
import { type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median } from '#programs/cli/bench/statistics.ts';
import { systemNamespace } from '#programs/node-lease.ts';

const goals = { oneMs: 0.1, restartSeconds: 2 };
const namespace = 'default';

export async function measureAllocation({ quick, progress }: BenchOptions): Promise<Row[]> {
  const sizes = quick ? [1_000] : [1_000, 10_000];
  const rows: Row[] = [];
  for (const size of sizes) {
    const runs = quick ? 3 : 20;
    const ours = median(Array.from({ length: runs }, () => oneByOne(size)));
    const scan = median(Array.from({ length: quick ? 1 : 3 }, () => byScan(size)));
    progress(`${size} Services: ${(ours * 1000).toFixed(1)} µs each`);
    rows.push(
      row({
        name: 'allocation: one Service',
        size,
        value: ours,
        unit: 'ms',
        against: { what: 'looking at each address of the pool', value: scan },
        goal: { of: 'value', atMost: goals.oneMs },
      }),
    );
  }
  const size = sizes.at(-1)!;
  const { ready, listed } = await restart(size, quick ? 3 : 20, progress);
  rows.push(
    row({
      name: 'allocation: restart to ready',
      size,
      value: median(ready),
      unit: 's',
      against: { what: 'a process that lists the Services', value: median(listed) },
      goal: { of: 'value', atMost: goals.restartSeconds },
    }),
    row({
      name: 'allocation: restart to ready, worst',
      size,
      value: Math.max(...ready),
      unit: 's',
      against: { what: 'a process that lists the Services, worst', value: Math.max(...listed) },
      goal: { of: 'value', atMost: goals.restartSeconds },
    }),
  );
  return rows;
}

const poolObject: KubeObject = {
  apiVersion: apiVersionOf(ipAddressPoolKind),
  kind: ipAddressPoolKind.kind,
  metadata: { name: 'bench', namespace, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { addresses: ['10.128.0.0/16'] },
};
const pool = readAddressPool(poolObject as never).value!;
const addressOf = (index: number) =>
  formatAddr({ family: 4, value: (10n << 24n) + (128n << 16n) + BigInt(index) });

function serviceObject(index: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${index}`, namespace },
    spec: {
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      selector: { app: `s${index}` },
      ports: [{ port: 80 }],
    },
  };
}

function models(size: number): LoadBalancerModel[] {
  return Array.from({ length: size }, (_, index) => {
    const object = serviceObject(index);
    const metadata = { ...object.metadata, uid: `u${index}`, creationTimestamp: '2026-01-01T00:00:00Z' };
    const spec = { ...(object['spec'] as object), clusterIPs: ['10.96.0.1'] };
    return readLoadBalancer({ ...object, metadata, spec }, {}).value!;
  });
}

/** Milliseconds a Service, each settled before the next one comes. */
function oneByOne(size: number): number {
  const services = models(size);
  const book = createAllocationBook();
  book.setPools([pool]);
  const started = performance.now();
  for (const service of services) {
    book.setService(service.key, service);
    book.settle();
  }
  const milliseconds = performance.now() - started;
  if (book.get(services.at(-1)!.key)?.addresses.length !== 1) throw new Error('a Service has no address');
  return milliseconds / size;
}

/** The same by asking of each address in turn whether it is taken. */
function byScan(size: number): number {
  const taken = new Map<string, string>();
  const started = performance.now();
  for (let index = 0; index < size; index += 1) {
    for (let at = 0; ; at += 1) {
      const address = addressOf(at);
      if (taken.has(address)) continue;
      taken.set(address, `s${index}`);
      break;
    }
  }
  return (performance.now() - started) / size;
}

/** Seconds from a process' start, with all Services on an API server, until it would give the next address. */
async function restart(
  size: number,
  runs: number,
  progress: BenchOptions['progress'],
): Promise<{ readonly ready: number[]; readonly listed: number[] }> {
  const api = await testServer();
  const { authority, admin } = api.server.pki;
  const config = {
    server: api.url,
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
    requestsPerSecond: 100_000,
    burst: 100_000,
  };
  const client = createClient(config);
  const program = new URL('lb-restart.ts', import.meta.url).pathname;
  const child = async (what: 'list' | 'ready'): Promise<number> => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, what, JSON.stringify(config)]);
    return Number(stdout);
  };
  try {
    await fill(client, size);
    progress(`${size} Services with addresses on an API server`);
    const ready: number[] = [];
    const listed: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      listed.push(await child('list'));
      ready.push(await child('ready'));
    }
    return { ready, listed };
  } finally {
    client.close();
    await api.close();
  }
}

async function fill(client: Client, size: number): Promise<void> {
  const crd = {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    kind: 'CustomResourceDefinition',
    plural: 'customresourcedefinitions',
    namespaced: false,
  };
  for (const kind of kinds) await client.create(crd, crdOf(kind));
  await client.create(namespaceType, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: systemNamespace },
  });
  for (let tries = 0; ; tries += 1) {
    try {
      await client.create(ipAddressPoolKind, poolObject);
      break;
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const indexes = Array.from({ length: size }, (_, index) => index);
  const work = async (): Promise<void> => {
    for (let index = indexes.pop(); index !== undefined; index = indexes.pop()) {
      const { metadata } = await client.create(serviceType, serviceObject(index));
      const annotations = { 'metallb.io/ip-allocated-from-pool': 'bench' };
      const status = { loadBalancer: { ingress: [{ ip: addressOf(index), ipMode: 'VIP' }] } };
      const target = { name: metadata.name, namespace, subresource: 'status' };
      await client.patch(serviceType, target, { kind: 'merge', body: { metadata: { annotations }, status } });
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
}
