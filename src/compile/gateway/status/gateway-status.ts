/** What is said of a Gateway, and of its listeners. */
import type { GatewayModel } from '#model/gateway/types.ts';
import type { GatewayView } from '../gateway-view.ts';
import { allowsFallback } from '../listeners/client-validation.ts';
import { condition, conditionOf } from '../listeners/listener-conditions.ts';
import type { GatewayCondition, GatewayStatus, InstanceFacts, Listener, ListenerStatus } from '../types.ts';

/** What a status needs besides the view. */
export type StatusContext = {
  readonly facts: InstanceFacts | undefined;
  /** Of the Gateway. */
  readonly accepted: GatewayCondition;
  /** By key of a listener. */
  readonly attachedRoutes: (listener: string) => number;
};

export function gatewayStatus(
  view: GatewayView,
  context: StatusContext,
  attachedListenerSets: number,
): GatewayStatus {
  const { model } = view;
  const { accepted } = context;
  const listeners = ownListeners(view);
  return {
    kind: 'Gateway',
    key: model.key,
    conditions: [
      accepted,
      programmedGateway(view, accepted, context.facts),
      resolvedRefs(view, listeners),
      ...(allowsFallback(model)
        ? [
            condition(
              'InsecureFrontendValidationMode',
              'True',
              'ConfigurationChanged',
              'AllowInsecureFallback lets clients in that show no certificate or a bad one',
            ),
          ]
        : []),
    ],
    listeners: listenerStatuses(listeners, context),
    attachedListenerSets,
  };
}

/** Whether a Gateway is accepted, on which its ListenerSets depend. Those of its own listeners decide. */
export function acceptedGateway(view: GatewayView, facts: InstanceFacts | undefined): GatewayCondition {
  const { model, classWaits, unshared } = view;
  if (classWaits !== undefined) return condition('Accepted', 'Unknown', 'Pending', classWaits);
  const refuse = (reason: string, message: string) => condition('Accepted', 'False', reason, message);
  if (unshared !== undefined) return refuse('InvalidParameters', unshared);
  if (facts?.invalidParameters !== undefined) return refuse('InvalidParameters', facts.invalidParameters);
  const foreign = model.addresses.find(({ type }) => type !== 'IPAddress');
  if (foreign !== undefined)
    return refuse('UnsupportedAddress', `Addresses of type ${foreign.type} can't be had; use IPAddress`);
  const listeners = ownListeners(view);
  const refused = listeners.filter((each) => !isAccepted(each));
  // An ALB needs no listener of its own to serve those of others.
  if (refused.length === 0) return condition('Accepted', 'True', 'Accepted', 'It can be served');
  const names = (list: readonly Listener[]) => list.map(({ model: { name } }) => name).join(', ');
  if (refused.length === listeners.length)
    return refuse('ListenersNotValid', `None of its listeners can be served: ${names(refused)}`);
  return condition(
    'Accepted',
    'True',
    'ListenersNotValid',
    `Not served: ${names(refused)}; served: ${names(listeners.filter(isAccepted))}`,
  );
}

function isAccepted({ conditions }: Listener): boolean {
  return conditionOf(conditions, 'Accepted')?.status === 'True';
}

export function listenerStatuses(
  listeners: readonly Listener[],
  { facts, attachedRoutes }: StatusContext,
): readonly ListenerStatus[] {
  return listeners.map((listener) => ({
    name: listener.model.name,
    supportedKinds: listener.supportedKinds,
    attachedRoutes: attachedRoutes(listener.key),
    conditions: [...listener.conditions, programmedListener(listener, facts)],
  }));
}

export function ownListeners({ model, parents }: GatewayView): readonly Listener[] {
  return parents.get(`Gateway/${model.key}`)?.listeners ?? [];
}

export function programmedGateway(
  view: GatewayView,
  accepted: GatewayCondition,
  facts: InstanceFacts | undefined,
): GatewayCondition {
  if (accepted.status === 'Unknown') return { ...accepted, type: 'Programmed' };
  const wait = (reason: string, message: string) => condition('Programmed', 'False', reason, message);
  if (accepted.status === 'False') return wait('Invalid', accepted.message);
  if (facts === undefined) return wait('Pending', 'Its data plane is not there yet');
  const wanted = view.model.addresses.flatMap(({ value }) => value ?? []);
  const missing = wanted.filter((value) => !hasAddress(facts, value));
  if (missing.length > 0)
    return wait('AddressNotUsable', `It did not get ${missing.join(', ')}${because(facts)}`);
  if (facts.addresses.length === 0) return wait('AddressNotAssigned', `It has no address${because(facts)}`);
  if (facts.waiting !== undefined) return wait('Pending', facts.waiting);
  if (!isServing(view)) return wait('Invalid', 'None of its listeners is served');
  return condition('Programmed', 'True', 'Programmed', 'It is served');
}

function isServing({ parents }: GatewayView): boolean {
  for (const { listeners } of parents.values()) if (listeners.some(({ served }) => served)) return true;
  return false;
}

function because({ waiting }: InstanceFacts): string {
  return waiting === undefined ? '' : `: ${waiting}`;
}

function hasAddress(
  { addresses }: InstanceFacts,
  wanted: GatewayModel['addresses'][number]['value'],
): boolean {
  return addresses.some(({ type, value }) => type === 'IPAddress' && value === wanted);
}

function resolvedRefs(view: GatewayView, listeners: readonly Listener[]): GatewayCondition {
  const { clientCertificateRefused: refused } = view;
  if (refused !== undefined) return condition('ResolvedRefs', 'False', refused.reason, refused.message);
  const open = listeners.filter(
    ({ conditions }) => conditionOf(conditions, 'ResolvedRefs')?.status === 'False',
  );
  if (open.length === 0)
    return condition('ResolvedRefs', 'True', 'ResolvedRefs', 'All that it names is there');
  const names = open.map(({ model: { name } }) => name).join(', ');
  return condition('ResolvedRefs', 'False', 'ListenersNotResolved', `See its listeners ${names}`);
}

/** Reasons of a ListenerSet's listeners that are said of `Programmed`, too. */
const shared = new Set(['HostnameConflict', 'ProtocolConflict', 'PortUnavailable']);

function programmedListener(
  { served, owner, conditions }: Listener,
  facts: InstanceFacts | undefined,
): GatewayCondition {
  if (served) {
    const waiting = facts === undefined ? 'The data plane is not there yet' : facts.waiting;
    return waiting === undefined
      ? condition('Programmed', 'True', 'Programmed', 'It is served')
      : condition('Programmed', 'False', 'Pending', waiting);
  }
  const why = ['Accepted', 'ResolvedRefs'].flatMap((type) => conditionOf(conditions, type) ?? []);
  const refusal = why.find(({ status }) => status === 'False');
  const reason = refusal?.reason ?? 'Invalid';
  return condition(
    'Programmed',
    'False',
    owner.kind === 'ListenerSet' && shared.has(reason) ? reason : 'Invalid',
    refusal?.message ?? 'It is not served',
  );
}
