/** metav1.ObjectMeta as it comes from the wire: types checked, noise removed, names generated. */
import { randomInt } from 'node:crypto';
import type { KubeObject } from '#api/object.ts';
import { badRequest } from './errors.ts';

const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** `base` and five random characters, as generateName gives them. */
export function generatedName(base: string): string {
  const suffix = Array.from({ length: 5 }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join('');
  return `${base.slice(0, 58)}${suffix}`;
}

/** Refuses metadata whose fields have the wrong JSON types: nothing behind this checks them again. Throws a 400. */
export function checkMetadataTypes(value: unknown): void {
  if (value === undefined) return;
  if (!isFields(value)) throw badRequest('metadata must be an object');
  for (const field of ['name', 'generateName', 'namespace', 'uid', 'resourceVersion', 'deletionTimestamp']) {
    const found = value[field];
    if (found !== undefined && found !== null && typeof found !== 'string') throw mistyped(field, 'string');
  }
  for (const field of ['labels', 'annotations']) {
    const map = value[field];
    if (map === undefined || map === null) continue;
    if (!isFields(map)) throw mistyped(field, 'map[string]string');
    for (const [key, text] of Object.entries(map)) {
      if (typeof text !== 'string') throw mistyped(`${field}.${key}`, 'string');
    }
  }
  for (const field of ['finalizers', 'ownerReferences', 'managedFields']) {
    const list = value[field];
    if (list === undefined || list === null) continue;
    if (!Array.isArray(list)) throw mistyped(field, 'list');
    const good = field === 'finalizers' ? (item: unknown) => typeof item === 'string' : isFields;
    if (!list.every(good))
      throw mistyped(field, field === 'finalizers' ? 'list of strings' : 'list of objects');
  }
}

function mistyped(field: string, type: string): Error {
  return badRequest(`json: cannot unmarshal metadata.${field}: it must be of type ${type}`);
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Metadata fields of the wire that this server keeps; null counts as absent, unknown ones are dropped. */
const keptFields = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

/** The object with only known metadata, without nulls and empty collections. */
export function cleanMetadata(object: KubeObject): KubeObject {
  const metadata: Record<string, unknown> = {};
  const given = (object.metadata ?? {}) as unknown as Record<string, unknown>;
  for (const field of keptFields) {
    const value = given[field];
    if (value === undefined || value === null || value === '') continue;
    if (typeof value === 'object' && Object.keys(value).length === 0) continue;
    metadata[field] = value;
  }
  return { ...object, metadata: metadata as KubeObject['metadata'] };
}
