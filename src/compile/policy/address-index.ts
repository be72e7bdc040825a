/** Addresses by where they are, so that those inside a prefix are found without looking at all others. */
import { type Addr, type Family, parseAddr } from '#net/addr.ts';
import { type Prefix, prefixContains, prefixHas, prefixOf } from '#net/prefix.ts';

export type AddressIndex = {
  readonly add: (address: string) => void;
  readonly remove: (address: string) => void;
  readonly inside: (prefix: Prefix) => Iterable<string>;
};

/** What a node assigns from is about as large, so that a network that is there is well filled. */
const networkLength: Readonly<Record<Family, number>> = { 4: 24, 6: 64 };

type Network = { readonly prefix: Prefix; readonly addresses: Map<string, Addr> };

export function createAddressIndex(): AddressIndex {
  const networks: Readonly<Record<Family, Map<bigint, Network>>> = { 4: new Map(), 6: new Map() };
  return {
    add(address) {
      const addr = parseAddr(address);
      if (addr === undefined) return;
      const prefix = prefixOf(addr, networkLength[addr.family]);
      const network = networks[addr.family].get(prefix.value) ?? { prefix, addresses: new Map() };
      networks[addr.family].set(prefix.value, network);
      network.addresses.set(address, addr);
    },
    remove(address) {
      const addr = parseAddr(address);
      if (addr === undefined) return;
      const { value } = prefixOf(addr, networkLength[addr.family]);
      const network = networks[addr.family].get(value);
      if (network?.addresses.delete(address) && network.addresses.size === 0)
        networks[addr.family].delete(value);
    },
    *inside(prefix) {
      const { family, length, value } = prefix;
      if (length < networkLength[family]) {
        for (const network of networks[family].values())
          if (prefixContains(prefix, network.prefix)) yield* network.addresses.keys();
        return;
      }
      const around = prefixOf({ family, value }, networkLength[family]);
      for (const [address, addr] of networks[family].get(around.value)?.addresses ?? [])
        if (prefixHas(prefix, addr)) yield address;
    },
  };
}
