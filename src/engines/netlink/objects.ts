/** What this engine keeps in the kernel, as typed values that print themselves as iproute2 commands. */
import { routes } from '#system/registry.ts';

/** The VXLAN device. Static: nothing is learnt, nothing is flooded. */
export type Link = {
  readonly kind: 'link';
  readonly name: string;
  readonly vni: number;
  readonly port: number;
  /** Outer source address; its family is the tunnel's. */
  readonly local: string;
  readonly mac: string;
  readonly mtu: number;
  readonly alias: string;
  readonly group: number;
  readonly up: boolean;
  /** True only as found: a wanted device never learns. */
  readonly learning: boolean;
};

/** The node's end of a pod's veth: pod.ts makes it, down; the engine turns it on. */
export type Device = {
  readonly kind: 'device';
  readonly name: string;
  /** Another index under the same name is another device, which has lost all that was on the former. */
  readonly ifindex: number;
  readonly alias: string;
  readonly group: number;
  readonly up: boolean;
};

/** A kernel setting; `key` as in /proc/sys. What it was before is not known, so it is never taken back. */
export type Sysctl = { readonly kind: 'sysctl'; readonly key: string; readonly value: string };

/** A /32 or /128 on one of our devices. */
export type Address = { readonly kind: 'address'; readonly device: string; readonly address: string };

/** A permanent neighbour entry. */
export type Neighbour = {
  readonly kind: 'neighbour';
  readonly device: string;
  readonly address: string;
  readonly mac: string;
};

/** A static forwarding entry of the VXLAN device. */
export type Forwarding = {
  readonly kind: 'forwarding';
  readonly device: string;
  readonly mac: string;
  /** Underlay address of the peer. */
  readonly destination: string;
};

/** A route with our protocol number. Without `device` it is unreachable. */
export type Route = {
  readonly kind: 'route';
  readonly destination: string;
  readonly device?: string;
  /** Next hop; may be IPv6 for an IPv4 destination. */
  readonly via?: string;
  /** The next hop is taken to be on the link whatever the addresses say. */
  readonly onlink?: boolean;
  /** Source address that the node itself takes. */
  readonly source?: string;
  readonly metric?: number;
  /** Default: the main table. */
  readonly table?: number;
};

/** A device that isn't ours answers ARP or neighbour solicitations for an address. */
export type ProxyNeighbour = { readonly kind: 'proxy'; readonly device: string; readonly address: string };

/** Packets from a prefix are looked up in a table. All of it is its identity: a rule is never another one. */
export type Rule = {
  readonly kind: 'rule';
  readonly priority: number;
  readonly source: string;
  readonly table: number;
  /** A default route found there doesn't count. */
  readonly suppressDefault?: true;
};

export type NetlinkObject =
  | Link
  | Device
  | Sysctl
  | Address
  | Neighbour
  | Forwarding
  | Route
  | ProxyNeighbour
  | Rule;

/** Objects by identity. */
export type Objects = ReadonlyMap<string, NetlinkObject>;

export type Operation =
  /** Makes the object, or makes the one that is there as asked. */
  | { readonly verb: 'put'; readonly object: NetlinkObject; readonly before: NetlinkObject | undefined }
  | { readonly verb: 'delete'; readonly object: NetlinkObject };

/** What makes an object the same one with other contents: the kernel's own key for it. */
export function identity(object: NetlinkObject): string {
  switch (object.kind) {
    case 'link':
    case 'device':
      return `${object.kind} ${object.name}`;
    case 'sysctl':
      return `sysctl ${object.key}`;
    case 'address':
    case 'neighbour':
    case 'proxy':
      return `${object.kind} ${object.device} ${object.address}`;
    case 'forwarding':
      return `forwarding ${object.device} ${object.mac}`;
    case 'route':
      return `route ${object.destination} metric ${object.metric ?? 0}${inTable(object)}`;
    case 'rule':
      return `rule ${printRule(object)}`;
  }
}

/** The device that an object vanishes with, if any. */
export function deviceOf(object: NetlinkObject): string | undefined {
  switch (object.kind) {
    case 'address':
    case 'neighbour':
    case 'forwarding':
    case 'route':
    case 'proxy':
      return object.device;
    case 'sysctl':
      return /^net\/ipv[46]\/conf\/([^/]+)\//.exec(object.key)?.[1];
    default:
      return undefined;
  }
}

export function sameObject(a: NetlinkObject, b: NetlinkObject): boolean {
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => left[key] === right[key]);
}

