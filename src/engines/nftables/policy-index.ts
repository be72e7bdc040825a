/** What the ledger's policy says of single addresses, and which addresses a change concerns. */
import type { Domain, EndpointIntent, NodeIntent } from '#intent/node.ts';
import { type PolicyAddressIntent, policyIdentities } from '#intent/policy.ts';
import { type Addr, compareAddr, parseAddr } from '#net/addr.ts';
import { nameMatches } from '#net/domain.ts';
import { parsePrefix } from '#net/prefix.ts';
import { parseRange, type Range, rangeHas, rangeOfAddr, rangeOfPrefix } from '#net/range.ts';
import { isAddress, lowerSubnets } from './lower.ts';
import { readPair } from './lower-decision.ts';
import { classOf, podOf } from './lower-policy.ts';
import type { PolicyTable } from './verdict.ts';

/** Addresses at either end of connections that may be judged otherwise now. */
export type Affected = 'all' | ReadonlySet<string>;

export type Concerned = {
  readonly now: Affected;
  /**
   * Addresses that are new here: pods so new have no connections yet that could be forbidden, only what a former owner left. Telling the
   * identity of an unknown pod forbids nothing either.
   */
  readonly later: ReadonlySet<string>;
};

export type PolicyIndex = {
  /** Called before the entries change, with what will change, and then again when they have. */
  before(changed: Changed): void;
  after(changed: Changed): Concerned;
  /** Of the present; pods are those of this moment. */
  readonly table: () => PolicyTable;
};

type Entries = { readonly [D in Domain]: ReadonlyMap<string, NodeIntent[D][string]> };
type Changed = Readonly<Record<Domain, ReadonlyMap<string, unknown>>>;

export function createPolicyIndex(entries: Entries): PolicyIndex {
  const identities = new Map<string, number>();
  let ranges: readonly (readonly [Range, number])[] | undefined;
  let podRanges: readonly Range[] | undefined;
  let affected = new Set<string>();
  let appeared = new Set<string>();
  let restricted = false;
  let former = new Map<string, number>();

  const addressesWhere = (
    holds: (endpoint: EndpointIntent, key: string) => boolean,
    into: Set<string>,
  ): void => {
    for (const [key, endpoint] of entries.endpoints) {
      if (holds(endpoint, key)) for (const address of endpoint.addresses) into.add(address);
    }
  };

  /** The pods that a change concerns as they are now. */
  const gatherPods = (changed: Changed, into: Set<string>): void => {
    if (changed.endpoints.size + changed.policySubjects.size === 0) return;
    addressesWhere(
      (endpoint, key) => changed.endpoints.has(key) || changed.policySubjects.has(podOf(endpoint)),
      into,
    );
  };

  function identityOf(address: string): number {
    const own = identities.get(address);
    if (own !== undefined) return own;
    const addr = parseAddr(address);
    if (addr === undefined) return policyIdentities.other;
    ranges ??= prefixRanges(entries.policyPrefixes);
    podRanges ??= subnetRanges(entries.subnets);
    const identity = find(ranges, addr);
    if (identity !== undefined) return identity;
    return podRanges.some((range) => rangeHas(range, addr))
      ? policyIdentities.unknownPod
      : policyIdentities.other;
  }

  function isLapsed(from: string, to: string): boolean {
    const told = [...entries.policyNames.values()].flatMap(({ lapsed }) => lapsed[to] ?? []);
    if (told.length === 0) return false;
    const pod = [...entries.endpoints.values()].find(({ addresses }) => addresses.includes(from));
    const wanted = (pod && entries.policySubjects.get(podOf(pod))?.names) ?? [];
    return told.some((name) => wanted.some((pattern) => nameMatches(pattern, name)));
  }

  return {
    before(changed) {
      affected = new Set();
      appeared = new Set();
      former = new Map();
      restricted = entries.policySubjects.size > 0;
      gatherPods(changed, affected);
      for (const key of changed.policyAddresses.keys()) {
        for (const [address, identity] of Object.entries(
          entries.policyAddresses.get(key)?.identities ?? {},
        )) {
          former.set(address, identity);
          identities.delete(address);
        }
      }
    },
    after(changed) {
      restricted ||= entries.policySubjects.size > 0;
      for (const entry of changed.policyAddresses.values()) {
        const held = (entry as PolicyAddressIntent | undefined)?.identities ?? {};
        for (const [address, identity] of Object.entries(held)) {
          identities.set(address, identity);
          const before = former.get(address);
          if (before !== identity) (before === undefined ? appeared : affected).add(address);
        }
      }
      for (const address of former.keys()) if (!identities.has(address)) affected.add(address);
      if (changed.policyPrefixes.size > 0) ranges = undefined;
      if (changed.subnets.size > 0) podRanges = undefined;
      if (!restricted) return { now: new Set(), later: new Set() };
      if (changed.policyPrefixes.size + changed.subnets.size > 0) return { now: 'all', later: new Set() };
      // Where a pod was before, it is among the affected already.
      gatherPods(changed, appeared);
      const classes = new Set([...changed.policyDecisions.keys()].map((key) => readPair(key)?.class));
      if (classes.size > 0) {
        addressesWhere((endpoint) => {
          const subject = entries.policySubjects.get(podOf(endpoint));
          return classes.has(subject?.ingress ?? -1) || classes.has(subject?.egress ?? -1);
        }, affected);
      }
      return { now: affected, later: appeared };
    },
    table: () => ({
      pods: podClasses(entries),
      identityOf,
      isLapsed,
      decisionOf: (policyClass, identity) => entries.policyDecisions.get(`${policyClass}/${identity}`),
    }),
  };
}

