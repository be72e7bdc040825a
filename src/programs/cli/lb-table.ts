/** What `netloom lb` says: who announces a balancer's addresses, to whom and since when, or what a Service waits for; pure. */
import { serviceBGPStatusKind } from '#api/kinds/servicebgpstatus.ts';
import { serviceL2StatusKind } from '#api/kinds/servicel2status.ts';
import type { KubeObject } from '#api/object.ts';
import { age, columns } from './columns.ts';

/** Objects as the API gives them, of all namespaces. */
export type BalancerObjects = {
  readonly services: readonly KubeObject[];
  readonly l2: readonly KubeObject[];
  readonly bgp: readonly KubeObject[];
  /** BGPPeers and BGPNeighbors. */
  readonly peers: readonly KubeObject[];
  readonly pools: readonly KubeObject[];
  readonly events: readonly KubeObject[];
  readonly nodes: readonly KubeObject[];
};

export type Announcer = {
  readonly protocol: 'L2' | 'BGP';
  readonly node: string;
  /** Interfaces that it answers on, none: all; or peers whose sessions stand. */
  readonly to: readonly string[];
  /** RFC 3339. */
  readonly since?: string;
  /** What its own status says is wrong. */
  readonly wrong: readonly string[];
};

/** A Service of type LoadBalancer. */
export type Balancer = {
  readonly service: string;
  readonly addresses: readonly string[];
  readonly pool?: string;
  readonly announcers: readonly Announcer[];
  /** Why it has no address, or nobody announces those that it has. */
  readonly waits?: string;
};

/** A session that does not stand. */
export type DownSession = {
  readonly peer: string;
  readonly node: string;
  readonly state: string;
  readonly message?: string;
};

export type BalancerAnswer = {
  readonly balancers: readonly Balancer[];
  readonly down: readonly DownSession[];
  /** Nodes that announce something by what they said last, and have not been heard of since. */
  readonly lost: readonly string[];
};

const poolAnnotations = ['metallb.io/ip-allocated-from-pool', 'metallb.universe.tf/ip-allocated-from-pool'];
const ourClass = 'netloom.dev/loadbalancer';

/** `only`: `namespace/name`. */
export function balancersOf(objects: BalancerObjects, only?: string): BalancerAnswer {
  const balancers = objects.services
    .filter((service) => (service['spec'] as ServiceSpec | undefined)?.type === 'LoadBalancer')
    .filter((service) => only === undefined || keyOf(service) === only)
    .map((service) => balancerOf(service, objects))
    .sort((a, b) => (a.service < b.service ? -1 : 1));
  const asked = new Set(balancers.flatMap(({ announcers }) => announcers.map(({ node }) => node)));
  const down = objects.peers
    .flatMap(downSessions)
    .filter(({ node }) => only === undefined || asked.size === 0 || asked.has(node));
  const ready = new Set(objects.nodes.filter(isReady).map(({ metadata }) => metadata.name));
  return { balancers, down, lost: [...asked].filter((node) => !ready.has(node)).sort() };
}

function isReady({ status }: KubeObject): boolean {
  const { conditions = [] } = (status ?? {}) as { readonly conditions?: readonly Condition[] };
  return conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
}

type ServiceSpec = { readonly type?: string; readonly loadBalancerClass?: string };
type Condition = {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
};
type ServiceStatus = {
  readonly loadBalancer?: {
    readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[];
  };
  readonly conditions?: readonly Condition[];
};

function balancerOf(service: KubeObject, objects: BalancerObjects): Balancer {
  const key = keyOf(service);
  const status = service['status'] as ServiceStatus | undefined;
  const addresses = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? []);
  const pool = poolAnnotations.flatMap((name) => service.metadata.annotations?.[name] ?? [])[0];
  const announcers = [...objects.l2.flatMap(l2Of(key)), ...objects.bgp.flatMap(bgpOf(key))].sort((a, b) =>
    `${a.protocol} ${a.node}` < `${b.protocol} ${b.node}` ? -1 : 1,
  );
  const waits =
    addresses.length > 0 && announcers.length > 0 ? undefined : whyNot(service, addresses, objects);
  return {
    service: key,
    addresses,
    ...(pool === undefined ? {} : { pool }),
    announcers,
    ...(waits === undefined ? {} : { waits }),
  };
}

type Told = {
  readonly node?: string;
  readonly serviceName?: string;
  readonly serviceNamespace?: string;
  readonly interfaces?: readonly { readonly name?: string }[];
  readonly peers?: readonly string[];
  readonly conditions?: readonly Condition[];
};

const l2Of = (key: string) => (object: KubeObject) => announcerOf(object, key, 'L2');
const bgpOf = (key: string) => (object: KubeObject) => announcerOf(object, key, 'BGP');

