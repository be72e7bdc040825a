/** Who owns which field: reads and writes metadata.managedFields, and records what a PUT or PATCH changed. */
import type { KubeObject, ManagedFieldsEntry } from '#api/object.ts';
import { isObject, type PlainObject } from '../schema/plain.ts';
import { asResource } from '../schema/shape.ts';
import type { Schema } from '../types.ts';
import {
  difference,
  type FieldSet,
  formatFields,
  intersection,
  isEmpty,
  parseFields,
  recursiveDifference,
  sameSet,
  union,
} from './fieldset.ts';
import { compareTyped, setOfFields } from './typed.ts';

/** One owner with its fields. Appliers are one whatever version they apply; updaters are apart by version. */
export type Owner = {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fields: FieldSet;
};

export type UpdateRecord = {
  /** The stored object; absent when this creates it. */
  readonly old?: KubeObject | undefined;
  readonly updated: KubeObject;
  readonly schema: Schema;
  /** At most 128 characters, as the server checks on the query. */
  readonly manager: string;
  readonly apiVersion: string;
  readonly subresource?: string | undefined;
  /** RFC 3339, seconds. */
  readonly time: string;
};

/** Fields that nobody owns: identity, and what the server writes itself. */
const unowned = setOfFields(
  ['apiVersion'],
  ['kind'],
  ['metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
    'resourceVersion',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ].map((each) => ['metadata', each]),
);

/** Update owners beyond this many are folded into one, oldest first. */
const updateOwners = 10;
const folded = 'ancient-changes';

/**
 * `updated` with managedFields that say who owns what after it: the manager gets what it added or changed, all others lose that
 * and what is gone. Managed fields in `updated` that differ from the stored ones are taken (a client may edit them); `[{}]`
 * resets them. A write that changes nothing leaves times as they are.
 */
export function recordUpdate(record: UpdateRecord): KubeObject {
  const { old, updated } = record;
  const schema = asResource(record.schema);
  if (resetsFields(updated.metadata.managedFields)) return withOwners(updated, []);
  const owners = ownersOf(updated) ?? (old === undefined ? [] : ownersOf(old)) ?? [];
  const bare = old === undefined ? { apiVersion: updated.apiVersion, kind: updated.kind, metadata: {} } : old;
  const change = compareTyped(schema, bare, updated);
  const taken = disowned(union(change.added, change.modified));
  const others = owners.map((owner) =>
    isUpdaterOf(owner, record)
      ? owner
      : { ...owner, fields: difference(difference(owner.fields, taken), change.removed) },
  );
  const mine = owners.find((owner) => isUpdaterOf(owner, record));
  const fields = disowned(union(difference(mine?.fields ?? noFields, change.removed), taken));
  const touched = !isEmpty(taken) || mine === undefined || !sameSet(fields, mine.fields);
  const owner: Owner = {
    manager: record.manager,
    operation: 'Update',
    apiVersion: record.apiVersion,
    ...(record.subresource ? { subresource: record.subresource } : {}),
    time: touched ? record.time : (mine?.time ?? record.time),
    fields,
  };
  const kept = mine === undefined ? [...others, owner] : others.map((each) => (each === mine ? owner : each));
  return withOwners(updated, capped(kept));
}

const noFields = setOfFields();

/** A set without the fields that nobody owns. `metadata` itself is unowned, its labels and the like are not. */
export function disowned(set: FieldSet): FieldSet {
  const withoutRoots = difference(set, setOfFields(['metadata']));
  const names = setOfFields(['apiVersion'], ['kind']);
  const metadata = unowned.children.get('f:metadata')!;
  const inner = withoutRoots.children.get('f:metadata');
  const plain = recursiveDifference(withoutRoots, names);
  if (inner === undefined) return plain;
  const cut = recursiveDifference(inner, metadata);
  const children = new Map(plain.children);
  if (isEmpty(cut)) children.delete('f:metadata');
  else children.set('f:metadata', cut);
  return { members: plain.members, children };
}

function isUpdaterOf(owner: Owner, record: UpdateRecord): boolean {
  return (
    owner.operation === 'Update' &&
    owner.manager === record.manager &&
    owner.apiVersion === record.apiVersion &&
    (owner.subresource ?? '') === (record.subresource ?? '')
  );
}

function resetsFields(entries: unknown): boolean {
  return (
    Array.isArray(entries) &&
    entries.length === 1 &&
    isObject(entries[0]) &&
    Object.keys(entries[0]).length === 0
  );
}

/** The owners in an object's managedFields; `undefined` when there are none or one can't be read. */
export function ownersOf(object: KubeObject): readonly Owner[] | undefined {
  const entries = object.metadata.managedFields as readonly PlainObject[] | undefined;
  if (!Array.isArray(entries) || entries.length === 0) return undefined;
  const owners: Owner[] = [];
  for (const entry of entries as readonly ManagedFieldsEntry[]) {
    const fields = parseFields(entry.fieldsV1 ?? {});
    if (fields === undefined || (entry.operation !== 'Apply' && entry.operation !== 'Update'))
      return undefined;
    const { manager, operation, apiVersion, subresource, time } = entry;
    owners.push({
      manager,
      operation,
      apiVersion,
      ...(subresource ? { subresource } : {}),
      ...(time ? { time } : {}),
      fields,
    });
  }
  return owners;
}

/** The object with these owners: those without fields left out, appliers first, then by time, manager and version. */
export function withOwners(object: KubeObject, owners: readonly Owner[]): KubeObject {
  const entries = owners
    .filter((owner) => !isEmpty(owner.fields))
    .toSorted(byOrder)
    .map(
      ({ manager, operation, apiVersion, subresource, time, fields }): ManagedFieldsEntry => ({
        manager,
        operation,
        apiVersion,
        ...(time === undefined ? {} : { time }),
        fieldsType: 'FieldsV1',
        fieldsV1: formatFields(fields),
        ...(subresource === undefined ? {} : { subresource }),
      }),
    );
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: entries.length === 0 ? metadata : { ...metadata, managedFields: entries } };
}

function byOrder(a: Owner, b: Owner): number {
  const key = (owner: Owner) =>
    [owner.operation, owner.time ?? '', owner.manager, owner.apiVersion, owner.subresource ?? ''].join('\0');
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}

function capped(owners: readonly Owner[]): readonly Owner[] {
  const updaters = owners.filter((owner) => owner.operation === 'Update').toSorted(byOrder);
  if (updaters.length <= updateOwners) return owners;
  const old = updaters.slice(0, updaters.length - updateOwners + 1);
  const versions = new Map<string, Owner>();
  for (const owner of old) {
    const before = versions.get(owner.apiVersion);
    const fields = before === undefined ? owner.fields : union(before.fields, owner.fields);
    const time = owner.time ?? before?.time;
    versions.set(owner.apiVersion, {
      manager: folded,
      operation: 'Update',
      apiVersion: owner.apiVersion,
      ...(time === undefined ? {} : { time }),
      fields,
    });
  }
  return [...owners.filter((owner) => !old.includes(owner)), ...versions.values()];
}

/** What of `set` an owner has. */
export function ownedOf(owner: Owner, set: FieldSet): FieldSet {
  return intersection(owner.fields, set);
}
