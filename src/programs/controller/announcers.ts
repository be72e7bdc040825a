/** Chooses for each Service that is answered for on a segment the node that does so, and writes it on the Service. */
import { isDeepStrictEqual } from 'node:util';
import { serviceType } from '#api/core.ts';
import { createAnnouncing } from '#compile/loadbalancer/announced.ts';
import { createEligibility } from '#compile/loadbalancer/candidates.ts';
import { answersOf, nodesThatStay, type ServiceAnswers, type World } from '#compile/loadbalancer/l2.ts';
import { index, store } from '#compile/loadbalancer/maps.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import type { LoadBalancerModel } from '#model/loadbalancer.ts';
import { loadBalancerAnnotations } from '#model/loadbalancerservice.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import type { Caches, Seen, SeenService, SeenSlice } from './caches.ts';
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
  let announcing = createAnnouncing();
  const places = createPlaces();
  const problemsBy = new Map<string, readonly Problem[]>();
  const failing = createThinned(lineEveryMs);
  let problems: readonly Problem[] = [];
  /** What holds for all Services is other than before; or Services, by key. */
  let allDirty = true;
  const dirty = new Set<string>();
  let world: World | undefined;

  const pass = async (): Promise<void> => {
    const isNews = noteAbsence(absentSince, caches.nodes.list(), isAlive);
    if (!allDirty && !isNews && dirty.size === 0) return;
    const isAnew = allDirty || isNews || world === undefined;
    if (isAnew) world = worldOf(caches, longAbsent(absentSince));
    allDirty = false;
    const keys = isAnew ? new Set([...caches.services.list().map(keyOf), ...dirty]) : new Set(dirty);
    dirty.clear();
    for (const key of keys) {
      const [namespace, name = ''] = key.split('/');
      const service = caches.services.get(namespace, name)?.balancer?.model;
      const found = service === undefined ? undefined : answersFor(service, places.of(key), world!);
      store(problemsBy, key, found === undefined || found.problems.length === 0 ? undefined : found.problems);
      const isAnswered = service !== undefined && found !== undefined && found.answers.length > 0;
      announcing.set(key, isAnswered ? { service, answers: found.answers } : undefined);
    }
    tell([
      ...caches.l2Advertisements.list().flatMap((each) => each.problems),
      ...[...problemsBy.keys()].sort().flatMap((key) => problemsBy.get(key) ?? []),
    ]);
    const choices = announcing.settle(new Set(absentSince.keys()), isAnew);
    for (const { shared, place } of choices)
      for (const service of shared.services) if (service.announcer !== place) await write(service, place);
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
      allDirty = true;
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
  const touch = (key?: string): void => {
    if (key === undefined) allDirty = true;
    else dirty.add(key);
    passes.wake();
  };
  for (const cache of [caches.l2Advertisements, caches.nodes]) cache.onChange(() => touch());
  // A pool's status is written often.
  caches.addressPools.onChange(({ old, new: pool }) => {
    if (old === undefined || pool === undefined || !isDeepStrictEqual(old.value, pool.value)) touch();
  });
  caches.services.onChange(({ key, old, new: service }) => {
    if (old?.balancer !== undefined || service?.balancer !== undefined) touch(key);
  });
  caches.slices.onChange(({ key, new: slice }) => {
    for (const service of places.set(key, slice?.places)) touch(service);
  });

  return {
    async run(signal) {
      allDirty = true;
      announcing = createAnnouncing();
      await passes.run(signal);
      problems = [];
      absentSince.clear();
    },
    problems: () => problems,
  };
}

/** Whether a node came, went, or is absent for so long by now that its addresses are to go elsewhere. */
function noteAbsence(
  absentSince: Map<string, number>,
  nodes: readonly Seen<NodeModel>[],
  isAlive: (node: string) => boolean,
): boolean {
  const now = performance.now();
  let isNews = false;
  const names = new Set(nodes.flatMap(({ value }) => value?.name ?? []));
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

/** Nodes that are absent for so long that others get what they have. */
function longAbsent(absentSince: ReadonlyMap<string, number>): ReadonlySet<string> {
  const now = performance.now();
  return new Set([...absentSince].filter(([, since]) => now - since > goneMs).map(([name]) => name));
}

function worldOf(
  { addressPools, l2Advertisements, nodes }: Pick<Caches, 'addressPools' | 'l2Advertisements' | 'nodes'>,
  gone: ReadonlySet<string>,
): World {
  const pools = addressPools.list().flatMap(({ value }) => value ?? []);
  const here = nodes
    .list()
    .flatMap(({ value }) => (value === undefined || gone.has(value.name) ? [] : value));
  return {
    pools: byName(pools),
    advertisements: new Map(
      l2Advertisements
        .list()
        .flatMap(({ ref, value }) => (value ? [[`${ref.namespace}/${ref.name}`, value]] : [])),
    ),
    eligibility: createEligibility(byName(here)),
  };
}

function answersFor(service: LoadBalancerModel, places: readonly Places[], world: World): ServiceAnswers {
  // Before its first endpoint is there a Service has its place already, so that it doesn't move when one comes.
  const own = nodesThatStay(
    service,
    new Set(places.flatMap(({ ready }) => ready)),
    new Set(places.flatMap(({ serving }) => serving)),
  );
  return answersOf(service, world, { any: !service.local || own.size > 0, nodes: own });
}

type Places = NonNullable<SeenSlice['places']>;

/** Where Services have endpoints, slice by slice. */
function createPlaces() {
  const places = new Map<string, Places>();
  const slicesOf = new Map<string, Set<string>>();
  return {
    /** Gives the Services that have endpoints elsewhere than before. */
    set(key: string, next: Places | undefined): readonly string[] {
      const before = places.get(key);
      if (JSON.stringify(before) === JSON.stringify(next)) return [];
      if (before !== undefined) index(slicesOf, before.service, key, false);
      store(places, key, next);
      if (next !== undefined) index(slicesOf, next.service, key, true);
      return [before, next].flatMap((each) => each?.service ?? []);
    },
    of: (service: string): readonly Places[] =>
      [...(slicesOf.get(service) ?? [])].flatMap((key) => places.get(key) ?? []),
  };
}

const keyOf = ({ ref }: Pick<SeenService, 'ref'>): string => `${ref.namespace ?? ''}/${ref.name}`;

function byName<T extends { readonly name: string }>(list: readonly T[]): Map<string, T> {
  return new Map(list.map((each) => [each.name, each]));
}
