/** Chooses for each Service that is answered for on a segment the node that does so, and writes it on the Service. */
import { serviceType } from '#api/core.ts';
import { createEligibility } from '#compile/loadbalancer/candidates.ts';
import {
  type Answer,
  answersOf,
  nodesThatStay,
  type ServiceAnswers,
  type World,
} from '#compile/loadbalancer/l2.ts';
import { type Announced, spread } from '#compile/loadbalancer/spread.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import type { L2AdvertisementModel } from '#model/l2advertisement.ts';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import { loadBalancerAnnotations } from '#model/loadbalancerservice.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import type { Caches } from './caches.ts';
import { createPasses } from './passes.ts';

export type Announcers = {
  /** Works until the signal aborts. The caches must hold their first lists by then. */
  run(signal: AbortSignal): Promise<void>;
  /** Of Services and L2Advertisements, as of the last pass. */
  problems(): readonly Problem[];
};

/** Nodes come and go without any object of theirs changing. */
const periodMs = 10_000;
/** A node from which nothing was heard for so long gives what it has to others: it may be long until it is back. */
const goneMs = 5 * 60_000;
const lineEveryMs = 30_000;

/**
 * `isAlive`: the node renews its lease. What happens in the first seconds and minutes the nodes settle among themselves: an absent node's
 * addresses are answered for by the next candidate, and nothing is written.
 */
export function createAnnouncers(
  client: Client,
  caches: Caches,
  isAlive: (node: string) => boolean,
  log: Log,
  onProblems: () => void,
): Announcers {
  const absentSince = new Map<string, number>();
  const answers = createAnswers();
  const failing = createThinned(lineEveryMs);
  let problems: readonly Problem[] = [];
  let dirty = true;
  /** Nodes that could announce something, as of the last pass. */
  let known: ReadonlySet<string> | undefined;

  const pass = async (): Promise<void> => {
    const nodes = caches.nodes.list().flatMap(({ value }) => value ?? []);
    const isNews = noteAbsence(absentSince, nodes, isAlive);
    if (!dirty && !isNews) return;
    dirty = false;
    const now = performance.now();
    const gone = [...absentSince].filter(([, since]) => now - since > goneMs).map(([name]) => name);
    const found = announcements(
      caches,
      nodes.filter(({ name }) => !gone.includes(name)),
      answers,
    );
    tell(found.problems);
    const eligible = new Set(found.announced.flatMap((each) => each.eligible.map(({ node }) => node)));
    const hasJoined = known !== undefined && [...eligible].some((node) => !known?.has(node));
    known = eligible;
    const places = spread(found.announced, new Set(absentSince.keys()), hasJoined);
    for (const { key, services } of found.announced) {
      const place = places.get(key);
      // Without anybody who may it stays as it is: whoever had it has it again.
      if (place === undefined) continue;
      for (const service of services) if (service.announcer !== place) await write(service, place);
    }
  };
  const tell = (now: readonly Problem[]): void => {
    if (JSON.stringify(now) === JSON.stringify(problems)) return;
    problems = now;
    onProblems();
  };
  const write = async (service: LoadBalancerModel, place: string): Promise<void> => {
    const body = { metadata: { annotations: { [loadBalancerAnnotations.announcer]: place } } };
    const target = { name: service.origin.name, namespace: service.namespace };
    try {
      await client.patch(serviceType, target, { kind: 'merge', body });
      failing.over();
    } catch (error) {
      if (isNotFound(error)) return;
      dirty = true;
      failing.happened((times) =>
        log.warn("a Service's announcer can't be written and is tried again", {
          object: service.key,
          error,
          times,
        }),
      );
    }
  };
  const passes = createPasses(pass, periodMs);
  const touch = (): void => {
    dirty = true;
    passes.wake();
  };
  for (const cache of [caches.addressPools, caches.l2Advertisements, caches.nodes]) cache.onChange(touch);
  caches.services.onChange(({ old, new: service }) => {
    if (old?.balancer !== undefined || service?.balancer !== undefined) touch();
  });
  caches.slices.onChange(({ old, new: slice }) => {
    if (JSON.stringify(old?.places) !== JSON.stringify(slice?.places)) touch();
  });

  return {
    async run(signal) {
      dirty = true;
      await passes.run(signal);
      problems = [];
      known = undefined;
      absentSince.clear();
    },
    problems: () => problems,
  };
}

/** Whether a node came, went, or is absent for so long by now that its addresses are to go elsewhere. */
function noteAbsence(
  absentSince: Map<string, number>,
  nodes: readonly NodeModel[],
  isAlive: (node: string) => boolean,
): boolean {
  const now = performance.now();
  let isNews = false;
  const names = new Set(nodes.map(({ name }) => name));
  for (const name of absentSince.keys()) if (!names.has(name)) absentSince.delete(name);
  for (const name of names) {
    const since = absentSince.get(name);
    if (isAlive(name)) isNews = absentSince.delete(name) || isNews;
    else if (since === undefined) {
      absentSince.set(name, now);
      isNews = true;
    } else if (now - since > goneMs) isNews = true;
  }
  return isNews;
}

