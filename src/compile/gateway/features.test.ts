/** What GatewayClasses say of us is what the specification wants to read. */
import { expect, test } from 'vitest';
import { features, supportedFeatures } from './features.ts';

test('each feature once, sorted, and no more than a GatewayClass can hold', () => {
  const names = features.flatMap((section) => section.features.map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
  expect(supportedFeatures).toEqual([...supportedFeatures].sort());
  expect(supportedFeatures.length).toBeLessThanOrEqual(64);
});

test('all that is optional, mesh aside, is there: 42 in v1.6.1, with the names of GRPCRoute’s rules', () => {
  const optional = features
    .flatMap((section) => section.features)
    .filter(({ name, level }) => level === 'extended' && !name.startsWith('Mesh'));
  // TCPRoute, UDPRoute and BackendTLSPolicy are reported as optional, too.
  expect(optional.length + 3).toBe(43);
  expect(optional.filter(({ refused }) => refused !== undefined)).toEqual([]);
});
