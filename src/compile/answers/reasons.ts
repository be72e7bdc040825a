/** Reasons and rows of reasons as numbers, so that equal ones are one. */
import { formatOrigin, type Origin } from '#intent/origin.ts';
import type { PolicyModel, PolicyRule } from '#model/policy.ts';
import type { Segment } from './segments.ts';

export type Reason = {
  readonly verdict: 'allow' | 'deny' | 'audit';
  /** What decided; absent: no policy did. */
  readonly origin?: Origin;
  /** For people. */
  readonly text: string;
};

/** Row 0 is `nobodySays` for every segment. */
export type Book = {
  readonly reason: (id: number) => Reason;
  readonly reasonId: (reason: Reason) => number;
  readonly row: (id: number) => readonly number[];
  readonly rowId: (reasons: readonly number[]) => number;
};

export type Matched = { readonly policy: PolicyModel; readonly rule: PolicyRule };

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

/**
 * As the oracle walks the tiers (policy/decide.ts), over rules that match already. `network`: NetworkPolicies that select the subject;
 * `own`: the two are a pod and its own node.
 */
export function reasonOf(matched: readonly Matched[], network: readonly PolicyModel[], own: boolean): Reason {
  const inForce = walk(
    matched.filter(({ policy }) => !policy.audit),
    network.filter(({ audit }) => !audit),
    own,
  );
  if (inForce.verdict === 'deny') return inForce;
  const enforced = walk(matched, network, own);
  return enforced.verdict === 'allow'
    ? inForce
    : { ...enforced, verdict: 'audit', text: `${enforced.text}, in audit mode` };
}

function walk(matched: readonly Matched[], network: readonly PolicyModel[], own: boolean): Reason {
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

function decided({ policy, rule }: Matched): Reason {
  const origin = { ...policy.origin, rule: rule.field };
  return { verdict: rule.action === 'deny' ? 'deny' : 'allow', origin, text: formatOrigin(origin) };
}

function intern<T>(ids: Map<string, number>, list: T[], key: string, value: T): number {
  const known = ids.get(key);
  if (known !== undefined) return known;
  ids.set(key, list.length);
  return list.push(value) - 1;
}
