/** Which addresses of Services nodes answer for on their segment: the intent's domain `virtualAddresses`, as a whole or change by change. Pure. */
import type { VirtualAddressIntent } from '#intent/loadbalancer.ts';
import type { EndpointSliceModel } from '#model/endpointslice.ts';
import type { L2AdvertisementModel } from '#model/l2advertisement.ts';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { createDeltaOutput, type Delta } from '../delta.ts';
import {
  advertisementsOf,
  createEligibility,
  type Eligibility,
  type EligibleNode,
  type EndpointPlaces,
  eligibleFor,
  inOrder,
  interfacesOn,
  mostCandidates,
} from './candidates.ts';
import { index, store } from './maps.ts';
import { poolOf } from './scope.ts';
import { createServiceSlices } from './slices.ts';

/** Pools, advertisements and nodes by their names, Services and slices by `namespace/name`. */
export type L2Snapshot = {
  readonly pools: ReadonlyMap<string, AddressPoolModel>;
  readonly advertisements: ReadonlyMap<string, L2AdvertisementModel>;
  readonly services: ReadonlyMap<string, LoadBalancerModel>;
  readonly slices: ReadonlyMap<string, EndpointSliceModel>;
  readonly nodes: ReadonlyMap<string, NodeModel>;
};

/** One of a Service's addresses that some advertisement takes. */
export type Answer = {
  readonly address: string;
  readonly taking: readonly L2AdvertisementModel[];
  readonly eligible: readonly EligibleNode[];
};

export type ServiceAnswers = { readonly answers: readonly Answer[]; readonly problems: readonly Problem[] };

type NamedPool = Pick<AddressPoolModel, 'name' | 'labels'>;

export type World = Pick<L2Snapshot, 'pools' | 'advertisements'> & { readonly eligibility: Eligibility };

export function answersOf(
  service: LoadBalancerModel,
  { pools, advertisements, eligibility }: World,
  endpoints: EndpointPlaces,
): ServiceAnswers {
  const answers: Answer[] = [];
  let refused = false;
  for (const address of service.assigned) {
    const pool = poolOf(address, pools.values()) ?? poolNamed(service.assignedFrom, pools);
    if (pool === undefined) continue;
    const { taking, sharedAndSelected } = advertisementsOf(service, pool, advertisements.values());
    refused ||= sharedAndSelected;
    if (taking.length === 0) continue;
    const eligible = eligibleFor(service, endpoints, eligibility.of(taking));
    if (eligible.length > 0) answers.push({ address, taking, eligible });
  }
  return { answers, problems: refused ? [sharedProblem(service)] : [] };
}

/** The oracle: all at once. `self`: the node whose interfaces are meant. */
export function compileL2(
  snapshot: L2Snapshot,
  self: string,
): {
  readonly value: { readonly virtualAddresses: Readonly<Record<string, VirtualAddressIntent>> };
  readonly problems: readonly Problem[];
} {
  const slices = Map.groupBy(snapshot.slices.values(), ({ service }) => service);
  const virtualAddresses: Record<string, VirtualAddressIntent> = {};
  const problems: Problem[] = [];
  const world = { ...snapshot, eligibility: createEligibility(snapshot.nodes) };
  for (const [key, service] of inKeyOrder(snapshot.services)) {
    const found = answersOf(service, world, endpointPlaces(service, slices.get(key) ?? []));
    problems.push(...found.problems);
    for (const [address, entry] of entriesOf(service, found.answers, snapshot.nodes.get(self)))
      virtualAddresses[address] ??= entry;
  }
  return { value: { virtualAddresses }, problems };
}

export type L2Compiler = {
  /** `undefined` removes. */
  readonly setPool: (name: string, pool: AddressPoolModel | undefined) => void;
  readonly setAdvertisement: (key: string, advertisement: L2AdvertisementModel | undefined) => void;
  readonly setNode: (name: string, node: NodeModel | undefined) => void;
  readonly setService: (key: string, service: LoadBalancerModel | undefined) => void;
  readonly setSlice: (key: string, slice: EndpointSliceModel | undefined) => void;
  /** What changed in the intent since the last flush; `undefined` when nothing did. */
  readonly flush: () => Delta | undefined;
  /** As of the last flush. */
  readonly problems: () => readonly Problem[];
};

