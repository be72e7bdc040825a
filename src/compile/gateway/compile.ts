/** All Gateways at once: what each instance holds, and what is said of every object. */
import type { GatewayIntent } from '#intent/gateway.ts';
import type { Problem } from '#model/problem.ts';
import { createGatewayBook } from './book.ts';
import { albInstance } from './instances/derived-gateway.ts';
import type { GatewayInput, GatewaySlots, GatewaySnapshot, GatewayStatus, InstanceFacts } from './types.ts';

export type CompiledGateways = {
  /** By instance, of those that are ours. */
  readonly intents: ReadonlyMap<string, GatewayIntent>;
  /** By `KIND/namespace/name`. */
  readonly statuses: ReadonlyMap<string, GatewayStatus>;
  /** By Gateway, of those that one serves: its instance. */
  readonly instances: ReadonlyMap<string, string>;
  /** Secrets and ConfigMaps that are named: `KIND/namespace/name`. */
  readonly references: ReadonlySet<string>;
};

/** `facts` by instance. What is wrong with an object is said in its status, so there are no problems besides. */
export function compileGateways(
  snapshot: GatewaySnapshot,
  facts: ReadonlyMap<string, InstanceFacts>,
  slots: GatewaySlots,
): { readonly value: CompiledGateways; readonly problems: readonly Problem[] } {
  const book = createGatewayBook(slots);
  const put = <K extends GatewayInput>(kind: K): void => {
    for (const [key, value] of snapshot[kind]) book.set(kind, key, value);
  };
  for (const kind of Object.keys(snapshot) as GatewayInput[]) put(kind);
  for (const [gateway, value] of facts) book.setFacts(gateway, value);
  const { instances, statuses } = book.settle();
  const intents = [...instances.keys()].flatMap((gateway) => {
    const whole = book.whole(gateway);
    return whole === undefined ? [] : [[gateway, whole] as const];
  });
  const gateways = [...snapshot.gateway.keys(), ...[...snapshot.alb.keys()].map(albInstance)];
  const serving = gateways.flatMap((gateway) => {
    const instance = book.instanceOf(gateway);
    return instance === undefined ? [] : [[gateway, instance] as const];
  });
  const said = [...statuses].flatMap(([id, status]) => (status === undefined ? [] : [[id, status] as const]));
  return {
    value: {
      intents: new Map(intents),
      statuses: new Map(said),
      instances: new Map(serving),
      references: book.references(),
    },
    problems: [],
  };
}
