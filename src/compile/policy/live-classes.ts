/** The pods of one node and the policies that select them, change by change: who is in which class. */
import type { PolicyRowIntent } from '#intent/policy.ts';
import type { NamedPort, PodModel } from '#model/pod.ts';
import type { PolicyDirection, PolicyModel } from '#model/policy.ts';
import type { Labels } from '#model/selector.ts';
import { classIn, openBook, type PolicyBook } from './book.ts';
import { directions } from './classes.ts';
import { overflowClass, type PolicyLimits } from './limits.ts';
import { createNumbers } from './numbers.ts';
import { inOrder } from './order.ts';
import { createSelectorIndex, matches } from './selector-index.ts';

/** As PolicyClass; what its policies say may change while it stays. */
export type LiveClass = {
  readonly key: string;
  readonly number: number;
  readonly direction: PolicyDirection;
  readonly ports: readonly NamedPort[];
  readonly itself: readonly PolicyRowIntent[];
  /** Absent: of pods for which no number was left. */
  book?: PolicyBook;
  /** Keys of its pods. */
  readonly members: Set<string>;
};

export type Placed = { readonly [D in PolicyDirection]?: LiveClass };

export type LiveClasses = {
  readonly setPolicy: (key: string, policy: PolicyModel | undefined) => void;
  /** Of the node, and with a network of its own. */
  readonly setLocal: (key: string, pod: PodModel | undefined) => void;
  /** The pod's namespace has other labels. */
  readonly askAgain: (key: string) => void;
  readonly local: (key: string) => PodModel | undefined;
  readonly placed: (key: string) => Placed | undefined;
  /** Whether there are pods for whose class no number was left. */
  readonly refuses: () => boolean;
  readonly settle: () => ClassChanges;
};

export type ClassChanges = {
  /** Pods whose entry may be another. */
  readonly pods: ReadonlySet<string>;
  /** New, or of other policies than before. */
  readonly changed: ReadonlySet<LiveClass>;
  readonly gone: ReadonlySet<LiveClass>;
};

export function createLiveClasses(
  limits: PolicyLimits,
  labelsOf: (namespace: string) => Labels,
): LiveClasses {
  const policies = new Map<string, PolicyModel>();
  const subjects = createSelectorIndex<string>();
  const locals = new Map<string, { readonly pod: PodModel; selecting: Set<string> }>();
  const placed = new Map<string, Placed>();
  const classes = new Map<string, LiveClass>();
  const numbers = createNumbers(1, limits.lastClass - directions.length);
  const beyond = directions.map((direction): LiveClass => {
    const number = overflowClass(direction, limits);
    return { key: `beyond ${direction}`, number, direction, ports: [], itself: [], members: new Set() };
  });
  /** Pods to compare with all policies; policies to compare with all other pods. */
  const unasked = new Set<string>();
  const edited = new Set<string>();

  /** Adds the pods that have other policies than before, or the same with other words. */
  const select = (dirty: Set<string>): void => {
    for (const key of unasked) {
      dirty.add(key);
      const local = locals.get(key);
      if (local === undefined) continue;
      local.selecting = new Set(subjects.taking(local.pod, labelsOf(local.pod.namespace)));
    }
    for (const [key, local] of edited.size === 0 ? [] : locals) {
      if (unasked.has(key)) continue;
      const labels = labelsOf(local.pod.namespace);
      for (const policyKey of edited) {
        const subject = policies.get(policyKey)?.subject;
        const takes = subject !== undefined && matches(subject, local.pod, labels);
        if (!takes && !local.selecting.has(policyKey)) continue;
        if (takes) local.selecting.add(policyKey);
        else local.selecting.delete(policyKey);
        dirty.add(key);
      }
    }
    unasked.clear();
    edited.clear();
  };

  /** `books`: pods with equal labels have equal policies. */
  const booksFor = (
    { pod, selecting }: { readonly pod: PodModel; readonly selecting: ReadonlySet<string> },
    books: Map<string, readonly PolicyBook[]>,
  ): readonly PolicyBook[] => {
    const key = JSON.stringify([pod.namespace, pod.labels]);
    const known = books.get(key);
    if (known !== undefined) return known;
    const ordered = inOrder([...selecting].flatMap((each) => policies.get(each) ?? []));
    const own = directions.flatMap((direction) => openBook(direction, ordered) ?? []);
    books.set(key, own);
    return own;
  };

  const place = (key: string, books: Map<string, readonly PolicyBook[]>, changed: Set<LiveClass>): Placed => {
    const local = locals.get(key);
    if (local === undefined) return {};
    const { pod } = local;
    const labels = labelsOf(pod.namespace);
    const entries = booksFor(local, books).map((book) => {
      const { policies: _, ...own } = classIn(book, pod, (selector) => matches(selector, pod, labels));
      const known = classes.get(own.key);
      if (known !== undefined) {
        if (isEdited(known.book, book)) {
          known.book = book;
          changed.add(known);
        }
        return [book.direction, known] as const;
      }
      const number = numbers.take(own.key);
      const fresh: LiveClass =
        number === undefined
          ? beyond[directions.indexOf(book.direction)]!
          : { ...own, number, book, members: new Set<string>() };
      if (number !== undefined) classes.set(own.key, fresh);
      if (fresh.members.size === 0) changed.add(fresh);
      return [book.direction, fresh] as const;
    });
    return Object.fromEntries(entries);
  };

  return {
    setPolicy(key, policy) {
      const before = policies.get(key);
      if (before !== undefined) subjects.remove(before.subject, key);
      if (policy === undefined) policies.delete(key);
      else {
        policies.set(key, policy);
        subjects.add(policy.subject, key);
      }
      edited.add(key);
    },
    setLocal(key, pod) {
      if (pod === undefined && !locals.has(key)) return;
      if (pod === undefined) locals.delete(key);
      else locals.set(key, { pod, selecting: new Set() });
      unasked.add(key);
    },
    askAgain(key) {
      if (locals.has(key)) unasked.add(key);
    },
    local: (key) => locals.get(key)?.pod,
    placed: (key) => placed.get(key),
    refuses: () => beyond.some(({ members }) => members.size > 0),
    settle() {
      const dirty = new Set(beyond.flatMap(({ members }) => [...members]));
      const changed = new Set<LiveClass>();
      const left = new Set<LiveClass>();
      const books = new Map<string, readonly PolicyBook[]>();
      select(dirty);
      for (const key of dirty) {
        const before = Object.values(placed.get(key) ?? {});
        const now = place(key, books, changed);
        const after = Object.values(now);
        for (const each of after) each.members.add(key);
        for (const each of before.filter((old) => !after.includes(old))) {
          each.members.delete(key);
          left.add(each);
        }
        if (after.length === 0) placed.delete(key);
        else placed.set(key, now);
      }
      const gone = new Set([...left].filter(({ members }) => members.size === 0));
      for (const each of gone) {
        changed.delete(each);
        if (each.book === undefined) continue;
        classes.delete(each.key);
        numbers.release(each.key);
      }
      numbers.settle();
      return { pods: dirty, changed, gone };
    },
  };
}

/** Both are of the same policies by key. */
function isEdited(before: PolicyBook | undefined, after: PolicyBook): boolean {
  return before !== after && after.policies.some((policy, index) => policy !== before?.policies[index]);
}
