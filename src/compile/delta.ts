/** What an incremental compiler sent so far: a recomputed but equal entry is no change. */

/** Entries by domain and key. */
export type Delta = {
  readonly put: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly remove: Readonly<Record<string, readonly string[]>>;
};

export type DeltaOutput = {
  /** `undefined` removes. Each key at most once between two `take`s. */
  set(domain: string, key: string, entry: unknown): void;
  /** Makes these the only entries of a domain. */
  replace(domain: string, entries: ReadonlyMap<string, unknown>): void;
  /** What changed since the last call; `undefined` when nothing did. */
  take(): Delta | undefined;
};

/** Compares by text (entries are plain JSON with a fixed order of fields) and keeps only that text. */
export function createDeltaOutput(): DeltaOutput {
  const sent = new Map<string, Map<string, string>>();
  let put = new Map<string, Map<string, unknown>>();
  let remove = new Map<string, Map<string, true>>();

  const output: DeltaOutput = {
    set(domain, key, entry) {
      const known = inner(sent, domain);
      const text = entry === undefined ? undefined : JSON.stringify(entry);
      if (text === known.get(key)) return;
      if (text === undefined) {
        known.delete(key);
        inner(remove, domain).set(key, true);
      } else {
        known.set(key, text);
        inner(put, domain).set(key, entry);
      }
    },
    replace(domain, entries) {
      const gone = [...inner(sent, domain).keys()].filter((key) => !entries.has(key));
      for (const key of gone) output.set(domain, key, undefined);
      for (const [key, entry] of entries) output.set(domain, key, entry);
    },
    take() {
      if (put.size === 0 && remove.size === 0) return undefined;
      const puts = [...put].map(([domain, entries]) => [domain, Object.fromEntries(entries)] as const);
      const removes = [...remove].map(([domain, keys]) => [domain, [...keys.keys()]] as const);
      const delta = { put: Object.fromEntries(puts), remove: Object.fromEntries(removes) };
      put = new Map();
      remove = new Map();
      return delta;
    },
  };
  return output;
}

function inner<T>(outer: Map<string, Map<string, T>>, key: string): Map<string, T> {
  const map = outer.get(key) ?? new Map<string, T>();
  outer.set(key, map);
  return map;
}
