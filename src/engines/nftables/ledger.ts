/**
 * What the table must hold for an intent, kept as the intent changes: the cost of a change follows its entries.
 * Invariant: what `change` returns, summed over any sequence of changes, is what `wanted` says for the last intent.
 */
import {
  type Domain,
  type EndpointIntent,
  emptyIntent,
  type IntentChange,
  type NodeIntent,
  type PeerIntent,
  type SelfIntent,
  type ServiceIntent,
} from '#intent/node.ts';
import type { PolicyAddressIntent, PolicyDecisionIntent, PolicyPrefixIntent } from '#intent/policy.ts';
import type { Steps } from '#system/steps.ts';
import { isAggregate, lowerAggregates, lowerAnnouncement } from './announced.ts';
import { changedKeys, type Entries } from './changed.ts';
import { type Claims, release, take, winnerOf } from './claims.ts';
import {
  claimsOfPeer,
  type Lowered,
  lowerEndpoint,
  lowerNeighbor,
  lowerPeer,
  lowerSelf,
  lowerServiceRanges,
  lowerSubnets,
  type Owns,
} from './lower.ts';
import { isAudited, lowerDecision } from './lower-decision.ts';
import { claimsOfEndpoint, lowerAddresses, lowerPrefix, lowerSubject, podOf } from './lower-policy.ts';
import { claimsOfService, lowerService } from './lower-service.ts';
import { net, netNames, type References } from './net-change.ts';
import type { Element } from './objects.ts';
import { type Concerned, createPolicyIndex } from './policy-index.ts';
import type { RuleCounter } from './rule-counters.ts';
import type { StaticContext } from './static.ts';
import type { PolicyTable } from './verdict.ts';

/** What a change of the intent means for the table. An element whose data changes is in both lists. */
export type Difference = {
  readonly removed: readonly Element[];
  readonly added: readonly Element[];
  readonly removedChains: readonly string[];
  readonly addedChains: readonly string[];
  readonly removedCounters: readonly string[];
  readonly addedCounters: readonly string[];
  /** The static chains are other ones now. */
  readonly staticChanged: boolean;
  readonly problems: readonly { readonly entry: string; readonly reason: string }[];
  /** Whose connections policy may judge otherwise now. */
  readonly concerned: Concerned;
  /** Services before and after, by key, for affinity and connection tracking. */
  readonly services: ReadonlyMap<
    string,
    { readonly before: ServiceIntent | undefined; readonly after: ServiceIntent | undefined }
  >;
};

export type Wanted = {
  readonly elements: readonly Element[];
  readonly chains: readonly string[];
  readonly counters: readonly string[];
  readonly problems: Difference['problems'];
};

export type Ledger = {
  change(change: IntentChange): Difference;
  /** Everything: all elements, the shared chains, and what can't be held. The ledger must not change meanwhile. */
  wanted(): Steps<Wanted>;
  context(): StaticContext;
  /** What policy says now. */
  readonly policy: () => PolicyTable;
  /** Rules that decisions are of, by the names of their counters. */
  readonly rules: () => ReadonlyMap<string, RuleCounter>;
  /** The service that answers at a frontend (`frontendKey`). */
  readonly serviceAt: (frontend: string) => ServiceIntent | undefined;
};

type Single =
  | 'self'
  | 'peers'
  | 'services'
  | 'endpoints'
  | 'bgpNeighbors'
  | 'announcements'
  | 'policyDecisions'
  | 'policyAddresses'
  | 'policyPrefixes';
const singles: readonly Single[] = [
  'self',
  'peers',
  'services',
  'endpoints',
  'bgpNeighbors',
  'announcements',
  'policyDecisions',
  'policyAddresses',
  'policyPrefixes',
];

