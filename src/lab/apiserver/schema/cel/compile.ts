/** Compiles a schema's `x-kubernetes-validations` into a tree beside the schema; what can't be compiled is a problem. */
import type { Environment } from '@marcbachmann/cel-js';
import type { FieldProblem, Schema } from '../../types.ts';
import { isObject } from '../plain.ts';
import { child, indexed, invalid, keyed, notSupported, required } from '../problems.ts';
import { ruleEnvironment } from './environment.ts';
import { prepare } from './prepare.ts';
import { type CelType, celTypeOf } from './types.ts';

export type Evaluate = (variables: { readonly self: unknown; readonly oldSelf?: unknown }) => unknown;

export type CompiledRule = {
  readonly text: string;
  readonly evaluate: Evaluate;
  readonly message: string | undefined;
  readonly messageOf: Evaluate | undefined;
  readonly reason: FieldProblem['reason'];
  /** Appended to the path of the value, for example `.foo` or `[bar]`. */
  readonly fieldPath: string;
  readonly usesOldSelf: boolean;
  readonly optionalOldSelf: boolean;
};

/** Rules at one place of the schema and below it; places without rules are left out. */
export type RuleNode = {
  readonly schema: Schema;
  readonly type: CelType;
  readonly rules: readonly CompiledRule[];
  readonly fields: ReadonlyMap<string, RuleNode>;
  readonly items: RuleNode | undefined;
  readonly values: RuleNode | undefined;
};

type Compiled = { readonly root: RuleNode | undefined; readonly problems: readonly FieldProblem[] };

const compiled = new WeakMap<Schema, Compiled>();

/** Why rules of a schema can't be used; paths begin with `path`. A CRD with such a rule is refused. */
export function rulesProblems(schema: Schema, path: string): readonly FieldProblem[] {
  return compileOnce(schema).problems.map((each) => ({ ...each, field: child(path, each.field) }));
}

/** The compiled rules; `undefined` when the schema has none. */
export function rulesOf(schema: Schema): RuleNode | undefined {
  return compileOnce(schema).root;
}

function compileOnce(schema: Schema): Compiled {
  let made = compiled.get(schema);
  if (made === undefined) {
    made = hasRules(schema) ? compile(schema) : { root: undefined, problems: [] };
    compiled.set(schema, made);
  }
  return made;
}

/** Schemas of CRDs are trees; the built-in kinds' aren't, but they have no rules. */
function hasRules(schema: Schema): boolean {
  if (Array.isArray(schema['x-kubernetes-validations'])) return true;
  const parts = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  return parts.some((each) => isObject(each) && hasRules(each as Schema));
}

function compile(schema: Schema): Compiled {
  const problems: FieldProblem[] = [];
  const environment = ruleEnvironment();
  const type = celTypeOf(environment, schema, true);
  return { root: visit({ schema, type, path: '', correlatable: true }, environment, problems), problems };
}

type Place = {
  readonly schema: Schema;
  readonly type: CelType;
  readonly path: string;
  readonly correlatable: boolean;
};

function visit(place: Place, environment: Environment, problems: FieldProblem[]): RuleNode | undefined {
  const { schema, type, path, correlatable } = place;
  const rules: CompiledRule[] = [];
  for (const [i, raw] of ((schema['x-kubernetes-validations'] ?? []) as readonly Schema[]).entries()) {
    const at = indexed(child(path, 'x-kubernetes-validations'), i);
    const rule = compileRule(raw, at, place, environment, problems);
    if (rule !== undefined) rules.push(rule);
  }
  const fields = new Map<string, RuleNode>();
  const inner = (each: Schema, its: CelType | undefined, at: string, stays: boolean) =>
    hasRules(each)
      ? visit(
          { schema: each, type: its ?? type, path: at, correlatable: correlatable && stays },
          environment,
          problems,
        )
      : undefined;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const node = inner(property, type.fields?.get(name), keyed(child(path, 'properties'), name), true);
    if (node !== undefined) fields.set(name, node);
  }
  const listed = schema.items;
  const keeps = schema['x-kubernetes-list-type'] === 'map';
  const items = listed && inner(listed, type.items, child(path, 'items'), keeps);
  const rest = isObject(schema.additionalProperties) ? (schema.additionalProperties as Schema) : undefined;
  const values = rest && inner(rest, type.values, child(path, 'additionalProperties'), true);
  if (rules.length === 0 && fields.size === 0 && items === undefined && values === undefined)
    return undefined;
  return { schema, type, rules, fields, items, values };
}

const reasons = [
  'FieldValueInvalid',
  'FieldValueForbidden',
  'FieldValueRequired',
  'FieldValueDuplicate',
] as const;