function podClasses({ endpoints, policySubjects }: Entries): PolicyTable['pods'] {
  const pods = new Map<
    string,
    { ingress: number | 'closed' | undefined; egress: number | 'closed' | undefined }
  >();
  // Of two that claim an address the first by name has it.
  for (const key of [...endpoints.keys()].sort().toReversed()) {
    const endpoint = endpoints.get(key)!;
    const subject = policySubjects.get(podOf(endpoint));
    const classes = {
      ingress: classOf(endpoint, subject, 'ingress'),
      egress: classOf(endpoint, subject, 'egress'),
    };
    for (const address of endpoint.addresses.filter(isAddress)) pods.set(address, classes);
  }
  return pods;
}

/** Sorted; prefixes never overlap. */
function prefixRanges(prefixes: Entries['policyPrefixes']): readonly (readonly [Range, number])[] {
  const ranges: [Range, number][] = [];
  for (const [key, { identity }] of prefixes) {
    const prefix = parsePrefix(key);
    if (prefix !== undefined) ranges.push([rangeOfPrefix(prefix), identity]);
  }
  return ranges.sort(([a], [b]) => compareAddr(firstOf(a), firstOf(b)));
}

function find(ranges: readonly (readonly [Range, number])[], addr: Addr): number | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareAddr(firstOf(ranges[middle]![0]), addr) <= 0) low = middle + 1;
    else high = middle;
  }
  const candidate = ranges[low - 1];
  return candidate !== undefined && rangeHas(candidate[0], addr) ? candidate[1] : undefined;
}

function firstOf({ family, first }: Range): Addr {
  return { family, value: first };
}

function subnetRanges(subnets: Entries['subnets']): readonly Range[] {
  return lowerSubnets(Object.fromEntries(subnets))
    .elements.filter(({ set }) => set.startsWith('podSubnets'))
    .flatMap(({ key }) => {
      const prefix = parsePrefix(key);
      if (prefix !== undefined) return [rangeOfPrefix(prefix)];
      const addr = parseAddr(key);
      return addr === undefined ? (parseRange(key) ?? []) : [rangeOfAddr(addr)];
    });
}