export function createLedger(serviceRanges: readonly string[] = []): Ledger {
  const entries = Object.fromEntries(
    Object.keys(emptyIntent).map((domain) => [domain, new Map()]),
  ) as Entries;
  const claims: Claims = new Map();
  const references: References = new Map();
  const policyIndex = createPolicyIndex(entries);
  /** Decisions that let through what is to be told of. */
  const audited = new Set<string>();
  let audits = false;
  const rules = new Map<string, RuleCounter>();
  const winner = (claim: string) => winnerOf(claims, claim);
  const lower = (domain: Single, key: string, entry: unknown, owner: (claim: string) => string | undefined) =>
    lowerEntry(domain, key, entry, (claim) => owner(claim) === `${domain}/${key}`);

  function lowerEntry(domain: Single, key: string, entry: unknown, owns: Owns): Lowered {
    if (domain === 'self') return lowerSelf(entry as SelfIntent);
    if (domain === 'peers') return lowerPeer(entry as PeerIntent, owns);
    if (domain === 'services') return lowerService(entry as ServiceIntent, owns);
    if (domain === 'bgpNeighbors') return lowerNeighbor(entry as NodeIntent['bgpNeighbors'][string]);
    if (domain === 'announcements') return lowerAnnouncement(key);
    if (domain === 'policyDecisions') return lowerDecision(key, entry as PolicyDecisionIntent);
    if (domain === 'policyAddresses') return lowerAddresses(entry as PolicyAddressIntent);
    if (domain === 'policyPrefixes') return lowerPrefix(key, entry as PolicyPrefixIntent);
    const endpoint = entry as EndpointIntent;
    const wired = lowerEndpoint(endpoint);
    const judged = lowerSubject(endpoint, entries.policySubjects.get(podOf(endpoint)), owns, audits);
    return { ...wired, elements: [...wired.elements, ...judged.elements], chains: judged.chains };
  }

  function change(change: IntentChange): Difference {
    const changed = changedKeys(entries, change);
    const isWhole = changed.subnets.size > 0 || [...changed.announcements.keys()].some(isAggregate);
    const togetherBefore = isWhole ? together() : undefined;
    const contextBefore = JSON.stringify(context());
    const before = new Map<string, unknown>();
    const winnersBefore = new Map<string, string | undefined>();
    for (const domain of singles) {
      for (const [key, after] of changed[domain]) {
        const id = `${domain}/${key}`;
        const old = entries[domain].get(key);
        before.set(id, old);
        const oldClaims = claimsOf(domain, old);
        const newClaims = claimsOf(domain, after);
        for (const claim of [...oldClaims, ...newClaims]) {
          if (!winnersBefore.has(claim)) winnersBefore.set(claim, winner(claim));
        }
        for (const claim of oldClaims) release(claims, claim, id);
        for (const claim of newClaims) take(claims, claim, id);
      }
    }
    // An entry that gains or loses a claim is lowered again, although nobody changed it.
    for (const [claim, old] of winnersBefore) {
      const now = winner(claim);
      if (now === old) continue;
      for (const id of [old, now]) {
        if (id !== undefined && !before.has(id)) before.set(id, entryOf(entries, id));
      }
    }
    // A pod's endpoints are lowered with its subject.
    for (const [key, endpoint] of changed.policySubjects.size > 0 ? entries.endpoints : []) {
      const id = `endpoints/${key}`;
      if (changed.policySubjects.has(podOf(endpoint)) && !before.has(id)) before.set(id, endpoint);
    }
    for (const [key, after] of changed.policyDecisions) {
      if (after !== undefined && isAudited(after as PolicyDecisionIntent)) audited.add(key);
      else audited.delete(key);
    }
    const auditsAfter = audited.size > 0;
    // Each class has another chain then.
    for (const [key, endpoint] of audits === auditsAfter ? [] : entries.endpoints) {
      if (!before.has(`endpoints/${key}`)) before.set(`endpoints/${key}`, endpoint);
    }
    policyIndex.before(changed);
    const removed: Element[] = [];
    const added: Element[] = [];
    const removedChains: string[] = [];
    const addedChains: string[] = [];
    const removedCounters: string[] = [];
    const addedCounters: string[] = [];
    const problems: { entry: string; reason: string }[] = [];
    const services = new Map<
      string,
      { before: ServiceIntent | undefined; after: ServiceIntent | undefined }
    >();
    const ownedBefore = (claim: string) =>
      winnersBefore.has(claim) ? winnersBefore.get(claim) : winner(claim);
    for (const [id, old] of before) {
      const [domain, key] = splitId(id);
      if (old === undefined) continue;
      const lowered = lower(domain, key, old, ownedBefore);
      removed.push(...lowered.elements);
      removedChains.push(...lowered.chains);
      removedCounters.push(...(lowered.counters ?? []).map(({ name }) => name));
    }
    audits = auditsAfter;
    for (const domain of Object.keys(entries) as Domain[]) {
      for (const [key, after] of changed[domain]) {
        if (after === undefined) entries[domain].delete(key);
        else (entries[domain] as Map<string, unknown>).set(key, after);
      }
    }
    for (const [id, old] of before) {
      const [domain, key] = splitId(id);
      const now = entries[domain].get(key);
      if (domain === 'services') {
        services.set(key, {
          before: old as ServiceIntent | undefined,
          after: now as ServiceIntent | undefined,
        });
      }
      if (now === undefined) continue;
      const lowered = lower(domain, key, now, winner);
      added.push(...lowered.elements);
      addedChains.push(...lowered.chains);
      for (const rule of lowered.counters ?? []) {
        addedCounters.push(rule.name);
        rules.set(rule.name, rule);
      }
      problems.push(...lowered.problems.map((reason) => ({ entry: id, reason })));
    }
    if (togetherBefore !== undefined) {
      const after = together();
      removed.push(...togetherBefore.elements);
      added.push(...after.elements);
      problems.push(...after.problems);
    }
    const chains = netNames(references, 'chain', removedChains, addedChains);
    const counters = netNames(references, 'counter', removedCounters, addedCounters);
    for (const name of counters.removed) rules.delete(name);
    return {
      ...net(references, removed, added),
      removedChains: chains.removed,
      addedChains: chains.added,
      removedCounters: counters.removed,
      addedCounters: counters.added,
      staticChanged: JSON.stringify(context()) !== contextBefore,
      problems,
      concerned: policyIndex.after(changed),
      services,
    };
  }

  function* wanted(): Steps<Wanted> {
    const whole = together();
    const elements: Element[] = [...lowerServiceRanges(serviceRanges), ...whole.elements];
    const chains = new Set<string>();
    const problems = [...whole.problems];
    for (const domain of singles) {
      for (const [key, entry] of entries[domain]) {
        const lowered = lower(domain, key, entry, winner);
        elements.push(...lowered.elements);
        for (const name of lowered.chains) chains.add(name);
        for (const reason of lowered.problems) problems.push({ entry: `${domain}/${key}`, reason });
        yield;
      }
    }
    return { elements, chains: [...chains], counters: [...rules.keys()], problems };
  }

  /** What interval sets hold: an entry's elements are of all entries. */
  function together(): Pick<Wanted, 'elements' | 'problems'> {
    const subnets = lowerSubnets(Object.fromEntries(entries.subnets));
    return {
      elements: [...subnets.elements, ...lowerAggregates(entries.announcements.keys())],
      problems: subnets.problems.map(({ name, reason }) => ({ entry: `subnets/${name}`, reason })),
    };
  }

  function context(): StaticContext {
    const self = entries.self.values().next().value as SelfIntent | undefined;
    return {
      address4: self?.addresses.find((address) => !address.includes(':')),
      address6: self?.addresses.find((address) => address.includes(':')),
      routed: [...entries.subnets.values()].some((subnet) => subnet.mode !== 'overlay'),
      policy: entries.policySubjects.size > 0,
      audits,
      announces: entries.announcements.size > 0,
      names: [...entries.policySubjects.values()].some(({ names }) => names !== undefined),
    };
  }

  return {
    change,
    wanted,
    context,
    policy: policyIndex.table,
    rules: () => rules,
    serviceAt(frontend) {
      const id = winner(`frontend ${frontend}`);
      return id === undefined ? undefined : (entryOf(entries, id) as ServiceIntent | undefined);
    },
  };
}

function claimsOf(domain: Single, entry: unknown): readonly string[] {
  if (entry === undefined) return [];
  if (domain === 'peers' || domain === 'self') return claimsOfPeer(entry as PeerIntent);
  if (domain === 'endpoints') return claimsOfEndpoint(entry as EndpointIntent);
  return domain === 'services' ? claimsOfService(entry as ServiceIntent) : [];
}

function entryOf(entries: Entries, id: string): unknown {
  const [domain, key] = splitId(id);
  return entries[domain].get(key);
}

function splitId(id: string): [Single, string] {
  const slash = id.indexOf('/');
  return [id.slice(0, slash) as Single, id.slice(slash + 1)];
}
