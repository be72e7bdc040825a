/** What became of the echoes that were sent to one node; pure, with the clock passed in. */

export type Echoes = {
  /** In a row; none of them was answered. */
  lost: number;
  /** Ever. */
  losses: number;
  /** In a row. */
  answered: number;
  /** One was answered ever: a node that never answers may just be behind a firewall. */
  seen: boolean;
  /** By the last answer, or since the first request. */
  aliveAt: number;
  /** Three were lost in a row, and ten in a row were not answered since. */
  gone: boolean;
  /** Average time until an answer came. */
  roundTrip: number;
  /** By number; `late`: it counted as lost already. */
  readonly pending: Map<number, { readonly at: number; late: boolean }>;
};

export const lostInRow = 3;
export const answeredInRow = 10;
/** Milliseconds until an echo counts as lost where answers are quick. */
const patience = { least: 95, most: 1_000 };
/** An answer that comes later tells nothing any more. */
const forgottenAfter = 2_000;

export function newEchoes(now: number): Echoes {
  return {
    lost: 0,
    losses: 0,
    answered: 0,
    seen: false,
    aliveAt: now,
    gone: false,
    roundTrip: 0,
    pending: new Map(),
  };
}

export function echoSent(echoes: Echoes, number: number, now: number): void {
  echoes.pending.set(number, { at: now, late: false });
}

/** False where nothing is known of that number. */
export function echoAnswered(echoes: Echoes, number: number, now: number): boolean {
  const sent = echoes.pending.get(number);
  if (sent === undefined) return false;
  for (const [earlier, { at }] of echoes.pending) {
    if (at > sent.at || earlier === number) break;
    // Passed over: it won't be answered any more.
    echoes.answered = 0;
    echoes.pending.delete(earlier);
  }
  echoes.pending.delete(number);
  const took = now - sent.at;
  echoes.roundTrip = echoes.seen ? echoes.roundTrip * 0.8 + took * 0.2 : took;
  echoes.lost = 0;
  echoes.answered++;
  echoes.seen = true;
  echoes.aliveAt = now;
  if (echoes.answered >= answeredInRow) echoes.gone = false;
  return true;
}

/** Counts what was not answered in time. */
export function judgeEchoes(echoes: Echoes, now: number): void {
  const wait = Math.min(Math.max(patience.least, 2 * echoes.roundTrip), patience.most);
  for (const [number, sent] of echoes.pending) {
    if (now - sent.at < wait) break;
    if (now - sent.at > forgottenAfter) echoes.pending.delete(number);
    if (sent.late) continue;
    sent.late = true;
    echoes.lost++;
    echoes.losses++;
    echoes.answered = 0;
  }
  if (echoes.lost >= lostInRow) echoes.gone = true;
}

/** We weren't there to listen: what is missing is missing by our own fault. What was found before stays. */
export function forgiveEchoes(echoes: Echoes): void {
  echoes.pending.clear();
  echoes.lost = 0;
}
