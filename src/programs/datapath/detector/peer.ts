/** What one node knows of another, and what it finds by itself; pure, with the clock passed in. */
import { type Echoes, forgiveEchoes, lostInRow, newEchoes } from './echoes.ts';
import type { PeerState } from './messages.ts';

export type Peer = {
  readonly name: string;
  readonly echoes: Echoes;
  /** This node is one of its watchers. */
  watched: boolean;
  /** It became one in the place of a watcher that died: what that saw is gone. */
  inherited: boolean;
  /** Until when it is looked at although this node doesn't watch it: somebody said something of it. */
  checkedUntil: number;
  nextEcho: number;
  nextAsk: number;
  /** Any message of its datapath. */
  heardAt: number;
  /** Its datapath's last answer, or since when it was asked in vain. */
  answeredAt: number;
  hasAnswered: boolean;
  /** It said that its datapath would be away. */
  pausedUntil: number;
  readonly reports: Map<string, Report>;
  verdict: Verdict;
  /** When it was seen to be dead or silent last, or is. */
  absentAt: number;
  /** It says that it takes this node for dead or silent. */
  missesUsAt: number;
  /** What was told of it last, and when it is told again. */
  told: PeerState;
  tellAt: readonly number[];
};

export type Report = { readonly state: PeerState; readonly heardAt: number; readonly for: number };

export type Verdict = 'well' | 'dead' | 'silent';

export const never = Number.NEGATIVE_INFINITY;

export const times = {
  /** All in milliseconds. */
  tick: 50,
  echo: 100,
  /** While one is missing, or somebody says that it doesn't answer. */
  checkEcho: 50,
  deadEcho: 500,
  ask: 500,
  checkAsk: 250,
  /** Without an answer of its datapath. */
  silent: 3_000,
  /** The same for who is no watcher, since it asks. */
  checkedSilent: 900,
  /** How long what others say makes us look ourselves. */
  check: 5_000,
  /** Our own loop came so late that what we counted is worth nothing. */
  late: 250,
  /** A datagram of it that came so lately speaks for it, whatever became of echoes: with a doubt it is asked every 50 ms. */
  heard: 200,
  heardUnseen: 1_200,
  /** Whoever hears nobody for so long, though three ask it all the time, may be cut off. */
  deaf: 700,
  /** Reports are repeated since datagrams get lost, and kept up for nodes that come later. */
  repeat: [0, 100, 300, 1_000],
  /** A node that begins says so twice. */
  greet: [0, 300],
  keepUp: 10_000,
  reportHolds: 25_000,
  /** A node that is back answers for virtual addresses after this. */
  addressRest: 5_000,
  /** Without an agent a node that was away doesn't know what changed: it waits as long as any other may answer without a word. */
  ignorant: 25_000,
  longestPause: 30_000,
  /** Without a word of the others a node that starts takes it that they don't miss it. */
  confirm: 1_000,
  missed: 1_500,
} as const;

export function newPeer(name: string, now: number): Peer {
  return {
    name,
    echoes: newEchoes(now),
    watched: false,
    inherited: false,
    checkedUntil: never,
    nextEcho: now,
    nextAsk: now,
    heardAt: never,
    answeredAt: now,
    hasAnswered: false,
    pausedUntil: never,
    reports: new Map(),
    verdict: 'well',
    absentAt: never,
    missesUsAt: never,
    told: 'well',
    tellAt: [],
  };
}

export function isLookedAt(peer: Peer, now: number): boolean {
  return peer.watched || peer.verdict !== 'well' || now < peer.checkedUntil;
}

/** Begins to look at a peer that others speak of. */
export function check(peer: Peer, now: number): void {
  if (!isLookedAt(peer, now)) {
    const { seen, losses, pending } = peer.echoes;
    // What was counted long ago says nothing of now.
    Object.assign(peer.echoes, { ...newEchoes(now), seen, losses, pending });
    pending.clear();
    Object.assign(peer, { nextEcho: now, nextAsk: now, answeredAt: now });
  }
  peer.checkedUntil = now + times.check;
}

/** As the last process of this node knew it: until it answers. */
export function remember(peer: Peer, verdict: 'dead' | 'silent', now: number): void {
  Object.assign(peer, { verdict, absentAt: now, hasAnswered: true, answeredAt: now - times.silent });
  if (verdict === 'dead') Object.assign(peer.echoes, { gone: true, seen: true, lost: lostInRow });
}

/** What this node itself finds. */
export function findingOf(peer: Peer, now: number): PeerState {
  if (isUnreachable(peer, now)) return 'lost';
  const { answeredAt, pausedUntil, watched, echoes } = peer;
  const patience = watched ? times.silent : times.checkedSilent;
  const isSilent = now - answeredAt >= patience && now >= pausedUntil && echoes.answered > 0;
  return isSilent ? 'silent' : 'well';
}

/** Its kernel answers nothing and its datapath said nothing. */
export function isUnreachable({ echoes, heardAt, watched }: Peer, now: number): boolean {
  const window = echoes.seen || !watched ? times.heard : times.heardUnseen;
  return echoes.lost >= lostInRow && now - heardAt > window;
}

/**
 * Whether what this node finds may be told: of a node that it never reached it knows nothing, unless another watcher says the same, which
 * may have.
 */
export function mayTell(peer: Peer, state: PeerState, now: number): boolean {
  if (state === 'well') return true;
  const known = state === 'lost' ? peer.echoes.seen || peer.inherited : peer.hasAnswered;
  return known || [...peer.reports.values()].some((report) => report.state === state && holds(report, now));
}

export function holds(report: Report, now: number): boolean {
  return now - report.heardAt < times.reportHolds;
}

/** Our loop stood still for so long: nothing of that time counts. */
export function forgive(peer: Peer, gap: number, now: number): void {
  forgiveEchoes(peer.echoes);
  peer.answeredAt = Math.min(now, peer.answeredAt + gap);
  if (peer.heardAt !== never) peer.heardAt += gap;
}
