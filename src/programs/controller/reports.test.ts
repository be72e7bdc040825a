/** The controller against the lab's API server: what a user reads of bad objects with kubectl, and that it goes when they are mended. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crdOf } from '#api/crd.ts';
import { kinds } from '#api/kinds.ts';
import { type Client, createClient } from '#kube/client.ts';
import { createRecorder, type Recorder } from '#kube/events.ts';
import { type Kubectl, openKubectl } from '#lab/apiserver/testing-kubectl.ts';
import { eventually } from '#lab/eventually.ts';
import { createLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { systemNamespace, usageAnnotation } from '../node-lease.ts';
import { type Caches, startCaches } from './caches.ts';
import { startController } from './controller.ts';

let kubectl: Kubectl;
let client: Client;
let caches: Caches;
let recorder: Recorder;
let running: Promise<void>;
const stop = new AbortController();
const lines: string[] = [];
const registry = createRegistry();

beforeAll(async () => {
  kubectl = await openKubectl();
  const { authority, admin } = kubectl.api.server.pki;
  client = createClient({
    server: kubectl.api.url,
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
  });
  for (const object of [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: systemNamespace } },
    ...kinds.map(crdOf),
  ]) {
    await good(object);
  }
  await kubectl.good('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s');
  const log = createLog({ write: (line) => lines.push(line) });
  caches = startCaches(client, log);
  recorder = createRecorder(client, { controller: 'netloom.dev/controller', instance: 'test', log });
  await Promise.all(Object.values(caches).map((cache) => cache.synced));
  const leaseTimes = { defaultDurationMs: 600_000, marginMs: 600_000 };
  running = startController({
    client,
    caches,
    recorder,
    registry,
    leaseTimes,
    externalIPs: true,
    log,
  }).lead(stop.signal);
}, 60_000);

afterAll(async () => {
  stop.abort();
  await running;
  for (const cache of Object.values(caches ?? {})) cache.stop();
  await recorder?.stop();
  client?.close();
  await kubectl?.close();
});

async function good(object: object): Promise<void> {
  const { code, err } = await kubectl.apply(object);
  if (code !== 0) throw new Error(err);
}

const describes = (what: readonly string[], text: string | RegExp) =>
  eventually(async () => {
    const page = await kubectl.good('describe', ...what);
    expect(page).toMatch(text);
    return page;
  });

const subnet = (name: string, cidr: string) => ({
  apiVersion: 'netloom.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name },
  spec: { cidrs: [cidr] },
});
const claim = (name: string, cidr: string, of: string) => ({
  apiVersion: 'netloom.dev/v1alpha1',
  kind: 'BlockClaim',
  metadata: { name },
  spec: { cidr, subnet: of, node: 'n1', nodeUID: 'u' },
});

test('a Service with an address that none can have says so once, and that it is over', async () => {
  const service = (externalIPs: readonly string[]) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { externalIPs, ports: [{ port: 80 }], selector: { app: 'web' } },
  });
  await good(service(['240.0.0.1']));
  await describes(['service', 'web'], /Warning\s+ForbiddenAddress .*spec\.externalIPs\[0\]: 240/);
  expect(registry.text()).toContain('netloom_problems{code="ForbiddenAddress",severity="error"} 1');
  await kubectl.good('label', 'service', 'web', 'touched=yes');
  await good(service([]));
  const page = await describes(
    ['service', 'web'],
    /Normal\s+ProblemOver .*spec\.externalIPs\[0\]: Forbidden/,
  );
  expect(page.match(/Warning\s+ForbiddenAddress/g)).toHaveLength(1);
  expect(lines.filter((line) => line.includes('problem="ForbiddenAddress"'))).toHaveLength(2);
  expect(registry.text()).toContain('netloom_problems{code="ForbiddenAddress",severity="error"} 0');
});

test('an endpoint on loopback is told of on its slice', async () => {
  await good({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'sly', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv6',
    endpoints: [{ addresses: ['::ffff:127.0.0.1'] }, { addresses: ['fd00::1'] }],
    ports: [{ port: 80 }],
  });
  await describes(['endpointslice', 'sly'], /Warning\s+ForbiddenAddress .*endpoints\[0\]/);
});

test('a Subnet that can not be served has a condition and an event with field and reason', async () => {
  await good(subnet('broken', '127.0.0.0/8'));
  const page = await describes(['subnet', 'broken'], /Warning\s+ReservedCIDR/);
  expect(page).toMatch(/Message:\s+spec\.cidrs\[0\]: 127\.0\.0\.0\/8 overlaps 127\.0\.0\.0\/8/);
  expect(page).toMatch(/Reason:\s+ReservedCIDR/);
});

test('a claim under a wrong name has conditions; a sound one has none', async () => {
  await good(subnet('default', '10.0.0.0/16'));
  await good({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
  });
  await kubectl.good(
    'patch',
    'node',
    'n1',
    '--subresource=status',
    '--type=merge',
    '-p',
    '{"status":{"addresses":[{"type":"InternalIP","address":"192.168.66.11"}]}}',
  );
  const uid = await kubectl.good('get', 'node', 'n1', '-o', 'jsonpath={.metadata.uid}');
  for (const [name, cidr] of [
    ['v4-10-0-0-0-26', '10.0.0.0/26'],
    ['mine', '10.0.0.64/26'],
  ] as const) {
    const object = claim(name, cidr, 'default');
    await good({ ...object, spec: { ...object.spec, nodeUID: uid } });
  }
  await describes(['blockclaim', 'mine'], /Warning\s+WrongName .*metadata\.name/);
  await eventually(async () => {
    const conditions = await kubectl.good('get', 'blockclaim', 'mine', '-o', 'jsonpath={.status.conditions}');
    expect(conditions).toContain('"reason":"WrongName","status":"False","type":"Ready"');
  });
  expect(
    await kubectl.good('get', 'blockclaim', 'v4-10-0-0-0-26', '-o', 'jsonpath={.status.conditions}'),
  ).toBe('');
  await kubectl.good('delete', 'blockclaim', 'mine');
});

test('kubectl shows what pods have, as nodes told with their leases', async () => {
  await good({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: 'node-n1',
      namespace: systemNamespace,
      annotations: { [usageAnnotation]: '{"default":[7,0,0]}' },
    },
    spec: { holderIdentity: 'n1' },
  });
  await eventually(async () => {
    const table = await kubectl.good('get', 'subnets');
    expect(table).toMatch(
      /^NAME +CIDRS +MODE +V4 USED +V4 AVAILABLE +V6 USED +V6 AVAILABLE +BLOCKS +READY +AGE/,
    );
    expect(table).toMatch(/^default +\["10\.0\.0\.0\/16"\] +overlay +7 +65527 +1 +True/m);
  }, 20_000);
  expect(registry.text()).toContain(
    'netloom_subnet_addresses{subnet="default",family="IPv4",state="used"} 7',
  );
  expect(await kubectl.good('get', 'blockclaims')).toMatch(/v4-10-0-0-0-26 +10\.0\.0\.0\/26 +default +n1 /);
});

test('a Subnet that moves away from its blocks names them; one that is deleted waits for them', async () => {
  await good(subnet('default', '10.9.0.0/16'));
  await describes(['subnet', 'default'], /Reason:\s+CIDRInUse/);
  await describes(['subnet', 'default'], /Warning\s+CIDRInUse .*v4-10-0-0-0-26 \(n1\)/);
  await good(subnet('default', '10.0.0.0/16'));
  await describes(['subnet', 'default'], /Reason:\s+Served/);
  await kubectl.good('delete', 'subnet', 'default', '--wait=false');
  const page = await describes(['subnet', 'default'], /Reason:\s+InUse/);
  expect(page).toMatch(/1 block held by n1/);
  await kubectl.good('delete', 'blockclaim', 'v4-10-0-0-0-26');
  await kubectl.good('wait', '--for=delete', 'subnet/default', '--timeout=20s');
});

test('a QoSPolicy says which pods it limits, follows them, and is told when it is wrong', async () => {
  const policy = (spec: object) => ({
    apiVersion: 'netloom.dev/v1alpha1',
    kind: 'QoSPolicy',
    metadata: { name: 'slow', namespace: 'default' },
    spec: { podSelector: { matchLabels: { app: 'slow' } }, ...spec },
  });
  const pod = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: 'slow' } },
    spec: { containers: [{ name: 'c', image: 'netloom/client' }] },
  });
  const refused = await kubectl.apply(policy({}));
  expect(refused.code).not.toBe(0);
  expect(refused.err).toContain('limits nothing; give spec.ingress or spec.egress');
  const line = () => kubectl.good('get', 'qospolicy', 'slow', '-o', 'wide');
  const shows = (columns: RegExp) => eventually(async () => expect(await line()).toMatch(columns));
  await good(policy({ ingress: { rate: '10M' } }));
  await shows(
    /INGRESS +EGRESS +PRIORITY +PODS +LIMITED +READY +REASON +AGE\nslow +10M +0 +0 +0 +True +NoPods /,
  );
  await good(pod('one'));
  await good(pod('two'));
  await shows(/slow +10M +0 +2 +2 +True +Limiting /);
  await describes(['qospolicy', 'slow'], /limits 2 pods: one, two/);
  await kubectl.good('annotate', 'pod', 'two', 'kubernetes.io/ingress-bandwidth=1M');
  await shows(/slow +10M +0 +2 +1 +True +PartlyOverruled /);
  await good(policy({ ingress: { rate: '10Mbit' } }));
  await shows(/slow +10Mbit +0 +0 +0 +False +InvalidRate /);
  await describes(
    ['qospolicy', 'slow'],
    /Warning\s+InvalidRate .*spec\.ingress\.rate: "10Mbit" is no quantity/,
  );
  await good(policy({ egress: { rate: '1M' } }));
  await describes(['qospolicy', 'slow'], /Normal\s+ProblemOver .*InvalidRate/);
});
