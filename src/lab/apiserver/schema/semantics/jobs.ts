/** Jobs and CronJobs. */
import type { FieldProblem } from '../../types.ts';
import type { PlainObject } from '../plain.ts';
import { child, invalid, required } from '../problems.ts';
import { at, ensure, type Fields, fill, immutable, notNegative, text } from './fields.ts';
import { nameProblem } from './metadata.ts';
import { checkPodSpec } from './pod-checks.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { checkSelector } from './selectors.ts';
import type { Semantics } from './semantics.ts';
import { checkTemplate } from './workloads.ts';

const restartPolicies = ['OnFailure', 'Never'];

export const jobSemantics: Semantics = {
  normalize(object, old) {
    const spec = at(object, 'spec');
    defaultJob(spec);
    if (old === undefined && spec.manualSelector !== true) selectOwnPods(object, spec);
    return object;
  },
  check(object, old) {
    const spec = at(object, 'spec');
    const problems = [...checkJob(spec, 'spec'), ...checkSelector(at(spec, 'selector'), 'spec.selector')];
    problems.push(...checkTemplate(at(spec, 'template'), at(spec, 'selector'), restartPolicies));
    if (old === undefined) return problems;
    const before = at(old, 'spec');
    const completions = spec.completionMode === 'Indexed' ? [] : ['completions'];
    return [
      ...problems,
      ...immutable(spec, before, 'spec', 'selector', 'template', 'completionMode', ...completions),
    ];
  },
};

function defaultJob(spec: Fields): void {
  if (spec.completions === undefined && spec.parallelism === undefined) fill(spec, { completions: 1 });
  fill(spec, {
    parallelism: 1,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
    suspend: false,
    podReplacementPolicy: 'TerminatingOrFailed',
  });
  defaultPodSpec(at(spec, 'template', 'spec'));
}

/** Pods of a job are told by the job's UID, so that none of another is taken. */
function selectOwnPods(object: PlainObject, spec: Fields): void {
  const { uid, name } = at(object, 'metadata');
  if (typeof uid !== 'string' || typeof name !== 'string' || spec.template === undefined) return;
  const own = { 'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': name };
  const labels = ensure(ensure(ensure(spec, 'template'), 'metadata'), 'labels');
  Object.assign(labels, own, { 'controller-uid': uid, 'job-name': name });
  if (spec.selector === undefined)
    spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
}

function checkJob(spec: Fields, path: string): readonly FieldProblem[] {
  const counts = [
    'parallelism',
    'completions',
    'backoffLimit',
    'activeDeadlineSeconds',
    'ttlSecondsAfterFinished',
  ];
  const problems = counts.flatMap((name) => notNegative(spec[name], child(path, name)));
  if (spec.completionMode === 'Indexed' && spec.completions === undefined) {
    problems.push(required(child(path, 'completions'), 'when completion mode is Indexed'));
  }
  return problems;
}

export const cronJobSemantics: Semantics = {
  normalize(object) {
    const spec = at(object, 'spec');
    fill(spec, {
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
    defaultPodSpec(at(spec, 'jobTemplate', 'spec', 'template', 'spec'));
    return object;
  },
  check(object) {
    const spec = at(object, 'spec');
    const problems: FieldProblem[] = [];
    const schedule = text(spec.schedule);
    if (schedule === '') problems.push(required('spec.schedule'));
    else if (!isSchedule(schedule))
      problems.push(
        invalid(
          'spec.schedule',
          schedule,
          'expected exactly 5 fields, each of numbers, ranges, steps, names or *',
        ),
      );
    const zone = text(spec.timeZone);
    if (zone !== '' && !isTimeZone(zone))
      problems.push(invalid('spec.timeZone', zone, `unknown time zone ${zone}`));
    for (const name of ['startingDeadlineSeconds', 'successfulJobsHistoryLimit', 'failedJobsHistoryLimit']) {
      problems.push(...notNegative(spec[name], child('spec', name)));
    }
    // Names of its jobs get eleven characters more.
    const name = text(at(object, 'metadata').name);
    if (name.length > 52) problems.push(invalid('metadata.name', name, 'must be no more than 52 characters'));
    else if (
      name !== '' &&
      nameProblem(name, 'subdomain') === undefined &&
      nameProblem(name.replaceAll('.', '-'), 'label') !== undefined
    ) {
      problems.push(invalid('metadata.name', name, 'must be usable in the names of its jobs'));
    }
    const job = at(spec, 'jobTemplate', 'spec');
    problems.push(...checkJob(job, 'spec.jobTemplate.spec'));
    problems.push(...checkPodSpec(at(job, 'template', 'spec'), 'spec.jobTemplate.spec.template.spec'));
    return problems;
  },
};

const names = '(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)';
const part = `(?:[*?]|(?:\\d+|${names})(?:-(?:\\d+|${names}))?)(?:/\\d+)?`;
const field = new RegExp(`^${part}(?:,${part})*$`, 'i');
const highest = [59, 23, 31, 12, 7];

function isSchedule(schedule: string): boolean {
  if (/^@(?:yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(schedule)) return true;
  if (/^@every \S+$/.test(schedule)) return true;
  const fields = schedule.trim().split(/\s+/);
  if (fields.length !== 5) return false;
  return fields.every(
    (each, i) =>
      field.test(each) &&
      (each.replace(/\/\d+/g, '').match(/\d+/g) ?? []).every((value) => Number(value) <= highest[i]!),
  );
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone }).format();
    return true;
  } catch {
    return false;
  }
}
