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

type Entry<T> = {
  readonly selector: PodsSelector;
  readonly buckets: readonly string[];
  readonly values: Set<T>;
};

const everyPod = '*';

export function createSelectorIndex<T>(): SelectorIndex<T> {
  const entries = new Map<string, Entry<T>>();
  const buckets = new Map<string, Set<Entry<T>>>();

  return {
    add(selector, value) {
      const text = podsText(selector);
      const known = entries.get(text);
      if (known !== undefined) {
        known.values.add(value);
        return;
      }
      const entry = { selector, buckets: bucketsOf(selector), values: new Set([value]) };
      entries.set(text, entry);
      for (const bucket of entry.buckets) {
        const inside = buckets.get(bucket) ?? new Set();
        buckets.set(bucket, inside.add(entry));
      }
    },
    remove(selector, value) {
      const text = podsText(selector);
      const entry = entries.get(text);
      if (entry === undefined || !entry.values.delete(value) || entry.values.size > 0) return;
      entries.delete(text);
      for (const bucket of entry.buckets) {
        const inside = buckets.get(bucket);
        inside?.delete(entry);
        if (inside?.size === 0) buckets.delete(bucket);
      }
    },
    taking(pod, outer) {
      const found: T[] = [];
      for (const bucket of questions(pod, outer))
        for (const { selector, values } of buckets.get(bucket) ?? [])
          if (matches(selector, pod, outer)) found.push(...values);
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

/** A pod meets at most one of the buckets of a selector, so that no selector is found twice. */
function bucketsOf({ namespaces, pods }: PodsSelector): readonly string[] {
  const inner = pods === undefined ? undefined : required(pods);
  const place = typeof namespaces === 'string' ? namespaces : undefined;
  if (place !== undefined)
    return inner === undefined ? [`n ${place}`] : inner.map((each) => `n ${place} ${each}`);
  if (inner !== undefined) return inner.map((each) => `p ${each}`);
  const outer = required(namespaces as LabelSelector);
  return outer === undefined ? [everyPod] : outer.map((each) => `o ${each}`);
}

/** One label with the values that it may have; `undefined`: no label is required. */
function required({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string[] | undefined {
  const [equal] = Object.entries(matchLabels);
  if (equal !== undefined) return [equal.join('=')];
  const among = matchExpressions.find(({ operator }) => operator === 'In');
  if (among !== undefined) return [...new Set(among.values ?? [])].map((value) => `${among.key}=${value}`);
  const present = matchExpressions.find(({ operator }) => operator === 'Exists');
  return present === undefined ? undefined : [present.key];
}

function* questions({ namespace, labels }: SelectedPod, outer: Labels): Generator<string> {
  yield everyPod;
  yield `n ${namespace}`;
  for (const each of requirements(labels)) {
    yield `n ${namespace} ${each}`;
    yield `p ${each}`;
  }
  for (const each of requirements(outer)) yield `o ${each}`;
}

function* requirements(labels: Labels): Generator<string> {
  for (const [key, value] of Object.entries(labels)) {
    yield `${key}=${value}`;
    yield key;
  }
}
