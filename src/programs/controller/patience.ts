/** Problems that are usually over by themselves: a policy is often made before the pods that it speaks of. */
import type { Problem, ProblemCode } from '#model/problem.ts';

export type Patience = {
  /** Of these problems, which stand now (milliseconds), those that are to be told. */
  lasting(problems: readonly Problem[], now: number): readonly Problem[];
};

const passing: ReadonlySet<ProblemCode> = new Set<ProblemCode>(['SelectsNobody', 'PortNotFound']);
const patienceMs = 30_000;

export function createPatience(): Patience {
  let since = new Map<string, number>();
  return {
    lasting(problems, now) {
      const before = since;
      since = new Map();
      return problems.filter((problem) => {
        if (!passing.has(problem.code)) return true;
        const { object, field, code } = problem;
        const key = JSON.stringify([object.kind, object.namespace, object.name, field, code]);
        const start = before.get(key) ?? now;
        since.set(key, start);
        return now - start >= patienceMs;
      });
    },
  };
}
