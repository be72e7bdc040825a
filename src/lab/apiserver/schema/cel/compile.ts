/** Compiles `x-kubernetes-validations`. */
import type { FieldProblem, Schema } from '../../types.ts';

export function rulesProblems(_schema: Schema, _path: string): readonly FieldProblem[] {
  return [];
}
