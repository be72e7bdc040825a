/** What a policy in audit mode would drop is an event on it, not too often. */
import { beforeEach, expect, it } from 'vitest';
import { namespaceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { networkPolicyType } from '#api/policies.ts';
import type { WouldDrop } from '#intent/handover.ts';
import { createClient } from '#kube/client.ts';
import { createRecorder, type EventInput, eventType } from '#kube/events.ts';
import { startLabServer } from '#kube/testing/labserver.ts';
import { silentLog } from '#telemetry/log.ts';
import { lookAt, tellOfAudit } from './audit-events.ts';

const minute = 60_000;
let now = Date.parse('2026-01-01T00:00:00Z');
let events: string[] = [];
let gone = false;
let tell: ReturnType<typeof tellOfAudit>;
const settled = () => new Promise((resolve) => setImmediate(resolve));

const flow = (port: number, some: Partial<WouldDrop> = {}): WouldDrop => ({
  policy: { kind: 'NetworkPolicy', namespace: 'shop', name: 'deny-all' },
  direction: 'ingress',
  pod: { address: '10.244.1.5', name: 'shop/web' },
  peer: { address: '10.244.2.7', name: 'shop/client' },
  protocol: 'tcp',
  port,
  at: new Date(now).toISOString(),
  times: 1,
  ...some,
});

beforeEach(() => {
  events = [];
  gone = false;
  const event = ({ reason, note, regarding }: EventInput) =>
    void events.push(
      `${regarding.apiVersion} ${regarding.kind} ${regarding.namespace} ${regarding.name} ${regarding.uid} ${reason}: ${note}`,
    );
  tell = tellOfAudit(
    { event },
    () => Promise.resolve(gone ? undefined : { uid: 'u1' }),
    (address) => (address === '10.244.2.9' ? 'shop/stranger' : undefined),
    () => now,
  );
});

it('tells of a policy once a minute at most, and of the same thing every five', async () => {
  const told = (port: number) =>
    `networking.k8s.io/v1 NetworkPolicy shop deny-all u1 WouldDrop: would drop tcp shop/client → shop/web:${port} (ingress of shop/web) by spec.podSelector; in audit mode it passes`;
  for (const [after, port] of [
    [0, 80],
    [minute / 2, 81],
    [minute / 2, 82],
    [minute, 82],
    [3 * minute, 82],
    [minute, 82],
  ] as const) {
    now += after;
    tell({ wouldDrop: [flow(port)] });
    tell({ wouldDrop: [flow(port)] });
  }
  await settled();
  expect(events).toEqual([told(80), told(82), told(82)]);
});

it('names the pod of an address that the datapath has no name for', async () => {
  const other = { kind: 'NetworkPolicy', namespace: 'shop', name: 'other' };
  tell({
    wouldDrop: [
      flow(80, { peer: { address: '10.244.2.9' } }),
      flow(80, { policy: other, peer: { address: '192.0.2.1' } }),
    ],
  });
  await settled();
  expect(events.join()).toContain('tcp shop/stranger → shop/web:80');
  expect(events.join()).toContain('tcp 192.0.2.1 → shop/web:80');
});

it('tells of each policy, with its rule, on the object of its kind', async () => {
  const rule = 'spec.egress[0] (web)';
  tell({
    wouldDrop: [
      flow(80, { policy: { kind: 'ClusterNetworkPolicy', name: 'no-web', rule }, direction: 'egress' }),
      flow(53, {
        policy: { kind: 'Namespace', name: 'shop', rule: 'metadata.annotations[netloom.dev/isolation]' },
      }),
    ],
  });
  await settled();
  expect(events).toHaveLength(2);
  expect(events[0]).toMatch(
    /^policy.networking.k8s.io\/v1alpha2 ClusterNetworkPolicy undefined no-web u1 .* by spec.egress\[0\] \(web\);/,
  );
  expect(events[1]).toMatch(/^v1 Namespace undefined shop u1 /);
});

it('is silent about what is old, has no policy any more, or is nothing', async () => {
  tell({});
  tell({ wouldDrop: [flow(80, { at: new Date(now - 3 * minute).toISOString() })] });
  const { policy: _, ...unknown } = flow(80);
  tell({ wouldDrop: [unknown] });
  gone = true;
  tell({ wouldDrop: [flow(80)] });
  await settled();
  expect(events).toEqual([]);
});

it('is found by its reason, and by the UID of a policy that is there', async () => {
  const api = await startLabServer();
  const client = createClient(api.config);
  try {
    await client.create(namespaceType, { metadata: { name: 'shop' } } as KubeObject);
    const metadata = { name: 'deny-all', namespace: 'shop' };
    const policy = await client.create(networkPolicyType, {
      metadata,
      spec: { podSelector: {} },
    } as unknown as KubeObject);
    const recorder = createRecorder(client, { controller: 'netloom.dev/agent', instance: 'n1' });
    const looks: Promise<unknown>[] = [];
    const look = lookAt(client, silentLog);
    const seen: typeof look = (type, origin) => {
      const found = look(type, origin);
      looks.push(found);
      return found;
    };
    const tellAPI = tellOfAudit(recorder, seen, () => undefined);
    const at = new Date().toISOString();
    const gonePolicy = { kind: 'NetworkPolicy', namespace: 'shop', name: 'gone' };
    tellAPI({ wouldDrop: [flow(80, { at }), flow(80, { at, policy: gonePolicy })] });
    await Promise.all(looks);
    await settled();
    await recorder.stop();
    const { items } = await client.list(eventType, { namespace: 'shop', fieldSelector: 'reason=WouldDrop' });
    expect(items).toMatchObject([{ regarding: { kind: 'NetworkPolicy', uid: policy.metadata.uid } }]);
  } finally {
    client.close();
    await api.close();
  }
});
