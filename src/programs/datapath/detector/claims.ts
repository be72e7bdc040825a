/**
 * Which of two nodes goes on that both take an address for theirs, since one of them was not told of a change: its agent is dead, or
 * the API server away. Pure.
 *
 * The one with a living agent; of two with one the one that took over later, since it knows more; of two without, the one whose agent was heard
 * later; at the same moment the lesser name. And nobody begins to answer for what a node claimed whose datapath is away for a while: that one's
 * kernel goes on answering, and hears nothing.
 */
import type { Message } from './messages.ts';
import { times } from './peer.ts';

export type Claims = {
  /** What this node answers for now. */
  setHeld(addresses: ReadonlySet<string>, now: number): void;
  /** When this node's agent was heard; undefined: it lives. */
  setAgent(heardAt: number | undefined): void;
  heard(from: string, message: Message, now: number): void;
  /** These answer for nothing, whatever they claimed. */
  buried(nodes: Iterable<string>): void;
  /** By address that this node gives way for: to whom. Nothing is left of one that wasn't heard of for long. */
  yielded(now: number): ReadonlyMap<string, string>;
  /** By address that a node's kernel goes on answering for while its datapath is away: which one's. This node must not begin to. */
  kept(now: number): ReadonlyMap<string, string>;
  /** What is to be told to all, now. */
  due(now: number): readonly Message[];
  /** What somebody is to be told who has only begun to listen: also what others claimed who can't tell it now. */
  everything(now: number): readonly Message[];
  /** Whether time has to be told to this (`due`, `yielded`, `kept`). */
  isAwake(): boolean;
};

export const claimTimes = {
  /** After a takeover or a release, since a datagram may be lost. */
  told: [0, 100, 300, 1_000],
  /** While something is held. */
  every: 10_000,
  /** Two that took over within so long did so at the same moment. */
  moment: 500,
  /** Of whom nothing was heard for so long the claim is over. */
  forgotten: 25_000,
} as const;

/** Milliseconds: longer than any agent was away that a process has heard. */
const ages = 1e12;
/** Addresses in one datagram (`longestMessage`): 39 characters each, with an age or beside a second name. */
const atOnce = 10;

type Held = { readonly since: number; tellAt: number; step: number };
type Yield = { readonly node: string; heardAt: number };

