/** What this engine keeps in the kernel, as typed values that print themselves as iproute2 commands. */
import { qdiscs } from '#system/registry.ts';

/** The intermediate device through which a pod's outgoing packets are led, since only what leaves a device can wait in a queue. */
export type Ifb = {
  readonly kind: 'ifb';
  readonly name: string;
  readonly alias: string;
  readonly up: boolean;
};

/** A token bucket filter as the root queueing discipline of a device (tc-tbf(8)). */
export type Shaper = {
  readonly kind: 'shaper';
  readonly device: string;
  /** Of a pod's device: another index under the same name is another device. Absent for an ifb. */
  readonly ifindex?: number;
  readonly bytesPerSecond: number;
  /** What may pass at once. */
  readonly burst: number;
  /** What may wait, burst included, before packets are dropped. */
  readonly limit: number;
};

/** All that comes in by a device leaves by an ifb first, and then goes on as if it had just come in by the device. */
export type Redirect = {
  readonly kind: 'redirect';
  readonly device: string;
  readonly ifindex: number;
  readonly to: string;
};

export type TcObject = Ifb | Shaper | Redirect;

/** Objects by identity. */
export type Objects = ReadonlyMap<string, TcObject>;

export type Operation =
  /** Makes the object, or makes the one that is there as asked. */
  | { readonly verb: 'put'; readonly object: TcObject; readonly before: TcObject | undefined }
  | { readonly verb: 'delete'; readonly object: TcObject };

/** What makes an object the same one with other contents. */
export function identity(object: TcObject): string {
  return object.kind === 'ifb' ? `ifb ${object.name}` : `${object.kind} ${object.device}`;
}

/** Whether it is on the same device still: what stood on another one is gone with it. */
export function sameDevice(a: TcObject, b: TcObject): boolean {
  return a.kind === 'ifb' || b.kind === 'ifb' || a.ifindex === b.ifindex;
}

export function sameObject(a: TcObject, b: TcObject): boolean {
  if (a.kind === 'shaper' && b.kind === 'shaper') {
    const { burst, ...rest } = a;
    const { burst: other, ...others } = b;
    return isSameBurst(burst, other, a.bytesPerSecond) && JSON.stringify(rest) === JSON.stringify(others);
  }
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The kernel keeps a burst as a time, in ticks of 64 ns, and divides by a reciprocal. */
function isSameBurst(a: number, b: number, bytesPerSecond: number): boolean {
  return Math.abs(a - b) <= 2 + bytesPerSecond * 128e-9 + a * 1e-4;
}

/**
 * Whether a shaper must be made anew to become another one: a packet that waits and is larger than the new burst would never have
 * the tokens to go, and stop all behind it for good. What waits is lost then, at most some 50 ms of the rate.
 */
export function isRemade(before: TcObject | undefined, object: TcObject): boolean {
  return before?.kind === 'shaper' && object.kind === 'shaper' && object.burst < before.burst;
}

/** The command that does the same, as one types it. */
export function printOperation(operation: Operation): string {
  const { verb, object } = operation;
  const filter = `ingress prio ${qdiscs.redirectPriority.value} protocol all u32`;
  switch (object.kind) {
    case 'ifb':
      if (verb === 'delete') return `ip link del ${object.name}`;
      return [
        ...(operation.before === undefined ? [`ip link add ${object.name} type ifb`] : []),
        `ip link set ${object.name} addrgenmode none alias "${object.alias}" ${object.up ? 'up' : 'down'}`,
      ].join('; ');
    case 'shaper':
      if (verb === 'delete') return deletion(object.device);
      if (operation.before === undefined) return shaping('add', object);
      return isRemade(operation.before, object)
        ? `${deletion(object.device)}; ${shaping('add', object)}`
        : shaping('change', object);
    case 'redirect':
      if (verb === 'delete') return `tc filter del dev ${object.device} ${filter}`;
      return (
        `tc qdisc add dev ${object.device} clsact; tc filter add dev ${object.device} ${filter} ` +
        `match u32 0 0 action mirred egress redirect dev ${object.to}`
      );
  }
}

const deletion = (device: string): string => `tc qdisc del dev ${device} root`;

function shaping(verb: 'add' | 'change', { device, bytesPerSecond, burst, limit }: Shaper): string {
  const handle = qdiscs.shaperHandle.value.toString(16);
  const parameters = `tbf rate ${bytesPerSecond * 8} burst ${burst} limit ${limit}`;
  return `tc qdisc ${verb} dev ${device} root handle ${handle}: ${parameters}`;
}
