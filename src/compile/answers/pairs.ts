/** Which connections between which two ends change, in numbers: one pass over all pairs of ends. */
import type { Family } from '#net/addr.ts';
import type { FlowPeer } from '../policy/peer.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import type { End } from './ends.ts';
import { type Asker, type Book, createAsker, type Reason } from './rows.ts';
import type { Segment } from './segments.ts';
import type { Side, Sides, UnitPod } from './units.ts';

export type Decider = 'egress' | 'subnet' | 'ingress';

/** Segments that change in the same way for the same reasons. */
export type Cell = {
  readonly kind: 'opens' | 'closes' | 'reason';
  /** Which of the three decides on the side that is closed. */
  readonly decider: Decider;
  readonly before: number;
  readonly after: number;
  readonly segments: readonly number[];
  readonly key: string;
};

export type Pair = {
  readonly from: End;
  readonly to: End;
  readonly family: Family;
  /** The two are a pod and the node that it is on. */
  readonly own: boolean;
  readonly cells: readonly Cell[];
};

/** An end that isn't there on a side. */
export const absent: Reason = { verdict: 'deny', text: 'there is no such pod or node' };

/** Rows of the three deciders: they depend on both ends. */
export type Rows = readonly [egress: number, subnet: number, ingress: number];

export type Judges = {
  readonly rows: (side: 'before' | 'after', from: End, to: End, own: boolean) => Rows | undefined;
};

const deciders = ['egress', 'subnet', 'ingress'] as const;

export function judgesOf(
  sides: Sides,
  snapshots: Readonly<Record<'before' | 'after', PolicySnapshot>>,
  segments: readonly Segment[],
  book: Book,
): Judges {
  const made = (name: 'before' | 'after') => ({
    egress: createAsker(snapshots[name], 'egress', segments, book),
    ingress: createAsker(snapshots[name], 'ingress', segments, book),
    gate: gateAsker(sides[name], segments, book),
  });
  const askers = { before: made('before'), after: made('after') };
  return {
    rows(side, from, to, own) {
      const { egress, ingress, gate } = askers[side];
      const source = from[side];
      const target = to[side];
      if (source === undefined || target === undefined) return undefined;
      const ask = (asker: Asker, subject: FlowPeer, peer: FlowPeer) => asker.ask(subject, peer, own);
      return [ask(egress, source, target), gate(from, source, target), ask(ingress, target, source)];
    },
  };
}

/** Only pods have policy: a pair without one is none of ours. */
export function* changedPairs(
  ends: readonly End[],
  family: Family,
  judges: Judges,
  book: Book,
): Generator<Pair> {
  const cellsOf = createCells(book);
  for (const from of ends) {
    for (const to of ends) {
      if (from.kind !== 'pods' && to.kind !== 'pods') continue;
      for (const own of ownness(from, to)) {
        const before = judges.rows('before', from, to, own);
        const after = judges.rows('after', from, to, own);
        const isSame =
          before === after ||
          (before !== undefined && after !== undefined && before.every((id, index) => id === after[index]));
        if (isSame) continue;
        const cells = cellsOf(before, after);
        if (cells.length > 0) yield { from, to, family, own, cells };
      }
    }
  }
}

/** Whether some pod of the one is elsewhere than, and some on, the other's nodes. */
function ownness(from: End, to: End): readonly boolean[] {
  if (from.kind === 'world' || to.kind === 'world') return [false];
  if (from.kind === 'pods' && to.kind === 'pods') return isAlone(from, to) ? [] : [false];
  const { names = [] } = (from.kind === 'nodes' ? from : to).nodes ?? {};
  const pods = (from.kind === 'nodes' ? to : from).unit?.pods ?? [];
  const away = pods.some((pod) => names.some((name) => !isOn(pod, name)));
  const on = pods.some((pod) => names.some((name) => isOn(pod, name)));
  return [...(away ? [false] : []), ...(on ? [true] : [])];
}

/** A pod's connection to its own address never leaves it. */
function isAlone(from: End, to: End): boolean {
  return from.unit === to.unit && from.unit?.pods.length === 1;
}

export function isOn({ before, after }: UnitPod, node: string): boolean {
  return (after ?? before)?.node === node;
}

function createCells(book: Book): (before: Rows | undefined, after: Rows | undefined) => readonly Cell[] {
  const known = new Map<string, readonly Cell[]>();
  const absence = book.reasonId(absent);
  const reasons = (rows: Rows | undefined, segment: number): readonly number[] =>
    deciders.map((_, index) => (rows === undefined ? absence : (book.row(rows[index] ?? 0)[segment] ?? 0)));
  return (before, after) => {
    const key = `${before?.join() ?? ''} ${after?.join() ?? ''}`;
    const done = known.get(key);
    if (done !== undefined) return done;
    const cells = new Map<string, Cell & { segments: number[] }>();
    for (let segment = 0; segment < book.row(0).length; segment++) {
      const cell = cellOf(reasons(before, segment), reasons(after, segment), book);
      if (cell === undefined) continue;
      const found = cells.get(cell.key);
      if (found === undefined) cells.set(cell.key, { ...cell, segments: [segment] });
      else found.segments.push(segment);
    }
    const found = [...cells.values()];
    known.set(key, found);
    return found;
  };
}

/** Where both sides agree, the reason that changed; else what is closed names the first that closes it. */
function cellOf(
  before: readonly number[],
  after: readonly number[],
  book: Book,
): Omit<Cell, 'segments'> | undefined {
  const blocker = (ids: readonly number[]) => ids.findIndex((id) => book.reason(id).verdict === 'deny');
  const [was, is] = [blocker(before), blocker(after)];
  const kind = was === -1 ? (is === -1 ? 'reason' : 'closes') : is === -1 ? 'opens' : 'reason';
  const changed =
    kind === 'closes'
      ? is
      : kind === 'opens'
        ? was
        : was === -1
          ? differing(before, after)
          : Math.min(was, is);
  const decider = deciders[changed];
  if (decider === undefined) return undefined;
  const [old = 0, now = 0] = [before[changed], after[changed]];
  if (kind === 'reason' && old === now) return undefined;
  return { kind, decider, before: old, after: now, key: `${kind} ${decider} ${old} ${now}` };
}

function differing(before: readonly number[], after: readonly number[]): number {
  return before.findIndex((id, index) => id !== after[index]);
}

function gateAsker(
  { gates }: Side,
  segments: readonly Segment[],
  book: Book,
): (from: End, source: FlowPeer, target: FlowPeer) => number {
  const kinds = { pods: 'pod', nodes: 'node', world: 'address' } as const;
  const known = new Map<string, number>();
  return (from, { address: source }, { pod, address: target }) => {
    if (pod === undefined || source === undefined || target === undefined) return 0;
    const subnet = gates.subnetOf(target);
    if (subnet === undefined || (from.kind !== 'world' && !gates.isPrivate(subnet))) return 0;
    const open = gates.published.get(target) ?? [];
    const place = from.part ?? gates.subnetOf(source) ?? from.kind;
    const key = `${from.kind} ${place} ${from.kind === 'world' ? '' : source} ${subnet} ${JSON.stringify(open)}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const row = segments.map(({ protocol, first }) => {
      const published = open.some((each) => each.protocol === protocol && each.port === first);
      const gate = gates.into({ kind: kinds[from.kind], address: source }, target, published);
      if (gate.allowed) return 0;
      const { origin, because } = gate;
      return book.reasonId({ verdict: 'deny', text: because, ...(origin === undefined ? {} : { origin }) });
    });
    const id = book.rowId(row);
    known.set(key, id);
    return id;
  };
}
