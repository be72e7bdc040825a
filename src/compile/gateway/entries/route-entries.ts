/** What one route says to the data plane of one Gateway, and what is said of it in its status. Other routes have no part in it. */
import type { GatewayActionIntent, GatewayRuleIntent } from '#intent/gateway.ts';
import type { GRPCRouteModel, HTTPRouteModel } from '#model/gateway/types.ts';
import { type Applied, appliedAt } from '../policies/applied.ts';
import { hasPolicies } from '../policies/levels.ts';
import type {
  Attachment,
  BackendUse,
  EntryContext,
  GatewayCondition,
  Listener,
  RouteEntriesOf,
} from '../types.ts';
import { actionOf } from './actions.ts';
import type { Refusal } from './backend-refs.ts';
import { matchesSize, placesOf } from './entries-size.ts';
import type { Objection } from './filters.ts';
import { matchesOf } from './matches.ts';
import { streamsOf } from './streams.ts';

/** `attachments` are those to one Gateway. A listener that isn't served gets no entries, but references are judged all the same. */
export const routeEntries: RouteEntriesOf = (route, attachments, context, gateways = 1) => {
  if (route.kind === 'HTTPRoute' || route.kind === 'GRPCRoute') {
    return requestEntries(route, attachments, context, longest / gateways);
  }
  const { intent, uses, refusals } = streamsOf(route, attachments, context);
  return {
    intent: { rules: {}, actions: {}, streams: intent },
    backends: uses,
    conditions: conditionsOf(route.rules.length, { objections: [], closed: [], partly: [], refusals }),
  };
};

function requestEntries(
  route: HTTPRouteModel | GRPCRouteModel,
  attachments: readonly Attachment[],
  context: EntryContext,
  longestHere: number,
): ReturnType<RouteEntriesOf> {
  const rules: Record<string, GatewayRuleIntent> = {};
  const actions: Record<string, GatewayActionIntent> = {};
  const uses = new Map<string, BackendUse>();
  const objections: Placed[] = [];
  const closed: Placed<Refusal>[] = [];
  const partly: Placed[] = [];
  const refusals: Refusal[] = [];
  const wanted = placesOf(attachments);
  // Asked once for all rules: at almost all routes there is none.
  const isPoliced = wanted.some(({ listener }) => hasPolicies(listener, route, context.policies));
  const unpoliced = wanted.length === 0 ? [] : [{ applied: undefined, places: wanted }];
  const groups = route.rules.map(({ name }) =>
    isPoliced ? groupsOf(route, name, wanted, context) : unpoliced,
  );
  const isTooLong = matchesSize(route, wanted) + policyLength(route, groups) > longestHere;
  const held = new Map<string, Applied>();
  for (const index of route.rules.keys()) {
    const key = `${route.kind}/${route.key}|${index}`;
    const own = actionOf(route, index, key, context);
    refusals.push(...own.refusals);
    const objection = isTooLong ? tooLong : own.objection;
    if (objection !== undefined) objections.push({ rule: index, ...objection });
    if (own.closed !== undefined) closed.push({ rule: index, ...own.closed });
    partly.push(...own.partly.map((each) => ({ rule: index, ...each })));
    if (isTooLong) continue;
    const matches = matchesOf(route, index);
    for (const { applied, places } of groups[index] ?? []) {
      const action = applied === undefined ? own : actionOf(route, index, key, context, applied);
      const name = applied === undefined ? key : `${key}~${applied.key}`;
      actions[name] = action.intent;
      for (const use of action.uses) uses.set(use.key, use);
      if (applied !== undefined) held.set(applied.key, applied);
      for (const { listener, hosts } of places) {
        for (const host of hosts) {
          for (const [at, match] of matches.entries()) {
            rules[`${listener.key}|${host}|${key}.${at}`] = {
              listener: listener.key,
              host,
              ...match,
              action: name,
            };
          }
        }
      }
    }
  }
  return {
    intent: { rules, actions, streams: {}, ...policiesOf(held.values()) },
    backends: [...uses.values()],
    conditions: conditionsOf(route.rules.length, { objections, closed, partly, refusals }),
  };
}

