/** What is wrong with an object, said once and in one form. */
import type { KubeObject } from '#api/object.ts';
import type { Origin } from '#intent/origin.ts';

export type Problem = {
  readonly object: Origin;
  /** For example `spec.cidrs[0]`; '' when it is the object as a whole. */
  readonly field: string;
  /** CamelCase, as in a condition's reason. */
  readonly code: string;
  /** One sentence for the user: what is wrong and what would be right. */
  readonly message: string;
};

/** A value read out of objects, and what was wrong with them. */
export type Read<T> = { readonly value: T | undefined; readonly problems: readonly Problem[] };

export function originOf(object: Pick<KubeObject, 'kind' | 'metadata'>): Origin {
  const { name, namespace } = object.metadata;
  return namespace === undefined ? { kind: object.kind, name } : { kind: object.kind, namespace, name };
}
