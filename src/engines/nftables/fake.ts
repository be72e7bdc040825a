/** A table in memory that refuses what the kernel refuses: dangling references, duplicates, overlaps of use. */
import { isDeepStrictEqual } from 'node:util';
import { flowAddress } from '#system/conntrack.ts';
import type { TrackedFlow, TrackedFlows } from '#system/ctnetlink.ts';
import type { Conntrack, StaleFlow } from './conntrack.ts';
import type { Chain, NamedSet, Operation } from './objects.ts';
import { type Nft, NftError } from './session.ts';

export type FakeNft = Nft & {
  /** Every committed transaction. */
  readonly transactions: readonly (readonly Operation[])[];
  /** What the packet path would learn. */
  learn(set: string, key: string, data: string): void;
  /** What packets would count. */
  count(counter: string, packets: number): void;
  /** As `nft flush ruleset` by somebody else. */
  flush(): void;
  /** The next commit throws: `before` it takes effect or `after`. */
  failNext(when: 'before' | 'after'): void;
};

type State = {
  counters: Set<string>;
  sets: Map<string, NamedSet>;
  chains: Map<string, Chain>;
  elements: Map<string, Map<string, string>>;
};

export function createFakeNft(): FakeNft {
  let table: State | undefined;
  let failure: 'before' | 'after' | undefined;
  const transactions: (readonly Operation[])[] = [];
  const counted = new Map<string, number>();
  return {
    transactions,
    async commit(operations) {
      if (operations.length === 0) return;
      const planned = failure;
      failure = undefined;
      if (planned === 'before') throw new NftError('unknown', 'killed before');
      let next = table === undefined ? undefined : copy(table);
      for (const operation of operations) next = perform(next, operation);
      if (next !== undefined) checkReferences(next);
      table = next;
      transactions.push(operations);
      if (planned === 'after') throw new NftError('unknown', 'killed after');
    },
    read: async () => (table === undefined ? undefined : copy(table)),
    readElements: async (set) => new Map(table?.elements.get(set)),
    readCounters: async () =>
      new Map([...(table?.counters ?? [])].map((name) => [name, counted.get(name) ?? 0])),
    close: async () => {},
    count(counter, packets) {
      counted.set(counter, (counted.get(counter) ?? 0) + packets);
    },
    learn(set, key, data) {
      const elements = table?.elements.get(set);
      if (elements !== undefined && !elements.has(key)) elements.set(key, data);
    },
    flush() {
      table = undefined;
    },
    failNext(when) {
      failure = when;
    },
  };
}

/** Remembers what it was asked to forget. */
export function createFakeConntrack(): Conntrack & {
  readonly forgotten: StaleFlow[];
  /** How many flows each look was for. */
  readonly looks: number[];
} {
  const forgotten: StaleFlow[] = [];
  const looks: number[] = [];
  return {
    forgotten,
    looks,
    async forget(flows) {
      looks.push(flows.length);
      forgotten.push(...flows);
    },
    async prune() {},
    close() {},
  };
}

export type FakeFlows = TrackedFlows & {
  /** Addresses of each look, `all` for all. */
  readonly looks: (readonly string[] | 'all')[];
  /** A connection, with addresses as text. */
  add(flow: TrackedFlow, marked?: boolean): void;
  /** Of each connection, in the order in which they were added. */
  marks(): readonly boolean[];
};

/** Connections in memory, with the one bit of their marks. */
export function createFakeFlows(): FakeFlows {
  const flows: { readonly flow: TrackedFlow; marked: boolean }[] = [];
  const looks: (readonly string[] | 'all')[] = [];
  return {
    looks,
    async mark(_, addresses, wanted) {
      looks.push(addresses ?? 'all');
      const keys = addresses?.map(flowAddress);
      let changed = 0;
      for (const each of flows) {
        const { source, target } = each.flow;
        if (keys !== undefined && !keys.includes(source) && !keys.includes(target)) continue;
        const want = wanted(each.flow);
        if (want === undefined || want === each.marked) continue;
        each.marked = want;
        changed++;
      }
      return changed;
    },
    close() {},
    add(flow, marked = false) {
      const ends = { source: flowAddress(flow.source), target: flowAddress(flow.target) };
      flows.push({ flow: { ...flow, ...ends }, marked });
    },
    marks: () => flows.map((each) => each.marked),
  };
}

