/** Watches without pause that no address is two pods' and no block two nodes', by what API and nodes each say. */
import { expect } from 'vitest';
import { podType } from '#api/core.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import type { DatapathStatus } from '#intent/handover.ts';
import { ConnectionError } from '#kube/errors.ts';
import { parsePrefix, prefixesOverlap } from '#net/prefix.ts';
import type { Cluster } from './cluster.ts';
import { askDatapath, endpointsOf, type PodObject } from './pods.ts';

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

/** What datapaths hold is what live pods have and nothing else: every address of a block is somebody's or free, every device a pod's. */
export async function expectNoLeak(cluster: Cluster, nodes: Iterable<string>): Promise<void> {
  const { items } = await cluster.client.list<PodObject>(podType);
  for (const node of nodes) {
    const status = await askDatapath<DatapathStatus>(cluster.lab, node, '/v1/status');
    const endpoints = await endpointsOf(cluster.lab, node);
    const wanted = items
      .filter(({ spec }) => spec.nodeName === node && spec.hostNetwork !== true)
      .flatMap(({ status: { podIPs = [] } = {} }) => podIPs.map(({ ip }) => ip));
    expect(endpoints.flatMap(({ addresses }) => addresses).toSorted(), node).toEqual(wanted.toSorted());
    const assigned = status.blocks.reduce((sum, block) => sum + block.assigned, 0);
    expect(assigned + status.strays.length, node).toBe(wanted.length + status.tunnelAddresses.length);
    const { stdout } = await cluster.lab.exec(node, ['sh', '-c', 'ls /sys/class/net | grep -c ^nlp']);
    expect(Number(stdout), node).toBe(endpoints.length);
  }
}

function doubled(uses: readonly (readonly [address: string, owner: string])[]): string[] {
  return [...Map.groupBy(uses, ([address]) => address)].flatMap(([address, all]) => {
    const owners = new Set(all.map(([, owner]) => owner));
    return owners.size < 2 ? [] : [`${address} as ${[...owners].join(' and ')}`];
  });
}
