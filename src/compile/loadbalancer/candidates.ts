/** Which nodes may answer for the addresses of a Service on their segment, in which order, and where. Pure. */
import type { L2AdvertisementModel } from '#model/l2advertisement.ts';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import { type Labels, selects } from '#model/selector.ts';
import { sha256 } from '#net/sha256.ts';
import { mayAnnounce, takesNode, takesPool, takesService } from './scope.ts';

export type EndpointPlaces = {
  /** Some endpoint is ready or serving. */
  readonly any: boolean;
  /** Names of nodes with a ready endpoint; where there is none, with one that serves. */
  readonly nodes: ReadonlySet<string>;
};

export type EligibleNode = {
  readonly node: string;
  /** Sum of the weights of the preferences that take it. */
  readonly weight: number;
};

/** Before the API tells of a dead node that many others take over, one after the other. */
export const mostCandidates = 5;

/** The advertisements under which an address is answered for; none for a Service that shares it and is selected by its labels. */
export function advertisementsOf(
  { labels, sharingKey }: Pick<LoadBalancerModel, 'labels' | 'sharingKey'>,
  pool: Pick<AddressPoolModel, 'name' | 'labels'>,
  advertisements: Iterable<L2AdvertisementModel>,
): { readonly taking: readonly L2AdvertisementModel[]; readonly sharedAndSelected: boolean } {
  const taking = [...advertisements].filter((each) => takesPool(each, pool) && takesService(each, labels));
  const sharedAndSelected =
    sharingKey !== undefined && taking.some(({ serviceSelectors }) => serviceSelectors.length > 0);
  return { taking: sharedAndSelected ? [] : taking, sharedAndSelected };
}

/** Nodes that some of the advertisements takes, in no order; kept for each set of advertisements, since few sets serve all Services. */
export type Eligibility = {
  readonly of: (advertisements: readonly L2AdvertisementModel[]) => readonly EligibleNode[];
  /** Looks at the nodes again; whether any set of advertisements has other nodes now. */
  readonly renew: () => boolean;
};

/** `nodes` may change; then `renew`. Advertisements under one name must not. */
export function createEligibility(nodes: ReadonlyMap<string, NodeModel>): Eligibility {
  type Known = { readonly taking: readonly L2AdvertisementModel[]; eligible: readonly EligibleNode[] };
  const known = new Map<string, Known>();
  return {
    of(taking) {
      const key = taking.map(({ origin }) => `${origin.namespace}/${origin.name}`).join(' ');
      const found = known.get(key) ?? { taking, eligible: eligibleNodes(taking, nodes.values()) };
      known.set(key, found);
      return found.eligible;
    },
    renew() {
      let isChanged = false;
      for (const each of known.values()) {
        const now = eligibleNodes(each.taking, nodes.values());
        isChanged ||= JSON.stringify(now) !== JSON.stringify(each.eligible);
        each.eligible = now;
      }
      return isChanged;
    },
  };
}

function eligibleNodes(
  advertisements: readonly L2AdvertisementModel[],
  nodes: Iterable<NodeModel>,
): readonly EligibleNode[] {
  const eligible: EligibleNode[] = [];
  for (const node of nodes) {
    if (!mayAnnounce(node)) continue;
    const labels = node.labels ?? {};
    const taking = advertisements.filter((each) => takesNode(each, labels));
    if (taking.length > 0) eligible.push({ node: node.name, weight: weightOf(taking, labels) });
  }
  return eligible.sort((a, b) => (a.node < b.node ? -1 : 1));
}

/** Of these, those that may for one Service. */
export function eligibleFor(
  { local }: Pick<LoadBalancerModel, 'local'>,
  endpoints: EndpointPlaces,
  eligible: readonly EligibleNode[],
): readonly EligibleNode[] {
  if (!endpoints.any) return [];
  return local ? eligible.filter(({ node }) => endpoints.nodes.has(node)) : eligible;
}

/**
 * The announcer, if it may; then by weight; nodes of one weight by a hash with the first address, so that both families of a Service are at one
 * node, and that a node that comes or goes moves nothing but what was its own.
 */
export function inOrder(
  eligible: readonly EligibleNode[],
  firstAddress: string,
  announcer: string | undefined,
): readonly string[] {
  const ranked = eligible.map(({ node, weight }) => ({
    node,
    weight,
    isFirst: node === announcer,
    hash: sha256(`${node}#${firstAddress}`),
  }));
  ranked.sort(
    (a, b) => Number(b.isFirst) - Number(a.isFirst) || b.weight - a.weight || (a.hash < b.hash ? -1 : 1),
  );
  return ranked.map(({ node }) => node);
}

/** Where the node answers; undefined: everywhere. */
export function interfacesOn(
  { labels = {} }: Pick<NodeModel, 'labels'>,
  advertisements: readonly L2AdvertisementModel[],
): readonly string[] | undefined {
  const taking = advertisements.filter((each) => takesNode(each, labels));
  if (taking.some(({ interfaces }) => interfaces.length === 0) || taking.length === 0) return undefined;
  return [...new Set(taking.flatMap(({ interfaces }) => interfaces))].sort();
}

function weightOf(advertisements: readonly L2AdvertisementModel[], labels: Labels): number {
  let sum = 0;
  for (const { preferences } of advertisements)
    for (const { weight, selector } of preferences) if (selects(selector, labels)) sum += weight;
  return sum;
}
