/** The engine: holds one node's BGP sessions in FRR, which runs on by itself, whatever becomes of this process. */
import { readFileSync } from 'node:fs';
import type { Engine, Report } from '#engines/engine.ts';
import type { BGPSession } from '#intent/handover.ts';
import type { Counters } from './counters.ts';
import { type Frr, openFrr, type Peer } from './frr.ts';
import { createIntake } from './intake.ts';
import { lower, type Problem, peerKey } from './lower.ts';
import { type Line, printObjects } from './objects.ts';
import { plan, printOperation } from './plan.ts';
import type { PeerState } from './sessions.ts';

export type FrrEngineOptions = {
  /** Where FRR's files and sockets are. */
  readonly directory: string;
  /** Prefixes that no router may attract, such as the cluster's Service ranges. */
  readonly serviceRanges?: readonly string[] | undefined;
  /** Whether the node has a device of that name. */
  readonly hasDevice?: ((name: string) => boolean) | undefined;
  /** The engine has done, by itself, what it could not before. */
  readonly onRepair?: ((cause: string, report: Report) => void) | undefined;
  readonly onError?: ((error: unknown) => void) | undefined;
  /** A session is another than it was. */
  readonly onSessions?: (() => void) | undefined;
};

export type FrrEngine = Engine & {
  /** As last seen, by key of the neighbor. */
  sessions(): readonly BGPSession[];
  /** As last seen, by address or interface of the neighbor. */
  counters(): { readonly bgp: ReadonlyMap<string, Counters>; readonly bfd: ReadonlyMap<string, Counters> };
};

export function createFrrEngine(options: FrrEngineOptions): FrrEngine {
  return createEngine(openFrr(options.directory), options);
}

/** Milliseconds between two looks at the sessions, and between two tries while FRR doesn't answer. */
const lookMs = 1_000;
/** A session that is Idle for so long is not going to be tried. */
const forgottenMs = 4_000;

