/**
 * Which of two nodes goes on that both take an address for theirs, since one of them was not told of a change: its agent is dead, or
 * the API server away. Pure.
 *
 * The one with a living agent; of two with one the one that took over later, since it knows more; of two without, the one whose agent was heard
 * later; at the same moment the lesser name.
 */
import type { Message } from './messages.ts';

export type Claims = {
  /** What this node answers for now. */
  setHeld(addresses: ReadonlySet<string>, now: number): void;
  /** When this node's agent was heard; undefined: it lives. */
  setAgent(heardAt: number | undefined): void;
  heard(from: string, message: Message, now: number): void;
  /** By address that this node gives way for: to whom. Nothing is left of one that wasn't heard of for long. */
  yielded(now: number): ReadonlyMap<string, string>;
  /** What is to be told to all, now. */
  due(now: number): readonly Message[];
  /** Whether time has to be told to this (`due`, `yielded`). */
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
/** Addresses in one datagram: 39 characters each, with an age. */
const atOnce = 14;

type Held = { readonly since: number; tellAt: number; step: number };
type Yield = { readonly node: string; heardAt: number };

export function createClaims(self: string): Claims {
  const held = new Map<string, Held>();
  const released = new Map<string, { tellAt: number; step: number }>();
  const yields = new Map<string, Yield>();
  let agentAt: number | undefined = Number.NEGATIVE_INFINITY;

  /** Of what this node knows: since the takeover, or without an agent since that was heard. */
  const ageOf = ({ since }: Held, now: number): number =>
    Math.round(agentAt === undefined ? now - since : Math.min(now - agentAt, ages));

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
      agentAt = heardAt;
    },
    heard(from, message, now) {
      if (message.kind === 'release') {
        for (const address of message.addresses)
          if (yields.get(address)?.node === from) yields.delete(address);
      } else if (message.kind === 'claim') {
        for (const [address, age] of message.held)
          heardClaim(from, address, { informed: message.informed, age }, now);
      }
    },
    yielded(now) {
      for (const [address, { heardAt }] of yields)
        if (now - heardAt >= claimTimes.forgotten) yields.delete(address);
      return new Map([...yields].map(([address, { node }]) => [address, node]));
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
      return [
        ...slices(claims).map((part): Message => ({ kind: 'claim', informed, held: part })),
        ...slices(ends).map((part): Message => ({ kind: 'release', addresses: part })),
      ];
    },
    isAwake: () => held.size + released.size + yields.size > 0,
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
