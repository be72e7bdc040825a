/** HTTPS listeners of one port whose hostnames overlap: a client that reuses a connection may ask one for what is another's. */
import { wider } from '../hostnames.ts';

/** Positions of those that overlap with another one of the same port. Certificates aren't compared: the specification doesn't ask for it. */
export function findOverlaps(
  listeners: readonly { readonly port: number; readonly hostname: string }[],
): ReadonlySet<number> {
  const counts = new Map<string, number>();
  const key = (port: number, hostname: string) => `${port} ${hostname}`;
  for (const { port, hostname } of listeners) {
    const own = key(port, hostname);
    counts.set(own, (counts.get(own) ?? 0) + 1);
  }
  /** Hostnames that one more exact one is within. */
  const around = new Set<string>();
  const within = new Set<number>();
  for (const [index, { port, hostname }] of listeners.entries()) {
    for (const wide of wider(hostname)) {
      if (!counts.has(key(port, wide))) continue;
      around.add(key(port, wide));
      within.add(index);
    }
  }
  return new Set(
    listeners.flatMap(({ port, hostname }, index) => {
      const own = key(port, hostname);
      return within.has(index) || around.has(own) || (counts.get(own) ?? 0) > 1 ? [index] : [];
    }),
  );
}
