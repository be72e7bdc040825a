/** What pods were told of names: name → address → until when. Bounded, whatever they are told; with a clock from outside. */
import type { NamesAnswer, ToldName } from '#intent/handover.ts';

export type Learnt = {
  /** Of the last change; 0: nothing was ever learnt. */
  readonly revision: number;
  /** What a pod was told; gives the revision with which all of that is known. */
  learn(pod: string, name: string, told: readonly ToldAddress[]): number;
  /** Addresses whose time is over lapse. True where there were some. */
  expire(): boolean;
  /** Undefined, or a revision of which it isn't known what changed since: everything. */
  since(revision: number | undefined): Pick<NamesAnswer, 'revision' | 'whole' | 'names'>;
  /** For the file, and from it. */
  save(): SavedNames;
  restore(saved: SavedNames): void;
  /** What didn't fit since the start: a sentence. */
  overflow(): string | undefined;
};

export type ToldAddress = { readonly address: string; readonly ttl: number };

/** Times are Unix milliseconds: until when an address is known, or since when it has lapsed. */
export type SavedNames = Readonly<
  Record<
    string,
    {
      readonly pod: string;
      readonly addresses: Readonly<Record<string, number>>;
      readonly lapsed: Readonly<Record<string, number>>;
    }
  >
>;

export type LearntLimits = {
  readonly namesOfPod: number;
  readonly names: number;
  readonly addressesOfName: number;
  readonly addresses: number;
  readonly lapsed: number;
};

export const learntLimits: LearntLimits = {
  namesOfPod: 1_000,
  names: 4_000,
  addressesOfName: 256,
  addresses: 20_000,
  lapsed: 2_000,
};

/** Seconds: less than that no connection would find it, and more than that nobody means. */
const shortest = 5;
const longest = 86_400;
/** Names that are gone and still told as gone. */
const tombstones = 2_000;

/** Maps are in order: what was told longest ago stands first. */
type Entry = {
  /** Who was told last. */
  pod: string;
  readonly addresses: Map<string, number>;
  readonly lapsed: Map<string, number>;
  revision: number;
};

