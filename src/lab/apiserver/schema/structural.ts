/** The rules that a CRD's schema must follow to be structural, as every API server asks of apiextensions.k8s.io/v1. */
import type { FieldProblem, Schema } from '../types.ts';
import { check } from './check.ts';
import { isObject, type PlainObject } from './plain.ts';
import { child, forbidden, indexed, invalid, keyed, notSupported, required } from './problems.ts';
import { compileRe2 } from './regex.ts';
import { propertyOf, withDefaults } from './shape.ts';
import { checkListType, checkMapType } from './structural-lists.ts';

type Position = 'root' | 'field' | 'items' | 'value';

const junctors = ['allOf', 'anyOf', 'oneOf'] as const;
const types = ['object', 'array', 'string', 'integer', 'number', 'boolean'];

/** Keywords of JSON schema that v1 CRDs may not have. */
const unsupported = [
  '$ref',
  'id',
  '$schema',
  'definitions',
  'dependencies',
  'patternProperties',
  'additionalItems',
  'deprecated',
];

/** Keywords that only the structural skeleton may have: not inside allOf, anyOf, oneOf and not. */
const skeletonOnly = [
  'type',
  'additionalProperties',
  'default',
  'title',
  'description',
  'nullable',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
];

/** Problems of one version's schema; paths begin with `path` (`spec.versions[0].schema.openAPIV3Schema`). CEL rules aren't looked at. */
export function structuralProblems(schema: Schema, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  visit(schema, path, 'root', problems);
  const metadata = schema.properties?.metadata;
  if (metadata !== undefined) checkMetadata(metadata, child(path, 'properties[metadata]'), problems);
  return problems;
}

function visit(schema: Schema, path: string, position: Position, problems: FieldProblem[]): void {
  if (!isObject(schema)) {
    problems.push(invalid(path, schema, 'must be a schema'));
    return;
  }
  for (const keyword of unsupported) {
    if (schema[keyword] !== undefined)
      problems.push(forbidden(child(path, keyword), `${keyword} is not supported`));
  }
  if (position === 'value') checkValueOnly(schema, path, problems);
  else checkSkeleton(schema, path, position, problems);
  checkPattern(schema, path, problems);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    visit(
      property,
      keyed(child(path, 'properties'), name),
      position === 'value' ? 'value' : 'field',
      problems,
    );
  }
  if (Array.isArray(schema.items))
    problems.push(forbidden(child(path, 'items'), 'items must be a schema object and not an array'));
  else if (schema.items !== undefined) {
    visit(schema.items, child(path, 'items'), position === 'value' ? 'value' : 'items', problems);
  }
  if (isObject(schema.additionalProperties)) {
    visit(
      schema.additionalProperties as Schema,
      child(path, 'additionalProperties'),
      position === 'value' ? 'value' : 'field',
      problems,
    );
  }
  for (const [at, each] of alternatives(schema, path)) {
    if (!isIntOrStringForm(schema, each, at)) visit(each, at, 'value', problems);
    if (position !== 'value') checkSpecified(schema, each, path, at, problems);
  }
}

function alternatives(schema: Schema, path: string): readonly (readonly [string, Schema])[] {
  const out: (readonly [string, Schema])[] = [];
  for (const keyword of junctors) {
    for (const [i, each] of ((schema[keyword] ?? []) as readonly Schema[]).entries()) {
      out.push([indexed(child(path, keyword), i), each]);
    }
  }
  if (schema.not !== undefined) out.push([child(path, 'not'), schema.not as Schema]);
  return out;
}

/** `anyOf: [{type: integer}, {type: string}]` beside x-kubernetes-int-or-string is the one place for types inside a junctor. */
function isIntOrStringForm(schema: Schema, each: Schema, at: string): boolean {
  if (schema['x-kubernetes-int-or-string'] !== true) return false;
  const form = (list: unknown) => JSON.stringify(list) === '[{"type":"integer"},{"type":"string"}]';
  if (/\.anyOf\[\d\]$/.test(at)) return form(schema.anyOf);
  return at.endsWith('.allOf[0]') && form(each.anyOf);
}

