/** The engine: answers ARP and NDP for the virtual addresses that are this node's. */
import type { Engine, Report } from '#engines/engine.ts';
import type { AnsweredAddress } from '#intent/handover.ts';
import type { IntentChange } from '#intent/node.ts';
import { NftError } from '../nftables/commands.ts';
import type { ForeignEvent } from '../nftables/monitor.ts';
import { createGratuitous, type Gratuitous, sayingTimes } from './gratuitous.ts';
import { type Kernel, openKernel, type Watch } from './kernel.ts';
import type { L2Link } from './links.ts';
import type { Lowered } from './lower.ts';
import { type Operation, printOperation, type Table } from './objects.ts';
import { afterwards, plan } from './plan.ts';
import { createRenewal, type RenewalTimes, renewalTimes } from './renewal.ts';
import { createWanted } from './wanted.ts';

export type L2EngineOptions = {
  /** Path of the node's network namespace; default: this process's own. */
  readonly namespace?: string | undefined;
  /** What stands before `nft` to reach its namespaces. */
  readonly command?: readonly string[] | undefined;
  /** After the engine has put right what others changed, or followed the interfaces. */
  readonly onRepair?: ((repair: L2Repair) => void) | undefined;
  /** What is answered changed. */
  readonly onAnswering?: (() => void) | undefined;
  readonly onError?: ((error: unknown) => void) | undefined;
  readonly times?: RenewalTimes & { readonly burst: readonly number[]; readonly every: number };
};

export type L2Repair = { readonly cause: string; readonly foreign: boolean; readonly report: Report };

export type L2Engine = Engine & {
  /** What this node answers for now, by address. */
  announcing(): readonly AnsweredAddress[];
  /** By address: how often it was asked for, and told of unasked. */
  counts(): Promise<{
    readonly asked: ReadonlyMap<string, number>;
    readonly told: ReadonlyMap<string, number>;
  }>;
};

/** Needs CAP_NET_ADMIN and CAP_NET_RAW. Without a virtual address it keeps nothing in the kernel and runs nothing. */
export function createL2Engine(options: L2EngineOptions = {}): L2Engine {
  return createEngine(openKernel(options.namespace, options.command ?? []), options);
}

type Problem = Report['problems'][number];

/** After links changed or somebody touched the table: not more often than this. */
const repairAfterMs = 20;

