/** Network mode HostNetwork: at which addresses of nodes an instance is reached; pure. */
import { instanceObject } from '#compile/gateway/instances/origin.ts';

/** The class of its Service: whoever gives addresses to Services of type LoadBalancer leaves it alone. */
export const nodeAddressClass = 'netloom.dev/nodes';

export type HostInstance = {
  readonly key: string;
  /** RFC 3339. */
  readonly created: string;
  /** Keys in GatewayIntent.ports. */
  readonly ports: readonly string[];
  /** Addresses of the nodes that its pods are on. */
  readonly nodes: readonly string[];
};

export type NodeAddresses = {
  readonly addresses: readonly string[];
  /** A sentence, where others have ports of all its nodes. */
  readonly taken?: string;
};

/**
 * By key. A node whose port an older instance has is none of the younger's, who could serve only half of its ports there. Of two that were made in the
 * same second that comes first which does so by its namespace and name.
 */
export function nodeAddresses(instances: readonly HostInstance[]): ReadonlyMap<string, NodeAddresses> {
  const holders = new Map<string, HostInstance>();
  const oldest = [...instances].sort(
    (a, b) => byText(a.created, b.created) || byText(nameOf(a), nameOf(b)) || byText(a.key, b.key),
  );
  return new Map(
    oldest.map((instance) => {
      const { key, ports, nodes } = instance;
      const places = (node: string) => ports.map((port) => `${port} of node ${node}`);
      const taken = nodes.flatMap((node) => places(node).find((place) => holders.has(place)) ?? []);
      const addresses = nodes.filter((node) => !places(node).some((place) => holders.has(place))).sort();
      for (const node of addresses) for (const place of places(node)) holders.set(place, instance);
      const [first] = taken;
      const holder = first === undefined ? undefined : holders.get(first);
      const none = addresses.length === 0 && holder !== undefined;
      return [
        key,
        none ? { addresses, taken: `${first} is ${holderText(holder, instance)}` } : { addresses },
      ];
    }),
  );
}

/** What others call theirs in their namespaces is theirs to know. */
function holderText(holder: HostInstance, { key, created }: HostInstance): string {
  const { kind, namespace } = instanceObject(holder.key);
  const isNear = namespace === instanceObject(key).namespace;
  if (holder.created === created) {
    const whose = isNear ? `${kind} ${nameOf(holder)}'s` : "an instance's of another namespace";
    return `${whose}: both were made in the same second, and it comes first by its name`;
  }
  return isNear ? `${kind} ${nameOf(holder)}'s, which is older` : "an older instance's, of another namespace";
}

function nameOf({ key }: HostInstance): string {
  const { namespace, name } = instanceObject(key);
  return `${namespace}/${name}`;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