function checkSkeleton(schema: Schema, path: string, position: Position, problems: FieldProblem[]): void {
  const { type } = schema;
  const free = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  const at = (name: string) => child(path, name);
  const needs = {
    root: 'at the root',
    field: 'for specified object fields',
    items: 'for specified array items',
    value: '',
  };
  if (type === undefined || (type as string) === '') {
    if (!intOrString && !(free && position !== 'root'))
      problems.push(required(at('type'), `must not be empty ${needs[position]}`));
  } else if (!types.includes(type)) problems.push(notSupported(at('type'), type, types));
  else if (position === 'root' && type !== 'object')
    problems.push(invalid(at('type'), type, 'must be object at the root'));
  if (intOrString && type !== undefined) {
    problems.push(forbidden(at('type'), 'must be empty if x-kubernetes-int-or-string is true'));
  }
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    problems.push(invalid(at('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined'));
  }
  if (schema.additionalProperties === false) {
    problems.push(forbidden(at('additionalProperties'), 'additionalProperties cannot be set to false'));
  }
  if (schema.additionalProperties !== undefined && schema.properties !== undefined) {
    problems.push(
      forbidden(at('additionalProperties'), 'additionalProperties and properties are mutual exclusive'),
    );
  }
  if (schema.additionalProperties !== undefined && position === 'root') {
    problems.push(forbidden(at('additionalProperties'), 'must not be used at the root'));
  }
  if (type === 'array' && schema.items === undefined)
    problems.push(required(at('items'), 'must be specified'));
  if (schema.uniqueItems === true) {
    problems.push(
      forbidden(
        at('uniqueItems'),
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    );
  }
  if (schema['x-kubernetes-embedded-resource'] === true) checkEmbedded(schema, path, problems);
  checkListType(schema, path, problems);
  checkMapType(schema, path, problems);
  if (schema.default !== undefined) checkDefault(schema, path, problems);
}

function checkValueOnly(schema: Schema, path: string, problems: FieldProblem[]): void {
  for (const keyword of skeletonOnly) {
    if (schema[keyword] !== undefined)
      problems.push(forbidden(child(path, keyword), 'must be empty to be structural'));
  }
}

/** What a junctor speaks of must be in the skeleton as well. */
function checkSpecified(
  schema: Schema,
  value: Schema,
  path: string,
  at: string,
  problems: FieldProblem[],
): void {
  for (const [name, property] of Object.entries(value.properties ?? {})) {
    const here = keyed(child(path, 'properties'), name);
    const there = keyed(child(at, 'properties'), name);
    const rest = isObject(schema.additionalProperties) ? (schema.additionalProperties as Schema) : undefined;
    const skeleton = propertyOf(schema.properties, name) ?? rest;
    if (skeleton === undefined) problems.push(required(here, `because it is defined in ${there}`));
    else checkSpecified(skeleton, property, here, there, problems);
  }
  if (isObject(value.items)) {
    const here = child(path, 'items');
    if (schema.items === undefined)
      problems.push(required(here, `because it is defined in ${child(at, 'items')}`));
    else checkSpecified(schema.items, value.items as Schema, here, child(at, 'items'), problems);
  }
  for (const [inner, each] of alternatives(value, at)) checkSpecified(schema, each, path, inner, problems);
}

function checkPattern(schema: Schema, path: string, problems: FieldProblem[]): void {
  if (typeof schema.pattern !== 'string') return;
  const compiled = compileRe2(schema.pattern);
  if ('problem' in compiled) {
    problems.push(
      invalid(
        child(path, 'pattern'),
        schema.pattern,
        `must be a valid regular expression, but isn't: ${compiled.problem}`,
      ),
    );
  }
}

function checkEmbedded(schema: Schema, path: string, problems: FieldProblem[]): void {
  if (schema.type !== 'object') {
    problems.push(
      invalid(
        child(path, 'type'),
        schema.type ?? '',
        'must be object if x-kubernetes-embedded-resource is true',
      ),
    );
  }
  if (schema.properties === undefined && schema['x-kubernetes-preserve-unknown-fields'] !== true) {
    problems.push(
      required(
        child(path, 'properties'),
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    );
  }
}

/** A default must be valid itself: no unknown fields, no violation. */
function checkDefault(schema: Schema, path: string, problems: FieldProblem[]): void {
  const at = child(path, 'default');
  const filled = withDefaults(schema, schema.default);
  for (const each of check(schema, filled, { builtin: false })) {
    problems.push({ ...each, field: each.field === '' ? at : child(at, each.field) });
  }
  if (isObject(schema.default) && !sameKeys(schema, schema.default)) {
    problems.push(invalid(at, schema.default, 'must not have unknown fields'));
  }
}

function sameKeys(schema: Schema, value: PlainObject): boolean {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties !== undefined)
    return true;
  return Object.keys(value).every((key) => propertyOf(schema.properties, key) !== undefined);
}

function checkMetadata(metadata: Schema, path: string, problems: FieldProblem[]): void {
  if (metadata.type !== 'object')
    problems.push(invalid(child(path, 'type'), metadata.type ?? '', 'must be object'));
  const others = Object.keys(metadata.properties ?? {}).filter(
    (name) => name !== 'name' && name !== 'generateName',
  );
  const more =
    metadata.additionalProperties !== undefined || metadata['x-kubernetes-validations'] !== undefined;
  if (others.length > 0 || more) {
    problems.push(
      forbidden(
        path,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  }
}
