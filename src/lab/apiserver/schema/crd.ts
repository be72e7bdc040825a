/** What a CustomResourceDefinition serves: one kind for each served version, or the reasons why it is refused. */
import type { KubeObject } from '#api/object.ts';
import type { FieldProblem, PrinterColumn, ScalePaths, Schema, ServedKind } from '../types.ts';
import { rulesProblems } from './cel/compile.ts';
import { asText, isObject, type PlainObject } from './plain.ts';
import { child, duplicate, indexed, invalid, notSupported, required } from './problems.ts';
import { isDns1035Label, isDns1123Subdomain } from './semantics/names.ts';
import { structuralProblems } from './structural.ts';

export type ServedKinds = {
  readonly value: readonly ServedKind[];
  readonly problems: readonly FieldProblem[];
};

const known = new WeakMap<KubeObject, ServedKinds>();

/**
 * Every served version as a kind, storage version named. With problems the CRD must be refused; `value` is then empty.
 * Schemas are checked to be structural, patterns, defaults and CEL rules to compile; each problem names its field.
 */
export function servedKindsOf(crd: KubeObject): ServedKinds {
  let made = known.get(crd);
  if (made === undefined) {
    made = read(crd);
    known.set(crd, made);
  }
  return made;
}

function read(crd: KubeObject): ServedKinds {
  const spec = isObject(crd.spec) ? crd.spec : {};
  const problems: FieldProblem[] = [...namesProblems(crd, spec)];
  const versions = (Array.isArray(spec.versions) ? spec.versions : []).filter(isObject);
  problems.push(...versionsProblems(versions));
  for (const [i, version] of versions.entries()) {
    problems.push(...versionProblems(version, indexed('spec.versions', i)));
  }
  if (spec.preserveUnknownFields === true) {
    problems.push(
      invalid(
        'spec.preserveUnknownFields',
        true,
        'must be false in order to use defaults in the schema, and v1 has no other',
      ),
    );
  }
  if (problems.length > 0) return { value: [], problems };
  const storage = versions.find((version) => version.storage === true)!;
  const served = versions.filter((version) => version.served === true);
  return { value: served.map((version) => servedKind(spec, version, asText(storage.name))), problems: [] };
}

function servedKind(spec: PlainObject, version: PlainObject, storageVersion: string): ServedKind {
  const names = spec.names as PlainObject;
  const subresources = isObject(version.subresources) ? version.subresources : {};
  const kind = asText(names.kind);
  const webhook = isObject(spec.conversion) && spec.conversion.strategy === 'Webhook';
  const warning = webhook
    ? 'this server does not call conversion webhooks: versions of this kind differ in apiVersion only'
    : version.deprecated === true
      ? asText(
          version.deprecationWarning ?? `${asText(spec.group)}/${asText(version.name)} ${kind} is deprecated`,
        )
      : undefined;
  return {
    group: asText(spec.group),
    version: asText(version.name),
    kind,
    plural: asText(names.plural),
    singular: asText(names.singular || kind.toLowerCase()),
    listKind: asText(names.listKind || `${kind}List`),
    shortNames: (names.shortNames ?? []) as readonly string[],
    categories: (names.categories ?? []) as readonly string[],
    namespaced: spec.scope === 'Namespaced',
    storageVersion,
    schema: (version.schema as PlainObject).openAPIV3Schema as Schema,
    hasStatus: subresources.status !== undefined,
    ...(isObject(subresources.scale) ? { scale: subresources.scale as ScalePaths } : {}),
    columns: columnsOf(version),
    fromCrd: true,
    ...(warning === undefined ? {} : { warning }),
  };
}

