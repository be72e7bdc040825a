/** The kernel as this engine sees it: the objects it owns, and operations; here over rtnetlink, in fake.ts as a model. */
import { errnos, SystemError } from '#system/libc.ts';
import type { Request } from '#system/netlink-codec.ts';
import { links } from '#system/registry.ts';
import { openRouteSocket, type RouteSocket } from '#system/rtnetlink.ts';
import {
  deleteLink,
  dumpLinks,
  getLink,
  type LinkState,
  newLink,
  readLink,
  setLink,
  setNoLinkLocal,
} from '../netlink/link-messages.ts';
import { createPace } from '../netlink/repairs.ts';
import { watchKernel } from './drift.ts';
import {
  addClsact,
  addRedirect,
  addTbf,
  changeTbf,
  deleteClsact,
  deleteRedirect,
  deleteTbf,
  dumpFilters,
  dumpQdiscs,
  type QdiscState,
  readFilter,
  readQdisc,
} from './messages.ts';
import {
  type Ifb,
  identity,
  isRemade,
  type Operation,
  type Redirect,
  type Shaper,
  type TcObject,
} from './objects.ts';

/** Why an operation was refused. */
export type Refusal = {
  readonly reason: string;
  /** Something of somebody else's is where ours would have to be; it is left alone. */
  readonly foreign: boolean;
};

export type Kernel = {
  /** Every object that is there and ours. */
  read(): Promise<Map<string, TcObject>>;
  /**
   * Does the operations in order and says for each why it was refused, or undefined. One that fails stops none behind it. Taking
   * away what is not there is done. Throws when the kernel can't be spoken to.
   */
  execute(operations: readonly Operation[]): Promise<(Refusal | undefined)[]>;
  /** Tells of devices on which others changed what may be ours. */
  watch(onDrift: (device: string) => void): { close(): void };
  /** Removes all that was ever ours. */
  removeAll(): Promise<void>;
  close(): Promise<void>;
};

export function openKernel(namespace: string | undefined): Kernel {
  const socket = openRouteSocket(namespace);
  // The kernel takes 16–20 ms to remove a device; meanwhile the other socket is free for pods that start.
  const removals = createRemovals(namespace);
  /** Devices on which we hold something, by index. */
  const devices = new Map<number, string>();

  const one = async (operation: Operation): Promise<void> => {
    const { verb, object } = operation;
    const before = operation.verb === 'put' ? operation.before : undefined;
    const isChange = before !== undefined;
    switch (object.kind) {
      case 'ifb':
        if (verb === 'delete') return removals.remove(object.name);
        await removals.of(object.name);
        return putIfb(socket, object, isChange);
      case 'shaper': {
        const ifindex = indexOf(socket, object);
        devices.set(ifindex, object.device);
        if (verb === 'delete') return must(socket, [deleteTbf(ifindex)]);
        if (!isChange) return must(socket, [addTbf(ifindex, object)]);
        if (isRemade(before, object)) return must(socket, [deleteTbf(ifindex), addTbf(ifindex, object)]);
        return must(socket, [changeTbf(ifindex, object)]);
      }
      case 'redirect':
        devices.set(indexOf(socket, object), object.device);
        if (verb === 'delete' || isChange) takeRedirect(socket, object);
        if (verb === 'put') putRedirect(socket, object);
    }
  };

  return {
    async read() {
      await removals.all();
      return readObjects(socket, devices);
    },
    async execute(operations) {
      const refusals: (Refusal | undefined)[] = [];
      for (const operation of operations) {
        try {
          await one(operation);
          refusals.push(undefined);
        } catch (error) {
          refusals.push(refusalOf(operation, error));
        }
      }
      return refusals;
    },
    watch: (onDrift) => watchKernel({ namespace, port: socket.port, devices, onDrift }),
    async removeAll() {
      await removals.all();
      const own = [...(await readObjects(socket, devices)).values()];
      for (const object of own) {
        if (object.kind === 'redirect') takeRedirect(socket, object);
        if (object.kind === 'shaper' && object.ifindex !== undefined)
          socket.request([deleteTbf(object.ifindex)]);
      }
      for (const object of own) if (object.kind === 'ifb') removals.remove(object.name);
      await removals.all();
    },
    async close() {
      await removals.all();
      removals.close();
      socket.close();
    },
  };
}

/** Removes devices one after the other, behind the back of whoever asks. */
function createRemovals(namespace: string | undefined) {
  let socket: RouteSocket | undefined;
  let tail: Promise<void> = Promise.resolve();
  const running = new Map<string, Promise<void>>();
  return {
    remove(name: string): void {
      const gone = tail.then(async () => {
        socket ??= openRouteSocket(namespace);
        // One that stays behind is found by the next look at everything.
        await socket.requestAsync([deleteLink(name)]);
      });
      tail = gone.catch(() => {});
      running.set(name, tail);
      void tail.then(() => running.delete(name));
    },
    of: (name: string): Promise<void> => running.get(name) ?? Promise.resolve(),
    all: (): Promise<void> => tail,
    close: () => socket?.close(),
  };
}

