/** One leader's time with gateways: objects into the book; out of it changes for pods, statuses for objects, and what instances are to be. */
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { albKey } from '#compile/alauda/names.ts';
import { albOf } from '#compile/alauda/translate.ts';
import { createGatewayBook } from '#compile/gateway/book.ts';
import { albInstance } from '#compile/gateway/instances/derived-gateway.ts';
import { instanceObject } from '#compile/gateway/instances/origin.ts';
import type { GatewayChanges, InstanceFacts } from '#compile/gateway/types.ts';
import type { GatewayPortKind } from '#intent/gateway.ts';
import { sleep } from '#kube/backoff.ts';
import type { Client } from '#kube/client.ts';
import type { ALB2Model } from '#model/alauda/types.ts';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayClassModel, GatewayModel } from '#model/gateway/types.ts';
import type { IngressClassModel } from '#model/ingress/types.ts';
import type { Problem } from '#model/problem.ts';
import { gatewaySlots } from '#system/registry.ts';
import type { Log } from '#telemetry/log.ts';
import type { ObjectReference } from '#telemetry/problems.ts';
import type { connectFeed } from '../../gateway/client.ts';
import { keepClasses } from './classes.ts';
import { createFaults } from './faults.ts';
import { createFeeds } from './feeds.ts';
import { foldBooks, isEmptyDelta } from './fold.ts';
import { createIngressClasses } from './ingress-classes.ts';
import { type SeenObject, startInputs } from './inputs.ts';
import { startInstanceCaches } from './instance-caches.ts';
import { startInstances } from './instances.ts';
import type { GatewayCounts, GatewayMetrics } from './metrics.ts';
import { followReferences } from './references.ts';
import { startStatusWriter } from './status-writer.ts';
import { createWishes } from './wishes.ts';

export type SessionOptions = {
  readonly client: Client;
  readonly image: string;
  readonly connect: typeof connectFeed;
  readonly metrics: GatewayMetrics;
  readonly log: Log;
  readonly onProblems: () => void;
};

export type GatewaySession = {
  run(signal: AbortSignal): Promise<void>;
  problems(): readonly Problem[];
  referenceOf(object: Pick<ObjectReference, 'kind' | 'namespace' | 'name'>): ObjectReference | undefined;
  counts(): GatewayCounts;
  stop(): Promise<void>;
};

/** A certificate that is referred to for the first time is waited for: without it a listener would be told and served without. */
const referencesWithinMs = 500;
/** What there is of instances already is known before their first status is told: a new leader doesn't say that they wait. */
const lookedWithinMs = 5_000;
/** Statuses wait for what they tell of to be served, but no longer. */
const servedWithinMs = 1_000;

