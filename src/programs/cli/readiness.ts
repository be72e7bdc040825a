/** What a cluster still waits for, told from its Nodes and system Pods; pure. */
import type { KubeObject } from '#api/object.ts';
import { systemNamespace } from '../node-lease.ts';

type Condition = {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
};
type ContainerStatus = {
  readonly name: string;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
};
type Status = {
  readonly phase?: string;
  readonly conditions?: readonly Condition[];
  readonly containerStatuses?: readonly ContainerStatus[];
};

const systemNamespaces: readonly string[] = [systemNamespace, 'kube-system'];

/** One phrase each for what is missing; empty: `wanted` nodes are Ready, and so is a network pod on each and every system pod. */
export function readiness(
  nodes: readonly KubeObject[],
  pods: readonly KubeObject[],
  wanted: number,
): string[] {
  const system = pods.filter(({ metadata }) => systemNamespaces.includes(metadata.namespace ?? ''));
  const agents = system.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'node');
  return [
    ...(nodes.length < wanted ? [`${wanted - nodes.length} of ${wanted} nodes have not registered`] : []),
    ...nodes.flatMap((node) => notReady('node', node)),
    ...(agents.length < Math.max(wanted, nodes.length) ? ['a node has no Netloom pod yet'] : []),
    ...(agents.length === system.length ? ['no other system pod yet'] : []),
    ...system.flatMap((pod) => notReady('pod', pod)),
  ];
}

function notReady(what: string, object: KubeObject): string[] {
  const status = (object as KubeObject & { readonly status?: Status }).status;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status === 'True') return [];
  const waiting = status?.containerStatuses?.flatMap(({ name, state }) =>
    state?.waiting === undefined
      ? []
      : [`${name}: ${state.waiting.message ?? state.waiting.reason ?? 'waiting'}`],
  );
  const why = waiting?.[0] ?? ready?.message ?? ready?.reason ?? status?.phase ?? 'no status yet';
  return [`${what} ${object.metadata.name} is not ready (${why})`];
}
