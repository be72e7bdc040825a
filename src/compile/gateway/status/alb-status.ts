/** What is said of an ALB. */
import { type GatewayView, type InstanceView, parentsOf } from '../gateway-view.ts';
import { condition, conditionOf, shortened } from '../listeners/listener-conditions.ts';
import type { GatewayCondition, GatewayStatus, Listener } from '../types.ts';
import { listenerStatuses, ownListeners, programmedGateway, type StatusContext } from './gateway-status.ts';

/** `undefined`: the instance has nothing of the ALB's. */
export function albStatus(
  key: string,
  instance: InstanceView,
  context: StatusContext,
): GatewayStatus | undefined {
  const [view] = instance.gateways.values();
  if (view === undefined) return undefined;
  const listeners = ownListeners(view);
  // With those of others: an ALB needs no listener of its own.
  const whole = { ...view, parents: parentsOf(instance) };
  return {
    kind: 'ALB',
    key,
    conditions: [
      accepted(context.accepted, view),
      programmedGateway(whole, context.accepted, context.facts),
      resolvedRefs(listeners),
    ],
    listeners: listenerStatuses(listeners, context),
    gateways: instance.gateways.size - 1,
  };
}

function accepted(condition: GatewayCondition, { alb, lostClass }: GatewayView): GatewayCondition {
  const wrong = [...(alb?.unusable ?? []), ...(lostClass === undefined ? [] : [lostClass])];
  if (condition.status !== 'True' || wrong.length === 0) return condition;
  return { ...condition, reason: 'PartiallyInvalid', message: shortened(wrong.join('; ')) };
}

function resolvedRefs(listeners: readonly Listener[]): GatewayCondition {
  const [open] = listeners.flatMap(({ model: { name }, conditions }) => {
    const found = conditionOf(conditions, 'ResolvedRefs');
    return found?.status === 'False' ? [{ ...found, message: `spec.${name}: ${found.message}` }] : [];
  });
  return open ?? condition('ResolvedRefs', 'True', 'ResolvedRefs', 'All that it names is there');
}