function perform(table: State | undefined, operation: Operation): State | undefined {
  if (operation.op === 'addTable') {
    return table ?? { counters: new Set(), sets: new Map(), chains: new Map(), elements: new Map() };
  }
  if (table === undefined) return refuse('no table');
  switch (operation.op) {
    case 'deleteTable':
      return undefined;
    case 'addCounter':
      table.counters.add(operation.name);
      return table;
    case 'deleteCounter':
      if (!table.counters.delete(operation.name)) refuse(`no counter ${operation.name}`);
      return table;
    case 'addSet': {
      const { set } = operation;
      const known = table.sets.get(set.name);
      if (known !== undefined && !isDeepStrictEqual(known, set)) refuse(`set ${set.name} exists`);
      table.sets.set(set.name, set);
      if (!table.elements.has(set.name)) table.elements.set(set.name, new Map());
      return table;
    }
    case 'deleteSet': {
      const { name } = operation.set;
      const user = [...table.chains.values()].find((chain) =>
        chain.rules.some((rule) => references(rule.statement).sets.includes(name)),
      );
      if (user !== undefined) refuse(`set ${name} is in use by chain ${user.name}`);
      if (!table.sets.delete(name)) refuse(`no set ${name}`);
      table.elements.delete(name);
      return table;
    }
    case 'addChain': {
      const { chain } = operation;
      const known = table.chains.get(chain.name);
      if (known === undefined) table.chains.set(chain.name, { ...chain, rules: [] });
      else if (!isDeepStrictEqual(known.hook, chain.hook)) refuse(`chain ${chain.name} exists`);
      return table;
    }
    case 'flushChain': {
      const chain = table.chains.get(operation.name) ?? refuse(`no chain ${operation.name}`);
      table.chains.set(chain.name, { ...chain, rules: [] });
      return table;
    }
    case 'deleteChain': {
      const chain = table.chains.get(operation.name) ?? refuse(`no chain ${operation.name}`);
      if (chain.rules.length > 0) refuse(`chain ${chain.name} has rules`);
      if (chainsInUse(table).has(chain.name)) refuse(`chain ${chain.name} is in use`);
      table.chains.delete(chain.name);
      return table;
    }
    case 'addRule': {
      const chain = table.chains.get(operation.chain) ?? refuse(`no chain ${operation.chain}`);
      table.chains.set(chain.name, { ...chain, rules: [...chain.rules, operation.rule] });
      return table;
    }
    case 'addElements': {
      const elements = table.elements.get(operation.set) ?? refuse(`no set ${operation.set}`);
      const set = table.sets.get(operation.set)!;
      for (const { key, data = '' } of operation.elements) {
        if ((set.kind === 'map') !== (data !== '')) refuse(`${key} does not fit ${set.kind} ${set.name}`);
        const bare = key.replace(/ timeout \S+$/, '');
        const known = elements.get(bare);
        if (known !== undefined && known !== data) refuse(`element ${bare} of ${set.name} exists`);
        elements.set(bare, data);
      }
      return table;
    }
    case 'deleteElements': {
      const elements = table.elements.get(operation.set) ?? refuse(`no set ${operation.set}`);
      for (const key of operation.keys) {
        if (!elements.delete(key)) refuse(`no element ${key} in ${operation.set}`);
      }
      return table;
    }
  }
}

function checkReferences(table: State): void {
  for (const [name, elements] of table.elements) {
    if (!table.sets.get(name)!.definition.endsWith(' : counter')) continue;
    for (const data of elements.values())
      if (!table.counters.has(data.slice(1, -1))) refuse(`no counter ${data}`);
  }
  for (const name of chainsInUse(table)) if (!table.chains.has(name)) refuse(`no chain ${name}`);
  for (const chain of table.chains.values()) {
    for (const { statement } of chain.rules) {
      const used = references(statement);
      for (const name of used.sets) if (!table.sets.has(name)) refuse(`no set ${name}`);
      for (const name of used.counters) if (!table.counters.has(name)) refuse(`no counter ${name}`);
    }
  }
}

function chainsInUse(table: State): Set<string> {
  const used = new Set<string>();
  for (const chain of table.chains.values()) {
    for (const rule of chain.rules) for (const name of references(rule.statement).chains) used.add(name);
  }
  for (const elements of table.elements.values()) {
    for (const data of elements.values()) for (const name of references(data).chains) used.add(name);
  }
  return used;
}

function references(text: string): { sets: string[]; chains: string[]; counters: string[] } {
  const all = (pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1]!);
  return {
    sets: all(/@([A-Za-z]\w*)/g).filter((name) => name !== 'th'),
    chains: all(/\b(?:goto|jump) (\w+)/g),
    counters: all(/counter name "(\w+)"/g),
  };
}

function copy(table: State): State {
  return {
    counters: new Set(table.counters),
    sets: new Map(table.sets),
    chains: new Map(table.chains),
    elements: new Map([...table.elements].map(([set, elements]) => [set, new Map(elements)])),
  };
}

function refuse(reason: string): never {
  throw new NftError('refused', reason);
}
