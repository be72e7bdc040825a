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

test('an agent knows once it has handed over an intent, and as long as it listens', () => {
  expect(claims.informed()).toBe(false);
  claims.told();
  expect(claims.informed()).toBe(true);
  const over = claims.listened(true);
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
  vi.advanceTimersByTime(10_000);
  claims.listened(false);
  expect(claims.informed()).toBe(false);
  claims.told();
  expect(claims.informed()).toBe(true);
});

test('one that stood still knows what it has told', () => {
  claims.told();
  vi.advanceTimersByTime(10_000);
  expect(claims.informed()).toBe(false);
  claims.listened(true);
  expect(claims.informed()).toBe(true);
});
