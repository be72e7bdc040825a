/** Actual objects and wanted objects ─► operations, in an order that never leaves a gap; pure. */
import {
  deviceOf,
  identity,
  type NetlinkObject,
  type Objects,
  type Operation,
  sameObject,
} from './objects.ts';

/** Order of making; taking away goes the other way round. A sysctl of a device comes before the device goes up. */
const rank = {
  link: 0,
  sysctl: 1,
  device: 2,
  address: 3,
  neighbour: 4,
  forwarding: 5,
  route: 6,
  proxy: 7,
  rule: 8,
} as const;

/**
 * What must be done to come from `actual` to `wanted`. With `touched`, only these identities are looked at (and what the kernel
 * drops by itself with one of them). New and changed objects come first, in the order of dependence, so a route is replaced before
 * what the former one needed goes away. Two exceptions: a tunnel that must be made anew, since two can't stand side by side, and a
 * device's last IPv4 address, since with it the kernel drops the device's IPv4 routes and neighbours.
 */
export function plan(actual: Objects, wanted: Objects, touched?: ReadonlySet<string>): Operation[] {
  const ids = new Set(touched ?? [...actual.keys(), ...wanted.keys()]);
  const devices = lostDevices(actual, wanted, ids);
  const unaddressed = unaddressedDevices(actual, wanted, ids);
  const isLost = (object: NetlinkObject): boolean => {
    const device = deviceOf(object);
    if (device === undefined) return false;
    return devices.has(device) || (unaddressed.has(device) && needsAddress4(object));
  };
  if (devices.size + unaddressed.size > 0) for (const [id, object] of wanted) if (isLost(object)) ids.add(id);

  const first: Operation[] = [];
  const puts: Operation[] = [];
  const deletes: Operation[] = [];
  for (const id of ids) {
    const found = actual.get(id);
    const target = wanted.get(id);
    const before = found !== undefined && isLost(found) ? undefined : found;
    if (target === undefined) {
      if (before === undefined || !removable(before)) continue;
      const early = before.kind === 'address' && isIPv4(before.address) && unaddressed.has(before.device);
      (early ? first : deletes).push({ verb: 'delete', object: before });
    } else if (before === undefined) {
      puts.push({ verb: 'put', object: target, before });
    } else if (isRemade(before, target)) {
      if (target.kind === 'link') first.push({ verb: 'delete', object: before });
      puts.push({ verb: 'put', object: target, before: undefined });
    } else if (!sameObject(before, target)) {
      puts.push({ verb: 'put', object: target, before });
    }
  }
  puts.sort((a, b) => rank[a.object.kind] - rank[b.object.kind]);
  deletes.sort((a, b) => rank[b.object.kind] - rank[a.object.kind]);
  return [...first, ...puts, ...deletes];
}

/** Devices that lose an IPv4 address and have none afterwards. */
function unaddressedDevices(actual: Objects, wanted: Objects, ids: ReadonlySet<string>): Set<string> {
  const losing = new Set<string>();
  for (const id of ids) {
    const found = actual.get(id);
    if (found?.kind === 'address' && isIPv4(found.address) && !wanted.has(id)) losing.add(found.device);
  }
  if (losing.size === 0) return losing;
  for (const object of wanted.values()) {
    if (object.kind === 'address' && isIPv4(object.address)) losing.delete(object.device);
  }
  return losing;
}

const isIPv4 = (text: string): boolean => !text.includes(':');
const isRoute4 = (object: NetlinkObject): boolean => object.kind === 'route' && isIPv4(object.destination);
const needsAddress4 = (object: NetlinkObject): boolean =>
  isRoute4(object) || (object.kind === 'neighbour' && isIPv4(object.address));

/** Devices whose going takes all that stands on them. */
function lostDevices(actual: Objects, wanted: Objects, ids: ReadonlySet<string>): Set<string> {
  const lost = new Set<string>();
  for (const id of ids) {
    const before = actual.get(id);
    if (before?.kind !== 'link' && before?.kind !== 'device') continue;
    const target = wanted.get(id);
    if (target !== undefined && isRemade(before, target)) lost.add(before.name);
  }
  return lost;
}

/**
 * What makes a device another device. The kernel changes neither the VNI nor the port nor the family of one that is there, and
 * with the MAC it forgets the neighbours.
 */
function isRemade(before: NetlinkObject, target: NetlinkObject): boolean {
  if (before.kind === 'device' && target.kind === 'device') return before.ifindex !== target.ifindex;
  if (before.kind !== 'link' || target.kind !== 'link') return false;
  return (
    before.vni !== target.vni ||
    before.port !== target.port ||
    before.local !== target.local ||
    before.mac !== target.mac ||
    before.learning !== target.learning
  );
}

/** A pod's device goes with the pod (pod.ts), and nobody knows what a sysctl was before. */
function removable(object: NetlinkObject): boolean {
  return object.kind !== 'device' && object.kind !== 'sysctl';
}

/** What the kernel holds after an operation succeeded: with a device, and with an address, goes what stands on it. */
export function afterwards(objects: Map<string, NetlinkObject>, operation: Operation): void {
  const { object } = operation;
  const id = identity(object);
  const known = objects.get(id);
  const anew = operation.verb === 'put' && operation.before === undefined && known !== undefined;
  if ((object.kind === 'link' || object.kind === 'device') && (operation.verb === 'delete' || anew)) {
    for (const [other, each] of objects) {
      if (deviceOf(each) === object.name && (each.kind !== 'sysctl' || operation.verb === 'delete'))
        objects.delete(other);
    }
  }
  if (operation.verb === 'put') {
    objects.set(id, object);
    return;
  }
  objects.delete(id);
  if (object.kind !== 'address' || !isIPv4(object.address)) return;
  const others = [...objects.values()];
  const last = !others.some(
    (each) => each.kind === 'address' && each.device === object.device && isIPv4(each.address),
  );
  for (const each of others) {
    if (!needsAddress4(each)) continue;
    const source = each.kind === 'route' ? each.source : undefined;
    if (source === object.address || (last && deviceOf(each) === object.device))
      objects.delete(identity(each));
  }
}
