/** The entries that an engine can't hold now, told in the log when they come and go. */
import type { Report } from '#engines/engine.ts';
import type { EngineProblem } from '#intent/handover.ts';
import type { IntentChange } from '#intent/node.ts';
import type { Log } from '#telemetry/log.ts';

export type EngineProblems = {
  /** What an engine said of a change: it speaks of the entries that the change touches, of all when it is a whole intent. */
  afterChange(change: IntentChange, report: Report): readonly EngineProblem[];
  /** What it said after it had looked at everything. */
  afterResync(report: Report): void;
  list(): readonly EngineProblem[];
  count(): number;
};

/** Beyond these, a report's problems are one line: a peer that overlaps a thousand others must not fill the log. */
const linesAReport = 10;

export function createEngineProblems(engine: string, log: Log): EngineProblems {
  let known = new Map<string, readonly EngineProblem[]>();

  const become = (next: Map<string, readonly EngineProblem[]>): void => {
    const before = known;
    known = next;
    const isNew = ({ entry, reason }: EngineProblem) =>
      before.get(entry)?.some((each) => each.reason === reason) !== true;
    const added = [...next.values()].flat().filter(isNew);
    for (const { entry, reason } of added.slice(0, linesAReport))
      log.warn("an entry can't be held", { entry, reason });
    const more = added.length - linesAReport;
    if (more > 0) log.warn("more entries can't be held: see /v1/problems", { more });
    const over = [...before.keys()].filter((entry) => !next.has(entry));
    for (const entry of over.slice(0, linesAReport)) log.info('an entry is held again, or gone', { entry });
    if (over.length > linesAReport)
      log.info('more entries are held again, or gone', { more: over.length - linesAReport });
  };

  return {
    afterChange(change, report) {
      const problems = report.problems.map((problem) => ({ engine, ...problem }));
      const next = change.replace ? new Map<string, readonly EngineProblem[]>() : new Map(known);
      for (const entry of touchedBy(change)) next.delete(entry);
      for (const [entry, own] of Map.groupBy(problems, (problem) => problem.entry)) next.set(entry, own);
      become(next);
      return problems;
    },
    afterResync(report) {
      const problems = report.problems.map((problem) => ({ engine, ...problem }));
      become(Map.groupBy(problems, (problem) => problem.entry));
    },
    list: () => [...known.values()].flat(),
    count: () => known.size,
  };
}

function touchedBy(change: IntentChange): string[] {
  const puts = Object.entries(change.put).flatMap(([domain, entries]) =>
    Object.keys(entries).map((key) => `${domain}/${key}`),
  );
  const removes = Object.entries(change.remove).flatMap(([domain, keys]) =>
    keys.map((key) => `${domain}/${key}`),
  );
  return [...puts, ...removes];
}
