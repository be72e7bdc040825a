/** The one shape of every engine. */
import type { IntentChange } from '#intent/node.ts';

/** What an engine did to the machine. */
export type Report = {
  /** Operations applied, printed in the engine's own language, in order; empty when nothing had to change. */
  readonly operations: readonly string[];
  /** Entries that can't be held, with the reason; the others are. */
  readonly problems: readonly { readonly entry: string; readonly reason: string }[];
};

/**
 * An engine holds an intent on the machine. It remembers the intent it was given, not what it did:
 * `resync` reads the machine and repairs any difference, so it converges from any state, also after a kill between two steps.
 */
export interface Engine {
  readonly name: string;
  /** Applies a change atomically where the kernel can; cost follows the change. Throws only when the machine refuses. */
  apply(change: IntentChange): Promise<Report>;
  /** Reads what is there, plans the difference to the whole intent, applies it. */
  resync(): Promise<Report>;
  /** True: it is certain that `resync` would find nothing, since nobody else changed anything. Absent: never. */
  unchanged?(): boolean;
  /** Removes all that this engine ever made on the machine; needs no memory. */
  cleanup(): Promise<void>;
  /** Frees sockets and child processes; leaves the machine as it is. */
  close(): Promise<void>;
}
