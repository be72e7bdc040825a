/** Reads Nodes. */
import type { Node } from '#api/core.ts';
import type { Origin } from '#intent/origin.ts';
import { canonicalAddr, type Family, parseAddr } from '#net/addr.ts';
import { originOf, type Problem, type Read } from './problem.ts';
import type { Labels } from './selector.ts';

export type NodeModel = {
  readonly origin: Origin;
  readonly name: string;
  readonly uid: string;
  /** InternalIP addresses, the first of each family, IPv4 first. */
  readonly addresses: readonly string[];
  /** The other InternalIP addresses, and the ExternalIP ones: policy counts them, and nothing is sent there. Absent: none. */
  readonly moreInternal?: readonly string[];
  readonly external?: readonly string[];
  /** Label topology.kubernetes.io/zone. */
  readonly zone?: string;
  /** What BGPNeighbors select nodes by. */
  readonly labels?: Labels;
  /** It is being deleted, or the cluster autoscaler is about to: load balancers send it nothing new (KEP-3836). */
  readonly leaving?: true;
  /** Somebody says that the machine is off for good (KEP-2268): what was on it may be elsewhere. */
  readonly outOfService?: true;
  /** What load balancers need of it is missing: its network isn't there (condition NetworkUnavailable), or its label says so. */
  readonly announces?: false;
};

const zoneLabel = 'topology.kubernetes.io/zone';
const excludedLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
const autoscalerTaint = 'ToBeDeletedByClusterAutoscaler';

/** A node without a usable InternalIP can't be reached: it is left out, with a problem. */
export function readNode(object: Node): Read<NodeModel> {
  const origin = originOf(object);
  const problems: Problem[] = [];
  const byFamily = new Map<Family, string>();
  const moreInternal = new Set<string>();
  const external = new Set<string>();
  for (const [index, entry] of (object.status?.addresses ?? []).entries()) {
    if (entry.type !== 'InternalIP' && entry.type !== 'ExternalIP') continue;
    const addr = parseAddr(entry.address);
    const address = canonicalAddr(entry.address) ?? entry.address;
    if (addr === undefined) {
      problems.push({
        object: origin,
        field: `status.addresses[${index}].address`,
        code: 'InvalidAddress',
        message: `"${entry.address}" is not an IP address`,
      });
    } else if (entry.type === 'ExternalIP') external.add(address);
    else if (!byFamily.has(addr.family)) byFamily.set(addr.family, address);
    else moreInternal.add(address);
  }
  const addresses = [byFamily.get(4), byFamily.get(6)].filter((address) => address !== undefined);
  if (addresses.length === 0) {
    problems.push({
      object: origin,
      field: 'status.addresses',
      code: 'NoInternalAddress',
      message: 'has no InternalIP address; its pods can not be reached until it has one',
    });
    return { value: undefined, problems };
  }
  for (const address of addresses) moreInternal.delete(address);
  for (const address of [...addresses, ...moreInternal]) external.delete(address);
  const zone = object.metadata.labels?.[zoneLabel];
  const isOut = hasTaint(object, 'node.kubernetes.io/out-of-service');
  const isLeaving = object.metadata.deletionTimestamp !== undefined || hasTaint(object, autoscalerTaint);
  const isUnfit =
    excludedLabel in (object.metadata.labels ?? {}) ||
    object.status?.conditions?.some(({ type, status }) => type === 'NetworkUnavailable' && status === 'True');
  const value: NodeModel = {
    origin,
    name: object.metadata.name,
    uid: object.metadata.uid ?? '',
    addresses,
    labels: object.metadata.labels ?? {},
    ...(moreInternal.size === 0 ? {} : { moreInternal: [...moreInternal] }),
    ...(external.size === 0 ? {} : { external: [...external] }),
    ...(zone === undefined || zone === '' ? {} : { zone }),
    ...(isLeaving ? { leaving: true } : {}),
    ...(isOut ? { outOfService: true } : {}),
    ...(isUnfit === true ? { announces: false } : {}),
  };
  return { value, problems };
}

function hasTaint(object: Node, taint: string): boolean {
  return object.spec?.taints?.some(({ key }) => key === taint) === true;
}
