/** Makes each instance what it is to be, heals what others changed of it, and tells what there is. Instances are by their keys in the book. */
import { randomBytes } from 'node:crypto';
import { secretType, serviceType } from '#api/core.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import type { InstanceFacts } from '#compile/gateway/types.ts';
import { createUsers } from '#compile/gateway/users.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import { createWorkQueue, runWorkers } from '#kube/workqueue.ts';
import type { Log } from '#telemetry/log.ts';
import { applyInstanceObject, ownedBy } from './apply.ts';
import { covers } from './covers.ts';
import { instanceFacts } from './facts.ts';
import type { Feeds } from './feeds.ts';
import type { InstanceCaches } from './instance-caches.ts';
import { type InstanceObject, instanceObjects } from './instance-objects.ts';
import { configMapType } from './kinds.ts';
import { createNamedWatches } from './named-watches.ts';
import { instanceNames } from './names.ts';
import { nodeAddressClass } from './node-addresses.ts';
import { createNodeAddresses } from './node-service.ts';
import type { InstanceOwner } from './owner.ts';
import {
  albParameters,
  defaultParameters,
  type InstanceParameters,
  parametersKey,
  type ReadParameters,
  readParameters,
} from './parameters.ts';
import { slotsOf } from './slots.ts';
import type { Wish } from './wishes.ts';

export type InstancesOptions = {
  readonly client: Client;
  readonly image: string;
  readonly caches: InstanceCaches;
  readonly feeds: Feeds;
  /** Undefined: there is neither Gateway nor ALB of it. */
  readonly wish: (instance: string) => Wish | undefined;
  /** Instances that there are to be. */
  readonly served: () => readonly string[];
  /** Something that facts are made of changed. */
  readonly onFacts: (instance: string) => void;
  readonly log: Log;
};

export type Instances = {
  /** Its wish, or an object of it, is another one. */
  touch(instance: string): void;
  /** Its pods are other ones. `name`: `namespace/name` of its objects. */
  touchPods(name: string): void;
  facts(instance: string): InstanceFacts | undefined;
  /**
   * Listening sockets that the ports of its Service lead to, also while it isn't known yet what is served by it: what decides its ports has to
   * know them first. Undefined: it has no Service.
   */
  slots(instance: string): InstanceFacts['slots'] | undefined;
  /** Resolves once each of these was looked at, whatever came of it. */
  looked(instances: readonly string[]): Promise<unknown>;
  stop(): Promise<void>;
};

const atOnce = 8;
/** How long a Service waits for pods to hold what its ports are to lead to; then it goes ahead. */
const pushedWithinMs = 3_000;