function announcerOf(object: KubeObject, key: string, protocol: Announcer['protocol']): Announcer[] {
  const told = object['status'] as Told | undefined;
  if (told?.node === undefined || `${told.serviceNamespace}/${told.serviceName}` !== key) return [];
  const to =
    protocol === 'L2' ? (told.interfaces ?? []).flatMap(({ name }) => name ?? []) : (told.peers ?? []);
  const since = object.metadata.creationTimestamp;
  const wrong = (told.conditions ?? [])
    .filter(({ status }) => status !== 'True')
    .map(({ reason, message, type }) => message ?? reason ?? type);
  return [{ protocol, node: told.node, to, ...(since === undefined ? {} : { since }), wrong }];
}

/** In the words of whoever decided; a condition stands, an event may be over. */
function whyNot(service: KubeObject, addresses: readonly string[], objects: BalancerObjects): string {
  const { loadBalancerClass } = (service['spec'] ?? {}) as ServiceSpec;
  if (loadBalancerClass !== undefined && loadBalancerClass !== ourClass)
    return `it is of class ${loadBalancerClass}`;
  const { conditions = [] } = (service['status'] ?? {}) as ServiceStatus;
  const condition = conditions.find(({ status }) => status === 'False');
  if (condition !== undefined) return said(condition.reason, condition.message);
  const event = objects.events
    .filter((each) => warns(each, service))
    .toSorted(byTime)
    .at(-1);
  if (event !== undefined) return said(textOf(event['reason']), textOf(event['note']));
  if (objects.pools.length === 0) return 'there is no IPAddressPool';
  return addresses.length === 0
    ? 'nothing was said of it yet'
    : 'no advertisement takes it, or it has no endpoint that could answer';
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const said = (reason = '', message = ''): string =>
  [reason, message].filter((text) => text !== '').join(': ');

function warns(event: KubeObject, { metadata }: KubeObject): boolean {
  const regarding = event['regarding'] as
    | { readonly kind?: string; readonly name?: string; readonly namespace?: string; readonly uid?: string }
    | undefined;
  return (
    event['type'] === 'Warning' &&
    regarding?.kind === 'Service' &&
    regarding.name === metadata.name &&
    regarding.namespace === metadata.namespace &&
    (regarding.uid === undefined || metadata.uid === undefined || regarding.uid === metadata.uid)
  );
}

function byTime(a: KubeObject, b: KubeObject): number {
  return timeOf(a) < timeOf(b) ? -1 : 1;
}

function timeOf(event: KubeObject): string {
  const series = event['series'] as { readonly lastObservedTime?: string } | undefined;
  const time = series?.lastObservedTime ?? event['eventTime'] ?? event.metadata.creationTimestamp;
  return typeof time === 'string' ? time : '';
}

type Sessions = Readonly<Record<string, { readonly state?: string; readonly message?: string }>>;

function downSessions({ kind, metadata, ...rest }: KubeObject): DownSession[] {
  const { sessions = {} } = (rest['status'] ?? {}) as { readonly sessions?: Sessions };
  return Object.entries(sessions)
    .filter(([, { state }]) => state !== 'Established')
    .map(([node, { state = 'Unknown', message }]) => ({
      peer: `${kind} ${metadata.name}`,
      node,
      state,
      ...(message === undefined ? {} : { message }),
    }));
}

/** What people read. `now`: milliseconds since the epoch. */
export function balancerLines({ balancers, down, lost }: BalancerAnswer, now: number): string[] {
  if (balancers.length === 0) return ['there is no Service of type LoadBalancer'];
  const rows = balancers.flatMap(({ service, addresses, pool = '-', announcers }) => {
    const own = [service, addresses.join(',') || '-', pool];
    if (announcers.length === 0) return [[...own, '-', '-', '-', '-']];
    return announcers.map(({ protocol, node, to, since }, index) => [
      ...(index === 0 ? own : ['', '', '']),
      protocol,
      node,
      to.join(',') || (protocol === 'L2' ? 'all interfaces' : 'nobody'),
      since === undefined ? '-' : age(since, now),
    ]);
  });
  const notes = [
    ...balancers.flatMap(({ service, addresses, waits }) =>
      waits === undefined
        ? []
        : [`${service} ${addresses.length === 0 ? 'has no address' : 'is announced by nobody'}: ${waits}`],
    ),
    ...balancers.flatMap(({ service, announcers }) =>
      announcers.flatMap(({ node, wrong }) => wrong.map((text) => `${service} at ${node}: ${text}`)),
    ),
    ...lost.map((node) => `${node} is not ready: what stands here is what it said last`),
    ...down.map(
      ({ peer, node, state, message }) =>
        `${peer} has no session with ${node}: ${state}${message === undefined ? '' : `, ${message}`}`,
    ),
  ];
  const table = columns([
    ['SERVICE', 'ADDRESS', 'POOL', 'PROTOCOL', 'ANNOUNCED BY', 'TO', 'SINCE'],
    ...rows,
  ]).map((line) => line.trimEnd());
  return notes.length === 0 ? table : [...table, '', ...notes];
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** The kinds that say who announces. */
export const announcementKinds = { l2: serviceL2StatusKind, bgp: serviceBGPStatusKind } as const;
