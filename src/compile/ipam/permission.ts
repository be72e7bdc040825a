/** Whose pods may take from a Subnet or a pool; each answer is undefined, or the sentence that says why not. */
import type { NamespaceModel } from '#model/namespace.ts';
import type { PodModel } from '#model/pod.ts';
import { selects } from '#model/selector.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { defaultSubnet } from '../topology/entries.ts';
import type { ServedPool } from './pools.ts';

/**
 * Whether pods of a namespace may name a Subnet: one that names or selects the namespace, the default one, or one that is nobody's
 * (no names, no selector). The sentence says why not.
 */
export function subnetRefuses(subnet: SubnetModel, namespace: NamespaceModel): string | undefined {
  if (subnet.deleting === true) return `Subnet ${subnet.name} is being deleted and takes no new pods`;
  const isOpen = subnet.namespaces.length === 0 && subnet.namespaceSelector === undefined;
  const allows =
    isOpen ||
    subnet.name === defaultSubnet ||
    subnet.namespaces.includes(namespace.name) ||
    selects(subnet.namespaceSelector, namespace.labels);
  return allows ? undefined : `Subnet ${subnet.name} is for other namespaces than ${namespace.name}`;
}

/** A pool that names namespaces decides itself; any other one is for those that its Subnet allows. */
export function poolRefuses(
  pool: ServedPool,
  subnet: SubnetModel,
  namespace: NamespaceModel,
): string | undefined {
  const { name, namespaces, namespaceSelector } = pool.model;
  if (subnet.deleting === true) return `Subnet ${subnet.name} is being deleted and takes no new pods`;
  if (namespaces.length === 0 && namespaceSelector === undefined) {
    const reason = subnetRefuses(subnet, namespace);
    return reason && `IPPool ${name} is for the namespaces of its Subnet, and ${reason}`;
  }
  const allows = namespaces.includes(namespace.name) || selects(namespaceSelector, namespace.labels);
  return allows ? undefined : `IPPool ${name} is for other namespaces than ${namespace.name}`;
}

/** A pool takes pods by itself only when it says which: labels alone never reach into another tenant's Subnet. */
export function notSelected(
  pod: Pick<PodModel, 'labels'>,
  pool: ServedPool,
  subnet: SubnetModel,
  namespace: NamespaceModel,
): string | undefined {
  const { namespaces, namespaceSelector, podSelector } = pool.model;
  if (namespaces.length === 0 && namespaceSelector === undefined && podSelector === undefined) {
    return 'it selects no pods; a pod or namespace names it by annotation';
  }
  const refused = poolRefuses(pool, subnet, namespace);
  if (refused !== undefined) return refused;
  if (podSelector !== undefined && !selects(podSelector, pod.labels)) {
    return "its podSelector doesn't take the pod's labels";
  }
  return undefined;
}
