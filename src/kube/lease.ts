/** Leader election on a coordination.k8s.io Lease: at most one of several programs acts at a time. */
import { type Log, silentLog } from '#telemetry/log.ts';
import { sleep } from './backoff.ts';
import type { Client } from './client.ts';
import { claimLease, type LeaseClaim, type Observation, releaseLease } from './leaserecord.ts';

export { type Heartbeat, type HeartbeatOptions, holdLease } from './heartbeat.ts';

export type ElectionOptions = {
  readonly name: string;
  readonly namespace: string;
  /** Unlike any other process's, also after a restart; for example `pod name_uuid`. */
  readonly identity: string;
  /** How long others wait since they saw the leader's last renewal. Default 15. */
  readonly leaseSeconds?: number | undefined;
  /** How long the leader goes on without a renewal; must be less than `leaseSeconds`. Default 10. */
  readonly renewDeadlineSeconds?: number | undefined;
  /** Between attempts. Default 2. */
  readonly retrySeconds?: number | undefined;
  /**
   * The leader's work; runs for as long as we lead. When the signal aborts it must end at once: another may lead already.
   * When it throws, the lease is released and the election goes on.
   */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  readonly onLeader?: ((identity: string) => void) | undefined;
  readonly log?: Log | undefined;
};

export type Election = {
  /** By our own clock, now: false also when a stopped or starved process comes to itself after its lease ran out. */
  isLeader(): boolean;
  /** Whom we last saw holding the lease; '' when none. */
  leader(): string;
  /** Ends the work, releases the lease, resolves when both are done. */
  stop(): Promise<void>;
};

/**
 * Clocks of different machines are never compared: a lease counts as expired when it was seen unchanged for
 * `leaseSeconds` by our own monotonic clock, and ours counts from before the request that renewed it was sent.
 */
export function startElection(client: Client, options: ElectionOptions): Election {
  const { leaseSeconds = 15, renewDeadlineSeconds = 10, retrySeconds = 2, log = silentLog } = options;
  if (!(renewDeadlineSeconds < leaseSeconds)) {
    throw new Error('election: renewDeadlineSeconds must be less than leaseSeconds');
  }
  const claim: LeaseClaim = {
    name: options.name,
    namespace: options.namespace,
    identity: options.identity,
    leaseSeconds,
  };
  const stop = new AbortController();
  let observed: Observation | undefined;
  let renewedAt: number | undefined;
  const leads = (): boolean =>
    renewedAt !== undefined && performance.now() - renewedAt < renewDeadlineSeconds * 1000;

  /** One attempt to take or renew; true when the lease is ours now. */
  const attempt = async (signal: AbortSignal): Promise<boolean> => {
    const started = performance.now();
    const before = observed?.holder;
    try {
      const result = await claimLease(client, claim, observed, signal);
      observed = result.observed;
      if (result.held) renewedAt = started;
      if (observed.holder !== before) options.onLeader?.(observed.holder);
      return result.held;
    } catch (error) {
      if (!stop.signal.aborted) log.warn('the lease could not be renewed', { lease: options.name, error });
      return false;
    }
  };

  const leadOnce = async (): Promise<void> => {
    const over = new AbortController();
    const end = (): void => over.abort();
    stop.signal.addEventListener('abort', end, { once: true });
    log.info('leading', { lease: options.name, identity: options.identity });
    let working = true;
    const work = (async () => options.lead(over.signal))()
      .catch((error: unknown) => log.error('the leader failed', { lease: options.name, error }))
      .finally(() => {
        working = false;
        over.abort();
      });
    while (!over.signal.aborted) {
      await sleep(retrySeconds * 1000, over.signal);
      if (over.signal.aborted) break;
      const left = (renewedAt ?? 0) + renewDeadlineSeconds * 1000 - performance.now();
      if (left <= 0 || observed?.holder !== options.identity) break;
      // A request that hangs past the deadline must not keep us from stepping down in time.
      await attempt(AbortSignal.any([over.signal, AbortSignal.timeout(Math.ceil(left))]));
      if (!leads() || observed?.holder !== options.identity) break;
    }
    over.abort();
    stop.signal.removeEventListener('abort', end);
    if (working) await work;
    const lost = !stop.signal.aborted && (!leads() || observed?.holder !== options.identity);
    renewedAt = undefined;
    if (lost) log.warn('leading no more: the lease was lost', { lease: options.name });
    else observed = await releaseLease(client, claim, observed, log);
  };

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const won = await attempt(
        AbortSignal.any([stop.signal, AbortSignal.timeout(Math.ceil(leaseSeconds * 1000))]),
      );
      if (won && !stop.signal.aborted) await leadOnce();
      else if (won) observed = await releaseLease(client, claim, observed, log);
      // Candidates that lost the same race don't meet again at the same moment.
      await sleep(retrySeconds * 1000 * (1 + Math.random() * 0.2), stop.signal);
    }
  };
  const running = run();

  return {
    isLeader: leads,
    leader: () => observed?.holder ?? '',
    async stop() {
      stop.abort();
      await running;
    },
  };
}
