/** The nftables engine: holds a node's intent in one table, atomically, and heals it when somebody else changes it. */
import { networkInterfaces } from 'node:os';
import type { Engine, Report } from '#engines/engine.ts';
import type { IntentChange, ServiceIntent } from '#intent/node.ts';
import { placesOfService } from '#intent/places.ts';
import { openTrackedFlows, type TrackedFlows } from '#system/ctnetlink.ts';
import { inNamespace } from '#system/namespace.ts';
import { inSlices } from '#system/steps.ts';
import { type Conntrack, createConntrack, staleFlows } from './conntrack.ts';
import { renewDnsPorts } from './dns-answers.ts';
import { createForgetter } from './forgetter.ts';
import { guardsFirst } from './guards-first.ts';
import { createLedger, type Difference, type Ledger } from './ledger.ts';
import { claimsOfService } from './lower-service.ts';
import { type ForeignEvent, type Monitor, openMonitor } from './monitor.ts';
import { type Element, type Operation, printOperation } from './objects.ts';
import { forgetLearnt, openings, plan, planChange } from './plan.ts';
import type { Concerned } from './policy-index.ts';
import type { RuleCount } from './rule-counters.ts';
import { type Nft, NftError, openNftSession } from './session.ts';
import { timedSets } from './sets.ts';
import { staticChains } from './static.ts';
import { createSweeper, type Sweeper } from './sweep.ts';
import { wantedRuleset } from './wanted.ts';

export type ForeignChange = ForeignEvent & {
  /** What was open until now, a sentence each; empty when the change had touched nothing of ours. */
  readonly opened: readonly string[];
  readonly report: Report;
};

export type NftablesOptions = {
  /** Stands before `nft` to reach the right namespaces, for example `['nsenter', '-t', pid, '-n', '-m', '--']`. */
  readonly command?: readonly string[];
  /** Path of the network namespace that `command` reaches, for the kernel's notifications; default: this process's own. */
  readonly namespace?: string;
  /** CIDRs out of which Service addresses are given: an address in them without a Service is dropped. */
  readonly serviceRanges?: readonly string[];
  /** After a foreign change was healed. */
  readonly onForeignChange?: (change: ForeignChange) => void;
  /** Something that does not stop the engine, for the log. */
  readonly onError?: (error: Error) => void;
};

/** What the engine stands on; the defaults are the machine itself. */
export type NftablesParts = {
  readonly nft: Nft;
  readonly conntrack: Conntrack;
  readonly watch?: (onForeign: (event: ForeignEvent) => void) => Monitor;
  /** Connections that stand, to cut those that a change forbids. */
  readonly flows?: {
    readonly open: () => TrackedFlows;
    /** The node's own addresses, whatever they are for. */
    readonly ownAddresses: () => ReadonlySet<string>;
  };
};

export type NftablesEngine = Engine & {
  /**
   * For the next three seconds DNS answers to pods with rules for names go to the listener of their group, and nowhere else.
   * Throws NftError.
   */
  holdDnsAnswers(): Promise<void>;
  /** Of each rule that is in force on the node. Throws NftError. */
  ruleCounts(): Promise<readonly RuleCount[]>;
};

/**
 * Entries stay as they are until the first change with `replace`: before it, only what is put is added, so that a restarted
 * process takes nothing away that its predecessor was told. The table is watched from the first call on.
 * `apply` and `resync` throw NftError when the kernel refuses; the next call then reads the table and repairs it.
 */
