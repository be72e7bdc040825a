/** Reads `nft -s -p -y list table` line by line, so that a large table never has to be one string. */
import type { Chain, Hook, NamedSet, Rule, Ruleset } from './objects.ts';

/** Feed it lines; `end()` gives what they said. Text that nft does not print today is kept as a rule that equals nothing. */
export type ListingParser = { readonly line: (text: string) => void; readonly end: () => Ruleset };

type Open =
  | { kind: 'counter' }
  | { kind: 'chain'; chain: { name: string; hook?: Hook; rules: Rule[] } }
  | { kind: 'set'; set: { -readonly [K in keyof NamedSet]: NamedSet[K] }; elements: Map<string, string> };

export function createListingParser(): ListingParser {
  const counters = new Set<string>();
  const sets = new Map<string, NamedSet>();
  const chains = new Map<string, Chain>();
  const elements = new Map<string, Map<string, string>>();
  let open: Open | undefined;
  let inElements = false;

  const start = (text: string): void => {
    const header = /^(counter|set|map|chain) (\S+) \{$/.exec(text);
    if (header === null) return;
    const name = header[2]!;
    if (header[1] === 'counter') {
      counters.add(name);
      open = { kind: 'counter' };
    } else if (header[1] === 'chain') {
      const chain = { name, rules: [] };
      chains.set(name, chain);
      open = { kind: 'chain', chain };
    } else {
      const set = { name, kind: header[1] as 'set' | 'map', definition: '', flags: [] };
      const held = new Map<string, string>();
      sets.set(name, set);
      elements.set(name, held);
      open = { kind: 'set', set, elements: held };
    }
  };

  return {
    line(raw) {
      const text = raw.trim();
      if (text === '') return;
      if (open === undefined) start(text);
      else if (inElements) inElements = !readElements((open as Open & { kind: 'set' }).elements, text);
      else if (text === '}') open = undefined;
      else if (open.kind === 'chain') readChainLine(open.chain, text);
      else if (open.kind === 'set') {
        if (text.startsWith('elements = {')) {
          inElements = !readElements(open.elements, text.slice('elements = {'.length));
        } else readSetLine(open.set, text);
      }
    },
    end: () => ({ counters, sets, chains, elements }),
  };
}

function readChainLine(chain: { hook?: Hook; rules: Rule[] }, text: string): void {
  const hook = /^type (filter|nat) hook (\w+) priority (-?\d+); policy accept;$/.exec(text);
  if (hook !== null) {
    chain.hook = { type: hook[1], hook: hook[2], priority: Number(hook[3]) } as Hook;
    return;
  }
  const commented = /^(.*) comment "([^"]*)"$/.exec(text);
  chain.rules.push(
    commented === null ? { statement: text } : { statement: commented[1]!, comment: commented[2]! },
  );
}

function readSetLine(set: { -readonly [K in keyof NamedSet]: NamedSet[K] }, text: string): void {
  if (text.startsWith('type ') || text.startsWith('typeof ')) set.definition = text;
  else if (text.startsWith('flags ')) set.flags = text.slice(6).split(',').sort();
  else if (text.startsWith('size ')) set.size = Number.parseInt(text.slice(5), 10);
}

/** True when the closing brace was on this line. No key or data of ours holds a comma or a brace. */
function readElements(elements: Map<string, string>, line: string): boolean {
  const last = line.endsWith('}');
  for (const part of (last ? line.slice(0, -1) : line).split(',')) {
    const text = part.replace(/ (?:timeout|expires) \S+/g, '').trim();
    if (text === '') continue;
    const colon = text.indexOf(' : ');
    if (colon === -1) elements.set(text, '');
    else elements.set(text.slice(0, colon), text.slice(colon + 3));
  }
  return last;
}
