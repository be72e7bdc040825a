/**
 * The detector of one node as a state machine: what it is told of echoes, messages and time, and what it sends; no clock, no socket.
 *
 * A node is dead for this one when a majority of its watchers says so and this node doesn't reach it either; it lives again after ten
 * answers in a row.
 */
import type { Liveness } from '#intent/liveness.ts';
import { echoAnswered, echoSent, judgeEchoes } from './echoes.ts';
import type { Message, PeerState } from './messages.ts';
import { type Outgoing, probe, reportOf, tell } from './outgoing.ts';
import {
  check,
  findingOf,
  forgive,
  isLookedAt,
  never,
  newPeer,
  type Peer,
  remember,
  times,
  type Verdict,
} from './peer.ts';
import { type Ring, ringOf, targetsOf, watchersOf } from './ring.ts';
import { mostDead, verdictOf } from './verdict.ts';

export type Change = {
  readonly node: string;
  readonly from: Verdict;
  readonly to: Verdict;
  /** Since it was last known to be well. */
  readonly milliseconds: number;
  /** Watchers that said so. */
  readonly by: readonly string[];
};

export type Watch = {
  /** The others; again with the same ones it does nothing. */
  setNodes(names: Iterable<string>, now: number): void;
  /** Whether this node's agent lives. */
  setInformed(informed: boolean): void;
  /** Every `times.tick`, after what has come was told. */
  tick(now: number): Outgoing[];
  echoed(number: number, now: number): void;
  heard(from: string, message: Message, now: number): Outgoing[];
  /** For what is sent to nodes. */
  liveness(): Liveness;
  /** For virtual addresses: a node that is back rests. */
  addressLiveness(): Liveness;
  /** Goes up when one of the two is another. */
  revision(): number;
  /** Since the last call. */
  changes(): Change[];
  /** Nodes that would be dead if not too many were. */
  held(): number;
  lostEchoes(): number;
  /** Goes up with each echo to it that is lost: of several ways the next one is tried. */
  turn(node: string): number;
  /** Whom this node watches; a first watcher that lives tells of a node. */
  targets(): readonly string[];
  firstWatcher(node: string): string | undefined;
};

/** What an earlier process of this node knew. */
export type Memory = {
  /** The others can't miss this node, since it was away only for a planned restart. */
  readonly sure: boolean;
  readonly dead: readonly string[];
  readonly silent: readonly string[];
};

export const noMemory: Memory = { sure: false, dead: [], silent: [] };

