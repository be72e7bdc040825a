/** Job: pods that run to their end, as many and as often as its spec says. */
import { timestamp } from '#kube/conditions.ts';
import type { Pod, PodCondition } from '../objects/pod.ts';
import { type Job, jobType } from '../objects/workload.ts';
import {
  type Controller,
  type ControllerContext,
  eventFor,
  keyOfObject,
  splitKey,
  startController,
} from './controller.ts';
import type { Informers } from './informers.ts';
import { isActive, isReady, isTerminating, ownerKeys, podFrom } from './pods.ts';
import { createPod, removePod } from './podwrites.ts';
import { withConditions, writeStatus } from './status.ts';

export type JobPlan = {
  readonly create: number;
  readonly remove: readonly Pod[];
  /** The condition that ends it. */
  readonly end?: PodCondition;
};

/** `pods` are the ones that the job owns, the ended ones included. */
export function planJob(job: Job, pods: readonly Pod[], now: number): JobPlan {
  const active = pods.filter(isActive);
  const done = finished(job);
  if (isTerminating(job)) return { create: 0, remove: [] };
  if (done !== undefined) return { create: 0, remove: active };
  const { completionMode, suspend, backoffLimit = 6, activeDeadlineSeconds } = job.spec;
  const fail = (reason: string, message: string): JobPlan => ({
    create: 0,
    remove: active,
    end: { type: 'Failed', status: 'True', reason, message },
  });
  if (completionMode === 'Indexed') {
    return fail('UnsupportedByLab', 'spec.completionMode Indexed is not part of the lab; use NonIndexed');
  }
  if (suspend === true) return { create: 0, remove: active };
  const succeeded = count(pods, 'Succeeded');
  const failed = count(pods, 'Failed');
  const restarts = active.reduce(
    (sum, pod) =>
      sum + (pod.status?.containerStatuses ?? []).reduce((all, { restartCount }) => all + restartCount, 0),
    0,
  );
  if (failed + restarts > backoffLimit)
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  const started = Date.parse(job.status?.startTime ?? '');
  if (activeDeadlineSeconds !== undefined && now - started > activeDeadlineSeconds * 1000) {
    return fail('DeadlineExceeded', 'Job was active longer than specified deadline');
  }
  const parallelism = job.spec.parallelism ?? 1;
  const { completions } = job.spec;
  // Without a number one success is enough, and then the others may finish.
  const complete =
    completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= completions;
  if (complete) {
    const message = 'Reached expected number of succeeded pods';
    return {
      create: 0,
      remove: [],
      end: { type: 'Complete', status: 'True', reason: 'CompletionsReached', message },
    };
  }
  const wanted =
    completions === undefined
      ? succeeded > 0
        ? active.length
        : parallelism
      : Math.min(parallelism, completions - succeeded);
  return active.length <= wanted
    ? { create: wanted - active.length, remove: [] }
    : { create: 0, remove: active.slice(wanted) };
}

export function jobStatus(
  job: Job,
  pods: readonly Pod[],
  end: PodCondition | undefined,
  now: Date,
): Readonly<Record<string, unknown>> {
  const positive = (value: number): number | undefined => (value > 0 ? value : undefined);
  const before = (job.status?.['conditions'] ?? []) as readonly PodCondition[];
  const active = pods.filter(isActive);
  const over = end ?? finished(job);
  return {
    startTime:
      job.spec.suspend === true ? job.status?.['startTime'] : (job.status?.['startTime'] ?? timestamp(now)),
    active: positive(over === undefined ? active.length : 0),
    ready: over === undefined ? active.filter(isReady).length : 0,
    succeeded: positive(count(pods, 'Succeeded')),
    failed: positive(count(pods, 'Failed')),
    ...(end === undefined ? {} : { conditions: withConditions(before, [end], now) }),
    ...(end?.type === 'Complete' ? { completionTime: timestamp(now) } : {}),
  };
}

function finished(job: Job): PodCondition | undefined {
  const conditions = (job.status?.['conditions'] ?? []) as readonly PodCondition[];
  return conditions.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
}

function count(pods: readonly Pod[], phase: 'Succeeded' | 'Failed'): number {
  return pods.filter(({ status }) => status?.phase === phase).length;
}

export function jobController(context: ControllerContext, informers: Informers): Controller {
  const { client } = context;
  const { jobs, pods } = informers;
  const reconcile = async (key: string) => {
    const job = jobs.get(...splitKey(key));
    if (job === undefined) return;
    const uid = job.metadata.uid ?? '';
    const ended = finished(job);
    const { ttlSecondsAfterFinished: ttl } = job.spec;
    if (ended !== undefined && ttl !== undefined && !isTerminating(job)) {
      const left = Date.parse(ended.lastTransitionTime ?? '') + ttl * 1000 - Date.now();
      if (left > 0) return { requeueAfter: left };
      await client.delete(jobType, job.metadata.name, {
        namespace: job.metadata.namespace,
        uid,
        propagationPolicy: 'Background',
      });
      return undefined;
    }
    const plan = planJob(job, pods.byIndex('owner', uid), Date.now());
    for (let made = 0; made < plan.create; made += 1) await createPod(context, informers, job, jobPod(job));
    for (const pod of plan.remove) await removePod(context, informers, pod);
    await writeStatus(
      context,
      jobType,
      job,
      jobStatus(job, pods.byIndex('owner', uid), plan.end, new Date()),
    );
    if (plan.end !== undefined)
      eventFor(
        context,
        job,
        'Normal',
        plan.end.type === 'Complete' ? 'Completed' : 'Failed',
        plan.end.message ?? '',
      );
    const { activeDeadlineSeconds } = job.spec;
    return activeDeadlineSeconds === undefined ? undefined : { requeueAfter: activeDeadlineSeconds * 1000 };
  };
  return startController(context, {
    name: 'job',
    sources: [
      { informer: jobs, keys: (job) => [keyOfObject(job)] },
      { informer: pods, keys: ownerKeys('Job') },
    ],
    reconcile,
  });
}

function jobPod(job: Job): Pod {
  const { name, uid = '' } = job.metadata;
  const labels = {
    'batch.kubernetes.io/job-name': name,
    'batch.kubernetes.io/controller-uid': uid,
    'job-name': name,
    'controller-uid': uid,
  };
  return podFrom(job, job.spec.template, { labels });
}