/** Nothing, as of almost all routes, costs nothing. */
function policiesOf(applied: Iterable<Applied>): Partial<Applied['intent']> {
  let found: Partial<Applied['intent']> = {};
  for (const { intent } of applied) {
    found = {
      policies: { ...found.policies, ...intent.policies },
      users: { ...found.users, ...intent.users },
      firewallRules: { ...found.firewallRules, ...intent.firewallRules },
    };
  }
  return found;
}

type ListenerPlace = { readonly listener: Listener; readonly hosts: readonly string[] };

/** Listeners at which the same policies hold for a rule. */
type Group = { readonly applied: Applied | undefined; readonly places: readonly ListenerPlace[] };

function groupsOf(
  route: HTTPRouteModel | GRPCRouteModel,
  rule: string | undefined,
  places: readonly ListenerPlace[],
  context: EntryContext,
): readonly Group[] {
  const groups = new Map<
    string,
    { readonly applied: Applied | undefined; readonly places: ListenerPlace[] }
  >();
  for (const place of places) {
    const applied = appliedAt({ listener: place.listener, route, rule }, context);
    const key = applied?.key ?? '';
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { applied, places: [place] });
    else group.places.push(place);
  }
  return [...groups.values()];
}

/** What policies add: the name of each in every entry, and what they hold. */
function policyLength(route: HTTPRouteModel | GRPCRouteModel, groups: readonly (readonly Group[])[]): number {
  const entries = new Map<string, number>();
  let names = 0;
  for (const [index, own] of groups.entries()) {
    for (const { applied, places } of own) {
      if (applied === undefined) continue;
      const hosts = places.reduce((sum, each) => sum + each.hosts.length, 0);
      names += hosts * (route.rules[index]?.matches.length ?? 0) * applied.key.length;
      if (!entries.has(applied.key)) entries.set(applied.key, JSON.stringify(applied.intent.policies).length);
    }
  }
  return [...entries.values()].reduce((sum, each) => sum + each, names);
}

/**
 * Characters, of all of a route's Gateways together. Each match stands once for every hostname, listener and Gateway: an object of a few
 * kilobytes would become hundreds of megabytes in the controller, and in every pod of a Gateway that others share. The largest that anybody
 * writes by hand is a tenth of it.
 */
const longest = 4 * 1024 * 1024;

const tooLong: Objection = {
  reason: 'UnsupportedValue',
  message: `spec: its matches, at all of its hostnames, listeners and Gateways, are more than ${longest / 1024 / 1024} MiB`,
};

type Placed<T = Objection> = T & { readonly rule: number };

type Findings = {
  /** To whole rules. */
  readonly objections: readonly Placed[];
  /** What rules can't be served without: among `refusals`, too. */
  readonly closed: readonly Placed<Refusal>[];
  /** To backends of rules that are served otherwise. */
  readonly partly: readonly Placed[];
  readonly refusals: readonly Refusal[];
};

/**
 * A route is accepted while one of its rules is served, or would be if what it refers to were there. An extension that isn't known is a
 * reference, too.
 */
function conditionsOf(
  rules: number,
  { objections, closed, partly, refusals }: Findings,
): readonly GatewayCondition[] {
  const isForeign = ({ reason }: Objection) => reason === 'InvalidKind';
  const unresolved = [...objections.filter(isForeign), ...partly.filter(isForeign), ...refusals];
  const invalid = objections.filter((each) => !isForeign(each));
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
  if (worst !== undefined && invalid.length === rules) {
    return [{ type: 'Accepted', status: 'False', reason: worst.reason, message: joined(invalid) }, resolved];
  }
  const dropped = [...objections, ...closed].sort((a, b) => a.rule - b.rule);
  // Said only of a route of which something is served.
  const message = [
    dropped.length === rules ? '' : droppedText(dropped, 'whose requests get 500'),
    droppedText(partly, 'in part: the share of a backend gets 500'),
  ].filter((text) => text !== '');
  if (message.length === 0) return [resolved];
  return [
    resolved,
    {
      type: 'PartiallyInvalid',
      status: 'True',
      reason: 'UnsupportedValue',
      message: message.join('. '),
    },
  ];
}

/** The specification wants it to begin so. */
function droppedText(found: readonly Placed<{ readonly message: string }>[], what: string): string {
  const rules = [...new Set(found.map(({ rule }) => rule))];
  if (rules.length === 0) return '';
  return `Dropped Rule${rules.length === 1 ? '' : 's'} ${rules.join(', ')}, ${what}: ${joined(found)}`;
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
