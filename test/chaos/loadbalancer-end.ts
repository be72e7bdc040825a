/** What must be true once nothing happens any more: every Service has its address, and who announces it is who should. */
import { endpointSliceType, serviceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { Neighbors } from '#lab/neighbors.ts';
import { routerPaths, routerRoutes } from '#lab/router-table.ts';
import { formatAddr, parseAddr } from '#net/addr.ts';
import { parseRange, rangeHas, rangeSize } from '#net/range.ts';
import type { Cluster } from '../lab/cluster.ts';
import type { World } from './loadbalancer-deeds.ts';
import { nodes, type PoolName, ranges } from './loadbalancer-objects.ts';
import { addressesOf, type BalancedService, doubled } from './loadbalancer-watch.ts';

/** Gives what is wrong, a line each. */
export async function wrongAtTheEnd(
  cluster: Cluster,
  neighbors: Neighbors,
  world: World,
): Promise<readonly string[]> {
  const { items } = await cluster.client.list<BalancedService>(serviceType);
  const services = items.filter(({ metadata }) => world.services.has(metadata.name));
  const wrong = [...doubled(services), ...unserved(services, world)];
  const behind = await nodesWithEndpoints(cluster);
  const asked = segmentAddresses();
  const answers = await neighbors.whoAnswers(asked, 1_000);
  const routes = await routerRoutes(cluster.lab);
  const owners = new Map(
    services.flatMap((each) => addressesOf(each).map((address) => [address, each] as const)),
  );
  for (const address of asked) {
    const by = answers.get(address) ?? [];
    const owner = owners.get(address);
    const may = owner === undefined ? [] : announcers(owner, world, behind);
    const good = may.length === 0 ? by.length === 0 : by.length === 1 && may.includes(by[0] ?? '');
    if (!good)
      wrong.push(
        `${address} is answered by ${said(by)}; ${owner?.metadata.name ?? 'it is free'}: ${said(may)}`,
      );
  }
  for (const address of new Set([...owners.keys(), ...routed(routes.keys())])) {
    if (poolOf(address) !== 'fabric') continue;
    const owner = owners.get(address);
    const prefix = `${address}/${address.includes(':') ? 128 : 32}`;
    const via = routes.get(prefix)?.via ?? [];
    const should = owner === undefined ? [] : announcers(owner, world, behind);
    if (via.join() !== should.join()) {
      wrong.push(`the router has ${prefix} via ${said(via)}, not via ${said(should)}`);
      continue;
    }
    for (const { node, communities } of await routerPaths(cluster.lab, prefix))
      if (communities.join() !== '65000:100') wrong.push(`${node} says of ${prefix} ${said(communities)}`);
  }
  return wrong;
}

const said = (names: readonly string[]): string => names.join(', ') || 'nobody';

/** A Service may wait only while its pool is full. */
function unserved(services: readonly BalancedService[], world: World): string[] {
  const missing = [...world.services.keys()].filter(
    (name) => !services.some(({ metadata }) => metadata.name === name),
  );
  const waiting = services.filter((service) => addressesOf(service).length === 0);
  const held = new Set(services.flatMap(addressesOf));
  return [
    ...missing.map((name) => `Service ${name} is not there`),
    ...waiting.flatMap(({ metadata }) => {
      const from = world.services.get(metadata.name)?.pool ?? 'segment';
      const free = freeOf(from, world.wide.get(from) === true, held);
      return free === undefined ? [] : [`Service ${metadata.name} has no address, and ${free} is free`];
    }),
  ];
}

function freeOf(name: PoolName, isWide: boolean, held: ReadonlySet<string>): string | undefined {
  const [fixed, loose] = ranges[name];
  const all = (isWide ? [...fixed, ...loose] : fixed).filter((text) => !text.includes(':'));
  return all.flatMap(each).find((address) => !held.has(address));
}

/** Of ranges that are small. */
function each(text: string): string[] {
  const range = parseRange(text);
  if (range === undefined) throw new Error(`no range: ${text}`);
  const { family, first } = range;
  const count = Number(rangeSize(range));
  return Array.from({ length: count }, (_, index) => formatAddr({ family, value: first + BigInt(index) }));
}

export function segmentAddresses(): readonly string[] {
  return ranges.segment.flat().flatMap(each);
}

function poolOf(address: string): PoolName | undefined {
  const addr = parseAddr(address);
  const inside = (text: string): boolean => {
    const range = parseRange(text);
    return addr !== undefined && range !== undefined && rangeHas(range, addr);
  };
  return (['segment', 'fabric'] as const).find((name) => ranges[name].flat().some(inside));
}

const routed = (prefixes: Iterable<string>): string[] =>
  [...prefixes].flatMap((prefix) => (/\/(?:32|128)$/.test(prefix) ? [prefix.replace(/\/.*/, '')] : []));

/** Nodes that may answer, or that must announce; sorted. */
function announcers(
  { metadata }: KubeObject,
  world: World,
  behind: ReadonlyMap<string, ReadonlySet<string>>,
): readonly string[] {
  const local = world.services.get(metadata.name)?.local === true;
  const with_ = behind.get(metadata.name) ?? new Set();
  if (with_.size === 0) return [];
  return nodes.filter((node) => !local || with_.has(node));
}

type Slice = KubeObject & {
  readonly endpoints?: readonly {
    readonly nodeName?: string;
    readonly conditions?: { readonly ready?: boolean };
  }[];
};

/** By Service. */
async function nodesWithEndpoints({ client }: Cluster): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { items } = await client.list<Slice>(endpointSliceType);
  const found = new Map<string, Set<string>>();
  for (const { metadata, endpoints = [] } of items) {
    const service = metadata.labels?.['kubernetes.io/service-name'] ?? '';
    const set = found.get(service) ?? new Set<string>();
    for (const { nodeName, conditions } of endpoints)
      if (conditions?.ready !== false && nodeName !== undefined) set.add(nodeName);
    found.set(service, set);
  }
  return found;
}
