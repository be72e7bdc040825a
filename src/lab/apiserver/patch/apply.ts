/** Server-side apply (KEP-555): merges an applied configuration by field ownership. */
import type { KubeObject } from '#api/object.ts';
import { equal, isObject } from '../schema/plain.ts';
import { asResource } from '../schema/shape.ts';
import type { Schema } from '../types.ts';
import {
  difference,
  emptySet,
  type FieldSet,
  intersection,
  isEmpty,
  paths,
  pathText,
  sameSet,
  union,
} from './fieldset.ts';
import { disowned, type Owner, ownersOf, withOwners } from './managed.ts';
import {
  compareTyped,
  mergeTyped,
  removeFields,
  setOfFields,
  toFieldSet,
  withNamedParents,
} from './typed.ts';

export type ApplyRequest = {
  /** The stored object; absent when this creates it. */
  readonly live?: KubeObject | undefined;
  readonly applied: KubeObject;
  readonly schema: Schema;
  readonly manager: string;
  /** Takes over the fields of others instead of conflicting. */
  readonly force: boolean;
  readonly apiVersion: string;
  readonly subresource?: string | undefined;
  /** RFC 3339, seconds. */
  readonly time: string;
  /** Top-level fields that this endpoint doesn't write (for example `status` on the main resource); what is applied there is dropped. */
  readonly ignored?: readonly string[];
};

export type Conflict = {
  readonly manager: string;
  /** For example `.spec.replicas`. */
  readonly field: string;
  /** As in the status' cause: `conflict with "m" using apps/v1`. */
  readonly message: string;
};

export type ApplyResult = { readonly value: KubeObject } | { readonly conflicts: readonly Conflict[] };

/**
 * The object after an apply, managedFields included; when nothing changes, `live` itself (the same object), so that nothing
 * needs to be written. Fields that the manager applied before and now leaves out are removed unless another manager owns
 * them. Without `force`, a changed value of another manager's field is a conflict. The result isn't validated yet.
 *
 * `kubectl apply --server-side` after client-side applies: conflicts with fields of the last-applied annotation don't count
 * for the manager `kubectl`, and the annotation is kept up to date.
 */
export function applyServerSide(request: ApplyRequest): ApplyResult {
  const first = attempt(request, request.force);
  if ('value' in first || request.manager !== 'kubectl' || request.live === undefined) return first;
  const annotated = lastApplied(request.live, asResource(request.schema));
  if (annotated === undefined || !isEmpty(difference(first.disputed, annotated))) return first;
  return attempt(request, true);
}

type Attempt =
  | { readonly value: KubeObject }
  | { readonly conflicts: readonly Conflict[]; readonly disputed: FieldSet };

function attempt(request: ApplyRequest, force: boolean): Attempt {
  const { live, manager, apiVersion, subresource, time } = request;
  const schema = asResource(request.schema);
  const config = configurationOf(request);
  const before = ownersBefore(request);
  const last = before.find((owner) => isApplier(owner, request));
  const mine: Owner = {
    manager,
    operation: 'Apply',
    apiVersion,
    ...(subresource ? { subresource } : {}),
    time,
    fields: disowned(toFieldSet(schema, config)),
  };
  const others = before.filter((owner) => owner !== last);
  const merged = live === undefined ? config : mergeTyped(schema, live, config);
  // Laid over once more, since pruning takes emptied lists away, and the configuration may hold just such a one.
  const pruned =
    last === undefined
      ? merged
      : mergeTyped(schema, prune(schema, merged, last.fields, [...others, mine]), config);
  const changed = pruned as KubeObject;
  const comparison = compareTyped(schema, live ?? {}, changed);
  const claimed = union(comparison.modified, comparison.added);
  const disputes = others.map((owner) => ({ owner, fields: intersection(owner.fields, claimed) }));
  const conflicts = disputes.flatMap(({ owner, fields }) =>
    paths(fields).map((path) => conflictOf(owner, path)),
  );
  if (conflicts.length > 0 && !force) {
    const disputed = disputes.reduce((all, each) => union(all, each.fields), setOfFields());
    return { conflicts, disputed };
  }
  const remaining = disputes.map(({ owner, fields }) => ({
    ...owner,
    fields: difference(difference(owner.fields, fields), comparison.removed),
  }));
  const sameOwner =
    sameSet(last?.fields ?? emptySet, mine.fields) && (last?.apiVersion ?? apiVersion) === apiVersion;
  if (live !== undefined && sameOwner && equal(bare(live), bare(changed))) return { value: live };
  return { value: withOwners(followAnnotation(changed, request), [...remaining, mine]) };
}

