/**
 * Who watches whom; pure, and the same on every node that knows the same nodes.
 *
 * Nodes stand on a ring in the order of their names' hashes; each is watched by the next three that live. So everybody watches three,
 * a node that comes or goes changes six pairs, neighbours by name or rack are none here, and an order costs n log n where choosing
 * for each pair would cost n².
 */
import { createHash } from 'node:crypto';

export type Ring = {
  readonly order: readonly string[];
  readonly places: ReadonlyMap<string, number>;
};

export const watchersEach = 3;

export function ringOf(nodes: Iterable<string>): Ring {
  const order = [...new Set(nodes)]
    .map((node) => ({ node, hash: hashOf(node) }))
    .toSorted((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ node }) => node);
  return { order, places: new Map(order.map((node, place) => [node, place])) };
}

/** Fewer than three where no more live. */
export function watchersOf(ring: Ring, node: string, isDead: (node: string) => boolean): string[] {
  const found: string[] = [];
  for (const other of after(ring, node, 1)) {
    if (!isDead(other)) found.push(other);
    if (found.length === watchersEach) break;
  }
  return found;
}

/** Those that `self` is a watcher of; dead ones too, since their return is to be seen. */
export function targetsOf(ring: Ring, self: string, isDead: (node: string) => boolean): string[] {
  const found: string[] = [];
  let living = 0;
  for (const other of after(ring, self, -1)) {
    found.push(other);
    if (!isDead(other)) living++;
    if (living === watchersEach) break;
  }
  return found;
}

/** How many of so many watchers must agree. */
export function majorityOf(watchers: number): number {
  return Math.floor(watchers / 2) + 1;
}

function* after({ order, places }: Ring, node: string, step: 1 | -1): Iterable<string> {
  const start = places.get(node);
  if (start === undefined) return;
  for (let far = 1; far < order.length; far++) {
    const other = order[(start + step * far + order.length * 2) % order.length];
    if (other !== undefined) yield other;
  }
}

const hashes = new Map<string, string>();

function hashOf(node: string): string {
  const known = hashes.get(node);
  if (known !== undefined) return known;
  const hash = createHash('sha256').update(node).digest('hex') + node;
  // Names of nodes that went long ago needn't stay.
  if (hashes.size > 20_000) hashes.clear();
  hashes.set(node, hash);
  return hash;
}
