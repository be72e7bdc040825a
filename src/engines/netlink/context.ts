/** What all entries of an intent share on one machine: underlay, tunnel, MTU; pure. */
import type { NodeIntent, SelfIntent, SubnetMode } from '#intent/node.ts';
import { numbers } from '#system/registry.ts';
import { tunnelMac } from './names.ts';

/** What the engine must know of the machine and doesn't own. */
export type Facts = {
  /** Whether the kernel speaks IPv6 at all. */
  readonly ipv6: boolean;
  /** Whether `net.ipv4.conf.all.rp_filter` is 1: then a device's own must be 2 not to be strict. */
  readonly strictReversePath: boolean;
  /** Devices other than our own that have an address. */
  readonly devices: readonly DeviceFact[];
};

export type DeviceFact = {
  readonly name: string;
  readonly mtu: number;
  /** With prefix length (`192.168.66.11/24`); only those that can be used now (no duplicate address detection under way). */
  readonly addresses: readonly string[];
  /** rp_filter as it takes effect (the larger of `all` and the device's own). */
  readonly reversePath: number;
  readonly acceptRouterAdvertisements: number;
};

export type Problem = { readonly entry: string; readonly reason: string };

/** What every entry's objects depend on beside the entry; re-lowering is due only when this changes. */
export type Context = {
  readonly ipv6: boolean;
  readonly strictReversePath: boolean;
  readonly devices: readonly DeviceFact[];
  /** Underlay addresses of this node that a device really has. */
  readonly address4?: string;
  readonly address6?: string;
  /** The devices that have them, or had them last: a lease that is renewed must not silence what answers there for pods. */
  readonly device4?: string;
  readonly device6?: string;
  /** Smallest MTU of the devices that have them; undefined while none has. */
  readonly underlayMtu?: number;
  readonly tunnel?: Tunnel;
  readonly tunnelAddresses: readonly string[];
  /** Routers that this node tells its blocks by BGP; undefined when it tells nobody. */
  readonly routers?: readonly string[];
};

export type Tunnel = {
  readonly family: 4 | 6;
  readonly local: string;
  readonly mac: string;
  readonly mtu: number;
};

/**
 * The part of the intent and the facts that all entries share. `previous`: a node that has lost its address for a while (a new
 * lease, a cable) keeps its tunnel and its MTU until it has one again.
 */
export function contextOf(
  intent: Pick<NodeIntent, 'self' | 'subnets' | 'bgpNeighbors'>,
  facts: Facts,
  previous?: Context,
): { value: Context; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const self = Object.values(intent.self)[0];
  const base: Context = { ...facts, tunnelAddresses: [] };
  if (self === undefined) return { value: base, problems };
  const entry = `self/${self.node}`;
  const found = self.addresses.flatMap((address) => {
    const device = facts.devices.find((each) => each.addresses.some((one) => hostPart(one) === address));
    if (device === undefined)
      problems.push({ entry, reason: `no device of the node has its address ${address}` });
    return device === undefined ? [] : [{ address, device }];
  });
  const [address4, address6] = ([4, 6] as const).map(
    (family) => found.find(({ address }) => familyOf(address) === family)?.address,
  );
  const [device4, device6] = ([4, 6] as const).map((family) => {
    const now = found.find(({ address }) => familyOf(address) === family)?.device.name;
    const before = family === 4 ? previous?.device4 : previous?.device6;
    return now ?? (self.addresses.some((address) => familyOf(address) === family) ? before : undefined);
  });
  const seen = found[0] === undefined ? undefined : { local: found[0].address, mtu: smallestMtu(found) };
  const kept = previous?.tunnel;
  const lost = (address: string) => !found.some((each) => each.address === address);
  const still = kept !== undefined && self.addresses.includes(kept.local) && lost(kept.local);
  const underlayMtu = still ? previous?.underlayMtu : (seen?.mtu ?? previous?.underlayMtu);
  const overlay = Object.values(intent.subnets).some((subnet) => subnet.mode === 'overlay');
  const tunnel = still ? kept : seen === undefined ? undefined : tunnelOf(self, seen.local, seen.mtu);
  if (overlay && tunnel !== undefined && tunnel.mtu < smallestMtu6 && facts.ipv6) {
    const reason = `the underlay's MTU leaves ${tunnel.mtu} bytes in the tunnel; IPv6 needs ${smallestMtu6}`;
    problems.push({ entry, reason });
  }
  const value: Context = {
    ...base,
    ...optional({ address4, address6, device4, device6, underlayMtu, tunnel: overlay ? tunnel : undefined }),
    ...optional({ routers: routersOf(intent.bgpNeighbors) }),
    tunnelAddresses: self.tunnelAddresses.filter((address) => facts.ipv6 || familyOf(address) === 4),
  };
  return { value, problems };
}

/** In order of name: each change of one counts. */
function routersOf(neighbors: NodeIntent['bgpNeighbors']): readonly string[] | undefined {
  const entries = Object.entries(neighbors)
    .filter(([, { servicesOnly }]) => servicesOnly !== true)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return undefined;
  return entries.flatMap(([, { address, mesh }]) => (mesh === undefined ? [address] : []));
}

/** RFC 8200 §5. */
const smallestMtu6 = 1280;

function smallestMtu(found: readonly { readonly device: DeviceFact }[]): number {
  return Math.min(...found.map(({ device }) => device.mtu));
}

/** MTU of a pod's interface; undefined while no device has the node's address. */
export function podMtu(context: Context, mode: SubnetMode): number | undefined {
  if (context.underlayMtu === undefined || mode !== 'overlay') return context.underlayMtu;
  return context.tunnel?.mtu;
}

function tunnelOf(self: SelfIntent, local: string, underlayMtu: number): Tunnel {
  const family = familyOf(local);
  const overhead = family === 4 ? numbers.vxlanOverhead4.value : numbers.vxlanOverhead6.value;
  return { family, local, mac: tunnelMac(self.addresses[0]!), mtu: underlayMtu - overhead };
}

export function familyOf(text: string): 4 | 6 {
  return text.includes(':') ? 6 : 4;
}

/** An address without its prefix length. */
export function hostPart(text: string): string {
  return text.replace(/\/.*$/, '');
}

/** The fields that are set. */
export function optional<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
