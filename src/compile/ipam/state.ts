/** Who has which address, and which addresses rest: a fold over records, for the journal and for the running datapath alike. */
import type { SubnetMode } from '#intent/node.ts';

export type PodIdentity = { readonly namespace: string; readonly name: string; readonly uid: string };

/** Addresses of one pod interface, or of the node itself (no `pod`). */
export type Assignment = {
  /** `containerID/interface`; the node's own: `node/<purpose>`, which no container ID can spell. */
  readonly key: string;
  readonly pod?: PodIdentity;
  /** Name of the CNI network that asked. */
  readonly network?: string;
  readonly subnet: string;
  readonly mode: SubnetMode;
  /** Canonical, at most one a family, IPv4 first. */
  readonly addresses: readonly string[];
  /** Not out of a block: the addresses have claims of their own. */
  readonly claimed?: true;
  /** MAC of the pod's end, where it was asked for. */
  readonly mac?: string;
  /** Unix time in milliseconds. */
  readonly since: number;
};

/** Times are Unix time in milliseconds. */
export type IpamRecord =
  | { readonly op: 'assign'; readonly assignment: Assignment }
  | { readonly op: 'release'; readonly key: string; readonly at: number }
  /** Freed at a time; written when a journal is compacted. */
  | { readonly op: 'rest'; readonly address: string; readonly at: number }
  /** Records before this one may be missing: any address may have been freed just before. */
  | { readonly op: 'lost'; readonly at: number };

/** Changed by `applyRecord` alone. */
export type IpamState = {
  readonly assignments: Map<string, Assignment>;
  /** Address → key of its assignment. */
  readonly owners: Map<string, string>;
  /** Address → when it was freed; in the order in which they were freed. */
  readonly resting: Map<string, number>;
  /** When records were lost last; -Infinity: never. */
  lostAt: number;
};

export function emptyState(): IpamState {
  return { assignments: new Map(), owners: new Map(), resting: new Map(), lostAt: Number.NEGATIVE_INFINITY };
}

/**
 * Takes one record in. Invariant: an address has at most one owner; a record that would give it a second one is refused with
 * the reason and changes nothing.
 */
export function applyRecord(state: IpamState, record: IpamRecord): string | undefined {
  switch (record.op) {
    case 'assign':
      return applyAssignment(state, record.assignment);
    case 'release': {
      const assignment = state.assignments.get(record.key);
      if (assignment === undefined) return undefined;
      state.assignments.delete(record.key);
      for (const address of assignment.addresses) {
        state.owners.delete(address);
        rest(state, address, record.at);
      }
      return undefined;
    }
    case 'rest':
      if (!state.owners.has(record.address)) rest(state, record.address, record.at);
      return undefined;
    case 'lost':
      state.lostAt = Math.max(state.lostAt, record.at);
      return undefined;
  }
}

/** The fewest records that make the same state; addresses whose rest is over since long are left out. */
export function snapshotRecords(state: IpamState, now: number, restMs: number): IpamRecord[] {
  const records: IpamRecord[] = [];
  if (now - state.lostAt < restMs) records.push({ op: 'lost', at: state.lostAt });
  for (const [address, at] of state.resting) {
    if (now - at < restMs) records.push({ op: 'rest', address, at });
  }
  for (const assignment of state.assignments.values()) records.push({ op: 'assign', assignment });
  return records;
}

function applyAssignment(state: IpamState, assignment: Assignment): string | undefined {
  const taken = assignment.addresses.find((address) => {
    const owner = state.owners.get(address);
    return owner !== undefined && owner !== assignment.key;
  });
  if (taken !== undefined) return `${taken} belongs to ${state.owners.get(taken)} already`;
  const before = state.assignments.get(assignment.key);
  for (const address of before?.addresses ?? []) {
    if (assignment.addresses.includes(address)) continue;
    state.owners.delete(address);
    rest(state, address, assignment.since);
  }
  state.assignments.set(assignment.key, assignment);
  for (const address of assignment.addresses) {
    state.owners.set(address, assignment.key);
    state.resting.delete(address);
  }
  return undefined;
}

function rest(state: IpamState, address: string, at: number): void {
  // Deleted first, so that the order of the map stays the order of freeing.
  state.resting.delete(address);
  state.resting.set(address, at);
}
