/** Why a pod has its addresses, or none: the very functions that agents decide with, on what the API shows. */
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { PoolModel } from '#model/ippool.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import { isIdle, type PodModel } from '#model/pod.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { serveSubnets } from '../topology/served.ts';
import { type Considered, type Placement, place } from './placement.ts';
import { servePools } from './pools.ts';
import { decideSingles } from './single.ts';

export type ExplainedSnapshot = {
  readonly pod: PodModel;
  /** '' before it is scheduled. */
  readonly node: string;
  readonly nodeUID: string;
  /** What its status says that it has. */
  readonly addresses: readonly string[];
  readonly namespace: NamespaceModel;
  readonly subnets: readonly SubnetModel[];
  readonly pools: readonly PoolModel[];
  readonly claims: readonly BlockClaimModel[];
  /** UIDs of the pods on its node. */
  readonly alive: ReadonlySet<string>;
};

export type Explanation = {
  readonly pod: string;
  readonly node: string;
  readonly considered: readonly Considered[];
  /** As of now: a pod that runs keeps what it got when it started. */
  readonly placement?: Placement;
  /** Why it gets no address, or what it waits for. */
  readonly waits?: string;
  readonly addresses: readonly {
    readonly address: string;
    /** Name of the BlockClaim that it is of. */
    readonly claim?: string;
    readonly node?: string;
    /** Claimed for this pod alone. */
    readonly single: boolean;
    readonly keep?: string;
    readonly generation?: number;
  }[];
};

/** Pure. A pod without a network of its own takes none. */
export function explainPod(snapshot: ExplainedSnapshot): Explanation {
  const { pod, node, nodeUID, claims } = snapshot;
  const subnets = serveSubnets(snapshot.subnets).value;
  const inputs = { subnets, pools: servePools(snapshot.pools, subnets.byName).value };
  const base = { pod: `${pod.namespace}/${pod.name}`, node };
  const addresses = snapshot.addresses.map((address) => ownerOf(address, claims));
  if (isIdle(pod)) {
    const waits = 'it needs none: it is on its node’s network, or has ended';
    return { ...base, considered: [], waits, addresses };
  }
  const placed = place(pod, snapshot.namespace, inputs);
  const { considered } = placed;
  if ('refused' in placed) return { ...base, considered, waits: placed.refused, addresses };
  const { placement } = placed;
  const explained = { ...base, considered, placement, addresses };
  if (addresses.length > 0) return explained;
  if (node === '') return { ...explained, waits: 'it has no node yet' };
  if (placement.fromBlocks)
    return { ...explained, waits: `its node takes one from its blocks of Subnet ${placement.subnet}` };
  const { pods } = decideSingles({
    ...inputs,
    node,
    nodeUID,
    pods: [{ pod, placement }],
    alive: snapshot.alive,
    claims,
    wired: new Set(),
    resting: new Set(),
    isCurrent: false,
    asked: new Set(),
    attempt: 0,
  });
  const found = pods.get(pod.uid);
  if (found === undefined) return explained;
  const waits =
    'refused' in found ? found.refused : `it holds ${found.addresses.join(', ')} and is being wired`;
  return { ...explained, waits };
}

function ownerOf(address: string, claims: readonly BlockClaimModel[]): Explanation['addresses'][number] {
  const addr = parseAddr(address);
  const all = claims.filter(({ cidr }) => addr !== undefined && prefixHas(parsePrefix(cidr)!, addr));
  const claim = all.find(({ holder }) => holder !== undefined) ?? all[0];
  if (claim === undefined) return { address, single: false };
  const { name, node, holder } = claim;
  if (holder === undefined) return { address, claim: name, node, single: false };
  const { keep, generation } = holder;
  return { address, claim: name, node, single: true, ...(keep === undefined ? {} : { keep }), generation };
}
