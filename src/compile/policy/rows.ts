/** All tiers of one class against one peer, flattened: for each protocol and port what happens, and because of what. */
import type { Protocol } from '#intent/node.ts';
import { formatOrigin, type Origin } from '#intent/origin.ts';
import type { PolicyRowIntent } from '#intent/policy.ts';
import type { NamedPort } from '#model/pod.ts';
import type { PolicyDirection, PolicyModel, PolicyPeer, PolicyPort, PolicyRule } from '#model/policy.ts';
import { rulesOf } from './order.ts';

/** What is known of the one whom rules are compared with. */
export type PeerView = {
  /** `denies`: the rule does, so that who isn't known for sure counts. */
  readonly takes: (peer: PolicyPeer, denies: boolean) => boolean;
  /** Ports of the destination's containers of this name; `unknown`: it may have any. */
  readonly named: (name: string) => readonly NamedPort[] | 'unknown';
  /** NetworkPolicies never keep the subject from it: itself, and where egress goes to its own node. */
  readonly exempt: boolean;
};

type Row = PolicyRowIntent;
type Verdict = Pick<Row, 'verdict' | 'origin'>;

const protocols: readonly Protocol[] = ['tcp', 'udp', 'sctp'];
const lastPort = 65535;

/** `policies`: those that select the class's pods and say something of the direction, in order. */
export function flattenPolicies(
  policies: readonly PolicyModel[],
  direction: PolicyDirection,
  view: PeerView,
): readonly Row[] {
  const matched = policies.map((policy) => ({ policy, rules: matchedRules(policy, direction, view) }));
  const rows = protocols.flatMap((protocol) => {
    const starts = new Set([0]);
    for (const { rules } of matched)
      for (const { spans } of rules)
        for (const span of spans ?? []) {
          if (span.protocol !== protocol) continue;
          starts.add(span.first);
          if (span.last < lastPort) starts.add(span.last + 1);
        }
    const sorted = [...starts].sort((a, b) => a - b);
    const cut = sorted.map(
      (first, index): Row => ({
        protocol,
        first,
        last: (sorted[index + 1] ?? lastPort + 1) - 1,
        ...verdictAt(matched, view, protocol, first),
      }),
    );
    return merge(cut);
  });
  return [...rows, { protocol: 'other', first: 0, last: lastPort, ...verdictAt(matched, view, 'other', 0) }];
}

/** Refuses everything, where there are too many classes or identities to tell apart. */
export function refuseAll(origin: Origin): readonly Row[] {
  return [...protocols, 'other' as const].map((protocol) => ({
    protocol,
    first: 0,
    last: lastPort,
    verdict: 'deny',
    origin,
  }));
}

type Matched = { readonly policy: PolicyModel; readonly rules: readonly MatchedRule[] };

type MatchedRule = {
  readonly action: PolicyRule['action'];
  readonly origin: Origin;
  /** Absent: everything. */
  readonly spans?: readonly Span[];
};

type Span = { readonly protocol: Protocol; readonly first: number; readonly last: number };

function matchedRules(policy: PolicyModel, direction: PolicyDirection, view: PeerView): MatchedRule[] {
  return (rulesOf(policy, direction) ?? []).flatMap((rule) => {
    const denies = rule.action === 'deny';
    const { action, peers, ports, field } = rule;
    if (peers !== undefined && !peers.some((peer) => view.takes(peer, denies))) return [];
    const spans = ports?.flatMap((port) => spansOf(port, denies, view));
    if (spans?.length === 0) return [];
    const origin = { ...policy.origin, rule: field };
    return [{ action, origin, ...(spans === undefined ? {} : { spans }) }];
  });
}

function spansOf(port: PolicyPort, denies: boolean, view: PeerView): Span[] {
  if (!('name' in port)) return [port];
  const named = view.named(port.name);
  const wanted = (protocol: Protocol) => port.protocol === undefined || port.protocol === protocol;
  if (named !== 'unknown')
    return named
      .filter((each) => wanted(each.protocol))
      .map(({ protocol, port: number }) => ({ protocol, first: number, last: number }));
  return denies ? protocols.filter(wanted).map((protocol) => ({ protocol, first: 0, last: lastPort })) : [];
}

/** Once without the policies in audit mode, which is what happens, and once as if they were in force. */
function verdictAt(
  matched: readonly Matched[],
  view: PeerView,
  protocol: Row['protocol'],
  port: number,
): Verdict {
  const audited = matched.filter(({ policy }) => policy.audit);
  const inForce = answerAt(
    audited.length === 0 ? matched : matched.filter(({ policy }) => !policy.audit),
    view,
    protocol,
    port,
  );
  if (audited.length > 0 && inForce.verdict === 'allow') {
    const { verdict, origin, part } = answerAt(matched, view, protocol, port);
    if (verdict === 'deny') {
      const cause = part ?? origin;
      return { verdict: 'audit', ...(cause === undefined ? {} : { origin: cause }) };
    }
  }
  const { verdict, origin } = inForce;
  return { verdict, ...(origin === undefined ? {} : { origin }) };
}

/** `part`: what an audited policy did in it: its decision, or else the first that it did. */
type Answer = { readonly verdict: 'allow' | 'deny'; readonly origin?: Origin; readonly part?: Origin };

function answerAt(
  matched: readonly Matched[],
  view: PeerView,
  protocol: Row['protocol'],
  port: number,
): Answer {
  let part: Origin | undefined;
  const decide = (verdict: Answer['verdict'], { policy }: Matched, origin: Origin): Answer => {
    const audited = policy.audit ? origin : part;
    return { verdict, origin, ...(audited === undefined ? {} : { part: audited }) };
  };
  const hit = ({ rules }: Matched) =>
    rules.find(
      ({ spans }) =>
        spans === undefined ||
        spans.some((span) => span.protocol === protocol && span.first <= port && port <= span.last),
    );
  for (const tier of ['admin', 'network', 'baseline'] as const) {
    const own = matched.filter(({ policy }) => policy.tier === tier);
    if (tier === 'network' && own.length > 0 && view.exempt) return { verdict: 'allow' };
    for (const each of own) {
      const rule = hit(each);
      if (rule === undefined) continue;
      if (rule.action !== 'pass') return decide(rule.action === 'deny' ? 'deny' : 'allow', each, rule.origin);
      if (each.policy.audit) part ??= rule.origin;
      break;
    }
    const [first] = own;
    if (tier === 'network' && first !== undefined) {
      const audited = part ?? own.find(({ policy }) => policy.audit)?.policy.origin;
      const cause = first.policy.audit ? first.policy.origin : audited;
      return {
        verdict: 'deny',
        origin: first.policy.origin,
        ...(cause === undefined ? {} : { part: cause }),
      };
    }
  }
  return { verdict: 'allow' };
}

function merge(rows: readonly Row[]): Row[] {
  const merged: Row[] = [];
  for (const row of rows) {
    const last = merged.at(-1);
    if (last !== undefined && sameVerdict(last, row)) merged[merged.length - 1] = { ...last, last: row.last };
    else merged.push(row);
  }
  return merged;
}

function sameVerdict(a: Verdict, b: Verdict): boolean {
  return (
    a.verdict === b.verdict &&
    (a.origin === b.origin ||
      (a.origin !== undefined && b.origin !== undefined && formatOrigin(a.origin) === formatOrigin(b.origin)))
  );
}