/** The engine over any kernel; tests use the one of fake.ts. */
export function createEngine(kernel: Kernel, options: L2EngineOptions = {}): L2Engine {
  const wanted = createWanted();
  const { entries, lowered } = wanted;
  const since = new Map<string, string>();
  let links: readonly L2Link[] = [];
  let actual: Table | undefined;
  let known = false;
  /** Nothing is taken away before a whole intent came: what is there may be right. */
  let whole = false;
  /** Of answers nothing is decided before what the last process left was seen. */
  let begun = false;
  let refused: string | undefined;
  let tail: Promise<unknown> = Promise.resolve();
  let watching: Watch | undefined;
  let repairing: NodeJS.Timeout | undefined;
  let closed = false;

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(() => work());
    tail = result.catch(() => {});
    return result;
  };

  const gratuitous: Gratuitous = createGratuitous((addresses) => {
    try {
      kernel.say(addresses.flatMap(sayingsOf));
    } catch (error) {
      options.onError?.(error);
    }
  }, options.times ?? sayingTimes);
  const sayingsOf = (address: string) =>
    (lowered.get(address)?.responders ?? []).map(({ ifindex, mac }) => ({ address, ifindex, mac }));

  const renewal = createRenewal({
    times: options.times ?? renewalTimes,
    isNeeded: () => wanted.objects.size > 0,
    isContested: () => [...entries.values()].some(({ candidates }) => candidates.length > 1),
    renew: () => inTurn(renewNow),
    onChange: () => {
      settleSayings();
      options.onAnswering?.();
    },
  });
  const renewNow = async (): Promise<void> => {
    if (closed || actual === undefined || refused !== undefined) return;
    try {
      await commit([renewal.operation()]);
    } catch (error) {
      repairSoon('a renewal was refused', true);
      throw error;
    }
  };

  const commit = async (operations: readonly Operation[]): Promise<void> => {
    if (operations.length === 0) return;
    try {
      await kernel.commit(operations);
    } catch (error) {
      known = false;
      throw error;
    }
    actual = afterwards(actual, operations);
  };

  /** Tells of addresses that are answered since now; those in `found` are no news. */
  const settleSayings = (found: ReadonlySet<string> = new Set()): void => {
    const answers = renewal.answers() && refused === undefined;
    const isHere = (address: string) => answers && (lowered.get(address)?.held.length ?? 0) > 0;
    for (const address of since.keys()) if (!isHere(address)) forget(address);
    for (const address of lowered.keys()) {
      if (!isHere(address) || since.has(address)) continue;
      since.set(address, new Date().toISOString());
      if (found.has(address)) gratuitous.keep(address);
      else gratuitous.begin(address);
    }
  };

  const problemsOf = (addresses: Iterable<string>): Problem[] =>
    [...addresses].flatMap((address): Problem[] => {
      const reason = refused ?? lowered.get(address)?.reason;
      return reason === undefined || !entries.has(address)
        ? []
        : [{ entry: `virtualAddresses/${address}`, reason }];
    });

  /** `takesOver`: nobody knows how long the kernel still answers by what the last process said. */
  const finish = async (operations: readonly Operation[], takesOver = false): Promise<string[]> => {
    const isDue = takesOver || operations.length > 0 || actual?.answering !== renewal.answers();
    // In the same transaction as what is held: an address is answered for from its first moment.
    await commit(wanted.objects.size > 0 && isDue ? [...operations, renewal.operation()] : operations);
    return operations.flatMap(printOperation);
  };

  const applyNow = async (change: IntentChange): Promise<Report> => {
    const touched = wanted.merge(change);
    if (change.replace) whole = true;
    if (!whole) return { operations: [], problems: [] };
    if (!known || change.replace || refused !== undefined) return repairNow();
    // Most changes are of other things; what renewals owe they do by themselves.
    if (touched.size === 0) return { operations: [], problems: [] };
    const before = new Map(lowered);
    // While nothing is held nobody watches the interfaces.
    if (watching === undefined) links = kernel.links();
    const ids = wanted.relower(links, touched);
    let operations: readonly string[];
    try {
      operations = await finish(plan(actual, wanted.objects, ids));
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      return repairNow(before);
    }
    settle(before, new Set(), touched);
    return { operations, problems: problemsOf(touched) };
  };

  /** `found`: what was answered for before this process; `touched`: what may be elsewhere now. */
  const settle = (
    before: ReadonlyMap<string, Lowered>,
    found: ReadonlySet<string>,
    touched: Iterable<string>,
  ): void => {
    renewal.settle();
    kernel.listen([...lowered.keys()].flatMap(sayingsOf));
    const places = (from: ReadonlyMap<string, Lowered>, address: string) =>
      JSON.stringify(from.get(address)?.responders);
    // An address that is on other interfaces now is told of anew.
    for (const address of touched) {
      if (since.has(address) && places(before, address) !== places(lowered, address)) forget(address);
    }
    settleSayings(found);
    watchIfNeeded();
    options.onAnswering?.();
  };
  const forget = (address: string): void => {
    since.delete(address);
    gratuitous.end(address);
  };

  /** Reads everything, then makes it as wanted. */
  const repairNow = async (before: ReadonlyMap<string, Lowered> = new Map(lowered)): Promise<Report> => {
    if (!whole) return { operations: [], problems: [] };
    links = kernel.links();
    const listing = await kernel.read();
    actual = listing?.table;
    known = true;
    refused = undefined;
    const stands = actual?.answering === true && actual.held.size > 0;
    const found = new Set(begun || !stands ? [] : [...actual!.held.values()].map(({ address }) => address));
    const takesOver = !begun;
    if (takesOver) renewal.begin(stands);
    begun = true;
    wanted.relower(links);
    let operations: readonly string[];
    try {
      operations = await finish(plan(actual, wanted.objects), takesOver);
    } catch (error) {
      operations = await rebuild(error);
    }
    settle(before, found, since.keys());
    return { operations, problems: problemsOf(entries.keys()) };
  };

  /** A table in which something is that we don't know of is made anew; a kernel that takes not even that can't do it. */
  const rebuild = async (error: unknown): Promise<readonly string[]> => {
    if (!(error instanceof NftError) || error.outcome !== 'refused') throw error;
    actual = undefined;
    try {
      const anew = await finish([{ verb: 'drop' }, ...plan(undefined, wanted.objects)]);
      known = true;
      return anew;
    } catch (again) {
      if (!(again instanceof NftError) || again.outcome !== 'refused') throw again;
      refused = `this kernel or its nft can't answer for addresses: ${again.message}`;
      return [];
    }
  };

  const repair = async (cause: string, foreign: boolean): Promise<void> => {
    try {
      const report = await inTurn(repairNow);
      if (report.operations.length > 0 || report.problems.length > 0)
        options.onRepair?.({ cause, foreign, report });
    } catch (error) {
      options.onError?.(error);
    }
  };
  const repairSoon = (cause: string, foreign: boolean): void => {
    if (closed) return;
    repairing ??= setTimeout(() => {
      repairing = undefined;
      void repair(cause, foreign);
    }, repairAfterMs);
  };
  const watchIfNeeded = (): void => {
    if (entries.size > 0)
      watching ??= kernel.watch({
        links: () => {
          if (JSON.stringify(kernel.links()) !== JSON.stringify(links))
            repairSoon('interfaces changed', false);
        },
        foreign: ({ by, events }: ForeignEvent) => repairSoon([by, ...events].join(', '), true),
      });
    else {
      watching?.close();
      watching = undefined;
    }
  };

  return {
    name: 'l2',
    apply: (change) => inTurn(() => applyNow(change)),
    resync: () => inTurn(repairNow),
    unchanged: () =>
      known &&
      refused === undefined &&
      (watching === undefined ? actual === undefined : watching.isCurrent()),
    announcing: () =>
      [...since]
        .map(([address, at]) => ({
          address,
          interfaces: (lowered.get(address)?.held ?? []).map(({ device }) => device),
          since: at,
        }))
        .sort((a, b) => (a.address < b.address ? -1 : 1)),
    counts: () =>
      inTurn(async () => ({
        asked: since.size === 0 ? new Map() : ((await kernel.read())?.counts ?? new Map()),
        told: gratuitous.counts(),
      })),
    cleanup: () =>
      inTurn(async () => {
        wanted.clear();
        since.clear();
        renewal.settle();
        gratuitous.stop();
        kernel.listen([]);
        watchIfNeeded();
        known = false;
        whole = false;
        actual = undefined;
        await kernel.commit([{ verb: 'drop' }]);
      }),
    async close() {
      clearTimeout(repairing);
      gratuitous.stop();
      watching?.close();
      await inTurn(async () => {
        closed = true;
        // What is asked for until the next process is here is answered by the kernel alone.
        if (actual !== undefined && since.size > 0) await kernel.commit([renewal.farewell()]);
        renewal.stop();
      }).catch((error: unknown) => options.onError?.(error));
      await kernel.close();
    },
  };
}
