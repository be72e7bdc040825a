/** Writes statuses: each object's when it differs from what was decided, one write at a time, a busy object's not too often. */
import { isDeepStrictEqual } from 'node:util';
import type { ResourceType } from '#api/object.ts';
import { albInstance } from '#compile/gateway/instances/derived-gateway.ts';
import type { GatewayStatus, InstanceFacts } from '#compile/gateway/types.ts';
import { isOlder } from '#kube/cache.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { createWorkQueue, runWorkers } from '#kube/workqueue.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import type { GatewayMetrics } from './metrics.ts';
import { type HeldStatus, saysOurs, statusFields, withoutOurs } from './status.ts';

/** An object that has a status, as last heard. */
export type StatusObject = {
  readonly type: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly finalizers: readonly string[];
  readonly status: HeldStatus;
};

export type StatusWriterOptions = {
  readonly client: Client;
  /** By `KIND/namespace/name`; undefined: there is none any more. */
  readonly object: (key: string) => StatusObject | undefined;
  readonly addresses: (gateway: string) => InstanceFacts['addresses'];
  readonly metrics: GatewayMetrics;
  readonly log: Log;
};

export type StatusWriter = {
  /** What was decided, with the generation that it was decided on; `undefined`: nothing of ours is to be there. */
  decided(key: string, status: GatewayStatus | undefined, generation: number): void;
  /** What was decided is so of this generation, too. */
  observed(key: string, generation: number): void;
  /** The object is another one than before, or its addresses are. */
  touched(key: string): void;
  /** The addresses of an instance are other ones: those whose own they are, too, are told. */
  moved(instance: string): void;
  /** What is said of objects that has no place in their status. */
  problems(): readonly Problem[];
  /** Whether anything is said of the object. */
  speaksOf(key: string): boolean;
  stop(): Promise<void>;
};

const atOnce = 16;
/**
 * Between two writes of one object where only numbers differ, longer each time while it goes on: a thousand routes that come at once are a few
 * writes of their Gateway.
 */
const countEveryMs = { least: 250, most: 2_000 };

export function startStatusWriter({
  client,
  object,
  addresses,
  metrics,
  log,
}: StatusWriterOptions): StatusWriter {
  const decisions = new Map<string, { readonly status: GatewayStatus; readonly generation: number }>();
  /** Objects that something of ours may still stand in. */
  const leaving = new Set<string>();
  const written = new Map<string, { readonly at: number; readonly pause: number }>();
  /** What a write made of an object, until the cache has heard of it. */
  const own = new Map<string, StatusObject>();
  /** What the server made something else of: written again it would become that again. */
  const altered = new Map<string, string>();
  const queue = createWorkQueue<string>({ name: 'gateway-statuses' });

  const current = (key: string): StatusObject | undefined => {
    const cached = object(key);
    const mine = own.get(key);
    if (cached === undefined || mine === undefined) return cached;
    if (isOlder(cached.resourceVersion, mine.resourceVersion)) return mine;
    own.delete(key);
    return cached;
  };
  const wanted = (key: string, held: StatusObject): Readonly<Record<string, unknown>> | undefined => {
    const decision = decisions.get(key);
    if (decision === undefined) return leaving.has(key) ? withoutOurs(held.status) : undefined;
    const { status, generation } = decision;
    return statusFields(status, {
      held: held.status,
      generation,
      addresses: instancesOf(status).flatMap(addresses),
      now: new Date(),
    });
  };
  const reconcile = async (
    key: string,
    signal: AbortSignal,
  ): Promise<{ requeueAfter: number } | undefined> => {
    const held = current(key);
    if (held === undefined) {
      own.delete(key);
      leaving.delete(key);
      written.delete(key);
      altered.delete(key);
      return undefined;
    }
    const fields = wanted(key, held);
    if (fields === undefined || isSame(held.status, fields)) {
      leaving.delete(key);
      return undefined;
    }
    if (altered.get(key) === JSON.stringify(fields)) return undefined;
    const last = written.get(key) ?? { at: Number.NEGATIVE_INFINITY, pause: countEveryMs.least };
    const since = performance.now() - last.at;
    if (since < last.pause && differOnlyInCounts(held.status, fields))
      return { requeueAfter: last.pause - since };
    const { type, namespace, name, resourceVersion } = held;
    const status = Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, value ?? null]));
    try {
      const body = { metadata: { resourceVersion }, status };
      const answer = await client.patch(
        type,
        { name, namespace, subresource: 'status' },
        { kind: 'merge', body },
        { signal },
      );
      metrics.statusWritten(type.kind);
      const pause = since > 2 * last.pause ? countEveryMs.least : Math.min(2 * last.pause, countEveryMs.most);
      written.set(key, { at: performance.now(), pause });
      const now = (answer['status'] ?? {}) as HeldStatus;
      own.set(key, {
        ...held,
        resourceVersion: answer.metadata.resourceVersion ?? resourceVersion,
        status: now,
      });
      if (isSame(now, fields)) altered.delete(key);
      else altered.set(key, JSON.stringify(fields));
    } catch (error) {
      // The cache hears of what was written meanwhile, and then it is decided anew.
      if (isNotFound(error)) return undefined;
      own.delete(key);
      if (isConflict(error)) return { requeueAfter: 100 };
      throw error;
    }
    return undefined;
  };
  const workers = runWorkers(queue, atOnce, reconcile, { log });

  return {
    decided(key, status, generation) {
      if (status !== undefined) decisions.set(key, { status, generation });
      else if (decisions.delete(key)) leaving.add(key);
      queue.add(key);
    },
    observed(key, generation) {
      const decision = decisions.get(key);
      if (decision !== undefined) decisions.set(key, { ...decision, generation });
      this.touched(key);
    },
    touched(key) {
      // An earlier leader may have ended before it took back what it had said.
      if (!decisions.has(key) && saysOurs(object(key)?.status)) leaving.add(key);
      if (decisions.has(key) || leaving.has(key) || own.has(key)) queue.add(key);
    },
    moved(instance) {
      for (const [key, { status }] of decisions) if (instancesOf(status).includes(instance)) queue.add(key);
    },
    problems: () =>
      [...decisions.values()].flatMap(({ status }) => ('problems' in status ? status.problems : [])),
    speaksOf: (key) => decisions.has(key),
    stop: () => workers.stop(),
  };
}

/** Instances whose addresses are the object's. */
function instancesOf(status: GatewayStatus): readonly string[] {
  if (status.kind === 'Gateway') return [status.key];
  if (status.kind === 'ALB') return [albInstance(status.key)];
  if (status.kind === 'ALB2') return [status.instance];
  return status.kind === 'Ingress' ? status.instances : [];
}

/** Whether every field is there as it is wished. */
function isSame(held: HeldStatus, fields: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(fields).every(([field, value]) => isSameField(field, held, value));
}

function isSameField(field: string, held: HeldStatus, value: unknown): boolean {
  const there = (held as Readonly<Record<string, unknown>>)[field];
  if (isDeepStrictEqual(there, value)) return true;
  const isNothing = value === undefined || value === 0 || (Array.isArray(value) && value.length === 0);
  return isNothing && there === undefined;
}

function differOnlyInCounts(held: HeldStatus, fields: Readonly<Record<string, unknown>>): boolean {
  return isSame(JSON.parse(uncounted(held)) as HeldStatus, JSON.parse(uncounted(fields)) as typeof fields);
}

function uncounted(status: object): string {
  return JSON.stringify(status, (field, value: unknown) =>
    field === 'attachedRoutes' || field === 'attachedListenerSets' || field === 'gateways' ? 0 : value,
  );
}
