/** Which connections would open and which would close between a cluster as it is and as it would be. */
import { formatOrigin } from '#intent/origin.ts';
import type { ClusterModel } from '#model/cluster.ts';
import type { PolicyModel, PolicyPeer } from '#model/policy.ts';
import type { Family } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import { type DnsLoss, dnsLosses } from './dns.ts';
import { type End, endsOf } from './ends.ts';
import { type Gates, gatesOf } from './gate.ts';
import { type CoveringLine, type Line, linesOf } from './lines.ts';
import { type Finder, finderOf, type ObservedFlow, type Seen, withObserved } from './observed.ts';
import { changedPairs, judgesOf } from './pairs.ts';
import { treeOf } from './prefixes.ts';
import { createBook } from './reasons.ts';
import { segmentsOf } from './segments.ts';
import { unified } from './unify.ts';
import { lookedAt, type Sides, sideNames, unitsOf } from './units.ts';

export type { DnsLoss } from './dns.ts';
export type { Line } from './lines.ts';
export type { ObservedFlow } from './observed.ts';

export type Difference = {
  /** Workloads that can ask the cluster DNS no more. */
  readonly dns: readonly DnsLoss[];
  readonly closes: readonly Line[];
  readonly opens: readonly Line[];
  /** Same verdict, for another reason. */
  readonly reasons: readonly Line[];
  /** Observed flows whose ends are not known. */
  readonly unknownFlows: number;
  /** What isn't compared, and changed. */
  readonly notes: readonly string[];
};

export type DiffOptions = { readonly reasons?: boolean; readonly observed?: readonly ObservedFlow[] };

/** A cluster as policy sees it. */
export function snapshotOf(cluster: ClusterModel, { podPrefixes }: Gates = gatesOf(cluster)): PolicySnapshot {
  const { policies, pods, namespaces, nodes, tunnelAddresses, names } = cluster;
  const told = names === undefined ? {} : { names };
  return { policies, pods, namespaces, nodes, tunnelAddresses, podPrefixes, ...told };
}

export function diffClusters(
  before: ClusterModel,
  after: ClusterModel,
  options: DiffOptions = {},
): Difference {
  const { lines, find, dns, notes } = compare(before, after, options.reasons ?? false);
  const { lines: shown, unknown } =
    options.observed === undefined
      ? { lines, unknown: 0 }
      : withObserved(lines, options.observed, find, seenIn(before));
  const of = (kind: Line['kind']) => shown.filter((line) => line.kind === kind).map(plain);
  return {
    dns,
    closes: of('closes'),
    opens: of('opens'),
    reasons: of('reason'),
    unknownFlows: unknown,
    notes,
  };
}

function seenIn(cluster: ClusterModel): Seen {
  const gates = gatesOf(cluster);
  return { cluster, gates, snapshot: snapshotOf(cluster, gates) };
}

export type Comparison = {
  readonly lines: readonly CoveringLine[];
  readonly find: Finder;
  readonly dns: readonly DnsLoss[];
  readonly notes: readonly string[];
};

/** With what is needed to ask which line a connection belongs to. */
export function compare(before: ClusterModel, next: ClusterModel, withReasons: boolean): Comparison {
  const after = unified(before, next);
  const sides: Sides = {
    before: { cluster: before, gates: gatesOf(before) },
    after: { cluster: after, gates: gatesOf(after) },
  };
  const snapshots = {
    before: snapshotOf(before, sides.before.gates),
    after: snapshotOf(after, sides.after.gates),
  };
  const policies = [...before.policies.values(), ...after.policies.values()];
  const pods = [...before.pods.values(), ...after.pods.values()];
  const looked = lookedAt(policies);
  const tree = treeOf([
    ...policies.flatMap(prefixesIn),
    ...sideNames.flatMap((name) => sides[name].gates.prefixes),
  ]);
  const published = sideNames.flatMap((name) => [...sides[name].gates.published.values()].flat());
  const segments = segmentsOf(policies, pods, published);
  const book = createBook(segments);
  const units = unitsOf(sides, looked, tree);
  const ends = (family: Family): readonly End[] => endsOf({ sides, snapshots, units, looked, tree, family });
  const all: Readonly<Record<Family, readonly End[]>> = { 4: ends(4), 6: ends(6) };
  const judgesFor = (family: Family) => judgesOf(sides, snapshots, all[family], segments, book);
  const judges = { 4: judgesFor(4), 6: judgesFor(6) };
  const pairs = ([4, 6] as const).flatMap((family) => [
    ...changedPairs(all[family], family, judges[family], book),
  ]);
  const kept = withReasons
    ? pairs
    : pairs.flatMap((pair) => {
        const cells = pair.cells.filter(({ kind }) => kind !== 'reason');
        return cells.length === 0 ? [] : [{ ...pair, cells }];
      });
  const lines = linesOf(kept, segments, book, sides);
  return {
    lines,
    find: finderOf(all, after, tree),
    dns: dnsLosses({ sides, ends: all, judges, book, segments }),
    notes: changedNames(before, after),
  };
}

/** What names stand for only the nodes know. `after` is unified with `before`. */
function changedNames(before: ClusterModel, after: ClusterModel): readonly string[] {
  const hasNames = (policy: PolicyModel | undefined) =>
    policy?.egress?.some(({ peers = [] }) => peers.some(({ kind }) => kind === 'name')) === true;
  const keys = new Set([...before.policies.keys(), ...after.policies.keys()]);
  return [...keys].sort().flatMap((key) => {
    const [old, next] = [before.policies.get(key), after.policies.get(key)];
    const origin = (next ?? old)?.origin;
    if (old === next || origin === undefined || !(hasNames(old) || hasNames(next))) return [];
    return [
      `${formatOrigin(origin)}: it changes and has domain names, which are not compared: what they stand for may open or close`,
    ];
  });
}

function prefixesIn({ ingress = [], egress = [] }: PolicyModel): readonly Prefix[] {
  const of = (peer: PolicyPeer) => (peer.kind === 'cidr' ? [peer.prefix, ...peer.except] : []);
  return [...ingress, ...egress].flatMap(({ peers = [] }) => peers.flatMap(of));
}

function plain(line: Line): Line {
  const { covers: _, ...rest } = line as CoveringLine;
  return rest;
}