function isApplier(owner: Owner, request: ApplyRequest): boolean {
  return (
    owner.operation === 'Apply' &&
    owner.manager === request.manager &&
    (owner.subresource ?? '') === (request.subresource ?? '')
  );
}

/** The configuration without what the server or another endpoint writes. */
function configurationOf(request: ApplyRequest): KubeObject {
  const { managedFields: _, resourceVersion: __, ...metadata } = request.applied.metadata;
  const out: Record<string, unknown> = { ...request.applied, metadata };
  for (const field of request.ignored ?? []) delete out[field];
  return out as KubeObject;
}

/** The owners before the apply; an object that nobody owned yet is wholly its past's. */
function ownersBefore(request: ApplyRequest): readonly Owner[] {
  const { live, apiVersion, time } = request;
  if (live === undefined) return [];
  const owners = ownersOf(live);
  if (owners !== undefined) return owners;
  const fields = disowned(toFieldSet(asResource(request.schema), live));
  return [{ manager: 'before-first-apply', operation: 'Update', apiVersion, time, fields }];
}

/** Takes away what the manager applied last and applies no more, unless somebody owns it or something unowned is inside. */
function prune(schema: Schema, merged: unknown, last: FieldSet, owners: readonly Owner[]): unknown {
  const named = (value: unknown, set: FieldSet) => withNamedParents(schema, value, set);
  const all = named(merged, toFieldSet(schema, merged));
  const claimed = owners.reduce((set, owner) => union(set, owner.fields), setOfFields());
  const owned = named(merged, claimed);
  const without = removeFields(schema, merged, last);
  const rest = named(without, toFieldSet(schema, without));
  const addedBack = removeFields(schema, merged, difference(all, union(rest, owned)), claimed);
  const kept = named(addedBack, toFieldSet(schema, addedBack));
  return removeFields(schema, merged, intersection(difference(all, kept), named(merged, last)), claimed);
}

function conflictOf(owner: Owner, path: readonly string[]): Conflict {
  const part = owner.subresource === undefined ? '' : ` with subresource "${owner.subresource}"`;
  return {
    manager: owner.manager,
    field: pathText(path),
    message: `conflict with "${owner.manager}"${part} using ${owner.apiVersion}`,
  };
}

function bare(object: KubeObject): unknown {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';

function lastApplied(live: KubeObject, schema: Schema): FieldSet | undefined {
  const text = live.metadata.annotations?.[annotation];
  if (text === undefined) return undefined;
  try {
    const applied: unknown = JSON.parse(text);
    return isObject(applied) ? disowned(toFieldSet(schema, applied)) : undefined;
  } catch {
    return undefined;
  }
}

/** After `kubectl apply --server-side`, a later client-side apply must know what was applied. */
function followAnnotation(object: KubeObject, request: ApplyRequest): KubeObject {
  if (request.manager !== 'kubectl' || request.live?.metadata.annotations?.[annotation] === undefined)
    return object;
  if (object.metadata.annotations?.[annotation] === undefined) return object;
  const text = `${JSON.stringify(configurationOf(request))}\n`;
  const annotations = { ...object.metadata.annotations, [annotation]: text };
  return { ...object, metadata: { ...object.metadata, annotations } };
}
