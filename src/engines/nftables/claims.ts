/** Who may have what only one entry can have: a frontend, an underlay address. */

/** Owners (`domain/key`) by claim, the winner first. One owner is the rule: a bare string, an array only where entries contend. */
export type Claims = Map<string, string | string[]>;

export function winnerOf(claims: Claims, claim: string): string | undefined {
  const owners = claims.get(claim);
  return typeof owners === 'object' ? owners[0] : owners;
}

/** This node's own claims come first, then by name: who wins never depends on who came first. */
function compareOwners(a: string, b: string): number {
  const self = Number(b.startsWith('self/')) - Number(a.startsWith('self/'));
  return self !== 0 ? self : a < b ? -1 : a > b ? 1 : 0;
}

/** Adds an owner. */
export function take(claims: Claims, claim: string, id: string): void {
  const owners = claims.get(claim);
  if (owners === undefined || owners === id) claims.set(claim, id);
  else {
    const all = typeof owners === 'string' ? [owners] : owners;
    if (!all.includes(id)) claims.set(claim, [...all, id].sort(compareOwners));
  }
}

/** Takes an owner away. */
export function release(claims: Claims, claim: string, id: string): void {
  const owners = claims.get(claim);
  if (owners === id) claims.delete(claim);
  else if (typeof owners === 'object') {
    const rest = owners.filter((each) => each !== id);
    claims.set(claim, rest.length === 1 ? rest[0]! : rest);
  }
}
