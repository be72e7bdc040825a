/** Tells of this node's BGP sessions in the status of each BGPNeighbor and BGPPeer: a write when a session comes or goes, none besides. */
import { bgpNeighborKind } from '#api/kinds/bgpneighbor.ts';
import { bgpPeerKind } from '#api/kinds/bgppeer.ts';
import type { ResourceType } from '#api/object.ts';
import type { BGPSession } from '#intent/handover.ts';
import { backoffDelay } from '#kube/backoff.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import { type NodeSessions, sessionsByNeighbor } from './bgp-sessions.ts';

export type BGPStatus = {
  /**
   * `problems`: of neighbors that this node has and doesn't use. One that is in neither stays as it was told of last: the controller
   * takes out what a node that doesn't have the neighbor any more has said.
   */
  set(sessions: readonly BGPSession[], problems: readonly Problem[]): void;
  stop(): void;
};

const lineEveryMs = 10_000;
/** Counts of prefixes change with every block: they are told with the next change of state, or so often. */
const countsEveryMs = 30_000;

export function startBGPStatus(client: Client, node: string, log: Log): BGPStatus {
  /** What the API has of this node, as far as is known. */
  const written = new Map<string, { readonly sessions: NodeSessions; readonly at: number }>();
  let wanted: ReadonlyMap<string, NodeSessions> = new Map();
  const failing = createThinned(lineEveryMs);
  let failures = 0;
  let running = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const isDue = (name: string, sessions: NodeSessions): boolean => {
    const before = written.get(name);
    if (before === undefined) return true;
    const { received: _, sent: __, ...state } = sessions;
    const { received: ___, sent: ____, ...old } = before.sessions;
    if (JSON.stringify(state) !== JSON.stringify(old)) return true;
    const counts = sessions.received !== before.sessions.received || sessions.sent !== before.sessions.sent;
    return counts && performance.now() - before.at > countsEveryMs;
  };

  const write = async (name: string, sessions: NodeSessions): Promise<void> => {
    // Fields that are no longer there must go: a merge patch keeps what it doesn't name.
    const empty = { since: null, bfd: null, message: null };
    const body = { status: { sessions: { [node]: { ...empty, ...sessions } } } };
    try {
      const [type, target] = targetOf(name);
      await client.patch(type, { ...target, subresource: 'status' }, { kind: 'merge', body });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    written.set(name, { sessions, at: performance.now() });
  };

  const pass = async (): Promise<void> => {
    for (const [name, sessions] of wanted) if (isDue(name, sessions)) await write(name, sessions);
  };
  const again = (milliseconds: number): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      run();
    }, milliseconds);
  };
  const run = (): void => {
    if (running || stopped) return;
    running = true;
    pass()
      .then(
        () => {
          failures = 0;
          failing.over();
          const waits = [...wanted].some(
            ([name, { received, sent }]) =>
              received !== written.get(name)?.sessions.received || sent !== written.get(name)?.sessions.sent,
          );
          if (waits) again(countsEveryMs);
        },
        (error: unknown) => {
          failing.happened((times) =>
            log.warn("the status of BGP sessions can't be written", { error, times }),
          );
          again(backoffDelay(failures++, { maxMilliseconds: 10_000 }));
        },
      )
      .finally(() => {
        running = false;
        if ([...wanted].some(([name, sessions]) => isDue(name, sessions))) again(100);
      });
  };

  return {
    set(sessions, problems) {
      wanted = sessionsByNeighbor(sessions, problems);
      run();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** `BGPPeer/namespace/name`, or the name of a BGPNeighbor. */
function targetOf(
  key: string,
): readonly [ResourceType, { readonly name: string; readonly namespace?: string }] {
  const [kind, namespace, name] = key.split('/');
  if (kind !== 'BGPPeer' || namespace === undefined || name === undefined)
    return [bgpNeighborKind, { name: key }];
  return [bgpPeerKind, { namespace, name }];
}
