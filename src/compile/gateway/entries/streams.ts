/** Where connections go that a TLSRoute, TCPRoute or UDPRoute takes. */
import type { GatewayStreamIntent } from '#intent/gateway.ts';
import type { L4RouteModel } from '#model/gateway/types.ts';
import type { Attachment, BackendUse, EntryContext, Listener } from '../types.ts';
import { type Refusal, resolveBackend, type Speech } from './backend-refs.ts';

export type Streams = {
  readonly intent: Readonly<Record<string, GatewayStreamIntent>>;
  readonly uses: readonly BackendUse[];
  readonly refusals: readonly Refusal[];
};

/**
 * A connection has nothing that a second rule could be chosen by, so the first is the only one. Of several routes at one listener and host
 * the book takes the oldest: the others come here without that host.
 */
export function streamsOf(
  route: L4RouteModel,
  attachments: readonly Attachment[],
  context: EntryContext,
): Streams {
  const intent: Record<string, GatewayStreamIntent> = {};
  const uses = new Map<string, BackendUse>();
  const field = 'spec.rules[0]';
  const shares = (speech: Speech) =>
    (route.rules[0]?.backends ?? []).map((each, at) => ({
      weight: each.weight,
      field: `${field}.backendRefs[${at}]`,
      ...resolveBackend(each, route, speech, context),
    }));
  for (const { listener, hosts } of attachments.flatMap((each) => each.listeners)) {
    if (!listener.served || hosts.length === 0) continue;
    const backends = shares(speechAt(listener, route)).filter(({ weight }) => weight > 0);
    for (const { use } of backends) if (use !== undefined) uses.set(use.key, use);
    for (const host of route.kind === 'TLSRoute' ? hosts : ['']) {
      intent[`${listener.key}|${host}`] = {
        origin: { ...route.origin, rule: field },
        listener: listener.key,
        host,
        backends: backends.map(({ use, weight }) => ({
          ...(use === undefined ? {} : { backend: use.key }),
          weight,
        })),
      };
    }
  }
  const refusals = shares(route.kind === 'UDPRoute' ? 'udp' : 'passed').flatMap(({ refusal, field: at }) =>
    refusal === undefined ? [] : [{ ...refusal, message: `${at}: ${refusal.message}` }],
  );
  return { intent, uses: [...uses.values()], refusals };
}

/** Only where the gateway ends TLS does it begin TLS of its own; what else comes is the client's, to the last byte. */
function speechAt({ model }: Listener, { kind }: L4RouteModel): Speech {
  if (kind === 'UDPRoute') return 'udp';
  return model.protocol === 'TLS' && model.tls?.mode !== 'Passthrough' ? 'tcp' : 'passed';
}
