/** What a node knows by itself, within a second, of the others. */

/** Names of nodes in both sets are keys of the intent's `peers`. */
export type Liveness = {
  /** Unreachable, as several watchers and this node itself found: nothing on them is to be sent anything. */
  readonly dead: ReadonlySet<string>;
  /** The machine answers, its datapath doesn't: packets flow through it as before, but it answers for no virtual address. */
  readonly silent: ReadonlySet<string>;
  /** This node reaches none of those that it watches: it is the one that is cut off. */
  readonly isolated: boolean;
};

export const everybodyLives: Liveness = { dead: new Set(), silent: new Set(), isolated: false };
