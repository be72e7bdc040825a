/** One call makes a problem known everywhere: event, log line and metric, once. What tells the cluster is injected. */
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
  readonly code: string;
  /** For example `spec.cidrs[0]`; '' for the object as a whole. */
  readonly field: string;
  /** One sentence: what is wrong and what would be right. */
  readonly message: string;
};

export type StandingProblem = ProblemDetail & { readonly object: ObjectReference };

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
};

export type ProblemReporter = {
  /**
   * These are all problems that the object has now: new ones are told, others are over. An object of the same name with another
   * `uid` is another object.
   */
  settle(object: ObjectReference, problems: readonly ProblemDetail[]): void;
  /** The object is gone, and its problems with it. */
  forget(object: ObjectReference): void;
  /** Makes the events of what stands again: servers drop events after an hour. */
  remind(): void;
  /** Forgets everything without a word: another process reports from here on. */
  clear(): void;
  standing(): readonly StandingProblem[];
};

export function createReporter({ log, registry, event }: ReporterOptions): ProblemReporter {
  /** By object, then by code, field and message. */
  const objects = new Map<string, Map<string, StandingProblem>>();
  const labels = ['code', 'severity'];
  const reported = registry.counter({
    name: 'netloom_problems_reported_total',
    help: 'Problems that came up.',
    labels,
  });
  const gauge = registry.gauge({
    name: 'netloom_problems',
    help: 'Problems that stand now, by code.',
    labels,
  });
  const standing = () => [...objects.values()].flatMap((problems) => [...problems.values()]);
  const count = (code: string, by: number) => gauge.add(by, { code, severity: kindOf(code).severity });

  const warn = ({ object, code, field, message }: StandingProblem): void => {
    const note = field === '' ? message : `${field}: ${message}`;
    event?.({ regarding: object, type: 'Warning', reason: code, action: 'Reconcile', note });
  };
  const raise = (problem: StandingProblem): void => {
    const { object, code, field, message } = problem;
    log.warn(message, { problem: code, ...logged(object), field });
    reported.inc({ code, severity: kindOf(code).severity });
    count(code, 1);
    warn(problem);
  };
  const end = ({ object, code, field }: StandingProblem): void => {
    log.info('a problem is over', { problem: code, ...logged(object), field });
    count(code, -1);
  };
  const mended = ({ object, code, field }: StandingProblem): void => {
    const note = field === '' ? code : `${field}: ${code}`;
    event?.({ regarding: object, type: 'Normal', reason: 'ProblemOver', action: 'Reconcile', note });
  };

  return {
    settle(object, problems) {
      const key = objectKey(object);
      const held = objects.get(key);
      const wanted = new Map(
        problems.map(({ code, field, message }) => {
          const problem = { object, code, field, message };
          return [problemKey(problem), problem] as const;
        }),
      );
      if (wanted.size === 0) objects.delete(key);
      else objects.set(key, wanted);
      for (const [id, problem] of wanted) if (held?.has(id) !== true) raise(problem);
      const places = new Set(problems.map(({ code, field }) => `${code}\0${field}`));
      for (const [id, problem] of held ?? []) {
        if (wanted.has(id)) continue;
        end(problem);
        // Where only the message is another one, the new event says it all.
        if (!places.has(`${problem.code}\0${problem.field}`)) mended(problem);
      }
    },
    forget(object) {
      const key = objectKey(object);
      for (const problem of objects.get(key)?.values() ?? []) end(problem);
      objects.delete(key);
    },
    remind() {
      for (const problem of standing()) warn(problem);
    },
    clear() {
      for (const { code } of standing()) count(code, -1);
      objects.clear();
    },
    standing,
  };
}

/**
 * The conditions that follow from an object's problems: `Accepted` is False when what it says is refused, `Ready` when
 * any error stands. A warning leaves them True and speaks through `Ready`'s reason and message. Pure; any order gives the same.
 */
export function conditionsOf(
  object: ObjectReference,
  problems: readonly ProblemDetail[],
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

function objectKey({ kind, namespace = '', name, uid = '' }: ObjectReference): string {
  return `${kind}\0${namespace}\0${name}\0${uid}`;
}

function problemKey({ code, field, message }: ProblemDetail): string {
  return `${code}\0${field}\0${message}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
