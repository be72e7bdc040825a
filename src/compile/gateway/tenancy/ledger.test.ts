/** Who goes without, beside a search that is not clever. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { olderFirst } from '../age.ts';
import { createLedger, type Excess, type LedgerEntry, type LedgerLimits } from './ledger.ts';

type Known = ReadonlyMap<string, { readonly entry: LedgerEntry; readonly limits: LedgerLimits }>;

/** What each tenant of a scope may have: raised byte by byte for all alike until there is no more. */
function levelOf(wants: readonly number[], total: number): number {
  let level = 0;
  const taken = (at: number) => wants.reduce((sum, want) => sum + Math.min(want, at), 0);
  if (taken(Number.POSITIVE_INFINITY) <= total) return Number.POSITIVE_INFINITY;
  while (taken(level + 1) <= total) level += 1;
  return level;
}

function expected(known: Known): ReadonlyMap<string, Excess> {
  const refused = new Map<string, Excess>();
  const scopes = Map.groupBy(known, ([, { entry }]) => entry.scope);
  for (const inScope of scopes.values()) {
    const tenants = [...Map.groupBy(inScope, ([, { entry }]) => entry.tenant).values()];
    const limits = inScope[0]![1].limits;
    const wants = tenants.map((own) =>
      Math.min(
        limits.size,
        own.reduce((sum, [, { entry }]) => sum + entry.size, 0),
      ),
    );
    const level = levelOf(wants, limits.total);
    for (const own of tenants) {
      let [count, size] = [0, 0];
      const order = own.sort(([a, x], [b, y]) => olderFirst(x.entry, y.entry) || (a < b ? -1 : 1));
      for (const [id, { entry }] of order) {
        if (count === limits.count) refused.set(id, 'count');
        else if (size + entry.size > Math.min(level, limits.size))
          refused.set(id, level < limits.size ? 'total' : 'size');
        else {
          count += 1;
          size += entry.size;
        }
      }
    }
  }
  return refused;
}

const limits: LedgerLimits = { count: 3, size: 20, total: 30 };
const step = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
  scope: fc.constantFrom('s', 's', 's', 't'),
  tenant: fc.constantFrom('m', 'n', 'o'),
  created: fc.constantFrom('1', '2', '3'),
  size: fc.integer({ min: 1, max: 15 }),
  gone: fc.integer({ min: 0, max: 3 }),
  settles: fc.boolean(),
});

test('whoever wants however much', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const ledger = createLedger();
      const known = new Map<string, { readonly entry: LedgerEntry; readonly limits: LedgerLimits }>();
      const last = new Map<string, Excess | undefined>();
      for (const { id, gone, settles, ...rest } of steps) {
        const entry = { ...rest, key: id };
        last.delete(id);
        if (gone === 0) known.delete(id);
        else known.set(id, { entry, limits });
        ledger.set(id, gone === 0 ? undefined : entry, limits);
        if (!settles) continue;
        const changed = ledger.settle();
        const wanted = expected(known);
        for (const each of known.keys()) {
          expect([each, ledger.excess(each)]).toEqual([each, wanted.get(each)]);
          // Nobody of whom something else is so than before goes unnamed.
          if (last.has(each) && last.get(each) !== wanted.get(each)) expect(changed).toContain(each);
          last.set(each, wanted.get(each));
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('while there is enough, a change of one costs no look at the others', () => {
  const ledger = createLedger();
  const much = { count: 1e6, size: 1e9, total: 1e9 };
  for (let index = 0; index < 1000; index += 1)
    ledger.set(`r${index}`, { scope: 's', tenant: 'm', created: '1', key: `r${index}`, size: 1 }, much);
  expect(ledger.settle()).toEqual([]);
});
