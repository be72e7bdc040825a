/** What a route gets of what it wants, and what is said of it. */
import type { RouteKind, RouteModel } from '#model/gateway/types.ts';
import { condition, shortened } from '../listeners/listener-conditions.ts';
import type { Attachment, GatewayCondition, GatewayStatus } from '../types.ts';

/**
 * `lost`: hostnames of a listener that others have. An HTTPRoute or GRPCRoute is at no listener then, and without any it isn't accepted; a route
 * of connections is accepted and counted where it waits for older ones to go, as Gateway API's conformance wants it.
 */
export function finalAttachment(
  kind: RouteKind,
  wanted: Attachment,
  lost: (listener: string) => readonly string[],
): Attachment {
  const waits = kind !== 'HTTPRoute' && kind !== 'GRPCRoute';
  let less = false;
  const listeners = wanted.listeners.flatMap((each) => {
    const gone = lost(each.listener.key);
    const hosts = gone.length === 0 ? each.hosts : each.hosts.filter((host) => !gone.includes(host));
    less ||= hosts.length < each.hosts.length;
    return hosts.length === 0 && !waits ? [] : [{ listener: each.listener, hosts }];
  });
  if (!less) return wanted;
  // Whose routes those are isn't told: they may be another namespace's.
  const message = 'Older routes have what it wants of the listeners';
  if (listeners.length === 0)
    return { ...wanted, listeners, accepted: condition('Accepted', 'False', 'Conflicted', message) };
  if (listeners.some(({ hosts }) => hosts.length > 0)) return { ...wanted, listeners };
  const waiting = `${message}: it gets nothing until they are gone`;
  return { ...wanted, listeners, accepted: condition('Accepted', 'True', 'Accepted', waiting) };
}

/** `parts`: by Gateway what came of the attachments to it, and what its entries say. `beside`: what is said of it beside other routes. */
export function routeStatus(
  { kind, key }: RouteModel,
  wanted: readonly Attachment[],
  parts: ReadonlyMap<
    string,
    { readonly attachments: readonly Attachment[]; readonly conditions: readonly GatewayCondition[] }
  >,
  beside: (gateway: string) => readonly GatewayCondition[] = () => [],
): GatewayStatus | undefined {
  if (wanted.length === 0) return undefined;
  const taken = new Map<string, number>();
  const parents = wanted.flatMap(({ gateway }) => {
    const part = parts.get(gateway);
    const index = taken.get(gateway) ?? 0;
    taken.set(gateway, index + 1);
    const attachment = part?.attachments[index];
    if (part === undefined || attachment === undefined) return [];
    const { parent, accepted, also = [] } = attachment;
    const refused = part.conditions.find(({ type }) => type === 'Accepted');
    const own = accepted.status === 'True' && refused !== undefined ? refused : accepted;
    const said = [...also, ...part.conditions, ...beside(gateway)];
    const all = [own, ...said.filter(({ type }) => type !== 'Accepted')];
    return [{ parent, conditions: all.map((each) => ({ ...each, message: shortened(each.message) })) }];
  });
  return { kind, key, parents };
}
