/** What a policy in audit mode would drop, in words: for lines of the datapath and events of the agent. */
import type { WouldDrop } from '#intent/handover.ts';
import type { Origin } from '#intent/origin.ts';

type Flow = Pick<WouldDrop, 'direction' | 'pod' | 'peer' | 'protocol' | 'port'>;

/** `tcp shop/client → shop/web:80`. */
export function formatFlow({ direction, pod, peer, protocol, port }: Flow): string {
  const [from, to] = direction === 'egress' ? [pod, peer] : [peer, pod];
  const place = to.name ?? (to.address.includes(':') && port !== undefined ? `[${to.address}]` : to.address);
  return `${protocol} ${from.name ?? from.address} → ${place}${port === undefined ? '' : `:${port}`}`;
}

/** `Kind namespace/name`. */
export function formatPolicy({ kind, namespace, name }: Origin): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** What in the policy decides: a rule, or that it selects the pod and no rule allows. */
export function fieldOf({ kind, rule }: Origin): string {
  return rule ?? (kind === 'NetworkPolicy' ? 'spec.podSelector' : '');
}
