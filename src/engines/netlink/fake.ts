/** A kernel in memory, with the rules that matter: nothing may dangle, and what stands on a device goes with it. */
import { parseAddr } from '#net/addr.ts';
import { parseInterfacePrefix, prefixHas } from '#net/prefix.ts';
import type { Facts } from './context.ts';
import type { DriftListener } from './drift.ts';
import type { Kernel } from './kernel.ts';
import { deviceOf, identity, type Link, type NetlinkObject, type Operation, type Route } from './objects.ts';

export type FakeKernel = Kernel & {
  facts: { (): Facts; set(facts: Facts): void };
  /** A pod's veth appears (down) or, with index undefined, goes with all that stands on it. */
  setPod(name: string, ifindex: number | undefined): void;
  /** Somebody else's route; `destination metric` in the way of ours. */
  addForeignRoute(destination: string, metric: number): void;
  /** The process dies before the operation after the next `count`. */
  killAfter(count: number): void;
  /** Somebody else changes what is there. */
  tamper(change: (objects: Map<string, NetlinkObject>) => void): void;
  /** Everything that is there, sorted. */
  dump(): string[];
  listener: DriftListener | undefined;
};

export class Killed extends Error {}

export function createFakeKernel(initial: Facts): FakeKernel {
  const objects = new Map<string, NetlinkObject>();
  const pods = new Map<string, number>();
  const foreign = new Set<string>();
  let current = initial;
  let left = Number.POSITIVE_INFINITY;

  const drop = (name: string): void => {
    for (const [id, object] of objects) if (deviceOf(object) === name) objects.delete(id);
  };
  const localAddress = (address: string): boolean =>
    current.devices.some((device) => device.addresses.some((one) => one.startsWith(`${address}/`))) ||
    [...objects.values()].some((object) => object.kind === 'address' && object.address === address);
  const exists = (device: string): boolean =>
    objects.has(`link ${device}`) || pods.has(device) || current.devices.some((each) => each.name === device);
  const isUp = (device: string): boolean => {
    const own = objects.get(`link ${device}`) ?? objects.get(`device ${device}`);
    if (own === undefined) return current.devices.some((each) => each.name === device);
    return (own as Link).up;
  };

  const refuseRoute = (route: Route): string | undefined => {
    if (foreign.has(`${route.destination} ${route.metric ?? 0}`)) return 'in the way';
    const { device, via } = route;
    if (device === undefined) return undefined;
    if (!exists(device)) return 'no such device';
    if (!isUp(device)) return 'network is down';
    if (route.source !== undefined && !localAddress(route.source)) return 'invalid prefsrc address';
    if (via === undefined || route.onlink === true || via.startsWith('fe80:')) return undefined;
    const addr = parseAddr(via)!;
    const reachable = current.devices
      .find((each) => each.name === device)
      ?.addresses.some((one) => prefixHas(parseInterfacePrefix(one)!.prefix, addr));
    return reachable === true ? undefined : 'nexthop has invalid gateway';
  };

  const refusePut = (object: NetlinkObject, before: NetlinkObject | undefined): string | undefined => {
    switch (object.kind) {
      case 'link':
        return before === undefined && objects.has(identity(object)) ? 'file already exists' : undefined;
      case 'device':
        return pods.get(object.name) === object.ifindex ? undefined : 'no such device';
      case 'sysctl': {
        const device = deviceOf(object);
        return device === undefined || device === 'all' || exists(device)
          ? undefined
          : 'no such file or directory';
      }
      case 'forwarding':
        return objects.has(`link ${object.device}`) ? undefined : 'no such device';
      case 'route':
        return refuseRoute(object);
      case 'rule':
        return undefined;
      default:
        return exists(object.device) ? undefined : 'no such device';
    }
  };

  const remove = (object: NetlinkObject): void => {
    objects.delete(identity(object));
    if (object.kind === 'link') drop(object.name);
    if (object.kind !== 'address') return;
    const left4 = [...objects.values()].some(
      (each) => each.kind === 'address' && each.device === object.device && !each.address.includes(':'),
    );
    for (const [id, each] of objects) {
      if (each.kind !== 'route' && each.kind !== 'neighbour') continue;
      const four = !(each.kind === 'route' ? each.destination : each.address).includes(':');
      // With its last IPv4 address a device loses its IPv4 routes and neighbours (fib_disable_ip).
      if (four && each.device === object.device && !left4 && !object.address.includes(':'))
        objects.delete(id);
      if (each.kind !== 'route' || each.source !== object.address) continue;
      const { source: _, ...without } = each;
      if (each.destination.includes(':')) objects.set(id, without);
      else objects.delete(id);
    }
  };

  const one = ({ verb, object, ...rest }: Operation): string | undefined => {
    if (left-- <= 0) throw new Killed('killed');
    if (verb === 'delete') {
      remove(object);
      return undefined;
    }
    const reason = refusePut(object, 'before' in rest ? rest.before : undefined);
    if (reason === undefined) objects.set(identity(object), object);
    return reason;
  };

  const facts = Object.assign(() => current, {
    set: (next: Facts) => {
      current = next;
    },
  });

  const fake: FakeKernel = {
    facts,
    read: async (sysctls) =>
      new Map([...objects].filter(([, object]) => object.kind !== 'sysctl' || sysctls.includes(object.key))),
    readDevice: (name) => {
      const found = objects.get(`link ${name}`) ?? objects.get(`device ${name}`);
      return found?.kind === 'link' || found?.kind === 'device' ? found : undefined;
    },
    readLink: (name) =>
      current.devices.some((device) => device.name === name)
        ? { ifindex: 1, mac: '02:00:00:00:00:01' }
        : undefined,
    execute: (operations) => operations.map(one),
    watch: (listener) => {
      fake.listener = listener;
      return { poll: () => {}, close: () => {} };
    },
    removeAll: async () => {
      for (const [id, object] of objects) if (object.kind !== 'sysctl') objects.delete(id);
      pods.clear();
    },
    close: () => {},
    setPod: (name, ifindex) => {
      drop(name);
      objects.delete(`device ${name}`);
      pods.delete(name);
      if (ifindex === undefined) return;
      pods.set(name, ifindex);
      objects.set(`device ${name}`, { kind: 'device', name, ifindex, alias: '', group: 0, up: false });
    },
    addForeignRoute: (destination, metric) => foreign.add(`${destination} ${metric}`),
    killAfter: (count) => {
      left = count;
    },
    tamper: (change) => change(objects),
    dump: () => [...objects.values()].map((object) => JSON.stringify(object)).toSorted(),
    listener: undefined,
  };
  return fake;
}
