/** Which policies this node's kernel holds: how far its watches have come, once the datapath has said that it holds what came of it. */
import type { DatapathStatus, EngineProblem, IntentAnswer } from '#intent/handover.ts';
import type { PolicyReach } from '../node-lease.ts';

/** Resource version by kind of policy. */
export type Versions = ReadonlyMap<string, string>;

export type InForce = {
  /**
   * All that the watches told up to `versions` is in what was handed over, which the message `generation` carries. `since`: when the
   * oldest change of policy in it was heard of (performance.now()); undefined: there is none.
   */
  handedOver(generation: number, versions: Versions, since?: number): void;
  /** For `Handover.onAnswer` and `Handover.onStatus`. */
  readonly answered: (answer: IntentAnswer) => void;
  readonly setStatus: (status: Pick<DatapathStatus, 'engines' | 'generation'>) => void;
  /** Undefined until the datapath has taken the first message of this process. */
  reach(): PolicyReach | undefined;
};

type Waiting = {
  readonly generation: number;
  readonly versions: Versions;
  readonly since?: number | undefined;
};

/** The engine that holds policy: what keeps another one from its work is no matter of policy. */
const enforcer = 'nftables';

/**
 * `onHeld` gets the seconds from event to kernel of each change of policy. `problems` asks the datapath what its engines can't hold.
 */
export function createInForce(
  problems: () => Promise<readonly EngineProblem[]>,
  onHeld: (seconds: number) => void,
): InForce {
  /** By generation, ascending. A datapath that is away makes it no longer than one entry: what gathers goes with one message. */
  let waiting: Waiting[] = [];
  /** Our last message that the datapath has taken; 0: none, and what it tells may be of the agent before us. */
  let taken = 0;
  let held = 0;
  let versions: Versions | undefined;
  let refused = 0;
  let looking = false;

  const settle = (): void => {
    // What is refused can be any policy's: until that is over nothing new counts.
    if (refused > 0) return;
    const done = waiting.filter(({ generation }) => generation <= held);
    waiting = waiting.slice(done.length);
    for (const { since } of done) if (since !== undefined) onHeld((performance.now() - since) / 1000);
    versions = done.at(-1)?.versions ?? versions;
  };
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    try {
      refused = (await problems()).filter(isOfPolicy).length;
    } catch {
      // The datapath is away; its next status makes us look again.
    }
    looking = false;
    settle();
  };

  return {
    handedOver(generation, next, since) {
      const last = waiting.at(-1);
      const entry = { generation, versions: next, since: last?.since ?? since };
      if (last?.generation === generation) waiting[waiting.length - 1] = entry;
      else waiting.push({ ...entry, since });
      settle();
    },
    answered({ generation, problems: found }) {
      taken = generation;
      if (found.some(isOfPolicy)) refused = Math.max(refused, 1);
      // An engine that failed as a whole tries again: its status tells when it holds this.
      if (!found.some(({ engine, entry }) => engine === enforcer && entry === ''))
        held = Math.max(held, generation);
      settle();
    },
    setStatus({ engines, generation }) {
      if (taken === 0 || generation > taken) return;
      const own = engines.filter(({ name }) => name === enforcer);
      if (own.some((engine) => engine.problems > 0) || refused > 0) void look();
      held = Math.max(held, Math.min(generation, ...own.map((engine) => engine.generation)));
      settle();
    },
    reach: () => (versions === undefined ? undefined : { versions, refused }),
  };
}

function isOfPolicy({ engine, entry }: EngineProblem): boolean {
  return engine === enforcer && entry.startsWith('policy');
}