type Shared = Announced & { readonly services: readonly LoadBalancerModel[] };

type Answers = (world: WorldInputs, service: LoadBalancerModel, places: readonly Places[]) => ServiceAnswers;

type WorldInputs = {
  readonly pools: readonly AddressPoolModel[];
  readonly advertisements: ReadonlyMap<string, L2AdvertisementModel>;
  readonly nodes: readonly NodeModel[];
};

type Places = { readonly ready: readonly string[]; readonly serving: readonly string[] };

/** Of each Service what was found last, as long as nothing that it was found from is another object: a change costs its own Service. */
function createAnswers(): Answers {
  type Found = {
    readonly service: LoadBalancerModel;
    readonly places: readonly Places[];
    readonly found: ServiceAnswers;
  };
  let last: WorldInputs | undefined;
  let world: World | undefined;
  let known = new WeakMap<LoadBalancerModel, Found>();
  return (inputs, service, places) => {
    if (world === undefined || last === undefined || !isSameWorld(last, inputs)) {
      world = {
        pools: byName(inputs.pools),
        advertisements: inputs.advertisements,
        eligibility: createEligibility(byName(inputs.nodes)),
      };
      last = inputs;
      known = new WeakMap();
    }
    const before = known.get(service);
    if (before !== undefined && isSameList(before.places, places)) return before.found;
    // Before its first endpoint is there a Service has its place already, so that it doesn't move when one comes.
    const own = nodesThatStay(
      service,
      new Set(places.flatMap(({ ready }) => ready)),
      new Set(places.flatMap(({ serving }) => serving)),
    );
    const found = answersOf(service, world, {
      any: !service.local || own.size > 0,
      nodes: own,
    });
    known.set(service, { service, places, found });
    return found;
  };
}

function isSameWorld(one: WorldInputs, other: WorldInputs): boolean {
  if (one === other) return true;
  return (
    isSameList(one.pools, other.pools) &&
    isSameList([...one.advertisements.values()], [...other.advertisements.values()]) &&
    isSameList(one.nodes, other.nodes)
  );
}

const isSameList = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  one.length === other.length && one.every((each, index) => each === other[index]);

/** Services that share an address are announced by one node. */
function announcements(
  caches: Pick<Caches, 'services' | 'addressPools' | 'l2Advertisements' | 'slices'>,
  nodes: readonly NodeModel[],
  answers: Answers,
): { readonly announced: readonly Shared[]; readonly problems: readonly Problem[] } {
  const advertisements = caches.l2Advertisements.list();
  const world: WorldInputs = {
    pools: caches.addressPools.list().flatMap(({ value }): AddressPoolModel[] => (value ? [value] : [])),
    advertisements: new Map(
      advertisements.flatMap(({ ref, value }) => (value ? [[`${ref.namespace}/${ref.name}`, value]] : [])),
    ),
    nodes,
  };
  const problems = advertisements.flatMap((each) => each.problems);
  const services = caches.services.list().flatMap(({ balancer }) => balancer?.model ?? []);
  const places = Map.groupBy(
    caches.slices.list().flatMap((slice) => slice.places ?? []),
    ({ service }) => service,
  );
  const groups = new Map<string, { services: LoadBalancerModel[]; answers: Answer[] }>();
  const groupOf = new Map<string, string>();
  for (const service of services.sort((a, b) => (a.key < b.key ? -1 : 1))) {
    const found = answers(world, service, places.get(service.key) ?? []);
    problems.push(...found.problems);
    if (found.answers.length === 0) continue;
    const known = service.assigned.map((address) => groupOf.get(address)).find((key) => key !== undefined);
    const group = groups.get(known ?? service.key) ?? { services: [], answers: [] };
    group.services.push(service);
    group.answers.push(...found.answers);
    groups.set(known ?? service.key, group);
    for (const address of service.assigned) groupOf.set(address, known ?? service.key);
  }
  const announced = [...groups].map(([key, group]) => ({
    key,
    address: group.services[0]?.assigned[0],
    eligible: eligibleFor(group.answers),
    announcer: group.services.find(({ announcer }) => announcer !== undefined)?.announcer,
    services: group.services,
  }));
  return { announced, problems };
}

/** Nodes that may answer for all of the addresses, or where there is none, for the first. */
function eligibleFor(answers: readonly Answer[]): Announced['eligible'] {
  const [first, ...more] = answers;
  const all = first!.eligible.filter(({ node }) =>
    more.every(({ eligible }) => eligible.some((each) => each.node === node)),
  );
  return all.length > 0 ? all : first!.eligible;
}

function byName<T extends { readonly name: string }>(list: readonly T[]): Map<string, T> {
  return new Map(list.map((each) => [each.name, each]));
}
