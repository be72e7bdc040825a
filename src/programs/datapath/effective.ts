/**
 * What is really to be true now: the agent's intent without what the detector knows to be dead. Pure.
 *
 * Backends on dead nodes leave their Services at once, long before the API server hears of it; a Service that would be left with none
 * keeps them all, since nothing better is known. Of virtual addresses only those that this node answers for are left.
 */
import { heldHere } from '#compile/loadbalancer/leader.ts';
import type { Liveness } from '#intent/liveness.ts';
import type { IntentChange, NodeIntent, Place, ServiceIntent } from '#intent/node.ts';
import { createBackendIndex } from './backend-index.ts';
import { type Addresses, addressesOf, changedBetween, noAddresses } from './node-addresses.ts';

export type Effective = {
  /** What the engines are to be told of a change that `intent` has in it already. */
  take(change: IntentChange, intent: NodeIntent): IntentChange;
  /** What another liveness changes; undefined: nothing. */
  live(intent: NodeIntent, generation: number, lives: Lives): IntentChange | undefined;
  /** Virtual addresses that the engines have. */
  held(): ReadonlySet<string>;
};

export type Lives = {
  /** For what is sent to nodes. */
  readonly nodes: Liveness;
  /** For virtual addresses. */
  readonly addresses: Liveness;
  /** By virtual address: a node that has the better claim to it. */
  readonly yielded?: ReadonlyMap<string, string>;
};

export function createEffective(self: string, first: Lives): Effective {
  let lives = first;
  let dead = noAddresses;
  const index = createBackendIndex();
  /** Virtual addresses that the engines have. */
  const held = new Set<string>();

  const isHeld = (address: string, { virtualAddresses }: NodeIntent): boolean => {
    const entry = virtualAddresses[address];
    if (entry === undefined || !heldHere(entry, lives.addresses, self)) return false;
    const other = lives.yielded?.get(address);
    // One that rests since it was away rests for those who ask who is next: what it claims itself it answers for.
    const { dead, silent } = lives.nodes;
    return other === undefined || dead.has(other) || silent.has(other);
  };
  /** Services of the intent in which a backend became another one than before. */
  const changedServices = (intent: NodeIntent, before: Addresses): Record<string, ServiceIntent> => {
    const changed: Record<string, ServiceIntent> = {};
    for (const key of index.keysOf(changedBetween(before, dead))) {
      const service = intent.services[key];
      if (service !== undefined) changed[key] = withoutDead(service, dead);
    }
    return changed;
  };

  return {
    take(change, intent) {
      if (change.replace) held.clear();
      const before = dead;
      const { put, remove } = change;
      if (change.replace) index.clear();
      for (const key of remove.services ?? []) index.set(key, undefined);
      for (const [key, service] of Object.entries(put.services ?? {})) index.set(key, service);
      const peersChanged = change.replace || put.peers !== undefined || remove.peers !== undefined;
      if (peersChanged) dead = addressesOf(lives.nodes.dead, intent.peers);
      const services = {
        ...(peersChanged && !change.replace ? changedServices(intent, before) : {}),
        ...(put.services === undefined || dead.size === 0 ? put.services : livingOf(put.services, dead)),
      };
      const asked = put.virtualAddresses ?? {};
      const virtualAddresses: Record<string, NodeIntent['virtualAddresses'][string]> = {};
      const gone = new Set(remove.virtualAddresses);
      for (const address of gone) held.delete(address);
      for (const [address, entry] of Object.entries(asked)) {
        if (isHeld(address, intent)) {
          virtualAddresses[address] = entry;
          held.add(address);
        } else if (held.delete(address)) gone.add(address);
      }
      const { services: _, virtualAddresses: __, ...others } = put;
      const { virtualAddresses: ___, ...removed } = remove;
      return {
        ...change,
        put: {
          ...others,
          ...(Object.keys(services).length === 0 ? {} : { services }),
          ...(Object.keys(virtualAddresses).length === 0 ? {} : { virtualAddresses }),
        },
        remove: { ...removed, ...(gone.size === 0 ? {} : { virtualAddresses: [...gone] }) },
      };
    },
    live(intent, generation, now) {
      const before = dead;
      if (!sameNames(lives.nodes.dead, now.nodes.dead)) dead = addressesOf(now.nodes.dead, intent.peers);
      lives = now;
      const services = changedServices(intent, before);
      const virtualAddresses: Record<string, NodeIntent['virtualAddresses'][string]> = {};
      const gone: string[] = [];
      for (const [address, entry] of Object.entries(intent.virtualAddresses)) {
        const isHere = isHeld(address, intent);
        if (isHere === held.has(address)) continue;
        if (isHere) {
          virtualAddresses[address] = entry;
          held.add(address);
        } else {
          held.delete(address);
          gone.push(address);
        }
      }
      const put = {
        ...(Object.keys(services).length === 0 ? {} : { services }),
        ...(Object.keys(virtualAddresses).length === 0 ? {} : { virtualAddresses }),
      };
      if (Object.keys(put).length + gone.length === 0) return undefined;
      const remove = gone.length === 0 ? {} : { virtualAddresses: gone };
      return { generation, replace: false, put, remove };
    },
    held: () => held,
  };
}

function livingOf(services: NodeIntent['services'], dead: Addresses): Record<string, ServiceIntent> {
  return Object.fromEntries(
    Object.entries(services).map(([key, service]) => [key, withoutDead(service, dead)]),
  );
}

/** The very same entry where none of its backends is dead. */
export function withoutDead(service: ServiceIntent, dead: Addresses): ServiceIntent {
  const backends = living(service.backends, dead);
  const { published } = service;
  const local = published?.localBackends;
  const localBackends = local === undefined ? undefined : living(local, dead);
  const leaving = service.leaving?.filter(({ address }) => !dead.has(address));
  const stays = leaving?.length === service.leaving?.length;
  if (backends === service.backends && localBackends === local && stays) return service;
  return {
    ...service,
    backends,
    ...(leaving === undefined ? {} : { leaving }),
    ...(published === undefined || localBackends === undefined
      ? {}
      : { published: { ...published, localBackends } }),
  };
}

function living(places: readonly Place[], dead: Addresses): readonly Place[] {
  if (!places.some(({ address }) => dead.has(address))) return places;
  const left = places.filter(({ address }) => !dead.has(address));
  return left.length === 0 ? places : left;
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name));
}
