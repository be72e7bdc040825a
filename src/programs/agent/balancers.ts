/** Services of type LoadBalancer, pools, advertisements, endpoints and nodes → what is announced of their addresses. */
import { type IPAddressPool, ipAddressPoolKind } from '#api/kinds/ipaddresspool.ts';
import { type L2Advertisement, l2AdvertisementKind } from '#api/kinds/l2advertisement.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { createL2Compiler } from '#compile/loadbalancer/l2.ts';
import type { Client } from '#kube/client.ts';
import type { Informer } from '#kube/informer.ts';
import { readAddressPool } from '#model/addresspool.ts';
import { readL2Advertisement } from '#model/l2advertisement.ts';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import { readLoadBalancer } from '#model/loadbalancerservice.ts';
import type { NodeModel } from '#model/node.ts';
import type { Read } from '#model/problem.ts';
import { type EndpointSliceModel, readService, type ServiceModel } from '#model/service.ts';
import type { Log } from '#telemetry/log.ts';
import type { ServedLoadBalancers } from '../flags.ts';
import { followModels } from './follow-models.ts';
import type { Delta } from './handover.ts';

export type BalancerFeed = {
  readonly synced: Promise<void>;
  setNode(name: string, node: NodeModel | undefined): void;
  setService(key: string, service: LoadBalancerModel | undefined): void;
  setSlice(key: string, slice: EndpointSliceModel | undefined): void;
  /** Told each pool. */
  onPool(handler: (key: string, pool: AddressPoolModel | undefined) => void): void;
  /** What changed since the last flush. */
  flush(): Delta | undefined;
  /** Services that have the address. */
  servicesAt(address: string): readonly LoadBalancerModel[];
  stop(): void;
};

/** A Service for those inside, and for those outside where it is ours to serve. */
export type BothServices = { readonly service?: ServiceModel; readonly balancer?: LoadBalancerModel };

export function readBoth(object: KubeObject, served: ServedLoadBalancers | undefined): Read<BothServices> {
  const { value: service, problems } = readService(object);
  const balancer = served === undefined ? undefined : readLoadBalancer(object, served).value;
  const value = {
    ...(service === undefined ? {} : { service }),
    ...(balancer === undefined ? {} : { balancer }),
  };
  return { value, problems };
}

/** `onChange` is told when there may be something to flush. */
export function startBalancerFeed(
  client: Client,
  node: string,
  log: Log,
  served: ServedLoadBalancers | undefined,
  onChange: () => void,
): BalancerFeed {
  const l2 = createL2Compiler(node);
  const services = new Map<string, LoadBalancerModel>();
  const byAddress = new Map<string, Set<string>>();
  const informers: Informer<object>[] = [];
  const poolHandlers: ((key: string, pool: AddressPoolModel | undefined) => void)[] = [];

  const from = { client, log, mayBeAbsent: true };
  const watch = <Raw extends KubeObject, M extends object>(
    type: ResourceType,
    read: (object: Raw) => Read<M>,
    set: (key: string, model: M | undefined) => void,
  ): void => {
    const informer = followModels(from, type, read, (key, model) => {
      set(key, model);
      onChange();
    });
    informers.push(informer);
  };
  if (served !== undefined) {
    watch<IPAddressPool, AddressPoolModel>(ipAddressPoolKind, readAddressPool, (key, pool) => {
      l2.setPool(key, pool);
      for (const handler of poolHandlers) handler(key, pool);
    });
    watch<L2Advertisement & KubeObject, NonNullable<ReturnType<typeof readL2Advertisement>['value']>>(
      l2AdvertisementKind,
      readL2Advertisement,
      l2.setAdvertisement,
    );
  }

  return {
    synced: Promise.all(informers.map(({ synced }) => synced)).then(() => {}),
    onPool: (handler) => void poolHandlers.push(handler),
    setNode: (name, model) => l2.setNode(name, model),
    setService(key, service) {
      for (const address of services.get(key)?.assigned ?? []) {
        const keys = byAddress.get(address);
        keys?.delete(key);
        if (keys?.size === 0) byAddress.delete(address);
      }
      if (service === undefined) services.delete(key);
      else services.set(key, service);
      for (const address of service?.assigned ?? [])
        byAddress.set(address, (byAddress.get(address) ?? new Set<string>()).add(key));
      l2.setService(key, service);
    },
    setSlice: (key, slice) => l2.setSlice(key, slice),
    flush: () => l2.flush() as Delta | undefined,
    servicesAt: (address) =>
      [...(byAddress.get(address) ?? [])].sort().flatMap((key) => services.get(key) ?? []),
    stop() {
      for (const informer of informers) informer.stop();
    },
  };
}
