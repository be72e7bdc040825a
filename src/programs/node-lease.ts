/** The lease that lets a node assign addresses; what agent and controller must agree on. */

/** Namespace of everything that Netloom runs. */
export const systemNamespace = 'netloom-system';

/** A node that could not renew for this long stops assigning; running pods stay untouched. */
export const nodeLeaseSeconds = 40;

export const nodeLeaseRenewSeconds = 10;

/** How long after its lease a gone node's blocks are free: clocks run unevenly, and a renewal may have been on its way. */
export const nodeLeaseMarginSeconds = 10;

/** Name of a node's lease in `systemNamespace`. */
export function nodeLeaseName(node: string): string {
  return `node-${node}`;
}

/** The node that a lease is of; undefined for the other leases of `systemNamespace`. */
export function nodeOfLease(name: string): string | undefined {
  return name.startsWith('node-') ? name.slice('node-'.length) : undefined;
}