function columnsOf(version: PlainObject): readonly PrinterColumn[] {
  const given = (version.additionalPrinterColumns ?? []) as readonly PrinterColumn[];
  if (given.length > 0) return given.map((column) => ({ ...column, priority: column.priority ?? 0 }));
  return [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', priority: 0 }];
}

function namesProblems(crd: KubeObject, spec: PlainObject): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const names = isObject(spec.names) ? spec.names : {};
  const group = asText(spec.group ?? '');
  if (group === '') problems.push(required('spec.group'));
  else if (!isDns1123Subdomain(group))
    problems.push(invalid('spec.group', group, 'must be a lowercase RFC 1123 subdomain'));
  else if (!group.includes('.'))
    problems.push(invalid('spec.group', group, 'should be a domain with at least one dot'));
  if (spec.scope !== 'Cluster' && spec.scope !== 'Namespaced') {
    problems.push(
      spec.scope ? notSupported('spec.scope', spec.scope, ['Cluster', 'Namespaced']) : required('spec.scope'),
    );
  }
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) {
    const name = names[field];
    if (name === undefined || name === '') {
      if (field === 'plural' || field === 'kind') problems.push(required(`spec.names.${field}`));
    } else if (
      !isDns1035Label(asText(name).toLowerCase()) ||
      ((field === 'plural' || field === 'singular') && name !== asText(name).toLowerCase())
    ) {
      problems.push(
        invalid(
          `spec.names.${field}`,
          name,
          "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
        ),
      );
    }
  }
  for (const field of ['shortNames', 'categories'] as const) {
    for (const [i, name] of ((names[field] ?? []) as readonly unknown[]).entries()) {
      if (typeof name !== 'string' || !isDns1035Label(name)) {
        problems.push(invalid(indexed(`spec.names.${field}`, i), name, 'must be a DNS-1035 label'));
      }
    }
  }
  if (names.kind !== undefined && names.kind === names.listKind) {
    problems.push(invalid('spec.names.listKind', names.listKind, 'kind and listKind may not be the same'));
  }
  const wanted = `${asText(names.plural)}.${group}`;
  if (crd.metadata?.name !== undefined && crd.metadata.name !== wanted) {
    problems.push(invalid('metadata.name', crd.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  }
  return [...problems, ...approvalProblems(crd, group)];
}

/** Groups of the project itself need an approval, so that nobody squats on them. */
function approvalProblems(crd: KubeObject, group: string): readonly FieldProblem[] {
  const isProtected = /(?:^|\.)(?:k8s\.io|kubernetes\.io)$/.test(group);
  const key = 'api-approved.kubernetes.io';
  if (!isProtected) return [];
  const text = crd.metadata?.annotations?.[key];
  const at = `metadata.annotations[${key}]`;
  if (text === undefined || text === '') {
    return [
      required(
        at,
        `protected groups must have approval annotation "${key}", see https://github.com/kubernetes/enhancements/pull/1111`,
      ),
    ];
  }
  if (text.startsWith('unapproved') || URL.canParse(text)) return [];
  return [
    invalid(
      at,
      text,
      `protected groups must have approval annotation "${key}" with either a URL or a reason starting with "unapproved"`,
    ),
  ];
}

function versionsProblems(versions: readonly PlainObject[]): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (versions.length === 0)
    return [required('spec.versions', 'must have exactly one version marked as storage version')];
  if (versions.filter((version) => version.storage === true).length !== 1) {
    problems.push(
      invalid(
        'spec.versions',
        versions.map((version) => version.name),
        'must have exactly one version marked as storage version',
      ),
    );
  }
  const seen = new Set<unknown>();
  for (const [i, { name }] of versions.entries()) {
    const at = child(indexed('spec.versions', i), 'name');
    if (seen.has(name)) problems.push(duplicate(at, name));
    if (typeof name !== 'string' || !isDns1035Label(name))
      problems.push(invalid(at, name, 'must be a DNS-1035 label'));
    seen.add(name);
  }
  return problems;
}

function versionProblems(version: PlainObject, path: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const [i, column] of ((version.additionalPrinterColumns ?? []) as readonly PlainObject[]).entries()) {
    const at = indexed(child(path, 'additionalPrinterColumns'), i);
    for (const field of ['name', 'jsonPath', 'type'])
      if (!column[field]) problems.push(required(child(at, field)));
    const types = ['boolean', 'date', 'integer', 'number', 'string'];
    if (column.type && !types.includes(asText(column.type)))
      problems.push(notSupported(child(at, 'type'), column.type, types));
    if (column.jsonPath && !/^[.[{]/.test(asText(column.jsonPath))) {
      problems.push(
        invalid(child(at, 'jsonPath'), column.jsonPath, 'must be a simple json path starting with .'),
      );
    }
  }
  problems.push(...scaleProblems(version, path));
  const at = child(path, 'schema.openAPIV3Schema');
  const schema = isObject(version.schema) ? version.schema.openAPIV3Schema : undefined;
  if (!isObject(schema)) return [...problems, required(at, 'schemas are required')];
  const structural = structuralProblems(schema as Schema, at);
  // Rules are typed by the schema, so they say nothing while the schema itself is wrong.
  return [
    ...problems,
    ...structural,
    ...(structural.length === 0 ? rulesProblems(schema as Schema, at) : []),
  ];
}

function scaleProblems(version: PlainObject, path: string): readonly FieldProblem[] {
  const subresources = version.subresources;
  if (!isObject(subresources) || !isObject(subresources.scale)) return [];
  const at = child(path, 'subresources.scale');
  const problems: FieldProblem[] = [];
  const roots = {
    specReplicasPath: ['.spec.'],
    statusReplicasPath: ['.status.'],
    labelSelectorPath: ['.spec.', '.status.'],
  };
  for (const [field, prefixes] of Object.entries(roots)) {
    const text = subresources.scale[field];
    if (text === undefined || text === '') {
      if (field !== 'labelSelectorPath') problems.push(required(child(at, field)));
    } else if (
      !prefixes.some((prefix) => asText(text).startsWith(prefix)) ||
      !/^(?:\.[A-Za-z_][\w-]*)+$/.test(asText(text))
    ) {
      problems.push(
        invalid(
          child(at, field),
          text,
          `should be a json path under ${prefixes.map((each) => each.slice(0, -1)).join(' or ')}`,
        ),
      );
    }
  }
  return problems;
}
