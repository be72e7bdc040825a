/** Everything that `kubectl apply` needs to run Netloom on a cluster, as objects. */
import { crdOf } from '#api/crd.ts';
import { group, version } from '#api/kind.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject } from '#api/object.ts';
import { policyGroup } from '#api/policies.ts';
import type { SubnetMode } from '#intent/node.ts';
import { paths, ports } from '#system/registry.ts';
import { systemNamespace } from '../node-lease.ts';
import { access, labels, passwordAccess } from './access.ts';
import { gatewayClassObject, gatewayRules } from './gateway-rules.ts';
import { loadBalancerRules } from './load-balancer-rules.ts';

export type ManifestOptions = {
  /** Prefixes of the Subnet `default`, at most one a family. */
  readonly podCidrs: readonly string[];
  readonly mode: SubnetMode;
  /** The way out of underlay pods, at most one a family. */
  readonly podGateways?: readonly string[];
  /** Where Service addresses come from: what nobody holds in there is dropped, not routed. */
  readonly serviceCidrs: readonly string[];
  /** The API server as nodes reach it before Services work. */
  readonly apiServer: { readonly host: string; readonly port: number };
  readonly image: string;
  /** Other times than the usual ones until a gone node's blocks are free; for tests. */
  readonly nodeLease?: NodeLease | undefined;
};

export type NodeLease = {
  readonly seconds: number;
  readonly renewSeconds: number;
  /** What the controller adds to it. */
  readonly marginSeconds: number;
};

/** In the order in which they are applied. */
export function netloomManifests(options: ManifestOptions): readonly KubeObject[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: systemNamespace, labels: labels('namespace') } },
    ...kinds.map(crdOf),
    ...access('agent', agentRules),
    ...passwordAccess(),
    ...access('controller', controllerRules),
    agents(options),
    controller(options),
    defaultSubnetObject(options),
    gatewayClassObject(labels('gateway')),
  ];
}

export function defaultSubnetObject({
  podCidrs,
  mode,
  podGateways,
}: Pick<ManifestOptions, 'podCidrs' | 'mode' | 'podGateways'>): KubeObject {
  const spec = { cidrs: podCidrs, mode, ...(podGateways === undefined ? {} : { gateway: podGateways }) };
  return { apiVersion: `${group}/${version}`, kind: 'Subnet', metadata: { name: 'default' }, spec };
}

const watch = ['get', 'list', 'watch'];

const adminPolicies = ['clusternetworkpolicies', 'adminnetworkpolicies', 'baselineadminnetworkpolicies'];
const policyRules = [
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: watch },
  { apiGroups: [policyGroup], resources: adminPolicies, verbs: watch },
];

const agentRules = [
  ...policyRules,
  { apiGroups: [''], resources: ['nodes', 'namespaces', 'pods', 'services'], verbs: watch },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: watch },
  { apiGroups: [group], resources: ['subnets', 'ippools', 'qospolicies', 'bgpneighbors'], verbs: watch },
  { apiGroups: [group], resources: ['bgpneighbors/status'], verbs: ['patch'] },
  ...loadBalancerRules.agent,
  { apiGroups: [group], resources: ['blockclaims'], verbs: [...watch, 'create', 'update', 'delete'] },
  { apiGroups: [group], resources: ['blockclaims/status'], verbs: ['patch'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];

/** Of its ClusterRole. */
export const controllerRules: readonly object[] = [
  ...policyRules,
  { apiGroups: [policyGroup], resources: adminPolicies.map((name) => `${name}/status`), verbs: ['patch'] },
  { apiGroups: [''], resources: ['nodes', 'namespaces', 'pods', 'services'], verbs: watch },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: watch },
  { apiGroups: [group], resources: ['subnets', 'subnets/status'], verbs: [...watch, 'patch'] },
  { apiGroups: [group], resources: ['ippools', 'qospolicies', 'bgpneighbors'], verbs: watch },
  {
    apiGroups: [group],
    resources: ['ippools/status', 'qospolicies/status', 'bgpneighbors/status'],
    verbs: ['patch'],
  },
  ...loadBalancerRules.controller,
  ...gatewayRules,
  { apiGroups: ['apps'], resources: ['statefulsets'], verbs: watch },
  { apiGroups: [group], resources: ['blockclaims'], verbs: [...watch, 'update', 'delete'] },
  { apiGroups: [group], resources: ['blockclaims/status'], verbs: ['patch'] },
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: [...watch, 'create', 'update', 'delete'],
  },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];

/** A rolling update goes on when the node it came to is served again; liveness never asks about another program. */
function probes(port: number): object {
  const get = (path: string) => ({ httpGet: { path, port } });
  return {
    readinessProbe: { ...get('/readyz'), periodSeconds: 1, timeoutSeconds: 2 },
    livenessProbe: {
      ...get('/livez'),
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
      initialDelaySeconds: 10,
    },
  };
}