export function startInstances(options: InstancesOptions): Instances {
  const { client, image, caches, feeds, wish, served, onFacts, log } = options;
  const queue = createWorkQueue<string>({ name: 'gateway-instances', backoff: { maxMilliseconds: 30_000 } });
  /** By the name of their objects; two may come to the same name, and one of them has it. */
  const named = createUsers();
  const troubles = new Map<string, string>();
  const invalid = new Map<string, string>();
  const parameterMaps = new Map<string, string>();
  const maps = createNamedWatches(client, log, (_, key) => {
    for (const [instance, map] of parameterMaps) if (map === key) queue.add(instance);
  });
  const nodes = createNodeAddresses({
    client,
    caches,
    wish,
    served,
    touch: (instance) => queue.add(instance),
  });

  const looks = new Map<string, PromiseWithResolvers<void>>();
  const lookOf = (instance: string): PromiseWithResolvers<void> => {
    const look = looks.get(instance) ?? Promise.withResolvers<void>();
    looks.set(instance, look);
    return look;
  };

  const note = (notes: Map<string, string>, instance: string, text: string | undefined): void => {
    if (notes.get(instance) === text) return;
    if (text === undefined) notes.delete(instance);
    else notes.set(instance, text);
    onFacts(instance);
  };
  const forget = (instance: string): void => {
    named.set(instance, []);
    looks.delete(instance);
    follow(instance, undefined);
    note(troubles, instance, undefined);
    note(invalid, instance, undefined);
    nodes.look();
  };
  const follow = (instance: string, map: string | undefined): void => {
    const before = parameterMaps.get(instance);
    if (before === map) return;
    if (map === undefined) parameterMaps.delete(instance);
    else parameterMaps.set(instance, map);
    if (before !== undefined && ![...parameterMaps.values()].includes(before))
      maps.unfollow(configMapType, before);
  };
  const readMap = async (map: string): Promise<ReadParameters> => {
    await maps.follow(configMapType, map);
    const object = maps.get(configMapType, map);
    return readParameters(map, object && ((object['data'] ?? {}) as Readonly<Record<string, string>>));
  };
  /** Undefined: what is said can't be used, and the instance stays as it is. */
  const parametersOf = async ({ object, owner }: Wish): Promise<InstanceParameters | undefined> => {
    if (object.kind === 'ALB') return albParameters(object.model);
    const map = parametersKey(object.model);
    follow(owner.key, typeof map === 'string' ? map : undefined);
    const read = typeof map === 'string' ? await readMap(map) : (map ?? { value: defaultParameters });
    note(invalid, owner.key, 'wrong' in read ? read.wrong : undefined);
    return 'wrong' in read ? undefined : read.value;
  };
  /** Of the Secret that there is, or a new one. */
  const keyOf = async (owner: InstanceOwner, signal: AbortSignal): Promise<string> => {
    const { namespace, feed } = instanceNames(owner);
    const held = feedKey(caches.get(secretType, namespace, feed), owner.uid);
    if (held !== undefined) return held;
    try {
      const secret = await client.get<KubeObject>(secretType, feed, namespace, { signal });
      const key = feedKey(secret, owner.uid);
      if (key !== undefined) return key;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return randomBytes(32).toString('hex');
  };
  const drop = (type: ResourceType, { metadata }: KubeObject): Promise<unknown> => {
    const { name, namespace, uid } = metadata;
    const options = { namespace, uid, propagationPolicy: 'Background' } as const;
    return client.delete(type, name, options).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  };
  const remove = async (owner: InstanceOwner, keep: (id: string) => boolean): Promise<void> => {
    for (const { type, object } of caches.ownedBy(owner.uid)) {
      const { name, deletionTimestamp } = object.metadata;
      if (!keep(`${type.kind}/${name}`) && deletionTimestamp === undefined) await drop(type, object);
    }
  };
  const make = async (wished: Wish, ports: NonNullable<Wish['ports']>, signal: AbortSignal) => {
    const { owner } = wished;
    const parameters = await parametersOf(wished);
    if (parameters === undefined) return;
    const key = await keyOf(owner, signal);
    const objects = instanceObjects({ owner, parameters, ports, key, image });
    const foreign: string[] = [];
    for (const each of objects) {
      const { namespace = '', name } = each.object.metadata;
      let cached = caches.get(each.type, namespace, name);
      // A port must not lead to a socket that serves another one yet. Nobody else waits for pods that can't be reached.
      if (each.type === serviceType && !(cached !== undefined && covers(cached, each.object)))
        await feeds.reached(owner.key, 'all', pushedWithinMs);
      if (cached !== undefined && ownedBy(cached, owner.uid) && isOfOtherClass(cached, each)) {
        await drop(each.type, cached);
        cached = undefined;
      }
      const { outcome } = await applyInstanceObject(client, each, cached, signal);
      if (outcome === 'foreign') foreign.push(`${each.type.kind} ${name}`);
    }
    const wanted = new Set(objects.map(({ type, object }) => `${type.kind}/${object.metadata.name}`));
    // Also while no listener can be served: with its Service the Gateway would lose its address.
    const service = `${serviceType.kind}/${instanceNames(owner).name}`;
    await remove(owner, (id) => wanted.has(id) || id === service);
    const [first] = foreign;
    const trouble =
      first && `${first} in namespace ${owner.namespace} is not this ${owner.kind}'s, and is left alone`;
    note(troubles, owner.key, trouble ?? (await nodes.give(owner.key, serviceOf(owner), signal)));
    nodes.look();
  };
  const reconcile = async (key: string, signal: AbortSignal): Promise<void> => {
    const wished = wish(key);
    if (wished?.ports === undefined) {
      forget(key);
      feeds.forget(key);
      if (wished?.isElsewhere === true) await remove(wished.owner, () => false);
      return;
    }
    const { namespace, name } = instanceNames(wished.owner);
    named.set(key, [`${namespace}/${name}`]);
    try {
      await make(wished, wished.ports, signal);
    } catch (error) {
      if (!signal.aborted) note(troubles, key, `its objects can't be made: ${(error as Error).message}`);
      throw error;
    } finally {
      setPods(key);
      lookOf(key).resolve();
    }
  };
  const setPods = (key: string): void => {
    const wished = wish(key);
    if (wished?.ports === undefined) return;
    const { namespace, name, feed } = instanceNames(wished.owner);
    const secret = caches.get(secretType, namespace, feed);
    feeds.setPods(key, caches.pods(`${namespace}/${name}`), feedKey(secret, wished.owner.uid));
    onFacts(key);
  };
  const workers = runWorkers(queue, atOnce, reconcile, { log });
  const serviceOf = (owner: InstanceOwner): KubeObject | undefined => {
    const { namespace, name } = instanceNames(owner);
    const service = caches.get(serviceType, namespace, name);
    return service !== undefined && ownedBy(service, owner.uid) ? service : undefined;
  };

  return {
    touch: (instance) => queue.add(instance),
    touchPods(name) {
      for (const instance of named.of(name)) setPods(instance);
      nodes.look();
    },
    facts(instance) {
      const wished = wish(instance);
      if (wished?.ports === undefined) return undefined;
      const { namespace, name } = instanceNames(wished.owner);
      const trouble = troubles.get(instance);
      const invalidParameters = invalid.get(instance);
      return instanceFacts({
        name,
        service: serviceOf(wished.owner),
        readyPods: caches.pods(`${namespace}/${name}`).filter(({ isReady }) => isReady).length,
        isServing: feeds.isServing(instance),
        ...(trouble === undefined ? {} : { trouble }),
        ...(invalidParameters === undefined ? {} : { invalidParameters }),
      });
    },
    slots(instance) {
      const wished = wish(instance);
      const service = wished && serviceOf(wished.owner);
      return service && slotsOf((service as { spec?: { ports?: readonly object[] } }).spec?.ports ?? []);
    },
    looked: (keys) => Promise.all(keys.map((key) => lookOf(key).promise)),
    async stop() {
      maps.stop();
      await workers.stop();
    },
  };
}

/** Undefined: there is none that could be used. */
function feedKey(secret: KubeObject | undefined, owner: string): string | undefined {
  if (secret === undefined || !ownedBy(secret, owner)) return undefined;
  const { key = '' } = (secret['data'] ?? {}) as { readonly key?: string };
  const text = Buffer.from(key, 'base64').toString('utf8').trim();
  return /^[0-9a-f]{64}$/.test(text) ? text : undefined;
}

/** A Service's class can't be changed. One that we say nothing of may be what the cluster gives to all. */
function isOfOtherClass(held: KubeObject, { type, object }: InstanceObject): boolean {
  if (type !== serviceType) return false;
  const [before, after] = [held, object].map(({ spec }) => (spec ?? {}) as Record<string, unknown>);
  const [old, next] = [before?.['loadBalancerClass'], after?.['loadBalancerClass']];
  return (
    before?.['type'] === 'LoadBalancer' &&
    after?.['type'] === 'LoadBalancer' &&
    old !== next &&
    (next !== undefined || old === nodeAddressClass)
  );
}
