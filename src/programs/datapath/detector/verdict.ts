/** What a node takes another for: what a majority of its watchers says, and what it finds itself; pure. */

import type { PeerState } from './messages.ts';
import { findingOf, holds, isUnreachable, mayTell, type Peer, times, type Verdict } from './peer.ts';
import { majorityOf } from './ring.ts';

export type Judge = {
  readonly self: string;
  /** Of the peer, living ones. */
  readonly watchers: readonly string[];
  /** This node reaches nobody. */
  readonly isolated: boolean;
  /** Another node may be taken for dead. */
  readonly room: boolean;
};

export function verdictOf(peer: Peer, judge: Judge, now: number): { verdict: Verdict; held?: true } {
  const need = majorityOf(judge.watchers.length);
  const say = (state: PeerState): boolean =>
    judge.watchers.length > 0 &&
    judge.watchers.filter((watcher) => vote(peer, watcher, judge.self, now) === state).length >= need;
  const { verdict, echoes } = peer;
  // What a node that is cut off hears and finds says nothing of the others.
  if (judge.isolated) return { verdict };
  if (verdict === 'dead') {
    const isBack = !echoes.gone || say('well');
    return { verdict: isBack ? 'well' : 'dead' };
  }
  if (isUnreachable(peer, now) && say('lost'))
    return judge.room ? { verdict: 'dead' } : { verdict, held: true };
  if (verdict === 'silent') return { verdict: now - peer.answeredAt < times.ask ? 'well' : 'silent' };
  return { verdict: findingOf(peer, now) === 'silent' && say('silent') ? 'silent' : 'well' };
}

function vote(peer: Peer, watcher: string, self: string, now: number): PeerState | undefined {
  if (watcher === self) {
    const found = findingOf(peer, now);
    // Until ten were answered it isn't back.
    return mayTell(peer, found, now) && !(found === 'well' && peer.echoes.gone) ? found : undefined;
  }
  const report = peer.reports.get(watcher);
  return report !== undefined && holds(report, now) ? report.state : undefined;
}

/** Never more of so many nodes at once: more than that is rather a fault of the network between, or of ours. */
export function mostDead(nodes: number): number {
  return Math.max(1, Math.floor(nodes / 3));
}
