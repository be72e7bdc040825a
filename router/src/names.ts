/** Things by hostname, as listeners and routes write them: a name, `*.` and a suffix, or '' for any. */
import { createDictionary, type Dictionary } from './dictionary.ts';

/** Characters of a name in DNS. Longer ones fit no wildcard: to look for each of thousands of labels would take a stranger's time and ours. */
export const longestName = 253;

export type Names<T> = {
  readonly exact: Dictionary<T>;
  /** By what stands behind `*.`. */
  readonly wildcard: Dictionary<T>;
  any: T | undefined;
  /** How many there are in `wildcard`: none need not be looked for. */
  wildcards: number;
  /** How many there are at all. */
  size: number;
};

export function createNames<T>(): Names<T> {
  return {
    exact: createDictionary<T>(),
    wildcard: createDictionary<T>(),
    any: undefined,
    wildcards: 0,
    size: 0,
  };
}

/** The thing of the most specific hostname that takes `host`, which is in lower case and without a port; '': only `any` does. */
export function mostSpecific<T>(names: Names<T>, host: string): T | undefined {
  const exact = names.exact[host];
  if (exact !== undefined) return exact;
  if (names.wildcards > 0 && host.length <= longestName) {
    const found = suffixed(names, host, 0);
    if (found !== undefined) return found;
  }
  return names.any;
}

/** What stands under exactly this hostname. */
export function getName<T>(names: Names<T>, hostname: string): T | undefined {
  if (hostname === '') return names.any;
  return isWildcard(hostname) ? names.wildcard[hostname.slice(2)] : names.exact[hostname];
}

export function setName<T>(names: Names<T>, hostname: string, value: T): void {
  if (getName(names, hostname) === undefined) {
    names.size += 1;
    if (isWildcard(hostname)) names.wildcards += 1;
  }
  if (hostname === '') names.any = value;
  else if (isWildcard(hostname)) names.wildcard[hostname.slice(2)] = value;
  else names.exact[hostname] = value;
}

export function removeName<T>(names: Names<T>, hostname: string): void {
  if (getName(names, hostname) === undefined) return;
  names.size -= 1;
  if (isWildcard(hostname)) names.wildcards -= 1;
  if (hostname === '') names.any = undefined;
  else if (isWildcard(hostname)) delete names.wildcard[hostname.slice(2)];
  else delete names.exact[hostname];
}

/** Longest suffix first: from the first dot on. A tail call rather than a loop, which LuaJIT would keep out of its caller's trace. */
function suffixed<T>(names: Names<T>, host: string, from: number): T | undefined {
  const dot = host.indexOf('.', from);
  if (dot === -1) return undefined;
  const value = names.wildcard[host.slice(dot + 1)];
  if (value !== undefined) return value;
  return suffixed(names, host, dot + 1);
}

function isWildcard(hostname: string): boolean {
  return hostname.charCodeAt(0) === 42 && hostname.charCodeAt(1) === 46;
}