export function createClaims(self: string): Claims {
  const held = new Map<string, Held>();
  const released = new Map<string, { tellAt: number; step: number }>();
  const yields = new Map<string, Yield>();
  /** By address: who said last that it answers. */
  const claimed = new Map<string, Yield>();
  /** Nodes whose datapath is away, and until when their kernels may answer. */
  const paused = new Map<string, number>();
  /** Who told something of itself: nobody's word counts for those. */
  const known = new Set<string>();
  /** That this node's agent is back, for those who wait for it. */
  let word: { tellAt: number; step: number } | undefined;
  let agentAt: number | undefined = Number.NEGATIVE_INFINITY;

  /** Of what this node knows: since the takeover, or without an agent since that was heard. */
  const ageOf = ({ since }: Held, now: number): number =>
    Math.round(agentAt === undefined ? now - since : Math.min(now - agentAt, ages));

  const forget = (all: Map<string, Yield>, now: number): void => {
    for (const [address, { node, heardAt }] of all)
      if (now - heardAt >= claimTimes.forgotten && !paused.has(node)) all.delete(address);
  };
  const heardClaim = (
    from: string,
    address: string,
    theirs: { informed: boolean; age: number },
    now: number,
  ) => {
    const mine = held.get(address);
    const before = yields.get(address);
    // Without having it, this node has no age to compare: it waits while the other one holds on, unless it knows more.
    if (mine === undefined) {
      if (before?.node !== from) return;
      if (agentAt === undefined && !theirs.informed) yields.delete(address);
      else before.heardAt = now;
      return;
    }
    const own = { informed: agentAt === undefined, age: ageOf(mine, now), node: self };
    if (beats({ ...theirs, node: from }, own)) yields.set(address, { node: from, heardAt: now });
    // The other one is to hear of it at once.
    else mine.tellAt = Math.min(mine.tellAt, now);
  };

  return {
    setHeld(addresses, now) {
      for (const address of held.keys()) {
        if (addresses.has(address)) continue;
        held.delete(address);
        released.set(address, { tellAt: now, step: 0 });
      }
      for (const address of addresses) {
        released.delete(address);
        if (!held.has(address)) held.set(address, { since: now, tellAt: now, step: 0 });
      }
    },
    setAgent(heardAt) {
      if (heardAt === undefined && agentAt !== undefined)
        word = { tellAt: Number.NEGATIVE_INFINITY, step: 0 };
      agentAt = heardAt;
    },
    heard(from, message, now) {
      if (message.kind === 'kept') {
        if (message.node === self || known.has(message.node)) return;
        paused.set(message.node, now + Math.min(message.for, times.longestPause));
        for (const address of message.addresses) claimed.set(address, { node: message.node, heardAt: now });
        return;
      }
      if (message.kind === 'claim' || message.kind === 'pause') known.add(from);
      if (message.kind === 'release') {
        for (const all of [yields, claimed])
          for (const address of message.addresses) if (all.get(address)?.node === from) all.delete(address);
      } else if (message.kind === 'claim') {
        if (message.informed) paused.delete(from);
        for (const [address, age] of message.held) {
          claimed.set(address, { node: from, heardAt: now });
          heardClaim(from, address, { informed: message.informed, age }, now);
        }
      } else if (message.kind === 'pause') {
        forget(claimed, now);
        paused.set(from, now + Math.min(message.for, times.longestPause));
      }
    },
    buried(nodes) {
      for (const name of nodes) {
        paused.delete(name);
        for (const all of [yields, claimed])
          for (const [address, { node }] of all) if (node === name) all.delete(address);
      }
    },
    yielded(now) {
      forget(yields, now);
      return new Map([...yields].map(([address, { node }]) => [address, node]));
    },
    kept(now) {
      for (const [name, until] of paused) if (now >= until) paused.delete(name);
      forget(claimed, now);
      const found = new Map<string, string>();
      if (paused.size === 0) return found;
      for (const [address, { node }] of claimed)
        if (paused.has(node) && !held.has(address)) found.set(address, node);
      return found;
    },
    due(now) {
      const claims: [string, number][] = [];
      for (const [address, each] of held) {
        if (each.tellAt > now) continue;
        claims.push([address, ageOf(each, now)]);
        each.tellAt = now + pauseAfter(each.step, claimTimes.every);
        each.step += 1;
      }
      const ends: string[] = [];
      for (const [address, each] of released) {
        if (each.tellAt > now) continue;
        ends.push(address);
        each.tellAt = now + pauseAfter(each.step, Number.POSITIVE_INFINITY);
        each.step += 1;
        if (each.tellAt === Number.POSITIVE_INFINITY) released.delete(address);
      }
      const informed = agentAt === undefined;
      const empty: Message[] = [];
      if (word !== undefined && word.tellAt <= now) {
        if (claims.length === 0) empty.push({ kind: 'claim', informed, held: [] });
        const pause = pauseAfter(word.step, Number.POSITIVE_INFINITY);
        word = Number.isFinite(pause) ? { tellAt: now + pause, step: word.step + 1 } : undefined;
      }
      return [
        ...empty,
        ...slices(claims).map((part): Message => ({ kind: 'claim', informed, held: part })),
        ...slices(ends).map((part): Message => ({ kind: 'release', addresses: part })),
      ];
    },
    everything: (now) => [
      ...slices([...held].map(([address, each]) => [address, ageOf(each, now)] as const)).map(
        (part): Message => ({ kind: 'claim', informed: agentAt === undefined, held: part }),
      ),
      ...[...paused]
        .filter(([, until]) => until > now)
        .flatMap(([node, until]) =>
          slices([...claimed].flatMap(([address, by]) => (by.node === node ? [address] : []))).map(
            (addresses): Message => ({ kind: 'kept', node, for: until - now, addresses }),
          ),
        ),
    ],
    isAwake: () => held.size + released.size + yields.size + paused.size > 0 || word !== undefined,
  };
}

type Party = { readonly informed: boolean; readonly age: number; readonly node: string };

function beats(theirs: Party, mine: Party): boolean {
  if (theirs.informed !== mine.informed) return theirs.informed;
  if (Math.abs(theirs.age - mine.age) > claimTimes.moment) return theirs.age < mine.age;
  return theirs.node < mine.node;
}

function pauseAfter(step: number, last: number): number {
  const [before = 0, after] = [claimTimes.told[step], claimTimes.told[step + 1]];
  return after === undefined ? last : after - before;
}

function slices<T>(all: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / atOnce) }, (_, index) =>
    all.slice(index * atOnce, (index + 1) * atOnce),
  );
}