/** All containers live in the node's network namespace; only the datapath, and FRR by its word, may change it. */
function agents({ apiServer, image, serviceCidrs, nodeLease }: ManifestOptions): KubeObject {
  const selector = { 'app.kubernetes.io/name': 'netloom', 'app.kubernetes.io/component': 'node' };
  const mounts = nodePaths.map(({ name, path, propagation }) => ({
    name,
    mountPath: path,
    ...(propagation ? { mountPropagation: 'HostToContainer' } : {}),
  }));
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'netloom-node', namespace: systemNamespace, labels: labels('node') },
    spec: {
      selector: { matchLabels: selector },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels: { ...labels('node'), ...selector } },
        spec: {
          serviceAccountName: 'netloom-agent',
          hostNetwork: true,
          dnsPolicy: 'Default',
          priorityClassName: 'system-node-critical',
          terminationGracePeriodSeconds: 5,
          tolerations: [{ operator: 'Exists' }],
          containers: [
            {
              name: 'datapath',
              image,
              command: program('datapath'),
              args: serviceCidrs.map((cidr) => `--service-cidr=${cidr}`),
              ...probes(ports.datapathMetrics.value),
              env: [nodeName, fewArenas],
              securityContext: { privileged: true },
              volumeMounts: mounts,
            },
            {
              name: 'agent',
              image,
              command: program('agent'),
              ...probes(ports.agentMetrics.value),
              ...withArgs(
                nodeLease && [
                  `--lease-seconds=${nodeLease.seconds}`,
                  `--lease-renew-seconds=${nodeLease.renewSeconds}`,
                ],
              ),
              env: [nodeName, fewArenas, ...apiServerEnv(apiServer)],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              volumeMounts: mounts.filter(({ name }) => name === 'run' || name === 'machine-id'),
            },
            {
              name: 'frr',
              image,
              command: ['sh', '/opt/netloom/src/programs/frr/run.sh'],
              securityContext: {
                capabilities: { add: ['NET_ADMIN', 'NET_RAW', 'NET_BIND_SERVICE', 'SYS_ADMIN'] },
              },
              volumeMounts: mounts.filter(({ name }) => name === 'run'),
            },
          ],
          volumes: nodePaths.map(({ name, path, type }) => ({ name, hostPath: { path, type } })),
        },
      },
    },
  };
}

/** On the node's network: it must run before any pod can have an address. */
function controller({ apiServer, image, nodeLease }: ManifestOptions): KubeObject {
  const selector = { 'app.kubernetes.io/name': 'netloom', 'app.kubernetes.io/component': 'controller' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'netloom-controller', namespace: systemNamespace, labels: labels('controller') },
    spec: {
      replicas: 1,
      selector: { matchLabels: selector },
      strategy: { type: 'RollingUpdate' },
      template: {
        metadata: { labels: { ...labels('controller'), ...selector } },
        spec: {
          serviceAccountName: 'netloom-controller',
          hostNetwork: true,
          dnsPolicy: 'Default',
          priorityClassName: 'system-cluster-critical',
          terminationGracePeriodSeconds: 5,
          tolerations: [{ operator: 'Exists' }],
          containers: [
            {
              name: 'controller',
              image,
              command: program('controller'),
              ...probes(ports.controllerMetrics.value),
              args: [
                `--gateway-image=${image}`,
                ...(nodeLease === undefined
                  ? []
                  : [
                      `--node-lease-seconds=${nodeLease.seconds}`,
                      `--node-lease-margin-seconds=${nodeLease.marginSeconds}`,
                    ]),
              ],
              env: [
                { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                fewArenas,
                ...apiServerEnv(apiServer),
              ],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      },
    },
  };
}

const nodeName = { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } };

const directory = 'DirectoryOrCreate';
const nodePaths: readonly { name: string; path: string; type: string; propagation?: true }[] = [
  { name: 'run', path: paths.runDirectory.value, type: directory },
  { name: 'state', path: paths.stateDirectory.value, type: directory },
  { name: 'cni-bin', path: paths.cniBinDirectory.value, type: directory },
  { name: 'cni-config', path: paths.cniConfigDirectory.value, type: directory },
  { name: 'netns', path: '/run/netns', type: directory, propagation: true },
  { name: 'machine-id', path: '/etc/machine-id', type: 'File' },
];

/**
 * A young generation of 1 MB instead of 16: each node pays for this memory, and collections of it are shorter. The limit of the
 * heap, ten times what 5,000 remote pods take, makes V8 let it grow by a third before it collects instead of fourfold.
 */
function program(name: string): string[] {
  return [
    'node',
    '--max-semi-space-size=1',
    '--max-old-space-size=256',
    `/opt/netloom/src/programs/${name}/main.ts`,
  ];
}

function withArgs(args: readonly string[] | undefined): { readonly args?: readonly string[] } {
  return args === undefined ? {} : { args };
}

/** One allocator for all threads: the runtime's pool threads would each keep freed memory in an arena of their own. */
const fewArenas = { name: 'MALLOC_ARENA_MAX', value: '1' };

function apiServerEnv({ host, port }: ManifestOptions['apiServer']): object[] {
  return [
    { name: 'KUBERNETES_SERVICE_HOST', value: host },
    { name: 'KUBERNETES_SERVICE_PORT', value: String(port) },
  ];
}
