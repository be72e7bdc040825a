/** Which kinds are served now: built-in ones and those of CRDs, found by URL or by kind. */
import type { KubeObject } from '#api/object.ts';
import { apiVersionOf } from '#api/object.ts';
import type { ServedKind } from './types.ts';

/** Two groups that show the same objects: events.k8s.io writes and reads core's table. */
const sharedTables: Readonly<Record<string, string>> = { 'events.k8s.io/events': '/events' };

/** Name of the table that holds a kind's objects. */
export function tableOf(kind: Pick<ServedKind, 'group' | 'plural'>): string {
  const name = `${kind.group}/${kind.plural}`;
  return sharedTables[name] ?? name;
}

/** Changes rarely; read on every request. */
export class Kinds {
  readonly #byPlural = new Map<string, ServedKind>();
  readonly #byKind = new Map<string, ServedKind>();
  readonly #byTable = new Map<string, ServedKind>();
  #ordered: readonly ServedKind[] = [];
  /** Counts changes: caches of discovery documents compare it. */
  generation = 0;

  constructor(builtins: readonly ServedKind[]) {
    this.#set(builtins);
  }

  get all(): readonly ServedKind[] {
    return this.#ordered;
  }

  byPlural(group: string, version: string, plural: string): ServedKind | undefined {
    return this.#byPlural.get(`${group}/${version}/${plural}`);
  }

  byKind(apiVersion: string, kind: string): ServedKind | undefined {
    return this.#byKind.get(`${apiVersion}/${kind}`);
  }

  /** The storage version of the kind that a table holds. */
  byTable(table: string): ServedKind | undefined {
    return this.#byTable.get(table);
  }

  /** Replaces all served versions of a CRD's resource; an empty list stops serving it. */
  replace(group: string, plural: string, kinds: readonly ServedKind[]): void {
    this.#set([...this.#ordered.filter((kind) => kind.group !== group || kind.plural !== plural), ...kinds]);
  }

  #set(kinds: readonly ServedKind[]): void {
    this.#ordered = kinds;
    this.generation++;
    for (const map of [this.#byPlural, this.#byKind, this.#byTable]) map.clear();
    for (const kind of kinds) {
      this.#byPlural.set(`${kind.group}/${kind.version}/${kind.plural}`, kind);
      this.#byKind.set(`${apiVersionOf(kind)}/${kind.kind}`, kind);
      const table = tableOf(kind);
      const shown = this.#byTable.get(table);
      const home = `${kind.group}/${kind.plural}` === table;
      if (shown === undefined || (home && kind.version === kind.storageVersion))
        this.#byTable.set(table, kind);
    }
  }
}

/** An object in the version of `kind`, as stored or as another version: CRDs convert by name only. */
export function toVersion(kind: ServedKind, object: KubeObject): KubeObject {
  const apiVersion = apiVersionOf(kind);
  if (object.apiVersion === apiVersion) return object;
  if (kind.group === 'events.k8s.io') return eventFromCore(object);
  return { ...object, apiVersion };
}

/** The inverse: an object as its table keeps it. */
export function toStorage(kind: ServedKind, object: KubeObject): KubeObject {
  if (tableOf(kind) === '/events') return withTimes(kind.group === '' ? object : eventToCore(object));
  const apiVersion = apiVersionOf({ group: kind.group, version: kind.storageVersion });
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** Field names of events.k8s.io/v1 and of core/v1 that differ. */
const eventFields: readonly (readonly [string, string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];

function eventFromCore(object: KubeObject): KubeObject {
  return renamed(object, 'events.k8s.io/v1', new Map(eventFields.map(([events, core]) => [core, events])));
}

function eventToCore(object: KubeObject): KubeObject {
  return renamed(object, 'v1', new Map(eventFields));
}

/** A real server shows both, null when unknown: `kubectl get events --sort-by=.lastTimestamp` finds nothing without the field. */
function withTimes(event: KubeObject): KubeObject {
  return { ...event, firstTimestamp: null, lastTimestamp: null, ...event } as KubeObject;
}

function renamed(object: KubeObject, apiVersion: string, names: ReadonlyMap<string, string>): KubeObject {
  const entries = Object.entries(object).map(([name, value]) => [names.get(name) ?? name, value] as const);
  return { ...(Object.fromEntries(entries) as KubeObject), apiVersion };
}
