/** Sets of field paths, as managedFields hold them (FieldsV1). */
import { canonical, isObject, type PlainObject, put } from '../schema/plain.ts';

/**
 * A trie. Elements are written as in FieldsV1: `f:name` (a field or a map's key), `k:{…}` (an item of a map list),
 * `v:…` (an item of a set). `members` are elements in the set themselves, `children` have more below them.
 */
export type FieldSet = {
  readonly members: ReadonlySet<string>;
  readonly children: ReadonlyMap<string, FieldSet>;
};

export const emptySet: FieldSet = { members: new Set(), children: new Map() };

/** A set of these members and children; children that are empty don't count. */
export function fieldSet(
  members: Iterable<string>,
  children: Iterable<readonly [string, FieldSet]>,
): FieldSet {
  const kept = [...children].filter(([, child]) => !isEmpty(child));
  return { members: new Set(members), children: new Map(kept) };
}

export function isEmpty(set: FieldSet): boolean {
  return set.members.size === 0 && set.children.size === 0;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return fieldSet(
    [...a.members, ...b.members],
    eachChild([a, b], (element) => union(below(a, element), below(b, element))),
  );
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const members = [...a.members].filter((each) => b.members.has(each));
  return fieldSet(
    members,
    eachChild([a], (element) => intersection(below(a, element), below(b, element))),
  );
}

/** What is in `a` and not in `b`; a path in `b` takes only itself away, not what is below it. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  const members = [...a.members].filter((each) => !b.members.has(each));
  return fieldSet(
    members,
    eachChild([a], (element) => difference(below(a, element), below(b, element))),
  );
}

/** As `difference`, but a path in `b` takes all below it away as well. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  const members = [...a.members].filter((each) => !b.members.has(each));
  const children = eachChild([a], (element) =>
    b.members.has(element) ? emptySet : recursiveDifference(below(a, element), below(b, element)),
  );
  return fieldSet(members, children);
}

export function sameSet(a: FieldSet, b: FieldSet): boolean {
  return isEmpty(difference(a, b)) && isEmpty(difference(b, a));
}

/** The set below an element; empty when there is none. */
export function below(set: FieldSet, element: string): FieldSet {
  return set.children.get(element) ?? emptySet;
}

function eachChild(
  sets: readonly FieldSet[],
  make: (element: string) => FieldSet,
): readonly (readonly [string, FieldSet])[] {
  const elements = new Set(sets.flatMap((each) => [...each.children.keys()]));
  return [...elements].map((element) => [element, make(element)] as const);
}

/** Every path of the set as its elements, parents before children. */
export function paths(set: FieldSet, prefix: readonly string[] = []): readonly (readonly string[])[] {
  const elements = [...new Set([...set.members, ...set.children.keys()])].sort();
  return elements.flatMap((element) => {
    const path = [...prefix, element];
    return [...(set.members.has(element) ? [path] : []), ...paths(below(set, element), path)];
  });
}

/** As conflicts print paths: `.spec.containers[name="a"].image`. */
export function pathText(path: readonly string[]): string {
  return path
    .map((element) => {
      const text = element.slice(2);
      if (element.startsWith('f:')) return `.${text}`;
      if (element.startsWith('v:')) return `[=${text}]`;
      if (element.startsWith('i:')) return `[${text}]`;
      const key = JSON.parse(text) as PlainObject;
      const parts = Object.keys(key).sort();
      return `[${parts.map((each) => `${each}=${JSON.stringify(key[each])}`).join(',')}]`;
    })
    .join('');
}

/** FieldsV1 JSON: elements sorted; `.` marks a member that has children. */
export function formatFields(set: FieldSet): PlainObject {
  const out: Record<string, unknown> = {};
  for (const element of [...new Set([...set.members, ...set.children.keys()])].sort()) {
    const inner = formatFields(below(set, element));
    const marked = set.members.has(element) && set.children.has(element);
    put(out, element, marked ? { '.': {}, ...inner } : inner);
  }
  return out;
}

/** Reads FieldsV1 JSON; `undefined` if it isn't. Keys are brought into canonical form, so that equal keys are one element. */
export function parseFields(json: unknown): FieldSet | undefined {
  if (!isObject(json)) return undefined;
  const members: string[] = [];
  const children: (readonly [string, FieldSet])[] = [];
  for (const [raw, value] of Object.entries(json)) {
    if (raw === '.') continue;
    const element = canonicalElement(raw);
    if (element === undefined || !isObject(value)) return undefined;
    const child = parseFields(value);
    if (child === undefined) return undefined;
    if (isEmpty(child) || Object.hasOwn(value, '.')) members.push(element);
    children.push([element, child]);
  }
  return fieldSet(members, children);
}

function canonicalElement(element: string): string | undefined {
  if (element.startsWith('f:') || /^i:\d+$/.test(element)) return element;
  if (!element.startsWith('k:') && !element.startsWith('v:')) return undefined;
  try {
    return element.slice(0, 2) + canonical(JSON.parse(element.slice(2)));
  } catch {
    return undefined;
  }
}
