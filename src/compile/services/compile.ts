/** Services and EndpointSlices become the intent of every node: as a whole, or change by change. */
import type { ServiceIntent } from '#intent/node.ts';
import type { Problem } from '#model/problem.ts';
import type { EndpointSliceModel, ServiceModel, ServicePort } from '#model/service.ts';
import type { Family } from '#net/addr.ts';
import { createDeltaOutput, type Delta } from '../delta.ts';
import { chooseBackends } from './backends.ts';

/** By `namespace/name` of the object. */
export type ServiceSnapshot = {
  readonly services: ReadonlyMap<string, ServiceModel>;
  readonly slices: ReadonlyMap<string, EndpointSliceModel>;
};

/** The intent's domain `services` (keys `namespace/name/port name/family`), and what only shows between objects. */
export function compileServices(snapshot: ServiceSnapshot): {
  readonly value: Readonly<Record<string, ServiceIntent>>;
  readonly problems: readonly Problem[];
} {
  const slices = Map.groupBy(sorted(snapshot.slices), ([, slice]) => slice.service);
  const holders = new Map<string, ServiceModel>();
  for (const service of [...snapshot.services.values()].sort(compareServices)) {
    for (const frontend of frontendsOf(service)) if (!holders.has(frontend)) holders.set(frontend, service);
  }
  const value: Record<string, ServiceIntent> = {};
  const problems: Problem[] = [];
  for (const service of snapshot.services.values()) {
    const own = (slices.get(service.key) ?? []).map(([, slice]) => slice);
    const compiled = compileService(service, own, (frontend) => holders.get(frontend));
    Object.assign(value, Object.fromEntries(compiled.entries));
    problems.push(...compiled.problems);
  }
  return { value, problems };
}

export type ServiceCompiler = {
  /** By `namespace/name`; `undefined` removes. */
  readonly setService: (key: string, service: ServiceModel | undefined) => void;
  readonly setSlice: (key: string, slice: EndpointSliceModel | undefined) => void;
  /** What changed in the intent since the last flush; `undefined` when nothing did. */
  readonly flush: () => Delta | undefined;
  /** Of the state of the last flush. */
  readonly problems: () => readonly Problem[];
};

/** The same compile, change by change: a change costs its Service's slices and no other Service's. */
export function createServiceCompiler(): ServiceCompiler {
  const services = new Map<string, ServiceModel>();
  const slices = new Map<string, EndpointSliceModel>();
  // Slice keys of a Service; the Services that want a frontend, one mostly.
  const slicesOf = new Map<string, Set<string>>();
  const wanting = new Map<string, Set<string>>();
  const keysOf = new Map<string, readonly string[]>();
  const problemsOf = new Map<string, readonly Problem[]>();
  const dirty = new Set<string>();
  const output = createDeltaOutput();

  const holder = (frontend: string): ServiceModel | undefined => {
    const keys = wanting.get(frontend);
    if (keys === undefined) return undefined;
    return [...keys].flatMap((key) => services.get(key) ?? []).sort(compareServices)[0];
  };
  const markWanting = (frontends: readonly string[], key: string, wants: boolean): void => {
    for (const frontend of frontends) {
      // Whoever else wants it may gain or lose it.
      for (const other of wanting.get(frontend) ?? []) dirty.add(other);
      index(wanting, frontend, key, wants);
    }
  };

  return {
    setService(key, service) {
      const old = services.get(key);
      if (old !== undefined) markWanting(frontendsOf(old), key, false);
      if (service === undefined) services.delete(key);
      else {
        services.set(key, service);
        markWanting(frontendsOf(service), key, true);
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
                holder,
              );
        const entries = new Map(compiled?.entries);
        for (const gone of keysOf.get(key) ?? []) {
          if (!entries.has(gone)) output.set('services', gone, undefined);
        }
        for (const [entry, intent] of entries) output.set('services', entry, intent);
        set(keysOf, key, [...entries.keys()]);
        set(problemsOf, key, compiled?.problems ?? []);
      }
      dirty.clear();
      return output.take();
    },
    problems: () => [...problemsOf.values()].flat(),
  };
}

function compileService(
  service: ServiceModel,
  slices: readonly EndpointSliceModel[],
  holder: (frontend: string) => ServiceModel | undefined,
): {
  readonly entries: readonly (readonly [string, ServiceIntent])[];
  readonly problems: readonly Problem[];
} {
  const entries: [string, ServiceIntent][] = [];
  const problems: Problem[] = [];
  for (const address of service.clusterIPs) {
    const family: Family = address.includes(':') ? 6 : 4;
    for (const port of service.ports) {
      const rule = port.name === '' ? `spec.ports[${port.index}]` : `spec.ports[${port.name}]`;
      const winner = holder(frontendOf(address, port));
      if (winner !== undefined && winner.key !== service.key) {
        problems.push({
          object: service.origin,
          field: rule,
          code: 'DuplicateFrontend',
          message: `${address} ${port.protocol}/${port.port} belongs to the older Service ${winner.key}`,
        });
        continue;
      }
      const chosen = chooseBackends(service, port, family, slices);
      entries.push([
        `${service.key}/${port.name}/${family}`,
        {
          origin: { ...service.origin, rule },
          protocol: port.protocol,
          frontends: [{ address, port: port.port }],
          backends: chosen,
          ...(service.affinitySeconds === undefined ? {} : { affinitySeconds: service.affinitySeconds }),
        },
      ]);
    }
  }
  return { entries, problems };
}

function frontendsOf(service: ServiceModel): readonly string[] {
  return service.clusterIPs.flatMap((address) => service.ports.map((port) => frontendOf(address, port)));
}

function frontendOf(address: string, port: ServicePort): string {
  return `${address} ${port.protocol}/${port.port}`;
}

function compareServices(a: ServiceModel, b: ServiceModel): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
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
