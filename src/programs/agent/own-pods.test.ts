/** The pods of a node against the lab's API server. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { type Client, createClient } from '#kube/client.ts';
import type { Change } from '#kube/informer.ts';
import { type LabServer, startLabServer } from '#kube/testing/labserver.ts';
import { eventually } from '#lab/eventually.ts';
import type { PodModel } from '#model/pod.ts';
import { silentLog } from '#telemetry/log.ts';
import { type OwnPods, startOwnPods } from './own-pods.ts';

let api: LabServer;
let client: Client;
let pods: OwnPods | undefined;

beforeAll(async () => {
  api = await startLabServer();
  client = createClient(api.config);
}, 60_000);

afterAll(async () => {
  pods?.stop();
  client?.close();
  await api?.close();
});

const create = (name: string, nodeName: string, annotations: Record<string, string> = {}) =>
  client.create(podType, {
    metadata: { namespace: 'default', name, labels: { app: name }, annotations },
    spec: { nodeName, containers: [{ name: 'c', image: 'netloom/client' }] },
  } as unknown as KubeObject);

test('holds the pods of its own node, and tells their annotations as they change', async () => {
  await create('here', 'n1', { tier: 'gold', 'kubectl.kubernetes.io/last-applied-configuration': '{}' });
  await create('there', 'n2');
  pods = startOwnPods(client, 'n1', silentLog);
  await pods.synced;
  const changes: Change<PodModel>[] = [];
  pods.onChange((change) => changes.push(change));
  expect(pods.list()).toMatchObject([{ namespace: 'default', name: 'here', labels: { app: 'here' } }]);
  expect(pods.get('default', 'here')?.annotations).toEqual({ tier: 'gold' });

  const path = { namespace: 'default', name: 'here' };
  const status = { kind: 'merge', body: { status: { message: 'is told to nobody' } } } as const;
  await client.patch(podType, { ...path, subresource: 'status' }, status);
  const body = { metadata: { annotations: { tier: 'silver' } } };
  await client.patch(podType, path, { kind: 'merge', body });
  await eventually(() => expect(changes.at(-1)?.new?.annotations).toEqual({ tier: 'silver' }));
  expect(changes).toHaveLength(2);
  await client.delete(podType, 'here', { namespace: 'default', gracePeriodSeconds: 0 });
  await eventually(() =>
    expect(changes.at(-1)).toMatchObject({ key: 'default/here', old: { name: 'here' } }),
  );
});