export function createWatch(self: string, memory: Memory = noMemory): Watch {
  let ring: Ring = ringOf([self]);
  const peers = new Map<string, Peer>();
  /** By number of the echo. */
  const sentTo = new Map<number, string>();
  let numbers = 0;
  let lastTick: number | undefined;
  let greetAt: readonly number[] = [];
  let isolated = false;
  /** Anybody. */
  let heardAt = never;
  /** Until when this node waits to hear whether the others miss it. */
  let confirmBy = never;
  let informed = true;
  /** Others may have taken over: cut off, or missed by them. */
  let away = false;
  let ignorantUntil = never;
  let heldBack = 0;
  let lost = 0;
  let revision = 1;
  let summary = '';
  let live: Liveness = { dead: new Set(), silent: new Set(), isolated };
  let forAddresses: Liveness = live;
  const news: Change[] = [];

  /** Those that anything is to be done for; of thousands the others cost nothing. */
  const active = new Set<Peer>();
  const isDead = (name: string): boolean => peers.get(name)?.verdict === 'dead';
  const deadCount = (): number => [...active].filter(({ verdict }) => verdict === 'dead').length;

  const look = (peer: Peer, now: number): void => {
    check(peer, now);
    active.add(peer);
  };
  const setTargets = (now: number, byDeath: boolean): void => {
    const targets = new Set(targetsOf(ring, self, isDead));
    for (const peer of active) peer.watched &&= targets.has(peer.name);
    for (const name of targets) {
      const peer = peers.get(name);
      if (peer === undefined || peer.watched) continue;
      look(peer, now);
      peer.watched = true;
      peer.inherited = byDeath;
    }
  };
  const setNodes = (names: Iterable<string>, now: number): void => {
    const all = [self, ...names];
    if (all.length === ring.order.length && all.every((name) => ring.places.has(name))) return;
    const isFirst = ring.order.length === 1;
    ring = ringOf(all);
    for (const [name, peer] of peers) {
      if (ring.places.has(name)) continue;
      peers.delete(name);
      active.delete(peer);
    }
    for (const name of ring.order) if (name !== self && !peers.has(name)) peers.set(name, newPeer(name, now));
    for (const peer of peers.values())
      for (const watcher of peer.reports.keys()) if (!ring.places.has(watcher)) peer.reports.delete(watcher);
    if (isFirst) begin(now);
    setTargets(now, false);
    refresh(now);
  };
  /** The first time that this node hears of others. */
  const begin = (now: number): void => {
    if (!memory.sure) confirmBy = now + times.confirm;
    greetAt = times.greet.map((delay) => now + delay);
    for (const verdict of ['dead', 'silent'] as const) {
      for (const peer of memory[verdict].flatMap((name) => peers.get(name) ?? [])) {
        look(peer, now);
        remember(peer, verdict, now);
        news.push({ node: peer.name, from: 'well', to: verdict, milliseconds: 0, by: [] });
      }
    }
  };

  const sendEcho = (peer: Peer, now: number): Outgoing => {
    numbers++;
    echoSent(peer.echoes, numbers, now);
    sentTo.set(numbers, peer.name);
    return { kind: 'echo', to: peer.name, number: numbers };
  };

  const judgeIsolation = (now: number): void => {
    const watched = [...active].filter((peer) => peer.watched);
    const known = watched.filter(({ echoes }) => echoes.seen);
    // Of two nodes neither can know which one is cut off.
    const hears = now - heardAt < times.deaf;
    const reachesNone = !hears && known.length >= 2 && known.every((peer) => findingOf(peer, now) === 'lost');
    if (isolated && !reachesNone) {
      confirmBy = now + times.confirm;
      for (const peer of known) peer.nextAsk = now;
    }
    // What was found of the others was about this node itself.
    if (reachesNone && !isolated)
      for (const peer of watched) Object.assign(peer, { told: 'well', tellAt: [] });
    isolated = reachesNone;
  };
  /** Whether it would be dead if not too many were already. */
  const judge = (peer: Peer, now: number): boolean => {
    const watchers = watchersOf(ring, peer.name, isDead);
    const room = deadCount() < mostDead(ring.order.length);
    const { verdict, held = false } = verdictOf(peer, { self, watchers, isolated, room }, now);
    if (verdict === peer.verdict) return held;
    const by = watchers.filter((watcher) => watcher === self || peer.reports.has(watcher));
    const said = [...peer.reports.values()].map((report) => report.for + now - report.heardAt);
    const own = peer.watched ? [now - (verdict === 'silent' ? peer.answeredAt : peer.echoes.aliveAt)] : [];
    const milliseconds =
      verdict === 'well' ? now - peer.absentAt : Math.round(Math.min(...own, ...said, times.reportHolds));
    news.push({ node: peer.name, from: peer.verdict, to: verdict, milliseconds, by });
    const moved = verdict === 'dead' || peer.verdict === 'dead';
    peer.verdict = verdict;
    peer.absentAt = now;
    if (moved) setTargets(now, true);
    return held;
  };

  /** Two that missed each other (a cluster of two was parted) would both fall silent: one of them goes on. */
  const yields = (other: string): boolean => forAddresses.dead.has(other) && self < other;

  /** The sets as others read them, made anew only where something is another. */
  const refresh = (now: number): void => {
    const all = [...active];
    const names = (verdict: Verdict): string[] =>
      all.filter((peer) => peer.verdict === verdict).map(({ name }) => name);
    const resting = all.filter(
      ({ verdict, absentAt }) => verdict === 'well' && now - absentAt < times.addressRest,
    );
    const lately = (at: number): boolean => now - at < times.missed;
    const answering = all.filter(({ hasAnswered, answeredAt }) => hasAnswered && lately(answeredAt));
    const missed = answering.filter(({ missesUsAt }) => lately(missesUsAt)).length * 2 > answering.length;
    const unsure = now < confirmBy && peers.size > 0;
    if (away && !isolated && !missed) ignorantUntil = now + times.ignorant;
    away = isolated || missed;
    if (informed) ignorantUntil = never;
    const ignorant = now < ignorantUntil;
    const value = [names('dead'), names('silent'), resting.map(({ name }) => name)] as const;
    const text = JSON.stringify([value, isolated, missed, unsure, ignorant]);
    if (text === summary) return;
    summary = text;
    revision++;
    const [dead, silent, back] = value;
    live = { dead: new Set(dead), silent: new Set(silent), isolated };
    forAddresses = {
      dead: new Set([...dead, ...back]),
      silent: live.silent,
      isolated: isolated || missed || unsure || ignorant,
    };
  };

  return {
    setNodes,
    setInformed(next) {
      informed = next;
    },
    tick(now) {
      const gap = now - (lastTick ?? now);
      lastTick = now;
      const out: Outgoing[] = [];
      for (const peer of active) {
        const rests = now - peer.absentAt < times.addressRest;
        if (!isLookedAt(peer, now) && !rests) active.delete(peer);
        if (gap > times.late) forgive(peer, gap, now);
        const before = peer.echoes.lost;
        judgeEchoes(peer.echoes, now);
        lost += Math.max(0, peer.echoes.lost - before);
      }
      judgeIsolation(now);
      if (greetAt.some((at) => at <= now)) {
        greetAt = greetAt.filter((at) => at > now);
        out.push({ kind: 'broadcast', message: { kind: 'hello' } });
      }
      for (const peer of active) {
        if (isLookedAt(peer, now)) out.push(...probe(peer, now, sendEcho));
        if (peer.watched && !isolated) out.push(...tell(peer, now));
      }
      heldBack = 0;
      for (const peer of active) if (judge(peer, now)) heldBack++;
      for (const [number, name] of sentTo) {
        if (peers.get(name)?.echoes.pending.has(number) === true) break;
        sentTo.delete(number);
      }
      refresh(now);
      return out;
    },
    echoed(number, now) {
      const peer = peers.get(sentTo.get(number) ?? '');
      sentTo.delete(number);
      if (peer !== undefined && echoAnswered(peer.echoes, number, now) && peer.verdict === 'dead')
        peer.nextEcho = Math.min(peer.nextEcho, now + times.echo);
    },
    heard(from, message, now) {
      const peer = peers.get(from);
      if (peer === undefined) return [];
      peer.heardAt = now;
      heardAt = now;
      switch (message.kind) {
        case 'ask': {
          const absent = forAddresses.dead.has(from) || forAddresses.silent.has(from);
          return [{ kind: 'message', to: from, message: { kind: 'answer', absent } }];
        }
        case 'answer':
          peer.answeredAt = now;
          peer.hasAnswered = true;
          peer.missesUsAt = message.absent && !yields(from) ? now : never;
          if (peer.missesUsAt === never) confirmBy = never;
          break;
        case 'hello':
          return [...active]
            .filter(({ watched, told }) => watched && told !== 'well' && !isolated)
            .map((about) => ({ kind: 'message', to: from, message: reportOf(about, now) }));
        case 'pause':
          peer.pausedUntil = now + Math.min(message.for, times.longestPause);
          break;
        case 'report': {
          const about = peers.get(message.about);
          // What others say of this node it hears by their answers.
          if (about === undefined || from === message.about) break;
          about.reports.set(from, { state: message.state, heardAt: now, for: message.for });
          if (message.state === 'well') forgetIfWell(about);
          else look(about, now);
          // It may be what was missing to a majority.
          judge(about, now);
        }
      }
      refresh(now);
      return [];
    },
    liveness: () => live,
    addressLiveness: () => forAddresses,
    revision: () => revision,
    changes: () => news.splice(0),
    held: () => heldBack,
    lostEchoes: () => lost,
    turn: (node) => peers.get(node)?.echoes.losses ?? 0,
    targets: () => [...active].filter(({ watched }) => watched).map(({ name }) => name),
    firstWatcher: (node) => watchersOf(ring, node, isDead)[0],
  };
}

/** Where everybody says that all is well nothing need be kept. */
function forgetIfWell(peer: Peer): void {
  const states: PeerState[] = [...peer.reports.values()].map(({ state }) => state);
  if (peer.verdict === 'well' && states.every((state) => state === 'well')) peer.reports.clear();
}
