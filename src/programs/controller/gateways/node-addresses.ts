/** Network mode HostNetwork: at which addresses of nodes an instance is reached; pure. */

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

/** By key. A node whose port an older instance has is none of the younger's, who could serve only half of its ports there. */
export function nodeAddresses(instances: readonly HostInstance[]): ReadonlyMap<string, NodeAddresses> {
  const holders = new Map<string, string>();
  const oldest = [...instances].sort((a, b) => byText(a.created, b.created) || byText(a.key, b.key));
  return new Map(
    oldest.map(({ key, ports, nodes }) => {
      const places = (node: string) => ports.map((port) => `${port} of node ${node}`);
      const taken = nodes.flatMap((node) => places(node).find((place) => holders.has(place)) ?? []);
      const addresses = nodes.filter((node) => !places(node).some((place) => holders.has(place))).sort();
      for (const node of addresses) for (const place of places(node)) holders.set(place, key);
      const [first] = taken;
      const none = addresses.length === 0 && first !== undefined;
      // Whose it is isn't told: it may be another namespace's.
      return [key, none ? { addresses, taken: `${first} is an older instance's` } : { addresses }];
    }),
  );
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
