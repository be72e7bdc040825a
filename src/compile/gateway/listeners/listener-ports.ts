/** Ports of a Gateway: what is spoken on each, and which listening socket of the pod serves it. */
import type { GatewayListenerIntent, GatewayPortIntent, GatewayPortKind } from '#intent/gateway.ts';
import type { GatewaySlots, InstanceFacts } from '../types.ts';

/** What of a listener decides about its port. */
export type PortUser = { readonly port: number; readonly kind: GatewayListenerIntent['kind'] };

export function portKeyOf({ port, kind }: PortUser): string {
  return `${kind === 'udp' ? 'udp' : 'tcp'}/${port}`;
}

/** By port key. Once the listeners of a port differ by what becomes of TLS, the name has to be looked at first. */
export function portKindsOf(users: readonly PortUser[]): ReadonlyMap<string, GatewayPortKind> {
  const kinds = new Map<string, GatewayPortKind>();
  for (const user of users) {
    const key = portKeyOf(user);
    const own = user.kind === 'passthrough' || user.kind === 'terminate' ? 'tls' : user.kind;
    if (own === 'tls' || !kinds.has(key)) kinds.set(key, own);
  }
  return kinds;
}

/**
 * Sockets for ports, the first ones first; a port without one is not in the answer, also if it had one: ports of younger ListenerSets leave
 * none for want of which the Gateway's own would not be served. A port keeps the socket that the instance's Service
 * leads to already. Another one takes the lowest that is free, rather one that no port led to until now: that still serves its old port
 * for those who didn't hear of the change.
 */
export function assignSlots(
  wanted: ReadonlyMap<string, GatewayPortKind>,
  held: InstanceFacts['slots'],
  slots: GatewaySlots,
): ReadonlyMap<string, GatewayPortIntent> {
  const kinds = firstOf(wanted, slots);
  const used = new Set<string>();
  const kept = new Map<string, number>();
  for (const [key, kind] of kinds) {
    const before = held?.get(key);
    if (before?.kind !== kind || before.slot >= slots[kind] || used.has(`${kind} ${before.slot}`)) continue;
    kept.set(key, before.slot);
    used.add(`${kind} ${before.slot}`);
  }
  const warm = new Set([...(held?.values() ?? [])].map(({ kind, slot }) => `${kind} ${slot}`));
  const assigned = new Map<string, GatewayPortIntent>();
  for (const [key, kind] of kinds) {
    const free = (slot: number) => !used.has(`${kind} ${slot}`);
    const all = Array.from({ length: slots[kind] }, (_, slot) => slot);
    const slot =
      kept.get(key) ?? all.find((each) => free(each) && !warm.has(`${kind} ${each}`)) ?? all.find(free);
    if (slot === undefined) continue;
    used.add(`${kind} ${slot}`);
    assigned.set(key, { port: Number(key.slice(key.indexOf('/') + 1)), kind, slot });
  }
  return assigned;
}

/** Of each kind as many as there are sockets. */
function firstOf(
  wanted: ReadonlyMap<string, GatewayPortKind>,
  slots: GatewaySlots,
): ReadonlyMap<string, GatewayPortKind> {
  const left = { ...slots };
  return new Map([...wanted].filter(([, kind]) => left[kind]-- > 0));
}
