/** A cluster of many namespaces with three NetworkPolicies each, as objects of the API; pure. */
import type { Namespace } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { NetworkPolicy } from '#api/policies.ts';

export type TenantShape = {
  readonly namespaces: number;
  /** Half of them serve, half of them ask. */
  readonly podsEach: number;
  readonly podsPerNode: number;
};

export const policiesEach = 3;

const apps = ['web', 'client'] as const;

/** Pods go around the nodes (`node0`, `node1` and so on), so that each has pods of as many namespaces as it can. */
export function* tenantPods(shape: TenantShape): Generator<KubeObject> {
  for (let index = 0; index < shape.namespaces * shape.podsEach; index++) yield tenantPod(index, shape);
}

export function tenantPod(
  index: number,
  { namespaces, podsEach, podsPerNode }: TenantShape,
  labels: Readonly<Record<string, string>> = {},
): KubeObject {
  const nodes = Math.ceil((namespaces * podsEach) / podsPerNode);
  const slot = Math.floor(index / namespaces);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${slot}`,
      namespace: tenantName(index % namespaces),
      uid: `uid-${index}`,
      labels: { app: apps[slot % apps.length]!, 'pod-template-hash': `${slot}`, ...labels },
    },
    spec: { nodeName: `node${index % nodes}`, containers: [{ name: 'main', ports: [] }] },
    status: {
      phase: 'Running',
      podIPs: [{ ip: `10.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}` }],
    },
  };
}

export function tenantNamespace(index: number): Namespace {
  const name = tenantName(index);
  const labels = { 'kubernetes.io/metadata.name': name, team: `team-${index % 20}` };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } } as Namespace;
}

/** All isolated; web pods open to clients, at `port`; clients may ask web pods and an outer network. */
export function tenantPolicies(index: number, port = 80): readonly NetworkPolicy[] {
  const policy = (name: string, spec: NetworkPolicy['spec']): NetworkPolicy => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: tenantName(index) },
    ...(spec === undefined ? {} : { spec }),
  });
  const pods = (app: (typeof apps)[number]) => ({ podSelector: { matchLabels: { app } } });
  const ports = [{ protocol: 'TCP', port }] as const;
  return [
    policy('isolate', { podSelector: {}, policyTypes: ['Ingress'] }),
    policy('web', { ...pods('web'), policyTypes: ['Ingress'], ingress: [{ from: [pods('client')], ports }] }),
    policy('client', {
      ...pods('client'),
      policyTypes: ['Egress'],
      egress: [{ to: [pods('web')], ports }, { to: [{ ipBlock: { cidr: `192.168.${index & 255}.0/24` } }] }],
    }),
  ];
}

function tenantName(index: number): string {
  return `tenant-${index}`;
}
