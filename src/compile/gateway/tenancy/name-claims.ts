/** Hostnames that listeners and routes claim, in the book: who holds which is decided between both, before either is served. */
import type { InstanceView } from '../gateway-view.ts';
import type { Lookups } from '../lookups.ts';
import { createFirstHolders, type FirstHolders } from './first-holders.ts';
import { isListenerClaim } from './listener-claims.ts';

export type NameClaims = {
  readonly holders: FirstHolders;
  /** The namespace that has what is claimed in vain; who asks is noted. */
  readonly held: (id: string, instance: string, hostname: string) => string | undefined;
  /** What an instance's listeners claim, in place of what they claimed before. */
  claim(before: InstanceView | undefined, after: InstanceView | undefined): void;
  /** Brings instances that are due to what they are now, and what routes claim. */
  settle(lookAtInstance: (key: string) => void, routes: Routes): void;
};

type Routes = { claim(): void; touch(id: string): void };

export function createNameClaims(lookups: Lookups): NameClaims {
  const holders = createFirstHolders();
  return {
    holders,
    held(id, instance, hostname) {
      lookups.note(`held ${id}`);
      return holders.lost(id, instance).get(hostname);
    },
    claim(before, after) {
      for (const id of before?.claims.keys() ?? [])
        if (after?.claims.has(id) !== true) holders.set(id, undefined, new Map());
      for (const [id, { claimant, instance, hostname }] of after?.claims ?? [])
        holders.set(id, claimant, new Map([[instance, [hostname]]]));
    },
    settle(lookAtInstance, routes) {
      let due = lookups.take('gateway');
      // Who holds a name decides which listeners there are, but not what anybody claims: the second turn is the last.
      do {
        for (const key of due) lookAtInstance(key);
        routes.claim();
        for (const id of holders.settle()) {
          if (isListenerClaim(id)) lookups.touch(`held ${id}`);
          else routes.touch(id);
        }
        for (const instance of holders.moved()) lookups.touch(`names of ${instance}`);
        due = lookups.take('gateway');
      } while (due.length > 0);
    },
  };
}
