/** The Kubernetes list library and the sets library of CEL. */
import type { Environment } from '@marcbachmann/cel-js';
import { celEqual, compareValues, define, defineNamespace, fail } from './functions.ts';

type List = readonly unknown[];
type Duration = { addDuration(other: Duration): Duration };

/** isSorted, sum, min, max, indexOf, lastIndexOf; sets.contains, sets.equivalent, sets.intersects. */
export function addLists(environment: Environment): void {
  define(environment, 'list<A>.isSorted(): bool', (list: List) =>
    list.every((each, i) => i === 0 || compareValues(list[i - 1], each) <= 0),
  );
  define(environment, 'list<int>.sum(): int', (list: readonly bigint[]) =>
    list.reduce((total, each) => total + each, 0n),
  );
  define(environment, 'list<double>.sum(): double', (list: readonly number[]) =>
    list.reduce((total, each) => total + each, 0),
  );
  const duration = 'google.protobuf.Duration';
  define(environment, `list<${duration}>.sum(): ${duration}`, (list: readonly Duration[]) =>
    list.length === 0
      ? fail('sum of an empty list of durations')
      : list.reduce((total, each) => total.addDuration(each)),
  );
  define(environment, 'list<A>.min(): A', (list: List) => extreme(list, 'min', -1));
  define(environment, 'list<A>.max(): A', (list: List) => extreme(list, 'max', 1));
  define(environment, 'list<A>.indexOf(A): int', (list: List, item: unknown) =>
    BigInt(list.findIndex((each) => celEqual(each, item))),
  );
  define(environment, 'list<A>.lastIndexOf(A): int', (list: List, item: unknown) =>
    BigInt(list.findLastIndex((each) => celEqual(each, item))),
  );
  defineNamespace(environment, 'sets', {
    'contains(list<A>, list<A>): bool': contains,
    'equivalent(list<A>, list<A>): bool': (a: List, b: List) => contains(a, b) && contains(b, a),
    'intersects(list<A>, list<A>): bool': (a: List, b: List) => a.some((each) => has(b, each)),
  });
}

function has(list: List, item: unknown): boolean {
  return list.some((each) => celEqual(each, item));
}

function contains(list: List, others: List): boolean {
  return others.every((each) => has(list, each));
}

function extreme(list: List, name: string, sign: number): unknown {
  if (list.length === 0) return fail(`${name} called on empty list`);
  return list.reduce((best, each) => (compareValues(each, best) * sign > 0 ? each : best));
}
