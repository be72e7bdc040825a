/** What policies change of an action. What the rule says itself is nearer, unless a policy insists. */
import type {
  GatewayActionIntent,
  GatewayCORS,
  GatewayExternalAuth,
  GatewayWeightedBackend,
} from '#intent/gateway.ts';
import type { GatewayCanary } from '#intent/gateway-policy.ts';
import type { TrafficPolicyModel, TrafficSettings } from '#model/gateway/policy-types.ts';
import type { BackendReference, GRPCRuleModel, HTTPRuleModel } from '#model/gateway/types.ts';
import { isObjection } from '../entries/filters.ts';
import { persistenceOf } from '../entries/persistence.ts';
import type { BackendUse, EntryContext } from '../types.ts';
import { type Applied, resolveForPolicy } from './applied.ts';
import type { Choice } from './merge.ts';

export type PolicyAction = {
  readonly intent: GatewayActionIntent;
  /** What it sends to besides. */
  readonly uses: readonly BackendUse[];
};

type Rule = HTTPRuleModel | GRPCRuleModel;

/** `written` is the action as the rule has it, `key` its name without policies. */
export function policyAction(
  written: GatewayActionIntent,
  rule: Rule,
  applied: Applied,
  key: string,
  context: EntryContext,
): PolicyAction {
  const { origin, kind } = written;
  if (applied.closed !== undefined) return { intent: { origin, kind, backends: [] }, uses: [] };
  const { traffic, own } = applied;
  const uses = new Map<string, BackendUse>(applied.uses.map((use) => [use.key, use]));
  const speech = kind === 'grpc' ? 'grpc' : 'http';
  const resolve: ResolveAs = (policy, backend, as = speech) => {
    const { use } = resolveForPolicy(backend, policy, context, as);
    if (use !== undefined) uses.set(use.key, use);
    return use?.key;
  };
  /** Whether a policy has its way beside what the rule says. */
  const rules: Rules = (choice, said) =>
    choice === undefined || (said && !choice.policy.enforced) ? undefined : choice;
  const has = (type: string): boolean => rule.filters.some((filter) => filter.type === type);

  const cors = rules(traffic.get('cors'), has('CORS'));
  const auth = rules(traffic.get('externalAuth'), has('ExternalAuth'));
  const mirrors = rules(traffic.get('mirrors'), has('RequestMirror'));
  const canaries = own.get('canaries');
  const retry = rules(traffic.get('retry'), 'retry' in rule && rule.retry !== undefined);
  const affinity = rules(traffic.get('affinity'), rule.sessionPersistence !== undefined);
  const timeouts = timeoutsOf(written, traffic, rules);
  const { retry: ownRetry, persistence, ...others } = written;
  return {
    intent: {
      ...others,
      ...(cors === undefined ? {} : { cors: corsOf(cors.value) }),
      ...(auth === undefined ? {} : { externalAuth: authOf(auth, resolve) }),
      ...(mirrors === undefined ? {} : { mirrors: mirrorsOf(mirrors, resolve) }),
      ...(Object.keys(timeouts).length === 0 ? {} : { timeouts }),
      ...retryOf(retry === undefined ? ownRetry : retry.value),
      ...(affinity === undefined
        ? persistence === undefined
          ? {}
          : { persistence }
        : affinityOf(affinity.value, key)),
      ...(canaries === undefined ? {} : { canaries: canariesOf(canaries, resolve) }),
      ...(applied.hasEntry ? { policy: applied.key } : {}),
    },
    uses: [...uses.values()],
  };
}

type Rules = <V>(
  choice: Choice<TrafficPolicyModel, V> | undefined,
  said: boolean,
) => Choice<TrafficPolicyModel, V> | undefined;

type ResolveAs = (
  policy: TrafficPolicyModel,
  backend: BackendReference,
  as?: 'http' | 'grpc',
) => string | undefined;

type Chosen<K extends keyof TrafficSettings> = Choice<TrafficPolicyModel, NonNullable<TrafficSettings[K]>>;

function timeoutsOf(
  { timeouts: own = {} }: GatewayActionIntent,
  traffic: Applied['traffic'],
  rules: Rules,
): NonNullable<GatewayActionIntent['timeouts']> {
  const request = rules(traffic.get('timeouts.request'), own.request !== undefined)?.value ?? own.request;
  const backend =
    rules(traffic.get('timeouts.backendRequest'), own.backend !== undefined)?.value ?? own.backend;
  const connect = traffic.get('timeouts.connect')?.value;
  return {
    ...(request === undefined ? {} : { request }),
    ...(backend === undefined ? {} : { backend }),
    ...(connect === undefined ? {} : { connect }),
  };
}

function retryOf(retry: GatewayActionIntent['retry']): Pick<GatewayActionIntent, 'retry'> {
  return retry === undefined || retry.attempts <= 0 ? {} : { retry };
}

/** Sessions that have no name have one by the rule, so that they outlive a change of policies. */
function affinityOf(
  affinity: NonNullable<TrafficSettings['affinity']>,
  key: string,
): Pick<GatewayActionIntent, 'persistence' | 'hash'> {
  if (affinity.type === 'hash') return { hash: affinity.hash };
  const persistence = persistenceOf(affinity.session, key, 'spec.affinity');
  return persistence === undefined || isObjection(persistence) ? {} : { persistence };
}

/** A canary without anything to send to would take requests away from backends that can serve them. */
function canariesOf({ value, policy }: Chosen<'canaries'>, resolve: ResolveAs): readonly GatewayCanary[] {
  return value.flatMap(({ header, cookie, share, backends }): readonly GatewayCanary[] => {
    const sent = backends.flatMap((each): readonly GatewayWeightedBackend[] => {
      const backend = resolve(policy, each);
      if (each.weight <= 0) return [];
      return [{ ...(backend === undefined ? {} : { backend }), weight: each.weight }];
    });
    if (sent.length === 0) return [];
    return [
      {
        ...(header === undefined ? {} : { header }),
        ...(cookie === undefined ? {} : { cookie }),
        ...(share === undefined ? {} : { share }),
        backends: sent,
      },
    ];
  });
}

function mirrorsOf(
  { value, policy }: Chosen<'mirrors'>,
  resolve: ResolveAs,
): NonNullable<GatewayActionIntent['mirrors']> {
  return value.flatMap(({ backend, share }) => {
    const use = resolve(policy, backend);
    return use === undefined || share <= 0 ? [] : [{ backend: use, share }];
  });
}

/** Without its backend nobody is let in. */
function authOf({ value, policy }: Chosen<'externalAuth'>, resolve: ResolveAs): GatewayExternalAuth {
  const { path, allowedHeaders, allowedResponseHeaders, forwardBody, asIngress } = value;
  const protocol = value.protocol === 'GRPC' ? 'grpc' : 'http';
  const backend = resolve(policy, value.backend, protocol);
  return {
    protocol,
    ...(backend === undefined ? {} : { backend }),
    path,
    allowedHeaders,
    allowedResponseHeaders,
    ...(forwardBody === undefined || forwardBody === 0 ? {} : { forwardBody }),
    ...(asIngress === undefined ? {} : { asIngress }),
  };
}

function corsOf(value: NonNullable<TrafficSettings['cors']>): GatewayCORS {
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAge } = value;
  return { allowOrigins, allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAge };
}
