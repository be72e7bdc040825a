/** Gateways of ours become running data planes while this controller leads. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '#kube/client.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import type { ObjectReference } from '#telemetry/problems.ts';
import { connectFeed } from '../../gateway/client.ts';
import { registerGatewayMetrics } from './metrics.ts';
import { type GatewaySession, startSession } from './session.ts';

export type GatewaysOptions = {
  readonly client: Client;
  /** Image of the pods. */
  readonly image: string;
  readonly registry: Registry;
  readonly log: Log;
  /** Default: by TLS to the pod itself. */
  readonly connect?: typeof connectFeed;
};

export type Gateways = {
  /** Works until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Of objects that have to do with a Gateway of ours. */
  problems(): readonly Problem[];
  /** The object that a problem names, as it is now. */
  referenceOf(object: Pick<ObjectReference, 'kind' | 'namespace' | 'name'>): ObjectReference | undefined;
};

const againMs = 1_000;

/** `onProblems`: there may be other ones than before. */
export function createGateways(
  { client, image, registry, log, connect = connectFeed }: GatewaysOptions,
  onProblems: () => void,
): Gateways {
  let session: GatewaySession | undefined;
  const metrics = registerGatewayMetrics(registry, () => session?.counts());
  return {
    problems: () => session?.problems() ?? [],
    referenceOf: (object) => session?.referenceOf(object),
    async run(signal) {
      while (!signal.aborted) {
        try {
          session = startSession({ client, image, connect, metrics, log, onProblems });
          await session.run(signal);
        } catch (error) {
          if (!signal.aborted) log.warn('gateways can not be served; all is read again', { error });
        }
        await session?.stop();
        session = undefined;
        if (!signal.aborted) await sleep(againMs, undefined, { signal }).catch(() => {});
      }
    },
  };
}
