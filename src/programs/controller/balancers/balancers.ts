/** Gives addresses to Services of type LoadBalancer while this controller leads. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolUsage } from '#compile/loadbalancer/usage.ts';
import type { Client } from '#kube/client.ts';
import type { Recorder } from '#kube/events.ts';
import type { Problem } from '#model/problem.ts';
import { catalogue } from '#telemetry/catalogue.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import type { ServedLoadBalancers } from '../../flags.ts';
import type { Caches } from '../caches.ts';
import { createPace } from '../subnets.ts';
import { createConfigurationWriter } from './configuration.ts';
import { Superseded } from './journal.ts';
import { registerBalancerMetrics } from './metrics.ts';
import { writePoolStatuses } from './pool-statuses.ts';
import { runSession, type SessionState } from './session.ts';

export type BalancersOptions = {
  readonly client: Client;
  readonly caches: Caches;
  /** Undefined: another implementation has them all. */
  readonly served: ServedLoadBalancers | undefined;
  readonly recorder: Recorder;
  readonly registry: Registry;
  readonly log: Log;
};

export type Balancers = {
  /** Works until the signal aborts. The caches must hold their first lists by then. */
  run(signal: AbortSignal): Promise<void>;
  problems(): readonly Problem[];
};

const againMs = 1_000;

/** `onProblems`: there may be other ones than before. */
export function createBalancers(
  { client, caches, served, recorder, registry, log }: BalancersOptions,
  onProblems: () => void,
): Balancers {
  let problems: readonly Problem[] = [];
  let usage: readonly PoolUsage[] | undefined;
  const metrics = registerBalancerMetrics(registry, () => ({
    usage,
    isLoaded: caches.services.hasSynced() && caches.addressPools.hasSynced(),
    isStale: problems.some(
      ({ object, code }) => object.kind === 'IPAddressPool' && catalogue[code].severity === 'error',
    ),
  }));
  const pace = createPace(() => 0);
  const tell = (now: readonly Problem[]): void => {
    if (JSON.stringify(now) === JSON.stringify(problems)) return;
    problems = now;
    onProblems();
  };
  const session = async (identity: string, signal: AbortSignal): Promise<void> => {
    const writeConfiguration = createConfigurationWriter(client);
    let hadPools = false;
    const told = async (state: SessionState): Promise<boolean> => {
      usage = state.usage;
      tell(state.problems);
      const pools = caches.addressPools.list();
      const isHeldBack = await writePoolStatuses(client, pools, state.usage, state.problems, pace, log);
      hadPools ||= pools.length > 0;
      if (hadPools) await writeConfiguration(state.problems);
      return isHeldBack;
    };
    await runSession({ client, caches, served: served!, recorder, metrics, identity, log }, told, signal);
  };

  return {
    problems: () => problems,
    async run(signal) {
      if (served === undefined) return;
      while (!signal.aborted) {
        try {
          await session(randomUUID(), signal);
        } catch (error) {
          if (signal.aborted) break;
          const why =
            error instanceof Superseded
              ? 'another process gave addresses meanwhile'
              : 'addresses can not be given';
          log.warn(`${why}; all is read again`, { error });
        }
        await sleep(againMs, undefined, { signal }).catch(() => {});
      }
      usage = undefined;
      problems = [];
    },
  };
}
