/** One Gateway with its ListenerSets: what is served by it, and what is known of it for its status and for routes. */
import type { GatewayIntent } from '#intent/gateway.ts';
import type { GatewayModel, ListenerSetModel } from '#model/gateway/types.ts';
import { olderFirst } from './age.ts';
import type { Asking } from './inputs.ts';
import { gatewayGroup, type Refusal } from './listener-protocols.ts';
import { certificateIntent, compileListeners } from './listeners.ts';
import { findCertificate } from './named-objects.ts';
import { allowsNamespace } from './namespaces.ts';
import { controllerName, type GatewaySlots, type Listener } from './types.ts';

export type GatewayView = {
  readonly model: GatewayModel;
  /** A sentence, while its class isn't accepted: then nothing is served by it. */
  readonly classWaits?: string;
  /** By `KIND/namespace/name` of the Gateway and of the ListenerSets that it takes. */
  readonly parents: ReadonlyMap<string, readonly Listener[]>;
  /** Keys of ListenerSets that name it: whether it allows them. */
  readonly sets: ReadonlyMap<string, boolean>;
  /** Key in GatewayIntent.certificates: what it shows to backends. */
  readonly clientCertificate?: string;
  /** Why it shows nothing although it should. */
  readonly clientCertificateRefused?: Refusal;
  readonly intent: Partial<GatewayIntent>;
};

/** `undefined`: there is none, or it is somebody else's. */
export function viewGateway(key: string, slots: GatewaySlots, ask: Asking): GatewayView | undefined {
  const model = ask.get('gateway', key);
  const gatewayClass = model && ask.class(model.className);
  if (model === undefined || gatewayClass?.controllerName !== controllerName) return undefined;
  const named = ask.setsOf(key).flatMap((each) => ask.get('listenerSet', each) ?? []);
  const allowed = named.filter(({ namespace }) =>
    allowsNamespace(model.allowedListeners, model.namespace, namespace, ask),
  );
  const sets = new Map(named.map((each) => [each.key, allowed.includes(each)]));
  const own = `Gateway/${key}`;
  if (gatewayClass.parameters !== undefined) {
    const classWaits = `GatewayClass ${model.className} is not accepted`;
    return { model, classWaits, parents: new Map([[own, []]]), sets, intent: {} };
  }
  const taken = allowed.sort(olderFirst);
  const { listeners, intent } = compileListeners(model, taken, slots, ask);
  return {
    model,
    parents: byParent(own, taken, listeners),
    sets,
    ...clientCertificate(model, intent, ask),
  };
}

function byParent(
  own: string,
  taken: readonly ListenerSetModel[],
  listeners: readonly Listener[],
): ReadonlyMap<string, readonly Listener[]> {
  const parents = new Map<string, Listener[]>([[own, []]]);
  for (const { key } of taken) parents.set(`ListenerSet/${key}`, []);
  for (const listener of listeners)
    parents.get(`${listener.owner.kind}/${listener.owner.key}`)?.push(listener);
  return parents;
}

function clientCertificate(
  { namespace, clientCertificate: reference }: GatewayModel,
  intent: Pick<GatewayIntent, 'ports' | 'listeners' | 'certificates' | 'authorities'>,
  ask: Asking,
): Pick<GatewayView, 'clientCertificate' | 'clientCertificateRefused' | 'intent'> {
  if (reference === undefined) return { intent };
  const from = { group: gatewayGroup, kind: 'Gateway', namespace };
  const { value, refused } = findCertificate(from, reference, 'InvalidClientCertificateRef', ask);
  if (value === undefined) return { intent, ...(refused && { clientCertificateRefused: refused }) };
  const certificates = { ...intent.certificates, [value.key]: certificateIntent(value) };
  return { intent: { ...intent, certificates }, clientCertificate: value.key };
}
