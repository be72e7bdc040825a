/** BGPNeighbors: what is read out of them, and what is refused, with its field. */
import { expect, test } from 'vitest';
import type { BGPNeighbor } from '#api/kinds/bgpneighbor.ts';
import { readBGPNeighbor } from './bgpneighbor.ts';

const read = (spec: object) =>
  readBGPNeighbor({
    apiVersion: 'netloom.dev/v1alpha1',
    kind: 'BGPNeighbor',
    metadata: { name: 'tor' },
    spec: { address: '192.168.66.1', asn: 65_000, localASN: 64_512, ...spec },
  } as unknown as BGPNeighbor);

test('defaults: port 179, the family of the address, nothing imported', () => {
  expect(read({})).toMatchObject({
    problems: [],
    value: { port: 179, families: [4], importPrefixes: [], multiHop: false, peerASN: 65_000 },
  });
  expect(
    read({ address: 'FD66:0::1', asn: '65000', bfd: {}, holdTime: '90s', passwordSecretRef: { name: 's' } }),
  ).toMatchObject({
    value: {
      address: 'fd66::1',
      families: [6],
      peerASN: 65_000,
      bfd: { receiveInterval: 300, transmitInterval: 300, detectMultiplier: 3 },
      timers: { hold: 90, keepalive: 30 },
      password: { namespace: 'netloom-system', name: 's', key: 'password' },
    },
  });
  expect(read({ families: ['IPv6', 'IPv4'] }).value?.families).toEqual([4, 6]);
});

test.each<[object, string]>([
  [{ address: 'router' }, 'spec.address InvalidAddress'],
  [{ address: 'fe80::1' }, 'spec.address InvalidAddress'],
  [{ address: '127.0.0.1' }, 'spec.address InvalidAddress'],
  [{ address: '224.0.0.5' }, 'spec.address InvalidAddress'],
  [{ address: undefined }, 'spec.address Required'],
  [{ peerNodeSelector: {}, asn: undefined }, 'spec.peerNodeSelector NotSupported'],
  [{ address: undefined, peerNodeSelector: {} }, 'spec.asn InvalidASN'],
  [{ asn: undefined }, 'spec.asn Required'],
  [{ asn: 'some' }, 'spec.asn InvalidASN'],
  [{ asn: 23_456 }, 'spec.asn InvalidASN'],
  [{ asn: 4_294_967_296 }, 'spec.asn InvalidASN'],
  [{ localASN: 65_535 }, 'spec.localASN InvalidASN'],
  [{ asn: 'internal', ebgpMultiHop: true }, 'spec.ebgpMultiHop NotSupported'],
  [{ routeReflector: { clusterID: '10.0.0.1' } }, 'spec.routeReflector NotSupported'],
  [{ holdTime: '2s' }, 'spec.holdTime InvalidTimeout'],
  [{ holdTime: '9s', keepaliveTime: '9s' }, 'spec.keepaliveTime InvalidTimeout'],
  [{ importPrefixes: [{ prefix: '10.0.0.1/8' }] }, 'spec.importPrefixes[0].prefix InvalidCIDR'],
  [{ importPrefixes: [{ prefix: '10.0.0.0/8', ge: 8 }] }, 'spec.importPrefixes[0].ge InvalidRange'],
  [{ importPrefixes: [{ prefix: '10.0.0.0/8', le: 33 }] }, 'spec.importPrefixes[0].le InvalidRange'],
  [{ importPrefixes: [{ prefix: 'fd00::/8', ge: 64, le: 48 }] }, 'spec.importPrefixes[0].le InvalidRange'],
])('%j is refused whole, and told', (spec, told) => {
  const { value, problems } = read(spec);
  expect(value).toBeUndefined();
  expect(problems.map(({ field, code }) => `${field} ${code}`)).toEqual([told]);
});

test('a mesh is internal, and of both families', () => {
  const mesh = { address: undefined, asn: undefined, peerNodeSelector: {} };
  expect(read({ ...mesh, routeReflector: { clusterID: '10.0.0.1' } })).toMatchObject({
    problems: [],
    value: { peerASN: 'internal', families: [4, 6], clusterID: '10.0.0.1' },
  });
  expect(read({ ...mesh, routeReflector: { clusterID: 'x' } }).problems).toMatchObject([
    { field: 'spec.routeReflector.clusterID', code: 'InvalidAddress' },
  ]);
});
