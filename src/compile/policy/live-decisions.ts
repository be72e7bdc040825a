/** Decisions of classes for identities, change by change: a class is compared only with identities that have what its rules ask for. */
import { type PolicyDecisionIntent, type PolicyRowIntent, policyIdentities } from '#intent/policy.ts';
import { rowsFor } from './book.ts';
import { decisionKey } from './entries.ts';
import { type Asked, facts, peerText } from './features.ts';
import type { ClassChanges, LiveClass } from './live-classes.ts';
import { type Identity, type IdentityChanges, type LiveIdentities, topicOf } from './live-identities.ts';

type Rows = readonly PolicyRowIntent[];

export type LiveDecisions = {
  /** What classes ask from now on, and what they asked until now. */
  readonly setClasses: (changes: ClassChanges) => {
    readonly hold: readonly Asked[];
    readonly drop: readonly Asked[];
  };
  /** By class and identity; `undefined`: there is none any more. */
  readonly settle: (changes: IdentityChanges) => ReadonlyMap<string, PolicyDecisionIntent | undefined>;
};

type State = {
  readonly asked: readonly Asked[];
  readonly topics: ReadonlySet<string>;
  /** Identities with a decision of their own. */
  readonly decided: Set<number>;
  /** By the features that the class asks for: many identities have few combinations of them. As `ownOf` gives them. */
  readonly known: Map<string, Rows | undefined>;
  other?: string;
};

/** Combinations that a class remembers: it forgets all of them when they become more. */
const mostKnown = 100;

export function createLiveDecisions(identities: LiveIdentities, refused: Rows): LiveDecisions {
  const states = new Map<LiveClass, State>();
  const byTopic = new Map<string, Set<LiveClass>>();
  const rebuilt = new Set<LiveClass>();
  let pending = new Map<string, PolicyDecisionIntent | undefined>();

  /** `own`: rows that are not those for everybody else. */
  const put = (each: LiveClass, state: State, identity: number, own: Rows | undefined): void => {
    if (own !== undefined) state.decided.add(identity);
    else if (!state.decided.delete(identity)) return;
    const { number, direction } = each;
    pending.set(decisionKey(number, identity), own === undefined ? undefined : { direction, rows: own });
  };
  const ownOf = (state: State, rows: Rows): Rows | undefined =>
    JSON.stringify(rows) === state.other ? undefined : rows;

  const ownFor = (each: LiveClass, state: State, features: readonly string[]): Rows | undefined => {
    const { book, ports } = each;
    if (book === undefined) return ownOf(state, refused);
    const relevant = features.filter((feature) => state.topics.has(topicOf(feature)));
    const key = relevant.join('\n');
    if (state.known.has(key)) return state.known.get(key);
    const own = ownOf(state, rowsFor(book, ports, relevant));
    if (state.known.size >= mostKnown) state.known.clear();
    state.known.set(key, own);
    return own;
  };

  const rebuild = (each: LiveClass, state: State): void => {
    const { book, ports, itself, number, direction } = each;
    const other = book === undefined ? refused : rowsFor(book, ports, []);
    pending.set(decisionKey(number, policyIdentities.other), { direction, rows: other });
    state.other = JSON.stringify(other);
    const wanted = new Map<number, Rows | undefined>();
    if (book !== undefined) {
      wanted.set(policyIdentities.unknownPod, ownFor(each, state, [facts.unknown]));
      wanted.set(policyIdentities.itself, ownOf(state, itself));
    }
    for (const topic of state.topics)
      for (const { number, features } of identities.about(topic))
        if (!wanted.has(number)) wanted.set(number, ownFor(each, state, features));
    if (isUsed(identities.beyond)) wanted.set(identities.beyond.number, ownOf(state, refused));
    const left = [...state.decided].filter((number) => !wanted.has(number));
    for (const [number, own] of wanted) put(each, state, number, own);
    for (const number of left) put(each, state, number, undefined);
  };

  const classesAbout = ({ refuses, features }: Identity): Iterable<LiveClass> =>
    refuses
      ? states.keys()
      : new Set(features.flatMap((feature) => [...(byTopic.get(topicOf(feature)) ?? [])]));

  const forget = (each: LiveClass): State | undefined => {
    const state = states.get(each);
    states.delete(each);
    for (const topic of state?.topics ?? []) {
      const inside = byTopic.get(topic);
      inside?.delete(each);
      if (inside?.size === 0) byTopic.delete(topic);
    }
    return state;
  };

  return {
    setClasses({ changed, gone }) {
      const hold: Asked[] = [];
      const drop: Asked[] = [];
      for (const each of gone) {
        const state = forget(each);
        if (state === undefined) continue;
        drop.push(...state.asked);
        for (const identity of [policyIdentities.other, ...state.decided])
          pending.set(decisionKey(each.number, identity), undefined);
      }
      for (const each of changed) {
        const before = forget(each);
        drop.push(...(before?.asked ?? []));
        const asked = each.book?.asked ?? [];
        hold.push(...asked);
        const topics = topicsOf(asked);
        states.set(each, { asked, topics, decided: before?.decided ?? new Set(), known: new Map() });
        for (const topic of topics) byTopic.set(topic, (byTopic.get(topic) ?? new Set()).add(each));
        rebuilt.add(each);
      }
      return { hold, drop };
    },
    settle({ fresh, gone }) {
      for (const each of rebuilt) rebuild(each, states.get(each)!);
      for (const identity of gone)
        for (const each of classesAbout(identity))
          if (!rebuilt.has(each)) put(each, states.get(each)!, identity.number, undefined);
      for (const identity of fresh)
        for (const each of classesAbout(identity)) {
          if (rebuilt.has(each)) continue;
          const state = states.get(each)!;
          const { number, refuses, features } = identity;
          put(each, state, number, refuses ? ownOf(state, refused) : ownFor(each, state, features));
        }
      rebuilt.clear();
      const changes = pending;
      pending = new Map();
      return changes;
    },
  };
}

function isUsed({ addresses, prefixes }: Identity): boolean {
  return addresses.size > 0 || prefixes.size > 0;
}

function topicsOf(asked: readonly Asked[]): Set<string> {
  return new Set(
    asked.flatMap(({ peers, portNames, own, strict }) => [
      ...peers.flatMap((peer) => peerText(peer) ?? []),
      ...portNames.map((name) => `port ${name}`),
      ...(own ? [facts.own] : []),
      ...(strict ? [facts.unknown] : []),
    ]),
  );
}
