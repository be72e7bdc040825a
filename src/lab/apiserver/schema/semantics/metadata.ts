/** What every object's metadata must satisfy: names, labels, annotations, owners, finalizers. */
import type { FieldProblem } from '../../types.ts';
import { asText, isObject, type PlainObject } from '../plain.ts';
import { forbidden, indexed, invalid, required, tooLong } from '../problems.ts';
import type { AdmitOptions } from '../validate.ts';
import {
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  labelKeyProblem,
  labelValueProblem,
} from './names.ts';
import type { NameRule, Semantics } from './semantics.ts';

const annotationsLimit = 256 * 1024;

/** Problems of `metadata`; on updates also of what may not change (name, namespace, uid, creation time, deletion). */
export function checkMetadata(
  object: PlainObject,
  options: Pick<AdmitOptions, 'old' | 'operation'>,
  semantics: Semantics | undefined,
): readonly FieldProblem[] {
  const metadata = object.metadata;
  if (!isObject(metadata)) return [required('metadata', 'name or generateName is required')];
  const problems: FieldProblem[] = [...checkName(metadata, semantics?.name ?? 'subdomain')];
  problems.push(...checkLabels(metadata.labels, 'metadata.labels'));
  problems.push(...checkAnnotations(metadata.annotations));
  problems.push(...checkOwners(metadata.ownerReferences));
  for (const [i, finalizer] of list(metadata.finalizers).entries()) {
    const problem = typeof finalizer === 'string' ? labelKeyProblem(finalizer) : undefined;
    if (problem !== undefined) problems.push(invalid(indexed('metadata.finalizers', i), finalizer, problem));
  }
  const old = options.old?.metadata;
  if (isObject(old)) problems.push(...checkUnchanged(metadata, old));
  return problems;
}

function checkName(metadata: PlainObject, rule: NameRule): readonly FieldProblem[] {
  const { name, generateName } = metadata;
  if (typeof generateName === 'string' && generateName !== '') {
    const problem = nameProblem(`${generateName.replace(/-$/, '')}x`, rule);
    if (problem !== undefined) return [invalid('metadata.generateName', generateName, problem)];
  }
  if (name === undefined || name === '') {
    return generateName ? [] : [required('metadata.name', 'name or generateName is required')];
  }
  const problem = typeof name === 'string' ? nameProblem(name, rule) : undefined;
  return problem === undefined ? [] : [invalid('metadata.name', name, problem)];
}

const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com')";
const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc')";
const label1035Rule =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name', or 'abc-123')";

/** Why a name isn't one of its rule; `undefined` if it is. */
export function nameProblem(name: string, rule: NameRule): string | undefined {
  const limit = rule === 'label' || rule === 'label1035' ? 63 : 253;
  if (rule === 'path') {
    if (name === '.' || name === '..') return `may not be '${name}'`;
    const bad = ['/', '%'].find((each) => name.includes(each));
    return bad === undefined ? undefined : `may not contain '${bad}'`;
  }
  if (name.length > limit) return `must be no more than ${limit} characters`;
  if (rule === 'subdomain') return isDns1123Subdomain(name) ? undefined : subdomainRule;
  if (rule === 'label') return isDns1123Label(name) ? undefined : labelRule;
  return isDns1035Label(name) ? undefined : label1035Rule;
}

/** Problems of a label map; also for pod templates and selectors. */
export function checkLabels(labels: unknown, path: string): readonly FieldProblem[] {
  if (!isObject(labels)) return [];
  const problems: FieldProblem[] = [];
  for (const [key, value] of Object.entries(labels)) {
    const keyProblem = labelKeyProblem(key);
    if (keyProblem !== undefined) problems.push(invalid(path, key, keyProblem));
    const valueProblem = typeof value === 'string' ? labelValueProblem(value) : undefined;
    if (valueProblem !== undefined) problems.push(invalid(path, value, valueProblem));
  }
  return problems;
}

function checkAnnotations(annotations: unknown): readonly FieldProblem[] {
  if (!isObject(annotations)) return [];
  const problems: FieldProblem[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    const problem = labelKeyProblem(key.toLowerCase());
    if (problem !== undefined) problems.push(invalid('metadata.annotations', key, problem));
    size += Buffer.byteLength(key) + Buffer.byteLength(asText(value));
  }
  if (size > annotationsLimit) problems.push(tooLong('metadata.annotations', annotationsLimit));
  return problems;
}

function checkOwners(owners: unknown): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  let controllers = 0;
  for (const [i, owner] of list(owners).entries()) {
    if (!isObject(owner)) continue;
    const path = indexed('metadata.ownerReferences', i);
    for (const field of ['apiVersion', 'kind', 'name', 'uid']) {
      if (owner[field] === '') problems.push(invalid(`${path}.${field}`, '', 'must not be empty'));
    }
    if (owner.controller === true) controllers++;
  }
  if (controllers > 1) {
    problems.push(
      invalid('metadata.ownerReferences', owners, 'Only one reference can have Controller set to true'),
    );
  }
  return problems;
}

function checkUnchanged(metadata: PlainObject, old: PlainObject): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const field of ['name', 'namespace', 'uid', 'creationTimestamp']) {
    const now = metadata[field];
    if (now === undefined || now === null || old[field] === undefined || now === old[field]) continue;
    problems.push(invalid(`metadata.${field}`, now, 'field is immutable'));
  }
  if (old.deletionTimestamp !== undefined) {
    const before = new Set(list(old.finalizers));
    const added = list(metadata.finalizers).filter((each) => !before.has(each));
    if (added.length > 0) {
      problems.push(
        forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
        ),
      );
    }
  }
  return problems;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
