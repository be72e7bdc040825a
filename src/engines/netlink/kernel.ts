/** The kernel as this engine sees it: facts, the objects it owns, operations; here over rtnetlink, in fake.ts as a model. */
import { errnos, SystemError } from '#system/libc.ts';
import { inNamespace } from '#system/namespace.ts';
import type { Request } from '#system/netlink-codec.ts';
import { routes } from '#system/registry.ts';
import { openRouteSocket, type RouteSocket } from '#system/rtnetlink.ts';
import { writeSysctl } from '#system/sysctl.ts';
import type { Facts } from './context.ts';
import { isOwn, requestsFor, routeObject, routeState } from './convert.ts';
import { type DriftListener, watchKernel } from './drift.ts';
import { deleteLink, dumpLinks, getLink, type LinkState, readLink } from './link-messages.ts';
import { deleteRoute, type RouteState, readRoutes, replaceRoute } from './messages.ts';
import {
  type Device,
  identity,
  type Link,
  type NetlinkObject,
  type Operation,
  type Route,
} from './objects.ts';
import { deviceObject, type Pause, readFacts, readObjects } from './read.ts';
import {
  deleteProxy,
  deleteRule,
  dumpProxies,
  dumpRules,
  type ProxyState,
  type RuleState,
  readOwnRule,
  readProxy,
} from './underlay-messages.ts';
import { newVxlan } from './vxlan.ts';

export type Kernel = {
  facts(): Facts;
  /** Every object that is there and ours; of sysctls, which have no owner, those asked for by key. */
  read(sysctls: readonly string[], pause: Pause): Promise<Map<string, NetlinkObject>>;
  /**
   * Does the operations in order and says for each why it was refused, or undefined. One that fails stops none behind it.
   * Taking away what is not there is done. Throws when the kernel can't be spoken to.
   */
  execute(operations: readonly Operation[]): (string | undefined)[];
  /** One of our devices as it is now. */
  readDevice(name: string): Link | Device | undefined;
  /** Any device as it is now. */
  readLink(name: string): { readonly ifindex: number; readonly mac: string } | undefined;
  /** Tells what others change. */
  watch(listener: DriftListener): { poll(): void; close(): void };
  /** Removes all that was ever ours. */
  removeAll(): Promise<void>;
  close(): void;
};

export function openKernel(namespace: string | undefined): Kernel {
  const socket = openRouteSocket(namespace);
  // Looks that may come while a read in pieces has the other one.
  const aside = openRouteSocket(namespace);
  const indexes = new Map<string, number>();

  const dumpedLinks = (): LinkState[] => {
    const found = socket.dump(dumpLinks, readLink);
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
    read: (sysctls, pause) => readObjects({ socket, namespace, links: dumpedLinks(), sysctls, pause }),
    execute: (operations) => inNamespace(namespace, () => execute(socket, operations, indexes, indexOf)),
    readDevice: (name) => {
      const reply = aside.request([getLink(name)])[0]!.replies[0];
      return reply === undefined ? undefined : deviceObject(readLink(reply));
    },
    readLink: (name) => {
      const reply = aside.request([getLink(name)])[0]!.replies[0];
      if (reply === undefined) return undefined;
      const { ifindex, mac } = readLink(reply);
      return { ifindex, mac };
    },
    watch: (listener) => {
      const names = new Map(dumpedLinks().map((link) => [link.ifindex, link.name]));
      return watchKernel({ namespace, port: socket.port, names, listener });
    },
    removeAll: async () => {
      const own = socket.dump(dumpLinks, readLink).filter((link) => isOwn(link.name));
      const requests = [...readOwnRules(socket).map(deleteRule), ...readOwnRoutes(socket).map(deleteRoute)];
      requests.push(...readOwnProxies(socket).map(deleteProxy));
      const outcomes = await socket.requestAsync([...requests, ...own.map((link) => deleteLink(link.name))]);
      indexes.clear();
      const failed = outcomes.find(({ error }) => error !== undefined && !isGone(error));
      if (failed !== undefined) throw failed.error;
    },
    close: () => {
      socket.close();
      aside.close();
    },
  };
}

const gone = new Set(['ENODEV', 'ENOENT', 'ESRCH', 'EADDRNOTAVAIL']);

function isGone(error: SystemError): boolean {
  return gone.has(error.code);
}

function readOwnRoutes(socket: RouteSocket): RouteState[] {
  return readRoutes(socket, [4, 6], routes.protocol.value);
}

function readOwnRules(socket: RouteSocket): RuleState[] {
  return ([4, 6] as const).flatMap((family) => socket.dump(dumpRules(family), readOwnRule));
}

function readOwnProxies(socket: RouteSocket): ProxyState[] {
  return socket.dump(dumpProxies, readProxy).filter(({ protocol }) => protocol === routes.protocol.value);
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
      const { kind } = operations[at]!.object;
      if (error.code === 'EEXIST' && kind === 'rule') return;
      if (error.code === 'EEXIST' && kind === 'route') exists.push(at);
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
      if (object.kind === 'device') {
        indexes.delete(object.name);
        // An index alone may by now be another device's.
        const found = indexOf(object.name);
        if (found !== object.ifindex)
          throw new SystemError(`index ${object.ifindex}`, errnos.ENODEV, `it is ${found} now`);
      }
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
