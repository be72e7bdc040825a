/**
 * Rules of one port in ALB's order, so that our router comes to the same. It asks the most specific host first, there exact paths, then regular
 * expressions by rank, then the prefix `/`: where ALB would ask in another order, a Rule stands at more hosts, and paths become expressions.
 */
import { regexInScript } from '#model/gateway/regex.ts';
import type { HTTPMatchModel } from '#model/gateway/types.ts';
import { covers } from '../gateway/hostnames.ts';
import type { PathForm } from './conditions.ts';
import { literally } from './patterns.ts';

export type Wanted = { readonly hosts: readonly string[]; readonly paths: readonly PathForm[] };

export type Placed = {
  /** Those that were wanted, and narrower ones that later Rules have. */
  readonly hosts: readonly string[];
  /** In the order of what was wanted. */
  readonly paths: readonly HTTPMatchModel['path'][];
};

/** Expressions that one exact path is tried with; where there are more, it becomes one, too. */
const mostTried = 100;

/** `wanted`: the first that takes a request has it. */
export function placeRules(wanted: readonly Wanted[]): readonly Placed[] {
  const hosts = hostsOf(wanted);
  const open = openPaths(wanted, hosts);
  /** By host: what earlier Rules take there that isn't by exact path. */
  const earlier = new Map<string, PathForm[]>();
  return wanted.map(({ paths }, index) => {
    const here = hosts[index] ?? [];
    const before = here.map((host) => earlier.get(host) ?? []);
    const placed = paths.map((path): HTTPMatchModel['path'] => {
      if (path.kind === 'all')
        return open[index] === true
          ? { type: 'RegularExpression', value: '/.*' }
          : { type: 'PathPrefix', value: '/' };
      if (path.kind === 'regex') return { type: 'RegularExpression', value: path.value };
      return before.some((those) => isTaken(path.value, those))
        ? { type: 'RegularExpression', value: literally(path.value) }
        : { type: 'Exact', value: path.value };
    });
    const broad = paths.filter((_, at) => placed[at]?.type !== 'Exact');
    if (broad.length > 0)
      for (const host of here)
        earlier.set(host, [...(earlier.get(host) ?? []), ...broad].slice(0, mostTried + 1));
    return { hosts: here, paths: placed };
  });
}

/** A Rule for many hosts comes before a later one for fewer there, too. */
function hostsOf(wanted: readonly Wanted[]): readonly (readonly string[])[] {
  const later = new Set<string>();
  const found: (readonly string[])[] = [];
  for (const { hosts } of [...wanted].reverse()) {
    const wide = hosts.filter((host) => host === '' || host.startsWith('*.'));
    const more =
      wide.length === 0 ? [] : [...later].filter((host) => wide.some((each) => covers(each, host)));
    found.unshift([...new Set([...hosts, ...more])]);
    for (const host of hosts) later.add(host);
  }
  return found;
}

/** Which Rules that take every path are asked before others at one of their hosts, so that `/` would come too late. */
function openPaths(wanted: readonly Wanted[], hosts: readonly (readonly string[])[]): readonly boolean[] {
  const narrow = new Set<string>();
  const found: boolean[] = [];
  for (let index = wanted.length - 1; index >= 0; index -= 1) {
    const here = hosts[index] ?? [];
    const paths = wanted[index]?.paths ?? [];
    const isOpen = paths.some(({ kind }) => kind === 'all') && here.some((host) => narrow.has(host));
    found.unshift(isOpen);
    if (isOpen || paths.some(({ kind }) => kind !== 'all')) for (const host of here) narrow.add(host);
  }
  return found;
}

function isTaken(path: string, by: readonly PathForm[]): boolean {
  if (by.length > mostTried) return true;
  return by.some((each) => {
    if (each.kind === 'all') return true;
    return each.kind === 'exact' ? each.value === path : regexInScript(each.value).test(path);
  });
}
