/** Label and field selectors: parsed from query strings, matched against objects. */
import type { KubeObject, LabelSelector } from '#api/object.ts';
import { badRequest } from './errors.ts';
import type { ServedKind } from './types.ts';

export type Match = (object: KubeObject) => boolean;

type Labels = Readonly<Record<string, string>>;
type Requirement = (labels: Labels) => boolean;

/** A label named like a member of every object, such as `constructor`, is absent unless somebody set it. */
function labelValue(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/**
 * A label selector as in `labelSelector=`: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, `a>1`, `a<1`, joined
 * by commas (kubernetes.io/docs/concepts/overview/working-with-objects/labels). Throws a 400 StatusError.
 */
export function parseLabelSelector(text: string): (labels: Labels) => boolean {
  const requirements = splitOutsideParentheses(text).map(parseRequirement);
  return (labels) => requirements.every((requirement) => requirement(labels));
}

/** metav1.LabelSelector as a predicate; an empty selector matches everything. */
export function matchLabelSelector(selector: LabelSelector): (labels: Labels) => boolean {
  const pairs = Object.entries(selector.matchLabels ?? {});
  const expressions = selector.matchExpressions ?? [];
  return (labels) =>
    pairs.every(([key, value]) => labelValue(labels, key) === value) &&
    expressions.every(({ key, operator, values = [] }) => {
      const value = labelValue(labels, key);
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      const among = value !== undefined && values.includes(value);
      return operator === 'In' ? among : !among;
    });
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index <= text.length; index++) {
    const char = text[index];
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (char === undefined || (char === ',' && depth === 0)) {
      const part = text.slice(start, index).trim();
      if (part !== '') parts.push(part);
      start = index + 1;
    }
  }
  if (depth !== 0)
    throw badRequest(`unable to parse requirement: unbalanced parentheses in ${JSON.stringify(text)}`);
  return parts;
}

const keyPattern = '([A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?)';
const valuePattern = '([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|)';
const setForm = new RegExp(`^${keyPattern}\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const equalForm = new RegExp(`^${keyPattern}\\s*(==|=|!=)\\s*${valuePattern}$`);
const compareForm = new RegExp(`^${keyPattern}\\s*(>|<)\\s*(-?\\d+)$`);
const existsForm = new RegExp(`^(!?)\\s*${keyPattern}$`);

function parseRequirement(text: string): Requirement {
  const set = setForm.exec(text);
  if (set !== null) {
    const values = new Set(set[4]!.split(',').map((value) => value.trim()));
    const [, key, , operator] = set;
    return operator === 'in'
      ? (labels) => labelValue(labels, key!) !== undefined && values.has(labelValue(labels, key!)!)
      : (labels) => labelValue(labels, key!) === undefined || !values.has(labelValue(labels, key!)!);
  }
  const equal = equalForm.exec(text);
  if (equal !== null) {
    const [, key, , operator, value] = equal;
    return operator === '!='
      ? (labels) => labelValue(labels, key!) !== value
      : (labels) => labelValue(labels, key!) === value;
  }
  const comparison = compareForm.exec(text);
  if (comparison !== null) {
    const [, key, , operator, bound] = comparison;
    return (labels) => {
      const value = labelValue(labels, key!);
      if (value === undefined || !/^-?\d+$/.test(value)) return false;
      return operator === '>' ? Number(value) > Number(bound) : Number(value) < Number(bound);
    };
  }
  const exists = existsForm.exec(text);
  if (exists !== null) {
    const [, negated, key] = exists;
    return negated === '!'
      ? (labels) => labelValue(labels, key!) === undefined
      : (labels) => labelValue(labels, key!) !== undefined;
  }
  throw badRequest(`unable to parse requirement: ${JSON.stringify(text)} is no label selector requirement`);
}

export type FieldRequirement = { readonly path: string; readonly equal: boolean; readonly value: string };

/** Fields that a kind can be selected by, beside metadata.name and metadata.namespace. */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  '/pods': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  '/events': [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  'events.k8s.io/events': [
    'regarding.kind',
    'regarding.namespace',
    'regarding.name',
    'regarding.uid',
    'regarding.apiVersion',
    'regarding.resourceVersion',
    'regarding.fieldPath',
    'reason',
    'reportingController',
    'type',
  ],
  '/secrets': ['type'],
  '/services': ['spec.clusterIP', 'spec.type'],
  '/nodes': ['spec.unschedulable'],
  '/namespaces': ['status.phase'],
  'apps/replicasets': ['status.replicas'],
  'batch/jobs': ['status.successful'],
};

/**
 * A field selector as in `fieldSelector=`: `path=value`, `path==value`, `path!=value`, joined by commas; `\\`, `\,` and `\=` escape.
 * Throws a 400 StatusError for a path that the kind can't be selected by.
 */
export function parseFieldSelector(kind: ServedKind, text: string): readonly FieldRequirement[] {
  const known = [
    'metadata.name',
    ...(kind.namespaced ? ['metadata.namespace'] : []),
    ...(selectableFields[`${kind.group}/${kind.plural}`] ?? []),
    ...(kind.selectableFields ?? []),
  ];
  const parts = text.match(/(?:\\.|[^,\\])+/g) ?? [];
  return parts.map((part) => {
    const found = /^\s*([^=!\s]+)\s*(!=|==|=)([\s\S]*)$/.exec(part);
    if (found === null)
      throw badRequest(`invalid field selector ${JSON.stringify(part)}; can't understand it`);
    const [, path, operator, value] = found;
    if (!known.includes(path!)) throw badRequest(`field label not supported: ${path}`);
    return { path: path!, equal: operator !== '!=', value: value!.replace(/\\(.)/g, '$1') };
  });
}

export function matchFields(requirements: readonly FieldRequirement[]): Match {
  return (object) =>
    requirements.every(({ path, equal, value }) => (fieldText(object, path) === value) === equal);
}

function fieldText(object: KubeObject, path: string): string {
  if (path === 'source') return fieldText(object, 'source.component');
  let value: unknown = object;
  for (const step of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[step];
  if (path === 'spec.unschedulable' || path === 'spec.hostNetwork') return String(value === true);
  return value === undefined || value === null ? '' : String(value as string);
}
