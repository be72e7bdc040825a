/** The journal against the lab's API server: what a process that was overtaken can no longer do, and what its successor waits for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { namespaceType, serviceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { isOlder } from '#kube/cache.ts';
import { type Client, createClient, isConflict } from '#kube/client.ts';
import { type TestServer, testServer } from '#lab/apiserver/testing.ts';
import { systemNamespace } from '../../node-lease.ts';
import { Superseded, takeOver } from './journal.ts';

let api: TestServer;
let client: Client;
const { signal } = new AbortController();
const unknown = () => undefined;

beforeAll(async () => {
  api = await testServer();
  const { authority, admin } = api.server.pki;
  client = createClient({
    server: api.url,
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
  });
  await client.create(namespaceType, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: systemNamespace },
  });
});

afterAll(async () => {
  client?.close();
  await api?.close();
});

async function service(name: string): Promise<string> {
  const made = await client.create<KubeObject>(serviceType, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  });
  return made.metadata.resourceVersion!;
}

const write = (name: string, resourceVersion: string) =>
  client.patch<KubeObject>(
    serviceType,
    { name, namespace: 'default', subresource: 'status' },
    {
      kind: 'merge',
      body: { metadata: { resourceVersion }, status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } } },
    },
  );

test('a write that was said and not yet made fails once another process took over, and so does the next word', async () => {
  const version = await service('late');
  const first = await takeOver(client, 'first', unknown, signal);
  await first.journal.begin(new Map([['default/late', version]]));
  await takeOver(client, 'second', () => version, signal);
  await expect(write('late', version)).rejects.toSatisfy(isConflict);
  await expect(first.journal.begin(new Map())).rejects.toThrow(Superseded);
});

test('a write that was made is known to the successor before it decides anything', async () => {
  const version = await service('done');
  const first = await takeOver(client, 'first', unknown, signal);
  await first.journal.begin(new Map([['default/done', version]]));
  const made = (await write('done', version)).metadata.resourceVersion!;
  const second = await takeOver(client, 'second', () => version, signal);
  expect(isOlder(second.position, made)).toBe(false);
});

test('also a write of an earlier batch, of which the journal says no more', async () => {
  const version = await service('earlier');
  const first = await takeOver(client, 'first', unknown, signal);
  await first.journal.begin(new Map([['default/earlier', version]]));
  const made = (await write('earlier', version)).metadata.resourceVersion!;
  first.journal.ended('default/earlier', made);
  await first.journal.begin(new Map());
  const second = await takeOver(client, 'second', unknown, signal);
  expect(isOlder(second.position, made)).toBe(false);
});

test('a Service that the cache knows to be younger than what was said is left alone', async () => {
  const version = await service('moved');
  const first = await takeOver(client, 'first', unknown, signal);
  await first.journal.begin(new Map([['default/moved', version]]));
  const body = { metadata: { labels: { a: 'b' } } };
  const moved = await client.patch<KubeObject>(
    serviceType,
    { name: 'moved', namespace: 'default' },
    { kind: 'merge', body },
  );
  await takeOver(client, 'second', () => moved.metadata.resourceVersion, signal);
  const after = await client.get<KubeObject>(serviceType, 'moved', 'default');
  expect(after.metadata.resourceVersion).toBe(moved.metadata.resourceVersion);
});
