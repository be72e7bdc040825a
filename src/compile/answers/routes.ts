/** Where a connection goes: straight to its destination, or through a Service to its backends, or by a host port to its pod. */
import type { Place, ServiceIntent } from '#intent/node.ts';
import type { ClusterModel } from '#model/cluster.ts';
import type { PolicyProtocol } from '#model/policy.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { compileServices, type ServicePlace } from '../services/compile.ts';
import { frontendKinds } from '../services/frontends.ts';
import type { Party } from './parties.ts';
import type { AskedPort } from './question.ts';

export type Translation = {
  /** `namespace/name`; with `isHostPort` of a pod. */
  readonly service: string;
  readonly isHostPort?: true;
  readonly frontend: Place;
  /** For people: `10.96.0.7:80`, or `port 30080 of any node`. */
  readonly at: string;
  readonly protocol: PolicyProtocol;
  /** Why nobody gets the connection; absent: `backends` do. */
  readonly unserved?: { readonly outcome: 'refused' | 'denied'; readonly because: string };
  readonly backends: readonly Place[];
  /** Absent: the source's own node translates it, or nobody knows which. */
  readonly door?: Door;
};

/** A node that takes in what comes from elsewhere. */
export type Door = {
  readonly node: string;
  /** One of all nodes: nobody said through which. */
  readonly isAny: boolean;
  /** By the Service's traffic policy backends are on that node, and the client keeps its address. */
  readonly isLocal: boolean;
};

export type Router = {
  /** What a Service makes of a connection to it; without a port, to each of its ports. */
  readonly toService: (service: string, from: Party, port: AskedPort | undefined) => readonly Translation[];
  /** What the Service makes of it that answers at an address and port; `undefined`: none does. */
  readonly toPlace: (from: Party, to: Place, protocol: PolicyProtocol) => readonly Translation[] | undefined;
};

type Entry = ServiceIntent & { readonly key: string; readonly kind: string; readonly portName: string };

export function routerOf(cluster: ClusterModel): Router {
  const byNode = new Map<string | undefined, Entries>();
  const entriesAt = (node: string | undefined): Entries => {
    const known = byNode.get(node) ?? indexed(entriesFor(cluster, node));
    byNode.set(node, known);
    return known;
  };
  const nodeAt = new Map(
    [...cluster.nodes.values()].flatMap(({ name, addresses }) =>
      addresses.map((each) => [each, name] as const),
    ),
  );
  const owners = new Map(
    [...cluster.services.values()].flatMap(({ key, clusterIPs }) =>
      clusterIPs.map((each) => [each, key] as const),
    ),
  );
  const hostPorts = hostPortsIn(cluster);
  return {
    toService: (service, from, port) =>
      portsOf(cluster, service, from, port, entriesAt(from.node).all).flatMap((found) =>
        'entry' in found ? throughDoors(cluster, found.entry, from) : [found],
      ),
    toPlace(from, to, protocol) {
      const answering = (node: string | undefined) =>
        entriesAt(node)
          .byPlace.get(placeKey(to, protocol))
          ?.find(({ kind }) => kind !== 'cluster' || from.kind !== 'address');
      const named = (list: readonly Translation[]) =>
        list.map((each): Translation => ({ ...each, frontend: to, at: placeText(to) }));
      const own = answering(from.node);
      const holder = nodeAt.get(to.address);
      const isElsewhere = holder !== undefined && holder !== from.node;
      // Each node translates at its own addresses; of the outside's connections none but the node that they come to.
      if (isElsewhere && (from.kind === 'address' || (own === undefined && from.node !== undefined))) {
        const entry = answering(holder);
        if (entry !== undefined) return named([translationBy(entry, from, { node: holder, isAny: false })]);
      }
      if (own !== undefined)
        return named(isElsewhere ? [translationBy(own, from)] : throughDoors(cluster, own, from));
      const hosted = hostPorts.get(placeKey(to, protocol));
      if (hosted !== undefined)
        return isElsewhere ? [{ ...hosted, door: { node: holder, isAny: false, isLocal: true } }] : [hosted];
      const service = owners.get(to.address);
      if (service === undefined) return undefined;
      const unserved = nobodyServes(from.kind === 'address');
      return [{ service, frontend: to, at: placeText(to), protocol, backends: [], unserved }];
    },
  };
}

