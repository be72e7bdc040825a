/** Connections that real traffic had, found again among the ends of a comparison. */
import type { Place } from '#intent/node.ts';
import type { ClusterModel } from '#model/cluster.ts';
import type { PolicyProtocol } from '#model/policy.ts';
import { canonicalAddr, type Family, parseAddr } from '#net/addr.ts';
import { compileServices } from '../services/compile.ts';
import type { End } from './ends.ts';
import type { CoveringLine, Line } from './lines.ts';
import { isOn } from './pairs.ts';
import type { PrefixTree } from './prefixes.ts';

/** `from` and `to`: `namespace/pod`, `node/NAME`, or an address, which may be a Service's (then with the Service's port). */
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

/** Lines with the number of flows that each covers, those that cover some first; and the flows whose ends are not known. */
export function withObserved(
  lines: readonly CoveringLine[],
  flows: readonly ObservedFlow[],
  find: Finder,
  cluster: ClusterModel,
): { readonly lines: readonly Line[]; readonly unknown: number } {
  const counts = new Map<Line, number>(lines.map((line) => [line, 0]));
  const translate = translator(cluster);
  let unknown = 0;
  for (const flow of flows) {
    const from = find(flow.from);
    const targets = translate(flow).map((target) => ({ ...target, to: find(target.address) }));
    if (from.length === 0 || targets.every(({ to }) => to.length === 0)) unknown++;
    for (const line of lines) {
      const isCovered = targets.some(({ to, port }) =>
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
  for (const [key, { addresses }] of cluster.pods)
    for (const address of addresses) holders.set(address, byPod.get(key) ?? []);
  for (const [name, { addresses }] of cluster.nodes)
    for (const address of [...addresses, ...(cluster.tunnelAddresses.get(name) ?? [])])
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

/** An address and port of a Service are its backends'. */
function translator({
  services,
  slices,
}: ClusterModel): (flow: ObservedFlow) => readonly { readonly address: string; readonly port: number }[] {
  const { value } = compileServices({ services, slices });
  const backends = new Map<string, readonly Place[]>(
    Object.values(value.services).flatMap(({ protocol, frontends, backends: own }) =>
      frontends.map(({ address, port }) => [`${protocol} ${address} ${port}`, own] as const),
    ),
  );
  return ({ to, protocol, port }) =>
    backends.get(`${protocol} ${canonicalAddr(to) ?? ''} ${port}`) ?? [{ address: to, port }];
}