/** The command that does the same, as one types it. */
export function printOperation(operation: Operation): string {
  return operation.verb === 'put'
    ? printPut(operation.object, operation.before)
    : printDelete(operation.object);
}

function printPut(object: NetlinkObject, before: NetlinkObject | undefined): string {
  switch (object.kind) {
    case 'link':
      return before?.kind === 'link' ? printLinkChange(object, before) : printLink(object);
    case 'device':
      return `ip link set ${object.name} addrgenmode none group ${object.group} alias "${object.alias}" ${object.up ? 'up' : 'down'}`;
    case 'sysctl':
      return `sysctl -w ${object.key}=${object.value}`;
    case 'address':
      return `ip address replace ${object.address}${hostLength(object.address)} dev ${object.device}${noDad(object.address)}`;
    case 'neighbour':
      return `ip neigh replace ${object.address} lladdr ${object.mac} dev ${object.device} nud permanent`;
    case 'forwarding':
      return `bridge fdb replace ${object.mac} dev ${object.device} dst ${object.destination} self permanent`;
    case 'route':
      return `ip${six(object.destination)} route replace ${printRoute(object)}`;
    case 'proxy':
      return `ip neigh add proxy ${object.address} dev ${object.device} protocol ${routes.protocol.value}`;
    case 'rule':
      return `ip${six(object.source)} rule add ${printRule(object)} protocol ${routes.protocol.value}`;
  }
}

function printDelete(object: NetlinkObject): string {
  switch (object.kind) {
    case 'link':
    case 'device':
      return `ip link del ${object.name}`;
    case 'sysctl':
      return `# ${object.key} stays as it is`;
    case 'address':
      return `ip address del ${object.address}${hostLength(object.address)} dev ${object.device}`;
    case 'neighbour':
      return `ip neigh del ${object.address} dev ${object.device}`;
    case 'forwarding':
      return `bridge fdb del ${object.mac} dev ${object.device} self`;
    case 'route':
      return `ip${six(object.destination)} route del ${printRoute(object)}`;
    case 'proxy':
      return `ip neigh del proxy ${object.address} dev ${object.device}`;
    case 'rule':
      return `ip${six(object.source)} rule del ${printRule(object)}`;
  }
}

function printLink(link: Link): string {
  const learning = link.learning ? 'learning' : 'nolearning';
  const kind = `type vxlan id ${link.vni} local ${link.local} dstport ${link.port} ${learning}`;
  const state = `addrgenmode none alias "${link.alias}" ${link.up ? 'up' : 'down'}`;
  return `ip link add ${link.name} address ${link.mac} mtu ${link.mtu} group ${link.group} ${kind}; ip link set ${link.name} ${state}`;
}

function printLinkChange(link: Link, before: Link): string {
  const parts = [`ip link set ${link.name}`];
  if (link.mtu !== before.mtu) parts.push(`mtu ${link.mtu}`);
  if (link.alias !== before.alias) parts.push(`alias "${link.alias}"`);
  if (link.group !== before.group) parts.push(`group ${link.group}`);
  if (link.up !== before.up) parts.push(link.up ? 'up' : 'down');
  return parts.join(' ');
}

function printRoute(route: Route): string {
  const parts = [route.device === undefined ? `unreachable ${route.destination}` : route.destination];
  if (route.via !== undefined) {
    const family = route.via.includes(':') && !route.destination.includes(':') ? 'inet6 ' : '';
    parts.push(`via ${family}${route.via}`);
  }
  if (route.device !== undefined) parts.push(`dev ${route.device}`);
  if (route.onlink === true) parts.push('onlink');
  if (route.device !== undefined && route.via === undefined && !route.destination.includes(':'))
    parts.push('scope link');
  if (route.source !== undefined) parts.push(`src ${route.source}`);
  if (route.metric !== undefined) parts.push(`metric ${route.metric}`);
  if (route.table !== undefined) parts.push(`table ${route.table}`);
  return [...parts, `proto ${routes.protocol.value}`].join(' ');
}

function printRule({ priority, source, table, suppressDefault }: Rule): string {
  const suppress = suppressDefault === true ? ' suppress_prefixlength 0' : '';
  return `from ${source} table ${table} priority ${priority}${suppress}`;
}

const inTable = ({ table }: Route) => (table === undefined ? '' : ` table ${table}`);
const six = (text: string) => (text.includes(':') ? ' -6' : '');
const noDad = (address: string) => (address.includes(':') ? ' nodad' : '');
const hostLength = (address: string) => (address.includes(':') ? '/128' : '/32');