export function createNftablesEngine(
  options: NftablesOptions = {},
  parts: NftablesParts = {
    nft: openNftSession(options.command),
    conntrack: createConntrack(options.namespace),
    watch: (onForeign) => openMonitor(options.namespace, onForeign),
    flows: {
      open: () => openTrackedFlows(options.namespace),
      ownAddresses: () => addressesIn(options.namespace),
    },
  },
): NftablesEngine {
  const { nft, conntrack, watch, flows } = parts;
  const ledger = createLedger(options.serviceRanges);
  let monitor: Monitor | undefined;
  let whole = false;
  // Whether the table is known to hold the ledger's intent.
  let known = false;
  let queue: Promise<unknown> = Promise.resolve();
  let healing: ForeignEvent | undefined;
  let closed = false;
  let sweeper: Sweeper | undefined;
  const forgetter = createForgetter(conntrack, (error) => options.onError?.(error));

  /** Opened when first needed: most nodes have policy, but none before its pods. */
  function judgeStanding({ now, later }: Concerned): void {
    if (flows === undefined || (now !== 'all' && now.size + later.size === 0)) return;
    const onError = (error: Error) => options.onError?.(error);
    sweeper ??= createSweeper({
      flows: flows.open(),
      ownAddresses: flows.ownAddresses,
      table: ledger.policy,
      onError,
    });
    sweeper.ask(now, later);
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work);
    queue = result.catch(() => {});
    return result;
  }

  /** Several foreign transactions in a row are healed once. */
  function foreign(event: ForeignEvent): void {
    if (closed) return;
    if (healing !== undefined) return;
    healing = event;
    inTurn(async () => {
      healing = undefined;
      const { report, opened } = await repair();
      if (report.operations.length > 0) options.onForeignChange?.({ ...event, opened, report });
    }).catch((error: Error) => options.onError?.(error));
  }

  async function repair(): Promise<Repaired> {
    known = false;
    const actual = await nft.read();
    const { ruleset: wanted, problems } = await inSlices(wantedRuleset(ledger));
    const options = { sweep: whole, stillValid: stillValid(ledger) };
    const operations = await inSlices(plan(actual, wanted, options));
    for (const transaction of guardsFirst(actual, operations)) await nft.commit(transaction);
    known = true;
    // Whoever changed the table may have let connections in, and so may a predecessor.
    if (whole && operations.length > 0 && ledger.context().policy) judgeStanding(everybody);
    if (whole) await forgetter.prune(ledger.serviceAt);
    return {
      report: { operations: operations.map(printOperation), problems },
      opened: operations.length === 0 ? [] : openings(actual, wanted),
      wasGone: actual === undefined,
    };
  }

  async function applyDifference(difference: Difference, before: readonly Operation[]): Promise<Report> {
    const operations = [...before];
    const forgetful = affinityLosers(difference);
    const learnt = await staleLearnt(forgetful);
    operations.push(...forgetLearnt(learnt));
    await nft.commit(operations);
    // What was learnt between the reading and the commit.
    const late = await staleLearnt(forgetful);
    await nft.commit(forgetLearnt(late));
    forgetFlows(difference);
    return {
      operations: [...operations, ...forgetLearnt(late)].map(printOperation),
      problems: difference.problems,
    };
  }

  async function staleLearnt(families: ReadonlySet<string>): Promise<readonly Element[]> {
    const valid = stillValid(ledger);
    const stale: Element[] = [];
    for (const family of families) {
      const set = `affinity${family}`;
      for (const [key, data] of await nft.readElements(set)) {
        if (!valid({ set, key, data })) stale.push({ set, key, data });
      }
    }
    return stale;
  }

  function forgetFlows(difference: Difference): void {
    // In one question: what is asked for second waits until the kernel has rested from the first.
    const stale = [...difference.services.values()].map(({ before, after }) => staleFlows(before, after));
    forgetter.ask({
      now: stale.flatMap(({ now }) => now),
      later: stale.flatMap(({ later }) => later),
    });
  }

  return {
    name: 'nftables',
    apply: (change: IntentChange) =>
      inTurn(async () => {
        monitor ??= watch?.(foreign);
        const contextBefore = ledger.context();
        const difference = ledger.change(change);
        // What the predecessor was told and this process wasn't goes with its first whole intent.
        const first = change.replace && !whole;
        whole ||= change.replace;
        if (!known || first) {
          const { report } = await repair();
          judgeStanding(first ? everybody : difference.concerned);
          forgetFlows(difference);
          return report;
        }
        const chains = difference.staticChanged ? staticChains(contextBefore) : [];
        const chainsAfter = difference.staticChanged ? staticChains(ledger.context()) : [];
        try {
          const report = await applyDifference(difference, planChange(difference, chains, chainsAfter));
          judgeStanding(difference.concerned);
          return report;
        } catch (error) {
          known = false;
          if (!(error instanceof NftError)) throw error;
          // Somebody changed the table, or nft died: reading it tells.
          const { report, opened, wasGone } = await repair();
          // The notification of it comes when all is healed already.
          if (wasGone)
            options.onForeignChange?.({ by: 'found when a change was refused', events: [], opened, report });
          judgeStanding(difference.concerned);
          forgetFlows(difference);
          return report;
        }
      }),
    resync: () =>
      inTurn(async () => {
        monitor ??= watch?.(foreign);
        return (await repair()).report;
      }),
    holdDnsAnswers: () =>
      inTurn(async () => {
        if (known && ledger.context().names) await nft.commit(renewDnsPorts());
      }),
    async ruleCounts() {
      // A node without policy starts no process for it.
      if (ledger.rules().size === 0) return [];
      const counts = await nft.readCounters();
      return [...ledger.rules().values()].map((rule) => ({
        ...rule,
        connections: counts.get(rule.name) ?? 0,
      }));
    },
    unchanged: () => known && monitor?.isCurrent() === true,
    cleanup: () =>
      inTurn(async () => {
        monitor?.close();
        monitor = undefined;
        known = false;
        await nft.commit([{ op: 'addTable' }, { op: 'deleteTable' }]);
      }),
    async close() {
      closed = true;
      await queue;
      await sweeper?.close();
      await forgetter.close();
      monitor?.close();
      await nft.close();
    },
  };
}

