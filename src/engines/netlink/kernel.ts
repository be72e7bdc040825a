/** The kernel as this engine sees it: facts, the objects it owns, operations; here over rtnetlink, in fake.ts as a model. */
import { existsSync } from 'node:fs';
import type { SystemError } from '#system/libc.ts';
import { inNamespace } from '#system/namespace.ts';
import type { Request } from '#system/netlink-codec.ts';
import { links, routes } from '#system/registry.ts';
import { openRouteSocket, type RouteSocket } from '#system/rtnetlink.ts';
import { readSysctl, writeSysctl } from '#system/sysctl.ts';
import { isOwn, requestsFor, routeObject, routeState } from './convert.ts';
import { type DriftListener, watchKernel } from './drift.ts';
import type { DeviceFact, Facts } from './lower.ts';
import {
  deleteLink,
  deleteRoute,
  dumpAddresses,
  dumpForwarding,
  dumpLinks,
  getLink,
  type LinkState,
  type RouteState,
  readAddress,
  readForwarding,
  readLink,
  readPermanentNeighbours,
  readRoutes,
  replaceRoute,
  scope,
} from './messages.ts';
import {
  type Device,
  identity,
  type Link,
  type NetlinkObject,
  type Operation,
  type Route,
} from './objects.ts';
import { newVxlan, readVxlan } from './vxlan.ts';

export type Kernel = {
  facts(): Facts;
  /** Every object that is there and ours; of sysctls, which have no owner, those asked for by key. */
  read(sysctls: readonly string[]): Map<string, NetlinkObject>;
  /**
   * Does the operations in order and says for each why it was refused, or undefined. One that fails stops none behind it.
   * Taking away what is not there is done. Throws when the kernel can't be spoken to.
   */
  execute(operations: readonly Operation[]): (string | undefined)[];
  /** One of our devices as it is now. */
  readDevice(name: string): Link | Device | undefined;
  /** Tells what others change. */
  watch(listener: DriftListener): { poll(): void; close(): void };
  /** Removes all that was ever ours. */
  removeAll(): Promise<void>;
  close(): void;
};

export function openKernel(namespace: string | undefined): Kernel {
  const socket = openRouteSocket(namespace);
  const indexes = new Map<string, number>();

  const dumpedLinks = (): LinkState[] => {
    const found = socket.dump(dumpLinks).map(readLink);
    indexes.clear();
    for (const link of found) indexes.set(link.name, link.ifindex);
    return found;
  };
  const indexOf = (name: string): number => {
    const known = indexes.get(name);
    if (known !== undefined) return known;
    const [outcome] = socket.request([getLink(name)]);
    const reply = outcome!.replies[0];
    if (reply === undefined) throw outcome!.error ?? new Error(`no answer about ${name}`);
    indexes.set(name, readLink(reply).ifindex);
    return indexes.get(name)!;
  };

  return {
    facts: () => inNamespace(namespace, () => readFacts(socket, dumpedLinks())),
    read: (sysctls) => inNamespace(namespace, () => readObjects(socket, dumpedLinks(), sysctls)),
    execute: (operations) => inNamespace(namespace, () => execute(socket, operations, indexes, indexOf)),
    readDevice: (name) => {
      const reply = socket.request([getLink(name)])[0]!.replies[0];
      return reply === undefined ? undefined : deviceObject(readLink(reply));
    },
    watch: (listener) => {
      const names = new Map(dumpedLinks().map((link) => [link.ifindex, link.name]));
      return watchKernel({ namespace, port: socket.port, names, listener });
    },
    removeAll: async () => {
      const own = dumpedLinks().filter((link) => isOwn(link.name));
      const requests = readOwnRoutes(socket).map(deleteRoute);
      const outcomes = await socket.requestAsync([...requests, ...own.map((link) => deleteLink(link.name))]);
      indexes.clear();
      const failed = outcomes.find(({ error }) => error !== undefined && !isGone(error));
      if (failed !== undefined) throw failed.error;
    },
    close: () => socket.close(),
  };
}

const gone = new Set(['ENODEV', 'ENOENT', 'ESRCH', 'EADDRNOTAVAIL']);

function isGone(error: SystemError): boolean {
  return gone.has(error.code);
}

