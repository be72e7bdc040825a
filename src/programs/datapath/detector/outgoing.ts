/** What is sent to one node or told of it, and when; pure, with the clock passed in. */
import type { Message } from './messages.ts';
import { findingOf, mayTell, type Peer, times } from './peer.ts';

export type Outgoing =
  | { readonly kind: 'echo'; readonly to: string; readonly number: number }
  | { readonly kind: 'message'; readonly to: string; readonly message: Message }
  /** To all nodes. */
  | { readonly kind: 'broadcast'; readonly message: Message };

/** Echoes and questions that are due. */
export function probe(peer: Peer, now: number, sendEcho: (peer: Peer, now: number) => Outgoing): Outgoing[] {
  const out: Outgoing[] = [];
  const { name, verdict, echoes } = peer;
  if (now >= peer.nextEcho) {
    const rests = verdict === 'dead' && echoes.answered === 0;
    // With a doubt the rest is found out twice as fast.
    const calm = peer.watched && (echoes.lost === 0 || verdict === 'dead');
    const step = rests ? times.deadEcho : calm ? times.echo : times.checkEcho;
    // Steps of the clock, not of our ticks: else each echo comes a little later.
    peer.nextEcho = Math.max(peer.nextEcho + step, now + step - times.tick / 2);
    out.push(sendEcho(peer, now));
  }
  // Packets get lost, too: with a doubt comes another question, whose answer ends it.
  const doubt = echoes.lost > 0 && verdict !== 'dead' && out.length > 0;
  if (now >= peer.nextAsk || doubt) {
    // Who is missed takes over the moment that it isn't any more: nobody answers for its addresses meanwhile.
    const isMissed = now - peer.missesUsAt < times.missed;
    peer.nextAsk = now + (isMissed ? times.echo : peer.watched ? times.ask : times.checkAsk);
    out.push({ kind: 'message', to: name, message: { kind: 'ask' } });
  }
  return out;
}

/** What a watcher tells of it. */
export function tell(peer: Peer, now: number): Outgoing[] {
  const found = findingOf(peer, now);
  // Between three lost and ten answered nothing new is said.
  const state = found === 'well' && peer.echoes.gone ? peer.told : found;
  if (state !== peer.told && mayTell(peer, state, now)) {
    peer.told = state;
    peer.tellAt = times.repeat.map((delay) => now + delay);
  }
  if (!peer.tellAt.some((at) => at <= now)) return [];
  peer.tellAt = peer.tellAt.filter((at) => at > now);
  if (peer.tellAt.length === 0 && peer.told !== 'well') peer.tellAt = [now + times.keepUp];
  return [{ kind: 'broadcast', message: reportOf(peer, now) }];
}

export function reportOf({ name, told, answeredAt, echoes }: Peer, now: number): Message {
  const since = told === 'silent' ? answeredAt : echoes.aliveAt;
  return { kind: 'report', about: name, state: told, for: Math.max(0, Math.round(now - since)) };
}
