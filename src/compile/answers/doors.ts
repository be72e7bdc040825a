/** As whom a connection comes that another node than its source's takes in: by a node port, or from outside. */
import type { ClusterModel } from '#model/cluster.ts';
import type { Gates } from './gate.ts';
import { nodeParty, type Party } from './parties.ts';
import type { Translation } from './routes.ts';

export type SourceStep = {
  readonly kind: 'source';
  readonly outcome: 'allowed';
  readonly text: string;
  /**
   * `leaves`: its own node puts itself in the pod's place; `masqueraded`: the node that takes it in does; `either`: it does, but for its
   * own pods.
   */
  readonly how: 'kept' | 'leaves' | 'masqueraded' | 'either';
  /** Through any of the nodes that serve, of which this is one. */
  readonly isAny: boolean;
  /** Where that happens. */
  readonly nodes: readonly string[];
};

export type Way = {
  /** Whom the destination's policy sees. */
  readonly as: Party;
  /** Where the packet leaves the source for; absent: for the destination itself. */
  readonly first?: Party;
  /** Before it is translated, and after. */
  readonly before: readonly SourceStep[];
  readonly after: readonly SourceStep[];
};

/** Names that are printed before `and N more`. */
const mostNames = 4;

export function wayOf(
  cluster: ClusterModel,
  gates: Gates,
  from: Party,
  to: Party,
  { door }: Translation,
): Way {
  const node = door === undefined ? undefined : nodeParty(cluster, door.node, from.family);
  if (door === undefined || node === undefined) return { as: from, before: [], after: [] };
  const left = leavesAs(cluster, gates, from);
  const before =
    left === undefined
      ? []
      : [step('leaves', left.node ?? '', door.isAny, `leaves for ${node.name} as ${left.name}`)];
  // A node answers for its own pods: what it sends on to another's must come back through it.
  const isSentOn = !door.isLocal && to.node !== door.node && (to.pod === undefined || to.node !== undefined);
  const said = `masqueraded by ${node.name}: it comes as ${node.name}`;
  const after = isSentOn
    ? [step('masqueraded', door.node, door.isAny, said)]
    : door.isAny
      ? [step('kept', door.node, true, keptText)]
      : [];
  return { as: isSentOn ? node : (left ?? from), first: node, before, after };
}

const keptText = "through the pod's own node: it keeps its address";
const eitherText = "through the pod's own node it keeps its address, through another it comes as that node";

/** Of the same answer through several nodes. */
export function joinedSource(steps: readonly SourceStep[]): SourceStep | undefined {
  const [first] = steps;
  if (first === undefined) return undefined;
  const through = steps.filter(({ how }) => how !== 'kept');
  const nodes = [...new Set(through.flatMap((each) => each.nodes))].sort();
  if (nodes.length === 0) return first;
  if (through.length < steps.length || through.some(({ how }) => how === 'either'))
    return { ...first, how: 'either', nodes, text: eitherText };
  const text = `through node ${namesText(nodes)}, not the pod's own: it comes as that node, which masquerades`;
  return { ...first, how: 'masqueraded', nodes, text };
}

/** Overlay pods have no address that another node would answer to; routed and underlay ones keep theirs. */
function leavesAs(cluster: ClusterModel, gates: Gates, from: Party): Party | undefined {
  if (from.kind !== 'pod' || from.node === undefined) return undefined;
  const name = gates.subnetOf(from.address);
  const mode = cluster.subnets.find((subnet) => subnet.name === name)?.mode ?? 'overlay';
  return mode === 'overlay' ? nodeParty(cluster, from.node, from.family) : undefined;
}

function step(how: SourceStep['how'], node: string, isAny: boolean, text: string): SourceStep {
  return { kind: 'source', outcome: 'allowed', text, how, isAny, nodes: [node] };
}

function namesText(nodes: readonly string[]): string {
  const shown = nodes.slice(0, mostNames).join(', ');
  return nodes.length <= mostNames ? shown : `${shown} and ${nodes.length - mostNames} more`;
}
