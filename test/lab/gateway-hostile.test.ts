/** A namespace that means no good writes whatever it can think of; routes of others, on the same Gateway and on another one, know nothing of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { ApiError } from '#kube/client.ts';
import { eventually } from '#lab/eventually.ts';
import { hostileTenantObjects } from '../fuzz/hostile-tenants.ts';
import { resourceType } from './case-cluster.ts';
import { type Cluster, isLong, startCluster } from './cluster.ts';
import { hostileObjects } from './gateway-hostile.ts';
import type { PodObject } from './pods.ts';
import { type Flow, startTraffic } from './traffic.ts';

let cluster: Cluster;
const shared = '192.168.66.246';
const apart = '192.168.66.247';
const ofALB = '192.168.66.248';
const count = isLong ? 10_000 : 1_500;
const atOnce = 8;
const group = 'gateway.networking.k8s.io';
const seed = Number(process.env.NETLOOM_SEED ?? Date.now() % 1_000_000);

const object = (apiVersion: string, kind: string, name: string, namespace: string, rest: object) =>
  ({ apiVersion, kind, metadata: { name, namespace }, ...rest }) as KubeObject;
const api = (kind: string, name: string, namespace: string, spec: object) =>
  object(`${group}/v1`, kind, name, namespace, { spec });
const space = (name: string) =>
  ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { name } } }) as KubeObject;
const backend = (name: string, namespace: string) => [
  {
    ...object('v1', 'Pod', name, namespace, {
      spec: {
        containers: [{ name: 'main', image: 'netloom/echo', env: [{ name: 'POD_NAME', value: name }] }],
      },
    }),
    metadata: { name, namespace, labels: { app: name } },
  } as KubeObject,
  object('v1', 'Service', name, namespace, {
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  }),
];
const gateway = (name: string, namespace: string, address: string, listeners: readonly object[]) =>
  api('Gateway', name, namespace, {
    gatewayClassName: 'netloom',
    addresses: [{ type: 'IPAddress', value: address }],
    listeners,
  });
/** A load balancer that others share, with an Ingress of theirs that has a policy and a password. */
const balancer = (address: string): readonly KubeObject[] => [
  object('netloom.dev/v1alpha1', 'ALB', 'lb', 'infra', {
    spec: {
      network: { addresses: [address] },
      http: { port: 80 },
      ingressClass: { name: 'lb' },
      tenants: { selector: {} },
      quotas: { routes: 40 },
    },
  }),
  object('networking.k8s.io/v1', 'Ingress', 'shop', 'shop', {
    spec: {
      ingressClassName: 'lb',
      rules: [
        {
          host: 'ingress.example',
          http: {
            paths: [
              { path: '/', pathType: 'Prefix', backend: { service: { name: 'shop', port: { number: 80 } } } },
            ],
          },
        },
      ],
    },
  }),
  object('netloom.dev/v1alpha1', 'TrafficPolicy', 'shop', 'shop', {
    spec: {
      targetRefs: [{ group: 'networking.k8s.io', kind: 'Ingress', name: 'shop' }],
      maxBodySize: '8Mi',
    },
  }),
];
const route = (name: string, namespace: string, parent: object, hostname: string) =>
  api('HTTPRoute', name, namespace, {
    parentRefs: [parent],
    hostnames: [hostname],
    rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }],
  });
const from = (name: string) => ({
  namespaces: { from: 'Selector', selector: { matchLabels: { name } } },
});

