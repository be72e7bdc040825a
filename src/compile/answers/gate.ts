/** What a node lets through to a pod whatever policy says: Subnets that are private, and the outside that must be allowed in. */
import type { Protocol, SubnetIntent } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import type { ClusterModel } from '#model/cluster.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { type Prefix, prefixHas } from '#net/prefix.ts';
import { compileServices } from '../services/compile.ts';
import { subnetIntent } from '../topology/entries.ts';
import { serveSubnets } from '../topology/served.ts';
import { parsedPrefixes } from './prefixes.ts';

export type Gate = { readonly allowed: boolean; readonly origin?: Origin; readonly because: string };

export type GateSource = { readonly kind: 'pod' | 'node' | 'address'; readonly address: string };

export type Gates = {
  /** What a pod's address lies in; `undefined`: in no Subnet, and nothing is known of it. */
  readonly subnetOf: (address: string) => string | undefined;
  readonly isPrivate: (subnet: string) => boolean;
  /** A new connection to a pod's own address. `published`: a Service that the outside may use translated it. */
  readonly into: (from: GateSource, to: string, published: boolean) => Gate;
  /** Every prefix that it looks at. */
  readonly prefixes: readonly Prefix[];
  /** Where published Services send the outside, by address of a pod. */
  readonly published: ReadonlyMap<string, readonly PublishedPort[]>;
  /** By Subnet. */
  readonly podPrefixes: ReadonlyMap<string, readonly string[]>;
};

export type PublishedPort = { readonly protocol: Protocol; readonly port: number };

type Known = {
  readonly intent: SubnetIntent;
  readonly cidrs: readonly Prefix[];
  readonly allowFrom: readonly Prefix[];
  readonly onlyFrom: readonly Prefix[] | undefined;
};

export function gatesOf(cluster: ClusterModel): Gates {
  const { value: served } = serveSubnets(cluster.subnets);
  const nodes = [...cluster.nodes.values()].flatMap(({ addresses }) => addresses);
  const known = served.list.map((subnet): readonly [string, Known] => {
    const intent = subnetIntent(subnet, served, nodes);
    const { cidrs, allowFrom, onlyFrom } = intent;
    const parsed = {
      cidrs: parsedPrefixes(cidrs),
      allowFrom: parsedPrefixes(allowFrom),
      onlyFrom: onlyFrom === undefined ? undefined : parsedPrefixes(onlyFrom),
    };
    return [subnet.name, { intent, ...parsed }];
  });
  const find = (addr: Addr | undefined): readonly [string, Known] | undefined =>
    addr === undefined ? undefined : known.find(([, { cidrs }]) => inside(cidrs, addr));
  const found = new Map<string, string | undefined>();
  const subnetOf = (address: string): string | undefined => {
    if (!found.has(address)) found.set(address, find(parseAddr(address))?.[0]);
    return found.get(address);
  };
  const closed = new Set(known.flatMap(([name, { onlyFrom }]) => (onlyFrom === undefined ? [] : [name])));
  return {
    subnetOf,
    isPrivate: (subnet) => closed.has(subnet),
    into(from, to, published) {
      const source = parseAddr(from.address);
      const target = find(parseAddr(to));
      if (target === undefined || source === undefined)
        return { allowed: true, because: 'its Subnet is not known' };
      const [name, { intent, allowFrom, onlyFrom }] = target;
      const { origin } = intent;
      if (from.kind === 'address' && find(source) !== undefined) {
        const because = `no pod has ${from.address}: Netloom drops what says that it comes from there`;
        return { allowed: false, origin, because };
      }
      if (from.kind === 'address' && !published && !inside(allowFrom, source)) {
        const because = `Subnet ${name} lets in nobody from outside at ${from.address} (spec.allowInboundFrom)`;
        return { allowed: false, origin, because };
      }
      if (onlyFrom !== undefined && from.kind !== 'node' && !inside(onlyFrom, source)) {
        const because = `Subnet ${name} is private and doesn't let in ${from.address} (spec.allowSubnets)`;
        return { allowed: false, origin, because };
      }
      return { allowed: true, because: `Subnet ${name} lets it in` };
    },
    prefixes: known.flatMap(([, { cidrs, allowFrom, onlyFrom = [] }]) => [
      ...cidrs,
      ...allowFrom,
      ...onlyFrom,
    ]),
    published: publishedBackends(cluster),
    podPrefixes: new Map(known.map(([name, { intent }]) => [name, intent.cidrs])),
  };
}

/** Node ports answer at every node, so any address will do to find their backends. */
function publishedBackends({
  services,
  slices,
}: ClusterModel): ReadonlyMap<string, readonly PublishedPort[]> {
  const place = {
    node: '',
    nodePortAddresses: ['192.0.2.255', '2001:db8::ffff'],
    addresses: [],
    externalIPs: true,
  };
  const { value } = compileServices({ services, slices }, place);
  const found = new Map<string, PublishedPort[]>();
  for (const { protocol, backends, published } of Object.values(value.services)) {
    for (const { address, port } of published === undefined ? [] : backends) {
      const ports = found.get(address) ?? [];
      if (!ports.some((each) => each.protocol === protocol && each.port === port))
        ports.push({ protocol, port });
      found.set(address, ports);
    }
  }
  return found;
}

function inside(prefixes: readonly Prefix[], addr: Addr): boolean {
  return prefixes.some((prefix) => prefixHas(prefix, addr));
}
