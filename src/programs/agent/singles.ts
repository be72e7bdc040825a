/** Claims of single addresses: carries out what `decideSingles` decides. */
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { apiVersionOf } from '#api/object.ts';
import { blockName } from '#compile/ipam/blocks.ts';
import { decideSingles, type NewSingle, type PodAddresses, type SinglePod } from '#compile/ipam/single.ts';
import type { DatapathStatus } from '#intent/handover.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { type AddressHolder, type BlockClaimModel, readBlockClaim } from '#model/blockclaim.ts';
import { isIdle } from '#model/pod.ts';
import type { Log } from '#telemetry/log.ts';
import type { Feed } from './feed.ts';

export type SinglesOptions = {
  readonly client: Client;
  readonly node: string;
  readonly feed: Feed;
  readonly log: Log;
  /** `addresses()` changed. */
  readonly onAddresses: () => void;
  /** A generation of the datapath's that knows all of `feed.placed()` and no other pod; undefined: not sent yet. */
  readonly toldOfPods: () => number | undefined;
  /** A claim was not made: somebody else was quicker, or the API server refused. */
  readonly onRefused: (error: unknown, fields: Readonly<Record<string, unknown>>) => void;
  readonly onFailed: (what: string, fields: Readonly<Record<string, unknown>>) => void;
};

export type Singles = {
  /** By UID: what pods have that don't take from blocks, or why they wait. */
  readonly addresses: () => ReadonlyMap<string, PodAddresses>;
  /** Decides at once; what it gives carries that out. */
  decide(
    claims: readonly BlockClaimModel[],
    nodeUID: string,
    status: DatapathStatus,
    attempt: number,
  ): () => Promise<void>;
};

/** How long a claim that was made may take to show in the watch; beyond, it is taken to be gone again. */
const patienceMs = 30_000;

/** Takes out of `asked` (names, and when they were asked for) what the watch shows by now, or never will. */
export function forgetSeen(asked: Map<string, number>, claims: readonly BlockClaimModel[]): void {
  for (const claim of claims) asked.delete(claim.name);
  for (const [name, since] of asked) if (performance.now() - since > patienceMs) asked.delete(name);
}

export function claimObject(name: string, spec: BlockClaim['spec']): BlockClaim {
  return { apiVersion: apiVersionOf(blockClaimKind), kind: blockClaimKind.kind, metadata: { name }, spec };
}

export function createSingles(options: SinglesOptions): Singles {
  const { client, node, feed, log, onAddresses, toldOfPods, onRefused, onFailed } = options;
  /** Asking twice would claim twice. */
  const asked = new Map<string, number>();
  let addresses: ReadonlyMap<string, PodAddresses> = new Map();

  const create = async ({ cidr, subnet, holder }: NewSingle, nodeUID: string): Promise<void> => {
    const name = blockName(cidr);
    if (name === undefined) return;
    asked.set(name, performance.now());
    try {
      await client.create(blockClaimKind, claimObject(name, { cidr, subnet, node, nodeUID, holder }));
      log.info('claimed an address', { cidr, subnet, pod: `${holder.namespace}/${holder.pod}` });
    } catch (error) {
      asked.delete(name);
      onRefused(error, { cidr, subnet });
    }
  };

  /** Only as it was seen: an address has one writer at a time. */
  const asSeen = async (claim: BlockClaimModel, write: (current: BlockClaim) => Promise<unknown>) => {
    try {
      const current = await client.get<BlockClaim>(blockClaimKind, claim.name);
      if (JSON.stringify(readBlockClaim(current).value) === JSON.stringify(claim)) await write(current);
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error))
        onFailed('can not change the claim of an address', { cidr: claim.cidr, error });
    }
  };
  const rewrite = (
    claim: BlockClaimModel,
    change: Partial<Pick<BlockClaimModel, 'node' | 'nodeUID'>> & { readonly holder: AddressHolder },
  ) =>
    asSeen(claim, async (current) => {
      await client.update(blockClaimKind, { ...current, spec: { ...current.spec, ...change } });
      const { holder } = change;
      const what = holder.freedAt === undefined ? 'took over an address' : 'freed an address';
      log.info(what, { cidr: claim.cidr, pod: `${holder.namespace}/${holder.pod}`, from: claim.node });
    });
  const free = async (claim: BlockClaimModel): Promise<void> => {
    if (claim.holder === undefined) return;
    await rewrite(claim, { holder: { ...claim.holder, freedAt: new Date().toISOString() } });
  };
  const drop = (claim: BlockClaimModel) =>
    asSeen(claim, async ({ metadata: { uid, resourceVersion } }) => {
      await client.delete(blockClaimKind, claim.name, { uid, resourceVersion });
      log.info('gave an address back', { cidr: claim.cidr, subnet: claim.subnet });
    });

  return {
    addresses: () => addresses,
    decide(claims, nodeUID, { held, strays, generation }, attempt) {
      forgetSeen(asked, claims);
      const told = toldOfPods();
      const alive = new Set<string>();
      const pods: SinglePod[] = [];
      for (const { pod, placed } of feed.placed()) {
        if (isIdle(pod)) continue;
        alive.add(pod.uid);
        if ('placement' in placed && !placed.placement.fromBlocks)
          pods.push({ pod, placement: placed.placement });
      }
      const decision = decideSingles({
        ...feed.served(),
        node,
        nodeUID,
        pods,
        alive,
        claims,
        wired: new Set(held),
        resting: new Set(strays),
        isCurrent: told !== undefined && generation > 0 && generation >= told,
        asked: new Set(asked.keys()),
        attempt,
      });
      if (JSON.stringify([...decision.pods]) !== JSON.stringify([...addresses])) {
        addresses = decision.pods;
        onAddresses();
      }
      return async () => {
        await Promise.all([
          ...decision.create.map((single) => create(single, nodeUID)),
          ...decision.take.map(({ claim, holder }) => rewrite(claim, { node, nodeUID, holder })),
          ...decision.free.map(free),
          ...decision.drop.map(drop),
        ]);
      };
    },
  };
}
