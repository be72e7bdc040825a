/** Reads what `nft -j list table` prints. */
import { chainsOf } from './chains.ts';
import { type Held, identity, type Responder, type Table } from './objects.ts';

type Json = Readonly<Record<string, unknown>>;

/** How often each address was asked for, on all interfaces together. */
export type Counts = ReadonlyMap<string, number>;

export type Listing = { readonly table: Table; readonly counts: Counts };

type Found = { readonly ifindex: number; device?: string; rules: Json[] };

const chainName = /^(?:arp|ndp|bare|in)-(\d+)-[0-9a-f]{8}$/;

export function readListing(text: string): Listing {
  const { nftables } = JSON.parse(text) as { readonly nftables: readonly Json[] };
  const chains = new Map<string, Found>();
  const held = new Map<string, Held>();
  const counts = new Map<string, number>();
  let answering = false;
  for (const entry of nftables) {
    const chain = entry['chain'] as { readonly name: string; readonly dev?: unknown } | undefined;
    if (chain !== undefined) {
      const [, ifindex = '0'] = chainName.exec(chain.name) ?? [];
      const device = typeof chain.dev === 'string' ? { device: chain.dev } : {};
      chains.set(chain.name, { ifindex: Number(ifindex), ...device, rules: [] });
    }
    const rule = entry['rule'] as Json | undefined;
    if (rule !== undefined) chains.get(String(rule['chain']))?.rules.push(rule);
    const set = entry['set'] as { readonly name: string; readonly elem?: readonly unknown[] } | undefined;
    if (set?.name === 'alive') answering = (set.elem ?? []).length > 0;
    if (set === undefined || !set.name.startsWith('held')) continue;
    for (const each of set.elem ?? []) {
      const element = heldElement(each);
      if (element === undefined) continue;
      const { device, address, packets } = element;
      const object: Held = { kind: 'held', device, address };
      held.set(identity(object), object);
      counts.set(address, (counts.get(address) ?? 0) + packets);
    }
  }
  const { responders, strays } = respondersAmong(chains);
  return { table: { responders, strays, held, answering }, counts };
}

/** One is whole when its chains, and as many rules in them, are there. */
function respondersAmong(chains: ReadonlyMap<string, Found>): Pick<Table, 'responders' | 'strays'> {
  const strays = new Set(chains.keys());
  const responders = new Map<string, Responder>();
  for (const { ifindex, device } of chains.values()) {
    if (device === undefined) continue;
    const macs = [...chains.values()]
      .filter((each) => each.ifindex === ifindex)
      .flatMap(({ rules }) => macIn(rules));
    for (const mac of new Set(macs)) {
      const responder: Responder = { kind: 'responder', device, ifindex, mac };
      const own = chainsOf(responder);
      const isWhole = own.every(({ name, rules, device: on }) => {
        const found = chains.get(name);
        return found?.rules.length === rules.length && found.device === on;
      });
      if (!isWhole) continue;
      responders.set(identity(responder), responder);
      for (const { name } of own) strays.delete(name);
    }
  }
  return { responders, strays: [...strays] };
}

/** What a rule sets as the frame's sender. */
function macIn(rules: readonly Json[]): readonly string[] {
  return rules.flatMap(({ expr }) =>
    (expr as readonly Json[]).flatMap(({ mangle }) => {
      const { key, value } = (mangle ?? {}) as { readonly key?: Json; readonly value?: unknown };
      const { protocol, field } = (key?.['payload'] ?? {}) as Json;
      return protocol === 'ether' && field === 'saddr' && typeof value === 'string' ? [value] : [];
    }),
  );
}

function heldElement(
  value: unknown,
): { readonly device: string; readonly address: string; readonly packets: number } | undefined {
  const { elem = value } = value as { readonly elem?: unknown };
  const { val = elem, counter } = elem as {
    readonly val?: unknown;
    readonly counter?: { readonly packets: number };
  };
  const { concat } = val as { readonly concat?: readonly unknown[] };
  const [device, address] = concat ?? [];
  if (typeof device !== 'string' || typeof address !== 'string') return undefined;
  return { device, address, packets: counter?.packets ?? 0 };
}
