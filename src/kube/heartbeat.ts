/** A Lease that says "still here": a node's heartbeat, renewed for as long as the process lives. */
import type { OwnerReference } from '#api/object.ts';
import { type Log, silentLog } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import { sleep } from './backoff.ts';
import type { Client } from './client.ts';
import { claimLease, type LeaseClaim, type Observation, releaseLease } from './leaserecord.ts';

export type HeartbeatOptions = {
  readonly name: string;
  readonly namespace: string;
  readonly identity: string;
  /** Default 40. */
  readonly leaseSeconds?: number | undefined;
  /** Default 10. */
  readonly renewSeconds?: number | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
  /** Asked at each renewal, and carried by it: what is told with the heartbeat costs no write of its own. */
  readonly annotations?: (() => Readonly<Record<string, string>>) | undefined;
  /** Our own clock's Unix milliseconds until which the lease just renewed holds; counted from before the request was sent. */
  readonly onRenewed?: ((validUntil: number) => void) | undefined;
  /** The lease is held by another. Called at each attempt that finds it so. */
  readonly onLost?: ((holder: string) => void) | undefined;
  /** Free the lease on `stop`. Default false: a node's lease tells until when it may have acted. */
  readonly release?: boolean | undefined;
  readonly log?: Log | undefined;
};

export type Heartbeat = {
  /** 0 before the first renewal. */
  validUntil(): number;
  stop(): Promise<void>;
};

/** A server that is away for an hour is two lines a minute, not thirty. */
const lineEveryMs = 30_000;

/** Takes the lease when it is free, ours or expired, then renews it until stopped. */
export function holdLease(client: Client, options: HeartbeatOptions): Heartbeat {
  const { leaseSeconds = 40, renewSeconds = 10, log = silentLog } = options;
  const claim: LeaseClaim = {
    name: options.name,
    namespace: options.namespace,
    identity: options.identity,
    leaseSeconds,
    ownerReferences: options.ownerReferences,
    annotations: options.annotations,
  };
  const stop = new AbortController();
  const failing = createThinned(lineEveryMs);
  let observed: Observation | undefined;
  let validUntil = 0;

  const beat = async (): Promise<boolean> => {
    const started = Date.now();
    const result = await claimLease(client, claim, observed, stop.signal);
    observed = result.observed;
    failing.over((times) =>
      log.info('the lease can be renewed again', { lease: options.name, failed: times }),
    );
    if (result.held) {
      validUntil = started + leaseSeconds * 1000;
      options.onRenewed?.(validUntil);
    } else {
      options.onLost?.(observed.holder);
    }
    return result.held;
  };
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      let held = false;
      try {
        held = await beat();
      } catch (error) {
        if (stop.signal.aborted) break;
        failing.happened((times) =>
          log.warn('the lease could not be renewed', { lease: options.name, error, times }),
        );
      }
      // Jitter: thousands of nodes started together don't stay together.
      const seconds = held ? renewSeconds : Math.min(renewSeconds, 2);
      await sleep(seconds * 1000 * (0.9 + Math.random() * 0.1), stop.signal);
    }
    if (options.release === true) await releaseLease(client, claim, observed, log);
  };
  const running = run();

  return {
    validUntil: () => validUntil,
    async stop() {
      stop.abort();
      await running;
    },
  };
}
