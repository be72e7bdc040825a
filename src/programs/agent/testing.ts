/** The agent as a process, between the lab's API server and a datapath that takes everything and does nothing; for tests. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namespaceType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import type { EndpointStatus } from '#intent/handover.ts';
import type { IntentChange } from '#intent/node.ts';
import { sleep } from '#kube/backoff.ts';
import { type Client, createClient, isNotFound } from '#kube/client.ts';
import { type LabServer, startLabServer } from '#kube/testing/labserver.ts';
import { systemNamespace } from '../node-lease.ts';

export type TestedAgent = {
  readonly api: LabServer;
  readonly client: Client;
  /** What was handed over, in order. */
  readonly changes: readonly IntentChange[];
  /** Makes these the pods that the datapath has wired; none at first. */
  wire(...pods: readonly EndpointStatus['pod'][]): void;
  /** Its answer to /readyz/CHECK. */
  ready(check: string): Promise<string>;
  /** Its /metrics. */
  metrics(): Promise<string>;
  /** All that it wrote. */
  log(): string;
  close(): Promise<void>;
};

export const crdType: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** Of node n1, on a cluster with one Subnet and no Node yet, that has CRDs of `served`. Its lease lasts two seconds. */
export async function startAgent(served = kinds): Promise<TestedAgent> {
  const api = await startLabServer();
  const client = createClient(api.config);
  const create = (type: ResourceType, object: object) => client.create(type, object as KubeObject);
  await create(namespaceType, { metadata: { name: systemNamespace } });
  for (const kind of served) await create(crdType, crdOf(kind));
  await onceServed(() =>
    create(subnetKind, { metadata: { name: 'default' }, spec: { cidrs: ['10.244.0.0/16'] } }),
  );
  const directory = mkdtempSync(join(tmpdir(), 'netloom-agent-'));
  const changes: IntentChange[] = [];
  let wired: readonly EndpointStatus['pod'][] = [];
  const datapath = await listenAsDatapath(join(directory, 'socket'), changes, () => wired);
  const port = await freePort();
  writeFileSync(join(directory, 'kubeconfig'), kubeconfigOf(api));
  const flags = {
    node: 'n1',
    kubeconfig: join(directory, 'kubeconfig'),
    'datapath-socket': join(directory, 'socket'),
    'lease-seconds': '2',
    'lease-renew-seconds': '1',
    'metrics-address': '127.0.0.1',
    'metrics-port': String(port),
  };
  const argv = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const agent = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...argv]);
  let log = '';
  for (const stream of [agent.stdout, agent.stderr]) stream.on('data', (data) => (log += String(data)));
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  return {
    api,
    client,
    changes,
    wire(...pods) {
      wired = pods;
    },
    ready: (check) => get(`/readyz/${check}`),
    metrics: () => get('/metrics'),
    log: () => log,
    async close() {
      if (agent.exitCode === null) {
        agent.kill('SIGKILL');
        await once(agent, 'exit');
      }
      datapath.closeAllConnections();
      datapath.close();
      client.close();
      await api.close();
      rmSync(directory, { recursive: true });
    },
  };
}

/** A kind whose CRD was just made is not served at once. */
async function onceServed(create: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await create();
      return;
    } catch (error) {
      if (!isNotFound(error) || tries > 500) throw error;
    }
    await sleep(25);
  }
}

function kubeconfigOf(api: LabServer): string {
  const { server, ca, cert, key } = api.config;
  const encoded = (pem: string | undefined) => Buffer.from(pem ?? '').toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': encoded(ca) } }],
    users: [
      { name: 'u', user: { 'client-certificate-data': encoded(cert), 'client-key-data': encoded(key) } },
    ],
  });
}

async function listenAsDatapath(
  path: string,
  changes: IntentChange[],
  wired: () => readonly EndpointStatus['pod'][],
): Promise<Server> {
  let generation = 0;
  const server = createServer((request, response) => {
    const answer = (body: object) => response.end(JSON.stringify(body));
    let text = '';
    request.on('data', (part) => (text += String(part)));
    request.on('end', () => {
      if (request.method === 'POST') {
        const change = JSON.parse(text) as IntentChange;
        changes.push(change);
        generation = change.generation;
        return answer({ generation, problems: [] });
      }
      if (request.url === '/v1/endpoints') return answer(wired().map((pod) => ({ pod })));
      if (request.url?.startsWith('/v1/names')) {
        // Nothing is ever learnt: who waits for it waits.
        if (request.url.includes('wait=0')) answer({ instance: 'i', revision: 0, whole: true, names: {} });
        return undefined;
      }
      const status = { instance: 'i', revision: changes.length, generation, ready: generation > 0 };
      const lists = {
        blocks: [],
        strays: [],
        held: [],
        demand: [],
        tunnelAddresses: [],
        engines: [],
        wire: [],
        bgp: [],
      };
      setTimeout(() => answer({ ...status, ...lists }), 50);
      return undefined;
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as { port: number };
  server.close();
  return free;
}
