/** Files over a cluster: what the cluster alone knows stays, workloads change their pods, and what files lack is made up. */
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { readCluster } from './cluster.ts';
import { overlay } from './overlay.ts';
import { templatePods, workloadOf } from './workload.ts';

const labels = { app: 'web' };
const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web-5f4-a',
    namespace: 'shop',
    uid: 'u1',
    labels: { ...labels, 'pod-template-hash': '5f4' },
    ownerReferences: [
      { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5f4', uid: 'r', controller: true },
    ],
  },
  spec: { nodeName: 'n1', containers: [{ name: 'c' }] },
  status: { podIPs: [{ ip: '10.244.0.7' }] },
};
const service: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    clusterIPs: ['10.96.0.9'],
    selector: labels,
    ports: [{ name: 'http', port: 80, targetPort: 'http' }],
  },
};
const slice: KubeObject = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-x', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.244.0.7'] }],
  ports: [{ name: 'http', port: 8080 }],
};
const deployment = (replicas: number, port = 8080, name = 'web'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'shop' },
  spec: {
    replicas,
    template: {
      metadata: { labels: { app: name, tier: 'front' } },
      spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }] },
    },
  },
});

test('a pod of a Deployment belongs to it, one of another ReplicaSet to that', () => {
  expect(workloadOf(pod)).toEqual({ kind: 'Deployment', namespace: 'shop', name: 'web' });
  const { 'pod-template-hash': _, ...bare } = pod.metadata.labels ?? {};
  const alone = { ...pod, metadata: { ...pod.metadata, labels: bare } };
  expect(workloadOf(alone)).toEqual({ kind: 'ReplicaSet', namespace: 'shop', name: 'web-5f4' });
});

test('an applied Deployment changes its running pods, which keep name, address and node', () => {
  const { value } = overlay([pod, service, slice], [deployment(3, 9090)], 'apply');
  const { pods, slices } = readCluster(value).value;
  expect([...pods.keys()]).toEqual(['shop/web-5f4-a']);
  expect(pods.get('shop/web-5f4-a')).toMatchObject({
    labels: { app: 'web', tier: 'front', 'pod-template-hash': '5f4' },
    addresses: ['10.244.0.7'],
    node: 'n1',
    namedPorts: [{ name: 'http', protocol: 'tcp', port: 9090 }],
  });
  // What the Service's name for the port means has changed with them.
  expect([...slices.values()].map(({ ports }) => ports[0]?.port)).toEqual([9090]);
});

test('a new Deployment stands for pods with made-up addresses, one, or two of many', () => {
  const read = (replicas: number) => {
    const { value } = readCluster(overlay([pod], [deployment(replicas, 1, 'api')], 'apply').value);
    return { keys: [...value.pods.keys()].slice(1), value };
  };
  expect(read(1).keys).toEqual(['shop/api']);
  expect(read(0).keys).toEqual([]);
  const { keys, value } = read(9);
  expect(keys).toEqual(['shop/api-0', 'shop/api-1']);
  const addresses = keys.flatMap((key) => value.pods.get(key)?.addresses ?? []);
  expect(new Set(addresses).size).toBe(4);
  expect(addresses.every((address) => value.invented.has(address))).toBe(true);
});

test('what is applied keeps what the API server gave it; what is deleted goes with its pods', () => {
  const { clusterIPs: _, ...spec } = service['spec'] as Record<string, unknown>;
  const applied = overlay([service], [{ ...service, spec: { ...spec, type: 'NodePort' } }], 'apply').value;
  expect(applied[0]?.['spec']).toMatchObject({ clusterIPs: ['10.96.0.9'], type: 'NodePort' });
  expect(overlay([pod, service], [deployment(1)], 'delete').value).toEqual([service]);
  const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
  expect(overlay([pod, service, namespace], [namespace], 'delete').value).toEqual([]);
});

test('node ports stay, or are made up', () => {
  const type = 'NodePort';
  const bare = (name: string) => ({ ...service, metadata: { ...service.metadata, name } });
  const spec = service['spec'] as object;
  const live = { ...service, spec: { ...spec, type, ports: [{ port: 80, nodePort: 30080 }] } };
  const file = (name: string): KubeObject => ({ ...bare(name), spec: { type, ports: [{ port: 80 }] } });
  const { services } = readCluster(overlay([live], [file('web'), file('new')], 'apply').value).value;
  expect([...services.values()].map(({ ports }) => ports[0]?.nodePort)).toEqual([30_080, 32_767]);
});

