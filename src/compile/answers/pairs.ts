/** Which connections between which two ends change, in numbers: one pass over all pairs of ends. */
import type { Family } from '#net/addr.ts';
import type { FlowPeer } from '../policy/peer.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import type { End } from './ends.ts';
import type { Book, Reason } from './reasons.ts';
import { createAsker } from './rows.ts';
import type { Segment } from './segments.ts';
import { textOf } from './unify.ts';
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

/** Of one family; ends by their numbers. */
export type Judges = {
  readonly rows: (side: 'before' | 'after', from: number, to: number, own: boolean) => Rows | undefined;
  /** Nothing that either end is judged by has changed. */
  readonly isSame: (from: number, to: number) => boolean;
};

const deciders = ['egress', 'subnet', 'ingress'] as const;

export function judgesOf(
  sides: Sides,
  snapshots: Readonly<Record<'before' | 'after', PolicySnapshot>>,
  ends: readonly End[],
  segments: readonly Segment[],
  book: Book,
): Judges {
  const made = (name: 'before' | 'after') => {
    const peers = ends.map((end) => end[name]);
    return {
      egress: createAsker(snapshots[name], 'egress', peers, segments, book),
      ingress: createAsker(snapshots[name], 'ingress', peers, segments, book),
      gate: gateAsker(sides[name], segments, book),
    };
  };
  const askers = { before: made('before'), after: made('after') };
  const sameGates = textOf(sides.before.cluster.subnets) === textOf(sides.after.cluster.subnets);
  const steady = ends.map((end) => isSteady(end, sides));
  const sameRules = (direction: 'egress' | 'ingress') =>
    ends.map((_, index) => {
      const old = askers.before[direction].selecting(index);
      const now = askers.after[direction].selecting(index);
      return old.length === now.length && old.every((policy, at) => policy === now[at]);
    });
  const same = { egress: sameRules('egress'), ingress: sameRules('ingress') };
  return {
    isSame: (from, to) =>
      sameGates &&
      steady[from] === true &&
      steady[to] === true &&
      same.egress[from] === true &&
      same.ingress[to] === true,
    rows(side, from, to, own) {
      const { egress, ingress, gate } = askers[side];
      const source = ends[from];
      const target = ends[to]?.[side];
      if (source?.[side] === undefined || target === undefined) return undefined;
      return [egress.ask(from, to, own), gate(source, source[side], target), ingress.ask(to, from, own)];
    },
  };
}

/** The same pod or node on both sides, in a namespace that says the same, published at the same ports. */
function isSteady({ before, after }: End, sides: Sides): boolean {
  if (before?.pod !== after?.pod || before?.address !== after?.address || before?.node !== after?.node)
    return false;
  const of = (name: 'before' | 'after') => {
    const { cluster, gates } = sides[name];
    return {
      namespace: cluster.namespaces.get(before?.pod?.namespace ?? ''),
      node: cluster.nodes.get(before?.node ?? ''),
      published: textOf(gates.published.get(before?.address ?? '') ?? []),
    };
  };
  const [old, now] = [of('before'), of('after')];
  return old.namespace === now.namespace && old.node === now.node && old.published === now.published;
}

/** Only pods have policy: a pair without one is none of ours. */
export function* changedPairs(
  ends: readonly End[],
  family: Family,
  judges: Judges,
  book: Book,
): Generator<Pair> {
  const cellsOf = createCells(book);
  for (const [source, from] of ends.entries()) {
    for (const [target, to] of ends.entries()) {
      if (from.kind !== 'pods' && to.kind !== 'pods') continue;
      if (judges.isSame(source, target)) continue;
      for (const own of ownness(from, to)) {
        const before = judges.rows('before', source, target, own);
        const after = judges.rows('after', source, target, own);
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
  const known = new Map<number, Map<number, readonly Cell[]>>();
  const absence = book.reasonId(absent);
  const reasons = (rows: Rows | undefined, segment: number): readonly number[] =>
    deciders.map((_, index) => (rows === undefined ? absence : (book.row(rows[index] ?? 0)[segment] ?? 0)));
  return (before, after) => {
    const same = known.get(numberOf(before)) ?? new Map<number, readonly Cell[]>();
    known.set(numberOf(before), same);
    const done = same.get(numberOf(after));
    if (done !== undefined) return done;
    const cells = new Map<string, Cell & { segments: number[] }>();
    const differing =
      before === undefined || after === undefined ? undefined : rowsApart(before, after, book);
    for (let segment = 0; segment < book.row(0).length; segment++) {
      // Most segments stay as they were: nothing is made for those.
      if (differing !== undefined && !differing.some(([old, now]) => old[segment] !== now[segment])) continue;
      const cell = cellOf(reasons(before, segment), reasons(after, segment), book);
      if (cell === undefined) continue;
      const found = cells.get(cell.key);
      if (found === undefined) cells.set(cell.key, { ...cell, segments: [segment] });
      else found.segments.push(segment);
    }
    const found = [...cells.values()];
    same.set(numberOf(after), found);
    return found;
  };
}

function rowsApart(
  before: Rows,
  after: Rows,
  book: Book,
): readonly (readonly [readonly number[], readonly number[]])[] {
  return before.flatMap((id, index) => {
    const other = after[index] ?? 0;
    return id === other ? [] : [[book.row(id), book.row(other)] as const];
  });
}

/** One number for three; rows are far fewer than 2^21, those of Subnets than 2^10. */
function numberOf(rows: Rows | undefined): number {
  if (rows === undefined) return -1;
  const [egress, subnet, ingress] = rows;
  return (egress * 2 ** 21 + ingress) * 2 ** 10 + subnet;
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
    if (gates.podPrefixes.size === 0) return 0;
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
