/**
 * Who looked at what: when something changes, exactly those are computed anew who looked at it last time. This is what makes the book
 * incremental without a second way to compute anything.
 *
 * A reader is a stage of the book and a key. A topic is any text that names what may change.
 */

export type Lookups = {
  /** Runs `compute`; what is noted meanwhile takes the place of what was noted for this reader before. */
  track<T>(stage: string, key: string, compute: () => T): T;
  /** Whoever is being computed looks at a topic. */
  note(topic: string): void;
  /** Everybody who looked at a topic is due. */
  touch(topic: string): void;
  mark(stage: string, key: string): void;
  /** Nothing is noted for the reader any more, nor is it due. */
  forget(stage: string, key: string): void;
  /** Keys of a stage that are due, sorted; they are due no longer. */
  take(stage: string): readonly string[];
  /** What references lead to that somebody looks at: topics of `referenceTopic`, without their beginning. */
  references(): ReadonlySet<string>;
};

const referenceBeginning = 'reference ';

/** Topic of a Secret or ConfigMap that an object names: `KIND/namespace/name`. */
export function referenceTopic(kind: string, key: string): string {
  return `${referenceBeginning}${kind}/${key}`;
}

type Reader = { readonly stage: string; readonly key: string; topics: Set<string> };

export function createLookups(): Lookups {
  const readers = new Map<string, Reader>();
  const byTopic = new Map<string, Set<Reader>>();
  const references = new Set<string>();
  const due = new Map<string, Set<string>>();
  /** Innermost last: computing one thing may ask for another that isn't computed yet. */
  const running: Reader[] = [];

  const leave = (reader: Reader, topics: Iterable<string>): void => {
    for (const topic of topics) {
      const those = byTopic.get(topic);
      those?.delete(reader);
      if (those?.size !== 0) continue;
      byTopic.delete(topic);
      if (topic.startsWith(referenceBeginning)) references.delete(topic.slice(referenceBeginning.length));
    }
  };
  const mark = (stage: string, key: string): void => {
    const keys = due.get(stage);
    if (keys === undefined) due.set(stage, new Set([key]));
    else keys.add(key);
  };

  return {
    track(stage, key, compute) {
      const id = `${stage} ${key}`;
      const reader = readers.get(id) ?? { stage, key, topics: new Set<string>() };
      readers.set(id, reader);
      const before = reader.topics;
      reader.topics = new Set();
      running.push(reader);
      try {
        return compute();
      } finally {
        running.pop();
        leave(
          reader,
          [...before].filter((topic) => !reader.topics.has(topic)),
        );
      }
    },
    note(topic) {
      const reader = running.at(-1);
      if (reader === undefined) return;
      reader.topics.add(topic);
      const those = byTopic.get(topic);
      if (those !== undefined) {
        those.add(reader);
        return;
      }
      byTopic.set(topic, new Set([reader]));
      if (topic.startsWith(referenceBeginning)) references.add(topic.slice(referenceBeginning.length));
    },
    touch(topic) {
      for (const { stage, key } of byTopic.get(topic) ?? []) mark(stage, key);
    },
    mark,
    forget(stage, key) {
      const reader = readers.get(`${stage} ${key}`);
      readers.delete(`${stage} ${key}`);
      if (reader !== undefined) leave(reader, reader.topics);
      due.get(stage)?.delete(key);
    },
    take(stage) {
      const keys = due.get(stage);
      due.delete(stage);
      return keys === undefined ? [] : [...keys].sort();
    },
    references: () => references,
  };
}