beforeAll(async () => {
  cluster = await startCluster('gateway-hostile', { nodes: 1 });
  const metallb = (kind: string, spec: object) =>
    object('metallb.io/v1beta1', kind, 'gateways', 'metallb-system', { spec });
  await cluster.apply(...['metallb-system', 'infra', 'shop', 'evil'].map(space));
  await cluster.apply(
    metallb('IPAddressPool', { addresses: ['192.168.66.246-192.168.66.249'] }),
    metallb('L2Advertisement', { ipAddressPools: ['gateways'] }),
    ...backend('shop', 'shop'),
    ...backend('evil', 'evil'),
    gateway('shared', 'infra', shared, [
      { name: 'any', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } },
      { name: 'own', port: 80, protocol: 'HTTP', hostname: 'own.example', allowedRoutes: from('shop') },
    ]),
    ...balancer(ofALB),
    gateway('apart', 'shop', apart, [{ name: 'http', port: 80, protocol: 'HTTP' }]),
    route('own', 'shop', { name: 'shared', namespace: 'infra', sectionName: 'own' }, 'own.example'),
    route('beside', 'shop', { name: 'shared', namespace: 'infra', sectionName: 'any' }, 'beside.example'),
    route('apart', 'shop', { name: 'apart' }, 'apart.example'),
  );
  for (const { address, name } of asked)
    await eventually(async () => expect(await ask(address, name)).toMatch(/"pod": "shop"/), 90_000);
}, 300_000);
afterAll(() => cluster?.down());

