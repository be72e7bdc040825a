/** What a BGPNeighbor's status says; pure. */
import type { BGPNeighbor } from '#api/kinds/bgpneighbor.ts';
import { hasNeighbor } from '#compile/bgp/sessions.ts';
import type { NewCondition } from '#kube/conditions.ts';
import type { BGPNeighborModel } from '#model/bgpneighbor.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { listing } from './listing.ts';

export type NeighborStatus = {
  readonly ready: Omit<NewCondition, 'observedGeneration'>;
  /** `2/3`: nodes whose sessions all stand, of those that have the neighbor. */
  readonly summary: string;
  /** Nodes with an entry that have the neighbor no longer. */
  readonly stale: readonly string[];
};

type Sessions = NonNullable<NonNullable<BGPNeighbor['status']>['sessions']>;

/** `problems`: of any object; those of this one count. */
export function neighborStatus(
  name: string,
  neighbor: BGPNeighborModel | undefined,
  sessions: Sessions,
  nodes: readonly NodeModel[],
  problems: readonly Problem[],
): NeighborStatus {
  const having = nodes
    .filter((node) => neighbor !== undefined && hasNeighbor(neighbor, node))
    .map((node) => node.name);
  const own = problems.filter(({ object }) => object.kind === 'BGPNeighbor' && object.name === name);
  const standing = having.filter((node) => sessions[node]?.state === 'Established');
  const summary = `${standing.length}/${having.length}`;
  return { summary, ...sessionStatus(own, having, sessions, 'spec.nodeSelector') };
}

/** Of a BGPNeighbor or BGPPeer that these nodes have. `field`: what says which nodes. */
export function sessionStatus(
  problems: readonly Problem[],
  having: readonly string[],
  sessions: Sessions,
  field: string,
): Pick<NeighborStatus, 'ready' | 'stale'> {
  const known = new Set(having);
  const stale = Object.keys(sessions).filter((node) => !known.has(node));
  return { stale, ready: readyOf(problems, having, sessions, field) };
}

function readyOf(
  problems: readonly Problem[],
  having: readonly string[],
  sessions: Sessions,
  field: string,
): NeighborStatus['ready'] {
  const no = { type: 'Ready', status: 'False' } as const;
  if (problems.length > 0) {
    const message = problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
    return { ...no, reason: problems[0]?.code ?? 'Invalid', message };
  }
  if (having.length === 0) return { ...no, reason: 'NoNode', message: `${field}: no node has this neighbor` };
  const down = having.filter((node) => sessions[node]?.state !== 'Established').sort();
  if (down.length === 0)
    return { type: 'Ready', status: 'True', reason: 'Established', message: 'every session stands' };
  const why = down.map((node) => {
    const { state = 'not told of yet', message } = sessions[node] ?? {};
    return `${node} (${message === undefined ? state : `${state}: ${message}`})`;
  });
  const refused = down.some((node) => sessions[node]?.state === 'Refused');
  return { ...no, reason: refused ? 'Refused' : 'SessionDown', message: `no session on ${listing(why)}` };
}
