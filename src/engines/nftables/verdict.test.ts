/** What the ledger says of a connection is what the packet path says of its first packet, whatever came before. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { IntentChange } from '#intent/node.ts';
import { atOnce } from '#system/steps.ts';
import { changes, lastState, wholeOf } from './arbitrary.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { type Connection, verdictOf } from './verdict.ts';
import { type Held, walk } from './walk.ts';

const address = fc.oneof(
  fc.integer({ min: 1, max: 6 }).map((n) => `10.244.1.${n}`),
  fc.constantFrom('10.244.8.7', '10.245.255.9', '192.168.66.11', '192.168.66.200', '203.0.113.7', '8.8.8.8'),
);
const address6 = fc.oneof(
  fc.integer({ min: 1, max: 6 }).map((n) => `fd10:244:0:1::${n}`),
  fc.constantFrom('fd10:244::9', 'fd66::11', 'fd10:245::1', '2001:db8::1', 'fe80::1'),
);
const ends = fc.oneof(fc.tuple(address, address), fc.tuple(address6, address6));
const connection: fc.Arbitrary<Connection> = fc
  .tuple(
    ends,
    fc.constantFrom(1, 6, 17, 58, 132, 136),
    fc.oneof(fc.constantFrom(0, 22, 80, 81, 443, 30_000, 65_535), fc.nat(65_535)),
  )
  .map(([[from, to], protocol, port]) => ({ from, to, protocol, port }));
const connections = fc.array(connection, { minLength: 20, maxLength: 40 });

it('is what the packet path says, for pods and for the node itself', () => {
  fc.assert(
    fc.property(changes, connections, (all, asked) => {
      const ledger = createLedger();
      for (const change of all) ledger.change(change);
      const held = heldBy(ledger);
      const fresh = createLedger();
      fresh.change(wholeOf(lastState(all)));
      for (const each of asked) {
        const expected = walk(held, each, ['policyEgress', 'policyIngress']);
        expect(verdictOf(ledger.policy(), each, false)).toBe(expected);
        expect(verdictOf(fresh.policy(), each, false)).toBe(expected);
        // What comes to the node, or from it.
        const half = walk(held, each, ['policyEgress']);
        expect(verdictOf(ledger.policy(), each, true)).toBe(half);
      }
    }),
    { numRuns: 300 },
  );
});

it('changes for connections of affected addresses only', () => {
  fc.assert(
    fc.property(changes, connections, (all, asked) => {
      const ledger = createLedger();
      let before = asked.map(() => 'allow');
      for (const change of all.map(small)) {
        const { now: affected, later } = ledger.change(change).concerned;
        const policy = ledger.policy();
        const verdicts = asked.map((each) => verdictOf(policy, each, false));
        for (const [index, { from, to }] of asked.entries()) {
          if (affected === 'all' || affected.has(from) || affected.has(to)) continue;
          if (later.has(from) || later.has(to)) continue;
          expect(verdicts[index]).toBe(before[index]);
        }
        before = verdicts;
      }
    }),
    { numRuns: 1_000 },
  );
});

/** Behind the first one a domain at a time, and none of those that concern everybody. */
function small(change: IntentChange, index: number): IntentChange {
  if (index === 0) return change;
  const domain = (['policyAddresses', 'policyDecisions', 'policySubjects', 'endpoints'] as const)[
    (index - 1) % 4
  ]!;
  const put = { [domain]: change.put[domain] ?? {} };
  return { ...change, replace: false, put, remove: { [domain]: change.remove[domain] ?? [] } };
}

function heldBy(ledger: Ledger): Held {
  const held = new Map<string, Map<string, string>>();
  for (const { set, key, data = '' } of atOnce(ledger.wanted()).elements) {
    held.set(set, (held.get(set) ?? new Map<string, string>()).set(key, data));
  }
  return held;
}
