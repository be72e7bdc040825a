/** A node's sessions with each BGPNeighbor and BGPPeer, summed up; pure. */
import { peerKey } from '#compile/bgp/peers.ts';
import type { BGPSession } from '#intent/handover.ts';
import type { Problem } from '#model/problem.ts';

/** As in the status of a BGPNeighbor. */
export type NodeSessions = {
  readonly state: string;
  readonly since?: string;
  readonly sessions: number;
  readonly established: number;
  readonly received: number;
  readonly sent: number;
  readonly bfd?: string;
  readonly message?: string;
};

/** States in the order in which a session goes through them (RFC 4271 §8.2.2). */
const progress = ['Unknown', 'Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm', 'Established'];

/** By name of the BGPNeighbor, or `BGPPeer/namespace/name`; a mesh has several sessions, and is as good as its worst. */
export function sessionsByNeighbor(
  sessions: readonly BGPSession[],
  problems: readonly Problem[] = [],
): ReadonlyMap<string, NodeSessions> {
  const groups = Map.groupBy(sessions, ({ neighbor }) =>
    neighbor.startsWith('BGPPeer/') ? neighbor : (neighbor.split('/', 1)[0] ?? neighbor),
  );
  const none = { state: 'Refused', sessions: 0, established: 0, received: 0, sent: 0 };
  return new Map([
    ...problems.flatMap(({ object: { kind, namespace, name }, message }): [string, NodeSessions][] => {
      if (kind !== 'BGPNeighbor' && kind !== 'BGPPeer') return [];
      return [[kind === 'BGPPeer' ? peerKey(namespace ?? '', name) : name, { ...none, message }]];
    }),
    ...[...groups].map(([name, own]): [string, NodeSessions] => [name, sumOf(own)]),
  ]);
}

function sumOf(own: readonly BGPSession[]): NodeSessions {
  const [worst] = own.toSorted((a, b) => rank(a) - rank(b));
  const established = own.filter(({ state }) => state === 'Established');
  const since = established
    .flatMap((session) => session.since ?? [])
    .sort()
    .at(-1);
  const bfd = own.flatMap((session) => session.bfd ?? []);
  const message = worst?.state === 'Established' ? undefined : worst?.message;
  const many = own.length > 1 && message !== undefined;
  return {
    // Of what comes and goes on the way to a session nobody needs to know: it is not there.
    state:
      worst?.state === 'Established'
        ? 'Established'
        : (worst?.state ?? 'Unknown') === 'Unknown'
          ? 'Unknown'
          : 'Down',
    ...(established.length === own.length && since !== undefined ? { since } : {}),
    sessions: own.length,
    established: established.length,
    received: own.reduce((sum, { received }) => sum + received, 0),
    sent: own.reduce((sum, { sent }) => sum + sent, 0),
    ...(bfd.length === 0 ? {} : { bfd: bfd.find((state) => state !== 'Up') ?? 'Up' }),
    ...(message === undefined ? {} : { message: many ? `${worst?.address}: ${message}` : message }),
  };
}

function rank({ state }: BGPSession): number {
  return progress.indexOf(state);
}