function readFacts(socket: RouteSocket, found: readonly LinkState[]): Facts {
  const addresses = socket.dump(dumpAddresses).flatMap((message) => readAddress(message) ?? []);
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
    devices: devices.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function deviceObject(link: LinkState): Link | Device {
  if (link.name === links.tunnel.value) return readVxlan(link);
  const { name, ifindex, alias, up } = link;
  return { kind: 'device', name, ifindex, alias, up };
}

function readOwnRoutes(socket: RouteSocket): RouteState[] {
  return readRoutes(socket, [4, 6], routes.table.value, routes.protocol.value);
}

function readObjects(
  socket: RouteSocket,
  found: readonly LinkState[],
  sysctls: readonly string[],
): Map<string, NetlinkObject> {
  const names = new Map(found.map((link) => [link.ifindex, link.name]));
  const ownName = (ifindex: number) => {
    const name = names.get(ifindex);
    return name !== undefined && isOwn(name) ? name : undefined;
  };
  const objects: NetlinkObject[] = [];
  for (const link of found) if (isOwn(link.name)) objects.push(deviceObject(link));
  const tunnel = found.find((link) => link.name === links.tunnel.value);
  if (tunnel !== undefined) {
    for (const message of socket.dump(dumpForwarding(tunnel.ifindex))) {
      const entry = readForwarding(message);
      if (entry?.ifindex !== tunnel.ifindex) continue;
      objects.push({
        kind: 'forwarding',
        device: tunnel.name,
        mac: entry.mac,
        destination: entry.destination,
      });
    }
  }
  for (const message of socket.dump(dumpAddresses)) {
    const state = readAddress(message);
    const device = state === undefined ? undefined : ownName(state.ifindex);
    if (device === undefined || state!.scope >= scope.link) continue;
    objects.push({ kind: 'address', device, address: state!.address });
  }
  for (const { ifindex, address, mac } of readPermanentNeighbours(socket)) {
    const device = ownName(ifindex);
    if (device !== undefined) objects.push({ kind: 'neighbour', device, address, mac });
  }
  for (const state of readOwnRoutes(socket)) objects.push(routeObject(state, names));
  for (const key of sysctls) {
    const value = readSysctl(key);
    if (value !== undefined) objects.push({ kind: 'sysctl', key, value });
  }
  return new Map(objects.map((object) => [identity(object), object]));
}

function execute(
  socket: RouteSocket,
  operations: readonly Operation[],
  indexes: Map<string, number>,
  indexOf: (name: string) => number,
): (string | undefined)[] {
  const refused: (string | undefined)[] = Array.from({ length: operations.length });
  const batch: Request[] = [];
  const owners: number[] = [];
  const refuse = (at: number, error: unknown): void => {
    const code = (error as SystemError).code;
    if (code === undefined || fatal.has(code)) throw error;
    if (operations[at]!.verb === 'delete' && gone.has(code)) return;
    refused[at] ??= (error as Error).message;
  };
  const flush = (): void => {
    const outcomes = socket.request(batch);
    const exists: number[] = [];
    outcomes.forEach(({ error }, index) => {
      const at = owners[index]!;
      if (error === undefined) return;
      if (error.code === 'EEXIST' && operations[at]!.object.kind === 'route') exists.push(at);
      else refuse(at, error);
    });
    batch.length = 0;
    owners.length = 0;
    if (exists.length > 0)
      takeOverRoutes(socket, operations, exists, indexOf, (at, reason) => (refused[at] = reason));
  };

  operations.forEach((operation, at) => {
    const { object } = operation;
    try {
      if (object.kind === 'sysctl') {
        if (operation.verb === 'put') writeSysctl(object.key, object.value);
        return;
      }
      if (object.kind === 'device') indexes.set(object.name, object.ifindex);
      if (object.kind === 'link') {
        flush();
        indexes.delete(object.name);
        if (operation.verb === 'put' && operation.before === undefined) socket.one(newVxlan(object));
      }
      for (const request of requestsFor(operation, indexOf)) {
        batch.push(request);
        owners.push(at);
      }
      if (object.kind === 'link') flush();
    } catch (error) {
      refuse(at, error);
    }
  });
  flush();
  return refused;
}

/** These say nothing about the object: the process may not, or the kernel can't now. */
const fatal = new Set(['EPERM', 'EACCES', 'EROFS', 'ENOBUFS', 'ENOMEM', 'EBADF']);

/** A route in the way is replaced when it is ours, and left alone when it is somebody else's. */
function takeOverRoutes(
  socket: RouteSocket,
  operations: readonly Operation[],
  places: readonly number[],
  indexOf: (name: string) => number,
  refuse: (at: number, reason: string) => void,
): void {
  const nobody = new Map<number, string>();
  const own = new Set(readOwnRoutes(socket).map((state) => identity(routeObject(state, nobody))));
  for (const at of places) {
    const object = operations[at]!.object as Route;
    if (!own.has(identity(object))) {
      refuse(at, `a route to ${object.destination} that is not Netloom's stands in the way`);
      continue;
    }
    const [outcome] = socket.request([replaceRoute(routeState(object, indexOf))]);
    if (outcome!.error !== undefined) refuse(at, outcome!.error.message);
  }
}