/** The same, change by change: a change of a Service or of its endpoints costs that Service and those that share its addresses. */
export function createL2Compiler(self: string): L2Compiler {
  const pools = new Map<string, AddressPoolModel>();
  const advertisements = new Map<string, L2AdvertisementModel>();
  const nodes = new Map<string, NodeModel>();
  const services = new Map<string, LoadBalancerModel>();
  const slices = createServiceSlices();
  const entriesBy = new Map<string, ReadonlyMap<string, VirtualAddressIntent>>();
  const wanting = new Map<string, Set<string>>();
  const problemsBy = new Map<string, readonly Problem[]>();
  const dirty = new Set<string>();
  const output = createDeltaOutput();
  let eligibility = createEligibility(nodes);
  let allDirty = false;
  let nodesDirty = false;

  const recompile = (key: string, touched: Set<string>): void => {
    for (const address of entriesBy.get(key)?.keys() ?? []) {
      index(wanting, address, key, false);
      touched.add(address);
    }
    const service = services.get(key);
    if (service === undefined) {
      entriesBy.delete(key);
      problemsBy.delete(key);
      return;
    }
    const own = slices.of(key);
    const { answers, problems } = answersOf(
      service,
      { pools, advertisements, eligibility },
      endpointPlaces(service, own),
    );
    const entries = entriesOf(service, answers, nodes.get(self));
    entriesBy.set(key, entries);
    if (problems.length > 0) problemsBy.set(key, problems);
    else problemsBy.delete(key);
    for (const address of entries.keys()) {
      index(wanting, address, key, true);
      touched.add(address);
    }
  };

  const world =
    <T>(map: Map<string, T>) =>
    (name: string, value: T | undefined): void => {
      store(map, name, value);
      allDirty = true;
    };

  return {
    setPool: world(pools),
    setAdvertisement: world(advertisements),
    setNode: (name, node) => {
      const before = nodes.get(name);
      store(nodes, name, node);
      if (relevant(before) === relevant(node)) return;
      nodesDirty = true;
      // Its labels say on which interfaces.
      if (name === self) allDirty = true;
    },
    setService(key, service) {
      store(services, key, service);
      dirty.add(key);
    },
    setSlice(key, slice) {
      for (const service of slices.set(key, slice)) dirty.add(service);
    },
    flush() {
      const touched = new Set<string>();
      // Most changes of a node's labels are nothing to any advertisement.
      if (nodesDirty && !allDirty) allDirty = eligibility.renew();
      if (allDirty) eligibility = createEligibility(nodes);
      nodesDirty = false;
      for (const key of allDirty ? new Set([...services.keys(), ...dirty]) : dirty) recompile(key, touched);
      dirty.clear();
      allDirty = false;
      for (const address of touched) {
        const [first] = [...(wanting.get(address) ?? [])].sort();
        output.set('virtualAddresses', address, first && entriesBy.get(first)?.get(address));
      }
      return output.take();
    },
    problems: () => [...problemsBy.keys()].sort().flatMap((key) => problemsBy.get(key) ?? []),
  };
}

export function endpointPlaces(
  service: Pick<LoadBalancerModel, 'whileServing'>,
  slices: Iterable<EndpointSliceModel>,
): EndpointPlaces {
  const ready = new Set<string>();
  const serving = new Set<string>();
  let any = false;
  for (const { endpoints } of slices) {
    for (const endpoint of endpoints) {
      if (!endpoint.ready && !endpoint.serving) continue;
      any = true;
      if (endpoint.node !== undefined) (endpoint.ready ? ready : serving).add(endpoint.node);
    }
  }
  return { any, nodes: nodesThatStay(service, ready, serving) };
}

/**
 * A node whose endpoints are all about to end hands over while they still serve, so that no connection comes to it when they don't; it stays
 * where no other node has a ready one. With `whileServing` it hands over when they serve no more: they know best for how long they are good.
 */
export function nodesThatStay(
  { whileServing }: Pick<LoadBalancerModel, 'whileServing'>,
  ready: ReadonlySet<string>,
  serving: ReadonlySet<string>,
): ReadonlySet<string> {
  if (whileServing === true) return ready.union(serving);
  return ready.size > 0 ? ready : serving;
}

/** Empty where nobody may answer: then another Service that shares the address decides. */
function entriesOf(
  { origin, announcer, assigned }: LoadBalancerModel,
  answers: readonly Answer[],
  self: NodeModel | undefined,
): ReadonlyMap<string, VirtualAddressIntent> {
  return new Map(
    answers.map(({ address, taking, eligible }) => {
      const candidates = inOrder(eligible, assigned[0] ?? '', announcer).slice(0, mostCandidates);
      const interfaces = self === undefined ? undefined : interfacesOn(self, taking);
      return [address, { origin, candidates, ...(interfaces === undefined ? {} : { interfaces }) }];
    }),
  );
}

/** An address that was taken out of its pool, or lost it, stays with its Service; so does what is said of a pool of that name. */
export function poolNamed(name: string | undefined, pools: L2Snapshot['pools']): NamedPool | undefined {
  if (name === undefined || pools.size === 0) return undefined;
  for (const pool of pools.values()) if (pool.name === name) return pool;
  return { name, labels: {} };
}

function sharedProblem({ origin }: LoadBalancerModel): Problem {
  return {
    object: origin,
    field: 'metadata.annotations[metallb.io/allow-shared-ip]',
    code: 'NotSupported',
    message:
      'its address may be shared, and an L2Advertisement selects it by serviceSelectors: nobody answers for it; give up one of the two',
  };
}

/** Of a Node only this matters here: its addresses and its zone don't. */
function relevant(node: NodeModel | undefined): string {
  return node === undefined ? '' : JSON.stringify([node.labels, node.leaving, node.announces]);
}

function inKeyOrder<T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
