/** OpenAPI documents for what is served: v3 for each group version, and the v2 document that older client code asks for. */
import type { Schema, ServedKind } from '../types.ts';
import { builtinDefinition, builtinTypeOf, definitionName } from './builtins.ts';
import { isObject, type PlainObject, put } from './plain.ts';

/** Keywords of ours that no client needs to see. */
const dropped = new Set(['x-kubernetes-validations']);

/**
 * The OpenAPI v3 document of one group version (`apps/v1`, or `v1` for the core group): a component for every definition that
 * its kinds reach, and the paths that `kubectl explain` and `kubectl apply --dry-run` look kinds up by.
 */
export function openApiV3Document(groupVersion: string, kinds: readonly ServedKind[]): object {
  const components = componentsOf(kinds, '#/components/schemas/');
  const paths: Record<string, unknown> = {};
  for (const kind of kinds) Object.assign(paths, pathsOf(groupVersion, kind));
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.32' },
    paths,
    components: { schemas: components },
  };
}

/**
 * The Swagger 2.0 document over all kinds, for older clients; kubectl 1.32 reads v3 for validation, merge keys and explain.
 */
export function openApiV2Document(kinds: readonly ServedKind[]): object {
  const definitions = componentsOf(kinds, '#/definitions/');
  const paths: Record<string, unknown> = {};
  for (const kind of kinds) {
    const version = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
    for (const [path, item] of Object.entries(pathsOf(version, kind))) {
      const verbs = Object.entries(item as PlainObject).map(([verb, operation]) => [
        verb,
        swaggerOperation(operation as PlainObject),
      ]);
      paths[path] = Object.fromEntries(verbs);
    }
  }
  return { swagger: '2.0', info: { title: 'Kubernetes', version: 'v1.32' }, paths, definitions };
}

function swaggerOperation(operation: PlainObject): object {
  const { requestBody: _, responses: __, parameters, ...rest } = operation;
  const plain = (parameters as readonly PlainObject[]).map(({ schema, ...each }) => ({
    ...each,
    type: (schema as Schema).type,
  }));
  return { ...rest, parameters: plain, responses: { 200: { description: 'OK' } } };
}

/** The name under which a kind's schema stands: that of Kubernetes for built-in kinds, the reversed group for others. */
export function componentName(kind: ServedKind): string {
  const builtin = builtinTypeOf(kind.schema) === undefined ? undefined : definitionName(kind.schema);
  return builtin ?? [...kind.group.split('.').reverse(), kind.version, kind.kind].join('.');
}

function componentsOf(kinds: readonly ServedKind[], prefix: string): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const pending: (readonly [string, Schema])[] = [];
  const done = new Set<string>();
  const reference = (schema: Schema): string | undefined => {
    const name = definitionName(schema);
    if (name === undefined) return undefined;
    if (!done.has(name)) {
      done.add(name);
      pending.push([name, schema]);
    }
    return name;
  };
  for (const kind of kinds) {
    const name = componentName(kind);
    const gvk = [{ group: kind.group, version: kind.version, kind: kind.kind }];
    done.add(name);
    out[name] = {
      ...describe(withMetadata(kind), prefix, reference),
      'x-kubernetes-group-version-kind': gvk,
    };
    out[listName(name)] = listOf(kind, prefix + name, prefix);
    reference(builtinDefinition('ObjectMeta'));
  }
  out[listMeta] = listMetaSchema;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    out[next[0]] = describe(next[1], prefix, reference);
  }
  return out;
}

const listMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta';
const listMetaSchema = {
  type: 'object',
  properties: {
    continue: { type: 'string' },
    remainingItemCount: { type: 'integer', format: 'int64' },
    resourceVersion: { type: 'string' },
    selfLink: { type: 'string' },
  },
};

function listName(name: string): string {
  return `${name}List`;
}

function listOf(kind: ServedKind, item: string, prefix: string): object {
  return {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { $ref: prefix + listMeta },
      items: { type: 'array', items: { $ref: item } },
    },
    'x-kubernetes-group-version-kind': [{ group: kind.group, version: kind.version, kind: kind.listKind }],
  };
}

