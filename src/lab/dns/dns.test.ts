import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EndpointSlice, Service } from '../objects/service.ts';
import { openSandbox, type Sandbox } from '../sandbox.ts';
import { clusterRecords, dashed, type RecordSources, reverseName } from './records.ts';

const service = (name: string, spec: Record<string, unknown>): Service =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec }) as unknown as Service;

const web = service('web', {
  clusterIPs: ['10.96.1.1', 'fd10:96::1:1'],
  ports: [{ name: 'http', port: 80 }],
});
const db = service('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] });
const slice = (addresses: readonly string[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'db-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'db' } },
  addressType: 'IPv4',
  ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
  endpoints: addresses.map((address, index) => ({
    addresses: [address],
    conditions: { ready: index < 2 },
    ...(index === 0 ? { hostname: 'db-0' } : {}),
  })),
});
const sources: RecordSources = {
  services: [
    web,
    db,
    service('outside', { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' }),
  ],
  slices: [slice(['10.244.0.5', '10.244.0.6', '10.244.0.7'])],
  pods: [{ namespace: 'shop', addresses: ['10.244.0.5', 'fd10:244::5'] }],
  domain: 'cluster.local',
};

test('addresses become labels and reverse names', () => {
  expect(dashed('10.1.2.3')).toBe('10-1-2-3');
  expect(dashed('fd10::')).toBe('fd10--0');
  expect(dashed('::1')).toBe('0--1');
  expect(reverseName('10.1.2.3')).toBe('3.2.1.10.in-addr.arpa.');
  expect(reverseName('fd10:244::5')).toBe(
    '5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.4.2.0.0.1.d.f.ip6.arpa.',
  );
});

test('nothing but host names of a user gets into the records', () => {
  const evil = service('evil', { type: 'ExternalName', externalName: 'a.example\n* IN A 1.2.3.4' });
  const { aliases, zones } = clusterRecords({ ...sources, services: [evil] });
  expect(aliases).toEqual({});
  expect(JSON.stringify(zones)).not.toContain('1.2.3.4');
});

let box: Sandbox;
let resolver: ChildProcessWithoutNullStreams;
const publish = async (more: Partial<RecordSources>): Promise<void> => {
  resolver.stdin.write(`${JSON.stringify(clusterRecords({ ...sources, ...more }))}\n`);
  await once(resolver.stdout, 'data');
};
const dig = async (...query: readonly string[]): Promise<readonly string[]> => {
  const { stdout } = await box.exec(['dig', '@127.0.0.1', '+short', '+tries=1', '+time=5', ...query]);
  return stdout.trim().split('\n').toSorted();
};
const status = async (...query: readonly string[]): Promise<string | undefined> => {
  const { stdout } = await box.exec(['dig', '@127.0.0.1', '+tries=1', '+time=5', ...query]);
  return /status: (\w+)/.exec(stdout)?.[1];
};

beforeAll(async () => {
  box = await openSandbox();
  resolver = box.spawn(['/opt/node/bin/node', '/opt/netloom/src/lab/dns/testing.ts']);
  await publish({});
});
afterAll(async () => box?.close());

test('Services, endpoints and pods have their names', async () => {
  expect(await dig('web.shop.svc.cluster.local')).toEqual(['10.96.1.1']);
  expect(await dig('web.shop.svc.cluster.local', 'AAAA')).toEqual(['fd10:96::1:1']);
  expect(await dig('_http._tcp.web.shop.svc.cluster.local', 'SRV')).toEqual([
    '0 100 80 web.shop.svc.cluster.local.',
  ]);
  expect(await dig('-x', '10.96.1.1')).toEqual(['web.shop.svc.cluster.local.']);
  expect(await dig('-x', 'fd10:96::1:1')).toEqual(['web.shop.svc.cluster.local.']);
  expect(await dig('db.shop.svc.cluster.local')).toEqual(['10.244.0.5', '10.244.0.6']);
  expect(await dig('db-0.db.shop.svc.cluster.local')).toEqual(['10.244.0.5']);
  expect(await dig('10-244-0-6.db.shop.svc.cluster.local')).toEqual(['10.244.0.6']);
  expect(await dig('_sql._tcp.db.shop.svc.cluster.local', 'SRV')).toContain(
    '0 100 5432 db-0.db.shop.svc.cluster.local.',
  );
  expect(await dig('10-244-0-5.shop.pod.cluster.local')).toEqual(['10.244.0.5']);
  expect(await dig('fd10-244--5.shop.pod.cluster.local', 'AAAA')).toEqual(['fd10:244::5']);
});

test('an ExternalName is followed to its end', async () => {
  expect(await dig('outside.shop.svc.cluster.local')).toEqual(['10.96.1.1', 'web.shop.svc.cluster.local.']);
});

test('what does not exist is denied at once, in the cluster and, without an upstream, outside', async () => {
  expect(await status('nobody.shop.svc.cluster.local')).toBe('NXDOMAIN');
  expect(await status('db.shop.svc.cluster.local', 'AAAA')).toBe('NOERROR');
  expect(await status('www.example.org')).toBe('NXDOMAIN');
  expect(await status('-x', '10.244.0.99')).toBe('NXDOMAIN');
});

test('a change is answered at once, and by TCP as well', async () => {
  await publish({
    slices: [slice(['10.244.0.9'])],
    services: [db, service('fresh', { clusterIPs: ['10.96.1.2'] })],
  });
  expect(await dig('db.shop.svc.cluster.local')).toEqual(['10.244.0.9']);
  expect(await dig('+tcp', 'fresh.shop.svc.cluster.local')).toEqual(['10.96.1.2']);
  expect(await status('web.shop.svc.cluster.local')).toBe('NXDOMAIN');
  expect(await status('outside.shop.svc.cluster.local')).toBe('NXDOMAIN');
});
