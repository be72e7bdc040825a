/** Connections that real traffic had, found again among the ends of a comparison. */
import type { ClusterModel } from '#model/cluster.ts';
import type { PolicyProtocol } from '#model/policy.ts';
import { canonicalAddr, type Family, parseAddr } from '#net/addr.ts';
import { holdersOf, toldAddresses } from '../policy/holders.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import { wayOf } from './doors.ts';
import type { End } from './ends.ts';
import type { Gates } from './gate.ts';
import type { CoveringLine, Line } from './lines.ts';
import { isOn } from './pairs.ts';
import { heldParty, type Party, partyOf } from './parties.ts';
import type { PrefixTree } from './prefixes.ts';
import { routerOf } from './routes.ts';

/**
 * `from` and `to`: `namespace/pod`, `node/NAME`, or an address, which may be a Service's (then with the Service's port) or a node's (then
 * perhaps with a node port).
 */
export type ObservedFlow = {
  readonly from: string;
  readonly to: string;
  readonly protocol: PolicyProtocol | 'other';
  readonly port: number;
};

/** Ends of both families; `undefined` where there is nothing that the word can mean. */
export type Finder = (
  text: string,
) => readonly { readonly end: End; readonly family: Family; readonly name: string }[];

/** The cluster in which the connections were seen. */
export type Seen = {
  readonly cluster: ClusterModel;
  readonly snapshot: PolicySnapshot;
  readonly gates: Gates;
};

/** Lines with the number of flows that each covers, those that cover some first; and the flows whose ends are not known. */
export function withObserved(
  lines: readonly CoveringLine[],
  flows: readonly ObservedFlow[],
  find: Finder,
  seen: Seen,
): { readonly lines: readonly Line[]; readonly unknown: number } {
  const counts = new Map<Line, number>(lines.map((line) => [line, 0]));
  const hopsOf = hopFinder(seen, find);
  let unknown = 0;
  for (const flow of flows) {
    const hops = hopsOf(flow);
    if (hops.length > 0 && hops.every(({ from, to }) => from.length === 0 || to.length === 0)) unknown++;
    for (const line of lines) {
      const isCovered = hops.some(({ from, to, port }) =>
        from.some((source) => to.some((target) => covers(line, source, target, flow.protocol, port))),
      );
      if (isCovered) counts.set(line, (counts.get(line) ?? 0) + 1);
    }
  }
  const counted = lines.map((line): Line => ({ ...line, observed: counts.get(line) ?? 0 }));
  return {
    lines: counted.sort((a, b) => Number((b.observed ?? 0) > 0) - Number((a.observed ?? 0) > 0)),
    unknown,
  };
}

type Found = ReturnType<Finder>[number];

function covers(line: CoveringLine, from: Found, to: Found, protocol: string, port: number): boolean {
  if (from.family !== to.family) return false;
  const inPorts = line.ports.some(
    (each) => each.protocol === protocol && each.first <= port && port <= each.last,
  );
  return inPorts && line.covers(from.end, to.end, from.family, isOwn(from, to));
}

function isOwn(from: Found, to: Found): boolean {
  const [pod, node] = from.end.kind === 'pods' ? [from, to] : [to, from];
  if (node.end.kind !== 'nodes') return false;
  const found = pod.end.unit?.pods.find(({ key }) => key === pod.name);
  return found !== undefined && isOn(found, node.name);
}

export function finderOf(
  ends: Readonly<Record<Family, readonly End[]>>,
  cluster: ClusterModel,
  tree: PrefixTree,
): Finder {
  const byPod = new Map<string, Found[]>();
  const byNode = new Map<string, Found[]>();
  const byPart = new Map<number, Found[]>();
  const put = <K>(map: Map<K, Found[]>, key: K, found: Found) => {
    const list = map.get(key);
    if (list === undefined) map.set(key, [found]);
    else list.push(found);
  };
  for (const family of [4, 6] as const) {
    for (const end of ends[family]) {
      for (const { key } of end.unit?.pods ?? []) put(byPod, key, { end, family, name: key });
      for (const name of end.nodes?.names ?? []) put(byNode, name, { end, family, name });
      if (end.part !== undefined) put(byPart, end.part, { end, family, name: end.label });
    }
  }
  const holders = new Map<string, Found[]>();
  for (const [key, { addresses, node = '', hostNetwork, ended }] of cluster.pods) {
    if (hostNetwork) byPod.set(key, byNode.get(node) ?? []);
    // Addresses are used again.
    else if (!ended) for (const address of addresses) holders.set(address, byPod.get(key) ?? []);
  }
  for (const [name, node] of cluster.nodes)
    for (const address of [...toldAddresses(node), ...(cluster.tunnelAddresses.get(name) ?? [])])
      holders.set(address, byNode.get(name) ?? []);
  return (text) => {
    const address = canonicalAddr(text);
    const addr = address === undefined ? undefined : parseAddr(address);
    if (address === undefined || addr === undefined) {
      return text.startsWith('node/') ? (byNode.get(text.slice(5)) ?? []) : (byPod.get(text) ?? []);
    }
    const held = holders.get(address);
    if (held !== undefined) return held.filter(({ family }) => family === addr.family);
    return byPart.get(tree.partOf(addr)) ?? [];
  };
}

type Hop = { readonly from: readonly Found[]; readonly to: readonly Found[]; readonly port: number };

/** Who is judged of a connection: one pair of ends, or more where a Service translates it, or another node takes it in. */
function hopFinder({ cluster, snapshot, gates }: Seen, find: Finder): (flow: ObservedFlow) => readonly Hop[] {
  const router = routerOf(cluster);
  const notes = new Set<string>();
  const holders = holdersOf(snapshot);
  const partyAt = (address: string, family: Family) =>
    heldParty(cluster, holders.get(address), address, family, notes);
  const sourceOf = (text: string, family: Family): Party | undefined => {
    const address = canonicalAddr(text);
    if (address !== undefined) return partyAt(address, family);
    const pod = cluster.pods.get(text);
    if (pod !== undefined) return partyOf(cluster, snapshot, { kind: 'pod', key: text, pod }, family, notes);
    return text.startsWith('node/')
      ? partyOf(cluster, snapshot, { kind: 'node', name: text.slice(5) }, family, notes)
      : undefined;
  };
  return (flow) => {
    const { protocol, port } = flow;
    const direct: Hop = { from: find(flow.from), to: find(flow.to), port };
    const address = canonicalAddr(flow.to) ?? '';
    const family = parseAddr(address)?.family;
    const source = family === undefined ? undefined : sourceOf(flow.from, family);
    const routes =
      source === undefined || protocol === 'other'
        ? undefined
        : router.toPlace(source, { address, port }, protocol);
    if (source === undefined || routes === undefined) return [direct];
    return routes.flatMap((route) =>
      route.backends.flatMap((backend): Hop[] => {
        const to = partyAt(backend.address, source.family);
        if (to === undefined) return [];
        const { as, first } = wayOf(cluster, gates, source, to, route);
        const translated = {
          from: as === source ? direct.from : find(textOf(as)),
          to: find(backend.address),
          port: backend.port,
        };
        return first === undefined || source.kind !== 'pod' ? [translated] : [direct, translated];
      }),
    );
  };
}

function textOf({ kind, node = '', key, address }: Party): string {
  return kind === 'node' ? `node/${node}` : (key ?? address);
}
