/** What this engine keeps in the kernel, as typed values that print themselves as nft statements. */
import { hookPriorities, nft } from '#system/registry.ts';
import { type Chain, chainsOf } from './chains.ts';

/** Answers on one interface for what is held there. */
export type Responder = {
  readonly kind: 'responder';
  readonly device: string;
  /** Another index under the same name is another device. */
  readonly ifindex: number;
  readonly mac: string;
};

/** An address that is answered for on one interface. */
export type Held = { readonly kind: 'held'; readonly device: string; readonly address: string };

export type L2Object = Responder | Held;

/** Objects by identity. */
export type Objects = ReadonlyMap<string, L2Object>;

/** The table as it is. */
export type Table = {
  readonly responders: ReadonlyMap<string, Responder>;
  /** Chains of no whole responder: of a device that is gone, or changed by others. */
  readonly strays: readonly string[];
  readonly held: ReadonlyMap<string, Held>;
  /** Whether anything is answered now. */
  readonly answering: boolean;
};

export type Operation =
  | { readonly verb: 'make' }
  | { readonly verb: 'drop' }
  | { readonly verb: 'put' | 'delete'; readonly object: L2Object }
  /** A chain that belongs to nothing. */
  | { readonly verb: 'sweep'; readonly chains: readonly string[] }
  /** What is held is answered for so many seconds from now, and no longer. */
  | { readonly verb: 'renew'; readonly seconds: number }
  | { readonly verb: 'silence' };

export const tableName = `${nft.linkFamily.value} ${nft.table.value}`;

/** The address families that are answered for, as EtherTypes: the packet path looks there first. */
const answered = ['arp', 'ip6'] as const;

export function identity(object: L2Object): string {
  return object.kind === 'held' ? `held ${object.device} ${object.address}` : `responder ${object.device}`;
}

export function sameObject(a: L2Object, b: L2Object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function setOf(address: string): 'held4' | 'held6' {
  return address.includes(':') ? 'held6' : 'held4';
}

/** Statements of one transaction. */
export function printOperation(operation: Operation): readonly string[] {
  switch (operation.verb) {
    case 'make':
      return [
        `add table ${tableName}`,
        `add set ${tableName} alive { type ether_type ; flags timeout ; }`,
        `add set ${tableName} held4 { type ifname . ipv4_addr ; counter ; }`,
        `add set ${tableName} held6 { type ifname . ipv6_addr ; counter ; }`,
      ];
    // Adding what is there does nothing, so this is right in any state.
    case 'drop':
      return [`add table ${tableName}`, `delete table ${tableName}`];
    case 'put':
      return operation.object.kind === 'held'
        ? [element('add', operation.object)]
        : chainsOf(operation.object).flatMap(printChain);
    case 'delete':
      return operation.object.kind === 'held'
        ? [element('delete', operation.object)]
        : printRemoval(chainsOf(operation.object).map(({ name }) => name));
    case 'sweep':
      return printRemoval(operation.chains);
    case 'renew': {
      const add = `add element ${tableName} alive { ${answered.map((each) => `${each} timeout ${operation.seconds}s`).join(', ')} }`;
      // Only an element that is there can be deleted, and only one that isn't gets a new time.
      return [add, silence, add];
    }
    case 'silence':
      return [`add element ${tableName} alive { ${answered.join(', ')} }`, silence];
  }
}

const silence = `delete element ${tableName} alive { ${answered.join(', ')} }`;

function element(verb: 'add' | 'delete', { device, address }: Held): string {
  return `${verb} element ${tableName} ${setOf(address)} { "${device}" . ${address} }`;
}

function printChain({ name, device, rules }: Chain): readonly string[] {
  const { value: priority } = hookPriorities.neighbourAnswers;
  const hook =
    device === undefined
      ? ''
      : ` { type filter hook ingress device "${device}" priority ${priority} ; policy accept ; }`;
  return [
    `add chain ${tableName} ${name}${hook}`,
    ...rules.map((rule) => `add rule ${tableName} ${name} ${rule}`),
  ];
}

/** None may lead to another one while that is deleted. */
function printRemoval(chains: readonly string[]): readonly string[] {
  return [
    ...chains.map((name) => `flush chain ${tableName} ${name}`),
    ...chains.map((name) => `delete chain ${tableName} ${name}`),
  ];
}
