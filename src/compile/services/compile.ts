/** Services and EndpointSlices become the intent of a node: as a whole, or change by change. */
import type { HealthCheckIntent, ServiceIntent } from '#intent/node.ts';
import type { Problem } from '#model/problem.ts';
import type { EndpointSliceModel, ServiceModel } from '#model/service.ts';
import { createDeltaOutput, type Delta } from '../delta.ts';
import { compileService, nowhere, type ServicePlace } from './entries.ts';
import { claimsOf, compareContenders } from './frontends.ts';

export { nowhere, type ServicePlace } from './entries.ts';

/** By `namespace/name` of the object. */
export type ServiceSnapshot = {
  readonly services: ReadonlyMap<string, ServiceModel>;
  readonly slices: ReadonlyMap<string, EndpointSliceModel>;
};

/** The intent's domains `services` and `healthChecks`, and what only shows between objects. */
export function compileServices(
  snapshot: ServiceSnapshot,
  place: ServicePlace = nowhere,
): {
  readonly value: {
    readonly services: Readonly<Record<string, ServiceIntent>>;
    readonly healthChecks: Readonly<Record<string, HealthCheckIntent>>;
  };
  readonly problems: readonly Problem[];
} {
  const slices = Map.groupBy(sorted(snapshot.slices), ([, slice]) => slice.service);
  const contenders = [...snapshot.services.values()].flatMap((service) =>
    claimsOf(service).map(({ text, kind }) => ({ text, kind, service })),
  );
  const holders = new Map<string, string>();
  for (const { text, service } of contenders.sort(compareContenders)) {
    if (!holders.has(text)) holders.set(text, service.key);
  }
  const services: Record<string, ServiceIntent> = {};
  const healthChecks: Record<string, HealthCheckIntent> = {};
  const problems: Problem[] = [];
  for (const service of snapshot.services.values()) {
    const own = (slices.get(service.key) ?? []).map(([, slice]) => slice);
    const compiled = compileService(service, own, place, (claim) => holders.get(claim));
    Object.assign(services, Object.fromEntries(compiled.entries));
    if (compiled.healthCheck !== undefined) healthChecks[service.key] = compiled.healthCheck;
    problems.push(...compiled.problems);
  }
  return { value: { services, healthChecks }, problems };
}

export type ServiceCompiler = {
  /** By `namespace/name`; `undefined` removes. */
  readonly setService: (key: string, service: ServiceModel | undefined) => void;
  readonly setSlice: (key: string, slice: EndpointSliceModel | undefined) => void;
  /** Another place compiles every Service anew; the same one costs nothing. */
  readonly setPlace: (place: ServicePlace) => void;
  /** What changed in the intent since the last flush; `undefined` when nothing did. */
  readonly flush: () => Delta | undefined;
  /** Of the state of the last flush. */
  readonly problems: () => readonly Problem[];
};

/** The same compile, change by change: a change costs its Service's slices and no other Service's. */
export function createServiceCompiler(): ServiceCompiler {
  const services = new Map<string, ServiceModel>();
  const slices = new Map<string, EndpointSliceModel>();
  // Slice keys of a Service; the Services that want a claim, one mostly.
  const slicesOf = new Map<string, Set<string>>();
  const wanting = new Map<string, Set<string>>();
  const keysOf = new Map<string, readonly string[]>();
  const problemsOf = new Map<string, readonly Problem[]>();
  const dirty = new Set<string>();
  const output = createDeltaOutput();
  let place = nowhere;

  const holder = (claim: string): string | undefined => {
    const keys = wanting.get(claim);
    if (keys === undefined) return undefined;
    if (keys.size === 1) return keys.values().next().value;
    const contenders = [...keys].flatMap((key) => {
      const service = services.get(key);
      const kind = service && claimsOf(service).find(({ text }) => text === claim)?.kind;
      return service === undefined || kind === undefined ? [] : [{ service, kind }];
    });
    return contenders.sort(compareContenders)[0]?.service.key;
  };
  const markWanting = (service: ServiceModel, key: string, wants: boolean): void => {
    for (const { text } of claimsOf(service)) {
      // Whoever else wants it may gain or lose it.
      for (const other of wanting.get(text) ?? []) dirty.add(other);
      index(wanting, text, key, wants);
    }
  };

  return {
    setService(key, service) {
      const old = services.get(key);
      if (old !== undefined) markWanting(old, key, false);
      if (service === undefined) services.delete(key);
      else {
        services.set(key, service);
        markWanting(service, key, true);
      }
      dirty.add(key);
    },
    setSlice(key, slice) {
      const old = slices.get(key);
      if (old !== undefined) {
        index(slicesOf, old.service, key, false);
        dirty.add(old.service);
      }
      if (slice === undefined) slices.delete(key);
      else {
        slices.set(key, slice);
        index(slicesOf, slice.service, key, true);
        dirty.add(slice.service);
      }
    },
    setPlace(next) {
      if (JSON.stringify(next) === JSON.stringify(place)) return;
      place = next;
      for (const key of services.keys()) dirty.add(key);
    },
    flush() {
      // Two Services never share an entry's key, so a key is set once in a flush.
      for (const key of dirty) {
        const service = services.get(key);
        const own = new Map([...(slicesOf.get(key) ?? [])].map((each) => [each, slices.get(each)!]));
        const compiled =
          service === undefined
            ? undefined
            : compileService(
                service,
                sorted(own).map(([, slice]) => slice),
                place,
                holder,
              );
        const entries = new Map(compiled?.entries);
        for (const gone of keysOf.get(key) ?? []) {
          if (!entries.has(gone)) output.set('services', gone, undefined);
        }
        for (const [entry, intent] of entries) output.set('services', entry, intent);
        output.set('healthChecks', key, compiled?.healthCheck);
        set(keysOf, key, [...entries.keys()]);
        set(problemsOf, key, compiled?.problems ?? []);
      }
      dirty.clear();
      return output.take();
    },
    problems: () => [...problemsOf.values()].flat(),
  };
}

function sorted<T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function index(map: Map<string, Set<string>>, key: string, member: string, present: boolean): void {
  const members = map.get(key) ?? new Set<string>();
  if (present) members.add(member);
  else members.delete(member);
  if (members.size === 0) map.delete(key);
  else map.set(key, members);
}

function set<T>(map: Map<string, readonly T[]>, key: string, list: readonly T[]): void {
  if (list.length === 0) map.delete(key);
  else map.set(key, list);
}
