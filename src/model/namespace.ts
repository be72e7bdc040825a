/** Reads Namespaces. */
import type { Namespace } from '#api/core.ts';
import type { Labels } from './selector.ts';

export type NamespaceModel = { readonly name: string; readonly labels: Labels };

/** Nothing in a Namespace can be wrong for us. */
export function readNamespace(object: Namespace): NamespaceModel {
  return { name: object.metadata.name, labels: object.metadata.labels ?? {} };
}