/** By place, at the addresses of their nodes: the node sends them on as they come. */
function hostPortsIn({ pods, nodes }: ClusterModel): ReadonlyMap<string, Translation> {
  const found = new Map<string, Translation>();
  for (const [service, pod] of pods) {
    const { hostPorts = [], ended, node = '', addresses } = pod;
    if (ended) continue;
    for (const { protocol, hostPort, port, hostIP } of hostPorts)
      for (const at of nodes.get(node)?.addresses ?? []) {
        const address = addresses.find((each) => familyOf(each) === familyOf(at));
        if (address === undefined || (hostIP !== undefined && hostIP !== at)) continue;
        const frontend = { address: at, port: hostPort };
        const key = placeKey(frontend, protocol);
        const backends = [{ address, port }];
        if (!found.has(key))
          found.set(key, {
            service,
            isHostPort: true,
            frontend,
            at: placeText(frontend),
            protocol,
            backends,
          });
      }
  }
  return found;
}

type Entries = { readonly all: readonly Entry[]; readonly byPlace: ReadonlyMap<string, readonly Entry[]> };

function indexed(all: readonly Entry[]): Entries {
  const byPlace = new Map<string, Entry[]>();
  for (const entry of all) {
    for (const frontend of entry.frontends) {
      const key = placeKey(frontend, entry.protocol);
      byPlace.set(key, [...(byPlace.get(key) ?? []), entry]);
    }
  }
  return { all, byPlace };
}

function placeKey({ address, port }: Place, protocol: PolicyProtocol): string {
  return `${protocol} ${address} ${port}`;
}

/** By which entry a Service answers at each port that is asked for, or why by none. */
function portsOf(
  cluster: ClusterModel,
  service: string,
  from: Party,
  port: AskedPort | undefined,
  entries: readonly Entry[],
): readonly ({ readonly entry: Entry } | Translation)[] {
  const model = cluster.services.get(service);
  const isOutside = from.kind === 'address';
  const own = entries.filter(
    (entry) =>
      `${entry.origin.namespace}/${entry.origin.name}` === service &&
      entry.frontends.some(({ address }) => familyOf(address) === from.family),
  );
  const ports = (model?.ports ?? []).filter(
    (each) =>
      port === undefined ||
      (each.protocol === port.protocol &&
        (typeof port.port === 'string'
          ? each.name === port.port
          : [each.port, each.nodePort].includes(port.port))),
  );
  const address = model?.clusterIPs.find((each) => familyOf(each) === from.family);
  if (address === undefined) return [];
  const unserved = (
    number: number,
    protocol: PolicyProtocol,
    because: NonNullable<Translation['unserved']>,
  ): Translation => {
    const frontend = { address, port: number };
    return { service, frontend, at: placeText(frontend), protocol, backends: [], unserved: because };
  };
  if (ports.length === 0) {
    const number = typeof port?.port === 'number' ? port.port : 0;
    const protocol = port?.protocol === 'other' || port === undefined ? 'tcp' : port.protocol;
    return [unserved(number, protocol, nobodyServes(isOutside))];
  }
  return ports.map(({ name, protocol, port: number, nodePort }) => {
    const wanted = own.filter((entry) => entry.portName === name && entry.protocol === protocol);
    const asksNodePort = port !== undefined && port.port === nodePort && port.port !== number;
    const kinds = asksNodePort
      ? ['nodePort']
      : isOutside
        ? ['loadBalancer', 'external', 'nodePort']
        : ['cluster'];
    const entry = kinds.flatMap((kind) => wanted.find((each) => each.kind === kind) ?? [])[0];
    const because = 'no address of it is for the outside: it is neither NodePort nor LoadBalancer';
    return entry === undefined ? unserved(number, protocol, { outcome: 'denied', because }) : { entry };
  });
}

