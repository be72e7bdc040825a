/** Tells what is wrong with this node's pods, in what they ask for and in what became of it: event, log line and metric, once. */
import type { DatapathStatus, EngineProblem } from '#intent/handover.ts';
import { readPodBandwidth } from '#model/bandwidth.ts';
import type { PodModel } from '#model/pod.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import {
  createReporter,
  type ObjectReference,
  type ProblemDetail,
  type ReporterOptions,
} from '#telemetry/problems.ts';
import type { DatapathClient } from './datapath-client.ts';
import type { OwnPods } from './own-pods.ts';

export type PodProblems = {
  /** For `Handover.onStatus`. */
  readonly setStatus: (status: Pick<DatapathStatus, 'engines'>) => void;
  readonly stop: () => void;
};

/** Everyone who reads something on a pod, and what they found wrong there. */
const judges: readonly ((pod: PodModel) => readonly Problem[])[] = [(pod) => readPodBandwidth(pod).problems];

/** Servers keep an event for an hour. */
const remindEveryMs = 30 * 60_000;

/** Follows the pods until stopped. */
export function reportPods(
  pods: Pick<OwnPods, 'onChange' | 'list'>,
  datapath: Pick<DatapathClient, 'problems'>,
  recorder: { readonly event: NonNullable<ReporterOptions['event']> },
  registry: Registry,
  log: Log,
): PodProblems {
  const reporter = createReporter({ log, registry, event: (event) => recorder.event(event) });
  let unheld: ReadonlyMap<string, ProblemDetail> = new Map();

  const judge = (pod: PodModel): void => {
    const found = judges.flatMap((each) => each(pod));
    const held = unheld.get(`${pod.namespace}/${pod.name}`);
    reporter.settle(referenceTo(pod), held === undefined ? found : [...found, held]);
  };
  const end = pods.onChange(({ old, new: pod }) => {
    if (pod !== undefined) judge(pod);
    else if (old !== undefined) reporter.forget(referenceTo(old));
  });
  const look = async (): Promise<void> => {
    unheld = limitsNotHeld(await datapath.problems());
    for (const pod of pods.list()) judge(pod);
  };
  const reminding = setInterval(() => reporter.remind(), remindEveryMs);
  reminding.unref();
  return {
    setStatus({ engines }) {
      const some = engines.some(({ name, problems }) => name === limiter && problems > 0);
      if (some || unheld.size > 0)
        look().catch((error: unknown) => log.debug("no word of what engines can't hold", { error }));
    },
    stop() {
      end();
      clearInterval(reminding);
    },
  };
}

/** The engine that holds limits. */
const limiter = 'tc';

/** By `namespace/name` of the pod. */
function limitsNotHeld(problems: readonly EngineProblem[]): Map<string, ProblemDetail> {
  const own = problems.filter(({ engine, entry }) => engine === limiter && entry.startsWith('bandwidth/'));
  return new Map(
    own.map(({ entry, reason }) => [
      entry.slice('bandwidth/'.length),
      { code: 'LimitNotHeld', field: '', message: `its limit is not in force: ${reason}` },
    ]),
  );
}

function referenceTo({ namespace, name, uid }: PodModel): ObjectReference {
  return { kind: 'Pod', apiVersion: 'v1', namespace, name, uid };
}
