/** Who stays of two neighbors of one node that can't both be, and what the other one is told. */
import { formatOrigin, type Origin } from '#intent/origin.ts';
import type { Problem } from '#model/problem.ts';

export type Aged = {
  readonly origin: Origin;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly localASN: number;
  /** '' for none. */
  readonly vrf: string;
  readonly routerID?: string | undefined;
};

/** Of two that can't both be, the older stays. */
export function olderFirst(
  a: Pick<Aged, 'created' | 'name' | 'origin'>,
  b: Pick<Aged, 'created' | 'name' | 'origin'>,
): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return formatOrigin(a.origin) < formatOrigin(b.origin) ? -1 : 1;
}

export function asnConflict(
  { origin }: Pick<Aged, 'origin'>,
  older: Pick<Aged, 'origin' | 'localASN'>,
): Problem {
  const message = `${formatOrigin(older.origin)}, which is older and on the same nodes, says AS ${older.localASN}; this one is not used there`;
  return {
    object: origin,
    field: isPeer(origin) ? 'spec.myASN' : 'spec.localASN',
    code: 'ASNConflict',
    message,
  };
}

export function routerIDConflict(
  { origin }: Pick<Aged, 'origin'>,
  older: Pick<Aged, 'origin' | 'routerID'>,
): Problem {
  const message = `${formatOrigin(older.origin)}, which is older and on the same nodes, says ${older.routerID}; this one is not used there`;
  return { object: origin, field: 'spec.routerID', code: 'RouterIDConflict', message };
}

/** `older`: kind and name. */
export function addressConflict({ origin }: Pick<Aged, 'origin'>, older: string): Problem {
  const message = `is the address of ${older}, which is older`;
  const field = isPeer(origin) ? 'spec.peerAddress' : 'spec.address';
  return { object: origin, field, code: 'Overlap', message };
}

function isPeer({ kind }: Origin): boolean {
  return kind === 'BGPPeer';
}