const asked = [
  { address: shared, name: 'own.example' },
  { address: shared, name: 'beside.example' },
  { address: apart, name: 'apart.example' },
  { address: ofALB, name: 'ingress.example' },
];
/** All of an answer and of what the backend got that doesn't differ between any two requests. */
const ask = async (address: string, name: string): Promise<string> => {
  const argv = ['curl', '-sS', '-i', '-m', '5', '-H', `Host: ${name}`, `http://${address}/some/path?a=b`];
  const { code, stdout, stderr } = await cluster.lab.exec('outside', argv);
  if (code !== 0) throw new Error(stderr);
  return stdout.replaceAll(/^date: .*$|"(x-request-id|traceparent)": ".*|"port": \d+/gim, '');
};
/** Of nginx and its configuration: what must not change. In kB: what its pod and the controller take. */
const look = async () => {
  const all = (await cluster.client.list<PodObject>(podType, {})).items.filter(({ metadata }) =>
    /gateway|controller/.test(metadata.labels?.['app.kubernetes.io/component'] ?? ''),
  );
  const restarts = all.map(({ metadata, status }) => [
    metadata.uid,
    (status?.containerStatuses ?? []).map(({ name, restartCount }) => `${name} ${restartCount}`),
  ]);
  const script = `cat /opt/netloom/src/engines/nginx/*.conf | sha256sum
    for p in /proc/[0-9]*; do read -r c <$p/comm && [ "$c" = nginx ] && echo \${p#/proc/} $(cut -d' ' -f22 $p/stat); done`;
  const memory = `for p in /proc/[0-9]*; do sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' $p/status; done`;
  const nginx: string[] = [];
  const kilobytes: Record<string, number> = {};
  for (const { metadata, spec } of all) {
    const within = async (container: string, text: string) =>
      (
        await cluster.kubectl(
          'exec',
          '-n',
          metadata.namespace ?? '',
          metadata.name,
          '-c',
          container,
          '--',
          'sh',
          '-c',
          text,
        )
      ).stdout;
    for (const { name } of spec.containers ?? []) {
      if (name === 'nginx') nginx.push(`${metadata.name} ${await within(name, script)}`);
      const sizes = (await within(name, memory)).trim().split('\n').map(Number);
      kilobytes[`${metadata.name} ${name}`] = sizes.reduce((sum, each) => sum + each, 0);
    }
  }
  return { same: { restarts, nginx }, kilobytes };
};

test(
  `${count} objects (NETLOOM_SEED=${seed})`,
  async () => {
    const answers = () => Promise.all(asked.map(({ address, name }) => ask(address, name)));
    const before = await look();
    const answered = await answers();
    const flow = (id: string, rest: Omit<Flow, 'id' | 'kind' | 'port'>) => ({
      id,
      kind: 'kept' as const,
      port: 80,
      ...rest,
    });
    const traffic = await startTraffic(cluster.lab, { node: 'outside' }, [
      ...asked.map(({ address, name }) =>
        flow(name, { host: address, name, path: '/some/path', status: 200 }),
      ),
      // Whatever comes of these: patterns are tried on them.
      flow('evil', { host: shared, name: 'evil.example', path: `/${'a'.repeat(2000)}!` }),
      // Past everything: for as long as this has no answer the machine itself stood still.
      { id: 'still', kind: 'ping', host: '127.0.0.1', port: 0 },
    ]);
    const isOurs = (id: string) => id !== 'evil' && id !== 'still';
    await traffic.proceed(isOurs);

    const counts = { taken: 0, refused: 0, odd: new Map<string, number>() };
    const objects = hostileObjects({
      namespace: 'evil',
      gateway: { name: 'shared', namespace: 'infra' },
      hosts: ['own.example', 'apart.example'],
      count,
      seed,
    });
    const tenants = hostileTenantObjects({
      namespace: 'evil',
      ingressClass: 'lb',
      alb: { name: 'lb', namespace: 'infra' },
      gateway: { name: 'shared', namespace: 'infra' },
      hosts: ['own.example', 'apart.example', 'ingress.example'],
      count: Math.floor(count / 2),
      seed,
    });
    // The API server says when an object was made; and none of these makes instances, of which a node has room for few.
    const mixed = tenants
      .filter(({ kind }) => kind !== 'ALB' && kind !== 'ALB2' && kind !== 'Gateway')
      .map(({ metadata: { name, namespace, labels = {}, annotations = {} }, ...rest }) => ({
        ...rest,
        metadata: { name, namespace, labels, annotations },
      })) as readonly KubeObject[];
    const deadline = Date.now() + (isLong ? 400_000 : 240_000);
    // Of both from the first on: time may be short, and what was published is not to be what is left.
    const queue = objects.flatMap((each, at) => [...mixed.slice(at, at + 1), each]).values();
    const writer = async (): Promise<void> => {
      for (const body of queue) {
        if (Date.now() > deadline) return;
        const { name } = body.metadata;
        try {
          await cluster.client.patch(
            resourceType(body.kind ?? ''),
            { name, namespace: 'evil' },
            { kind: 'apply', body, fieldManager: 'evil', force: true },
          );
          counts.taken += 1;
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          counts.refused += 1;
          if (error.code !== 422 && error.code !== 400)
            counts.odd.set(`${body.kind} ${error.code} ${error.message}`.slice(0, 300), 1);
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, writer));
    await traffic.proceed(isOurs);
    expect(await answers()).toEqual(answered);

    const after = await look();
    console.info(
      JSON.stringify({
        ...counts,
        odd: [...counts.odd],
        before: before.kilobytes,
        after: after.kilobytes,
        gaps: [...traffic.gaps()],
      }),
    );
    expect(after.same).toEqual(before.same);
    expect(counts.odd).toEqual(new Map());
    expect(counts.taken).toBeGreaterThan((counts.taken + counts.refused) / 4);
    for (const [container, size] of Object.entries(after.kilobytes))
      expect(size, container).toBeLessThan(3 * (before.kilobytes[container] ?? 0) + 150_000);

    // What is right goes on being served.
    await cluster.client.patch(
      resourceType('HTTPRoute'),
      { name: 'beside', namespace: 'shop' },
      { kind: 'merge', body: { spec: { hostnames: ['beside.example', 'new.example'] } } },
    );
    await eventually(async () => expect(await ask(shared, 'new.example')).toMatch(/^HTTP\/1.1 200/), 20_000);
    await cluster.kubectl('delete', 'namespace', 'evil', '--wait=false');
    await traffic.proceed(isOurs);
    traffic.stop();
    expect(traffic.faults().filter((fault) => isOurs(fault.split(':')[0] ?? ''))).toEqual([]);
    const still = traffic.gaps().get('still') ?? 0;
    for (const [id, gap] of traffic.gaps()) if (isOurs(id)) expect(gap - still, id).toBeLessThan(4_000);
  },
  isLong ? 600_000 : 420_000,
);
