/** Keeps the node's block claims right: carries out what `decideClaims` decides. */
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { apiVersionOf } from '#api/object.ts';
import { blockName } from '#compile/ipam/blocks.ts';
import { decideSingles, type PodAddresses, type SinglePod } from '#compile/ipam/single.ts';
import { defaultSubnet } from '#compile/topology/entries.ts';
import type { DatapathStatus } from '#intent/handover.ts';
import { backoffDelay } from '#kube/backoff.ts';
import { type Client, isAlreadyExists, isConflict, isNotFound } from '#kube/client.ts';
import { type AddressHolder, type BlockClaimModel, readBlockClaim } from '#model/blockclaim.ts';
import { isIdle } from '#model/pod.ts';
import type { Log } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import type { SubnetUsage } from '../node-lease.ts';
import { type ClaimDecision, decideClaims } from './claim-decision.ts';
import type { Feed } from './feed.ts';
import { createNodeAddresses } from './node-addresses.ts';

export type Claims = {
  /** Something that claims depend on changed. */
  readonly poke: () => void;
  readonly setStatus: (status: DatapathStatus) => void;
  /** UIDs of the claims to assign from. */
  readonly usable: () => ReadonlySet<string>;
  /** What pods and the node itself have of each Subnet, as the datapath last said. */
  readonly usage: () => ReadonlyMap<string, SubnetUsage>;
  /** By UID: what pods have that don't take from blocks, or why they wait. */
  readonly addresses: () => ReadonlyMap<string, PodAddresses>;
  /** Resolves after the first decision, for which Node and datapath must be there. */
  readonly decided: Promise<void>;
  readonly stop: () => void;
};

/** After a claim that another node was quicker to make, before the next try elsewhere. */
const elsewhereMs = 100;
/** How long a claim that was made may take to show in the watch; beyond, it is taken to be gone again. */
const patienceMs = 30_000;
const lineEveryMs = 10_000;

export type ClaimsOptions = {
  readonly client: Client;
  readonly node: string;
  readonly feed: Feed;
  readonly log: Log;
  /** `usable()` changed. */
  readonly onUsable: () => void;
  /** `addresses()` changed. */
  readonly onAddresses: () => void;
  /** A generation of the datapath's that knows all of `feed.placed()` and no other pod; undefined: not sent yet. */
  readonly toldOfPods: () => number | undefined;
};

