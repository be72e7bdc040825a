/** Schema admission of one object; the only caller of schema/ on the write path. */
import type { KubeObject } from '#api/object.ts';
import { badRequest } from './errors.ts';
import { isDecodingProblem } from './schema/problems.ts';
import { admit } from './schema/validate.ts';
import type { FieldProblem, ServedKind } from './types.ts';

export type Admitted = {
  readonly value: KubeObject;
  readonly problems: readonly FieldProblem[];
  readonly warnings: readonly string[];
};

/** Prunes, defaults and checks against schema, CEL rules and the kind's own rules. Throws a 400 for unknown fields under Strict. */
export function admitObject(
  kind: ServedKind,
  object: KubeObject,
  old: KubeObject | undefined,
  fieldValidation: 'Strict' | 'Warn' | 'Ignore',
): Admitted {
  const operation = old === undefined ? 'create' : 'update';
  const admitted = admit(kind.schema, object, { old, operation, fieldValidation, cel: true });
  const unknown = admitted.problems.filter(isDecodingProblem);
  if (unknown.length > 0) {
    throw badRequest(`strict decoding error: ${unknown.map((problem) => problem.message).join(', ')}`);
  }
  return { ...admitted, value: admitted.value as KubeObject };
}
