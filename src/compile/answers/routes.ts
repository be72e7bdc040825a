/** Where a connection goes: straight to its destination, or through a Service to its backends. */
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
  /** `namespace/name`. */
  readonly service: string;
  readonly frontend: Place;
  /** For people: `10.96.0.7:80`, or `port 30080 of any node`. */
  readonly at: string;
  readonly protocol: PolicyProtocol;
  /** Why nobody gets the connection; absent: `backends` do. */
  readonly unserved?: { readonly outcome: 'refused' | 'denied'; readonly because: string };
  readonly backends: readonly Place[];
};

type Entry = ServiceIntent & { readonly key: string; readonly kind: string; readonly portName: string };

/** What a Service makes of a connection to it; without a port, to each of its ports. */
export function routesTo(
  cluster: ClusterModel,
  service: string,
  from: Party,
  port: AskedPort | undefined,
): readonly Translation[] {
  const model = cluster.services.get(service);
  const isOutside = from.kind === 'address';
  const own = entriesFor(cluster, from).filter(
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
  if (ports.length === 0) {
    const frontend = { address, port: typeof port?.port === 'number' ? port.port : 0 };
    const protocol = port?.protocol === 'other' || port === undefined ? 'tcp' : port.protocol;
    return [
      {
        service,
        frontend,
        at: placeText(frontend),
        protocol,
        backends: [],
        unserved: nobodyServes(isOutside),
      },
    ];
  }
  return ports.flatMap(({ name, protocol, port: number, nodePort }): Translation[] => {
    const wanted = own.filter((entry) => entry.portName === name && entry.protocol === protocol);
    const asksNodePort = port !== undefined && port.port === nodePort && port.port !== number;
    const entry = asksNodePort
      ? wanted.find(({ kind }) => kind === 'nodePort')
      : isOutside
        ? ['loadBalancer', 'external', 'nodePort'].flatMap(
            (kind) => wanted.find((each) => each.kind === kind) ?? [],
          )[0]
        : wanted.find(({ kind }) => kind === 'cluster');
    if (entry === undefined) {
      const because = 'no address of it is for the outside: it is neither NodePort nor LoadBalancer';
      const frontend = { address, port: number };
      return [
        {
          service,
          frontend,
          at: placeText(frontend),
          protocol,
          backends: [],
          unserved: { outcome: 'denied', because },
        },
      ];
    }
    return [translationBy(entry, from)];
  });
}

/** The Service that answers at an address and port, if one does. */
export function routeBy(
  cluster: ClusterModel,
  from: Party,
  to: Place,
  protocol: PolicyProtocol,
): Translation | undefined {
  const at = (place: Place) => place.address === to.address && place.port === to.port;
  const entry = entriesFor(cluster, from).find(
    (each) =>
      each.protocol === protocol &&
      each.frontends.some(at) &&
      !(each.kind === 'cluster' && from.kind === 'address'),
  );
  if (entry !== undefined) return { ...translationBy(entry, from), frontend: to, at: placeText(to) };
  const holder = [...cluster.services.values()].find(({ clusterIPs }) => clusterIPs.includes(to.address));
  if (holder === undefined) return undefined;
  const unserved = nobodyServes(from.kind === 'address');
  return { service: holder.key, frontend: to, at: placeText(to), protocol, backends: [], unserved };
}

function translationBy(entry: Entry, from: Party): Translation {
  const { protocol, backends, published, unserved, origin } = entry;
  const service = `${origin.namespace}/${origin.name}`;
  const frontend = entry.frontends.find(({ address }) => familyOf(address) === from.family) ?? {
    address: '',
    port: 0,
  };
  const at = entry.kind === 'nodePort' ? `port ${frontend.port} of any node` : placeText(frontend);
  const base = { service, frontend, at, protocol, backends };
  const { sources } = published ?? {};
  if (from.kind === 'address' && sources !== undefined && !isIn(from.address, sources)) {
    const because = `spec.loadBalancerSourceRanges doesn't let in ${from.address}`;
    return { ...base, backends: [], unserved: { outcome: 'denied', because } };
  }
  if (backends.length > 0) return base;
  return unserved === 'dropped'
    ? { ...base, unserved: { outcome: 'denied', because: "none of its endpoints is on the client's node" } }
    : { ...base, unserved: { outcome: 'refused', because: 'it has no endpoint that is ready' } };
}

function nobodyServes(isOutside: boolean): NonNullable<Translation['unserved']> {
  return isOutside
    ? { outcome: 'denied', because: 'cluster addresses are not for the outside' }
    : { outcome: 'refused', because: 'nobody serves this port of its address' };
}

/** As the source's node has them; node ports at every node's addresses. */
function entriesFor({ services, slices, nodes }: ClusterModel, from: Party): readonly Entry[] {
  const all = [...nodes.values()].flatMap(({ addresses }) => addresses);
  const zone = nodes.get(from.node ?? '')?.zone;
  const place: ServicePlace = {
    node: from.node ?? '',
    nodePortAddresses: all.length > 0 ? all : ['192.0.2.255', '2001:db8::ffff'],
    addresses: nodes.get(from.node ?? '')?.addresses ?? [],
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
