/** Port numbers and names, alone and as targets. */
import type { FieldProblem } from '../../types.ts';
import { invalid } from '../problems.ts';
import { portNameProblem } from './names.ts';

export function checkPort(value: unknown, path: string): readonly FieldProblem[] {
  const fine = typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535;
  return fine ? [] : [invalid(path, value, 'must be between 1 and 65535, inclusive')];
}

/** A number or a port's name. */
export function checkPortOrName(value: unknown, path: string): readonly FieldProblem[] {
  if (typeof value !== 'string') return checkPort(value, path);
  const problem = portNameProblem(value);
  return problem === undefined ? [] : [invalid(path, value, problem)];
}
