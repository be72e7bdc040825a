/**
 * Lowers what a class does with an identity to elements of the policy maps. Each element leads to the counter of the rule that says so.
 * Pure.
 */
import { type PolicyDecisionIntent, type PolicyRowIntent, policyIdentities } from '#intent/policy.ts';
import { type Lowered, nothing } from './lower.ts';
import { isClass, isIdentity, pairText } from './lower-policy.ts';
import { protocolNumbers } from './lower-service.ts';
import type { Element } from './objects.ts';
import { counterData, type RuleCounter, ruleCounter } from './rule-counters.ts';

/** Class and identity of a key `CLASS/IDENTITY`. */
export function readPair(key: string): { readonly class: number; readonly identity: number } | undefined {
  const match = /^([1-9]\d{0,3})\/(0|[1-9]\d{0,6})$/.exec(key);
  if (match === null || !isClass(Number(match[1])) || !isIdentity(Number(match[2]))) return undefined;
  return { class: Number(match[1]), identity: Number(match[2]) };
}

/** Ports of one protocol that a rule decides. */
type Run = { readonly first: number; readonly last: number; readonly rule: RuleCounter };
type Ported = Exclude<PolicyRowIntent['protocol'], 'other'>;
const ported: readonly Ported[] = ['tcp', 'udp', 'sctp'];

const lastPort = 65_535;
/** A run of so few ports is told port by port: a range costs six times an exact port, and each change of one copies them all. */
const exactPorts = 16;
const rangeCost = 1_000;

type ProtocolRuns = {
  readonly number: number;
  readonly passing: readonly Run[];
  readonly blocked: readonly Run[];
  /** What is told is what is blocked: the rest passes. */
  readonly open: boolean;
};

/**
 * A pair is of one of these kinds (policy-chains.ts asks in this order), and what no row speaks of is denied:
 *
 *     policyAllowed   all passes
 *     policyPlain     what is in `policyAllowedPorts` passes, nothing else
 *     policyMixed     the others: by ports, ranges and protocols, and what is left by `policyOpen`
 *
 * A class's own answer for everybody without one is never plain where anything passes (`policyElse` has it then): whoever is asked about
 * a stranger knows at once if nothing does. What is told port by port is chosen so that few elements are needed, ranges least of all.
 */
export function lowerDecision(key: string, { direction, rows }: PolicyDecisionIntent): Lowered {
  const pair = readPair(key);
  if (pair === undefined) return nothing(`${key} is no class and identity`);
  const bad = rows.filter((row) => !isRow(row));
  if (bad.length > 0) return nothing(`row ${JSON.stringify(bad[0])}`);
  const text = pairText(pair.class, pair.identity);
  const ruleOf = (row: Pick<PolicyRowIntent, 'verdict' | 'origin'>) => ruleCounter(direction, row);
  const protocols = ported.map((protocol) => runsOf(rows, protocol, ruleOf));
  const otherRow = rows.find((row) => row.protocol === 'other') ?? { verdict: 'deny' };
  const others = { passes: otherRow.verdict !== 'deny', rule: ruleOf(otherRow) };
  const elements = createElements();

  const closed = protocols.filter(({ open }) => !open);
  const open = protocols.filter((each) => each.open);
  const whole: Run = { first: 0, last: lastPort, rule: others.rule };
  const restOf = new Map(open.map((each) => [each, dearest(each.passing)]));
  const everything = closed.length === 0 && others.passes;
  const allowed = everything ? dearest([...open.flatMap(({ passing }) => passing), whole])! : undefined;
  const denied =
    dearest([...closed.flatMap(({ blocked }) => blocked), ...(others.passes ? [] : [whole])]) ??
    ruleOf({ verdict: 'deny' });

  for (const { number, passing } of closed) elements.runs('policyAllowed', `${text} . ${number}`, passing);
  for (const [each, rest] of restOf) {
    const of = `${text} . ${each.number}`;
    elements.runs('policyAllowed', of, except(each.passing, rest));
    elements.runs('policyDenied', of, each.blocked);
    if (rest?.name !== allowed?.name) elements.add('policyProtocols', of, rest!);
  }
  for (const { number, blocked } of closed)
    elements.runs('policyDenied', `${text} . ${number}`, except(blocked, denied));
  if (others.passes) {
    if (others.rule.name !== allowed?.name) elements.add('policyOthers', text, others.rule);
  } else if (others.rule.name !== denied.name) elements.add('policyDeniedOthers', text, others.rule);

  const simple = elements.all.every(({ set }) => set === 'policyAllowedPorts');
  if (simple && allowed !== undefined && open.every(({ blocked }) => blocked.length === 0))
    elements.add('policyAllowed', text, allowed);
  else if (simple && allowed === undefined) {
    const isElse = pair.identity === policyIdentities.other && elements.all.length > 0;
    elements.add(isElse ? 'policyElse' : 'policyPlain', text, denied);
  } else {
    elements.add('policyMixed', text, denied);
    if (allowed !== undefined) elements.add('policyOpen', text, allowed);
  }
  const audits = auditElements(
    text,
    rows.filter((row) => row.verdict === 'audit'),
  );
  return {
    elements: [...elements.all, ...audits],
    chains: [],
    counters: [...elements.rules.values()],
    problems: [],
  };
}

