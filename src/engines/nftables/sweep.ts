/**
 * Judges connections that stand when a change may have forbidden or allowed them: those that policy forbids get a bit of their mark set,
 * by which the filter drops them, and lose it again. Nobody else's connection is touched, and no other bit.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { addrFromBytes, formatAddr } from '#net/addr.ts';
import { flowAddress } from '#system/conntrack.ts';
import type { TrackedFlow, TrackedFlows } from '#system/ctnetlink.ts';
import { connectionMarks } from '#system/registry.ts';
import type { Affected } from './policy-index.ts';
import { isLeftAlone, type PolicyTable, verdictOf } from './verdict.ts';

export type SweepParts = {
  readonly flows: TrackedFlows;
  readonly table: () => PolicyTable;
  /** The node's own addresses: what comes from them the node itself opened. */
  readonly ownAddresses: () => ReadonlySet<string>;
  readonly onError: (error: Error) => void;
};

export type Sweeper = {
  /** Of `now` soon, and again a second later for connections that were only being opened; of `later` only then. */
  ask(now: Affected, later: ReadonlySet<string>): void;
  close(): Promise<void>;
};

/** From the end of one sweep to the next: at least so many milliseconds, and so many times as long as it took. Changes in a row cost one. */
const rest = { ms: 100, times: 4 };
const secondLookMs = 1_000;
/** More addresses than this (a pod's) and all entries are read: the kernel would look through all of them twice for each. */
const singleAddresses = 2;

export function createSweeper(parts: SweepParts): Sweeper {
  let wanted: Affected = new Set();
  let late: Affected = new Set();
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const ending = new AbortController();
  const isClosed = () => ending.signal.aborted;

  async function run(): Promise<void> {
    while (!isClosed() && !isNone(wanted)) {
      const affected = wanted;
      wanted = new Set();
      const began = performance.now();
      await sweep(parts, affected).catch(parts.onError);
      const pause = Math.max(rest.ms, rest.times * (performance.now() - began));
      await sleep(pause, undefined, { signal: ending.signal }).catch(() => {});
    }
    running = undefined;
  }

  function start(affected: Affected): void {
    wanted = union(wanted, affected);
    if (!isNone(wanted)) running ??= run();
  }

  return {
    ask(now, later) {
      if (isClosed()) return;
      start(now);
      late = union(union(late, now), later);
      if (isNone(late)) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        const again = late;
        late = new Set();
        start(again);
      }, secondLookMs).unref();
    },
    async close() {
      ending.abort();
      clearTimeout(timer);
      await running;
      parts.flows.close();
    },
  };
}

async function sweep({ flows, table, ownAddresses }: SweepParts, affected: Affected): Promise<void> {
  const policy = table();
  const pods = new Set([...policy.pods.keys()].map(flowAddress));
  const concerned = affected === 'all' ? undefined : new Set([...affected].map(flowAddress));
  const texts = new Map<string, string>();
  const textOf = (address: string): string => {
    let text = texts.get(address);
    if (text === undefined) {
      text = formatAddr(addrFromBytes(Buffer.from(address, 'latin1'))!);
      texts.set(address, text);
    }
    return text;
  };
  let own: ReadonlySet<string> | undefined;
  const isForbidden = ({ source, target, protocol, targetPort }: TrackedFlow): boolean | undefined => {
    if (!pods.has(source) && !pods.has(target)) return undefined;
    if (concerned !== undefined && !concerned.has(source) && !concerned.has(target)) return undefined;
    const connection = { from: textOf(source), to: textOf(target), protocol, port: targetPort };
    if (verdictOf(policy, connection, false) !== 'deny') return false;
    if (isLeftAlone(policy, connection)) return undefined;
    own ??= ownAddresses();
    return own.has(connection.from) ? verdictOf(policy, connection, true) === 'deny' : true;
  };
  const some = affected === 'all' || affected.size > singleAddresses ? undefined : [...affected];
  await flows.mark(connectionMarks.policyDenied.value, some, isForbidden);
}

function isNone(affected: Affected): boolean {
  return affected !== 'all' && affected.size === 0;
}

function union(a: Affected, b: Affected): Affected {
  return a === 'all' || b === 'all' ? 'all' : new Set([...a, ...b]);
}
