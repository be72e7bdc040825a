/** Tells what is wrong with the annotations of this node's pods: event, log line and metric, once. */
import { readPodBandwidth } from '#model/bandwidth.ts';
import type { PodModel } from '#model/pod.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createReporter, type ObjectReference, type ReporterOptions } from '#telemetry/problems.ts';
import type { OwnPods } from './own-pods.ts';

/** Everyone who reads something on a pod, and what they found wrong there. */
const judges: readonly ((pod: PodModel) => readonly Problem[])[] = [(pod) => readPodBandwidth(pod).problems];

/** Servers keep an event for an hour. */
const remindEveryMs = 30 * 60_000;

/** Follows the pods until stopped. */
export function reportPods(
  pods: Pick<OwnPods, 'onChange'>,
  recorder: { readonly event: NonNullable<ReporterOptions['event']> },
  registry: Registry,
  log: Log,
): { stop(): void } {
  const reporter = createReporter({ log, registry, event: (event) => recorder.event(event) });
  const end = pods.onChange(({ old, new: pod }) => {
    if (pod !== undefined)
      reporter.settle(
        referenceTo(pod),
        judges.flatMap((judge) => judge(pod)),
      );
    else if (old !== undefined) reporter.forget(referenceTo(old));
  });
  const reminding = setInterval(() => reporter.remind(), remindEveryMs);
  reminding.unref();
  return {
    stop() {
      end();
      clearInterval(reminding);
    },
  };
}

function referenceTo({ namespace, name, uid }: PodModel): ObjectReference {
  return { kind: 'Pod', apiVersion: 'v1', namespace, name, uid };
}