test('labels and annotations of others stay, those that were applied before and are gone go', () => {
  const last = JSON.stringify({ metadata: { labels: { mine: '1', gone: '1' } } });
  const live: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: 'shop',
      uid: 'u',
      labels: { mine: '1', gone: '1', theirs: '1' },
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': last,
        'netloom.dev/isolation': 'namespace',
      },
    },
  };
  const file: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', labels: { mine: '2' } },
  };
  const [applied] = overlay([live], [file], 'apply').value;
  const name = { 'kubernetes.io/metadata.name': 'shop' };
  expect(applied?.metadata.labels).toEqual({ mine: '2', theirs: '1', ...name });
  expect(applied?.metadata.annotations).toMatchObject({ 'netloom.dev/isolation': 'namespace' });
  const { uid: _, ...ofFile } = live.metadata;
  const [again] = overlay([{ ...live, metadata: ofFile }], [file], 'apply').value;
  expect(again?.metadata.labels).toEqual({ mine: '2', ...name });
  expect(again?.metadata.annotations).toBeUndefined();
});

test('pods get addresses of the Subnet of their namespace, and of the families of nodes', () => {
  const node = (address: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    status: { addresses: [{ type: 'InternalIP', address }] },
  });
  const subnet: KubeObject = {
    apiVersion: 'netloom.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name: 'shop' },
    spec: { cidrs: ['10.9.0.0/24', 'fd09::/64'], namespaces: ['shop'] },
  };
  const at = (objects: readonly KubeObject[]) =>
    readCluster(overlay(objects, [deployment(1, 1, 'api')], 'apply').value).value.pods.get('shop/api')
      ?.addresses;
  expect(at([subnet])).toEqual(['10.9.0.254', 'fd09::ffff:ffff:ffff:fffe']);
  expect(at([subnet, node('192.168.0.1')])).toEqual(['10.9.0.254']);
  expect(at([node('fd66::1')])).toEqual(['fd10:244::fffe']);
});

test('a workload without a template is told, and a file without a namespace means default', () => {
  const bad: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, spec: {} };
  const { problems } = overlay([], [bad], 'apply');
  expect(problems).toMatchObject([{ field: 'spec.template', code: 'Required' }]);
  expect(templatePods({ ...deployment(1), metadata: { name: 'w' } }).value?.[0]?.metadata.namespace).toBe(
    'default',
  );
});

test('policyTypes that the API server filled in stay, as kubectl apply leaves them', () => {
  const ofFile = { name: 'b', namespace: 'x' };
  const written = { podSelector: {}, ingress: [{}] };
  const policy = (metadata: object, spec: object) =>
    ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec }) as KubeObject;
  const live = (applied: object) =>
    policy(
      {
        ...ofFile,
        uid: 'u',
        annotations: {
          'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(policy(ofFile, applied)),
        },
      },
      { ...written, policyTypes: ['Ingress'] },
    );
  const file = policy(ofFile, { ...written, egress: [{}] });
  const kept = overlay([live(written)], [file], 'apply');
  expect(kept.value[0]?.['spec']).toMatchObject({ egress: [{}], policyTypes: ['Ingress'] });
  expect(kept.notes).toEqual([
    expect.stringMatching(/^NetworkPolicy x\/b: spec.policyTypes stays \[Ingress\]/),
  ]);
  // What the file had before goes with it, and what it has counts.
  const typesOf = (before: KubeObject, after: KubeObject) => {
    const { value, notes } = overlay([before], [after], 'apply');
    return [(value[0]?.['spec'] as { policyTypes?: unknown } | undefined)?.policyTypes, notes];
  };
  expect(typesOf(live({ ...written, policyTypes: ['Ingress'] }), file)).toEqual([undefined, []]);
  expect(typesOf(policy(ofFile, { ...written, policyTypes: ['Ingress'] }), file)).toEqual([undefined, []]);
  expect(typesOf(live(written), policy(ofFile, { policyTypes: ['Egress'] }))).toEqual([['Egress'], []]);
  expect(typesOf(live(written), policy(ofFile, written))).toEqual([['Ingress'], []]);
});
