/** Reads Namespaces. */
import type { Namespace } from '#api/core.ts';
import { annotations } from './annotations.ts';
import type { Labels } from './selector.ts';

export type NamespaceModel = {
  readonly name: string;
  readonly labels: Labels;
  /** What its pods take addresses from where they don't say otherwise. */
  readonly subnet?: string;
  readonly pool?: string;
};

/** Nothing in a Namespace can be wrong for us: what it names is judged with the pod that needs it. */
export function readNamespace(object: Namespace): NamespaceModel {
  const { name, labels = {}, annotations: given = {} } = object.metadata;
  const subnet = given[annotations.subnet]?.trim();
  const pool = given[annotations.pool]?.trim();
  return { name, labels, ...(subnet ? { subnet } : {}), ...(pool ? { pool } : {}) };
}
