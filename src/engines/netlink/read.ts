/** What is in the kernel: the facts that the engine needs of the machine, and the objects that it owns. */
import { existsSync } from 'node:fs';
import { SystemError } from '#system/libc.ts';
import { inNamespace } from '#system/namespace.ts';
import type { Message, Request } from '#system/netlink-codec.ts';
import { links, routes } from '#system/registry.ts';
import type { RouteSocket } from '#system/rtnetlink.ts';
import { readSysctl } from '#system/sysctl.ts';
import type { DeviceFact, Facts } from './context.ts';
import { isOwn, routeObject } from './convert.ts';
import type { LinkState } from './link-messages.ts';
import {
  dumpAddresses,
  dumpForwarding,
  dumpNeighbours,
  dumpRoutes,
  readAddress,
  readForwarding,
  readPermanentNeighbour,
  readRoute,
  scope,
} from './messages.ts';
import { type Device, identity, type Link, type NetlinkObject } from './objects.ts';
import { dumpProxies, dumpRules, readOwnRule, readProxy } from './underlay-messages.ts';
import { readVxlan } from './vxlan.ts';

/** Called between two pieces of work; what it returns is waited for. */
export type Pause = () => Promise<void> | undefined;

/** To be called inside the namespace of the socket, since sysctls are read too. */
export function readFacts(socket: RouteSocket, found: readonly LinkState[]): Facts {
  const addresses = socket.dump(dumpAddresses, readAddress);
  const devices = found.flatMap((link): DeviceFact[] => {
    if (isOwn(link.name)) return [];
    const own = addresses.filter(
      (each) => each.ifindex === link.ifindex && each.usable && each.scope < scope.link,
    );
    if (own.length === 0) return [];
    const number = (key: string) => Number(readSysctl(`net/${key}`) ?? 0);
    return [
      {
        name: link.name,
        mtu: link.mtu,
        addresses: own.map((each) => `${each.address}/${each.length}`).toSorted(),
        reversePath: Math.max(number('ipv4/conf/all/rp_filter'), number(`ipv4/conf/${link.name}/rp_filter`)),
        acceptRouterAdvertisements: number(`ipv6/conf/${link.name}/accept_ra`),
      },
    ];
  });
  return {
    ipv6: existsSync('/proc/sys/net/ipv6'),
    strictReversePath: readSysctl('net/ipv4/conf/all/rp_filter')?.trim() === '1',
    devices: devices.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** One of our devices as an object. */
export function deviceObject(link: LinkState): Link | Device {
  if (link.name === links.tunnel.value) return readVxlan(link);
  const { name, ifindex, alias, group, up } = link;
  return { kind: 'device', name, ifindex, alias, group, up };
}

/** Every object that is ours by name of its device or by route protocol, and the sysctls asked for, by identity. */
export async function readObjects(options: {
  readonly socket: RouteSocket;
  readonly namespace: string | undefined;
  readonly links: readonly LinkState[];
  readonly sysctls: readonly string[];
  readonly pause: Pause;
}): Promise<Map<string, NetlinkObject>> {
  const { socket, namespace, sysctls, pause } = options;
  const objects = new Map<string, NetlinkObject>();
  const add = (object: NetlinkObject | undefined): undefined => {
    if (object !== undefined) objects.set(identity(object), object);
  };
  const dump = (query: Request, read: (message: Message) => NetlinkObject | undefined) =>
    socket.dumpPaced(query, (message) => add(read(message)), pause);
  const names = new Map(options.links.map((link) => [link.ifindex, link.name]));
  const own = (ifindex: number) => {
    const name = names.get(ifindex);
    return name !== undefined && isOwn(name) ? name : undefined;
  };

  for (const link of options.links) if (isOwn(link.name)) add(deviceObject(link));
  const tunnel = options.links.find((link) => link.name === links.tunnel.value);
  if (tunnel !== undefined) {
    await dump(dumpForwarding(tunnel.ifindex), (message) => {
      const entry = readForwarding(message);
      if (entry?.ifindex !== tunnel.ifindex) return undefined;
      return { kind: 'forwarding', device: tunnel.name, mac: entry.mac, destination: entry.destination };
    });
  }
  await dump(dumpAddresses, (message) => {
    const state = readAddress(message);
    const device = own(state?.ifindex ?? 0);
    if (state === undefined || device === undefined || state.scope >= scope.link) return undefined;
    return { kind: 'address', device, address: state.address };
  });
  await dump(dumpNeighbours, (message) => {
    const state = readPermanentNeighbour(message);
    const device = own(state?.ifindex ?? 0);
    if (state === undefined || device === undefined) return undefined;
    return { kind: 'neighbour', device, address: state.address, mac: state.mac };
  });
  for (const family of [4, 6] as const) {
    const query = dumpRoutes(family, routes.protocol.value);
    await dump(query, (message) => routeObject(readRoute(message), names)).catch(unlessNoTable);
    await dump(dumpRules(family), (message) => {
      const rule = readOwnRule(message);
      return rule && { kind: 'rule', ...rule };
    }).catch(unlessNoFamily);
  }
  await dump(dumpProxies, (message) => {
    const state = readProxy(message);
    const device = names.get(state?.ifindex ?? 0);
    if (state?.protocol !== routes.protocol.value || device === undefined) return undefined;
    return { kind: 'proxy', device, address: state.address };
  });
  for (let at = 0; at < sysctls.length; at += sysctlsAtOnce) {
    inNamespace(namespace, () => {
      for (const key of sysctls.slice(at, at + sysctlsAtOnce)) {
        const value = readSysctl(key);
        if (value !== undefined) add({ kind: 'sysctl', key, value });
      }
    });
    await pause();
  }
  return objects;
}

const sysctlsAtOnce = 50;

/** A kernel with ipv6.disable=1 has no rules of that family. */
function unlessNoFamily(error: unknown): void {
  if (!(error instanceof SystemError) || !['EAFNOSUPPORT', 'EOPNOTSUPP'].includes(error.code)) throw error;
}

/** A namespace makes a table with its first route. */
function unlessNoTable(error: unknown): void {
  if (!(error instanceof SystemError) || error.code !== 'ENOENT') throw error;
}
