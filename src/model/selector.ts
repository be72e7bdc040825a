/** Label selectors (metav1.LabelSelector). */
import type { LabelSelector } from '#api/object.ts';
import type { PodsSelector } from './policy.ts';
import type { Refuse } from './problem.ts';
import { rawOf, shown, strangersOf } from './raw.ts';

export type Labels = Readonly<Record<string, string>>;

/** Whether all requirements of a selector hold. An empty selector takes everything, an absent one nothing. */
export function selects(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (selector === undefined) return false;
  const equal = Object.entries(selector.matchLabels ?? {}).every(
    ([key, value]) => labelOf(labels, key) === value,
  );
  return equal && (selector.matchExpressions ?? []).every((expression) => holds(expression, labels));
}

/**
 * A selector that nobody has checked, such as one of a CustomResourceDefinition without rules for it. Undefined when it is none: half
 * of a selector takes more than its author means.
 */
export function readSelector(value: unknown, field: string, refuse: Refuse): LabelSelector | undefined {
  const bad = (where: string, message: string) => refuse(where, 'InvalidSelector', message);
  const raw = rawOf(value);
  if (raw === undefined) return bad(field, `${shown(value)} is no label selector`);
  const [stranger] = strangersOf(raw, ['matchLabels', 'matchExpressions']);
  if (stranger !== undefined) return bad(`${field}.${stranger}`, 'is no field of a label selector');
  const labels = rawOf(raw['matchLabels'] ?? {});
  if (
    labels === undefined ||
    !Object.entries(labels).every(([key, label]) => isLabelKey(key) && isLabelValue(label))
  )
    return bad(`${field}.matchLabels`, `${shown(raw['matchLabels'])} are no labels`);
  const expressions: unknown = raw['matchExpressions'] ?? [];
  if (!Array.isArray(expressions))
    return bad(`${field}.matchExpressions`, `${shown(expressions)} is no list of requirements`);
  const read = expressions.map((each, index) =>
    readRequirement(each, `${field}.matchExpressions[${index}]`, bad),
  );
  if (read.includes(undefined)) return undefined;
  return {
    ...(Object.keys(labels).length === 0 ? {} : { matchLabels: labels as Labels }),
    ...(read.length === 0 ? {} : { matchExpressions: read as Requirement[] }),
  };
}

type Requirement = NonNullable<LabelSelector['matchExpressions']>[number];

function readRequirement(
  value: unknown,
  field: string,
  bad: (where: string, message: string) => undefined,
): Requirement | undefined {
  const { key, operator, values: given } = rawOf(value) ?? {};
  const values: unknown = given ?? [];
  if (typeof key !== 'string' || !isLabelKey(key)) return bad(`${field}.key`, `${shown(key)} names no label`);
  if (!Array.isArray(values) || !values.every(isLabelValue))
    return bad(`${field}.values`, `${shown(values)} is no list of labels' values`);
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) return bad(`${field}.values`, `is empty; ${operator} needs a value`);
      return { key, operator, values };
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) return bad(`${field}.values`, `must be empty with ${operator}`);
      return { key, operator };
    default:
      return bad(
        `${field}.operator`,
        `${shown(operator)} is no operator; write In, NotIn, Exists or DoesNotExist`,
      );
  }
}

const labelText = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const domain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Whether a label can be called so: a name, before it perhaps a DNS name and a slash. */
export function isLabelKey(text: string): boolean {
  const slash = text.lastIndexOf('/');
  const prefix = text.slice(0, Math.max(slash, 0));
  return (
    labelText.test(text.slice(slash + 1)) && (slash === -1 || (prefix.length <= 253 && domain.test(prefix)))
  );
}

export function isLabelValue(value: unknown): value is string {
  return typeof value === 'string' && (value === '' || labelText.test(value));
}

/** Pods with all labels are simply all pods. */
export function podsOf(namespaces: PodsSelector['namespaces'], pods: LabelSelector): PodsSelector {
  const all = pods.matchLabels === undefined && pods.matchExpressions === undefined;
  return all ? { namespaces } : { namespaces, pods };
}

function holds(expression: NonNullable<LabelSelector['matchExpressions']>[number], labels: Labels): boolean {
  const value = labelOf(labels, expression.key);
  switch (expression.operator) {
    case 'In':
      return value !== undefined && (expression.values ?? []).includes(value);
    case 'NotIn':
      return value === undefined || !(expression.values ?? []).includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** Labels come from tenants: `constructor` is a valid key and must not find Object's. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