/** A custom resource's document has the full metadata, whatever its schema restricts. */
function withMetadata(kind: ServedKind): Schema {
  if (!kind.fromCrd) return kind.schema;
  const properties = {
    ...kind.schema.properties,
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: builtinDefinition('ObjectMeta'),
  } as const;
  return { ...kind.schema, properties };
}

function describe(
  schema: Schema,
  prefix: string,
  reference: (schema: Schema) => string | undefined,
): PlainObject {
  const inner = (each: Schema): unknown => {
    const name = reference(each);
    if (name === undefined) return describe(each, prefix, reference);
    const directives = Object.entries(each).filter(([key]) => key.startsWith('x-kubernetes-patch-'));
    if (directives.length === 0) return { $ref: prefix + name };
    return { allOf: [{ $ref: prefix + name }], ...Object.fromEntries(directives) };
  };
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (dropped.has(key)) continue;
    if (key === 'properties') out[key] = mapValues(value as PlainObject, (each) => inner(each as Schema));
    else if ((key === 'items' || key === 'additionalProperties') && isObject(value))
      out[key] = inner(value as Schema);
    else out[key] = value;
  }
  return schema['x-kubernetes-int-or-string'] === true ? intOrString(schema, out, prefix) : out;
}

/** Clients know these two by their format and type. */
function intOrString(schema: Schema, described: PlainObject, prefix: string): PlainObject {
  const { format, description } = schema;
  if (format === 'quantity' || format === 'int-or-string') {
    const shown = format === 'quantity' ? { type: 'string' } : { type: 'string', format };
    if (prefix === '#/definitions/') return shown;
    const second = format === 'quantity' ? { type: 'number' } : { type: 'integer' };
    return {
      ...(format === 'quantity' ? {} : { format }),
      oneOf: [second, { type: 'string' }],
      ...(description ? { description } : {}),
    };
  }
  return described;
}

function mapValues(from: PlainObject, make: (value: unknown) => unknown): PlainObject {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(from)) put(out, key, make(value));
  return out;
}

function pathsOf(groupVersion: string, kind: ServedKind): Record<string, unknown> {
  const root = kind.group === '' ? `/api/${groupVersion}` : `/apis/${groupVersion}`;
  const base = kind.namespaced ? `${root}/namespaces/{namespace}/${kind.plural}` : `${root}/${kind.plural}`;
  const one = { $ref: `#/components/schemas/${componentName(kind)}` };
  const operation = (action: string, extra: readonly object[] = []) => ({
    operationId: `${action}${kind.group}${kind.version}${kind.kind}`.replace(/[^A-Za-z0-9]/g, ''),
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group: kind.group, version: kind.version, kind: kind.kind },
    parameters: [...(kind.namespaced ? [pathParameter('namespace')] : []), ...extra],
    responses: { 200: { description: 'OK', content: { 'application/json': { schema: one } } } },
  });
  const writing = { requestBody: { content: { '*/*': { schema: one } } } };
  const queries = ['dryRun', 'fieldManager', 'fieldValidation'].map(queryParameter);
  const named = [pathParameter('name')];
  const patchTypes = ['json-patch', 'merge-patch', 'apply-patch'].map((type) =>
    type === 'apply-patch' ? 'application/apply-patch+yaml' : `application/${type}+json`,
  );
  if (!kind.fromCrd) patchTypes.push('application/strategic-merge-patch+json');
  const patchBody = {
    content: Object.fromEntries(patchTypes.map((type) => [type, { schema: { type: 'object' } }])),
  };
  return {
    [base]: { get: operation('list'), post: { ...operation('post', queries), ...writing } },
    [`${base}/{name}`]: {
      get: operation('get', named),
      put: { ...operation('put', [...named, ...queries]), ...writing },
      patch: {
        ...operation('patch', [...named, ...queries, queryParameter('force')]),
        requestBody: patchBody,
      },
      delete: operation('delete', [...named, queryParameter('dryRun')]),
    },
  };
}

function pathParameter(name: string): object {
  return { name, in: 'path', required: true, schema: { type: 'string' } };
}

function queryParameter(name: string): object {
  return { name, in: 'query', schema: { type: name === 'force' ? 'boolean' : 'string' } };
}
