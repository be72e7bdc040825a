/** One packet that stands for many: who sends it, to whom, and as policy sees it. */
import type { PodModel } from '#model/pod.ts';
import type { Family } from '#net/addr.ts';
import type { PolicyEnd, PolicyFlow } from '../policy/snapshot.ts';
import { type End, nodeAddress } from './ends.ts';
import type { Pair } from './pairs.ts';
import type { Segment } from './segments.ts';
import { addressOf, type Sides, type UnitPod } from './units.ts';

export type WitnessEnd = {
  /** `pod shop/web-0`, `node node1`, or what part of the world it stands for. */
  readonly name: string;
  readonly address: string;
  /** Whether nobody has the address yet: it stands for the one that the pod will get. */
  readonly invented?: true;
};

export type Witness = {
  readonly from: WitnessEnd;
  readonly to: WitnessEnd;
  readonly flow: PolicyFlow;
};

export function witnessOf(pair: Pair, segments: readonly Segment[], sides: Sides): Witness | undefined {
  const { from, to, family, own } = pair;
  const ends = endsFor(pair);
  const [segment] = segments;
  if (ends === undefined || segment === undefined) return undefined;
  const seen = (end: End, chosen: Chosen): { end: PolicyEnd; witness: WitnessEnd } | undefined => {
    if (chosen.pod !== undefined) return podEnd(chosen.pod, family, sides);
    if (chosen.node !== undefined) {
      const node = sides.after.cluster.nodes.get(chosen.node) ?? sides.before.cluster.nodes.get(chosen.node);
      const address = node === undefined ? undefined : nodeAddress(node, family);
      if (address === undefined) return undefined;
      return { end: { kind: 'address', address }, witness: { name: `node ${chosen.node}`, address } };
    }
    const { address = '', label } = end;
    return { end: { kind: 'address', address }, witness: { name: label, address } };
  };
  const source = seen(from, ends.from);
  const target = seen(to, ends.to);
  if (source === undefined || target === undefined) return undefined;
  const pod = ends.to.pod?.after ?? ends.to.pod?.before;
  const { protocol, port } = portFor(segments, pod);
  const flow = { from: source.end, to: target.end, protocol, port, family };
  return own || from !== to || ends.from.pod !== ends.to.pod
    ? { from: source.witness, to: target.witness, flow }
    : undefined;
}

type Chosen = { readonly pod?: UnitPod; readonly node?: string };

/** A pod is no peer of itself here; a pod and a node are on one node, or on two, as the pair says. */
function endsFor({ from, to, own }: Pair): { readonly from: Chosen; readonly to: Chosen } | undefined {
  const pods = (end: End): readonly Chosen[] =>
    end.unit?.pods.map((pod) => ({ pod })) ?? end.nodes?.names.map((node) => ({ node })) ?? [{}];
  for (const source of pods(from)) {
    for (const target of pods(to)) {
      if (source.pod !== undefined && source.pod === target.pod) continue;
      const node = source.node ?? target.node;
      const pod = source.pod ?? target.pod;
      if (node !== undefined && pod !== undefined) {
        const isOwn = (pod.after ?? pod.before)?.node === node;
        if (isOwn !== own) continue;
      }
      return { from: source, to: target };
    }
  }
  return undefined;
}

function podEnd(
  pod: UnitPod,
  family: Family,
  sides: Sides,
): { end: PolicyEnd; witness: WitnessEnd } | undefined {
  const model = pod.after ?? pod.before;
  const address = model === undefined ? undefined : addressOf(model, family);
  if (address === undefined) return undefined;
  const { invented } = (pod.after === undefined ? sides.before : sides.after).cluster;
  const witness = {
    name: `pod ${pod.key}`,
    address,
    ...(invented.has(address) ? { invented: true as const } : {}),
  };
  return { end: { kind: 'pod', key: pod.key }, witness };
}

/** A port that the pod has a name for says more than any other. */
function portFor(
  segments: readonly Segment[],
  pod: PodModel | undefined,
): Pick<PolicyFlow, 'protocol' | 'port'> {
  const named = pod?.namedPorts.find(({ protocol, port }) =>
    segments.some((each) => each.protocol === protocol && each.first <= port && port <= each.last),
  );
  if (named !== undefined) return { protocol: named.protocol, port: named.port };
  const [first] = segments;
  if (first === undefined || first.protocol === 'other') return { protocol: 'other', port: 0 };
  return { protocol: first.protocol, port: Math.min(first.last, Math.max(1, first.first)) };
}
