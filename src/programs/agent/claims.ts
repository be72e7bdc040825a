/** Keeps the node's block claims right: carries out what `decideClaims` decides. */
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { blockName } from '#compile/ipam/blocks.ts';
import type { PodAddresses } from '#compile/ipam/single.ts';
import { defaultSubnet } from '#compile/topology/entries.ts';
import type { DatapathStatus } from '#intent/handover.ts';
import { backoffDelay } from '#kube/backoff.ts';
import { isAlreadyExists, isConflict, isNotFound } from '#kube/client.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import { createThinned } from '#telemetry/thinned.ts';
import type { SubnetUsage } from '../node-lease.ts';
import { type ClaimDecision, decideClaims } from './claim-decision.ts';
import { createNodeAddresses } from './node-addresses.ts';
import { claimObject, createSingles, forgetSeen, type SinglesOptions } from './singles.ts';

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
const lineEveryMs = 10_000;

export type ClaimsOptions = Pick<
  SinglesOptions,
  'client' | 'node' | 'feed' | 'log' | 'onAddresses' | 'toldOfPods'
> & {
  /** `usable()` changed. */
  readonly onUsable: () => void;
};

/** One pass at a time; what changes meanwhile makes another one. */
export function startClaims(options: ClaimsOptions): Claims {
  const { client, node, feed, log, onUsable } = options;
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
  /** Failures in a row: the API server is away, or refuses what we ask. */
  let failures = 0;
  const failureLine = createThinned(lineEveryMs);
  const nodeAddresses = createNodeAddresses(client);
  let timer: NodeJS.Timeout | undefined;
  const decided = Promise.withResolvers<void>();
  const singles = createSingles({
    ...options,
    onRefused(error, fields) {
      attempt++;
      if (isAlreadyExists(error)) pokeIn(elsewhereMs);
      else failed('can not claim an address', { ...fields, error });
    },
    onFailed: (what, fields) => failed(what, fields),
  });

  const pass = async (): Promise<void> => {
    const self = feed.self();
    if (status === undefined || !feed.isSynced()) return;
    if (self === undefined) return;
    const claims = feed.claims();
    forgetSeen(asked, claims);
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
    const claimSingles = singles.decide(claims, self.nodeUID, status, attempt);
    decided.resolve();
    report(decision);
    await Promise.all([
      nodeAddresses
        .tell(decision.use, status.tunnelAddresses)
        .catch((error: unknown) => failed("can not tell the node's own addresses", { error })),
      claimSingles(),
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
    addresses: () => singles.addresses(),
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