export function startSession(options: SessionOptions): GatewaySession {
  const { client, image, connect, metrics, log, onProblems } = options;
  const slots = Object.fromEntries(
    Object.entries(gatewaySlots).map(([kind, { value }]) => [kind, value.count]),
  ) as Record<GatewayPortKind, number>;
  const book = createGatewayBook(slots);
  const wishes = createWishes(book);
  const facts = new Map<string, InstanceFacts | undefined>();
  const faults = createFaults();
  /** What pods can't hold, as text. */
  const unheld = new Map<string, string>();
  let isStale = true;
  let isSynced = false;
  let hasBegun = false;
  let rouse = (): void => {};

  const wake = (): void => {
    isStale = true;
    rouse();
  };
  /** Objects that were written to since statuses were last decided. */
  const touched = new Set<string>();
  const inputs = startInputs({
    client,
    log,
    set(kind, key, value, seen) {
      if (kind === 'class') wishes.setClass(key, value as GatewayClassModel | undefined);
      if (kind === 'gateway') {
        for (const name of wishes.setGateway(key, value as GatewayModel | undefined)) kept.touch(name);
        instances.touch(key);
      }
      if (kind === 'alb') setALB(key, value as ALBModel | undefined);
      if (kind === 'alb2') {
        const alb2 = value as ALB2Model | undefined;
        // What its instance is like, no Frontend has a part in.
        setALB(albKey(key), alb2?.isServed === true ? albOf(alb2, []) : undefined);
      }
      if (kind === 'ingressClass') ingressClasses.touch(key);
      if (kind !== 'slice' && kind !== 'service' && kind !== 'namespace') note(`${kind} ${key}`, seen);
      book.set(kind, key, value);
      wake();
    },
    touched(key) {
      touched.add(key);
      if (key.startsWith('GatewayClass/')) kept.touch(key.slice(key.indexOf('/') + 1));
      wake();
    },
  });
  const setALB = (key: string, alb: ALBModel | undefined): void => {
    wishes.setALB(key, alb);
    instances.touch(albInstance(key));
    ingressClasses.setALB(key, alb);
  };
  const ingressClass = (name: string) =>
    inputs.object(`IngressClass/${name}`)?.value as IngressClassModel | undefined;
  const ingressClasses = createIngressClasses({ client, known: ingressClass, log });
  const kept = keepClasses({
    client,
    object: (name) =>
      isSynced && wishes.isOurs(name) ? inputs.object(`GatewayClass/${name}`)?.status : undefined,
    isUsed: (name) => wishes.isUsed(name),
    log,
  });
  const note = (key: string, seen: SeenObject | undefined): void => {
    if (faults.note(key, seen)) onProblems();
  };
  const references = followReferences({
    client,
    log,
    set(kind, key, read, object) {
      book.set(kind, key, read.value);
      note(`${kind} ${key}`, object && { ref: faults.reference(object), ...read });
      wake();
    },
  });
  const lookAtFacts = (instance: string): void => {
    const now = instances.facts(instance);
    if (isDeepStrictEqual(facts.get(instance), now)) return;
    facts.set(instance, now);
    if (now === undefined) facts.delete(instance);
    book.setFacts(instance, now);
    for (const gateway of book.gatewaysOf(instance)) statuses.touched(keyOf(instanceObject(gateway)));
    statuses.moved(instance);
    wake();
  };
  const lookAtSlots = (instance: string): void => {
    const held = instances.slots(instance);
    if (held !== undefined) book.setFacts(instance, { addresses: [], slots: held });
  };
  const feeds = createFeeds({
    connect,
    whole: (instance) => book.whole(instance),
    onHeld(instance) {
      lookAtFacts(instance);
      const wrong = JSON.stringify(feeds.problems(instance));
      if (wrong === (unheld.get(instance) ?? '[]')) return;
      unheld.set(instance, wrong);
      onProblems();
    },
    metrics,
    log,
  });
  const caches = startInstanceCaches(
    client,
    log,
    (instance) => instances.touch(instance),
    (name) => instances.touchPods(name),
  );
  const instances = startInstances({
    client,
    image,
    caches,
    feeds,
    wish: (instance) => wishes.get(instance),
    served: () => wishes.served(),
    onFacts: lookAtFacts,
    log,
  });
  const statuses = startStatusWriter({
    client,
    object: (key) => inputs.object(key)?.status,
    addresses: (gateway) => facts.get(book.instanceOf(gateway) ?? gateway)?.addresses ?? [],
    metrics,
    log,
  });

  /** What the book says now, once what it newly refers to is known. */
  const settle = async (): Promise<GatewayChanges> => {
    const started = performance.now();
    let changes = book.settle();
    metrics.settled(performance.now() - started);
    for (let fresh = references.refer(book.references()); fresh !== undefined; ) {
      pushGone(changes);
      await Promise.race([fresh, sleep(referencesWithinMs)]);
      changes = foldBooks(changes, book.settle());
      fresh = references.refer(book.references());
    }
    return changes;
  };
  /** Before what comes behind it is folded on it: a Gateway that is made again begins with nothing. */
  const pushGone = ({ instances: changed, statuses: decided }: GatewayChanges): void => {
    const gone = [...changed].filter(([, delta]) => delta === undefined);
    push({ instances: new Map(gone), statuses: decided });
  };
  const push = ({ instances: changed }: GatewayChanges): void => {
    for (const [instance, delta] of changed) {
      const isOther = wishes.take(instance, delta);
      // At once: if it comes back before its instance is looked at, its pods still hold what it had.
      if (delta === undefined) feeds.forget(instance);
      if (delta !== undefined && !isEmptyDelta(delta)) feeds.push(instance, delta);
      if (isOther || !hasBegun) instances.touch(instance);
    }
  };
  const tell = ({ statuses: decided }: GatewayChanges, generations: ReadonlyMap<string, number>): void => {
    for (const [key, generation] of generations) {
      if (decided.has(key)) statuses.decided(key, decided.get(key), generation);
      else statuses.observed(key, generation);
    }
    if ([...decided.values()].some((each) => each === undefined || 'problems' in each)) onProblems();
  };
  /** Statuses follow one another as they were decided. */
  let told: Promise<void> = Promise.resolve();

  const pass = async (synced: () => Promise<unknown>, signal: AbortSignal): Promise<void> => {
    isStale = false;
    if (wishes.hasOurs()) {
      inputs.watchBackends();
      await synced();
    }
    // Ports keep the sockets that they have: of a Service that leads elsewhere, clients would get to another port's listeners.
    if (!hasBegun) for (const instance of wishes.owners()) lookAtSlots(instance);
    let changes = await settle();
    // Somebody else leads by now.
    if (signal.aborted) return;
    push(changes);
    if (!hasBegun) {
      hasBegun = true;
      // Gateways that share an ALB by now, but had an instance of their own.
      for (const instance of wishes.owners()) instances.touch(instance);
      await Promise.race([instances.looked(wishes.served()), sleep(lookedWithinMs)]);
      const more = await settle();
      push(more);
      changes = foldBooks(changes, more);
    }
    // The book and the caches are at the same point now.
    const keys = [...touched, ...changes.statuses.keys()];
    const generations = new Map(keys.map((key) => [key, inputs.object(key)?.status?.generation ?? 0]));
    touched.clear();
    const served = [...changes.instances.keys()]
      .filter((instance) => feeds.isServing(instance))
      .map((instance) => feeds.reached(instance, 'one', servedWithinMs));
    const before = told;
    told = Promise.all([before, ...served]).then(() => tell(changes, generations));
  };

  const isOurs = (key: string): boolean =>
    statuses.speaksOf(key) || inputs.object(key)?.owners?.some(isOurs) === true;

  const notHeld = (instance: string): readonly Problem[] => {
    const object = instanceObject(instance);
    return feeds.problems(instance).map(({ entry, reason }) => ({
      object,
      field: '',
      code: 'NotHeld',
      message: `its data plane can't hold ${entry}: ${reason}`,
    }));
  };

  return {
    async run(signal) {
      const aborted = new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => resolve(rouse()), { once: true }),
      );
      // A kind that can't be listed must not keep who leads no more from saying so.
      const synced = () => Promise.race([Promise.all([inputs.synced(), caches.synced]), aborted]);
      await synced();
      if (signal.aborted) return;
      isSynced = true;
      for (const name of wishes.classes()) kept.touch(name);
      ingressClasses.begin();
      while (!signal.aborted) {
        await pass(synced, signal);
        // All that one turn of the event loop brings is one change.
        if (!isStale && !signal.aborted) await new Promise<void>((resolve) => (rouse = resolve));
        await setImmediate();
      }
    },
    problems: () => [
      // What is wrong with objects of other controllers is theirs to say.
      ...faults.problems(
        (object) => inputs.object(keyOf(object))?.status === undefined || isOurs(keyOf(object)),
      ),
      ...statuses.problems(),
      ...wishes.served().flatMap(notHeld),
    ],
    referenceOf: (object) =>
      faults.referenceOf(object.kind, object.namespace, object.name) ?? inputs.object(keyOf(object))?.ref,
    counts: () => ({
      instances: wishes.served().length,
      waiting: wishes.served().filter((key) => facts.get(key)?.waiting !== undefined).length,
    }),
    async stop() {
      inputs.stop();
      references.stop();
      caches.stop();
      feeds.stop();
      await instances.stop();
      await statuses.stop();
      await kept.stop();
      await ingressClasses.stop();
    },
  };
}

function keyOf({ kind, namespace, name }: Pick<ObjectReference, 'kind' | 'namespace' | 'name'>): string {
  return namespace === undefined ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}
