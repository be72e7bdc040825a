/** When the engine works: in slices between turns of the event loop, and after others have changed something. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds of work between two turns of the event loop. */
const slice = 4;
/** Milliseconds that changes by others gather before one repair, and that lie between two repairs at least. */
const gather = 100;
const repairInterval = 1_000;

/** Lets the event loop turn when this work has held it for a slice. */
export function createPace(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < slice) return undefined;
    return nextTurn().then(() => {
      since = performance.now();
    });
  };
}

/** `facts`: only what hangs on the underlay; `all`: everything is read again. */
export type RepairKind = 'facts' | 'all';

/** What was noticed, for the log; `foreign`: what is ours was changed, and not by us. */
export type Cause = { readonly text: string; readonly foreign: boolean };

/** Gathers wishes for a repair and does one at a time, not too often. */
export function createRepairs(work: (kind: RepairKind, cause: Cause) => Promise<void>) {
  let wantedKind: RepairKind | undefined;
  let cause: Cause | undefined;
  let timer: NodeJS.Timeout | undefined;
  let last = -repairInterval;
  let closed = false;
  const run = async () => {
    const kind = wantedKind!;
    const why = cause!;
    wantedKind = undefined;
    cause = undefined;
    await work(kind, why);
    last = performance.now();
    timer = undefined;
    if (wantedKind !== undefined) arm();
  };
  const arm = () => {
    if (closed) return;
    const wait = Math.max(gather, last + repairInterval - performance.now());
    timer = setTimeout(() => void run(), wait);
    timer.unref();
  };
  return {
    want: (kind: RepairKind, why: Cause) => {
      if (cause === undefined || (why.foreign && !cause.foreign)) cause = why;
      if (wantedKind !== 'all') wantedKind = kind;
      if (timer === undefined) arm();
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}
