/** Verdict and reason for every segment of ports, for each subject and peer, without asking the same thing twice. */
import type { PolicyDirection, PolicyModel, PolicyRule } from '#model/policy.ts';
import { inOrder, rulesOf, takesPod } from '../policy/order.ts';
import { type FlowPeer, portMiss } from '../policy/peer.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import { createHits, type Hits } from './hits.ts';
import { type Book, type Matched, reasonOf } from './reasons.ts';
import type { Segment } from './segments.ts';

/** What one direction of a side says of two ends, by their numbers. */
export type Asker = {
  /** Row for a subject and a peer. `own`: the two are a pod and its own node. */
  readonly ask: (subject: number, peer: number, own: boolean) => number;
  /** Policies that select a subject, in order. */
  readonly selecting: (subject: number) => readonly PolicyModel[];
};

type Group = {
  readonly policies: readonly PolicyModel[];
  readonly rules: readonly (Matched & { readonly hits: Hits; readonly named: boolean })[];
  readonly network: readonly PolicyModel[];
  /** By the destination's named ports, where they count; then by the rules that match. */
  readonly rows: Map<string, Map<number | string, number>>;
};

export function createAsker(
  snapshot: PolicySnapshot,
  direction: PolicyDirection,
  ends: readonly (FlowPeer | undefined)[],
  segments: readonly Segment[],
  book: Book,
): Asker {
  const policies = inOrder(snapshot.policies.values()).filter(
    (each) => rulesOf(each, direction) !== undefined,
  );
  const hits = createHits(snapshot, ends);
  const names = ends.map(namesOf);
  const groups = new Map<string, Group>();
  const groupOf = new Map<number, Group>();
  const portHits = new Map<PolicyRule, Map<string, readonly boolean[]>>();

  const group = (subject: number): Group => {
    const known = groupOf.get(subject);
    if (known !== undefined) return known;
    const pod = ends[subject]?.pod;
    const chosen =
      pod === undefined ? [] : policies.filter((each) => takesPod(each.subject, pod, snapshot.namespaces));
    const key = chosen.map((policy) => policy.key).join();
    const found = groups.get(key) ?? {
      policies: chosen,
      rules: chosen.flatMap((policy) =>
        (rulesOf(policy, direction) ?? []).map((rule) => ({
          policy,
          rule,
          hits: hits(rule),
          named: isNamed(rule),
        })),
      ),
      network: chosen.filter(({ tier }) => tier === 'network'),
      rows: new Map<string, Map<number | string, number>>(),
    };
    groups.set(key, found);
    groupOf.set(subject, found);
    return found;
  };
  const ports = (rule: PolicyRule, destination: number): readonly boolean[] => {
    const key = isNamed(rule) ? (names[destination] ?? '') : '';
    const known = portHits.get(rule) ?? new Map<string, readonly boolean[]>();
    portHits.set(rule, known);
    const peer = ends[destination] ?? { text: '' };
    const found =
      known.get(key) ??
      segments.map(({ protocol, first }) => portMiss(rule, { protocol, port: first }, peer) === undefined);
    known.set(key, found);
    return found;
  };

  return {
    selecting: (subject) => group(subject).policies,
    ask(subject, peer, own) {
      if (own && direction === 'ingress') return 0;
      const { rules, network, rows } = group(subject);
      if (rules.length === 0 && network.length === 0) return 0;
      const destination = direction === 'ingress' ? subject : peer;
      const matching: number[] = [];
      let key = own ? 1 : 0;
      let named = false;
      for (let index = 0; index < rules.length; index++) {
        const rule = rules[index];
        if (rule === undefined || (rule.hits !== undefined && rule.hits[peer] !== 1)) continue;
        named ||= rule.named;
        matching.push(index);
        key += 2 ** (index + 1);
      }
      const ofPorts = named ? (names[destination] ?? '') : '';
      const byKey = rows.get(ofPorts) ?? new Map<number | string, number>();
      rows.set(ofPorts, byKey);
      // A bit for each rule, as long as a number is exact.
      const exact = rules.length < 50 ? key : `${own} ${matching.join()}`;
      const known = byKey.get(exact);
      if (known !== undefined) return known;
      const matched = matching.flatMap((index) => {
        const each = rules[index];
        return each === undefined ? [] : [{ ...each, index, ports: ports(each.rule, destination) }];
      });
      // Neighbouring segments mostly have the same rules.
      const reasons = new Map<string, number>();
      const id = book.rowId(
        segments.map((_, segment) => {
          const at = matched.filter((each) => each.ports[segment]);
          const rulesAt = at.map(({ index }) => index).join();
          const done = reasons.get(rulesAt) ?? book.reasonId(reasonOf(at, network, own));
          reasons.set(rulesAt, done);
          return done;
        }),
      );
      byKey.set(exact, id);
      return id;
    },
  };
}

function isNamed({ ports }: PolicyRule): boolean {
  return ports?.some((port) => 'name' in port) ?? false;
}

function namesOf(end: FlowPeer | undefined): string {
  return (end?.pod?.namedPorts ?? []).map(({ name, protocol, port }) => `${name}=${protocol}/${port}`).join();
}