/** The outside comes in through any node, if it isn't said through which. */
function throughDoors(cluster: ClusterModel, entry: Entry, from: Party): readonly Translation[] {
  const { namespace, name } = entry.origin;
  const doors = [...cluster.nodes.values()].filter(({ addresses }) =>
    addresses.some((address) => familyOf(address) === from.family),
  );
  if (from.kind !== 'address' || doors.length === 0) return [translationBy(entry, from)];
  const all = doors.flatMap(({ name: node }) =>
    entriesFor(cluster, node, `${namespace}/${name}`)
      .filter(({ key }) => key === entry.key)
      .map((each) => translationBy(each, from, { node, isAny: true })),
  );
  // A balancer asks nodes that serve.
  const served = all.filter(({ unserved }) => unserved === undefined);
  return served.length > 0 ? served : all.slice(0, 1);
}

function translationBy(entry: Entry, from: Party, through?: Omit<Door, 'isLocal'>): Translation {
  const { protocol, published, unserved, origin } = entry;
  const { sources, localBackends } = published ?? {};
  const isLocal = through !== undefined && localBackends !== undefined;
  const backends = isLocal ? localBackends : entry.backends;
  const service = `${origin.namespace}/${origin.name}`;
  const frontend = entry.frontends.find(({ address }) => familyOf(address) === from.family) ?? {
    address: '',
    port: 0,
  };
  const anyNode = entry.kind === 'nodePort' && (from.node === undefined || through?.isAny === true);
  const at = anyNode ? `port ${frontend.port} of any node` : placeText(frontend);
  const door = through === undefined ? {} : { door: { ...through, isLocal } };
  const base = { service, frontend, at, protocol, backends, ...door };
  const denied = (because: string): Translation => ({
    ...base,
    backends: [],
    unserved: { outcome: 'denied', because },
  });
  if (from.kind === 'address' && sources !== undefined && !isIn(from.address, sources))
    return denied(`spec.loadBalancerSourceRanges doesn't let in ${from.address}`);
  if (backends.length > 0) return base;
  if (isLocal)
    return denied(`none of its endpoints is on node ${through.node}, and its traffic policy is Local`);
  return unserved === 'dropped'
    ? denied("none of its endpoints is on the client's node")
    : { ...base, unserved: { outcome: 'refused', because: 'it has no endpoint that is ready' } };
}

function nobodyServes(isOutside: boolean): NonNullable<Translation['unserved']> {
  return isOutside
    ? { outcome: 'denied', because: 'cluster addresses are not for the outside' }
    : { outcome: 'refused', because: 'nobody serves this port of its address' };
}

/** As a node has them, its node ports at its own addresses; without one, at every node's. `only`: a Service. */
function entriesFor(cluster: ClusterModel, node: string | undefined, only?: string): readonly Entry[] {
  const { nodes, slices } = cluster;
  const services =
    only === undefined ? cluster.services : new Map([...cluster.services].filter(([key]) => key === only));
  const { addresses: own = [], zone } = nodes.get(node ?? '') ?? {};
  const all = [...nodes.values()].flatMap(({ addresses }) => addresses);
  const place: ServicePlace = {
    node: node ?? '',
    nodePortAddresses: own.length > 0 ? own : all.length > 0 ? all : ['192.0.2.255', '2001:db8::ffff'],
    addresses: own,
    externalIPs: true,
    ...(zone === undefined ? {} : { zone }),
  };
  const { value } = compileServices({ services, slices }, place);
  return Object.entries(value.services).map(([key, entry]) => {
    const [, , portName = '', , kind = 'cluster'] = key.split('/');
    return { ...entry, key, portName, kind: frontendKinds.find((each) => each === kind) ?? 'cluster' };
  });
}

function placeText({ address, port }: Place): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

function isIn(address: string, prefixes: readonly string[]): boolean {
  const addr = parseAddr(address);
  return prefixes.some((text) => {
    const prefix = parsePrefix(text);
    return addr !== undefined && prefix !== undefined && prefixHas(prefix, addr);
  });
}
