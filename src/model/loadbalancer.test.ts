/** IPAddressPools and Services of type LoadBalancer: what is read of them, and that what can't be is named by field. */
import { describe, expect, test } from 'vitest';
import type { IPAddressPool } from '#api/kinds/ipaddresspool.ts';
import type { KubeObject } from '#api/object.ts';
import { formatRange } from '#net/range.ts';
import { readAddressPool } from './addresspool.ts';
import { hasLeftovers, readLoadBalancer } from './loadbalancerservice.ts';
import { selects } from './selector.ts';

const said = (problems: readonly { field: string; code: string }[]) =>
  problems.map(({ field, code }) => `${field} ${code}`);

const pool = (spec: object) =>
  readAddressPool({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'IPAddressPool',
    metadata: { name: 'p', namespace: 'metallb-system' },
    spec: { addresses: ['203.0.113.0/30'], ...spec },
  } as unknown as IPAddressPool);

describe('readAddressPool', () => {
  test('ranges stay in their order, without what was said before', () => {
    const { value, problems } = pool({
      addresses: ['203.0.113.9-203.0.113.10', '203.0.113.8/30', ' 198.51.100.7/24', 'fd00::1 - fd00::2'],
    });
    expect(problems).toEqual([]);
    expect(value?.ranges.map(formatRange)).toEqual([
      '203.0.113.9-203.0.113.10',
      '203.0.113.8',
      '203.0.113.11',
      '198.51.100.0-198.51.100.255',
      'fd00::1-fd00::2',
    ]);
    expect(value).toMatchObject({ autoAssign: true, avoidsBuggyAddresses: false });
  });

  test.each<[object, readonly string[]]>([
    [{ addresses: [] }, ['spec.addresses Required']],
    [
      { addresses: ['x', '203.0.113.9-203.0.113.1'] },
      ['spec.addresses[0] InvalidRange', 'spec.addresses[1] InvalidRange'],
    ],
    [{ addresses: ['127.0.0.1/32'] }, ['spec.addresses[0] ForbiddenAddress']],
  ])('%j can not be used', (spec, texts) => {
    const { value, problems } = pool(spec);
    expect([value, said(problems)]).toEqual([undefined, texts]);
  });

  test('what no Service can have is left out, the rest is used', () => {
    const { value, problems } = pool({ addresses: ['223.255.255.254-224.0.0.9', '203.0.113.1/33'] });
    expect(value?.ranges.map(formatRange)).toEqual(['223.255.255.254-223.255.255.255']);
    expect(said(problems)).toEqual(['spec.addresses[0] ForbiddenAddress', 'spec.addresses[1] InvalidRange']);
  });

  test('for whom it is; a list of bad selectors takes nobody', () => {
    const { value, problems } = pool({
      serviceAllocation: {
        priority: -1,
        namespaces: ['a'],
        namespaceSelectors: [
          { matchLabels: { team: 't' } },
          { matchExpressions: [{ key: 'a', operator: 'Is' }] },
        ],
        serviceSelectors: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }],
      },
    });
    expect(said(problems)).toEqual([
      'spec.serviceAllocation.priority InvalidPriority',
      'spec.serviceAllocation.namespaceSelectors[1].matchExpressions[0].operator InvalidSelector',
      'spec.serviceAllocation.serviceSelectors[0].matchExpressions[0].values InvalidSelector',
    ]);
    expect(value?.allocation).toMatchObject({
      priority: 0,
      namespaces: ['a'],
      namespaceSelectors: [{ matchLabels: { team: 't' } }],
    });
    expect(
      value?.allocation?.serviceSelectors.some((selector) => selects(selector, { a: 'b', none: 'x' })),
    ).toBe(false);
  });

  test('a serviceAllocation that names nobody says so', () => {
    expect(said(pool({ serviceAllocation: { priority: 3 } }).problems)).toEqual([
      'spec.serviceAllocation WithoutEffect',
    ]);
  });
});

const service = (spec: object, annotations: Record<string, string> = {}, status: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop', uid: 'u', annotations },
    spec: {
      type: 'LoadBalancer',
      clusterIPs: ['10.96.0.7', 'fd00::7'],
      ipFamilyPolicy: 'PreferDualStack',
      ...spec,
    },
    status,
  }) as KubeObject;

