/** What is said of TrafficPolicies, WAFPolicies and BackendPolicies, change by change. */
import type {
  AttachedPolicy,
  BackendPolicyModel,
  TrafficPolicyModel,
  WAFPolicyModel,
} from '#model/gateway/policy-types.ts';
import type { Inputs } from '../inputs.ts';
import type { Lookups } from '../lookups.ts';
import type { Statuses } from '../status/statuses.ts';
import type { EntryContext, GatewayCondition, GatewayInput } from '../types.ts';
import { backendFields } from './backend-policies.ts';
import { firewallFields, firewallFindings } from './firewall.ts';
import type { FieldsOf } from './merge.ts';
import { overridden } from './overridden.ts';
import { policyConditions, targetNotFound } from './policy-conditions.ts';
import { type Reach, targetStanding } from './policy-targets.ts';
import { trafficFields } from './traffic.ts';
import { trafficFindings, trafficIdle } from './traffic-findings.ts';
import type { PolicyAncestor } from './types.ts';

export type PolicyBook = {
  /** A policy is another one than before. */
  mark(kind: AttachedInput, key: string): void;
  /** After the routes: says what is due. */
  settle(): void;
};

export type AttachedInput = Extract<GatewayInput, 'policy' | 'wafPolicy' | 'backendPolicy'>;

/** A policy's status has room for this many (the CRD's limit). */
const mostAncestors = 16;

const stage = 'attached';

export function createPolicyBook(
  inputs: Inputs,
  lookups: Lookups,
  statuses: Statuses,
  reach: Reach,
  context: EntryContext,
  /** Of a policy that was made of something else: `INPUT namespace/name`. */
  tell: (key: string, conditions: readonly GatewayCondition[]) => void,
): PolicyBook {
  const { ask } = inputs;
  const judged = <P extends AttachedPolicy, F extends object>(
    policy: P,
    found: P['targets'],
    gateways: readonly string[],
    fields: FieldsOf<P, F>,
    { rivals, missing, idle }: Parameters<typeof policyConditions<P, F>>[3],
  ): readonly PolicyAncestor[] => {
    const conditions = policyConditions(policy, found, fields, { rivals, missing, idle });
    return gateways.map((gateway) => {
      const lost = overridden(policy, gateway, fields, rivals, ask, reach);
      return { gateway, conditions: lost === undefined ? conditions : [...conditions, lost] };
    });
  };
  const judgements: {
    readonly [K in AttachedInput]: (
      policy: never,
      found: AttachedPolicy['targets'],
      gateways: readonly string[],
    ) => readonly PolicyAncestor[];
  } = {
    policy: (policy: TrafficPolicyModel, found, gateways) =>
      judged(policy, found, gateways, trafficFields, {
        rivals: (target) => ask.attached.at(target).traffic,
        missing: trafficFindings(policy, context),
        idle: trafficIdle(policy, (gateway) => (reach.instanceOf(gateway) ?? gateway) !== gateway),
      }),
    wafPolicy: (policy: WAFPolicyModel, found, gateways) =>
      judged(policy, found, gateways, firewallFields, {
        rivals: (target) => ask.attached.at(target).firewall,
        missing: firewallFindings(policy, context),
        idle: [],
      }),
    backendPolicy: (policy: BackendPolicyModel, found, gateways) =>
      judged(policy, found, gateways, backendFields, {
        rivals: (target) => ask.attached.ofService(target.slice('Service/'.length)),
        missing: [],
        idle: [],
      }),
  };

  /** Each Gateway that has a target of it is told the same, but for what is overridden there; a target that isn't there stands by itself. */
  const ancestorsOf = (input: AttachedInput, policy: AttachedPolicy): readonly PolicyAncestor[] => {
    const standings = policy.targets.map((target, index) => ({
      target,
      ...targetStanding(policy, index, input === 'backendPolicy' ? 'backends' : 'traffic', ask, reach),
    }));
    const found = standings.filter(({ problem }) => problem === undefined).map(({ target }) => target);
    const gateways = [...new Set(standings.flatMap((each) => each.gateways))].sort();
    const told = gateways.length === 0 ? [] : judgements[input](policy as never, found, gateways);
    const missing = standings.flatMap(({ target, problem }): readonly PolicyAncestor[] => {
      if (problem === undefined) return [];
      const { group, kind, name } = target;
      const reference = { group, kind, namespace: policy.namespace, name };
      return [{ target: reference, conditions: targetNotFound(problem) }];
    });
    return [...told, ...onceEach(missing)].slice(0, mostAncestors);
  };

  const say = (input: AttachedInput, key: string): void => {
    const kind = kinds[input];
    const ancestors = lookups.track(stage, `${input} ${key}`, () => {
      const policy = ask.get(input, key);
      return policy === undefined ? [] : ancestorsOf(input, policy);
    });
    const policy = inputs.peek(input, key);
    if (policy === undefined) {
      lookups.forget(stage, `${input} ${key}`);
      statuses.leave(`${kind}/${key}`);
    } else if (policy.origin.kind === kind)
      statuses.say(
        `${kind}/${key}`,
        policy.generation,
        ancestors.length === 0 ? undefined : { kind, key, ancestors },
      );
    else
      tell(
        `${input} ${key}`,
        ancestors.flatMap(({ conditions }) => conditions),
      );
  };

  return {
    mark: (kind, key) => lookups.mark(stage, `${kind} ${key}`),
    settle() {
      for (const id of lookups.take(stage)) {
        const space = id.indexOf(' ');
        say(id.slice(0, space) as AttachedInput, id.slice(space + 1));
      }
    },
  };
}

const kinds = {
  policy: 'TrafficPolicy',
  wafPolicy: 'WAFPolicy',
  backendPolicy: 'BackendPolicy',
} as const satisfies Readonly<Record<AttachedInput, string>>;

/** Two sections of one object that aren't there are one entry: the status is by reference. */
function onceEach(ancestors: readonly PolicyAncestor[]): readonly PolicyAncestor[] {
  const seen = new Set<string>();
  return ancestors.filter(({ target }) => {
    const text = JSON.stringify(target);
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}
