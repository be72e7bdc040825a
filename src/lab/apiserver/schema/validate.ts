/** Admits an object to the store: pruned, defaulted, checked against its schema, its rules and its kind's semantics. */
import type { FieldProblem, Schema } from '../types.ts';
import { builtinDefinition, builtinTypeOf } from './builtins.ts';
import { checkRules } from './cel/rules.ts';
import { check } from './check.ts';
import { isObject, type PlainObject } from './plain.ts';
import { unknownField } from './problems.ts';
import { semanticsOf } from './semantics/index.ts';
import { checkMetadata } from './semantics/metadata.ts';
import { shape } from './shape.ts';

export type AdmitOptions = {
  /** The stored object that is being updated, as it was admitted. */
  readonly old?: PlainObject | undefined;
  readonly operation: 'create' | 'update';
  /** What to do about unknown fields: they're pruned always; Strict refuses, Warn warns, Ignore says nothing. */
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  /** Whether `x-kubernetes-validations` are evaluated. */
  readonly cel: boolean;
};

export type Admitted = {
  /** Pruned and defaulted; to be stored only when there are no problems. */
  readonly value: PlainObject;
  readonly problems: readonly FieldProblem[];
  readonly warnings: readonly string[];
};

/**
 * The whole of validation for one object of any kind. The input isn't changed. Problems carry the field's path and the
 * words of the Kubernetes API; those of strict decoding (`isDecodingProblem`) mean HTTP 400, all others 422.
 */
export function admit(schema: Schema, object: PlainObject, options: AdmitOptions): Admitted {
  const builtin = builtinTypeOf(schema);
  const semantics = builtin === undefined ? undefined : semanticsOf(builtin);
  const shaped = shape(schema, object);
  const given = shaped.value as Record<string, unknown>;
  const value = (semantics?.normalize?.(given, options.old) ?? given) as PlainObject;
  const warnings: string[] = [];
  const problems: FieldProblem[] = [];
  for (const field of shaped.unknown) {
    if (options.fieldValidation === 'Strict') problems.push(unknownField(field));
    else if (options.fieldValidation === 'Warn') warnings.push(`unknown field "${field}"`);
  }
  if (problems.length > 0) return { value, problems, warnings };

  const judged = judge(schema, value, builtin !== undefined, options);
  problems.push(...judged, ...checkMetadata(value, options, semantics));
  const wellFormed = judged.length === 0;
  if (wellFormed && semantics?.check !== undefined) problems.push(...semantics.check(value, options.old));
  if (semantics?.warn !== undefined && wellFormed) warnings.push(...semantics.warn(value));
  if (builtin === undefined && options.cel) {
    problems.push(...checkRules(schema, value, options.old, judged));
  }
  return { value, problems, warnings };
}

function judge(
  schema: Schema,
  value: PlainObject,
  builtin: boolean,
  options: AdmitOptions,
): readonly FieldProblem[] {
  const problems = checkAll(schema, value, builtin, undefined);
  // Unchanged parts of a stored object are not judged again; it costs a second walk, so only when something is wrong.
  if (problems.length === 0 || options.old === undefined) return problems;
  return checkAll(schema, value, builtin, options.old);
}

function checkAll(
  schema: Schema,
  value: PlainObject,
  builtin: boolean,
  old: PlainObject | undefined,
): readonly FieldProblem[] {
  const problems = check(schema, value, { builtin, old });
  if (builtin || !isObject(value.metadata)) return problems;
  const metadata = { type: 'object', properties: { metadata: builtinDefinition('ObjectMeta') } } as const;
  return [...check(metadata, value, { builtin: true, old }), ...problems];
}
