/** The intent that the engine was given, and the objects that it stands for on the interfaces of now. */
import type { VirtualAddressIntent } from '#intent/loadbalancer.ts';
import type { IntentChange } from '#intent/node.ts';
import type { L2Link } from './links.ts';
import { type Lowered, lowerAddress } from './lower.ts';
import { identity, type L2Object } from './objects.ts';

export type Wanted = {
  readonly entries: ReadonlyMap<string, VirtualAddressIntent>;
  readonly lowered: ReadonlyMap<string, Lowered>;
  readonly objects: ReadonlyMap<string, L2Object>;
  /** Takes a change in; the addresses that it touches. */
  merge(change: IntentChange): ReadonlySet<string>;
  /** Lowers these addresses anew, or all; the identities that may have changed. */
  relower(links: readonly L2Link[], addresses?: Iterable<string>): ReadonlySet<string>;
  clear(): void;
};

export function createWanted(): Wanted {
  const entries = new Map<string, VirtualAddressIntent>();
  const lowered = new Map<string, Lowered>();
  const objects = new Map<string, L2Object>();
  /** How many addresses lead to a responder. */
  const needed = new Map<string, number>();

  const touch = (ids: Set<string>, object: L2Object, isWanted: boolean): void => {
    const id = identity(object);
    ids.add(id);
    if (isWanted) objects.set(id, object);
    else objects.delete(id);
  };
  const need = (ids: Set<string>, responder: L2Object, by: 1 | -1): void => {
    const id = identity(responder);
    const count = (needed.get(id) ?? 0) + by;
    if (count > 0) needed.set(id, count);
    else needed.delete(id);
    touch(ids, responder, count > 0);
  };

  return {
    entries,
    lowered,
    objects,
    merge(change) {
      const gone = change.replace ? entries.keys() : (change.remove.virtualAddresses ?? []);
      const touched = new Set<string>(gone);
      for (const address of touched) entries.delete(address);
      for (const [address, entry] of Object.entries(change.put.virtualAddresses ?? {})) {
        entries.set(address, entry);
        touched.add(address);
      }
      return touched;
    },
    relower(links, addresses = new Set([...entries.keys(), ...lowered.keys()])) {
      const ids = new Set<string>();
      const renewed = [...addresses];
      // All that was goes before anything comes: a device that was made anew is another one for every address.
      for (const address of renewed) {
        const before = lowered.get(address);
        lowered.delete(address);
        for (const held of before?.held ?? []) touch(ids, held, false);
        for (const responder of before?.responders ?? []) need(ids, responder, -1);
      }
      for (const address of renewed) {
        const entry = entries.get(address);
        if (entry === undefined) continue;
        const now = lowerAddress(address, entry, links);
        lowered.set(address, now);
        for (const held of now.held) touch(ids, held, true);
        for (const responder of now.responders) need(ids, responder, 1);
      }
      return ids;
    },
    clear() {
      for (const map of [entries, lowered, objects, needed]) map.clear();
    },
  };
}
