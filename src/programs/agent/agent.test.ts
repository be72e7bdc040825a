/** The agent as a process, between the lab's API server and a datapath of its own: what it does without a Node, and without the server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { namespaceType, nodeType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import type { IntentChange, SelfIntent } from '#intent/node.ts';
import { type Client, createClient } from '#kube/client.ts';
import { type LabServer, startLabServer } from '#kube/testing/labserver.ts';
import { eventually } from '#lab/eventually.ts';
import { systemNamespace } from '../node-lease.ts';

const crdType: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

let api: LabServer;
let client: Client;
let directory: string;
let datapath: Server;
let agent: ChildProcess;
let port: number;
let log = '';
const changes: IntentChange[] = [];

beforeAll(async () => {
  api = await startLabServer();
  client = createClient(api.config);
  const create = (type: ResourceType, object: object) => client.create(type, object as KubeObject);
  await create(namespaceType, { metadata: { name: systemNamespace } });
  for (const kind of kinds) await create(crdType, crdOf(kind));
  await eventually(() =>
    create(subnetKind, { metadata: { name: 'default' }, spec: { cidrs: ['10.244.0.0/16'] } }),
  );
  directory = mkdtempSync(join(tmpdir(), 'netloom-agent-'));
  datapath = await listenAsDatapath(join(directory, 'socket'));
  port = await freePort();
  const { server, ca, cert, key } = api.config;
  const encoded = (pem: string | undefined) => Buffer.from(pem ?? '').toString('base64');
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': encoded(ca) } }],
    users: [
      { name: 'u', user: { 'client-certificate-data': encoded(cert), 'client-key-data': encoded(key) } },
    ],
  };
  writeFileSync(join(directory, 'kubeconfig'), JSON.stringify(kubeconfig));
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
  agent = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...argv]);
  for (const stream of [agent.stdout, agent.stderr]) stream?.on('data', (data) => (log += String(data)));
}, 60_000);

afterAll(async () => {
  if (agent !== undefined && agent.exitCode === null) {
    agent.kill('SIGKILL');
    await once(agent, 'exit');
  }
  datapath?.closeAllConnections();
  datapath?.close();
  client?.close();
  await api?.close();
  if (directory !== undefined) rmSync(directory, { recursive: true });
});

const lastSelf = (): SelfIntent => {
  const found = changes.flatMap((change) => change.put.self?.['n1'] ?? []).at(-1);
  if (found === undefined) throw new Error(`nothing handed over\n${log}`);
  return found;
};
const ready = async (check: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}/readyz/${check}`)).text();

test('without a Node of its name it hands nothing over, and begins when there is one', async () => {
  await eventually(async () => expect(await ready('synced?verbose')).toContain('[+]synced ok'));
  expect(await ready('node')).toContain('there is no Node of this name');
  expect(changes).toEqual([]);
  const node = await client.create(nodeType, { metadata: { name: 'n1' } } as KubeObject);
  const addresses = [{ type: 'InternalIP', address: '192.168.66.11' }];
  await client.updateStatus(nodeType, { ...node, status: { addresses } } as KubeObject);
  await eventually(() => expect(lastSelf().blocks).toHaveLength(1));
  expect(changes[0]?.put.subnets).toHaveProperty('default');
  expect(await ready('node')).toBe('ok');
});

test('while the API server is away its lease runs out and nothing else changes; it recovers by itself', async () => {
  await eventually(() => expect(lastSelf().assignUntil).toBeGreaterThan(Date.now()));
  await api.kill();
  const { blocks } = lastSelf();
  await eventually(async () => expect(await ready('lease')).toContain('has run out'));
  expect(lastSelf().assignUntil).toBeLessThan(Date.now());
  expect(lastSelf().blocks).toEqual(blocks);
  await eventually(() => expect(log).toContain('the lease could not be renewed'));
  await api.start();
  await eventually(() => expect(lastSelf().assignUntil).toBeGreaterThan(Date.now()));
  expect(await ready('lease')).toBe('ok');
  expect(lastSelf().blocks).toEqual(blocks);
  expect(log.match(/the lease could not be renewed/g)).toHaveLength(1);
  expect(log).toContain('the lease can be renewed again');
});

/** A datapath that takes everything and has no pods. */
async function listenAsDatapath(path: string): Promise<Server> {
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
