/** Columns of the built-in kinds, as kubectl users know them. */
import type { KubeObject } from '#api/object.ts';
import {
  ageColumn,
  at,
  count,
  field,
  joined,
  list,
  type Make,
  number,
  shortened,
  text,
  wide,
} from './column.ts';
import { podColumns } from './columns-pod.ts';
import { workloadColumns } from './columns-workload.ts';
import { age } from './duration.ts';
import { formatSelector } from './scale.ts';
import type { PrinterColumn } from './types.ts';

/** Columns after Name, by table; undefined: Name and Age only. */
export function builtinColumns(table: string): readonly PrinterColumn[] | undefined {
  return columns[table];
}

type ServicePort = { readonly port: number; readonly protocol?: string; readonly nodePort?: number };

function servicePorts(object: KubeObject): string {
  const ports = list<ServicePort>(object, '.spec.ports').map(
    ({ port, nodePort, protocol = 'TCP' }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`,
  );
  return joined(ports);
}

function externalAddresses(object: KubeObject): string {
  const type = at<string>(object, '.spec.type') ?? 'ClusterIP';
  const fixed = list<string>(object, '.spec.externalIPs');
  if (type === 'ExternalName') return at<string>(object, '.spec.externalName') ?? '<none>';
  if (type !== 'LoadBalancer') return joined(fixed);
  const assigned = list<{ ip?: string; hostname?: string }>(object, '.status.loadBalancer.ingress').map(
    ({ ip, hostname }) => ip ?? hostname ?? '',
  );
  return joined([...assigned, ...fixed], '<pending>');
}

function nodeStatus(object: KubeObject): string {
  const ready = at<string>(object, '.status.conditions[?(@.type=="Ready")].status');
  const state = ready === undefined ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady';
  return at<boolean>(object, '.spec.unschedulable') === true ? `${state},SchedulingDisabled` : state;
}

const rolePrefix = 'node-role.kubernetes.io/';

function nodeRoles(object: KubeObject): string {
  const roles = Object.entries(object.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return key.slice(rolePrefix.length) || [];
    return key === 'kubernetes.io/role' && value !== '' ? value : [];
  });
  return joined(roles.toSorted());
}

const nodeAddress =
  (type: string): Make =>
  (object) =>
    at<string>(object, `.status.addresses[?(@.type=="${type}")].address`) ?? '<none>';

type Subset = {
  readonly addresses?: readonly { readonly ip: string }[];
  readonly ports?: readonly { readonly port: number }[];
};

function endpointAddresses(object: KubeObject): string {
  const pairs = list<Subset>(object, '.subsets').flatMap(({ addresses = [], ports = [] }) =>
    addresses.flatMap(({ ip }) => {
      const host = ip.includes(':') ? `[${ip}]` : ip;
      return ports.length === 0 ? ip : ports.map(({ port }) => `${host}:${port}`);
    }),
  );
  return shortened(pairs);
}

function eventObject(object: KubeObject): string {
  const kind = at<string>(object, '.involvedObject.kind') ?? at<string>(object, '.regarding.kind') ?? '';
  const name = at<string>(object, '.involvedObject.name') ?? at<string>(object, '.regarding.name') ?? '';
  return `${kind.toLowerCase()}/${name}`;
}

function eventLastSeen(object: KubeObject, now: number): string {
  const paths = ['.series.lastObservedTime', '.lastTimestamp', '.deprecatedLastTimestamp', '.eventTime'];
  const times = [...paths.map((path) => at<string>(object, path)), object.metadata.creationTimestamp];
  return age(times.find(Boolean), now);
}

type IngressRule = { readonly host?: string };

function ingressAddress(object: KubeObject): string {
  const ingress = list<{ ip?: string; hostname?: string }>(object, '.status.loadBalancer.ingress');
  return ingress.map(({ ip, hostname }) => ip ?? hostname ?? '').join(',');
}

const roleName: Make = (object) =>
  `${at<string>(object, '.roleRef.kind')}/${at<string>(object, '.roleRef.name')}`;
const created = text('Created At', (object) => object.metadata.creationTimestamp ?? '');
const size = (name: string, ...paths: readonly string[]): PrinterColumn =>
  number(name, (object) =>
    paths.reduce((sum, path) => sum + Object.keys(at<object>(object, path) ?? {}).length, 0),
  );

const columns: Readonly<Record<string, readonly PrinterColumn[]>> = {
  '/pods': podColumns,
  '/services': [
    text('Type', field('.spec.type', 'ClusterIP')),
    text('Cluster-IP', (object) => at<string>(object, '.spec.clusterIP') || '<none>'),
    text('External-IP', externalAddresses),
    text('Port(s)', servicePorts),
    ageColumn,
    wide(
      text(
        'Selector',
        (object) => formatSelector({ matchLabels: at(object, '.spec.selector') ?? {} }) || '<none>',
      ),
    ),
  ],
  '/endpoints': [text('Endpoints', endpointAddresses), ageColumn],
  '/nodes': [
    text('Status', nodeStatus),
    text('Roles', nodeRoles),
    ageColumn,
    text('Version', field('.status.nodeInfo.kubeletVersion')),
    wide(text('Internal-IP', nodeAddress('InternalIP'))),
    wide(text('External-IP', nodeAddress('ExternalIP'))),
    wide(text('OS-Image', field('.status.nodeInfo.osImage', '<unknown>'))),
    wide(text('Kernel-Version', field('.status.nodeInfo.kernelVersion', '<unknown>'))),
    wide(text('Container-Runtime', field('.status.nodeInfo.containerRuntimeVersion', '<unknown>'))),
  ],
  '/namespaces': [text('Status', field('.status.phase')), ageColumn],
  '/configmaps': [size('Data', '.data', '.binaryData'), ageColumn],
  '/secrets': [text('Type', field('.type')), size('Data', '.data'), ageColumn],
  '/serviceaccounts': [size('Secrets', '.secrets'), ageColumn],
  '/events': [
    text('Last Seen', eventLastSeen),
    text('Type', field('.type')),
    text('Reason', field('.reason')),
    text('Object', eventObject),
    wide(text('Subobject', (object) => field('.involvedObject.fieldPath')(object, 0) || '')),
    wide(
      text(
        'Source',
        (object) =>
          at<string>(object, '.source.component') ?? at<string>(object, '.reportingComponent') ?? '',
      ),
    ),
    text('Message', (object) => (at<string>(object, '.message') ?? at<string>(object, '.note') ?? '').trim()),
    wide(
      text('First Seen', (object, now) =>
        age(
          at(object, '.firstTimestamp') ??
            at(object, '.deprecatedFirstTimestamp') ??
            at(object, '.eventTime'),
          now,
        ),
      ),
    ),
    wide(text('Count', (object) => at<number>(object, '.series.count') ?? at<number>(object, '.count') ?? 1)),
  ],
  '/resourcequotas': [ageColumn],
  '/limitranges': [created],
  ...workloadColumns,
  'discovery.k8s.io/endpointslices': [
    text('AddressType', field('.addressType')),
    text('Ports', (object) => {
      const ports = list<{ port?: number; name?: string }>(object, '.ports').map(({ port }) =>
        String(port ?? '*'),
      );
      return shortened(ports, '<unset>');
    }),
    text('Endpoints', (object) =>
      shortened(
        list<{ addresses: readonly string[] }>(object, '.endpoints').flatMap((each) => each.addresses),
        '<unset>',
      ),
    ),
    ageColumn,
  ],
  'networking.k8s.io/networkpolicies': [
    text('Pod-Selector', (object) => formatSelector(at(object, '.spec.podSelector') ?? {}) || '<none>'),
    ageColumn,
  ],
  'networking.k8s.io/ingresses': [
    text('Class', field('.spec.ingressClassName', '<none>')),
    text('Hosts', (object) =>
      shortened(
        list<IngressRule>(object, '.spec.rules').flatMap(({ host }) => host ?? []),
        '*',
      ),
    ),
    text('Address', ingressAddress),
    text('Ports', (object) => (list(object, '.spec.tls').length > 0 ? '80, 443' : '80')),
    ageColumn,
  ],
  'networking.k8s.io/ingressclasses': [
    text('Controller', field('.spec.controller')),
    text('Parameters', (object) => {
      const kind = at<string>(object, '.spec.parameters.kind');
      return kind === undefined ? '<none>' : `${kind}/${at<string>(object, '.spec.parameters.name')}`;
    }),
    ageColumn,
  ],
  'coordination.k8s.io/leases': [text('Holder', field('.spec.holderIdentity')), ageColumn],
  'policy/poddisruptionbudgets': [
    text('Min Available', (object) => at<string | number>(object, '.spec.minAvailable') ?? 'N/A'),
    text('Max Unavailable', (object) => at<string | number>(object, '.spec.maxUnavailable') ?? 'N/A'),
    number('Allowed Disruptions', count('.status.disruptionsAllowed')),
    ageColumn,
  ],
  'rbac.authorization.k8s.io/roles': [created],
  'rbac.authorization.k8s.io/clusterroles': [created],
  'rbac.authorization.k8s.io/rolebindings': [text('Role', roleName), ageColumn],
  'rbac.authorization.k8s.io/clusterrolebindings': [text('Role', roleName), ageColumn],
  'apiextensions.k8s.io/customresourcedefinitions': [created],
  'admissionregistration.k8s.io/validatingadmissionpolicies': [
    number('Validations', (object) => list(object, '.spec.validations').length),
    text('ParamKind', (object) => {
      const kind = at<string>(object, '.spec.paramKind.kind');
      return kind === undefined ? '<unset>' : `${at<string>(object, '.spec.paramKind.apiVersion')}/${kind}`;
    }),
    ageColumn,
  ],
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': [
    text('PolicyName', field('.spec.policyName')),
    text('ParamRef', field('.spec.paramRef.name', '<unset>')),
    ageColumn,
  ],
  'scheduling.k8s.io/priorityclasses': [
    number('Value', count('.value')),
    text('Global-Default', (object) => String(at<boolean>(object, '.globalDefault') ?? false)),
    ageColumn,
    text('PreemptionPolicy', field('.preemptionPolicy', 'PreemptLowerPriority')),
  ],
  'storage.k8s.io/storageclasses': [
    text('Provisioner', field('.provisioner')),
    text('ReclaimPolicy', field('.reclaimPolicy', 'Delete')),
    text('VolumeBindingMode', field('.volumeBindingMode', 'Immediate')),
    text('AllowVolumeExpansion', (object) => String(at<boolean>(object, '.allowVolumeExpansion') ?? false)),
    ageColumn,
  ],
};
