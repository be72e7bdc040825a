/** When a node's agent counts as one that knows: the better claim depends on it. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLog } from '#telemetry/log.ts';
import { type AddressClaims, createAddressClaims } from './claims.ts';

let claims: AddressClaims;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
  const options = { node: 'node1', broadcast: () => {}, tell: () => {}, onChange: () => {}, log: silentLog };
  claims = createAddressClaims(options);
});
afterEach(() => {
  claims.close();
  vi.useRealTimers();
});

test('an agent knows once it has handed over an intent, and as long as it lives', () => {
  expect(claims.informed()).toBe(false);
  const over = claims.listened();
  expect(claims.informed()).toBe(false);
  claims.told();
  vi.advanceTimersByTime(60_000);
  expect(claims.informed()).toBe(true);
  over();
  vi.advanceTimersByTime(4_000);
  expect(claims.informed()).toBe(true);
  vi.advanceTimersByTime(1_000);
  expect(claims.informed()).toBe(false);
});

test('the next agent knows nothing before it has handed over its own', () => {
  claims.told();
  claims.listened()();
  vi.advanceTimersByTime(10_000);
  expect(claims.informed()).toBe(false);
  claims.listened();
  vi.advanceTimersByTime(10_000);
  expect(claims.informed()).toBe(false);
  claims.told();
  expect(claims.informed()).toBe(true);
});

test('one that is away for a moment knows what it has told', () => {
  claims.listened();
  claims.told();
  const over = claims.listened();
  over();
  vi.advanceTimersByTime(1_000);
  claims.listened();
  vi.advanceTimersByTime(10_000);
  expect(claims.informed()).toBe(true);
});
