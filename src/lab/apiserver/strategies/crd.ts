/** CustomResourceDefinitions: checked, named and established in the write itself, so that the kind is served with the answer. */
import type { Condition, KubeObject } from '#api/object.ts';
import { type Context, timestamp } from '../context.ts';
import { tableOf } from '../kinds.ts';
import { servedKindsOf } from '../schema/crd.ts';
import type { FieldProblem, ServedKind } from '../types.ts';
import type { Strategy } from './strategy.ts';

type Names = {
  readonly plural: string;
  readonly singular?: string;
  readonly kind: string;
  readonly listKind?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
};

export type CrdSpec = {
  readonly group: string;
  readonly scope: 'Namespaced' | 'Cluster';
  readonly names: Names;
  readonly versions: readonly {
    readonly name: string;
    readonly served: boolean;
    readonly storage: boolean;
    readonly selectableFields?: readonly { readonly jsonPath: string }[];
  }[];
  readonly conversion?: { readonly strategy?: string };
};

type CrdStatus = { readonly conditions?: readonly Condition[]; readonly storedVersions?: readonly string[] };

export const crdTable = 'apiextensions.k8s.io/customresourcedefinitions';

export const crdStrategy: Strategy = {
  generation: true,
  complete: (object, { context, old }) => {
    const spec = withNames(object['spec'] as CrdSpec);
    const value: KubeObject = { ...object, spec };
    const problems = [...servedKindsOf(value).problems, ...changeProblems(value, old)];
    if (problems.length > 0) return { value, problems };
    return { value: withStatus(context, value), problems };
  },
};

/** The names that a CRD's author may leave out. */
function withNames(spec: CrdSpec): CrdSpec {
  const { kind, singular, listKind } = spec.names;
  const names = {
    ...spec.names,
    singular: singular || kind.toLowerCase(),
    listKind: listKind || `${kind}List`,
  };
  return {
    ...spec,
    names,
    conversion: { ...spec.conversion, strategy: spec.conversion?.strategy || 'None' },
  };
}

function changeProblems(object: KubeObject, old: KubeObject | undefined): FieldProblem[] {
  if (old === undefined) return [];
  const spec = object['spec'] as CrdSpec;
  const before = old['spec'] as CrdSpec;
  const problems: FieldProblem[] = [];
  const fixed = (field: string, now: string, then: string): void => {
    if (now === then) return;
    const message = `Invalid value: ${JSON.stringify(now)}: field is immutable`;
    problems.push({ reason: 'FieldValueInvalid', field: `spec.${field}`, message });
  };
  fixed('group', spec.group, before.group);
  fixed('scope', spec.scope, before.scope);
  fixed('names.kind', spec.names.kind, before.names.kind);
  fixed('names.plural', spec.names.plural, before.names.plural);
  const stored = (old['status'] as CrdStatus | undefined)?.storedVersions ?? [];
  for (const [index, version] of stored.entries()) {
    if (spec.versions.some(({ name }) => name === version)) continue;
    const message = `Invalid value: ${JSON.stringify(version)}: missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`;
    problems.push({ reason: 'FieldValueInvalid', field: `status.storedVersions[${index}]`, message });
  }
  return problems;
}

/** Conditions, accepted names and stored versions, as they follow from the spec and from the other kinds that are served. */
export function withStatus(context: Context, object: KubeObject): KubeObject {
  const spec = object['spec'] as CrdSpec;
  const before = (object['status'] ?? {}) as CrdStatus;
  const clash = nameClash(context, spec);
  const unconverted = conversionProblem(spec);
  const accepted =
    clash === undefined
      ? condition(before, 'NamesAccepted', 'True', 'NoConflicts', 'no conflicts found')
      : condition(before, 'NamesAccepted', 'False', clash.reason, clash.message);
  const established =
    clash !== undefined
      ? condition(before, 'Established', 'False', 'NotAccepted', 'not all names are accepted')
      : unconverted !== undefined
        ? condition(before, 'Established', 'False', 'ConversionNotSupported', unconverted)
        : condition(
            before,
            'Established',
            'True',
            'InitialNamesAccepted',
            'the initial names have been accepted',
          );
  const kept = (before.conditions ?? []).filter(
    ({ type }) => !['NamesAccepted', 'Established'].includes(type),
  );
  const storage = spec.versions.find((version) => version.storage)!.name;
  const storedVersions = [...new Set([...(before.storedVersions ?? []), storage])];
  const status = {
    conditions: [accepted, established, ...kept],
    acceptedNames: clash === undefined ? spec.names : { plural: '', kind: '' },
    storedVersions,
  };
  return { ...object, status };
}

function condition(
  before: CrdStatus,
  type: string,
  status: Condition['status'],
  reason: string,
  message: string,
): Condition {
  const old = before.conditions?.find((each) => each.type === type);
  const lastTransitionTime = old?.status === status ? old.lastTransitionTime : timestamp();
  return { type, status, lastTransitionTime, reason, message };
}

/** One version needs no conversion, whatever the strategy says. */
function conversionProblem(spec: CrdSpec): string | undefined {
  const strategy = spec.conversion?.strategy ?? 'None';
  if (strategy === 'None' || spec.versions.length === 1) return undefined;
  return `conversion strategy ${strategy} is not supported by this server: serve one version, or versions that differ in name only (strategy None)`;
}

/** A name that another kind of the group has already. */
function nameClash(
  { kinds }: Context,
  spec: CrdSpec,
): { readonly reason: string; readonly message: string } | undefined {
  const others = kinds.all.filter(
    ({ group, plural }) => group === spec.group && plural !== spec.names.plural,
  );
  const { plural, singular = '', kind, listKind = '', shortNames = [] } = spec.names;
  const resourceNames = new Set(others.flatMap((each) => [each.plural, each.singular, ...each.shortNames]));
  const kindNames = new Set(others.flatMap((each) => [each.kind, each.listKind]));
  const checks: readonly (readonly [string, readonly string[], ReadonlySet<string>])[] = [
    ['PluralConflict', [plural], resourceNames],
    ['SingularConflict', [singular], resourceNames],
    ['ShortNamesConflict', shortNames, resourceNames],
    ['KindConflict', [kind], kindNames],
    ['ListKindConflict', [listKind], kindNames],
  ];
  for (const [reason, names, taken] of checks) {
    const found = names.find((name) => taken.has(name));
    if (found !== undefined) return { reason, message: `${JSON.stringify(found)} is already in use` };
  }
  return undefined;
}

/** The kinds that a stored CRD serves now: none until it is established. */
export function kindsServedBy(crd: KubeObject): readonly ServedKind[] {
  const status = crd['status'] as CrdStatus | undefined;
  const established = status?.conditions?.some(
    ({ type, status: value }) => type === 'Established' && value === 'True',
  );
  if (established !== true) return [];
  const spec = crd['spec'] as CrdSpec;
  const terminating = crd.metadata.deletionTimestamp !== undefined;
  return servedKindsOf(crd).value.map((kind) => {
    const version = spec.versions.find(({ name }) => name === kind.version);
    const selectableFields = (version?.selectableFields ?? []).map(({ jsonPath }) =>
      jsonPath.replace(/^\./, ''),
    );
    return { ...kind, selectableFields, ...(terminating ? { terminating } : {}) };
  });
}

/** Name of the table that holds a CRD's objects. */
export function tableOfCrd(crd: KubeObject): string {
  const spec = crd['spec'] as CrdSpec;
  return tableOf({ group: spec.group, plural: spec.names.plural });
}