/** One pass at a time; what changes meanwhile makes another one. */
export function startClaims(options: ClaimsOptions): Claims {
  const { client, node, feed, log, onUsable, onAddresses, toldOfPods } = options;
  let status: DatapathStatus | undefined;
  let usable: ReadonlySet<string> = new Set();
  let releasing: ReadonlySet<string> = new Set();
  let yielded: ReadonlySet<string> = new Set();
  let attempt = 0;
  let running = false;
  let again = false;
  let stopped = false;
  let reported = '';
  /** Names asked for and not seen in the watch yet, and since when; asking twice would claim twice. */
  const asked = new Map<string, number>();
  const askedSingles = new Map<string, number>();
  let addresses: ReadonlyMap<string, PodAddresses> = new Map();
  /** Failures in a row: the API server is away, or refuses what we ask. */
  let failures = 0;
  const failureLine = createThinned(lineEveryMs);
  const nodeAddresses = createNodeAddresses(client);
  let timer: NodeJS.Timeout | undefined;
  const decided = Promise.withResolvers<void>();

  const pass = async (): Promise<void> => {
    const self = feed.self();
    if (status === undefined || !feed.isSynced()) return;
    if (self === undefined) return;
    const claims = feed.claims();
    for (const names of [asked, askedSingles]) {
      for (const claim of claims) names.delete(claim.name);
      for (const [name, since] of names) if (performance.now() - since > patienceMs) names.delete(name);
    }
    const decision = decideClaims({
      node,
      nodeUID: self.nodeUID,
      subnets: feed.subnets(),
      claims,
      usage: status.blocks,
      strays: status.strays,
      tunnelAddresses: status.tunnelAddresses,
      isSettled: status.generation > 0,
      demand: status.demand,
      needed: new Set([defaultSubnet, ...feed.needed(), ...status.demand.map((each) => each.subnet)]),
      inUse: usable,
      releasing,
      yielded,
      nodes: feed.nodeCount(),
      attempt,
    });
    releasing = decision.releasing;
    yielded = decision.yielded;
    take(decision.use);
    const singles = decideOnSingles(claims, self.nodeUID, status);
    decided.resolve();
    report(decision);
    await Promise.all([
      nodeAddresses
        .tell(decision.use, status.tunnelAddresses)
        .catch((error: unknown) => failed("can not tell the node's own addresses", { error })),
      ...singles.create.map((single) => createSingle(single, self.nodeUID)),
      ...singles.take.map(({ claim, holder }) => rewrite(claim, { node, nodeUID: self.nodeUID, holder })),
      ...singles.free.map((claim) => free(claim)),
      ...singles.drop.map(dropSingle),
      ...decision.adopt.map((claim) => adopt(claim, self.nodeUID)),
      ...(asked.size > 0 || decision.adopt.length > 0
        ? []
        : decision.create.map((block) => create(block, self.nodeUID))),
      ...decision.drop.map(drop),
    ]);
  };

  const take = (claims: readonly BlockClaimModel[]): void => {
    const next = new Set(claims.map((claim) => claim.uid));
    if (next.size === usable.size && [...next].every((uid) => usable.has(uid))) return;
    usable = next;
    onUsable();
  };

  const decideOnSingles = (
    claims: readonly BlockClaimModel[],
    nodeUID: string,
    { held, strays, generation }: DatapathStatus,
  ) => {
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
      asked: new Set(askedSingles.keys()),
      attempt,
    });
    if (JSON.stringify([...decision.pods]) !== JSON.stringify([...addresses])) {
      addresses = decision.pods;
      onAddresses();
    }
    return decision;
  };

  const createSingle = async (
    { cidr, subnet, holder }: ReturnType<typeof decideSingles>['create'][number],
    nodeUID: string,
  ): Promise<void> => {
    const name = blockName(cidr);
    if (name === undefined) return;
    askedSingles.set(name, performance.now());
    try {
      await client.create(blockClaimKind, claimObject(name, { cidr, subnet, node, nodeUID, holder }));
      failures = 0;
      failureLine.over();
      log.info('claimed an address', { cidr, subnet, pod: `${holder.namespace}/${holder.pod}` });
    } catch (error) {
      askedSingles.delete(name);
      attempt++;
      if (isAlreadyExists(error)) pokeIn(elsewhereMs);
      else failed('can not claim an address', { cidr, subnet, error });
    }
  };

  /** Only as it was seen: an address has one writer at a time. */
  const asSeen = async (claim: BlockClaimModel, write: (current: BlockClaim) => Promise<unknown>) => {
    try {
      const current = await client.get<BlockClaim>(blockClaimKind, claim.name);
      if (JSON.stringify(readBlockClaim(current).value) === JSON.stringify(claim)) await write(current);
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error))
        failed('can not change the claim of an address', { cidr: claim.cidr, error });
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
  const dropSingle = (claim: BlockClaimModel) =>
    asSeen(claim, async ({ metadata: { uid, resourceVersion } }) => {
      await client.delete(blockClaimKind, claim.name, { uid, resourceVersion });
      log.info('gave an address back', { cidr: claim.cidr, subnet: claim.subnet });
    });

  const report = (decision: ClaimDecision): void => {
    const text = decision.problems.map((problem) => problem.reason).join('; ');
    if (text !== reported && text !== '') log.warn(text, { node });
    reported = text;
  };

  const create = async (
    { cidr, subnet }: ClaimDecision['create'][number],
    nodeUID: string,
  ): Promise<void> => {
    const name = blockName(cidr);
    if (name === undefined) return;
    asked.set(name, performance.now());
    try {
      await client.create(blockClaimKind, claimObject(name, { cidr, subnet, node, nodeUID }));
      failures = 0;
      failureLine.over();
      log.info('claimed a block', { cidr, subnet });
    } catch (error) {
      asked.delete(name);
      attempt++;
      if (isAlreadyExists(error)) pokeIn(elsewhereMs);
      else failed('can not claim a block', { cidr, subnet, error });
    }
  };

  const adopt = async (claim: BlockClaimModel, nodeUID: string): Promise<void> => {
    try {
      const current = await client.get<BlockClaim>(blockClaimKind, claim.name);
      if (current.metadata.uid !== claim.uid || current.spec.node !== node) return;
      await client.update(blockClaimKind, { ...current, spec: { ...current.spec, nodeUID } });
      log.info('took over a block of the earlier Node object', { cidr: claim.cidr });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error))
        failed('can not take over a block', { cidr: claim.cidr, error });
    }
  };

  const drop = async (claim: BlockClaimModel): Promise<void> => {
    try {
      await client.delete(blockClaimKind, claim.name, { uid: claim.uid });
      log.info('gave a block back', { cidr: claim.cidr, subnet: claim.subnet });
    } catch (error) {
      if (!isNotFound(error)) failed('can not give a block back', { cidr: claim.cidr, error });
    }
  };

  const failed = (what: string, fields: Readonly<Record<string, unknown>>): void => {
    failureLine.happened((times) => log.warn(what, { ...fields, times }));
    pokeIn(backoffDelay(failures, { maxMilliseconds: 10_000 }));
    failures += 1;
  };
  const pokeIn = (milliseconds: number): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      poke();
    }, milliseconds);
  };
  const poke = (): void => {
    again = true;
    if (running || stopped) return;
    running = true;
    void (async () => {
      while (again && !stopped) {
        again = false;
        await pass().catch((error: unknown) => failed('can not decide on blocks', { error }));
      }
      running = false;
    })();
  };

  return {
    poke,
    setStatus(next) {
      status = next;
      poke();
    },
    usable: () => usable,
    usage: () => (status === undefined ? new Map() : usageOf(status)),
    addresses: () => addresses,
    decided: decided.promise,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function usageOf({ blocks, demand }: DatapathStatus): ReadonlyMap<string, SubnetUsage> {
  const usage = new Map<string, SubnetUsage>();
  const add = (subnet: string, part: Partial<SubnetUsage>): void => {
    const { ipv4 = 0, ipv6 = 0, waiting = 0 } = part;
    const before = usage.get(subnet) ?? { ipv4: 0, ipv6: 0, waiting: 0 };
    usage.set(subnet, {
      ipv4: before.ipv4 + ipv4,
      ipv6: before.ipv6 + ipv6,
      waiting: before.waiting + waiting,
    });
  };
  for (const { subnet, cidr, assigned } of blocks) {
    add(subnet, cidr.includes(':') ? { ipv6: assigned } : { ipv4: assigned });
  }
  for (const { subnet, waiting } of demand) add(subnet, { waiting });
  return usage;
}

function claimObject(name: string, spec: BlockClaim['spec']): BlockClaim {
  return { apiVersion: apiVersionOf(blockClaimKind), kind: blockClaimKind.kind, metadata: { name }, spec };
}
