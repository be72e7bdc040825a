/** Makes the instance of each Gateway what it is to be, heals what others changed of it, and tells what there is. */
import { randomBytes } from 'node:crypto';
import { secretType, serviceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { InstanceFacts } from '#compile/gateway/types.ts';
import { createUsers } from '#compile/gateway/users.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import { createWorkQueue, runWorkers } from '#kube/workqueue.ts';
import type { GatewayModel } from '#model/gateway/types.ts';
import type { Log } from '#telemetry/log.ts';
import { applyInstanceObject, ownedBy } from './apply.ts';
import { covers } from './covers.ts';
import { instanceFacts } from './facts.ts';
import type { Feeds } from './feeds.ts';
import type { InstanceCaches } from './instance-caches.ts';
import { instanceObjects } from './instance-objects.ts';
import { configMapType } from './kinds.ts';
import { createNamedWatches } from './named-watches.ts';
import { instanceNames } from './names.ts';
import {
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
  /** By `namespace/name` of the Gateway; undefined: there is none. */
  readonly wish: (gateway: string) => Wish | undefined;
  /** Something that facts are made of changed. */
  readonly onFacts: (gateway: string) => void;
  readonly log: Log;
};

export type Instances = {
  /** Its wish, or an object of it, is another one. */
  touch(gateway: string): void;
  /** Its pods are other ones. */
  touchPods(instance: string): void;
  facts(gateway: string): InstanceFacts | undefined;
  /**
   * Listening sockets that the ports of its Service lead to, also while it isn't known yet what is served by it: what decides its ports has to
   * know them first. Undefined: it has no Service.
   */
  slots(gateway: string): InstanceFacts['slots'] | undefined;
  /** Resolves once each of these was looked at, whatever came of it. */
  looked(gateways: readonly string[]): Promise<unknown>;
  stop(): Promise<void>;
};

const atOnce = 8;
/** How long a Service waits for pods to hold what its ports are to lead to; then it goes ahead. */
const pushedWithinMs = 3_000;

export function startInstances(options: InstancesOptions): Instances {
  const { client, image, caches, feeds, wish, onFacts, log } = options;
  const queue = createWorkQueue<string>({ name: 'gateway-instances', backoff: { maxMilliseconds: 30_000 } });
  /** Gateways by the name of their instance; two may come to the same name, and one of them has it. */
  const gateways = createUsers();
  const troubles = new Map<string, string>();
  const invalid = new Map<string, string>();
  const parameterMaps = new Map<string, string>();
  const named = createNamedWatches(client, log, (_, key) => {
    for (const [gateway, map] of parameterMaps) if (map === key) queue.add(gateway);
  });

  const looks = new Map<string, PromiseWithResolvers<void>>();
  const lookOf = (gateway: string): PromiseWithResolvers<void> => {
    const look = looks.get(gateway) ?? Promise.withResolvers<void>();
    looks.set(gateway, look);
    return look;
  };

  const note = (notes: Map<string, string>, gateway: string, text: string | undefined): void => {
    if (notes.get(gateway) === text) return;
    if (text === undefined) notes.delete(gateway);
    else notes.set(gateway, text);
    onFacts(gateway);
  };
  const forget = (gateway: string): void => {
    gateways.set(gateway, []);
    looks.delete(gateway);
    follow(gateway, undefined);
    note(troubles, gateway, undefined);
    note(invalid, gateway, undefined);
  };
  const follow = (gateway: string, map: string | undefined): void => {
    const before = parameterMaps.get(gateway);
    if (before === map) return;
    if (map === undefined) parameterMaps.delete(gateway);
    else parameterMaps.set(gateway, map);
    if (before !== undefined && ![...parameterMaps.values()].includes(before))
      named.unfollow(configMapType, before);
  };
  const readMap = async (map: string): Promise<ReadParameters> => {
    await named.follow(configMapType, map);
    const object = named.get(configMapType, map);
    return readParameters(map, object && ((object['data'] ?? {}) as Readonly<Record<string, string>>));
  };
  /** Undefined: what is said can't be used, and the instance stays as it is. */
  const parametersOf = async (gateway: GatewayModel): Promise<InstanceParameters | undefined> => {
    const map = parametersKey(gateway);
    follow(gateway.key, typeof map === 'string' ? map : undefined);
    const read = typeof map === 'string' ? await readMap(map) : (map ?? { value: defaultParameters });
    note(invalid, gateway.key, 'wrong' in read ? read.wrong : undefined);
    return 'wrong' in read ? undefined : read.value;
  };
  /** Of the Secret that there is, or a new one. */
  const keyOf = async (gateway: GatewayModel, signal: AbortSignal): Promise<string> => {
    const { namespace, feed } = instanceNames(gateway);
    const held = feedKey(caches.get(secretType, namespace, feed), gateway.uid);
    if (held !== undefined) return held;
    try {
      const secret = await client.get<KubeObject>(secretType, feed, namespace, { signal });
      const key = feedKey(secret, gateway.uid);
      if (key !== undefined) return key;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return randomBytes(32).toString('hex');
  };
  const remove = async (gateway: GatewayModel, keep: (id: string) => boolean): Promise<void> => {
    for (const { type, object } of caches.ownedBy(gateway.uid)) {
      const { name, namespace, uid, deletionTimestamp } = object.metadata;
      if (keep(`${type.kind}/${name}`) || deletionTimestamp !== undefined) continue;
      await client
        .delete(type, name, { namespace, uid, propagationPolicy: 'Background' })
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
    }
  };
  const make = async (gateway: GatewayModel, ports: NonNullable<Wish['ports']>, signal: AbortSignal) => {
    const parameters = await parametersOf(gateway);
    if (parameters === undefined) return;
    const key = await keyOf(gateway, signal);
    const objects = instanceObjects({ gateway, parameters, ports, key, image });
    const foreign: string[] = [];
    for (const each of objects) {
      const { namespace = '', name } = each.object.metadata;
      const cached = caches.get(each.type, namespace, name);
      // A port must not lead to a socket that serves another one yet. Nobody else waits for pods that can't be reached.
      if (each.type === serviceType && !(cached !== undefined && covers(cached, each.object)))
        await feeds.reached(gateway.key, 'all', pushedWithinMs);
      const { outcome } = await applyInstanceObject(client, each, cached, signal);
      if (outcome === 'foreign') foreign.push(`${each.type.kind} ${name}`);
    }
    const wanted = new Set(objects.map(({ type, object }) => `${type.kind}/${object.metadata.name}`));
    // Also while no listener can be served: with its Service the Gateway would lose its address.
    const service = `${serviceType.kind}/${instanceNames(gateway).name}`;
    await remove(gateway, (id) => wanted.has(id) || id === service);
    const [first] = foreign;
    const trouble =
      first && `${first} in namespace ${gateway.namespace} is not this Gateway's, and is left alone`;
    note(troubles, gateway.key, trouble);
  };
  const reconcile = async (key: string, signal: AbortSignal): Promise<void> => {
    const wished = wish(key);
    if (wished?.ports === undefined) {
      forget(key);
      feeds.forget(key);
      if (wished?.isForeign === true) await remove(wished.gateway, () => false);
      return;
    }
    const { namespace, name } = instanceNames(wished.gateway);
    gateways.set(key, [`${namespace}/${name}`]);
    try {
      await make(wished.gateway, wished.ports, signal);
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
    const { namespace, name, feed } = instanceNames(wished.gateway);
    const secret = caches.get(secretType, namespace, feed);
    feeds.setPods(key, caches.pods(`${namespace}/${name}`), feedKey(secret, wished.gateway.uid));
    onFacts(key);
  };
  const workers = runWorkers(queue, atOnce, reconcile, { log });
  const serviceOf = (gateway: GatewayModel): KubeObject | undefined => {
    const { namespace, name } = instanceNames(gateway);
    const service = caches.get(serviceType, namespace, name);
    return service !== undefined && ownedBy(service, gateway.uid) ? service : undefined;
  };

  return {
    touch: (gateway) => queue.add(gateway),
    touchPods(instance) {
      for (const gateway of gateways.of(instance)) setPods(gateway);
    },
    facts(gateway) {
      const wished = wish(gateway);
      if (wished?.ports === undefined) return undefined;
      const { namespace, name } = instanceNames(wished.gateway);
      const trouble = troubles.get(gateway);
      const invalidParameters = invalid.get(gateway);
      return instanceFacts({
        name,
        service: serviceOf(wished.gateway),
        readyPods: caches.pods(`${namespace}/${name}`).filter(({ isReady }) => isReady).length,
        isServing: feeds.isServing(gateway),
        ...(trouble === undefined ? {} : { trouble }),
        ...(invalidParameters === undefined ? {} : { invalidParameters }),
      });
    },
    slots(gateway) {
      const wished = wish(gateway);
      const service = wished && serviceOf(wished.gateway);
      return service && slotsOf((service as { spec?: { ports?: readonly object[] } }).spec?.ports ?? []);
    },
    looked: (keys) => Promise.all(keys.map((key) => lookOf(key).promise)),
    async stop() {
      named.stop();
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
