/** What must never be, looked for without pause: an address of two Services, and two nodes that answer for one. */
import { serviceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { startInformer } from '#kube/informer.ts';
import type { Neighbors } from '#lab/neighbors.ts';
import type { Cluster } from '../lab/cluster.ts';
import { lastWords } from './loadbalancer-evidence.ts';

export type BalancedService = KubeObject & {
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
};

export const addressesOf = ({ status }: BalancedService): readonly string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);

export type Watch = {
  readonly services: () => readonly BalancedService[];
  faults(): readonly string[];
  /** Of the first faults: what the nodes said then. */
  evidence(): Promise<readonly string[]>;
  stop(): void;
};

/** As long as an element lives that nobody renews, and what a busy machine adds. */
const longestDouble = 3_000 + 1_500;
const askEach = 250;
/** Faults come in groups, and one says as much as all. */
const mostEvidence = 3;

/** `segment`: addresses that are asked for on the segment. */
export async function startWatch(
  { client, lab }: Cluster,
  neighbors: Neighbors,
  segment: readonly string[],
): Promise<Watch> {
  const faults = new Set<string>();
  const evidence: Promise<readonly string[]>[] = [];
  const informer = startInformer<BalancedService>(client, serviceType);
  const look = (): void => {
    for (const fault of doubled(informer.list())) faults.add(fault);
  };
  informer.onChange(look);
  await informer.synced;
  /** By address: when each node was heard last, and since when more than one is. */
  const heard = new Map<string, Map<string, number>>();
  const since = new Map<string, number>();
  const told = new Set<string>();
  const asking = await neighbors.watch(segment, askEach, ({ address, node, at }) => {
    const nodes = heard.get(address) ?? new Map<string, number>();
    heard.set(address, nodes.set(node, at));
    const now = [...nodes].filter(([, last]) => at - last < 2 * askEach).map(([name]) => name);
    if (now.length < 2) since.delete(address);
    else if (!since.has(address)) since.set(address, at);
    else if (
      at - (since.get(address) ?? at) > longestDouble &&
      !told.has(`${address} ${now.sort().join()}`)
    ) {
      told.add(`${address} ${now.join()}`);
      if (evidence.length < mostEvidence)
        evidence.push(lastWords(lab, now).catch((error: unknown) => [String(error)]));
      faults.add(
        `${address} is answered by ${now.join(' and ')} for more than ${longestDouble} ms, until after ${clock(at)}`,
      );
    }
  });
  return {
    services: () => informer.list(),
    faults: () => [...faults],
    evidence: async () => (await Promise.all(evidence)).flat(),
    stop: () => {
      asking.stop();
      informer.stop();
    },
  };
}

/** Of the day, as the deeds are told with. `at`: milliseconds since the epoch. */
export const clock = (at: number): string => new Date(at).toISOString().slice(11, 23);

/** Addresses of two Services that don't share. */
export function doubled(services: readonly BalancedService[]): string[] {
  const owners = new Map<string, BalancedService>();
  const found: string[] = [];
  for (const service of services) {
    for (const address of addressesOf(service)) {
      const other = owners.get(address);
      if (other === undefined) owners.set(address, service);
      else if (keyOf(other) === undefined || keyOf(other) !== keyOf(service))
        found.push(`${address} is of ${other.metadata.name} and of ${service.metadata.name}`);
    }
  }
  return found;
}

const keyOf = ({ metadata }: KubeObject): string | undefined =>
  metadata.annotations?.['metallb.io/allow-shared-ip'];
