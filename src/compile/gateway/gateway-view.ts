/** One Gateway with its ListenerSets: what is served by it, and what is known of it for its status and for routes. */
import type { GatewayIntent } from '#intent/gateway.ts';
import type { GatewayModel } from '#model/gateway/types.ts';
import { olderFirst } from './age.ts';
import type { Asking } from './inputs.ts';
import { gatewayGroup, type Refusal } from './listeners/listener-protocols.ts';
import { certificateIntent, compileListeners, type ListenerGroup } from './listeners/listeners.ts';
import { findCertificate } from './named-objects.ts';
import { allowsNamespace } from './routes/namespaces.ts';
import { claimsOfSets, type ListenerClaims } from './tenancy/listener-claims.ts';
import { type Terms, termsOf } from './tenancy/terms.ts';
import { controllerName, type GatewaySlots } from './types.ts';

export type GatewayView = {
  readonly model: GatewayModel;
  readonly terms: Terms;
  /** Hostnames that its ListenerSets want to be the first to have. */
  readonly claims: ListenerClaims;
  /** A sentence, while its class isn't accepted: then nothing is served by it. */
  readonly classWaits?: string;
  /** By `KIND/namespace/name` of the Gateway and of the ListenerSets that it takes. */
  readonly parents: ReadonlyMap<string, ListenerGroup>;
  /** Keys of ListenerSets that name it: whether it allows them. */
  readonly sets: ReadonlyMap<string, boolean>;
  /** Key in GatewayIntent.certificates: what it shows to backends. */
  readonly clientCertificate?: string;
  /** Why it shows nothing although it should. */
  readonly clientCertificateRefused?: Refusal;
  /** What isn't of a single parent. */
  readonly intent: Pick<GatewayIntent, 'ports' | 'authorities'> & Partial<GatewayIntent>;
};

const nothing: ListenerGroup = { listeners: [], intent: { listeners: {}, certificates: {} }, marks: [] };

/** `undefined`: there is none, or it is somebody else's. `held`: who holds a hostname that is claimed. `before`: as it was, of which the same parts are kept. */
export function viewGateway(
  key: string,
  slots: GatewaySlots,
  ask: Asking,
  held: (id: string, instance: string, hostname: string) => string | undefined,
  before: GatewayView | undefined,
): GatewayView | undefined {
  const model = ask.get('gateway', key);
  const gatewayClass = model && ask.class(model.className);
  if (model === undefined || gatewayClass?.controllerName !== controllerName) return undefined;
  const named = ask.setsOf(key).flatMap((each) => ask.get('listenerSet', each) ?? []);
  const allowed = named.filter(({ namespace }) =>
    allowsNamespace(model.allowedListeners, model.namespace, namespace, ask),
  );
  const sets = new Map(named.map((each) => [each.key, false]));
  for (const each of allowed) sets.set(each.key, true);
  const terms = kept(termsOf(model, ask), before?.terms);
  if (gatewayClass.parameters !== undefined) {
    const classWaits = `GatewayClass ${model.className} is not accepted`;
    const parents = new Map([[`Gateway/${key}`, nothing]]);
    const intent = { ports: {}, authorities: {} };
    return { model, terms, claims: new Map(), classWaits, parents, sets, intent };
  }
  const taken = allowed.sort(olderFirst);
  const { claims, refusalOf } = claimsOfSets(key, taken, terms, ask, held);
  const { groups, intent } = compileListeners(model, taken, slots, ask, refusalOf, before?.parents);
  return { model, terms, claims, parents: groups, sets, ...clientCertificate(model, intent, ask) };
}

/** The same object while it says the same: each route of the Gateway has it. */
function kept(terms: Terms, before: Terms | undefined): Terms {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(terms) ? before : terms;
}

function clientCertificate(
  { namespace, clientCertificate: reference }: GatewayModel,
  intent: GatewayView['intent'],
  ask: Asking,
): Pick<GatewayView, 'clientCertificate' | 'clientCertificateRefused' | 'intent'> {
  if (reference === undefined) return { intent };
  const from = { group: gatewayGroup, kind: 'Gateway', namespace };
  const { value, refused } = findCertificate(from, reference, 'InvalidClientCertificateRef', ask);
  if (value === undefined) return { intent, ...(refused && { clientCertificateRefused: refused }) };
  const certificates = { [value.key]: certificateIntent(value) };
  return { intent: { ...intent, certificates }, clientCertificate: value.key };
}
