/** What one route says to the data plane of one Gateway, and what is said of it in its status. Other routes have no part in it. */
import type { GatewayActionIntent, GatewayRuleIntent } from '#intent/gateway.ts';
import type { GRPCRouteModel, HTTPRouteModel } from '#model/gateway/types.ts';
import { actionOf } from './actions.ts';
import type { Refusal } from './backend-refs.ts';
import type { Objection } from './filters.ts';
import { matchesOf } from './matches.ts';
import { streamsOf } from './streams.ts';
import type { Attachment, BackendUse, EntryContext, GatewayCondition, RouteEntriesOf } from './types.ts';

/** `attachments` are those to one Gateway. A listener that isn't served gets no entries, but references are judged all the same. */
export const routeEntries: RouteEntriesOf = (route, attachments, context) => {
  if (route.kind === 'HTTPRoute' || route.kind === 'GRPCRoute') {
    return requestEntries(route, attachments, context);
  }
  const { intent, uses, refusals } = streamsOf(route, attachments, context);
  return {
    intent: { rules: {}, actions: {}, streams: intent },
    backends: uses,
    conditions: conditionsOf(route.rules.length, [], refusals),
  };
};

function requestEntries(
  route: HTTPRouteModel | GRPCRouteModel,
  attachments: readonly Attachment[],
  context: EntryContext,
): ReturnType<RouteEntriesOf> {
  const rules: Record<string, GatewayRuleIntent> = {};
  const actions: Record<string, GatewayActionIntent> = {};
  const uses = new Map<string, BackendUse>();
  const objections: { readonly rule: number; readonly objection: Objection }[] = [];
  const refusals: Refusal[] = [];
  const places = attachments
    .flatMap((each) => each.listeners)
    .filter(({ listener, hosts }) => listener.served && hosts.length > 0);
  for (const index of route.rules.keys()) {
    const key = `${route.kind}/${route.key}|${index}`;
    const action = actionOf(route, index, key, context);
    refusals.push(...action.refusals);
    if (action.objection !== undefined) objections.push({ rule: index, objection: action.objection });
    if (places.length === 0) continue;
    actions[key] = action.intent;
    for (const use of action.uses) uses.set(use.key, use);
    const matches = matchesOf(route, index);
    for (const { listener, hosts } of places) {
      for (const host of hosts) {
        for (const [at, match] of matches.entries()) {
          rules[`${listener.key}|${host}|${key}.${at}`] = {
            listener: listener.key,
            host,
            ...match,
            action: key,
          };
        }
      }
    }
  }
  return {
    intent: { rules, actions, streams: {} },
    backends: [...uses.values()],
    conditions: conditionsOf(route.rules.length, objections, refusals),
  };
}

/** A route is accepted while one of its rules is served. Filters of others' that aren't known are references that can't be resolved. */
function conditionsOf(
  rules: number,
  objections: readonly { readonly rule: number; readonly objection: Objection }[],
  refusals: readonly Refusal[],
): readonly GatewayCondition[] {
  const invalid = objections.flatMap(({ rule, objection }) => {
    const { reason, message } = objection;
    return reason === 'InvalidKind' ? [] : [{ rule, reason, message }];
  });
  const unresolved = [
    ...objections.flatMap(({ objection: { reason, message } }) =>
      reason === 'InvalidKind' ? [{ reason, message }] : [],
    ),
    ...refusals,
  ];
  const [first] = unresolved;
  const resolved: GatewayCondition =
    first === undefined
      ? {
          type: 'ResolvedRefs',
          status: 'True',
          reason: 'ResolvedRefs',
          message: 'All that it refers to is there',
        }
      : { type: 'ResolvedRefs', status: 'False', reason: first.reason, message: joined(unresolved) };
  const [worst] = invalid;
  if (worst === undefined) return [resolved];
  const why = joined(invalid);
  if (invalid.length === rules) {
    return [{ type: 'Accepted', status: 'False', reason: worst.reason, message: why }, resolved];
  }
  const numbers = invalid.map(({ rule }) => rule).join(', ');
  const message = `Dropped Rule${invalid.length === 1 ? '' : 's'} ${numbers}, whose requests get 500: ${why}`;
  return [resolved, { type: 'PartiallyInvalid', status: 'True', reason: 'UnsupportedValue', message }];
}

/** A condition's message has at most 32,768 characters; nobody reads that many. */
const shown = 8;

function joined(findings: readonly { readonly message: string }[]): string {
  const text = findings
    .slice(0, shown)
    .map(({ message }) => message)
    .join('; ');
  return findings.length > shown ? `${text}; and ${findings.length - shown} more` : text;
}