export function createLearnt(now: () => number, limits: LearntLimits = learntLimits): Learnt {
  const entries = new Map<string, Entry>();
  /** When names went. */
  const gone = new Map<string, number>();
  /** Before this revision names may have gone that nobody remembers. */
  let floor = 0;
  let revision = 0;
  let overflow: string | undefined;
  let addressCount = 0;
  let lapsedCount = 0;

  const forget = (name: string, entry: Entry): void => {
    addressCount -= entry.addresses.size;
    lapsedCount -= entry.lapsed.size;
    entries.delete(name);
    gone.delete(name);
    gone.set(name, revision);
    for (const [oldest, at] of gone) {
      if (gone.size <= tombstones) break;
      gone.delete(oldest);
      floor = at;
    }
  };
  const lapse = (entry: Entry, address: string): void => {
    if (!entry.addresses.delete(address)) return;
    addressCount--;
    entry.lapsed.set(address, now());
    lapsedCount++;
    entry.revision = revision;
  };
  /** The lapsed that lapsed first; a name without anything left goes. */
  const boundLapsed = (): void => {
    while (lapsedCount > limits.lapsed) {
      let first: { name: string; entry: Entry; address: string; at: number } | undefined;
      for (const [name, entry] of entries)
        for (const [address, at] of entry.lapsed) {
          if (first === undefined || at < first.at) first = { name, entry, address, at };
          break;
        }
      if (first === undefined) return;
      const { name, entry, address } = first;
      entry.lapsed.delete(address);
      lapsedCount--;
      entry.revision = revision;
      if (entry.addresses.size + entry.lapsed.size === 0) forget(name, entry);
    }
  };
  const tooMany = (what: string): void => {
    overflow ??= `pods were told more than ${what} that their rules have; those that were told longest ago are not let through until they are asked for again`;
  };
  const lapseWhole = (entry: Entry): void => {
    for (const address of entry.addresses.keys()) lapse(entry, address);
  };
  const bound = (name: string, entry: Entry): void => {
    const isLive = ([, each]: readonly [string, Entry]) => each.addresses.size > 0;
    for (const address of entry.addresses.keys()) {
      if (entry.addresses.size <= limits.addressesOfName) break;
      tooMany(`${limits.addressesOfName} addresses of a name`);
      lapse(entry, address);
    }
    const ofPod = [...entries].filter((each) => isLive(each) && each[1].pod === entry.pod);
    for (const [, each] of ofPod.slice(0, Math.max(0, ofPod.length - limits.namesOfPod))) {
      tooMany(`${limits.namesOfPod} names a pod`);
      lapseWhole(each);
    }
    if (entries.size > limits.names)
      for (const [oldest, each] of entries) {
        if (entries.size <= limits.names || oldest === name) break;
        if (each.addresses.size > 0) tooMany(`${limits.names} names`);
        forget(oldest, each);
      }
    for (const [oldest, each] of entries) {
      if (addressCount <= limits.addresses || oldest === name) break;
      tooMany(`${limits.addresses} addresses`);
      lapseWhole(each);
    }
    boundLapsed();
  };

  return {
    get revision() {
      return revision;
    },
    learn(pod, name, told) {
      const entry = entries.get(name) ?? { pod, addresses: new Map(), lapsed: new Map(), revision };
      const fresh = told.filter(({ address }) => !entry.addresses.has(address));
      if (told.length === 0) return entry.revision;
      if (fresh.length > 0) {
        revision++;
        entry.revision = revision;
      }
      // To the end: it was told just now.
      entries.delete(name);
      entries.set(name, entry);
      entry.pod = pod;
      for (const { address, ttl } of told) {
        const until = now() + 1000 * Math.min(Math.max(ttl, shortest), longest);
        const before = entry.addresses.get(address);
        entry.addresses.delete(address);
        entry.addresses.set(address, Math.max(before ?? 0, until));
        if (before === undefined) addressCount++;
        if (entry.lapsed.delete(address)) lapsedCount--;
      }
      if (fresh.length > 0) {
        gone.delete(name);
        bound(name, entry);
      }
      return entry.revision;
    },
    expire() {
      const time = now();
      const over = [...entries.values()].flatMap((entry) =>
        [...entry.addresses].flatMap(([address, until]) => (until <= time ? [{ entry, address }] : [])),
      );
      if (over.length === 0) return false;
      revision++;
      for (const { entry, address } of over) lapse(entry, address);
      boundLapsed();
      return true;
    },
    since(after) {
      const isKnown = after !== undefined && after >= floor && after <= revision;
      const names: Record<string, ToldName> = {};
      for (const [name, entry] of entries)
        if (!isKnown || entry.revision > after)
          names[name] = { addresses: [...entry.addresses.keys()], lapsed: [...entry.lapsed.keys()] };
      if (isKnown) for (const [name, at] of gone) if (at > after) names[name] = { addresses: [], lapsed: [] };
      return { revision, whole: !isKnown, names };
    },
    save: () =>
      Object.fromEntries(
        [...entries].map(([name, { pod, addresses, lapsed }]) => [
          name,
          { pod, addresses: Object.fromEntries(addresses), lapsed: Object.fromEntries(lapsed) },
        ]),
      ),
    restore(saved) {
      revision++;
      for (const [name, { pod, addresses, lapsed }] of Object.entries(saved)) {
        const latest = now() + 1000 * longest;
        const kept = Object.entries(addresses).map(
          ([address, until]) => [address, Math.min(until, latest)] as const,
        );
        const entry = { pod, addresses: new Map(kept), lapsed: new Map(Object.entries(lapsed)), revision };
        entries.set(name, entry);
        addressCount += entry.addresses.size;
        lapsedCount += entry.lapsed.size;
      }
    },
    overflow: () => overflow,
  };
}
