/** nftables objects as data that prints itself in nft's language, in the very form in which `nft list` prints it back. */
import { nft } from '#system/registry.ts';

/** One rule. `statement` is nft's canonical text (`nft -s -p -y list`), so that what is there can be compared as text. */
export type Rule = { readonly statement: string; readonly comment?: string };

export type Hook = {
  readonly type: 'filter' | 'nat';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  readonly priority: number;
};

/** A chain with its rules; with a hook it is a base chain (policy accept: what nobody refuses passes). */
export type Chain = { readonly name: string; readonly hook?: Hook; readonly rules: readonly Rule[] };

/** A named set or map, without elements. */
export type NamedSet = {
  readonly name: string;
  readonly kind: 'set' | 'map';
  /** `type …` or `typeof …`, for a map with ` : …`. */
  readonly definition: string;
  /** Sorted. */
  readonly flags: readonly string[];
  readonly size?: number;
};

/** One element of a set (no data) or a map. `key` and `data` are canonical nft text. */
export type Element = { readonly set: string; readonly key: string; readonly data?: string };

/** A table's content. Elements by set name, then by key; data is '' in a set. */
export type Ruleset = {
  readonly counters: ReadonlySet<string>;
  readonly sets: ReadonlyMap<string, NamedSet>;
  readonly chains: ReadonlyMap<string, Chain>;
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
};

/** One step of a transaction. */
export type Operation =
  | { readonly op: 'addTable' | 'deleteTable' }
  | { readonly op: 'addCounter' | 'deleteCounter'; readonly name: string }
  | { readonly op: 'addSet' | 'deleteSet'; readonly set: NamedSet }
  /** Without rules: those are added after every set and chain is there. */
  | { readonly op: 'addChain'; readonly chain: Chain }
  | { readonly op: 'flushChain' | 'deleteChain'; readonly name: string }
  | { readonly op: 'addRule'; readonly chain: string; readonly rule: Rule }
  | { readonly op: 'addElements'; readonly set: string; readonly elements: readonly Element[] }
  | { readonly op: 'deleteElements'; readonly set: string; readonly keys: readonly string[] };

export const tableName = `${nft.family.value} ${nft.table.value}`;

/** One statement of nft's language, without a line break. */
export function printOperation(operation: Operation): string {
  switch (operation.op) {
    case 'addTable':
      return `add table ${tableName}`;
    case 'deleteTable':
      return `delete table ${tableName}`;
    case 'addCounter':
      return `add counter ${tableName} ${operation.name}`;
    case 'deleteCounter':
      return `delete counter ${tableName} ${operation.name}`;
    case 'addSet':
      return `add ${operation.set.kind} ${tableName} ${operation.set.name} ${setBody(operation.set)}`;
    case 'deleteSet':
      return `delete ${operation.set.kind} ${tableName} ${operation.set.name}`;
    case 'addChain':
      return `add chain ${tableName} ${operation.chain.name}${hookBody(operation.chain.hook)}`;
    case 'flushChain':
      return `flush chain ${tableName} ${operation.name}`;
    case 'deleteChain':
      return `delete chain ${tableName} ${operation.name}`;
    case 'addRule':
      return `add rule ${tableName} ${operation.chain} ${printRule(operation.rule)}`;
    case 'addElements':
      return `add element ${tableName} ${operation.set} { ${operation.elements.map(printElement).join(', ')} }`;
    case 'deleteElements':
      return `delete element ${tableName} ${operation.set} { ${operation.keys.join(', ')} }`;
  }
}

export function printRule(rule: Rule): string {
  return rule.comment === undefined ? rule.statement : `${rule.statement} comment "${rule.comment}"`;
}

export function printElement(element: Element): string {
  return element.data === undefined ? element.key : `${element.key} : ${element.data}`;
}

/** Whether two sets hold the same kind of elements in the same way. */
export function sameSet(a: NamedSet, b: NamedSet): boolean {
  return (
    a.kind === b.kind &&
    a.definition === b.definition &&
    a.size === b.size &&
    a.flags.join() === b.flags.join()
  );
}

/** Whether two chains do the same. */
export function sameChain(a: Chain, b: Chain): boolean {
  return (
    hookBody(a.hook) === hookBody(b.hook) &&
    a.rules.length === b.rules.length &&
    a.rules.every((rule, index) => printRule(rule) === printRule(b.rules[index]!))
  );
}

function setBody(set: NamedSet): string {
  const size = set.size === undefined ? '' : ` size ${set.size};`;
  const flags = set.flags.length === 0 ? '' : ` flags ${set.flags.join(',')};`;
  return `{ ${set.definition};${size}${flags} }`;
}

export function hookBody(hook: Hook | undefined): string {
  if (hook === undefined) return '';
  return ` { type ${hook.type} hook ${hook.hook} priority ${hook.priority}; policy accept; }`;
}
