/** Many selectors of pods, asked at once: a pod is compared only with those whose most restrictive requirement it meets. */
import type { PodModel } from '#model/pod.ts';
import type { PodsSelector } from '#model/policy.ts';
import { type Labels, selects } from '#model/selector.ts';
import { podsText } from './features.ts';

export type SelectorIndex<T> = {
  /** Equal selectors are kept, and compared, once. */
  readonly add: (selector: PodsSelector, value: T) => void;
  readonly remove: (selector: PodsSelector, value: T) => void;
  /** All values whose selector takes the pod; `outer`: labels of its namespace. */
  readonly taking: (pod: SelectedPod, outer: Labels) => T[];
};

export type SelectedPod = Pick<PodModel, 'namespace' | 'labels'>;

type LabelSelector = Exclude<PodsSelector['namespaces'], string>;

type Entry<T> = { readonly selector: PodsSelector; readonly values: Set<T> };

/** Entries by the label that they require, or without one. */
type Shelf<T> = {
  readonly all: Set<Entry<T>>;
  /** By key; within, by value, and those to whom any value is right. */
  readonly keys: Map<string, { readonly any: Set<Entry<T>>; readonly values: Map<string, Set<Entry<T>>> }>;
};

export function createSelectorIndex<T>(): SelectorIndex<T> {
  const entries = new Map<string, Entry<T>>();
  /** Of selectors that name a namespace; that require a label of pods; that require nothing of pods, by what they do of namespaces. */
  const places = new Map<string, Shelf<T>>();
  const inner = emptyShelf<T>();
  const outer = emptyShelf<T>();

  const put = (entry: Entry<T>, present: boolean): void => {
    const { namespaces, pods } = entry.selector;
    const needed = pods === undefined ? undefined : required(pods);
    if (typeof namespaces === 'string') {
      const shelf = places.get(namespaces) ?? emptyShelf<T>();
      places.set(namespaces, shelf);
      shelve(shelf, entry, needed, present);
      if (shelf.all.size === 0 && shelf.keys.size === 0) places.delete(namespaces);
    } else if (needed !== undefined) shelve(inner, entry, needed, present);
    else shelve(outer, entry, required(namespaces), present);
  };

  return {
    add(selector, value) {
      const text = podsText(selector);
      const known = entries.get(text);
      if (known !== undefined) {
        known.values.add(value);
        return;
      }
      const entry = { selector, values: new Set([value]) };
      entries.set(text, entry);
      put(entry, true);
    },
    remove(selector, value) {
      const text = podsText(selector);
      const entry = entries.get(text);
      if (entry === undefined || !entry.values.delete(value) || entry.values.size > 0) return;
      entries.delete(text);
      put(entry, false);
    },
    taking(pod, labels) {
      const found: T[] = [];
      const compare = (some: Iterable<Entry<T>>): void => {
        for (const { selector, values } of some)
          if (matches(selector, pod, labels)) for (const value of values) found.push(value);
      };
      const place = places.get(pod.namespace);
      if (place !== undefined) visit(place, pod.labels, compare);
      visit(inner, pod.labels, compare);
      visit(outer, labels, compare);
      return found;
    },
  };
}

/** Of pods that have an address of their own; whether this one has is for the caller to know. */
export function matches(selector: PodsSelector, pod: SelectedPod, outer: Labels): boolean {
  const { namespaces, pods } = selector;
  return (
    (typeof namespaces === 'string' ? namespaces === pod.namespace : selects(namespaces, outer)) &&
    (pods === undefined || selects(pods, pod.labels))
  );
}

/** A label that a selector requires: with one of these values, or with any. */
type Required = { readonly key: string; readonly values?: readonly string[] };

function required({ matchLabels = {}, matchExpressions = [] }: LabelSelector): Required | undefined {
  const [equal] = Object.entries(matchLabels);
  if (equal !== undefined) return { key: equal[0], values: [equal[1]] };
  const among = matchExpressions.find(({ operator }) => operator === 'In');
  if (among !== undefined) return { key: among.key, values: among.values ?? [] };
  const present = matchExpressions.find(({ operator }) => operator === 'Exists');
  return present === undefined ? undefined : { key: present.key };
}

function emptyShelf<T>(): Shelf<T> {
  return { all: new Set(), keys: new Map() };
}

/** Under each value that it may have: a pod has one at most, so that no entry is met twice. */
function shelve<T>(
  { all, keys }: Shelf<T>,
  entry: Entry<T>,
  needed: Required | undefined,
  present: boolean,
): void {
  if (needed === undefined) {
    if (present) all.add(entry);
    else all.delete(entry);
    return;
  }
  const under = keys.get(needed.key) ?? { any: new Set(), values: new Map<string, Set<Entry<T>>>() };
  keys.set(needed.key, under);
  if (needed.values === undefined) {
    if (present) under.any.add(entry);
    else under.any.delete(entry);
  }
  for (const value of needed.values ?? []) {
    const inside = under.values.get(value) ?? new Set();
    if (present) under.values.set(value, inside.add(entry));
    else if (inside.delete(entry) && inside.size === 0) under.values.delete(value);
  }
  if (under.any.size === 0 && under.values.size === 0) keys.delete(needed.key);
}

function visit<T>(
  { all, keys }: Shelf<T>,
  labels: Labels,
  compare: (some: Iterable<Entry<T>>) => void,
): void {
  if (all.size > 0) compare(all);
  if (keys.size === 0) return;
  for (const [key, value] of Object.entries(labels)) {
    const under = keys.get(key);
    if (under === undefined) continue;
    if (under.any.size > 0) compare(under.any);
    const inside = under.values.get(value);
    if (inside !== undefined) compare(inside);
  }
}
