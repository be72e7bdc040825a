/** Reads Namespaces. */
import type { Namespace } from '#api/core.ts';
import { annotations } from './annotations.ts';
import { auditAnnotation } from './audit.ts';
import type { Labels } from './selector.ts';

export type NamespaceModel = {
  readonly name: string;
  readonly labels: Labels;
  /** What its pods take addresses from where they don't say otherwise. */
  readonly subnet?: string;
  readonly pool?: string;
  /** What its annotations say of policy, word for word: judged in audit.ts and posture.ts. */
  readonly audit?: string;
  readonly isolation?: string;
};

/** Who its pods may exchange connections with where no policy says: `namespace`, or `tenant=LABEL`. */
export const isolationAnnotation = 'netloom.dev/isolation';

/** What every namespace has as a label (KEP-2161), and a manifest does not. */
const nameLabel = 'kubernetes.io/metadata.name';

/** Nothing in a Namespace can be wrong here: what it names is judged with the pod that needs it, its posture in posture.ts. */
export function readNamespace(object: Namespace): NamespaceModel {
  const { name, labels = {}, annotations: given = {} } = object.metadata;
  const subnet = given[annotations.subnet]?.trim();
  const pool = given[annotations.pool]?.trim();
  const audit = given[auditAnnotation];
  const isolation = given[isolationAnnotation];
  return {
    name,
    labels: { ...labels, [nameLabel]: name },
    ...(subnet ? { subnet } : {}),
    ...(pool ? { pool } : {}),
    ...(audit === undefined ? {} : { audit }),
    ...(isolation === undefined ? {} : { isolation }),
  };
}
