/** Change by change or all at once: the same; and a change costs what it touches. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GatewayIntent } from '#intent/gateway.ts';
import { anyChange, beginning, type Change } from './arbitrary.ts';
import { createGatewayBook } from './book.ts';
import { compileGateways } from './compile.ts';
import { backend, httpRoute, httpRule, service, slice, tlsPolicy } from './samples.ts';
import {
  authority,
  type Cluster,
  certificate,
  gateway,
  gatewayClass,
  grant,
  listener,
  objectOf,
  parent,
  reference,
  routeId,
  running,
  secret,
  slots,
  snapshotOf,
} from './testing.ts';
import type { GatewayBook, GatewayChanges, GatewayInput, GatewayStatus, InstanceFacts } from './types.ts';

type Domains = Record<string, Record<string, unknown>>;

/** What somebody knows who heard of every change. */
function createListener() {
  const intents = new Map<string, Domains>();
  const statuses = new Map<string, GatewayStatus>();
  return {
    intents,
    statuses,
    hear({ instances, statuses: said }: GatewayChanges): void {
      for (const [key, change] of instances) {
        if (change === undefined) {
          expect(intents.delete(key)).toBe(true);
          continue;
        }
        const domains = intents.get(key) ?? {};
        intents.set(key, domains);
        for (const [domain, entries] of Object.entries(change.put))
          domains[domain] = { ...domains[domain], ...entries };
        for (const [domain, keys] of Object.entries(change.remove))
          for (const each of keys) delete domains[domain]?.[each];
      }
      for (const [id, status] of said) {
        if (status === undefined) statuses.delete(id);
        else statuses.set(id, status);
      }
    },
  };
}

const withoutEmpty = (domains: Domains | GatewayIntent | undefined): Domains =>
  Object.fromEntries(
    Object.entries((domains ?? {}) as Domains).filter(([, entries]) => Object.keys(entries).length > 0),
  );

function apply(book: GatewayBook, change: Change): void {
  if (change.kind === 'facts') book.setFacts(change.key, change.value);
  else book.set(change.kind, change.key, change.value as never);
}

test('whatever changes in whatever order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyChange, fc.boolean()), { maxLength: 40, size: 'max' }), (steps) => {
      const book = createGatewayBook(slots);
      const heard = createListener();
      const now = new Map<string, Change>();
      const check = (): void => {
        heard.hear(book.settle());
        const maps = new Map<string, Map<string, unknown>>();
        const facts = new Map<string, InstanceFacts>();
        for (const { kind, key, value } of now.values()) {
          if (value === undefined) continue;
          if (kind === 'facts') facts.set(key, value);
          else maps.set(kind, (maps.get(kind) ?? new Map<string, unknown>()).set(key, value));
        }
        const snapshot = Object.fromEntries(
          Object.keys(snapshotOf({})).map((kind) => [kind, maps.get(kind) ?? new Map()]),
        ) as ReturnType<typeof snapshotOf>;
        const whole = compileGateways(snapshot, facts, slots).value;
        expect([...heard.intents.keys()].sort()).toEqual([...whole.intents.keys()].sort());
        for (const [key, intent] of whole.intents) {
          expect(withoutEmpty(heard.intents.get(key))).toEqual(withoutEmpty(intent));
          expect(JSON.stringify(book.whole(key))).toBe(JSON.stringify(intent));
        }
        expect(heard.statuses).toEqual(whole.statuses);
        expect([...book.references()].sort()).toEqual([...whole.references].sort());
      };
      for (const [change, settles] of [...beginning.map((each) => [each, false] as const), ...steps]) {
        now.set(`${change.kind} ${change.key}`, change);
        apply(book, change);
        if (settles) check();
      }
      check();
    }),
    { numRuns: 500 },
  );
});
