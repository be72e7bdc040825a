/** The wire of one pod: a veth pair whose far end is born and configured inside the pod's network namespace. */
import { closeSync } from 'node:fs';
import { addressBits } from '#net/addr.ts';
import { SystemError } from '#system/libc.ts';
import { inNamespace, openNamespace } from '#system/namespace.ts';
import type { Request } from '#system/netlink-codec.ts';
import { linkGroups, links, routes } from '#system/registry.ts';
import { openRouteSocket, type RouteSocket } from '#system/rtnetlink.ts';
import { writeSysctl } from '#system/sysctl.ts';
import {
  deleteLink,
  dumpLinks,
  getLink,
  type LinkState,
  newVeth,
  readLink,
  setLink,
  type VethEnd,
} from './link-messages.ts';
import {
  addRoute,
  dumpNeighbours,
  putAddress,
  putNeighbour,
  readPermanentNeighbour,
  readRoutes,
  scope,
} from './messages.ts';
import { parseAlias, podMacOf } from './names.ts';
import { differences, gatewayFor, linkNamed, podRoutes } from './pod-check.ts';
import { mustAddr } from './wire.ts';

export { podDeviceName, podMacOf } from './names.ts';
export { checkPodLink } from './pod-check.ts';

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
      .dump(dumpLinks, readLink)
      .filter((link) => link.kind === 'veth' && link.name.startsWith(links.podPrefix.value));
    const routed = readRoutes(host, [4, 6], routes.protocol.value);
    const neighbours = host.dump(dumpNeighbours, readPermanentNeighbour);
    return devices
      .map((link): FoundPodLink => {
        return {
          name: link.name,
          ifindex: link.ifindex,
          endpoint: undefined,
          wiringVersion: undefined,
          ...parseAlias(link.alias),
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

function createPair(host: RouteSocket, spec: PodLinkSpec, podMac: string): number {
  const pod = openNamespace(spec.podNamespace);
  try {
    const make = (hostIndex?: number): LinkState => {
      const ends: [VethEnd, VethEnd] = [
        {
          name: spec.hostName,
          mac: links.podMac.value,
          group: linkGroups.pods.value,
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
