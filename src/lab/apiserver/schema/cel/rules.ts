/** Evaluates `x-kubernetes-validations` over an object. */
import type { FieldProblem, Schema } from '../../types.ts';

export function checkRules(
  _schema: Schema,
  _value: unknown,
  _old: unknown,
  _judged: readonly FieldProblem[],
): readonly FieldProblem[] {
  return [];
}
