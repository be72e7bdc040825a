/** Services and endpoints: what is filled in, and what is refused, as users of kubectl see it. */
import { expect, it } from 'vitest';
import { admitAs, fields, make } from './testing.ts';

const service = make({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's', namespace: 'd' },
  spec: { selector: { app: 'w' }, ports: [{ port: 80 }] },
});

it('fill in type, target and policies', () => {
  expect(admitAs(service({})).value.spec).toMatchObject({
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }],
  });
  expect(
    admitAs(service({ spec: { type: 'LoadBalancer', sessionAffinity: 'ClientIP' } })).value.spec,
  ).toMatchObject({
    externalTrafficPolicy: 'Cluster',
    allocateLoadBalancerNodePorts: true,
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
  });
});

it.each<[string, object, readonly string[]]>([
  ['no ports', { spec: { ports: [] } }, ['spec.ports']],
  ['a port of zero', { spec: { ports: [{ port: 0, targetPort: 1 }] } }, ['spec.ports[0].port']],
  [
    'two ports without names',
    { spec: { ports: [{ port: 1 }, { port: 2, name: 'b' }] } },
    ['spec.ports[0].name'],
  ],
  [
    'the same port twice',
    {
      spec: {
        ports: [
          { port: 1, name: 'a' },
          { port: 1, name: 'b' },
        ],
      },
    },
    ['spec.ports[1]'],
  ],
  [
    'a node port without NodePort',
    { spec: { ports: [{ port: 1, nodePort: 30000 }] } },
    ['spec.ports[0].nodePort'],
  ],
  [
    'a protocol that services have not',
    { spec: { ports: [{ port: 1, protocol: 'ICMP' }] } },
    ['spec.ports[0].protocol'],
  ],
  ['an external policy inside', { spec: { externalTrafficPolicy: 'Local' } }, ['spec.externalTrafficPolicy']],
  ['a loopback address outside', { spec: { externalIPs: ['127.0.0.1'] } }, ['spec.externalIPs[0]']],
  [
    'a source range that is none',
    { spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.1/8'] } },
    ['spec.loadBalancerSourceRanges[0]'],
  ],
  ['an external name that is none', { spec: { type: 'ExternalName' } }, ['spec.externalName']],
  [
    'an affinity without end',
    {
      spec: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } },
    },
    ['spec.sessionAffinityConfig.clientIP.timeoutSeconds'],
  ],
  ['a name that begins with a digit', { metadata: { name: '1s' } }, ['metadata.name']],
])('refuse %s', (_, patch, expected) => {
  expect(fields(service(patch))).toEqual(expected);
});

const slice = make({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 's' },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.0.0.1'] }],
  ports: [{ port: 80 }],
});
it.each<[string, object, readonly string[]]>([
  ['plain', {}, []],
  [
    'an address of the other family',
    { endpoints: [{ addresses: ['fd00::1'] }] },
    ['endpoints[0].addresses[0]'],
  ],
  ['no address', { endpoints: [{ addresses: [] }] }, ['endpoints[0].addresses']],
  ['a family that does not exist', { addressType: 'IPv5' }, ['addressType']],
  [
    'the same port name twice',
    {
      ports: [
        { port: 1, name: 'a' },
        { port: 2, name: 'a' },
      ],
    },
    ['ports[1].name'],
  ],
])('slices: %s', (_, patch, expected) => {
  expect(fields(slice(patch))).toEqual(expected);
});

it('slices keep their family', () => {
  const v6 = { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::1'] }] };
  expect(fields(slice(v6), slice({}))).toEqual(['addressType']);
});
