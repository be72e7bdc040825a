/** What is read of ALBs, and what becomes of what can't be used. */
import { expect, test } from 'vitest';
import { readALB } from './alb.ts';
import { albSpec, sampleOf } from './samples.ts';

const told = ({ problems }: ReturnType<typeof readALB>) =>
  problems.map(({ field, code }) => `${field} ${code}`);

test('what is said is read', () => {
  const read = readALB(sampleOf('ALB', albSpec));
  expect(read.problems).toEqual([]);
  expect(read.value).toMatchObject({
    instance: {
      replicas: 2,
      network: 'LoadBalancer',
      externalTrafficPolicy: 'Cluster',
      loadBalancerClass: 'example.com/a',
      addresses: ['192.0.2.1'],
      annotations: { 'example.com/a': 'b' },
      resources: { requests: { cpu: '100m' }, limits: { memory: '1Gi' } },
      nodeSelector: { edge: 'true' },
      tolerations: [{ key: 'edge', operator: 'Exists', effect: 'NoSchedule' }],
    },
    http: { port: 8080 },
    https: { port: 8443, certificate: 'cert' },
    ingressClass: { name: 'team', isDefault: true },
    tenants: { namespaces: ['shop'], selector: { matchLabels: { team: 'a' } }, projects: ['one'] },
    hostnames: 'GrantOnly',
    quotas: { routes: 10, size: 4 * 1024 * 1024, requestsPerSecond: 100, concurrency: 50 },
  });
});

test('one that says nothing serves HTTP and HTTPS at the usual ports, for its own namespace', () => {
  const { value, problems } = readALB(sampleOf('ALB', undefined));
  expect(problems).toEqual([]);
  expect(value).toMatchObject({
    instance: { network: 'LoadBalancer', externalTrafficPolicy: 'Local' },
    http: { port: 80 },
    https: { port: 443 },
    hostnames: 'FirstHolder',
    quotas: {},
  });
  expect(value).not.toHaveProperty('tenants');
  expect(readALB(sampleOf('ALB', { http: { port: 0 }, https: { port: 0 } })).value).not.toMatchObject({
    http: {},
  });
});

test.each<[string, object, readonly string[], object]>([
  [
    'a selector lets nobody in',
    { tenants: { selector: { matchLabels: 3 }, namespaces: ['shop', 4] } },
    ['spec.tenants.selector.matchLabels InvalidSelector', 'spec.tenants.namespaces[1] InvalidValue'],
    { tenants: { namespaces: ['shop'], projects: [] } },
  ],
  [
    'how hostnames are held needs a grant',
    { hostnames: 'x' },
    ['spec.hostnames NotSupported'],
    { hostnames: 'GrantOnly' },
  ],
  [
    'a mode opens nothing',
    { network: { mode: 'x', addresses: ['1.2.3'] } },
    ['spec.network.mode NotSupported', 'spec.network.addresses[0] InvalidAddress'],
    { instance: { network: 'ClusterIP', addresses: [] } },
  ],
  [
    'a quantity is left out',
    { resources: { limits: { cpu: 'much', memory: '1Gi' } }, quotas: { size: 'big' } },
    ['spec.resources.limits[cpu] InvalidValue', 'spec.quotas.size InvalidValue'],
    { instance: { resources: { limits: { memory: '1Gi' } } }, quotas: {} },
  ],
  [
    'a label keeps its node out',
    { nodeSelector: { edge: 'a b', 'a b': 'c', good: 'yes' } },
    ['spec.nodeSelector InvalidValue', 'spec.nodeSelector[edge] InvalidValue'],
    { instance: { nodeSelector: { good: 'yes' } } },
  ],
  [
    'a toleration is left out',
    {
      tolerations: [
        { key: 'a b', operator: 'Exists' },
        { operator: 'Equal', value: 'a' },
        { key: 'a', operator: 'Exists', value: 'b' },
        { key: 'a', effect: 'Never' },
        { key: 'a', effect: 'NoSchedule', tolerationSeconds: 5 },
        { key: 'a', value: 'b', effect: 'NoExecute', tolerationSeconds: 5 },
      ],
    },
    [
      'spec.tolerations[0].key InvalidValue',
      'spec.tolerations[1].operator InvalidValue',
      'spec.tolerations[2].value InvalidValue',
      'spec.tolerations[3].effect NotSupported',
      'spec.tolerations[4].tolerationSeconds InvalidValue',
    ],
    { instance: { tolerations: [{ key: 'a', value: 'b', effect: 'NoExecute', tolerationSeconds: 5 }] } },
  ],
])('what is no %s', (_, spec, problems, value) => {
  const read = readALB(sampleOf('ALB', spec));
  expect([...told(read)].sort()).toEqual([...problems].sort());
  expect(read.value?.unusable).toHaveLength(problems.length);
  expect(read.value).toMatchObject(value);
});
