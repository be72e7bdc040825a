/** What every cluster has from its first second: namespaces, priority classes, the `kubernetes` Service and where it leads. */
import type { KubeObject } from '#api/object.ts';
import { type Family, formatAddr, parseAddr } from '#net/addr.ts';
import type { Context, WriteOptions } from './context.ts';
import { tableOf } from './kinds.ts';
import { create, update } from './write.ts';

/** Options of writes that the server makes itself. */
export function ownWrite(): WriteOptions {
  return { manager: 'kube-apiserver', dryRun: false, fieldValidation: 'Ignore', warnings: new Set() };
}

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Makes what is absent, and brings the `kubernetes` endpoints to what the configuration advertises. */
export function bootstrap(context: Context): void {
  for (const name of namespaces) ensure(context, 'v1', 'Namespace', '', { metadata: { name } });
  for (const [name, value, description] of [
    ['system-cluster-critical', 2_000_000_000, 'Used for system critical pods that must run in the cluster.'],
    [
      'system-node-critical',
      2_000_001_000,
      'Used for system critical pods that must not be moved from their node.',
    ],
  ] as const) {
    ensure(context, 'scheduling.k8s.io/v1', 'PriorityClass', '', { metadata: { name }, value, description });
  }
  kubernetesService(context);
}

/** The Service `kubernetes` at the first address of each family that is advertised. */
function kubernetesService(context: Context): void {
  const { config, services } = context;
  const byFamily = (family: Family): readonly string[] =>
    config.advertise.filter((address) => parseAddr(address)?.family === family);
  const families = services.prefixes
    .map(({ family }) => family)
    .filter((family) => byFamily(family).length > 0);
  if (families.length === 0) return;
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  const ipName = (family: Family): string => (family === 6 ? 'IPv6' : 'IPv4');
  const clusterIPs = families.map((family) => {
    const prefix = services.prefix(family)!;
    return formatAddr({ family, value: prefix.value + 1n });
  });
  const spec = {
    type: 'ClusterIP',
    clusterIP: clusterIPs[0],
    clusterIPs,
    ipFamilies: families.map(ipName),
    ipFamilyPolicy: families.length > 1 ? 'PreferDualStack' : 'SingleStack',
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: config.advertisePort }],
  };
  ensure(context, 'v1', 'Service', 'default', { metadata: { name: 'kubernetes', labels }, spec });
  const ports = [{ name: 'https', port: config.advertisePort, protocol: 'TCP' }];
  for (const family of [4, 6] as const) {
    const addresses = byFamily(family);
    const name = family === families[0] ? 'kubernetes' : `kubernetes-ipv${family}`;
    if (addresses.length === 0) {
      context.store.remove('discovery.k8s.io/endpointslices', 'default', name);
      continue;
    }
    replace(context, 'discovery.k8s.io/v1', 'EndpointSlice', {
      metadata: { name, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
      addressType: ipName(family),
      endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
      ports,
    });
  }
  const primary = byFamily(families[0]!);
  replace(context, 'v1', 'Endpoints', {
    metadata: { name: 'kubernetes', labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: primary.map((ip) => ({ ip })), ports }],
  });
}

type Draft = Record<string, unknown> & {
  readonly metadata: { readonly name: string; readonly labels?: object };
};

function ensure(
  context: Context,
  apiVersion: string,
  kindName: string,
  namespace: string,
  object: Draft,
): void {
  const kind = context.kinds.byKind(apiVersion, kindName)!;
  if (context.store.table(tableOf(kind)).get(namespace, object.metadata.name) !== undefined) return;
  create(context, kind, namespace, object, ownWrite());
}

/** In namespace default: makes the object or brings it to this content. */
function replace(context: Context, apiVersion: string, kindName: string, object: Draft): void {
  const kind = context.kinds.byKind(apiVersion, kindName)!;
  const { name } = object.metadata;
  if (context.store.table(tableOf(kind)).get('default', name) === undefined) {
    create(context, kind, 'default', object, ownWrite());
    return;
  }
  const change = (live: KubeObject): Record<string, unknown> => ({
    ...live,
    ...object,
    metadata: live.metadata,
  });
  update(context, kind, 'default', name, { change }, ownWrite());
}
