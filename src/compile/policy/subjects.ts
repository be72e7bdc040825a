/** Which class each pod of a node is in, read from a snapshot. */
import type { PolicySubjectIntent } from '#intent/policy.ts';
import { classOf, directions, type PolicyClass } from './classes.ts';
import { namesIn, subjectIntent } from './entries.ts';
import { overflowClass, type PolicyLimits } from './limits.ts';
import { createNumbers } from './numbers.ts';
import { inOrder, isPolicyPod, takesPod } from './order.ts';
import type { PolicySnapshot } from './snapshot.ts';

export type Classified = {
  readonly subjects: Readonly<Record<string, PolicySubjectIntent>>;
  readonly classes: ReadonlyMap<number, PolicyClass>;
  /** Numbers that stand for what got none of its own. */
  readonly tooMany: ReadonlySet<number>;
};

export function classify(snapshot: PolicySnapshot, node: string, limits: PolicyLimits): Classified {
  const numbers = createNumbers(1, limits.lastClass - directions.length);
  const subjects: Record<string, PolicySubjectIntent> = {};
  const classes = new Map<number, PolicyClass>();
  const tooMany = new Set<number>();
  const policies = inOrder(snapshot.policies.values());
  const local = [...snapshot.pods].filter(([, pod]) => pod.node === node && isPolicyPod(pod));
  for (const [key, pod] of local.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const selecting = policies.filter(({ subject }) => takesPod(subject, pod, snapshot.namespaces));
    let names: readonly string[] = [];
    const numbered = directions.flatMap((direction) => {
      const own = classOf(direction, selecting, pod, (peer) => takesPod(peer, pod, snapshot.namespaces));
      if (own === undefined) return [];
      const number = numbers.take(own.key) ?? overflowClass(direction, limits);
      if (number === overflowClass(direction, limits)) tooMany.add(number);
      else {
        classes.set(number, own);
        if (direction === 'egress') names = namesIn(own.policies);
      }
      return [[direction, number] as const];
    });
    if (numbered.length > 0) subjects[key] = subjectIntent(pod, Object.fromEntries(numbered), names);
  }
  return { subjects, classes, tooMany };
}
