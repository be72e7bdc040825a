/** Watches without pause that no address is two pods' and no block two nodes', by what API and nodes each say. */
import { podType } from '#api/core.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { ConnectionError } from '#kube/errors.ts';
import { parsePrefix, prefixesOverlap } from '#net/prefix.ts';
import type { Cluster } from './cluster.ts';
import { endpointsOf, type PodObject } from './pods.ts';

export type Audit = {
  /** How often everything was looked at. */
  readonly rounds: () => number;
  /** What was ever seen that must never be. */
  readonly faults: () => readonly string[];
  readonly stop: () => Promise<void>;
};

export function startAudit(cluster: Cluster, nodes: readonly string[]): Audit {
  const faults = new Set<string>();
  let rounds = 0;
  let stopped = false;
  const look = async (): Promise<void> => {
    const [{ items: pods }, { items: claims }, ...endpoints] = await Promise.all([
      cluster.client.list<PodObject>(podType),
      cluster.client.list<BlockClaim>(blockClaimKind),
      // A datapath that was just killed has nothing to say.
      ...nodes.map((node) => endpointsOf(cluster.lab, node).catch(() => [])),
    ]);
    const running = pods.filter((pod) => pod.spec.hostNetwork !== true && pod.status?.phase === 'Running');
    for (const fault of doubled(
      running.flatMap(({ metadata, status }) =>
        (status?.podIPs ?? []).map(({ ip }) => [ip, `${metadata.namespace}/${metadata.name}`] as const),
      ),
    )) {
      faults.add(`the API has ${fault}`);
    }
    for (const fault of doubled(
      endpoints.flatMap((list, i) =>
        list.flatMap(({ addresses, key }) => addresses.map((ip) => [ip, `${key} of ${nodes[i]}`] as const)),
      ),
    )) {
      faults.add(`datapaths have ${fault}`);
    }
    for (const [i, a] of claims.entries()) {
      const b = claims
        .slice(i + 1)
        .find(({ spec }) => prefixesOverlap(parsePrefix(a.spec.cidr)!, parsePrefix(spec.cidr)!));
      if (b !== undefined)
        faults.add(`${a.spec.cidr} of ${a.spec.node} and ${b.spec.cidr} of ${b.spec.node}`);
    }
    rounds++;
  };
  const running = (async () => {
    while (!stopped) {
      // An API server that is away has nothing to say either.
      await look().catch((error: unknown) => {
        if (!(error instanceof ConnectionError)) faults.add(String(error));
      });
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  })();
  return {
    rounds: () => rounds,
    faults: () => [...faults],
    stop: () => {
      stopped = true;
      return running;
    },
  };
}

function doubled(uses: readonly (readonly [address: string, owner: string])[]): string[] {
  return [...Map.groupBy(uses, ([address]) => address)].flatMap(([address, all]) => {
    const owners = new Set(all.map(([, owner]) => owner));
    return owners.size < 2 ? [] : [`${address} as ${[...owners].join(' and ')}`];
  });
}
