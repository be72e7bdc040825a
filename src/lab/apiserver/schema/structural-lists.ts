/** What a CRD's schema may say of how lists and maps are merged: x-kubernetes-list-type, -list-map-keys, -map-type. */
import type { FieldProblem, Schema } from '../types.ts';
import { child, forbidden, indexed, invalid, keyed, notSupported, required } from './problems.ts';
import { propertyOf } from './shape.ts';

/** Problems of x-kubernetes-list-type and its keys. */
export function checkListType(schema: Schema, path: string, problems: FieldProblem[]): void {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] as readonly string[] | undefined;
  const at = child(path, 'x-kubernetes-list-type');
  const keysAt = child(path, 'x-kubernetes-list-map-keys');
  if (listType === undefined) {
    if (keys !== undefined)
      problems.push(required(at, 'must be map if x-kubernetes-list-map-keys is non-empty'));
    return;
  }
  if (!['atomic', 'set', 'map'].includes(listType as string))
    problems.push(notSupported(at, listType, ['atomic', 'set', 'map']));
  if (schema.type !== 'array')
    problems.push(
      invalid(child(path, 'type'), schema.type ?? '', 'must be array if x-kubernetes-list-type is specified'),
    );
  const items = schema.items;
  if (listType === 'set' && items !== undefined && !isAtomic(items)) {
    problems.push(
      forbidden(child(path, 'items'), 'items of a set must be scalars, atomic lists or atomic maps'),
    );
  }
  if (listType !== 'map') {
    if (keys !== undefined)
      problems.push(forbidden(keysAt, 'must be empty if x-kubernetes-list-type is not map'));
    return;
  }
  if (keys === undefined || keys.length === 0)
    problems.push(required(keysAt, 'must not be empty if x-kubernetes-list-type is map'));
  if (items?.type !== 'object')
    problems.push(
      invalid(
        child(path, 'items.type'),
        items?.type ?? '',
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    );
  for (const [i, key] of (keys ?? []).entries()) checkMapKey(items, key, path, indexed(keysAt, i), problems);
}

function isAtomic(items: Schema): boolean {
  if (items.type === 'array') return (items['x-kubernetes-list-type'] ?? 'atomic') === 'atomic';
  return items.type !== 'object' || items['x-kubernetes-map-type'] === 'atomic';
}

function checkMapKey(
  items: Schema | undefined,
  key: string,
  path: string,
  at: string,
  problems: FieldProblem[],
): void {
  const property = propertyOf(items?.properties, key);
  const propertyAt = keyed(child(path, 'items.properties'), key);
  if (property === undefined) problems.push(invalid(at, key, 'entries must all be names of item properties'));
  else if (property.type === 'object' || property.type === 'array') {
    problems.push(
      invalid(
        child(propertyAt, 'type'),
        property.type,
        "must be a scalar type if parent array's x-kubernetes-list-type is map",
      ),
    );
  } else if (property.default === undefined && !items?.required?.includes(key)) {
    problems.push(
      required(
        child(propertyAt, 'default'),
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
      ),
    );
  }
}

/** Problems of x-kubernetes-map-type. */
export function checkMapType(schema: Schema, path: string, problems: FieldProblem[]): void {
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType === undefined) return;
  const at = child(path, 'x-kubernetes-map-type');
  if (!['atomic', 'granular'].includes(mapType as string))
    problems.push(notSupported(at, mapType, ['atomic', 'granular']));
  if (schema.type !== 'object')
    problems.push(
      invalid(child(path, 'type'), schema.type ?? '', 'must be object if x-kubernetes-map-type is specified'),
    );
}
