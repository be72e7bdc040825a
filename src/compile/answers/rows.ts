/** Verdict and reason for every segment of ports, for each subject and peer, without asking the same thing twice. */
import { formatOrigin, type Origin } from '#intent/origin.ts';
import type { PolicyDirection, PolicyModel, PolicyRule } from '#model/policy.ts';
import { inOrder, rulesOf, takesPod } from '../policy/order.ts';
import { type FlowPeer, peerMiss, portMiss } from '../policy/peer.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import type { Segment } from './segments.ts';

export type Reason = {
  readonly verdict: 'allow' | 'deny' | 'audit';
  /** What decided; absent: no policy did. */
  readonly origin?: Origin;
  /** For people. */
  readonly text: string;
};

/** Reasons and rows by number; row 0 is `allowed, no policy` for every segment. */
export type Book = {
  readonly reason: (id: number) => Reason;
  readonly reasonId: (reason: Reason) => number;
  readonly row: (id: number) => readonly number[];
  readonly rowId: (reasons: readonly number[]) => number;
};

export const nobodySays: Reason = { verdict: 'allow', text: 'no policy says otherwise' };

export function createBook(segments: readonly Segment[]): Book {
  const reasons: Reason[] = [];
  const reasonIds = new Map<string, number>();
  const rows: (readonly number[])[] = [];
  const rowIds = new Map<string, number>();
  const book: Book = {
    reason: (id) => reasons[id] ?? nobodySays,
    reasonId: (reason) => intern(reasonIds, reasons, JSON.stringify(reason), reason),
    row: (id) => rows[id] ?? [],
    rowId: (row) => intern(rowIds, rows, row.join(), row),
  };
  book.rowId(segments.map(() => book.reasonId(nobodySays)));
  return book;
}

/** What one direction of a side says, of a subject and a peer of its. */
export type Asker = {
  /** Row for a subject and a peer. `own`: the two are a pod and its own node. */
  readonly ask: (subject: FlowPeer, peer: FlowPeer, own: boolean) => number;
};

type Group = {
  readonly rules: readonly { readonly policy: PolicyModel; readonly rule: PolicyRule }[];
  readonly network: readonly PolicyModel[];
  readonly hasAudit: boolean;
  readonly rows: Map<string, number>;
};

export function createAsker(
  snapshot: PolicySnapshot,
  direction: PolicyDirection,
  segments: readonly Segment[],
  book: Book,
): Asker {
  const policies = inOrder(snapshot.policies.values()).filter(
    (each) => rulesOf(each, direction) !== undefined,
  );
  const groups = new Map<string, Group>();
  const groupOf = new Map<FlowPeer, Group>();
  const peerHits = new Map<PolicyRule, Map<FlowPeer, boolean>>();
  const portHits = new Map<PolicyRule, Map<string, readonly boolean[]>>();
  const numbers = new Map<PolicyRule, number>();

  const numberOf = (rule: PolicyRule): number => {
    const known = numbers.get(rule) ?? numbers.size;
    numbers.set(rule, known);
    return known;
  };

  const group = (subject: FlowPeer): Group => {
    const known = groupOf.get(subject);
    if (known !== undefined) return known;
    const { pod } = subject;
    const chosen =
      pod === undefined ? [] : policies.filter((each) => takesPod(each.subject, pod, snapshot.namespaces));
    const key = chosen.map((policy) => policy.key).join();
    const found = groups.get(key) ?? {
      rules: chosen.flatMap((policy) => (rulesOf(policy, direction) ?? []).map((rule) => ({ policy, rule }))),
      network: chosen.filter(({ tier }) => tier === 'network'),
      hasAudit: chosen.some(({ audit }) => audit),
      rows: new Map<string, number>(),
    };
    groups.set(key, found);
    groupOf.set(subject, found);
    return found;
  };
  const hits = (rule: PolicyRule, peer: FlowPeer): boolean => {
    const known = peerHits.get(rule) ?? new Map<FlowPeer, boolean>();
    peerHits.set(rule, known);
    const hit = known.get(peer) ?? peerMiss(snapshot, rule, peer) === undefined;
    known.set(peer, hit);
    return hit;
  };
  const ports = (rule: PolicyRule, destination: FlowPeer): readonly boolean[] => {
    const named = rule.ports?.some((port) => 'name' in port) ?? false;
    const key = named ? namesOf(destination) : '';
    const known = portHits.get(rule) ?? new Map<string, readonly boolean[]>();
    portHits.set(rule, known);
    const found =
      known.get(key) ??
      segments.map(
        ({ protocol, first }) => portMiss(rule, { protocol, port: first }, destination) === undefined,
      );
    known.set(key, found);
    return found;
  };

  return {
    ask(subject, peer, own) {
      if (subject.pod === undefined || (own && direction === 'ingress')) return 0;
      const { rules, network, hasAudit, rows } = group(subject);
      if (rules.length === 0 && network.length === 0) return 0;
      const destination = direction === 'ingress' ? subject : peer;
      const matching = rules.filter(({ rule }) => hits(rule, peer));
      const named = matching.some(({ rule }) => rule.ports?.some((port) => 'name' in port));
      const key = `${own} ${named ? namesOf(destination) : ''} ${matching.map(({ rule }) => numberOf(rule)).join()}`;
      const known = rows.get(key);
      if (known !== undefined) return known;
      const matched = matching.map((each) => ({ ...each, ports: ports(each.rule, destination) }));
      const id = book.rowId(
        segments.map((_, index) => {
          const at = matched.filter((each) => each.ports[index]);
          const inForce = walk(
            at.filter(({ policy }) => !policy.audit),
            network.filter(({ audit }) => !audit),
            own,
          );
          if (!hasAudit || inForce.verdict === 'deny') return book.reasonId(inForce);
          const enforced = walk(at, network, own);
          if (enforced.verdict === 'allow') return book.reasonId(inForce);
          return book.reasonId({ ...enforced, verdict: 'audit', text: `${enforced.text}, in audit mode` });
        }),
      );
      rows.set(key, id);
      return id;
    },
  };
}

/** As the oracle walks the tiers (policy/decide.ts), over rules that match already. */
function walk(matched: Group['rules'], network: readonly PolicyModel[], own: boolean): Reason {
  const first = (tier: PolicyModel['tier']) => matched.find(({ policy }) => policy.tier === tier);
  const admin = first('admin');
  if (admin !== undefined && admin.rule.action !== 'pass') return decided(admin);
  const [any] = network;
  if (any !== undefined) {
    if (own) return { verdict: 'allow', text: 'a NetworkPolicy keeps no pod from its own node' };
    const rule = first('network');
    if (rule !== undefined) return decided(rule);
    const names = network.map(({ origin }) => formatOrigin(origin));
    const text = `isolated by ${names.join(', ')}: no rule matches`;
    return { verdict: 'deny', origin: any.origin, text };
  }
  const baseline = first('baseline');
  return baseline === undefined || baseline.rule.action === 'pass' ? nobodySays : decided(baseline);
}

function decided({ policy, rule }: Group['rules'][number]): Reason {
  const origin = { ...policy.origin, rule: rule.field };
  return { verdict: rule.action === 'deny' ? 'deny' : 'allow', origin, text: formatOrigin(origin) };
}

function namesOf({ pod }: FlowPeer): string {
  return (pod?.namedPorts ?? []).map(({ name, protocol, port }) => `${name}=${protocol}/${port}`).join();
}

function intern<T>(ids: Map<string, number>, list: T[], key: string, value: T): number {
  const known = ids.get(key);
  if (known !== undefined) return known;
  ids.set(key, list.length);
  return list.push(value) - 1;
}
