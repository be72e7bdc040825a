/** One process' time as the one that allocates: from the takeover of the journal until the signal aborts or another one takes over. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '#api/object.ts';
import { createAllocationBook } from '#compile/loadbalancer/book.ts';
import type { PoolUsage } from '#compile/loadbalancer/usage.ts';
import { isOlder } from '#kube/cache.ts';
import type { Client } from '#kube/client.ts';
import type { Recorder } from '#kube/events.ts';
import type { AddressPoolModel } from '#model/loadbalancer.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import type { ServedLoadBalancers } from '../../flags.ts';
import type { Caches } from '../caches.ts';
import { createPasses } from '../passes.ts';
import { Superseded, takeOver } from './journal.ts';
import type { BalancerMetrics } from './metrics.ts';
import { planWrites, type ServiceWrite } from './plan.ts';
import { balancerOf } from './seen.ts';
import { createView } from './view.ts';
import { writeServices } from './writer.ts';

export type SessionOptions = {
  readonly client: Client;
  readonly caches: Pick<Caches, 'services' | 'addressPools' | 'namespaces'>;
  readonly served: ServedLoadBalancers;
  readonly recorder: Pick<Recorder, 'event'>;
  readonly metrics: BalancerMetrics;
  /** Unlike any other process'. */
  readonly identity: string;
  readonly log: Log;
};

export type SessionState = { readonly problems: readonly Problem[]; readonly usage: readonly PoolUsage[] };

/** What could not be written is tried again after so long. */
const periodMs = 5_000;
const gatherMs = 20;
const soonMs = 1_000;
/** A Service that gains what another one loses is a second round; a server that changes what is written must not make it a loop. */
const mostRounds = 10;

/** `told` after each pass; whether to come back soon. Throws Superseded when another process took over: what was decided is worth nothing then. */
export async function runSession(
  options: SessionOptions,
  told: (state: SessionState) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const { client, served, metrics, log } = options;
  const { services, addressPools } = options.caches;
  const cached = (key: string) => {
    const [namespace, name = ''] = key.split('/');
    return services.get(namespace, name);
  };
  const versionOf = (key: string) => cached(key)?.balancer?.resourceVersion;
  const { journal, position } = await takeOver(client, options.identity, versionOf, signal);
  await reach(() => services.position(), position, signal);

  const book = createAllocationBook();
  const view = createView((key) => cached(key)?.balancer);
  /** Services that may differ from what was decided. */
  const due = new Set<string>();
  const failing = createThinned(30_000);
  let poolsText = '';
  let wrong: ReadonlyMap<string, readonly Problem[]> = new Map();
  let superseded: unknown;
  const over = new AbortController();

  const settle = (): void => {
    const models = addressPools.list().flatMap(({ value }) => value ?? []);
    const text = textOf(models);
    if (text !== poolsText) book.setPools(models);
    poolsText = text;
    for (const key of book.settle()) due.add(key);
    const before = wrong;
    wrong = ofServices(book.problems());
    for (const key of new Set([...before.keys(), ...wrong.keys()]))
      if (!isDeepStrictEqual(before.get(key), wrong.get(key))) due.add(key);
  };
  const written = (write: ServiceWrite, now: KubeObject): void => {
    view.wrote(write.key, balancerOf(now, served));
    tellOf(write, cached(write.key)?.ref, options.recorder);
  };
  const failed = ({ key }: ServiceWrite, error: unknown): void => {
    metrics.writeFailed();
    if (!signal.aborted)
      log.warn("a Service's addresses can't be written and are tried again", { service: key, error });
  };
  const writeAll = async (): Promise<void> => {
    for (let round = 0; round < mostRounds; round += 1) {
      const { writes, settled } = planWrites(due, {
        seen: (key) => view.seen(key),
        wanted: (key) => book.get(key),
        showing: (address) => view.showing(address),
        problems: (key) => wrong.get(key) ?? [],
        now: new Date(),
      });
      for (const key of settled) due.delete(key);
      if (writes.length === 0) return;
      if ((await writeServices(writes, { client, journal, signal, written, failed })) === 0) return;
    }
  };
  const pass = async (): Promise<void> => {
    settle();
    const pools = addressPools.list();
    // Without a pool nothing of a Service is touched.
    if (pools.some(({ value }) => value !== undefined)) await writeAll();
    const own = services.list().flatMap(({ balancer }) => balancer?.problems ?? []);
    const asked = pools.length === 0 ? [] : [...pools.flatMap((each) => each.problems), ...own];
    // With the last pool gone its Services are told all the same that theirs is.
    const problems = [...asked, ...book.problems()];
    if (await told({ problems, usage: book.usage() })) setTimeout(() => passes.wake(), soonMs).unref();
  };
  const passes = createPasses(
    async () => {
      try {
        await pass();
        failing.over((times) => log.info('addresses are given again', { failed: times }));
      } catch (error) {
        if (error instanceof Superseded) {
          superseded = error;
          over.abort();
        } else if (!signal.aborted)
          failing.happened((times) =>
            log.warn('a pass over Services failed and is tried again', { error, times }),
          );
      }
    },
    periodMs,
    gatherMs,
  );

  const ends = [
    options.caches.namespaces.onChange(({ key, new: space }) => {
      book.setNamespace(key, space?.value?.labels);
      passes.wake();
    }),
    addressPools.onChange(() => passes.wake()),
    services.onChange(({ key, old, new: service }) => {
      const balancer = service?.balancer;
      if (balancer === undefined && old?.balancer === undefined) return;
      metrics.updated();
      view.heard(key, balancer);
      book.setService(key, balancer?.model);
      due.add(key);
      passes.wake();
    }),
  ];
  try {
    await passes.run(AbortSignal.any([signal, over.signal]));
  } finally {
    for (const end of ends) end();
  }
  if (superseded !== undefined) throw superseded;
}

/** What an earlier process wrote is in the cache when it has come so far. */
async function reach(now: () => string | undefined, position: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const at = now();
    if (at !== undefined && (position === '' || !isOlder(at, position))) return;
    await sleep(10, undefined, { signal });
  }
}

function tellOf(
  { gained, lost, pool }: ServiceWrite,
  regarding: Parameters<Recorder['event']>[0]['regarding'] | undefined,
  recorder: Pick<Recorder, 'event'>,
): void {
  if (regarding === undefined) return;
  const tell = (reason: string, action: string, note: string): void =>
    recorder.event({ regarding, type: 'Normal', reason, action, note });
  if (gained.length > 0) tell('IPAllocated', 'Allocate', `${gained.join(' and ')} of IPAddressPool ${pool}`);
  if (lost.length > 0) tell('IPReleased', 'Release', lost.join(' and '));
}

function ofServices(problems: readonly Problem[]): ReadonlyMap<string, readonly Problem[]> {
  const own = problems.filter(({ object }) => object.kind === 'Service');
  return Map.groupBy(own, ({ object }) => `${object.namespace}/${object.name}`);
}

/** Equal for pools that say the same: a pool's status is written often. */
function textOf(pools: readonly AddressPoolModel[]): string {
  return JSON.stringify(pools, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}
