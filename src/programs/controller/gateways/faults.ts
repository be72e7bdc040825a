/** What is wrong with objects that gateways are made of, as their readers found it. */
import type { KubeObject } from '#api/object.ts';
import type { Problem } from '#model/problem.ts';
import type { ObjectReference } from '#telemetry/problems.ts';
import { referenceTo } from '../caches.ts';

export type Faulty = { readonly ref: ObjectReference; readonly problems: readonly Problem[] };

export type Faults = {
  /** `key`: any that is the object's own. Whether there are other problems than before. */
  note(key: string, object: Faulty | undefined): boolean;
  /** Of objects that concern us. */
  problems(concerns: (object: ObjectReference) => boolean): readonly Problem[];
  referenceOf(kind: string, namespace: string | undefined, name: string): ObjectReference | undefined;
  reference(object: KubeObject): ObjectReference;
};

export function createFaults(): Faults {
  const faulty = new Map<string, Faulty>();
  return {
    note(key, object) {
      const had = faulty.get(key)?.problems.length ?? 0;
      if (object === undefined || object.problems.length === 0) faulty.delete(key);
      else faulty.set(key, object);
      return had > 0 || faulty.has(key);
    },
    problems: (concerns) =>
      [...faulty.values()].flatMap(({ ref, problems }) => (concerns(ref) ? problems : [])),
    referenceOf: (kind, namespace, name) =>
      [...faulty.values()].find(
        ({ ref }) => ref.kind === kind && ref.namespace === namespace && ref.name === name,
      )?.ref,
    reference: referenceTo,
  };
}
