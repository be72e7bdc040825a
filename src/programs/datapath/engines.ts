/** Drives the engines: each gets every change in order, waiting changes as one, and is made whole again after a failure. */
import type { Engine, Report } from '#engines/engine.ts';
import type { EngineProblem, EngineStatus } from '#intent/handover.ts';
import type { IntentChange } from '#intent/node.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createThinned } from '#telemetry/thinned.ts';
import { createEngineProblems } from './engine-problems.ts';
import { mergeChanges } from './intent.ts';

export type EngineSet = {
  /**
   * Hands a change to every engine; resolves when all hold it. `failed` names the engines that the machine refused: they
   * keep the change and try again by themselves. Never rejects.
   */
  apply(
    change: IntentChange,
  ): Promise<{ readonly problems: readonly EngineProblem[]; readonly failed: readonly EngineProblem[] }>;
  /** Reads the machine and repairs what differs, soon and once however often it is asked. */
  resync(reason: string): void;
  /** An engine repaired by itself what others had changed, or followed the underlay. */
  repaired(engine: string, repair: Repair): void;
  status(): readonly EngineStatus[];
  problems(): readonly EngineProblem[];
  /** Waits for what runs, then closes the engines; the machine stays as it is. */
  close(): Promise<void>;
};

export type Repair = {
  /** What was noticed. */
  readonly cause: string;
  readonly report: Report;
  /** Somebody else's doing, not the underlay's. */
  readonly foreign: boolean;
  /** What was open until now, a sentence each. */
  readonly opened?: readonly string[];
};

/** Milliseconds until an engine that failed tries again; doubled up to the second. */
const retry = { first: 200, last: 10_000 };
/** A resync for which there is no reason but time: reading 100,000 elements takes seconds, in which ADDs would wait. */
export const periodic = 'periodic';
/** What goes on (somebody flushes our table each second) is told once in a while; the metrics count. */
const lineEveryMs = 10_000;

export function createEngineSet(engines: readonly Engine[], log: Log, metrics: Registry): EngineSet {
  const runners = engines.map((engine) => createRunner(engine, log.child({ engine: engine.name }), metrics));
  return {
    async apply(change) {
      const results = await Promise.all(runners.map((runner) => runner.apply(change)));
      return {
        problems: results.flatMap((result) => result.problems),
        failed: results.flatMap((result) => result.failed),
      };
    },
    resync: (reason) => {
      for (const runner of runners) runner.resync(reason);
    },
    repaired: (engine, repair) => {
      runners.find((runner) => runner.status().name === engine)?.repaired(repair);
    },
    status: () => runners.map((runner) => runner.status()),
    problems: () => runners.flatMap((runner) => runner.problems()),
    async close() {
      await Promise.all(runners.map((runner) => runner.close()));
    },
  };
}

type Outcome = { readonly problems: readonly EngineProblem[]; readonly failed: readonly EngineProblem[] };