describe('readLoadBalancer', () => {
  test('what it asks for and what it has', () => {
    const { value, problems } = readLoadBalancer(
      service(
        {
          externalTrafficPolicy: 'Local',
          selector: { b: '2', a: '1' },
          ports: [{ port: 80 }, { port: 53, protocol: 'UDP' }],
        },
        {
          'metallb.io/loadBalancerIPs': 'FD00:0::9, 203.0.113.9',
          'metallb.io/address-pool': 'p',
          'metallb.universe.tf/address-pool': 'old',
          'metallb.universe.tf/allow-shared-ip': 'key',
          'metallb.io/ip-allocated-from-pool': 'q',
          'netloom.dev/announcer': 'node1',
        },
        { loadBalancer: { ingress: [{ ip: '203.0.113.7' }, { hostname: 'lb.example' }] } },
      ),
      {},
    );
    expect(problems).toEqual([]);
    expect(value).toMatchObject({
      key: 'shop/web',
      families: [4, 6],
      familyPolicy: 'PreferDualStack',
      requested: {
        field: 'metadata.annotations[metallb.io/loadBalancerIPs]',
        addresses: ['fd00::9', '203.0.113.9'],
      },
      pool: 'p',
      sharingKey: 'key',
      assigned: ['203.0.113.7'],
      assignedFrom: 'q',
      announcer: 'node1',
      local: true,
      selector: 'a=1,b=2',
      ports: [
        { protocol: 'tcp', port: 80 },
        { protocol: 'udp', port: 53 },
      ],
      deleted: false,
    });
  });

  test.each<[object, string | undefined, boolean]>([
    [{}, undefined, true],
    [{ loadBalancerClass: 'netloom.dev/loadbalancer' }, undefined, true],
    [{ loadBalancerClass: 'example.com/other' }, undefined, false],
    [{ loadBalancerClass: 'example.com/other' }, 'example.com/other', true],
    [{}, 'example.com/other', false],
    [{ loadBalancerClass: 'netloom.dev/loadbalancer' }, 'example.com/other', false],
    [{ type: 'NodePort' }, undefined, false],
  ])('%j with --load-balancer-class %s: ours %s', (spec, onlyClass, ours) => {
    const { value, problems } = readLoadBalancer(service(spec), onlyClass === undefined ? {} : { onlyClass });
    expect([value !== undefined, problems]).toEqual([ours, []]);
  });

  const asks = (addresses: string) => ({ 'metallb.io/loadBalancerIPs': addresses });
  const annotation = 'metadata.annotations[metallb.io/loadBalancerIPs]';
  test.each<[object, Record<string, string>, string]>([
    [{ loadBalancerIP: '203.0.113.1' }, asks('203.0.113.1'), `${annotation} InvalidAnnotation`],
    [{ loadBalancerIP: 'web.example' }, {}, 'spec.loadBalancerIP InvalidAddress'],
    [{}, asks('203.0.113.1,'), `${annotation} InvalidAddress`],
    [{}, asks('203.0.113.1,203.0.113.2'), `${annotation} DuplicateFamily`],
    [{ clusterIPs: ['10.96.0.7'] }, asks('fd00::1'), `${annotation} InvalidAddress`],
    [{ ipFamilyPolicy: 'RequireDualStack' }, asks('fd00::1'), `${annotation} InvalidAddress`],
    [
      {},
      { 'metallb.universe.tf/loadBalancerIPs': 'x' },
      'metadata.annotations[metallb.universe.tf/loadBalancerIPs] InvalidAddress',
    ],
  ])('%j %j is refused, and it keeps what it has', (spec, annotations, text) => {
    const { value, problems } = readLoadBalancer(service(spec, annotations), {});
    expect(said(problems)).toEqual([text]);
    expect(value).toMatchObject({ unreadable: true });
    expect(value).not.toHaveProperty('requested');
  });

  test('what was written on it is left over when it is no load balancer any more', () => {
    const annotations = { 'metallb.io/ip-allocated-from-pool': 'p' };
    const waited = { conditions: [{ type: 'netloom.dev/AddressAllocated' }] };
    const over = { type: 'ClusterIP' };
    const objects = [
      service({}, annotations),
      service(over, annotations),
      service(over),
      service(over, {}, waited),
    ];
    expect(objects.map(hasLeftovers)).toEqual([false, true, false, true]);
  });
});
