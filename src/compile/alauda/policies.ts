/** What Gateway API has no field for, as policies for the routes that a Rule or Frontend became. */
import type { AlaudaSettings, ServiceGroup } from '#model/alauda/types.ts';
import type {
  PolicyTarget,
  TrafficPolicyModel,
  TrafficSettings,
  WAFPolicyModel,
} from '#model/gateway/policy-types.ts';
import type { GatewayObject, RouteModel } from '#model/gateway/types.ts';
import { albGroup } from '../gateway/instances/derived-gateway.ts';
import { ingressSection } from '../gateway/policies/levels.ts';
import { questionOf } from './rules.ts';

export type AlaudaPolicies = {
  readonly policies: readonly TrafficPolicyModel[];
  readonly wafPolicies: readonly WAFPolicyModel[];
};

/** The nearest comes last. */
export function mergeSettings(...levels: readonly AlaudaSettings[]): AlaudaSettings {
  const [last = {}, ...outer] = levels.toReversed();
  const inherited = outer.toReversed().map((each): AlaudaSettings => {
    const { redirect, ...rest } = each;
    return redirect === undefined ? each : rest;
  });
  return Object.assign({}, ...inherited, last) as AlaudaSettings;
}

export function policiesOf(
  head: GatewayObject,
  routes: readonly RouteModel[],
  settings: AlaudaSettings,
  group: ServiceGroup | undefined,
): AlaudaPolicies {
  const targets = routes.map(
    ({ kind, name }): PolicyTarget => ({ group: 'gateway.networking.k8s.io', kind, name }),
  );
  const traffic = trafficOf(settings, group);
  const { firewall } = settings;
  const mode = firewall !== undefined && 'mode' in firewall ? firewall.mode : undefined;
  return {
    policies:
      Object.keys(traffic).length === 0 ? [] : [{ ...head, targets, enforced: false, settings: traffic }],
    wafPolicies: mode === undefined ? [] : [{ ...head, targets, enforced: false, settings: { mode } }],
  };
}

/** For Ingresses at a port of the ALB that an ALB2 is: no route of theirs says it. */
export function ingressPolicies(
  head: GatewayObject,
  alb: string,
  port: number,
  settings: AlaudaSettings,
): AlaudaPolicies {
  const targets: readonly PolicyTarget[] = [
    { group: albGroup, kind: 'ALB', name: alb, section: ingressSection(port) },
  ];
  const { auth, timeouts, firewall } = settings;
  const { timeouts: own, ...traffic } = trafficOf(settings, undefined);
  const times = { ...own, ...(timeouts?.read === undefined ? {} : { backendRequest: timeouts.read }) };
  const closed = closedBy(settings);
  const policy: TrafficPolicyModel = {
    ...head,
    targets,
    enforced: false,
    settings: {
      ...traffic,
      ...(auth?.by === 'service' ? { externalAuth: questionOf(auth) } : {}),
      ...(Object.keys(times).length === 0 ? {} : { timeouts: times }),
    },
    ...(closed === undefined ? {} : { refused: [{ field: 'spec.config', message: closed, protects: true }] }),
  };
  const isEmpty = Object.keys(policy.settings).length === 0 && closed === undefined;
  const mode = firewall !== undefined && 'mode' in firewall ? firewall.mode : undefined;
  return {
    policies: isEmpty ? [] : [policy],
    wafPolicies: mode === undefined ? [] : [{ ...head, targets, enforced: false, settings: { mode } }],
  };
}

function trafficOf({ timeouts, auth }: AlaudaSettings, group: ServiceGroup | undefined): TrafficSettings {
  const affinity = group?.affinity;
  return {
    ...(timeouts?.connect === undefined ? {} : { timeouts: { connect: timeouts.connect } }),
    ...(auth?.by === 'password' ? { basicAuth: { realm: auth.realm, secret: auth.secret } } : {}),
    ...(affinity?.by === 'client' ? { affinity: { type: 'hash', hash: { by: 'client' } } } : {}),
    ...(affinity?.by === 'header'
      ? { affinity: { type: 'hash', hash: { by: 'header', name: affinity.name } } }
      : {}),
  };
}

/** Whether something of it says who is let in. */
export function protects({ auth, firewall }: AlaudaSettings): boolean {
  return (auth !== undefined && auth.by !== 'nobody') || (firewall !== undefined && !isOff(firewall));
}

/** A sentence, where it can't be honoured: nobody is let in. */
export function closedBy({ auth, firewall }: AlaudaSettings): string | undefined {
  if (auth?.by === 'unusable') return auth.message;
  return firewall !== undefined && 'unusable' in firewall ? firewall.unusable : undefined;
}

function isOff(firewall: NonNullable<AlaudaSettings['firewall']>): boolean {
  return 'mode' in firewall && firewall.mode === 'off';
}
