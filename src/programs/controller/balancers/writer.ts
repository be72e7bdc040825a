/** Writes addresses to Services: each write said in the journal before, and only over the version that the decision was made of. */
import { serviceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { ApiError, type Client, isConflict, isNotFound } from '#kube/client.ts';
import { loadBalancerAnnotations } from '#model/loadbalancerservice.ts';
import { type Journal, Superseded } from './journal.ts';
import { ingressOf, type ServiceWrite } from './plan.ts';

/** So many Services are in the journal at once at most; whoever takes over asks for each. */
const batchSize = 200;
const atOnce = 16;

export type WriterOptions = {
  readonly client: Client;
  readonly journal: Journal;
  readonly signal: AbortSignal;
  /** A write succeeded; the Service as it is now. */
  readonly written: (write: ServiceWrite, now: KubeObject) => void;
  readonly failed: (write: ServiceWrite, error: unknown) => void;
};

/** How many succeeded. Throws Superseded, and what the journal's write threw. */
export async function writeServices(
  writes: readonly ServiceWrite[],
  options: WriterOptions,
): Promise<number> {
  let succeeded = 0;
  for (let start = 0; start < writes.length; start += batchSize) {
    options.signal.throwIfAborted();
    const batch = writes.slice(start, start + batchSize);
    await options.journal.begin(new Map(batch.map(({ key, seen }) => [key, seen.resourceVersion])));
    const rest = [...batch];
    const work = async (): Promise<void> => {
      for (let write = rest.shift(); write !== undefined; write = rest.shift())
        if (await writeOne(write, options)) succeeded += 1;
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, batch.length) }, work));
  }
  return succeeded;
}

async function writeOne(
  write: ServiceWrite,
  { client, journal, signal, ...told }: WriterOptions,
): Promise<boolean> {
  const { key, seen, addresses, pool, conditions } = write;
  const [namespace = '', name = ''] = key.split('/');
  const { from, announcer } = loadBalancerAnnotations;
  const isOver = seen.model === undefined;
  const annotations = {
    [from]: pool ?? null,
    [from.replace('metallb.io/', 'metallb.universe.tf/')]: null,
    ...(isOver ? { [announcer]: null } : {}),
  };
  const ingress = addresses.length === 0 ? null : addresses.map(ingressOf);
  const body = {
    metadata: { uid: seen.uid, resourceVersion: seen.resourceVersion, annotations },
    status: { loadBalancer: { ingress }, conditions: conditions.length === 0 ? null : conditions },
  };
  const target = { name, namespace, subresource: 'status' };
  try {
    // Annotations can be written with the status of a core kind: both change at once or neither does.
    const now = await client.patch<KubeObject>(serviceType, target, { kind: 'merge', body }, { signal });
    journal.ended(key, now.metadata.resourceVersion);
    told.written(write, now);
    return true;
  } catch (error) {
    if (error instanceof Superseded) throw error;
    // The server refused and won't write. Of a conflict, and without an answer, a first attempt may have been what succeeded, or may yet.
    if (error instanceof ApiError && error.code < 500 && !isConflict(error)) journal.ended(key);
    if (!isConflict(error) && !isNotFound(error)) told.failed(write, error);
    return false;
  }
}
