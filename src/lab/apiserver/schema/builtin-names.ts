/** The built-in kinds that the server serves: names, scope, subresources, and what is stored without being enforced. */
import type { ScalePaths } from '../types.ts';

export type BuiltinName = {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
  readonly scale?: ScalePaths;
  readonly warning?: string;
};

type Facts = {
  readonly short?: readonly string[];
  readonly in?: readonly string[];
  readonly cluster?: true;
  readonly status?: true;
  readonly scale?: true;
  readonly unenforced?: string;
};

const all = ['all'];
const extensions = ['api-extensions'];

export const builtinNames: readonly BuiltinName[] = [
  name('', 'Pod', 'pods', { short: ['po'], in: all, status: true }),
  name('', 'Service', 'services', { short: ['svc'], in: all, status: true }),
  name('', 'Endpoints', 'endpoints', { short: ['ep'] }),
  name('', 'Node', 'nodes', { short: ['no'], cluster: true, status: true }),
  name('', 'Namespace', 'namespaces', { short: ['ns'], cluster: true, status: true }),
  name('', 'ConfigMap', 'configmaps', { short: ['cm'] }),
  name('', 'Secret', 'secrets'),
  name('', 'ServiceAccount', 'serviceaccounts', { short: ['sa'] }),
  name('', 'Event', 'events', { short: ['ev'] }),
  name('', 'LimitRange', 'limitranges', {
    short: ['limits'],
    unenforced: 'limit ranges are stored, but this server does not enforce them',
  }),
  name('', 'ResourceQuota', 'resourcequotas', {
    short: ['quota'],
    status: true,
    unenforced: 'resource quotas are stored, but this server does not enforce them',
  }),
  name('', 'PodTemplate', 'podtemplates'),
  name('', 'ReplicationController', 'replicationcontrollers', {
    short: ['rc'],
    in: all,
    status: true,
    unenforced: 'replication controllers are stored, but this server does not run them: use a Deployment',
  }),
  name('', 'PersistentVolumeClaim', 'persistentvolumeclaims', {
    short: ['pvc'],
    status: true,
    unenforced: volumes('volume claims'),
  }),
  name('', 'PersistentVolume', 'persistentvolumes', {
    short: ['pv'],
    cluster: true,
    status: true,
    unenforced: volumes('persistent volumes'),
  }),
  name('apps', 'Deployment', 'deployments', { short: ['deploy'], in: all, status: true, scale: true }),
  name('apps', 'ReplicaSet', 'replicasets', { short: ['rs'], in: all, status: true, scale: true }),
  name('apps', 'StatefulSet', 'statefulsets', { short: ['sts'], in: all, status: true, scale: true }),
  name('apps', 'DaemonSet', 'daemonsets', { short: ['ds'], in: all, status: true }),
  name('apps', 'ControllerRevision', 'controllerrevisions'),
  name('batch', 'Job', 'jobs', { in: all, status: true }),
  name('batch', 'CronJob', 'cronjobs', {
    short: ['cj'],
    in: all,
    status: true,
    unenforced: 'cron jobs are stored, but this server does not run them: no Job is made of them',
  }),
  name('discovery.k8s.io', 'EndpointSlice', 'endpointslices'),
  name('networking.k8s.io', 'NetworkPolicy', 'networkpolicies', { short: ['netpol'] }),
  name('networking.k8s.io', 'Ingress', 'ingresses', { short: ['ing'], status: true }),
  name('networking.k8s.io', 'IngressClass', 'ingressclasses', { cluster: true }),
  name('coordination.k8s.io', 'Lease', 'leases'),
  name('events.k8s.io', 'Event', 'events', { short: ['ev'] }),
  name('policy', 'PodDisruptionBudget', 'poddisruptionbudgets', {
    short: ['pdb'],
    status: true,
    unenforced: 'disruption budgets hold back evictions, but this server does not keep their status',
  }),
  name('rbac.authorization.k8s.io', 'Role', 'roles', { unenforced: rbac() }),
  name('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings', { unenforced: rbac() }),
  name('rbac.authorization.k8s.io', 'ClusterRole', 'clusterroles', { cluster: true, unenforced: rbac() }),
  name('rbac.authorization.k8s.io', 'ClusterRoleBinding', 'clusterrolebindings', {
    cluster: true,
    unenforced: rbac(),
  }),
  name('apiextensions.k8s.io', 'CustomResourceDefinition', 'customresourcedefinitions', {
    short: ['crd', 'crds'],
    in: extensions,
    cluster: true,
    status: true,
  }),
  name('admissionregistration.k8s.io', 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies', {
    in: extensions,
    cluster: true,
    status: true,
    unenforced: admission(),
  }),
  name(
    'admissionregistration.k8s.io',
    'ValidatingAdmissionPolicyBinding',
    'validatingadmissionpolicybindings',
    {
      in: extensions,
      cluster: true,
      unenforced: admission(),
    },
  ),
  name('scheduling.k8s.io', 'PriorityClass', 'priorityclasses', {
    short: ['pc'],
    cluster: true,
    unenforced: 'priorities are stored, but this server does not enforce them: no pod goes before another',
  }),
  name('storage.k8s.io', 'StorageClass', 'storageclasses', {
    short: ['sc'],
    cluster: true,
    unenforced: volumes('storage classes'),
  }),
];

function volumes(what: string): string {
  return `${what} are stored, but this server provides no volumes: a pod that mounts a claim does not start`;
}

function rbac(): string {
  return 'RBAC objects are stored, but this server does not enforce them: every authenticated user may do everything';
}

function admission(): string {
  return 'admission policies are stored, but this server does not enforce them';
}

function name(group: string, kind: string, plural: string, facts: Facts = {}): BuiltinName {
  return {
    group,
    version: 'v1',
    kind,
    plural,
    singular: kind.toLowerCase(),
    shortNames: facts.short ?? [],
    categories: facts.in ?? [],
    namespaced: facts.cluster !== true,
    hasStatus: facts.status === true,
    ...(facts.scale === true
      ? { scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } }
      : {}),
    ...(facts.unenforced === undefined ? {} : { warning: facts.unenforced }),
  };
}