function compileRule(
  raw: Schema,
  at: string,
  place: Place,
  environment: Environment,
  problems: FieldProblem[],
): CompiledRule | undefined {
  const before = problems.length;
  const { rule, message, messageExpression, reason, fieldPath, optionalOldSelf } = raw as Readonly<
    Record<string, string | undefined>
  >;
  const text = rule?.trim() ?? '';
  if (text === '') {
    problems.push(required(child(at, 'rule'), 'rule is not specified'));
    return undefined;
  }
  checkMessage(text, message, at, problems);
  const optional = (optionalOldSelf as unknown) === true;
  const scope = environment.clone();
  scope.registerVariable('self', place.type.name);
  const old = optional ? `optional<${place.type.name}>` : place.type.name;
  scope.registerVariable('oldSelf', old);
  const main = compileExpression(scope, text, 'bool');
  if ('problem' in main) problems.push(invalid(child(at, 'rule'), text, main.problem));
  else if (main.usesOldSelf && !place.correlatable) {
    problems.push(
      invalid(child(at, 'rule'), text, 'oldSelf cannot be used on the uncorrelatable portion of the schema'),
    );
  }
  const uses = 'problem' in main ? false : main.usesOldSelf;
  if (raw.optionalOldSelf !== undefined && !uses) {
    problems.push(
      invalid(child(at, 'optionalOldSelf'), optional, 'may not be set if oldSelf is not used in rule'),
    );
  }
  const second =
    messageExpression === undefined ? undefined : compileExpression(scope, messageExpression, 'string');
  if (second !== undefined && 'problem' in second)
    problems.push(invalid(child(at, 'messageExpression'), messageExpression, second.problem));
  if (reason !== undefined && !reasons.some((each) => each === reason))
    problems.push(notSupported(child(at, 'reason'), reason, reasons));
  const target = fieldPath === undefined ? '' : resolveFieldPath(fieldPath, place.schema);
  if (target === undefined)
    problems.push(
      invalid(
        child(at, 'fieldPath'),
        fieldPath,
        'fieldPath must be a valid path of existing fields, for example .spec.name',
      ),
    );
  if (problems.length > before || 'problem' in main || (second !== undefined && 'problem' in second))
    return undefined;
  return {
    text,
    evaluate: main.evaluate,
    message: message?.trim(),
    messageOf: second?.evaluate,
    reason: (reason ?? 'FieldValueInvalid') as FieldProblem['reason'],
    fieldPath: target ?? '',
    usesOldSelf: main.usesOldSelf || second?.usesOldSelf === true,
    optionalOldSelf: optional,
  };
}

function checkMessage(rule: string, message: string | undefined, at: string, problems: FieldProblem[]): void {
  if (message !== undefined && message.trim() === '')
    problems.push(invalid(child(at, 'message'), message, 'message must be non-empty if specified'));
  else if (message?.trim().includes('\n'))
    problems.push(invalid(child(at, 'message'), message, 'message must not contain line breaks'));
  else if (message === undefined && rule.includes('\n'))
    problems.push(required(child(at, 'message'), 'message must be specified if rule contains line breaks'));
}

type Expression =
  | { readonly evaluate: Evaluate; readonly usesOldSelf: boolean }
  | { readonly problem: string };

function compileExpression(scope: Environment, text: string, wanted: 'bool' | 'string'): Expression {
  try {
    const parsed = scope.parse(text);
    const { usesOldSelf, problem } = prepare(parsed.ast);
    if (problem !== undefined) return { problem: `compilation failed: ${problem}` };
    const result = parsed.check();
    if (!result.valid) return { problem: `compilation failed: ${result.error?.summary ?? 'unknown error'}` };
    if (result.type !== wanted && result.type !== 'dyn')
      return { problem: `must evaluate to a ${wanted}, but evaluates to ${result.type}` };
    return { evaluate: (variables) => parsed(variables) as unknown, usesOldSelf };
  } catch (error) {
    const { summary, message } = error as Error & { summary?: string };
    return { problem: `compilation failed: ${summary ?? message}` };
  }
}

/** `.foo['bar'].baz` as it's printed after a path; `undefined` when it isn't one or a field of it doesn't exist. */
function resolveFieldPath(text: string, root: Schema): string | undefined {
  let schema: Schema | undefined = root;
  let out = '';
  let rest = text;
  while (rest !== '') {
    const match: RegExpExecArray | null = /^(?:\.([A-Za-z_][\w-]*)|\['((?:[^'\\]|\\.)*)'\])/.exec(rest);
    const name: string | undefined = match?.[1] ?? match?.[2]?.replaceAll(/\\(.)/g, '$1');
    if (match === null || name === undefined || schema === undefined) return undefined;
    const rest_: Schema | undefined = isObject(schema.additionalProperties)
      ? (schema.additionalProperties as Schema)
      : undefined;
    const property: Schema | undefined = schema.properties?.[name];
    if (property === undefined && rest_ === undefined) return undefined;
    out += property === undefined ? `[${name}]` : `.${name}`;
    schema = property ?? rest_;
    rest = rest.slice(match[0].length);
  }
  return text === '' ? undefined : out;
}
