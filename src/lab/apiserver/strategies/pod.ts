/** Pods: what admission plugins of a real server add to them. */
import type { KubeObject } from '#api/object.ts';
import { badRequest, forbidden } from '../errors.ts';
import { generatedName } from '../metadata.ts';
import type { FieldProblem } from '../types.ts';
import type { Completed, Strategy, Writing } from './strategy.ts';

type Container = {
  readonly name: string;
  readonly resources?: { readonly requests?: Quantities; readonly limits?: Quantities };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
};
type Quantities = Readonly<Record<string, string>>;
type Toleration = {
  readonly key?: string;
  readonly operator?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
};

type PodSpec = {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly { readonly name: string }[];
  readonly tolerations?: readonly Toleration[];
  readonly priorityClassName?: string;
  readonly priority?: number;
  readonly preemptionPolicy?: string;
};

const tokenPath = '/var/run/secrets/kubernetes.io/serviceaccount';

export const podStrategy: Strategy = {
  generation: true,
  complete: (object, writing): Completed => {
    if (writing.old !== undefined) return { value: object, problems: moved(object, writing.old) };
    const { namespace = '', name } = object.metadata;
    let spec = object['spec'] as PodSpec;
    spec = withServiceAccount(spec, namespace, name, writing);
    spec = withTolerations(spec);
    const { value, problems } = withPriority(spec, writing);
    const status = { phase: 'Pending', qosClass: qosClass(value) };
    return { value: { ...object, spec: value, status }, problems };
  },
};

/** A pod gets its node by binding, once; never by an update. */
function moved(object: KubeObject, old: KubeObject): readonly FieldProblem[] {
  const nodeOf = (pod: KubeObject): string => (pod['spec'] as { readonly nodeName?: string }).nodeName ?? '';
  if (nodeOf(object) === nodeOf(old)) return [];
  const message = 'Forbidden: pod updates may not change spec.nodeName: create a binding instead';
  return [{ reason: 'FieldValueForbidden', field: 'spec', message }];
}

/** The ServiceAccount admission plugin: the account must exist; its token, the CA and the namespace are mounted. */
function withServiceAccount(
  spec: PodSpec,
  namespace: string,
  podName: string,
  { context, kind }: Writing,
): PodSpec {
  const name = spec.serviceAccountName || 'default';
  const account = context.store.table('/serviceaccounts').get(namespace, name)?.object;
  if (account === undefined) {
    throw forbidden(
      kind,
      podName,
      `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
    );
  }
  const named = { ...spec, serviceAccountName: name, serviceAccount: name };
  const automount = spec.automountServiceAccountToken ?? account['automountServiceAccountToken'] ?? true;
  if (automount === false) return named;
  const all = [...spec.containers, ...(spec.initContainers ?? [])];
  if (all.every((container) => container.volumeMounts?.some((mount) => mount.mountPath === tokenPath)))
    return named;
  const volume = generatedName('kube-api-access-');
  const mount = { name: volume, mountPath: tokenPath, readOnly: true };
  const mounted = (container: Container): Container =>
    container.volumeMounts?.some(({ mountPath }) => mountPath === tokenPath)
      ? container
      : { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
  return {
    ...named,
    containers: spec.containers.map(mounted),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(mounted) }),
    volumes: [...(spec.volumes ?? []), tokenVolume(volume)],
  };
}

function tokenVolume(name: string): { readonly name: string } {
  const items = [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }];
  const sources = [
    { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    { downwardAPI: { items } },
  ];
  const volume = { name, projected: { sources, defaultMode: 0o644 } };
  return volume;
}

/** The DefaultTolerationSeconds plugin. */
function withTolerations(spec: PodSpec): PodSpec {
  const tolerations = [...(spec.tolerations ?? [])];
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const tolerated = tolerations.some(
      (each) => (each.key === key || !each.key) && (each.effect === 'NoExecute' || !each.effect),
    );
    if (!tolerated) {
      tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
    }
  }
  return { ...spec, tolerations };
}

/** The Priority plugin: the number comes from the class, never from the user. */
function withPriority(
  spec: PodSpec,
  { context }: Writing,
): { readonly value: PodSpec; readonly problems: readonly FieldProblem[] } {
  const classes = context.store.table('scheduling.k8s.io/priorityclasses');
  const chosen =
    spec.priorityClassName === undefined || spec.priorityClassName === ''
      ? classes.list().find((each) => each.object['globalDefault'] === true)
      : classes.get('', spec.priorityClassName);
  if (spec.priorityClassName && chosen === undefined) {
    throw badRequest(`no PriorityClass with name ${spec.priorityClassName} was found`);
  }
  const priority = (chosen?.object['value'] as number | undefined) ?? 0;
  const problems: FieldProblem[] = [];
  if (spec.priority !== undefined && spec.priority !== priority) {
    problems.push({
      reason: 'FieldValueForbidden',
      field: 'spec.priority',
      message: `Forbidden: the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`,
    });
  }
  const preemptionPolicy =
    spec.preemptionPolicy ??
    (chosen?.object['preemptionPolicy'] as string | undefined) ??
    'PreemptLowerPriority';
  const named = chosen === undefined ? {} : { priorityClassName: chosen.name };
  return { value: { ...spec, ...named, priority, preemptionPolicy }, problems };
}

/** kubernetes.io/docs/concepts/workloads/pods/pod-qos. */
export function qosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const any = containers.some(({ resources }) =>
    [resources?.requests, resources?.limits].some((each) => each?.['cpu'] ?? each?.['memory']),
  );
  if (!any) return 'BestEffort';
  const guaranteed = containers.every(({ resources }) =>
    ['cpu', 'memory'].every((name) => {
      const limit = resources?.limits?.[name];
      return limit !== undefined && (resources?.requests?.[name] ?? limit) === limit;
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
