/** Label selectors as objects hold them: their syntax, and whether they match. */
import type { FieldProblem } from '../../types.ts';
import { child, forbidden, indexed, invalid, required } from '../problems.ts';
import { at, type Fields, list, objects, text } from './fields.ts';
import { checkLabels } from './metadata.ts';
import { labelKeyProblem, labelValueProblem } from './names.ts';

/** Problems of a metav1.LabelSelector. */
export function checkSelector(selector: Fields, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [...checkLabels(selector.matchLabels, child(path, 'matchLabels'))];
  for (const [i, each] of objects(selector.matchExpressions)) {
    problems.push(...checkRequirement(each, indexed(child(path, 'matchExpressions'), i)));
  }
  return problems;
}

function checkRequirement(each: Fields, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const operator = text(each.operator);
  const values = list(each.values);
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
    problems.push(required(child(path, 'values'), "must be specified when `operator` is 'In' or 'NotIn'"));
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
    problems.push(
      forbidden(child(path, 'values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    );
  }
  const keyProblem = labelKeyProblem(text(each.key));
  if (keyProblem !== undefined) problems.push(invalid(child(path, 'key'), each.key, keyProblem));
  for (const [i, value] of values.entries()) {
    const problem = labelValueProblem(text(value));
    if (problem !== undefined) problems.push(invalid(indexed(child(path, 'values'), i), value, problem));
  }
  return problems;
}

/** Whether a selector names nothing, and so matches everything. */
export function isEmptySelector(selector: Fields): boolean {
  return (
    Object.keys(at(selector, 'matchLabels')).length === 0 && list(selector.matchExpressions).length === 0
  );
}

export function selectorMatches(selector: Fields, labels: Fields): boolean {
  const same = Object.entries(at(selector, 'matchLabels')).every(([key, value]) => labels[key] === value);
  return same && objects(selector.matchExpressions).every(([, each]) => requirementMatches(each, labels));
}

function requirementMatches(each: Fields, labels: Fields): boolean {
  const value = labels[text(each.key)];
  switch (each.operator) {
    case 'In':
      return value !== undefined && list(each.values).includes(value);
    case 'NotIn':
      return value === undefined || !list(each.values).includes(value);
    case 'Exists':
      return value !== undefined;
    default:
      return value === undefined;
  }
}