/** The engine over any FRR; tests use the one of fake.ts. */
export function createEngine(frr: Frr, options: Omit<FrrEngineOptions, 'directory'> = {}): FrrEngine {
  const intake = createIntake();
  const { intent } = intake;
  const { serviceRanges = [], hasDevice = isDevice } = options;
  /** Nothing is taken away before a whole intent came: what is there may be right. */
  let whole = false;
  let closed = false;
  /** FRR is behind: it did not answer, or refused something. */
  let behind = false;
  /** Whose sessions BFD watches, as far as this engine has said. */
  let guarded = '';
  let tail: Promise<unknown> = Promise.resolve();
  let known: readonly BGPSession[] = [];
  /** By neighbor. */
  const idleSince = new Map<string, number>();
  let counted: ReturnType<FrrEngine['counters']> = { bgp: new Map(), bfd: new Map() };
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work);
    tail = result.catch(() => {});
    return result;
  };

  const converge = async (): Promise<Report> => {
    if (!whole) return { operations: [], problems: [] };
    const { value, problems } = lower(intent, serviceRanges, hasDevice);
    const all = printObjects(value);
    const wantsNothing = all.length === 0;
    // Without BFD, so that sessions of a daemon that is started again stand without our help.
    if (!wantsNothing) frr.keep(withBFD(all, []));
    const established = wantsNothing ? [] : standing(await frr.peers(vrfs()));
    guarded = established.join();
    const wanted = withBFD(all, established);
    const entries = Object.keys(intent.bgpNeighbors).map((key) => `bgpNeighbors/${key}`);
    const actual = await frr.read();
    behind = actual === undefined && !wantsNothing;
    if (actual === undefined) {
      if (wantsNothing) frr.keep(undefined);
      const reason = 'FRR does not run yet, or does not answer';
      return { operations: [], problems: entries.map((entry) => ({ entry, reason })) };
    }
    const done = await executed(actual, wanted);
    if (wantsNothing) frr.keep(undefined);
    return { operations: done.operations, problems: [...problems, ...done.problems] };
  };

  const vrfs = (): readonly string[] => [
    ...new Set(Object.values(intent.bgpNeighbors).flatMap(({ vrf }) => vrf ?? [])),
  ];

  /** Neighbors whose session stands, of those that are to have BFD. */
  const standing = (peers: ReadonlyMap<string, Peer> | undefined): string[] =>
    Object.values(intent.bgpNeighbors)
      .filter(
        (neighbor) =>
          neighbor.bfd !== undefined && peers?.get(peerKey(neighbor))?.state.state === 'Established',
      )
      .map(peerKey)
      .sort();

  const executed = async (
    actual: readonly Line[],
    wanted: readonly Line[],
  ): Promise<{ operations: readonly string[]; problems: readonly Problem[] }> => {
    const operations = plan(actual, wanted);
    if (operations.length === 0) return { operations: [], problems: [] };
    const outcomes = await frr.execute(operations);
    const refused = operations.flatMap(({ command }, index) => {
      const reason = outcomes[index];
      return reason === undefined ? [] : [{ entry: entryOf(command), reason }];
    });
    // What FRR took is what it shows; a remark of its own is no refusal.
    const left = plan((await frr.read()) ?? [], wanted);
    const problems =
      left.length === 0
        ? []
        : refused.length > 0
          ? refused
          : left.map((operation) => ({
              entry: entryOf(operation.command),
              reason: `FRR does not take: ${printOperation(operation)}`,
            }));
    return { operations: operations.map(printOperation), problems };
  };

  /** The neighbor that a command is about, else the engine as a whole. */
  const entryOf = (command: string): string => {
    const name = /\bneighbor (\S+)/.exec(command)?.[1];
    const key = Object.keys(intent.bgpNeighbors).find((each) => {
      const { address, interface: device } = intent.bgpNeighbors[each]!;
      return (device ?? address) === name;
    });
    return key === undefined ? 'frr' : `bgpNeighbors/${key}`;
  };

  const look = async (): Promise<void> => {
    if (Object.keys(intent.bgpNeighbors).length === 0 && known.length === 0) return;
    const peers = await frr.peers(vrfs());
    const next = Object.entries(intent.bgpNeighbors)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([neighbor, entry]): BGPSession => {
        const address = entry.interface ?? entry.address;
        const missing: PeerState = { state: 'Unknown', received: 0, sent: 0, message: 'FRR does not answer' };
        const state = peers?.get(peerKey(entry))?.state ?? missing;
        const before = known.find((each) => each.neighbor === neighbor && each.address === address);
        return { neighbor, address, ...state, ...sameSince(before?.since, state.since) };
      });
    const isWatched = Object.values(intent.bgpNeighbors).some(({ bfd }) => bfd !== undefined);
    counted = {
      bgp: new Map([...(peers ?? [])].map(([name, { counters }]) => [name, counters])),
      bfd: isWatched ? await frr.watched() : new Map(),
    };
    if (standing(peers).join() !== guarded) await converge();
    for (const { neighbor } of forgotten(next)) {
      const entry = intent.bgpNeighbors[neighbor];
      if (entry !== undefined) await frr.restart(entry.interface ?? entry.address, entry.vrf);
    }
    if (JSON.stringify(next) === JSON.stringify(known)) return;
    known = next;
    options.onSessions?.();
  };

  /**
   * FRR 10.3 puts a session off while its BFD is down, and does not come back to it when BFD is taken away. One that is to be tried leaves
   * Idle within a second, and each new beginning has as long as the first one.
   */
  const forgotten = (sessions: readonly BGPSession[]): readonly BGPSession[] => {
    const now = performance.now();
    const idle = sessions.filter(({ state, bfd }) => state === 'Idle' && bfd === undefined);
    const keys = new Set(idle.map(({ neighbor }) => neighbor));
    for (const neighbor of idleSince.keys()) if (!keys.has(neighbor)) idleSince.delete(neighbor);
    for (const neighbor of keys) if (!idleSince.has(neighbor)) idleSince.set(neighbor, now);
    const long = idle.filter(({ neighbor }) => now - idleSince.get(neighbor)! >= forgottenMs);
    for (const { neighbor } of long) idleSince.set(neighbor, now);
    return long;
  };

  let timer: NodeJS.Timeout | undefined;
  const tick = (): void => {
    timer = setTimeout(() => {
      inTurn(async () => {
        if (closed) return;
        if (behind) {
          const report = await converge();
          if (!behind) options.onRepair?.('FRR answers', report);
        }
        await look();
      })
        .catch((error: unknown) => options.onError?.(error))
        .finally(() => {
          if (!closed) tick();
        });
    }, lookMs);
    timer.unref();
  };
  tick();

  return {
    name: 'frr',
    apply: (change) => {
      // Pods, peers and blocks are nothing to FRR: they must not wait for it.
      if (!intake.take(change) && whole) return Promise.resolve({ operations: [], problems: [] });
      if (change.replace) whole = true;
      return inTurn(converge);
    },
    resync: () => inTurn(converge),
    cleanup: () =>
      inTurn(async () => {
        whole = false;
        const actual = await frr.read();
        if (actual !== undefined) await frr.execute(plan(actual, []));
        frr.keep(undefined);
      }),
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await tail;
    },
    sessions: () => known,
    counters: () => counted,
  };
}

/** FRR says how long a session has stood, in whole seconds: the moment it began moves by one back and forth. */
function sameSince(before: string | undefined, now: string | undefined): { readonly since?: string } {
  if (now === undefined) return {};
  const close = before !== undefined && Math.abs(Date.parse(before) - Date.parse(now)) <= 2_000;
  return { since: close ? before : now };
}

/**
 * FRR 10.3 opens no session while BFD is down, and a router with dynamic neighbors starts BFD with the session only: each would wait
 * for the other forever. So BFD comes when a session stands, and goes with it.
 */
function withBFD(lines: readonly Line[], established: readonly string[]): Line[] {
  return lines.filter(({ text, context }) => {
    const name = /^neighbor (\S+) bfd\b/.exec(text)?.[1];
    const vrf = / vrf (\S+)$/.exec(context[0] ?? '')?.[1];
    return name === undefined || established.includes(vrf === undefined ? name : `${vrf}/${name}`);
  });
}

function isDevice(name: string): boolean {
  return readFileSync('/proc/net/dev', 'utf8')
    .split('\n')
    .some((line) => line.trimStart().startsWith(`${name}:`));
}