function createRunner(engine: Engine, log: Log, metrics: Registry) {
  const seconds = metrics.histogram({
    name: 'netloom_datapath_engine_apply_seconds',
    help: 'Time in which an engine applied what had gathered.',
    labels: ['engine'],
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1, 5],
  });
  const failures = metrics.counter({
    name: 'netloom_datapath_engine_failures_total',
    help: 'Times that the machine refused what an engine did; it tried again.',
    labels: ['engine'],
  });
  const repairs = metrics.counter({
    name: 'netloom_datapath_engine_repairs_total',
    help: 'Operations with which an engine repaired what others had changed.',
    labels: ['engine'],
  });
  const foreignChanges = metrics.counter({
    name: 'netloom_datapath_foreign_changes_total',
    help: 'Times that another program had changed what an engine holds; it was put back.',
    labels: ['engine'],
  });
  const unheld = metrics.gauge({
    name: 'netloom_datapath_engine_problems',
    help: 'Entries that an engine can not hold.',
    labels: ['engine'],
  });
  const labels = { engine: engine.name };
  const problems = createEngineProblems(engine.name, log);
  metrics.onCollect(() => unheld.set(problems.count(), labels));
  const foreignLine = createThinned(lineEveryMs);
  const refusalLine = createThinned(lineEveryMs);
  let pending: IntentChange | undefined;
  let waiting: ((outcome: Outcome) => void)[] = [];
  let resyncWanted: string | undefined;
  let held = 0;
  let error: string | undefined;
  let delay = retry.first;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let busy = false;
  let closed = false;

  const run = async (): Promise<void> => {
    while (!closed && (pending !== undefined || resyncWanted !== undefined)) {
      const change = pending;
      const reason = resyncWanted;
      const told = waiting;
      pending = undefined;
      resyncWanted = undefined;
      waiting = [];
      const started = performance.now();
      try {
        let found: readonly EngineProblem[] = [];
        if (change !== undefined) {
          found = problems.afterChange(change, await engine.apply(change));
          seconds.observe((performance.now() - started) / 1000, labels);
          held = change.generation;
        }
        for (const tell of told) tell({ problems: found, failed: [] });
        if (reason !== undefined && !(reason === periodic && engine.unchanged?.() === true)) {
          const report = await engine.resync();
          problems.afterResync(report);
          repairs.inc(labels, report.operations.length);
          if (report.operations.length > 0) {
            log.info('repaired', {
              reason,
              count: report.operations.length,
              first: report.operations.slice(0, 3).join('; '),
            });
          }
        }
        refusalLine.over((times) => log.info('the machine takes changes again', { refused: times }));
        error = undefined;
        delay = retry.first;
      } catch (cause) {
        error = cause instanceof Error ? cause.message : String(cause);
        failures.inc(labels);
        refusalLine.happened((times) =>
          log.error('the machine refused a change; trying again', { error: cause, times }),
        );
        const failed = [{ engine: engine.name, entry: '', reason: error }];
        for (const tell of told) tell({ problems: [], failed });
        if (change !== undefined) pending = pending === undefined ? change : mergeChanges(change, pending);
        resyncWanted = 'after a failure';
        timer ??= setTimeout(() => {
          timer = undefined;
          wake();
        }, delay);
        delay = Math.min(2 * delay, retry.last);
        // A newer change is tried at once: it may take back what the machine refused.
        if (waiting.length === 0) break;
      }
    }
    busy = false;
  };
  /** A run that finds nothing to do ends before it returns: what marks it as running must be set before, not from its promise. */
  const wake = () => {
    if (closed || busy) return;
    busy = true;
    running = run();
  };
  const resync = (reason: string): void => {
    resyncWanted ??= reason;
    wake();
  };

  return {
    apply: (change: IntentChange): Promise<Outcome> =>
      new Promise((resolve) => {
        pending = pending === undefined ? change : mergeChanges(pending, change);
        waiting.push(resolve);
        wake();
      }),
    resync,
    repaired({ cause, report, foreign, opened = [] }: Repair) {
      repairs.inc(labels, report.operations.length);
      const fields = {
        cause,
        repairs: report.operations.length,
        first: report.operations.slice(0, 3).join('; '),
        opened: opened.length === 0 ? undefined : opened.join('; '),
      };
      if (report.operations.length === 0) log.debug('nothing to repair', fields);
      else if (!foreign) log.info('followed what changed on the node', fields);
      else {
        foreignChanges.inc(labels);
        foreignLine.happened((times) =>
          log.warn('another program changed what is ours; it is put back', { ...fields, times }),
        );
      }
      // The report may speak of a part: what stands now is known after a look at everything.
      if (report.problems.length + problems.count() > 0) resync(cause);
    },
    status: (): EngineStatus => ({
      name: engine.name,
      generation: held,
      problems: problems.count(),
      ...(error === undefined ? {} : { error }),
    }),
    problems: (): EngineProblem[] => [
      ...problems.list(),
      ...(error === undefined ? [] : [{ engine: engine.name, entry: '', reason: error }]),
    ],
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
      for (const tell of waiting)
        tell({ problems: [], failed: [{ engine: engine.name, entry: '', reason: 'shutting down' }] });
      await engine.close();
    },
  };
}