const everybody: Concerned = { now: 'all', later: new Set() };

function addressesIn(namespace: string | undefined): ReadonlySet<string> {
  const found = inNamespace(namespace, networkInterfaces);
  return new Set(Object.values(found).flatMap((each) => (each ?? []).map(({ address }) => address)));
}

type Repaired = {
  readonly report: Report;
  readonly opened: readonly string[];
  /** There was no table at all. */
  readonly wasGone: boolean;
};

/** A remembered backend holds while its service still has affinity and that backend. Key: `address . protocol . port . client`. */
function stillValid(ledger: Ledger): (element: Element) => boolean {
  return ({ set, key, data }) => {
    if (timedSets.has(set)) return true;
    const service = ledger.serviceAt(key.split(' . ').slice(0, 3).join(' . '));
    return (
      service?.affinitySeconds !== undefined &&
      placesOfService(service).some((backend) => `${backend.address} . ${backend.port}` === data)
    );
  };
}

/** Families in which a service with affinity lost a backend, a frontend or its affinity: only then is memory searched. */
function affinityLosers(difference: Difference): ReadonlySet<string> {
  const families = new Set<string>();
  for (const { before, after } of difference.services.values()) {
    if (before?.affinitySeconds === undefined) continue;
    // The same service before and after: another one took a frontend of it, or gave one back.
    if (before !== after && keepsAll(before, after)) continue;
    for (const { address } of before.frontends) families.add(address.includes(':') ? '6' : '4');
  }
  return families;
}

function keepsAll(before: ServiceIntent, after: ServiceIntent | undefined): boolean {
  if (after?.affinitySeconds === undefined) return false;
  const backends = new Set(placesOfService(after).map((backend) => `${backend.address} ${backend.port}`));
  const claims = new Set(claimsOfService(after));
  return (
    placesOfService(before).every((backend) => backends.has(`${backend.address} ${backend.port}`)) &&
    claimsOfService(before).every((claim) => claims.has(claim))
  );
}
