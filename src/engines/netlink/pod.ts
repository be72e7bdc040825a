/** The wire of one pod: a veth pair whose far end is born and configured inside the pod's network namespace. */
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { addressBits, formatAddr } from '#net/addr.ts';
import { formatMac, localMac } from '#net/mac.ts';
import { SystemError } from '#system/libc.ts';
import { inNamespace, openNamespace } from '#system/namespace.ts';
import type { Request } from '#system/netlink-codec.ts';
import { gateway, links, numbers, routes } from '#system/registry.ts';
import { openRouteSocket, type RouteSocket } from '#system/rtnetlink.ts';
import { writeSysctl } from '#system/sysctl.ts';
import {
  addRoute,
  deleteLink,
  dumpAddresses,
  dumpLinks,
  getLink,
  type LinkState,
  mustAddr,
  newVeth,
  putAddress,
  putNeighbour,
  type RouteState,
  readAddress,
  readLink,
  readPermanentNeighbours,
  readRoutes,
  routeType,
  scope,
  setLink,
  type VethEnd,
} from './messages.ts';

export type PodLinkSpec = {
  /** Path of the node's network namespace; default: this process's own. */
  readonly hostNamespace?: string | undefined;
  /** Path of the pod's network namespace (CNI_NETNS). */
  readonly podNamespace: string;
  /** Name of the node's end; see podDeviceName. */
  readonly hostName: string;
  /** Name of the pod's end (CNI_IFNAME). */
  readonly ifName: string;
  /** Of both ends, in bytes. */
  readonly mtu: number;
  /** At most one a family. */
  readonly addresses: readonly string[];
  /** MAC of the pod's end; default: made of the device's name. */
  readonly mac?: string | undefined;
};

export type PodLink = {
  /** Index of the node's end, on the node. */
  readonly ifindex: number;
  readonly hostMac: string;
  readonly podMac: string;
};

/** Name of the node's end for a pod interface: the same for every call, 14 bytes. */
export function podDeviceName(containerID: string, ifName: string): string {
  return links.podPrefix.value + digest(`${containerID}/${ifName}`).slice(0, 11);
}

/** MAC of the pod's end when none is asked for: of the device's name, so that it is known without asking anybody. */
export function podMacOf(hostName: string): string {
  return formatMac(localMac(BigInt(`0x${digest(hostName).slice(0, 12)}`)));
}

/** What stands in the alias of a pod's device on the node: wiring version and `containerID/interface`. */
export function podAlias(endpoint: string): string {
  return `netloom/${numbers.wiringVersion.value} ${endpoint}`;
}

/**
 * Makes the pair and configures the pod's end: addresses, the link-local next hop with its permanent neighbour, default routes.
 * The node's end stays down until the engine has the endpoint, so nothing passes before its routes and guards are there.
 * Calling it again leaves a link that is as asked untouched and replaces any other of that name. When it throws, no link is left.
 * Throws SystemError: EEXIST when the pod has another device of that name, EINVAL or ENOENT when its namespace is none.
 */
export function createPodLink(spec: PodLinkSpec): PodLink {
  const podMac = spec.mac ?? podMacOf(spec.hostName);
  const host = openRouteSocket(spec.hostNamespace);
  try {
    const there = linkNamed(host, spec.hostName);
    if (there !== undefined) {
      if (differences(spec, there).length === 0)
        return { ifindex: there.ifindex, hostMac: there.mac, podMac };
      host.one(deleteLink(spec.hostName));
    }
    const ifindex = createPair(host, spec, podMac);
    try {
      configurePod(spec);
    } catch (error) {
      host.one(deleteLink(spec.hostName));
      throw error;
    }
    return { ifindex, hostMac: links.podMac.value, podMac };
  } finally {
    host.close();
  }
}

/** What is not as createPodLink leaves it, one sentence each; empty when all is well. Used by CNI CHECK. */
export function checkPodLink(spec: PodLinkSpec): string[] {
  const host = openRouteSocket(spec.hostNamespace);
  try {
    const there = linkNamed(host, spec.hostName);
    return there === undefined ? [`the node has no device ${spec.hostName}`] : differences(spec, there);
  } finally {
    host.close();
  }
}

