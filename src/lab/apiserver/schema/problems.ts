/** Refusals in the words and shapes of the API: metav1.StatusCause with reason, field and message. */
import type { FieldProblem } from '../types.ts';

export function invalid(field: string, value: unknown, detail: string): FieldProblem {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${shown(value)}: ${detail}` };
}

export function required(field: string, detail = ''): FieldProblem {
  return { reason: 'FieldValueRequired', field, message: `Required value${detail && `: ${detail}`}` };
}

export function notSupported(field: string, value: unknown, supported: readonly unknown[]): FieldProblem {
  const list = supported.map(shown).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${shown(value)}: supported values: ${list}`,
  };
}

export function forbidden(field: string, detail: string): FieldProblem {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${detail}` };
}

export function duplicate(field: string, value: unknown): FieldProblem {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${shown(value)}` };
}

export function tooLong(field: string, limit: number): FieldProblem {
  return { reason: 'FieldValueTooLong', field, message: `Too long: may not be more than ${limit} bytes` };
}

export function tooMany(field: string, count: number, limit: number): FieldProblem {
  return {
    reason: 'FieldValueTooMany',
    field,
    message: `Too many: ${count}: must have at most ${limit} items`,
  };
}

export function wrongType(field: string, value: unknown, type: string): FieldProblem {
  return {
    reason: 'FieldValueTypeInvalid',
    field,
    message: `Invalid value: ${shown(value)}: ${field || '<root>'} in body must be of type ${type}: "${jsonType(value)}"`,
  };
}

/** A field that the schema doesn't have, in the words of strict decoding: servers answer 400 for these, not 422. */
export function unknownField(field: string): FieldProblem {
  return { reason: 'FieldValueInvalid', field, message: `unknown field "${field}"` };
}

/** Whether a problem means that the body couldn't be decoded strictly (HTTP 400), rather than being invalid (422). */
export function isDecodingProblem(problem: FieldProblem): boolean {
  return problem.message.startsWith('unknown field ');
}

/** The JSON type's name. */
export function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

/** A value as errors print it: scalars as JSON, others cut to a readable length. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null';
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

/** `path.name`, or `name` at the root; names that aren't identifiers go into brackets, as the API's paths have them. */
export function child(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** A key of a free-form map. */
export function keyed(path: string, key: string): string {
  return `${path}[${key}]`;
}

export function indexed(path: string, index: number): string {
  return `${path}[${index}]`;
}
