/** What is pushed to the pods of each instance, and what they hold. */

import type { GatewayAnswer, GatewayChange, GatewayIntent } from '#intent/gateway.ts';
import { sleep } from '#kube/backoff.ts';
import type { Log } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import type { FeedClient, FeedOptions } from '../../gateway/client.ts';
import type { Delta } from './fold.ts';
import type { GatewayMetrics } from './metrics.ts';
import { type PodFeed, startPodFeed } from './pod-feed.ts';
import type { InstancePod } from './pods.ts';

export type FeedsOptions = {
  readonly connect: (options: FeedOptions) => FeedClient;
  /** The whole of a Gateway, by `namespace/name`. */
  readonly whole: (gateway: string) => GatewayIntent | undefined;
  /** A pod of the Gateway holds something else than before. */
  readonly onHeld: (gateway: string) => void;
  readonly metrics: GatewayMetrics;
  readonly log: Log;
};

export type Feeds = {
  /** The Gateway's pods as they are now, and the key that they know. */
  setPods(gateway: string, pods: readonly InstancePod[], key: string | undefined): void;
  push(gateway: string, delta: Delta): void;
  /** Whether a pod that is ready holds what it was given, as far as is known. */
  isServing(gateway: string): boolean;
  /** Entries that pods can't hold, each once. */
  problems(gateway: string): GatewayAnswer['problems'];
  /** Resolves once a pod (`all`: each that could be reached) holds what was pushed so far; or, with false, after the time. */
  reached(gateway: string, which: 'one' | 'all', milliseconds: number): Promise<boolean>;
  forget(gateway: string): void;
  stop(): void;
};

type Fed = {
  pod: InstancePod;
  readonly key: string;
  readonly feed: PodFeed;
  /** Nothing else is known yet: it serves what it was given by whoever led before. */
  isPresumed: boolean;
  answer?: GatewayAnswer;
};
type Instance = { generation: number; readonly pods: Map<string, Fed>; readonly waiting: Set<() => void> };

const lineEveryMs = 30_000;

export function createFeeds({ connect, whole, onHeld, metrics, log }: FeedsOptions): Feeds {
  const instances = new Map<string, Instance>();
  // Milliseconds: no generation of an earlier leader is met again, and 13 digits pass through every reader of numbers.
  const of = (gateway: string): Instance => {
    const held = instances.get(gateway);
    if (held !== undefined) return held;
    const made = { generation: Date.now(), pods: new Map(), waiting: new Set<() => void>() };
    instances.set(gateway, made);
    return made;
  };
  const wholeOf = (gateway: string): GatewayChange => ({
    generation: of(gateway).generation,
    after: 0,
    replace: true,
    put: whole(gateway) ?? {},
    remove: {},
  });
  const changed = (gateway: string, instance: Instance): void => {
    for (const look of instance.waiting) look();
    onHeld(gateway);
  };
  const start = (gateway: string, instance: Instance, pod: InstancePod, key: string): Fed => {
    const failing = createThinned(lineEveryMs);
    const fields = { gateway, pod: pod.name, address: pod.address };
    const feed = startPodFeed({
      client: connect({ address: pod.address, key, identity: gateway }),
      whole: () => wholeOf(gateway),
      holds(answer) {
        failing.over((times) =>
          log.info("a gateway's pod takes changes again", { ...fields, failed: times }),
        );
        fed.answer = answer;
        fed.isPresumed = false;
        changed(gateway, instance);
      },
      lost(error) {
        metrics.pushFailed(error === undefined ? 'refused' : 'error');
        if (error !== undefined && fed.pod.isReady)
          failing.happened((times) =>
            log.warn("a gateway's pod takes no changes and is tried again", { ...fields, error, times }),
          );
        fed.isPresumed = false;
        changed(gateway, instance);
      },
      sent: (kind, milliseconds) => metrics.pushed(kind, milliseconds),
    });
    const fed: Fed = { pod, key, feed, isPresumed: pod.isReady };
    return fed;
  };
  const end = (instance: Instance, uid: string): void => {
    instance.pods.get(uid)?.feed.close();
    instance.pods.delete(uid);
  };
  const holds = (instance: Instance, which: 'one' | 'all', generation: number): boolean => {
    const fed = [...instance.pods.values()].filter(({ pod }) => pod.isReady);
    const current = ({ feed }: Fed) => (feed.held() ?? 0) >= generation;
    return which === 'all' ? fed.every(current) : fed.some(current);
  };

  return {
    setPods(gateway, pods, key) {
      const instance = of(gateway);
      const usable = new Map(key === undefined ? [] : pods.map((pod) => [pod.uid, pod]));
      for (const [uid, fed] of instance.pods) {
        const now = usable.get(uid);
        if (now === undefined || now.address !== fed.pod.address || fed.key !== key) end(instance, uid);
      }
      for (const [uid, pod] of usable) {
        const fed = instance.pods.get(uid);
        if (fed === undefined) {
          instance.pods.set(uid, start(gateway, instance, pod, key ?? ''));
          continue;
        }
        const isNews = fed.pod.epoch !== pod.epoch || fed.pod.isReady !== pod.isReady;
        fed.pod = pod;
        if (isNews) fed.feed.look();
      }
      changed(gateway, instance);
    },
    push(gateway, delta) {
      const instance = of(gateway);
      const after = instance.generation;
      instance.generation += 1;
      const change = { generation: instance.generation, after, replace: false, ...delta } as GatewayChange;
      for (const { feed } of instance.pods.values()) feed.push(change);
    },
    isServing: (gateway) =>
      [...(instances.get(gateway)?.pods.values() ?? [])].some(
        ({ pod, feed, isPresumed }) => pod.isReady && (isPresumed || feed.held() !== undefined),
      ),
    problems(gateway) {
      const found = new Map<string, GatewayAnswer['problems'][number]>();
      for (const { answer } of instances.get(gateway)?.pods.values() ?? [])
        for (const problem of answer?.problems ?? []) found.set(problem.entry, problem);
      return [...found.values()];
    },
    async reached(gateway, which, milliseconds) {
      const instance = instances.get(gateway);
      if (instance === undefined) return true;
      const { generation } = instance;
      if (holds(instance, which, generation)) return true;
      const waiting = new AbortController();
      const look = (): void => {
        if (holds(instance, which, generation)) waiting.abort();
      };
      instance.waiting.add(look);
      await sleep(milliseconds, waiting.signal);
      instance.waiting.delete(look);
      return waiting.signal.aborted;
    },
    forget(gateway) {
      const instance = instances.get(gateway);
      if (instance === undefined) return;
      for (const uid of instance.pods.keys()) end(instance, uid);
      instances.delete(gateway);
      for (const look of instance.waiting) look();
    },
    stop() {
      for (const gateway of instances.keys()) this.forget(gateway);
    },
  };
}