/** Whether it lets something through that is to be told of. */
export function isAudited({ rows }: PolicyDecisionIntent): boolean {
  return rows.some((row) => row.verdict === 'audit');
}

function createElements() {
  const all: Element[] = [];
  const rules = new Map<string, RuleCounter>();
  const add = (set: string, key: string, rule: RuleCounter) => {
    all.push({ set, key, data: counterData(rule.name) });
    rules.set(rule.name, rule);
  };
  return {
    all,
    rules,
    add,
    runs(kind: 'policyAllowed' | 'policyDenied', of: string, runs: readonly Run[]) {
      for (const run of runs)
        for (const { set, ports } of portsOf(run)) add(`${kind}${set}`, `${of} . ${ports}`, run.rule);
    },
  };
}

function auditElements(pair: string, rows: readonly PolicyRowIntent[]): readonly Element[] {
  if (rows.length === 0) return [];
  const elements: Element[] = [{ set: 'policyAudited', key: pair }];
  if (rows.some((row) => row.protocol === 'other')) elements.push({ set: 'auditOthers', key: pair });
  for (const protocol of ported) {
    const of = `${pair} . ${protocolNumbers[protocol]}`;
    const runs = joined(rows.filter((row) => row.protocol === protocol));
    if (runs.length === 1 && runs[0]!.first === 0 && runs[0]!.last === lastPort) {
      elements.push({ set: 'auditProtocols', key: of });
    } else
      elements.push(
        ...runs
          .flatMap(portsOf)
          .map(({ set, ports }): Element => ({ set: `audit${set}`, key: `${of} . ${ports}` })),
      );
  }
  return elements;
}

function portsOf({
  first,
  last,
}: Span): readonly { readonly set: 'Ports' | 'Ranges'; readonly ports: string }[] {
  if (!isShort({ first, last })) return [{ set: 'Ranges', ports: `${first}-${last}` }];
  return Array.from({ length: last - first + 1 }, (_, i) => ({ set: 'Ports', ports: `${first + i}` }));
}

type Span = Pick<Run, 'first' | 'last'>;

function isShort({ first, last }: Span): boolean {
  return last - first < exactPorts;
}

/** The whole of a protocol, adjacent ports of one rule as one run. */
function runsOf(
  rows: readonly PolicyRowIntent[],
  protocol: Ported,
  ruleOf: (row: Pick<PolicyRowIntent, 'verdict' | 'origin'>) => RuleCounter,
): ProtocolRuns {
  const runs: Run[] = [];
  let next = 0;
  const append = (last: number, rule: RuleCounter) => {
    if (last < next) return;
    const before = runs.at(-1);
    if (before?.rule.name === rule.name) runs[runs.length - 1] = { ...before, last };
    else runs.push({ first: next, last, rule });
    next = last + 1;
  };
  const own = rows.filter((row) => row.protocol === protocol).sort((a, b) => a.first - b.first);
  for (const row of own) {
    append(row.first - 1, ruleOf({ verdict: 'deny' }));
    append(row.last, ruleOf(row));
  }
  append(lastPort, ruleOf({ verdict: 'deny' }));
  const passing = runs.filter(({ rule }) => rule.verdict !== 'deny');
  const blocked = runs.filter(({ rule }) => rule.verdict === 'deny');
  const open = cost(joined(blocked)) < cost(joined(passing));
  return { number: protocolNumbers[protocol], passing, blocked, open };
}

/** The rule that would take most to tell by ports. */
function dearest(runs: readonly Run[]): RuleCounter | undefined {
  const costs = new Map<string, { readonly rule: RuleCounter; cost: number }>();
  for (const run of runs) {
    const each = costs.get(run.rule.name) ?? { rule: run.rule, cost: 0 };
    each.cost += cost([run]);
    costs.set(run.rule.name, each);
  }
  return [...costs.values()].sort((a, b) => b.cost - a.cost)[0]?.rule;
}

function except(runs: readonly Run[], rule: RuleCounter | undefined): readonly Run[] {
  return runs.filter((run) => run.rule.name !== rule?.name);
}

/** Ports whatever the rule. */
function joined(runs: readonly Span[]): readonly Span[] {
  const all: { first: number; last: number }[] = [];
  for (const { first, last } of [...runs].sort((a, b) => a.first - b.first)) {
    const before = all.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else all.push({ first, last });
  }
  return all;
}

function cost(runs: readonly Span[]): number {
  return runs.reduce((sum, run) => sum + (isShort(run) ? run.last - run.first + 1 : rangeCost), 0);
}

function isRow({ protocol, first, last, verdict }: PolicyRowIntent): boolean {
  const port = (value: number) => Number.isInteger(value) && value >= 0 && value <= lastPort;
  return (
    (protocol === 'other' || Object.hasOwn(protocolNumbers, protocol)) &&
    port(first) &&
    port(last) &&
    first <= last &&
    (verdict === 'allow' || verdict === 'deny' || verdict === 'audit')
  );
}
