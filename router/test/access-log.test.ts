/** What a policy may ask for in an access log is what the router can write. */
import { expect, test } from 'vitest';
import { accessLogFields } from '../../src/api/kinds/trafficparts.ts';
import { logFields } from '../src/access-log.ts';

test('the fields that a TrafficPolicy may name are those that are written', () => {
  expect([...accessLogFields].sort()).toEqual([...logFields].sort());
});