/**
 * Removes the pair; succeeds when there is none. The kernel waits some milliseconds for packets under way, on a pool thread:
 * the event loop runs on, and a caller that needs no proof may answer before the promise resolves.
 */
export async function deletePodLink(link: {
  hostNamespace?: string | undefined;
  hostName: string;
}): Promise<void> {
  const host = openRouteSocket(link.hostNamespace);
  try {
    const [outcome] = await host.requestAsync([deleteLink(link.hostName)]);
    const error = outcome!.error;
    if (error !== undefined && error.code !== 'ENODEV') throw error;
  } finally {
    host.close();
  }
}

/** A pod's device found on the node. */
export type FoundPodLink = {
  readonly name: string;
  readonly ifindex: number;
  /** `containerID/interface`, undefined when the engine never had it (an ADD that was cut off). */
  readonly endpoint: string | undefined;
  readonly wiringVersion: number | undefined;
  /** Addresses that are routed to it. */
  readonly addresses: readonly string[];
  /** MAC of the pod's end, from the neighbour entries. */
  readonly mac: string | undefined;
};

/** Every pod device on the node, by name: what a lost journal is rebuilt from, and what garbage is found in. */
export function listPodLinks(hostNamespace?: string): FoundPodLink[] {
  const host = openRouteSocket(hostNamespace);
  try {
    const devices = host
      .dump(dumpLinks)
      .map(readLink)
      .filter((link) => link.kind === 'veth' && link.name.startsWith(links.podPrefix.value));
    const routed = readRoutes(host, [4, 6], routes.table.value, routes.protocol.value);
    const neighbours = readPermanentNeighbours(host);
    return devices
      .map((link): FoundPodLink => {
        const alias = /^netloom\/(\d+) (.+)$/.exec(link.alias);
        return {
          name: link.name,
          ifindex: link.ifindex,
          endpoint: alias?.[2],
          wiringVersion: alias === null ? undefined : Number(alias[1]),
          addresses: routed
            .filter((route) => route.ifindex === link.ifindex && /\/(32|128)$/.test(route.destination))
            .map((route) => route.destination.replace(/\/.*/, '')),
          mac: neighbours.find((each) => each.ifindex === link.ifindex)?.mac,
        };
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } finally {
    host.close();
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function linkNamed(socket: RouteSocket, name: string): LinkState | undefined {
  const [outcome] = socket.request([getLink(name)]);
  if (outcome!.error?.code === 'ENODEV') return undefined;
  if (outcome!.error !== undefined) throw outcome!.error;
  const reply = outcome!.replies[0];
  return reply === undefined ? undefined : readLink(reply);
}

function createPair(host: RouteSocket, spec: PodLinkSpec, podMac: string): number {
  const pod = openNamespace(spec.podNamespace);
  try {
    const make = (hostIndex?: number): LinkState => {
      const ends: [VethEnd, VethEnd] = [
        {
          name: spec.hostName,
          mac: links.podMac.value,
          ...(hostIndex === undefined ? {} : { ifindex: hostIndex }),
        },
        { name: spec.ifName, mac: podMac, ...(hostIndex === undefined ? {} : { ifindex: hostIndex + 1 }) },
      ];
      const [made, got] = host.request([newVeth(...ends, spec.mtu, pod), getLink(spec.hostName)]);
      if (made!.error !== undefined) {
        throw new SystemError(
          `veth ${spec.hostName}`,
          made!.error.errno,
          `with ${spec.ifName} in ${spec.podNamespace}`,
        );
      }
      if (got!.error !== undefined) throw got!.error;
      return readLink(got!.replies[0]!);
    };
    const link = make();
    if (link.ifindex !== link.peerIndex) return link.ifindex;
    // Ends with the same index look like a device without a lower one, whose carrier the kernel reports up to a second late.
    // Both indexes are free again, since the kernel itself gives none twice; so is the next one in the pod.
    host.one(deleteLink(spec.hostName));
    return make(link.ifindex).ifindex;
  } finally {
    closeSync(pod);
  }
}

function configurePod(spec: PodLinkSpec): void {
  inNamespace(spec.podNamespace, () => {
    const pod = openRouteSocket();
    try {
      const device = linkNamed(pod, spec.ifName)!;
      if (spec.addresses.some((address) => address.includes(':'))) quietIPv6(spec.ifName);
      const requests = podRequests(spec, device.ifindex);
      const failed = pod.request(requests).find((outcome) => outcome.error !== undefined);
      if (failed !== undefined) throw failed.error;
    } finally {
      pod.close();
    }
  });
}

/** Set before the device goes up. Container runtimes often turn IPv6 off by default, so it is turned on by name. */
function quietIPv6(ifName: string): void {
  const set = (key: string, value: string) => writeSysctl(`net/ipv6/conf/${ifName}/${key}`, value);
  set('disable_ipv6', '0');
  set('accept_dad', '0');
  set('accept_ra', '0');
  set('keep_addr_on_down', '1');
}

const loopbackIndex = 1;

function podRequests(spec: PodLinkSpec, ifindex: number): Request[] {
  return [
    setLink(loopbackIndex, { up: true }),
    setLink(ifindex, { up: true }),
    ...spec.addresses.flatMap((address) => [
      putAddress(addressState(address, ifindex)),
      putNeighbour({ ifindex, address: gatewayFor(address), mac: links.podMac.value }),
      ...podRoutes(address, ifindex).map(addRoute),
    ]),
  ];
}

function addressState(address: string, ifindex: number) {
  return { ifindex, address, length: addressBits(mustAddr(address).family), scope: scope.universe };
}

function gatewayFor(address: string): string {
  return address.includes(':') ? gateway.ipv6.value : gateway.ipv4.value;
}

const bootProtocol = 3;

/** IPv4 needs a route to its next hop first; an IPv6 link-local next hop is on the link by definition. */
function podRoutes(address: string, ifindex: number): RouteState[] {
  const common = {
    type: routeType.unicast,
    ifindex,
    metric: 0,
    protocol: bootProtocol,
    table: routes.table.value,
  };
  const via = gatewayFor(address);
  if (address.includes(':')) return [{ ...common, destination: '::/0', via, scope: scope.universe }];
  return [
    { ...common, destination: `${via}/32`, scope: scope.link },
    { ...common, destination: '0.0.0.0/0', via, scope: scope.universe },
  ];
}

function differences(spec: PodLinkSpec, host: LinkState): string[] {
  const found: string[] = [];
  if (host.kind !== 'veth') return [`${spec.hostName} is no veth`];
  if (host.mac !== links.podMac.value)
    found.push(`${spec.hostName} has MAC ${host.mac}, not ${links.podMac.value}`);
  if (host.mtu !== spec.mtu) found.push(`${spec.hostName} has MTU ${host.mtu}, not ${spec.mtu}`);
  const pod = openRouteSocket(spec.podNamespace);
  try {
    const device = linkNamed(pod, spec.ifName);
    if (device === undefined) return [...found, `the pod has no device ${spec.ifName}`];
    const podMac = spec.mac ?? podMacOf(spec.hostName);
    if (!device.up) found.push(`${spec.ifName} is down`);
    if (device.mac !== podMac) found.push(`${spec.ifName} has MAC ${device.mac}, not ${podMac}`);
    if (device.mtu !== spec.mtu) found.push(`${spec.ifName} has MTU ${device.mtu}, not ${spec.mtu}`);
    const addresses = pod.dump(dumpAddresses).flatMap((message) => readAddress(message) ?? []);
    const neighbours = readPermanentNeighbours(pod);
    for (const address of spec.addresses) {
      if (
        !addresses.some(
          (each) => each.ifindex === device.ifindex && each.address === formatAddr(mustAddr(address)),
        )
      ) {
        found.push(`${spec.ifName} lacks the address ${address}`);
      }
      const next = gatewayFor(address);
      if (!neighbours.some((each) => each.address === next && each.mac === links.podMac.value)) {
        found.push(`the pod lacks the permanent neighbour ${next}`);
      }
      const family = mustAddr(address).family;
      const there = readRoutes(pod, [family], routes.table.value, bootProtocol);
      for (const route of podRoutes(address, device.ifindex)) {
        const same = (each: RouteState) =>
          each.destination === route.destination && each.ifindex === route.ifindex && each.via === route.via;
        if (!there.some(same)) found.push(`the pod lacks the route to ${route.destination}`);
      }
    }
    return found;
  } finally {
    pod.close();
  }
}