function putIfb(socket: RouteSocket, ifb: Ifb, isChange: boolean): void {
  if (!isChange) socket.one(newLink(ifb.name, 'ifb', {}, []));
  const { ifindex } = linkNamed(socket, ifb.name);
  must(socket, [setNoLinkLocal(ifindex), setLink(ifindex, { alias: ifb.alias, up: ifb.up })]);
}

/** Others may have filters on the same hook: theirs come first and stay. */
function putRedirect(socket: RouteSocket, redirect: Redirect): void {
  const ifindex = indexOf(socket, redirect);
  const to = linkNamed(socket, redirect.to).ifindex;
  const [made] = socket.request([addClsact(ifindex)]);
  const isThere = made!.error?.code === 'EEXIST' && ingressOf(socket, ifindex)?.kind === 'clsact';
  if (made!.error !== undefined && !isThere) throw made!.error;
  must(socket, [addRedirect(ifindex, to)]);
}

/** The hook goes with the last filter on it. */
function takeRedirect(socket: RouteSocket, redirect: Redirect): void {
  const ifindex = indexOf(socket, redirect);
  must(socket, [deleteRedirect(ifindex)]);
  const left = (['ingress', 'egress'] as const).some(
    (direction) => socket.dump(dumpFilters(ifindex, direction), readFilter).length > 0,
  );
  if (!left) must(socket, [deleteClsact(ifindex)]);
}

function ingressOf(socket: RouteSocket, ifindex: number): QdiscState | undefined {
  return socket
    .dump(dumpQdiscs, readQdisc)
    .find((qdisc) => qdisc.ifindex === ifindex && qdisc.at === 'ingress');
}

/** An index alone may by now be another device's. */
function indexOf(socket: RouteSocket, { device, ifindex }: Shaper | Redirect): number {
  const found = linkNamed(socket, device).ifindex;
  if (ifindex !== undefined && found !== ifindex)
    throw new SystemError(`${device}: index ${ifindex}`, errnos.ENODEV, `it is ${found} now`);
  return found;
}

function linkNamed(socket: RouteSocket, name: string): LinkState {
  const [reply] = socket.one(getLink(name));
  if (reply === undefined) throw new SystemError(name, errnos.ENODEV);
  return readLink(reply);
}

function must(socket: RouteSocket, requests: readonly Request[]): void {
  const failed = socket.request(requests).find(({ error }) => error !== undefined);
  if (failed?.error !== undefined) throw failed.error;
}

/** These say nothing about the object: the process may not, or the kernel can't now. */
const fatal = new Set(['EPERM', 'EACCES', 'ENOBUFS', 'ENOMEM', 'EBADF']);
const gone = new Set(['ENODEV', 'ENOENT', 'EINVAL', 'ESRCH']);

function refusalOf({ verb, object }: Operation, error: unknown): Refusal | undefined {
  const { code } = error as SystemError;
  if (!(error instanceof SystemError) || fatal.has(error.code)) throw error;
  if (verb === 'delete' && gone.has(code)) return undefined;
  if (code === 'EEXIST' && object.kind !== 'ifb')
    return { reason: `${object.device} has a queueing discipline that is not Netloom's`, foreign: true };
  return { reason: `${identity(object)}: ${error.message}`, foreign: false };
}

/** `held` becomes the devices on which something of ours was found. */
async function readObjects(socket: RouteSocket, held: Map<number, string>): Promise<Map<string, TcObject>> {
  held.clear();
  const objects = new Map<string, TcObject>();
  const add = (object: TcObject) => void objects.set(identity(object), object);
  const devices = new Map<number, LinkState>();
  const pace = createPace();
  for (const link of socket.dump(dumpLinks, readLink)) {
    if (isPod(link) || isIfb(link)) devices.set(link.ifindex, link);
    if (isIfb(link)) add({ kind: 'ifb', name: link.name, alias: link.alias, up: link.up });
  }
  if (devices.size === 0) return objects;
  for (const { ifindex, at, own, tbf, kind } of socket.dump(dumpQdiscs, readQdisc)) {
    const link = devices.get(ifindex);
    if (link === undefined) continue;
    held.set(ifindex, link.name);
    const where = { device: link.name, ...(isPod(link) ? { ifindex } : {}) };
    if (at === 'root' && own && tbf !== undefined) add({ kind: 'shaper', ...where, ...tbf });
    if (at !== 'ingress' || kind !== 'clsact') continue;
    await pace();
    const filters = socket.dump(dumpFilters(ifindex, 'ingress'), readFilter).filter((each) => each.own);
    if (filters.length === 0) continue;
    const to = filters.find((each) => each.redirect !== undefined)?.redirect ?? 0;
    add({ kind: 'redirect', device: link.name, ifindex, to: devices.get(to)?.name ?? '' });
  }
  return objects;
}

function isPod({ kind, name }: LinkState): boolean {
  return kind === 'veth' && name.startsWith(links.podPrefix.value);
}

function isIfb({ kind, name }: LinkState): boolean {
  return kind === 'ifb' && name.startsWith(links.ifbPrefix.value);
}
