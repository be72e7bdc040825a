/** Every kind that has rules beyond its schema, by table. */

import { tableOf } from '../kinds.ts';
import type { ServedKind } from '../types.ts';
import type { Strategy } from './strategy.ts';

const plain: Strategy = {};
const counted: Strategy = { generation: true };

const strategies: ReadonlyMap<string, Strategy> = new Map<string, Strategy>([
  ['/nodes', { keepsStatusOnCreate: true }],
]);

/** The rules of a kind; custom resources count generations and have no others. */
export function strategyOf(kind: ServedKind): Strategy {
  return strategies.get(tableOf(kind)) ?? (kind.fromCrd ? counted : plain);
}
