/** What the lab's router holds, for tests and benches: routes that nodes announced, and its sessions with them. */
import { paths } from '#system/registry.ts';
import type { Lab } from './client.ts';

/** A prefix in the router's own table of routes. */
export type RouterRoute = {
  /** With its length: `198.51.100.7/32`. */
  readonly prefix: string;
  /** Names of the nodes that it leads to, sorted; an address where no node has it. */
  readonly via: readonly string[];
};

/** How one node announces a prefix. */
export type RouterPath = {
  readonly node: string;
  /** Sorted; `65000:100`, `65000:1:2`. */
  readonly communities: readonly string[];
  readonly localPreference?: number;
  readonly asPath: string;
};

/** The kernel's routes that came by BGP, of both families, by prefix. */
export async function routerRoutes(lab: Lab): Promise<ReadonlyMap<string, RouterRoute>> {
  const nodes = await nodesByAddress(lab);
  const tables = await Promise.all(
    ['-4', '-6'].map(async (family) => {
      const text = await onRouter(lab, ['ip', '-j', family, 'route', 'show', 'proto', 'bgp']);
      return parseRoutes(text, nodes);
    }),
  );
  return new Map(tables.flat().map((route) => [route.prefix, route]));
}

/** Who announces a prefix, by node; empty: nobody does. */
export async function routerPaths(lab: Lab, prefix: string): Promise<readonly RouterPath[]> {
  const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
  const text = await routerVtysh(lab, `show bgp ${family} unicast ${prefix} json`);
  return parsePaths(text, await nodesByAddress(lab));
}

/** How often the session with each node was made, by node and address: more than before is a session that was reset. */
export async function routerSessions(
  lab: Lab,
): Promise<ReadonlyMap<string, { readonly state: string; readonly made: number }>> {
  type Neighbors = Readonly<Record<string, { bgpState?: string; connectionsEstablished?: number }>>;
  const found = JSON.parse(await routerVtysh(lab, 'show bgp neighbors json')) as Neighbors;
  const nodes = await nodesByAddress(lab);
  return new Map(
    Object.entries(found).flatMap(([address, { bgpState, connectionsEstablished = 0 }]) =>
      bgpState === undefined
        ? []
        : [[`${nodes.get(address) ?? '?'} ${address}`, { state: bgpState, made: connectionsEstablished }]],
    ),
  );
}

export async function routerVtysh(lab: Lab, ...commands: readonly string[]): Promise<string> {
  const argv = ['vtysh', '--vty_socket', paths.frrDirectory.value];
  return onRouter(lab, [...argv, ...commands.flatMap((command) => ['-c', command])]);
}

type KernelRoute = {
  readonly dst: string;
  readonly gateway?: string;
  readonly via?: { readonly host: string };
  readonly nexthops?: readonly { readonly gateway?: string; readonly via?: { readonly host: string } }[];
};

/** Of `ip -j route`. */
export function parseRoutes(text: string, nodes: ReadonlyMap<string, string>): RouterRoute[] {
  const found = text.trim() === '' ? [] : (JSON.parse(text) as readonly KernelRoute[]);
  return found.map(({ dst, nexthops, ...own }) => ({
    prefix: dst.includes('/') ? dst : `${dst}/${dst.includes(':') ? 128 : 32}`,
    via: (nexthops ?? [own])
      .flatMap(({ gateway, via }) => gateway ?? via?.host ?? [])
      .map((address) => nodes.get(address) ?? address)
      .sort(),
  }));
}

type BGPPath = {
  readonly aspath?: { readonly string?: string };
  readonly locPrf?: number;
  readonly community?: { readonly string?: string };
  readonly largeCommunity?: { readonly string?: string };
  readonly peer?: { readonly peerId?: string };
};

/** Of `show bgp … PREFIX json`, which is an empty object for a prefix that nobody announces. */
export function parsePaths(text: string, nodes: ReadonlyMap<string, string>): RouterPath[] {
  const { paths: found = [] } = JSON.parse(text) as { readonly paths?: readonly BGPPath[] };
  return found
    .map(({ aspath, locPrf, community, largeCommunity, peer }) => ({
      node: nodes.get(peer?.peerId ?? '') ?? peer?.peerId ?? '',
      communities: [community, largeCommunity]
        .flatMap((each) => (each?.string ?? '').split(' '))
        .filter((each) => each !== '')
        .sort(),
      ...(locPrf === undefined ? {} : { localPreference: locPrf }),
      asPath: aspath?.string ?? '',
    }))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
}

/** Underlay addresses, and those that IPv6 next hops have: link-local ones, by their MAC. */
async function nodesByAddress(lab: Lab): Promise<ReadonlyMap<string, string>> {
  const { machines } = await lab.status();
  const nodes = machines.filter(({ role }) => role === 'node');
  const own = nodes.flatMap(({ name, addresses }) => addresses.map((address) => [address, name] as const));
  return new Map([...own, ...nodes.flatMap(({ name, addresses }) => linkLocal(name, addresses))]);
}

/** topology.ts gives a node the MAC of its host number, in hexadecimal. */
function linkLocal(name: string, addresses: readonly string[]): (readonly [string, string])[] {
  const host = Number(/[.:](\d+)$/.exec(addresses[0] ?? '')?.[1]);
  return Number.isNaN(host) ? [] : [[`fe80::ff:fe00:42${host.toString(16).padStart(2, '0')}`, name]];
}

async function onRouter(lab: Lab, argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await lab.exec('router', argv);
  if (code !== 0) throw new Error(`router: ${argv.join(' ')}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}
