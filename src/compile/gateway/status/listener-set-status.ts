/** What is said of a ListenerSet whose Gateway is ours. */
import type { ListenerSetModel } from '#model/gateway/types.ts';
import type { GatewayView } from '../gateway-view.ts';
import { condition } from '../listeners/listener-conditions.ts';
import type { GatewayCondition, GatewayStatus } from '../types.ts';
import { listenerStatuses, type StatusContext } from './gateway-status.ts';

export function listenerSetStatus(
  { key }: ListenerSetModel,
  view: GatewayView,
  context: StatusContext,
): GatewayStatus {
  const listeners = view.parents.get(`ListenerSet/${key}`)?.listeners ?? [];
  const accepted = acceptedSet(key, view, context);
  return {
    kind: 'ListenerSet',
    key,
    conditions: [accepted, programmedSet(accepted, context)],
    listeners: listenerStatuses(listeners, context),
  };
}

export function acceptedSet(
  key: string,
  view: GatewayView,
  { accepted: parent }: StatusContext,
): GatewayCondition {
  const refuse = (reason: string, message: string) => condition('Accepted', 'False', reason, message);
  if (view.sets.get(key) !== true)
    return refuse('NotAllowed', 'The Gateway takes no ListenerSets of this namespace');
  // Why is for those to see who may see the Gateway.
  if (parent.status !== 'True') return refuse('ParentNotAccepted', 'The Gateway is not accepted itself');
  const listeners = view.parents.get(`ListenerSet/${key}`)?.listeners ?? [];
  // As Gateway API's conformance wants it: unlike a Gateway, a set is no better than what its listeners name, such as certificates.
  const refused = listeners.filter(({ served }) => !served).map(({ model: { name } }) => name);
  if (refused.length === 0) return condition('Accepted', 'True', 'Accepted', 'It is attached');
  if (refused.length === listeners.length)
    return refuse('ListenersNotValid', `None of its listeners can be served: ${refused.join(', ')}`);
  return condition('Accepted', 'True', 'ListenersNotValid', `Not served: ${refused.join(', ')}`);
}

function programmedSet(accepted: GatewayCondition, { facts }: StatusContext): GatewayCondition {
  if (accepted.status !== 'True') {
    const reason = accepted.reason === 'ParentNotAccepted' ? 'ParentNotProgrammed' : accepted.reason;
    return condition('Programmed', 'False', reason, accepted.message);
  }
  return facts === undefined || facts.waiting !== undefined || facts.addresses.length === 0
    ? condition('Programmed', 'False', 'ParentNotProgrammed', 'The Gateway is not served yet')
    : condition('Programmed', 'True', 'Programmed', 'It is served');
}
