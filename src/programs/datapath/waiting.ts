/** ADDs that wait for addresses: for the agent's word, for blocks, and for the physical network to say that nobody has them. */
import type { Assignment } from '#compile/ipam/state.ts';
import type { SubnetDemand } from '#intent/handover.ts';
import type { Log } from '#telemetry/log.ts';
import type { Addresses } from './addresses.ts';
import { CniError, errorCode } from './cni/error.ts';
import type { AddRequest } from './cni/request.ts';
import type { IntentHolder } from './intent.ts';
import type { Signal } from './signal.ts';
import type { Conflict, Wire } from './wire/wire.ts';

export type Waiting = {
  /** Throws CniError 11 when there are none in time, with the reason. */
  assign(request: AddRequest): Promise<{ readonly assignment: Assignment; readonly durable: Promise<void> }>;
  demand(): readonly SubnetDemand[];
  /** Sends away those that wait. */
  stop(): void;
};

/** Milliseconds that ADD waits for the agent's word and for addresses; the runtime tries again after an error. */
const patience = 5_000;
/** Milliseconds between two looks at what no signal tells: an address that has rested long enough. */
const look = 200;
/** Milliseconds that a conflict on the physical network is told with a lack of addresses, and how many are. */
const conflictMs = 60_000;
const conflictsKept = 4;

export function createWaiting(options: {
  readonly addresses: Addresses;
  readonly holder: IntentHolder;
  readonly signal: Signal;
  /** Why no pod can be wired yet, whatever its addresses. */
  readonly notReady: () => string | undefined;
  readonly wire: Wire;
  /** Milliseconds until an ADD had addresses. */
  readonly onWaited: (milliseconds: number) => void;
  readonly log: Log;
}): Waiting {
  const { addresses, holder, signal, notReady, wire, onWaited, log } = options;
  const waiting = new Map<string, string>();
  let stopping = false;

  /** By Subnet, of the last minute: without them it would be a riddle where its free addresses went. */
  const conflicts = new Map<string, { readonly conflict: Conflict; readonly at: number }[]>();
  const conflictsOf = (subnet: string): readonly Conflict[] => {
    const known = (conflicts.get(subnet) ?? []).filter(({ at }) => performance.now() - at < conflictMs);
    if (known.length === 0) conflicts.delete(subnet);
    else conflicts.set(subnet, known);
    return known.map(({ conflict }) => conflict);
  };

  /**
   * Addresses that nobody on the physical network has, where the Subnet is one of it. What somebody has rests like a freed address
   * and the next one is tried. One that comes again was asked for by name: only its holder can mend that.
   */
  const assign: Waiting['assign'] = async (request) => {
    const deadline = performance.now() + patience;
    const tried = new Set<string>();
    for (;;) {
      const outcome = await assignInTime(request, deadline);
      const { assignment, durable } = outcome;
      if (assignment.mode !== 'underlay' || holder.intent.endpoints[request.key] !== undefined)
        return outcome;
      const found = await wire.conflicts(assignment.addresses);
      if (found.length === 0) return outcome;
      const at = performance.now();
      const known = conflictsOf(assignment.subnet).filter(
        ({ address }) => !found.some((each) => each.address === address),
      );
      conflicts.set(
        assignment.subnet,
        [...known, ...found].slice(-conflictsKept).map((conflict) => ({ conflict, at })),
      );
      const text = found.map((each) => each.text).join('; ');
      log.warn('an address of the Subnet is in use on the physical network; trying another', {
        subnet: assignment.subnet,
        found: text,
      });
      await durable;
      await addresses.release(request.key);
      const isOnly = found.some(({ address }) => tried.has(address));
      if (isOnly || at > deadline) {
        const none = isOnly ? '; the pod is to have this address and no other' : '';
        throw new CniError(errorCode.tryAgainLater, `Subnet ${assignment.subnet}: ${text}${none}`);
      }
      for (const { address } of found) tried.add(address);
    }
  };

  const assignInTime = async (request: AddRequest, deadline: number) => {
    const started = performance.now();
    try {
      for (;;) {
        const seen = signal.revision;
        const reason = notReady();
        const outcome = reason === undefined ? addresses.assign(request) : { refused: reason };
        if (!('refused' in outcome)) {
          onWaited(performance.now() - started);
          return outcome;
        }
        const left = deadline - performance.now();
        if (stopping) throw new CniError(errorCode.tryAgainLater, 'the datapath is restarting');
        if (left <= 0) {
          const held = 'subnet' in outcome ? conflictsOf(outcome.subnet ?? '') : [];
          const reasons = [outcome.refused, ...held.map(({ text }) => text)];
          throw new CniError(errorCode.tryAgainLater, reasons.join('; '));
        }
        if (
          'subnet' in outcome &&
          outcome.subnet !== undefined &&
          waiting.get(request.key) !== outcome.subnet
        ) {
          waiting.set(request.key, outcome.subnet);
          signal.notify();
          continue;
        }
        await signal.wait(seen, Math.min(left, look));
      }
    } finally {
      waiting.delete(request.key);
    }
  };

  return {
    assign,
    demand: () => {
      const count = new Map<string, number>();
      for (const subnet of waiting.values()) count.set(subnet, (count.get(subnet) ?? 0) + 1);
      return Array.from(count, ([subnet, number]) => ({ subnet, waiting: number }));
    },
    stop() {
      stopping = true;
      signal.notify();
    },
  };
}
