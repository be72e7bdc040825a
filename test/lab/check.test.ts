/** The check is green on every kind of lab: both families alone and together, with and without a tunnel, and on the wire. */
import { afterEach, expect, test } from 'vitest';
import { labDown } from '#lab/lifecycle.ts';
import { runCheck } from '#programs/cli/check/connectivity.ts';
import { resultTable } from '#programs/cli/check/table.ts';
import { labNameOf, type Shape, startCluster } from './cluster.ts';

const topic = 'check';

afterEach(() => labDown(labNameOf(topic)));

const shapes: readonly (readonly [string, Shape])[] = [
  ['a dual-stack lab of three nodes', { nodes: 3 }],
  ['an IPv4 lab', { family: 'ipv4' }],
  ['an IPv6 lab', { family: 'ipv6' }],
  ['a dual-stack lab on plain routes', { mode: 'routed', nodes: 3 }],
  ['a dual-stack lab whose pods are on the physical network', { mode: 'underlay', nodes: 3 }],
];

test.each(shapes)('%s: all that must pass passes, and nothing else', async (_, shape) => {
  const cluster = await startCluster(topic, shape);
  const results = await runCheck({ lab: cluster.name, keep: false });
  cluster.client.close();
  expect(results.length).toBeGreaterThan(60);
  expect(results.some(({ ok }) => !ok) ? resultTable(results) : '').toBe('');
});
