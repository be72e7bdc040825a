/** A kernel in memory, with the rules that matter: nothing may dangle, what stands on a device goes with it, others' stays. */
import type { Kernel, Refusal } from './kernel.ts';
import { identity, type Operation, type TcObject } from './objects.ts';

export type FakeKernel = Kernel & {
  /** A pod's veth appears or, with index undefined, goes with all that stands on it. */
  setPod(device: string, ifindex: number | undefined): void;
  /** Somebody else's discipline on a device. */
  addForeign(device: string): void;
  /** The process dies before the operation after the next `count`. */
  killAfter(count: number): void;
  /** Somebody else changes what is there. */
  tamper(change: (objects: Map<string, TcObject>) => void): void;
  /** Everything that is there, sorted. */
  dump(): string[];
};

export class Killed extends Error {}

export function createFakeKernel(): FakeKernel {
  const objects = new Map<string, TcObject>();
  const pods = new Map<string, number>();
  const foreign = new Set<string>();
  let left = Number.POSITIVE_INFINITY;

  const drop = (device: string): void => {
    for (const [id, object] of objects)
      if (object.kind !== 'ifb' && object.device === device) objects.delete(id);
  };
  const refused = (reason: string, isForeign = false): Refusal => ({ reason, foreign: isForeign });

  const refusePut = (object: TcObject, before: TcObject | undefined): Refusal | undefined => {
    const known = objects.get(identity(object));
    if (object.kind === 'ifb')
      return (known === undefined) === (before === undefined) ? undefined : refused('ifb');
    const index = pods.get(object.device);
    const exists =
      object.ifindex === undefined ? objects.has(`ifb ${object.device}`) : index === object.ifindex;
    if (!exists) return refused('no such device');
    if (foreign.has(object.device)) return refused('foreign', true);
    if (object.kind === 'redirect' && !objects.has(`ifb ${object.to}`)) return refused('leads nowhere');
    return (known === undefined) === (before === undefined) ? undefined : refused('file exists');
  };
  const remove = (object: TcObject): Refusal | undefined => {
    if (object.kind === 'ifb') {
      const dangling = [...objects.values()].some(
        (each) => each.kind === 'redirect' && each.to === object.name,
      );
      if (dangling) return refused('a redirect leads there');
      drop(object.name);
    }
    objects.delete(identity(object));
    return undefined;
  };
  const one = (operation: Operation): Refusal | undefined => {
    if (left-- <= 0) throw new Killed('killed');
    const { verb, object } = operation;
    if (verb === 'delete') return remove(object);
    const refusal = refusePut(object, operation.before);
    if (refusal === undefined) objects.set(identity(object), object);
    return refusal;
  };

  return {
    read: async () => new Map(objects),
    execute: async (operations) => operations.map(one),
    watch: () => ({ close: () => {} }),
    removeAll: async () => objects.clear(),
    close: async () => {},
    setPod(device, ifindex) {
      drop(device);
      if (ifindex === undefined) pods.delete(device);
      else pods.set(device, ifindex);
    },
    addForeign: (device) => void foreign.add(device),
    killAfter: (count) => {
      left = count;
    },
    tamper: (change) => change(objects),
    dump: () => [...objects.values()].map((object) => JSON.stringify(object)).toSorted(),
  };
}
