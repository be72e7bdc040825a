/** Keeps a GatewayClass of ours while a Gateway has it: deleted by mistake it would take their data planes out of care. */
import { gatewayClassKind } from '#api/kinds/gatewayclass.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { createWorkQueue, runWorkers } from '#kube/workqueue.ts';
import type { Log } from '#telemetry/log.ts';
import type { StatusObject } from './status-writer.ts';

export type ClassesOptions = {
  readonly client: Client;
  /** Undefined: there is none of that name that is ours. */
  readonly object: (name: string) => StatusObject | undefined;
  readonly isUsed: (name: string) => boolean;
  readonly log: Log;
};

export type Classes = { touch(name: string): void; stop(): Promise<void> };

/** The specification's. */
const finalizer = 'gateway-exists-finalizer.gateway.networking.k8s.io';
const againMs = 500;

export function keepClasses({ client, object, isUsed, log }: ClassesOptions): Classes {
  const queue = createWorkQueue<string>({ name: 'gateway-classes' });
  const reconcile = async (name: string, signal: AbortSignal) => {
    const held = object(name);
    if (held === undefined) return undefined;
    const others = held.finalizers.filter((each) => each !== finalizer);
    const wanted = isUsed(name) ? [...others, finalizer] : others;
    if (wanted.length === held.finalizers.length) return undefined;
    const body = { metadata: { resourceVersion: held.resourceVersion, finalizers: wanted } };
    try {
      await client.patch(gatewayClassKind, { name }, { kind: 'merge', body }, { signal });
    } catch (error) {
      if (isConflict(error)) return { requeueAfter: againMs };
      if (!isNotFound(error)) throw error;
    }
    return undefined;
  };
  const workers = runWorkers(queue, 1, reconcile, { log });
  return { touch: (name) => queue.add(name), stop: () => workers.stop() };
}
