/** Evaluates a schema's `x-kubernetes-validations` over an object. */
import { Optional } from '@marcbachmann/cel-js';
import type { FieldProblem, Schema } from '../../types.ts';
import { oldItems } from '../lists.ts';
import { equal, get, isObject } from '../plain.ts';
import { indexed, jsonType } from '../problems.ts';
import { type CompiledRule, type RuleNode, rulesOf } from './compile.ts';

const blocking = new Set<FieldProblem['reason']>([
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

/**
 * Problems of the rules. `judged` are the problems that the schema's checks found: when one of them bounds what a rule may rely
 * on, no rule is evaluated and one more problem says so, as on the server. Rules on parts that an update leaves as they
 * were don't fail it; rules with oldSelf need an old value, unless they take it as optional.
 */
export function checkRules(
  schema: Schema,
  value: unknown,
  old: unknown,
  judged: readonly FieldProblem[],
): readonly FieldProblem[] {
  const root = rulesOf(schema);
  if (root === undefined) return [];
  if (judged.some((each) => blocking.has(each.reason))) {
    const detail =
      'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
    return [{ reason: 'FieldValueInvalid', field: '<nil>', message: `Invalid value: "null": ${detail}` }];
  }
  const problems: FieldProblem[] = [];
  visit(root, value, old, '', problems);
  return problems;
}

function visit(node: RuleNode, value: unknown, old: unknown, path: string, problems: FieldProblem[]): void {
  if (value === undefined || value === null) return;
  if (node.rules.length > 0) evaluateRules(node, value, old, path, problems);
  if (Array.isArray(value)) {
    const items = node.items;
    if (items === undefined) return;
    const before = oldItems(node.schema, old);
    for (const [i, each] of value.entries()) visit(items, each, before(each), indexed(path, i), problems);
  } else if (isObject(value)) {
    const before = isObject(old) ? old : {};
    for (const [name, field] of node.fields) {
      const at = path === '' ? name : `${path}.${name}`;
      visit(field, get(value, name), get(before, name), at, problems);
    }
    if (node.values !== undefined) {
      for (const key of Object.keys(value))
        visit(node.values, value[key], get(before, key), `${path}[${key}]`, problems);
    }
  }
}

function evaluateRules(
  node: RuleNode,
  value: unknown,
  old: unknown,
  path: string,
  problems: FieldProblem[],
): void {
  const convert = (json: unknown) => {
    try {
      return { value: node.type.of(json), problem: undefined };
    } catch (error) {
      return { value: undefined, problem: (error as Error).message };
    }
  };
  const self = convert(value);
  if (self.problem !== undefined) {
    problems.push(problemAt(path, value, `cannot be given to rules: ${self.problem}`));
    return;
  }
  const known = old === undefined || old === null ? undefined : convert(old);
  const before = known?.problem === undefined ? known : undefined;
  const unchanged = before !== undefined && equal(value, old);
  for (const rule of node.rules) {
    if (rule.usesOldSelf && before === undefined && !rule.optionalOldSelf) continue;
    if (!rule.usesOldSelf && unchanged) continue;
    const problem = evaluateRule(rule, value, self.value, before, path);
    if (problem !== undefined) problems.push(problem);
  }
}

function evaluateRule(
  rule: CompiledRule,
  json: unknown,
  self: unknown,
  before: { readonly value: unknown } | undefined,
  path: string,
): FieldProblem | undefined {
  const plainOld = before?.value;
  const optionalOld = before === undefined ? Optional.none() : Optional.of(before.value);
  const variables = rule.usesOldSelf
    ? { self, oldSelf: rule.optionalOldSelf ? optionalOld : plainOld }
    : { self };
  try {
    if (rule.evaluate(variables) === true) return undefined;
  } catch (error) {
    const { summary, message } = error as Error & { summary?: string };
    return problemAt(
      path + rule.fieldPath,
      json,
      `${reasonOf(summary ?? message)} evaluating rule: ${rule.message ?? rule.text}`,
    );
  }
  const detail = messageOf(rule, variables) ?? rule.message ?? `failed rule: ${rule.text}`;
  const field = (path + rule.fieldPath).replace(/^\./, '');
  if (rule.reason === 'FieldValueRequired')
    return { reason: rule.reason, field, message: `Required value: ${detail}` };
  if (rule.reason === 'FieldValueForbidden')
    return { reason: rule.reason, field, message: `Forbidden: ${detail}` };
  if (rule.reason === 'FieldValueDuplicate')
    return { reason: rule.reason, field, message: `Duplicate value: "${jsonType(json)}"` };
  return problemAt(field, json, detail);
}

/** What messageExpression gives; nothing when it fails or gives no usable line. */
function messageOf(
  rule: CompiledRule,
  variables: { readonly self: unknown; readonly oldSelf?: unknown },
): string | undefined {
  if (rule.messageOf === undefined) return undefined;
  try {
    const text = rule.messageOf(variables);
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text.trim() : undefined;
  } catch {
    return undefined;
  }
}

function problemAt(path: string, value: unknown, detail: string): FieldProblem {
  const field = path.replace(/^\./, '');
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: "${jsonType(value)}": ${detail}` };
}

/** cel-js begins with a capital; the server's reason goes on in the middle of a line. */
function reasonOf(summary: string): string {
  return summary.replace(/^No such key/, 'no such key');
}
