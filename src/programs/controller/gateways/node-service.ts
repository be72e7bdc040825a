/** Gives Services of instances with network mode HostNetwork the addresses of the nodes that their pods are on. */
import { isDeepStrictEqual } from 'node:util';
import { serviceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { albOf } from '#compile/gateway/instances/derived-gateway.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import type { InstanceCaches } from './instance-caches.ts';
import { instanceNames } from './names.ts';
import { type HostInstance, nodeAddresses } from './node-addresses.ts';
import type { Wish } from './wishes.ts';

export type NodeAddressesOptions = {
  readonly client: Client;
  readonly caches: InstanceCaches;
  readonly wish: (instance: string) => Wish | undefined;
  readonly served: () => readonly string[];
  /** Its Service is to be looked at. */
  readonly touch: (instance: string) => void;
};

export type NodeAddressing = {
  /** Pods, ports or instances are other ones: those whose addresses are other ones for it are touched. */
  look(): void;
  /** A sentence: why it has none. */
  give(instance: string, service: KubeObject | undefined, signal: AbortSignal): Promise<string | undefined>;
};

export function createNodeAddresses({
  client,
  caches,
  wish,
  served,
  touch,
}: NodeAddressesOptions): NodeAddressing {
  let known: ReturnType<typeof nodeAddresses> = new Map();

  const hostInstances = (): readonly HostInstance[] =>
    served().flatMap((key) => {
      // Of thousands of Gateways none is asked for more than its name.
      const wished = albOf(key) === undefined ? undefined : wish(key);
      if (wished?.object.kind !== 'ALB' || wished.object.model.instance.network !== 'HostNetwork') return [];
      const { namespace, name } = instanceNames(wished.owner);
      const nodes = caches.pods(`${namespace}/${name}`).flatMap(({ nodeAddresses: own = [] }) => own);
      const ports = Object.keys(wished.ports ?? {});
      return [{ key, created: wished.owner.created, ports, nodes: [...new Set(nodes)] }];
    });

  return {
    look() {
      const before = known;
      known = nodeAddresses(hostInstances());
      for (const [key, now] of known) if (!isDeepStrictEqual(before.get(key), now)) touch(key);
    },
    async give(key, service, signal) {
      const given = nodeAddresses(hostInstances()).get(key);
      if (given === undefined || service === undefined) return undefined;
      const { spec = {}, status = {} } = service as ServiceObject;
      const families = new Set((spec.clusterIPs ?? []).map(familyOf));
      const ingress = given.addresses
        .filter((address) => families.has(familyOf(address)))
        .map((ip) => ({ ip, ipMode: 'VIP' }));
      if (ingress.length === 0 && given.taken === undefined) return undefined;
      if (isDeepStrictEqual(status.loadBalancer?.ingress ?? [], ingress)) return given.taken;
      const { name, namespace, resourceVersion } = service.metadata;
      const body = { metadata: { resourceVersion }, status: { loadBalancer: { ingress } } };
      try {
        await client.patch(
          serviceType,
          { name, namespace, subresource: 'status' },
          { kind: 'merge', body },
          { signal },
        );
      } catch (error) {
        // The cache hears of what it is by now, and it is looked at again.
        if (!isConflict(error) && !isNotFound(error)) throw error;
      }
      return given.taken;
    },
  };
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

type ServiceObject = KubeObject & {
  readonly spec?: { readonly clusterIPs?: readonly string[] };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly object[] } };
};
