/** Hostnames of listeners and routes: exact ones, `*.example.org` for every name below it, '' for every name. */

/** Whether each name that `narrow` stands for is one of `wide`, too. */
export function covers(wide: string, narrow: string): boolean {
  if (wide === '' || wide === narrow) return true;
  return wide.startsWith('*.') && narrow.endsWith(wide.slice(1)) && narrow.length > wide.length - 1;
}

/** What stands for all names of `hostname` and more, the narrowest first: `*.b.c`, `*.c` and '' for `a.b.c`. */
export function wider(hostname: string): readonly string[] {
  if (hostname === '') return [];
  const labels = hostname.split('.');
  const found: string[] = [];
  for (let from = 1; from < labels.length; from += 1) {
    const wildcard = `*.${labels.slice(from).join('.')}`;
    if (wildcard !== hostname) found.push(wildcard);
  }
  return [...found, ''];
}

/** Names that a listener and a route have in common; empty: none. A route without names takes those of the listener. */
export function commonHostnames(listener: string, route: readonly string[]): readonly string[] {
  if (route.length === 0) return [listener];
  const common = route.flatMap((hostname) => {
    if (covers(listener, hostname)) return [hostname];
    return covers(hostname, listener) ? [listener] : [];
  });
  return [...new Set(common)];
}
