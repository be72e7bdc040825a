/** One call makes a problem known everywhere: condition, event, log line and metric. What tells the cluster is injected. */
import { kindOf } from './catalogue.ts';
import type { Log } from './log.ts';
import type { Registry } from './metrics.ts';

/** Which object; `uid` and `generation` as far as the caller knows them. */
export type ObjectReference = {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly apiVersion?: string | undefined;
  readonly uid?: string | undefined;
  readonly generation?: number | undefined;
};

export type ProblemDetail = {
  /** For example `spec.cidrs[0]`; '' for the object as a whole. */
  readonly field: string;
  /** One sentence: what is wrong and what would be right. */
  readonly message: string;
};

export type StandingProblem = ProblemDetail & { readonly object: ObjectReference; readonly code: string };

/** A condition without its time, as kube/conditions.ts sets it. */
export type ProblemCondition = {
  readonly type: 'Accepted' | 'Ready';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
};

export type ProblemEvent = {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
};

export type ReporterOptions = {
  readonly log: Log;
  readonly registry: Registry;
  /** Takes an event; must not throw. */
  readonly event?: ((event: ProblemEvent) => void) | undefined;
  /** Takes what the object's conditions are now; called when that changed. Must not throw. */
  readonly conditions?:
    | ((object: ObjectReference, conditions: readonly ProblemCondition[]) => void)
    | undefined;
};

export type ProblemReporter = {
  /** Adds one problem. Saying it again while it stands tells nobody a second time. */
  report(code: string, object: ObjectReference, detail: ProblemDetail): void;
  /** These are all problems that the object has now: new ones are told, others are over. */
  settle(object: ObjectReference, problems: readonly (ProblemDetail & { readonly code: string })[]): void;
  /** The object is gone, and its problems with it. */
  forget(object: ObjectReference): void;
  standing(): readonly StandingProblem[];
};

export function createReporter({ log, registry, event, conditions }: ReporterOptions): ProblemReporter {
  /** By object, then by code, field and message. */
  const objects = new Map<string, Map<string, StandingProblem>>();
  /** The conditions last told of each object, as JSON. */
  const told = new Map<string, string>();
  const labels = ['code', 'severity'];
  const reported = registry.counter({
    name: 'netloom_problems_reported_total',
    help: 'Problems that came up.',
    labels,
  });
  const standing = registry.gauge({
    name: 'netloom_problems',
    help: 'Problems that stand now, by code.',
    labels,
  });

  const raise = (problem: StandingProblem): void => {
    const { severity } = kindOf(problem.code);
    const { object, code, field, message } = problem;
    log[severity === 'error' ? 'error' : 'warn'](message, { problem: code, ...logged(object), field });
    reported.inc({ code, severity });
    standing.add(1, { code, severity });
    const note = field === '' ? message : `${field}: ${message}`;
    event?.({ regarding: object, type: 'Warning', reason: code, action: 'Reconcile', note });
  };
  const settled = ({ object, code, field }: StandingProblem): void => {
    log.info('a problem is over', { problem: code, ...logged(object), field });
    standing.add(-1, { code, severity: kindOf(code).severity });
  };
  const replace = (object: ObjectReference, wanted: Map<string, StandingProblem>): void => {
    const key = objectKey(object);
    const held = objects.get(key);
    for (const [id, problem] of wanted) if (held?.has(id) !== true) raise(problem);
    for (const [id, problem] of held ?? []) if (!wanted.has(id)) settled(problem);
    if (wanted.size === 0) objects.delete(key);
    else objects.set(key, wanted);
    const now = conditionsOf(object, [...wanted.values()]);
    const text = JSON.stringify(now);
    if (told.get(key) === text) return;
    told.set(key, text);
    conditions?.(object, now);
  };

  return {
    report(code, object, detail) {
      const held = objects.get(objectKey(object));
      const problem = { object, code, field: detail.field, message: detail.message };
      replace(object, new Map(held).set(problemKey(problem), problem));
    },
    settle(object, problems) {
      const wanted = problems.map(({ code, field, message }) => ({ object, code, field, message }));
      replace(object, new Map(wanted.map((problem) => [problemKey(problem), problem])));
    },
    forget(object) {
      const key = objectKey(object);
      for (const problem of objects.get(key)?.values() ?? []) settled(problem);
      objects.delete(key);
      told.delete(key);
    },
    standing: () => [...objects.values()].flatMap((problems) => [...problems.values()]),
  };
}

/**
 * The conditions that follow from an object's problems: `Accepted` is False when what it says is refused, `Ready` when
 * any error stands. A warning leaves them True and speaks through `Ready`'s reason and message. Pure; any order gives the same.
 */
export function conditionsOf(
  object: ObjectReference,
  problems: readonly (ProblemDetail & { readonly code: string })[],
): readonly ProblemCondition[] {
  const sorted = problems.toSorted((a, b) => compare(problemKey(a), problemKey(b)));
  const errors = sorted.filter((problem) => kindOf(problem.code).severity === 'error');
  const refusals = errors.filter((problem) => kindOf(problem.code).condition === 'Accepted');
  const generation = object.generation === undefined ? {} : { observedGeneration: object.generation };
  const condition = (
    type: 'Accepted' | 'Ready',
    failing: typeof errors,
    noted: typeof errors,
  ): ProblemCondition => {
    const told = failing.length > 0 ? failing : noted;
    const status = failing.length > 0 ? 'False' : 'True';
    const message = told
      .map((problem) => (problem.field === '' ? problem.message : `${problem.field}: ${problem.message}`))
      .join('; ');
    return { type, status, reason: told[0]?.code ?? type, message, ...generation };
  };
  return [condition('Accepted', refusals, []), condition('Ready', errors, sorted)];
}

function logged({ kind, namespace, name }: ObjectReference): Readonly<Record<string, string>> {
  return { kind, object: namespace === undefined ? name : `${namespace}/${name}` };
}

function objectKey({ kind, namespace = '', name }: ObjectReference): string {
  return `${kind}\0${namespace}\0${name}`;
}

function problemKey({ code, field, message }: ProblemDetail & { readonly code: string }): string {
  return `${code}\0${field}\0${message}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
