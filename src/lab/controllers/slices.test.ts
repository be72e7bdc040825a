/** Pods become endpoints. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Endpoint, EndpointSlice, Service } from '../objects/service.ts';
import { managedBy, planSlices, serviceGroups } from './slices.ts';
import { node, pod, readyStatus } from './testing.ts';

const service = (spec: Record<string, unknown> = {}): Service =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', namespace: 'default', uid: 'us' },
    spec: {
      selector: { app: 'x' },
      ipFamilies: ['IPv4'],
      ports: [{ name: 'http', port: 80, targetPort: 'web' }],
      ...spec,
    },
  }) as unknown as Service;
const backend = (name: string, more: Record<string, unknown> = {}) =>
  pod(name, {
    ...more,
    spec: { nodeName: 'a', containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }] },
    status: {
      podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }],
      ...readyStatus,
      ...(more.status as object | undefined),
    },
  });

test('conditions tell what a backend is good for', () => {
  const conditions = (more: Record<string, unknown>, spec: Record<string, unknown> = {}) =>
    serviceGroups(service(spec), [backend('p', more)], () => undefined)[0]?.endpoints[0]?.conditions;
  expect(conditions({})).toEqual({ ready: true, serving: true, terminating: false });
  expect(conditions({ metadata: { deletionTimestamp: 't' } })).toEqual({
    ready: false,
    serving: true,
    terminating: true,
  });
  expect(conditions({ status: { conditions: [] } })).toEqual({
    ready: false,
    serving: false,
    terminating: false,
  });
  expect(conditions({ status: { conditions: [] } }, { publishNotReadyAddresses: true })).toEqual({
    ready: true,
    serving: true,
    terminating: false,
  });
});

test('a Service that prefers near endpoints has hints for their zones', () => {
  const zoned = node('a', {}, { 'topology.kubernetes.io/zone': 'z' });
  const hints = (spec: Record<string, unknown>) =>
    serviceGroups(service(spec), [backend('p')], () => zoned)[0]?.endpoints[0]?.hints;
  expect(hints({})).toBeUndefined();
  expect(hints({ trafficDistribution: 'PreferClose' })).toEqual({ forZones: [{ name: 'z' }] });
});

test('families, named ports, node and zone', () => {
  const zoned = node('a', {}, { 'topology.kubernetes.io/zone': 'z' });
  const groups = serviceGroups(service({ ipFamilies: ['IPv6', 'IPv4'] }), [backend('p')], () => zoned);
  expect(
    groups.map(({ addressType, ports, endpoints }) => [
      addressType,
      ports,
      endpoints[0]?.addresses,
      endpoints[0]?.zone,
    ]),
  ).toEqual([
    ['IPv6', [{ name: 'http', port: 8080, protocol: 'TCP' }], ['fd00::1'], 'z'],
    ['IPv4', [{ name: 'http', port: 8080, protocol: 'TCP' }], ['10.0.0.1'], 'z'],
  ]);
});

test('a plan carried out is what was wanted, and a second one does nothing', () => {
  const endpoints = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 350 }).map((numbers) =>
    numbers.map(
      (number): Endpoint => ({
        addresses: [`10.0.${number >> 8}.${number & 255}`],
        conditions: { ready: true },
      }),
    ),
  );
  fc.assert(
    fc.property(fc.array(endpoints, { minLength: 1, maxLength: 5 }), (rounds) => {
      let held: readonly EndpointSlice[] = [];
      let names = 0;
      for (const wanted of rounds) {
        const groups = [
          { addressType: 'IPv4' as const, ports: [{ name: 'http', port: 80 }], endpoints: wanted },
        ];
        const { create, update, remove } = planSlices(service(), groups, held);
        held = [
          ...held
            .filter((slice) => !remove.includes(slice))
            .map((slice) => update.find(({ metadata }) => metadata.name === slice.metadata.name) ?? slice),
          ...create.map((slice) => ({
            ...slice,
            metadata: { ...slice.metadata, name: `slice${names++}` },
          })),
        ];
        const addresses = held.flatMap((slice) =>
          (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses),
        );
        expect(addresses.toSorted()).toEqual(wanted.flatMap((endpoint) => endpoint.addresses).toSorted());
        expect(held.every((slice) => (slice.endpoints ?? []).length <= 100)).toBe(true);
        expect(planSlices(service(), groups, held)).toEqual({ create: [], update: [], remove: [] });
      }
    }),
    { numRuns: 50 },
  );
});

test('slices of others are left alone', () => {
  const foreign = {
    metadata: { name: 'f', labels: { 'endpointslice.kubernetes.io/managed-by': 'me' } },
    addressType: 'IPv4',
    endpoints: [],
  } as unknown as EndpointSlice;
  expect(planSlices(service(), [], [foreign])).toEqual({ create: [], update: [], remove: [] });
  expect(managedBy.mirror).not.toBe(managedBy.pods);
});
