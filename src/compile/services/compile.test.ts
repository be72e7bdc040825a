/** Services and slices to intent: field by field, and change by change equal to the whole. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import type { ServiceIntent } from '#intent/node.ts';
import {
  type EndpointSliceModel,
  readEndpointSlice,
  readService,
  type ServiceModel,
} from '#model/service.ts';
import { compileServices, createServiceCompiler, type ServicePlace } from './compile.ts';

function service(spec: object, metadata: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'web', ...metadata },
    spec: { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'], ports: [{ port: 80 }], ...spec },
  };
}

function slice(part: object, name = 'web-1', of = 'web'): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'default', name, labels: { 'kubernetes.io/service-name': of } },
    addressType: 'IPv4',
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: [{ addresses: ['10.244.1.5'], conditions: { ready: true } }],
    ...part,
  };
}

const here: ServicePlace = {
  node: 'n1',
  zone: 'a',
  addresses: ['192.168.66.11', 'fd66::11'],
  nodePortAddresses: ['192.168.66.11', 'fd66::11'],
  externalIPs: true,
};

function compile(...objects: readonly KubeObject[]) {
  const { value, problems } = compileAt(here, ...objects);
  return { value: value.services, problems };
}

function compileAt(place: ServicePlace, ...objects: readonly KubeObject[]) {
  const services = new Map<string, ServiceModel>();
  const slices = new Map<string, EndpointSliceModel>();
  const problems: string[] = [];
  for (const object of objects) {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const read = object.kind === 'Service' ? readService(object) : readEndpointSlice(object);
    problems.push(...read.problems.map((problem) => `${problem.field} ${problem.code}`));
    if (read.value === undefined) continue;
    if (object.kind === 'Service') services.set(key, read.value as ServiceModel);
    else slices.set(key, read.value as EndpointSliceModel);
  }
  const { value, problems: between } = compileServices({ services, slices }, place);
  return { value, problems: [...problems, ...between.map(({ field, code }) => `${field} ${code}`)] };
}

function backends(...objects: readonly KubeObject[]): readonly string[] {
  const [entry] = Object.values<ServiceIntent>(compile(...objects).value);
  return (entry?.backends ?? []).map(({ address, port }) => `${address} ${port}`);
}

const endpoint = (last: number, conditions: object | undefined) => ({
  addresses: [`10.244.1.${last}`],
  ...(conditions === undefined ? {} : { conditions }),
});

describe('a Service', () => {
  it('becomes one entry a port and family, with its origin', () => {
    const { value, problems } = compile(
      service({
        clusterIPs: ['10.96.0.10', 'fd10:96::A'],
        ports: [
          { name: 'http', port: 80 },
          { name: 'dns', port: 53, protocol: 'UDP' },
        ],
      }),
      slice({
        ports: [
          { name: 'http', port: 8080 },
          { name: 'dns', protocol: 'UDP', port: 5353 },
        ],
      }),
    );
    expect(problems).toEqual([]);
    expect(Object.keys(value)).toEqual([
      'default/web/http/4',
      'default/web/http/6',
      'default/web/dns/4',
      'default/web/dns/6',
    ]);
    expect(value['default/web/dns/4']).toEqual({
      origin: { kind: 'Service', namespace: 'default', name: 'web', rule: 'spec.ports[dns]' },
      protocol: 'udp',
      frontends: [{ address: '10.96.0.10', port: 53 }],
      backends: [{ address: '10.244.1.5', port: 5353 }],
    });
    expect(value['default/web/http/6']).toMatchObject({
      frontends: [{ address: 'fd10:96::a', port: 80 }],
      backends: [],
    });
  });

  it.each([
    ['headless', service({ clusterIP: 'None', clusterIPs: ['None'] })],
    ['ExternalName', service({ type: 'ExternalName', clusterIP: '', clusterIPs: [] })],
    ['not allocated yet', service({ clusterIP: '', clusterIPs: undefined })],
    ['for another proxy', service({}, { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } })],
    ['marked headless', service({}, { labels: { 'service.kubernetes.io/headless': '' } })],
  ])('%s is left alone without a problem', (_, object) => {
    expect(compile(object, slice({}))).toEqual({ value: {}, problems: [] });
  });

  it('has ClientIP affinity of three hours unless it says otherwise', () => {
    const of = (spec: object) => compile(service(spec)).value['default/web//4']?.affinitySeconds;
    expect(of({})).toBeUndefined();
    expect(of({ sessionAffinity: 'ClientIP' })).toBe(10_800);
    expect(
      of({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 7 } } }),
    ).toBe(7);
  });

  it.each([
    [{ internalTrafficPolicy: 'Near' }, 'spec.internalTrafficPolicy NotSupported'],
    [{ externalTrafficPolicy: 'Near' }, 'spec.externalTrafficPolicy NotSupported'],
    [{ externalIPs: ['nonsense'] }, 'spec.externalIPs[0] InvalidAddress'],
    [{ externalIPs: ['127.0.0.1'] }, 'spec.externalIPs[0] ForbiddenAddress'],
    [{ type: 'NodePort', ports: [{ port: 80, nodePort: 70_000 }] }, 'spec.ports[0].nodePort InvalidPort'],
    [
      { type: 'LoadBalancer', loadBalancerSourceRanges: ['all'] },
      'spec.loadBalancerSourceRanges[0] InvalidCIDR',
    ],
    [
      { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: -1 },
      'spec.healthCheckNodePort InvalidPort',
    ],
    [{ clusterIPs: ['10.96.0.10', '10.96.0.11'] }, 'spec.clusterIPs[1] DuplicateFamily'],
    [{ clusterIPs: ['10.96.0.10', 'nonsense'] }, 'spec.clusterIPs[1] InvalidAddress'],
    [{ ports: [{ port: 80 }, { name: 'b', port: 0 }] }, 'spec.ports[1].port InvalidPort'],
    [{ ports: [{ port: 80 }, { port: 81 }] }, 'spec.ports[1].name DuplicateName'],
    [{ ports: [{ port: 80 }, { name: 'b', port: 80 }] }, 'spec.ports[1] DuplicatePort'],
    [
      { ports: [{ port: 80 }, { name: 'b', port: 9, protocol: 'ICMP' }] },
      'spec.ports[1].protocol NotSupported',
    ],
    [{ sessionAffinity: 'Cookie' }, 'spec.sessionAffinity NotSupported'],
    [
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_401 } } },
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds InvalidTimeout',
    ],
  ])('%j has a problem and its good part works', (spec, problem) => {
    const { value, problems } = compile(service(spec), slice({}));
    expect(problems).toEqual([problem]);
    expect(value['default/web//4']?.backends).toEqual([{ address: '10.244.1.5', port: 8080 }]);
  });

  it('loses an address and port that an older Service has', () => {
    const young = service({}, { name: 'a', creationTimestamp: '2026-01-02T00:00:00Z' });
    const old = service({}, { name: 'b', creationTimestamp: '2026-01-01T00:00:00Z' });
    const { value, problems } = compile(young, old);
    expect(Object.keys(value)).toEqual(['default/b//4']);
    expect(problems).toEqual(['spec.ports[0] DuplicateFrontend']);
  });
});

describe('endpoints', () => {
  it('are the ready ones; a missing condition means ready', () => {
    const endpoints = [
      endpoint(3, undefined),
      endpoint(1, { ready: true }),
      endpoint(2, { ready: false }),
      endpoint(4, { ready: false, serving: true, terminating: true }),
    ];
    expect(backends(service({}), slice({ endpoints }))).toEqual(['10.244.1.1 8080', '10.244.1.3 8080']);
  });

  it('are the serving ones when all are terminating', () => {
    const endpoints = [
      endpoint(1, { ready: false, serving: true, terminating: true }),
      endpoint(2, { ready: false, serving: false, terminating: true }),
      endpoint(3, { ready: false, serving: true, terminating: false }),
    ];
    expect(backends(service({}), slice({ endpoints }))).toEqual(['10.244.1.1 8080']);
  });

  it('that end and serve on keep their UDP flows while others are ready', () => {
    const ends = endpoint(1, { ready: false, serving: true, terminating: true });
    const over = endpoint(2, { ready: false, serving: false, terminating: true });
    const ready = endpoint(3, { ready: true });
    const entry = (protocol: string, endpoints: readonly unknown[]) => {
      const spec = { ports: [{ port: 80, protocol }] };
      const ports = [{ name: '', port: 8080, protocol }];
      return compile(service(spec), slice({ ports, endpoints })).value['default/web//4'];
    };
    expect(entry('UDP', [ends, over, ready])).toMatchObject({
      backends: [{ address: '10.244.1.3', port: 8080 }],
      leaving: [{ address: '10.244.1.1', port: 8080 }],
    });
    expect(entry('TCP', [ends, over, ready])).not.toHaveProperty('leaving');
    expect(entry('UDP', [ends, over])).not.toHaveProperty('leaving');
  });

  it('are those that end, where nothing better is, of a Service whose pods say so before they do', () => {
    const annotations = { 'netloom.dev/announce-while': 'serving' };
    const ends = endpoint(1, { ready: false, serving: false, terminating: true });
    const down = endpoint(2, { ready: false, serving: false, terminating: false });
    expect(backends(service({}, { annotations }), slice({ endpoints: [ends, down] }))).toEqual([
      '10.244.1.1 8080',
    ]);
    const ready = endpoint(3, { ready: true });
    expect(backends(service({}, { annotations }), slice({ endpoints: [ends, ready] }))).toEqual([
      '10.244.1.3 8080',
    ]);
  });

  it('are all of them with publishNotReadyAddresses', () => {
    const endpoints = [endpoint(1, { ready: false }), endpoint(2, { ready: true })];
    expect(backends(service({ publishNotReadyAddresses: true }), slice({ endpoints }))).toHaveLength(2);
  });

  it('come once though two slices list them, each with its slice port, in the order of addresses', () => {
    const objects = [
      service({ ports: [{ name: 'http', port: 80, targetPort: 'web' }] }),
      slice(
        { ports: [{ name: 'http', port: 8080 }], endpoints: [endpoint(10, {}), endpoint(9, {})] },
        'web-1',
      ),
      slice({ ports: [{ name: 'http', port: 8080 }], endpoints: [endpoint(9, {})] }, 'web-2'),
      slice({ ports: [{ name: 'http', port: 9090 }], endpoints: [endpoint(11, {})] }, 'web-3'),
    ];
    expect(backends(...objects)).toEqual(['10.244.1.9 8080', '10.244.1.10 8080', '10.244.1.11 9090']);
  });

  it('need the name and the protocol of the Service port', () => {
    const ports = [
      { name: 'other', port: 1 },
      { name: '', port: 2, protocol: 'UDP' },
    ];
    expect(backends(service({}), slice({ ports }))).toEqual([]);
  });

  it.each([
    ['127.0.0.1', 'ForbiddenAddress'],
    ['169.254.169.254', 'ForbiddenAddress'],
    ['0.0.0.0', 'ForbiddenAddress'],
    ['224.0.0.1', 'ForbiddenAddress'],
    ['255.255.255.255', 'ForbiddenAddress'],
    ['fd10:244::1', 'WrongFamily'],
    ['10.0.0.1; flush ruleset', 'InvalidAddress'],
  ])('at %s are refused, the others of the slice work', (address, code) => {
    const endpoints = [{ addresses: [address] }, endpoint(7, {})];
    const { problems } = compile(service({}), slice({ endpoints }));
    expect(problems).toEqual([`endpoints[0].addresses[0] ${code}`]);
    expect(backends(service({}), slice({ endpoints }))).toEqual(['10.244.1.7 8080']);
  });

  it.each(['::1', 'fe80::1', '::ffff:127.0.0.1', 'ff02::1'])('at %s are refused', (address) => {
    const { problems } = compile(slice({ addressType: 'IPv6', endpoints: [{ addresses: [address] }] }));
    expect(problems).toEqual(['endpoints[0].addresses[0] ForbiddenAddress']);
  });

  it.each([
    [{ ports: [{ name: '' }] }, 'ports[0].port Required'],
    [{ ports: [{ name: '', port: 70_000 }] }, 'ports[0].port InvalidPort'],
    [{ addressType: 'FQDN' }, 'addressType NotSupported'],
    [{ endpoints: [{}] }, 'endpoints[0].addresses[0] InvalidAddress'],
  ])('%j has a problem', (part, problem) => {
    expect(compile(slice(part)).problems).toEqual([problem]);
  });

  it('may be null, as the API server writes them', () => {
    expect(compile(service({}), slice({ ports: null, endpoints: null })).problems).toEqual([]);
  });
});

describe('a published Service', () => {
  const balanced = (spec: object, ingress: readonly object[] = [{ ip: '203.0.113.7' }]) => ({
    ...service({ type: 'LoadBalancer', ports: [{ port: 80, nodePort: 30_080 }], ...spec }),
    status: { loadBalancer: { ingress } },
  });
  const onNodes = slice({
    endpoints: [
      { ...endpoint(1, {}), nodeName: 'n1' },
      { ...endpoint(2, {}), nodeName: 'n2' },
    ],
  });
  const both = [
    { address: '10.244.1.1', port: 8080 },
    { address: '10.244.1.2', port: 8080 },
  ];

  it('has an entry for each kind of address', () => {
    const object = balanced({ externalIPs: ['198.51.100.1', '203.0.113.7'] });
    const { value, problems } = compile(object, onNodes);
    expect(problems).toEqual([]);
    const frontends = Object.entries(value).map(([key, entry]) => [key, entry.frontends, entry.published]);
    expect(frontends).toEqual([
      ['default/web//4', [{ address: '10.96.0.10', port: 80 }], undefined],
      ['default/web//4/nodePort', [{ address: '192.168.66.11', port: 30_080 }], {}],
      ['default/web//4/loadBalancer', [{ address: '203.0.113.7', port: 80 }], {}],
      ['default/web//4/external', [{ address: '198.51.100.1', port: 80 }], {}],
    ]);
    for (const entry of Object.values(value)) expect(entry.backends).toEqual(both);
  });

  it('leaves a balancer that is a proxy, and families without a cluster address, alone', () => {
    const ingress = [{ ip: '203.0.113.7', ipMode: 'Proxy' }, { ip: '2001:db8::7' }, { hostname: 'lb' }];
    expect(Object.keys(compile(balanced({}, ingress)).value)).toEqual([
      'default/web//4',
      'default/web//4/nodePort',
    ]);
    const without = service({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false });
    expect(Object.keys(compile(without).value)).toEqual(['default/web//4']);
  });

  it('with externalTrafficPolicy Local gives the outside the endpoints of the node', () => {
    const { value } = compile(balanced({ externalTrafficPolicy: 'Local' }), onNodes);
    expect(value['default/web//4']).toMatchObject({ backends: both });
    expect(value['default/web//4/nodePort']).toMatchObject({
      backends: both,
      published: { localBackends: [both[0]] },
    });
  });

  it('with internalTrafficPolicy Local keeps the inside on the node, and the outside free', () => {
    const { value } = compile(balanced({ internalTrafficPolicy: 'Local' }), onNodes);
    expect(value['default/web//4']).toMatchObject({ backends: [both[0]] });
    expect(value['default/web//4/nodePort']).toMatchObject({ backends: both, published: {} });
    const elsewhere = slice({ endpoints: [{ ...endpoint(2, {}), nodeName: 'n2' }] });
    const alone = compile(balanced({ internalTrafficPolicy: 'Local' }), elsewhere).value;
    expect(alone['default/web//4']).toMatchObject({ backends: [], unserved: 'dropped' });
    const none = compile(balanced({ internalTrafficPolicy: 'Local' })).value;
    expect(none['default/web//4']).not.toHaveProperty('unserved');
  });

  it('lets only its source ranges in; a family without a range lets nobody in', () => {
    const spec = {
      clusterIPs: ['10.96.0.10', 'fd10:96::a'],
      loadBalancerSourceRanges: [' 192.0.2.9/24', '192.168.66.0/24'],
    };
    const { value } = compile(balanced(spec, [{ ip: '203.0.113.7' }, { ip: '2001:db8::7' }]));
    expect(value['default/web//4/loadBalancer']?.published?.sources).toEqual([
      '192.0.2.0/24',
      '192.168.66.0/24',
      // The node is among them, and may come with this address where it is the node's own.
      '203.0.113.7/32',
    ]);
    expect(value['default/web//6/loadBalancer']?.published?.sources).toEqual([]);
    expect(value['default/web//4/nodePort']?.published).toEqual({});
  });

  it('tells a balancer how many endpoints are here', () => {
    const spec = { externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 };
    const { value } = compileAt(here, balanced(spec), onNodes);
    expect(value.healthChecks).toEqual({
      'default/web': {
        origin: { kind: 'Service', namespace: 'default', name: 'web' },
        addresses: ['192.168.66.11', 'fd66::11'],
        port: 32_000,
        localEndpoints: 1,
      },
    });
    const away = { ...here, node: 'n3' };
    expect(compileAt(away, balanced(spec), onNodes).value.healthChecks['default/web']?.localEndpoints).toBe(
      0,
    );
    expect(compileAt(here, balanced({ healthCheckNodePort: 32_000 })).value.healthChecks).toEqual({});
  });

  it('loses what the cluster has allocated to another, however old it is', () => {
    const old = { creationTimestamp: '2026-01-01T00:00:00Z' };
    const greedy = service({ externalIPs: ['10.96.0.20', '203.0.113.7'] }, { ...old, name: 'greedy' });
    const victim = service(
      { clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20'] },
      { name: 'victim', creationTimestamp: '2026-02-01T00:00:00Z' },
    );
    const { value, problems } = compile(greedy, victim);
    expect(value['default/victim//4']?.frontends).toEqual([{ address: '10.96.0.20', port: 80 }]);
    expect(value['default/greedy//4/external']?.frontends).toEqual([{ address: '203.0.113.7', port: 80 }]);
    expect(problems).toEqual(['spec.externalIPs DuplicateFrontend']);
  });

  it('has no external address where the node refuses them', () => {
    const place = { ...here, externalIPs: false };
    const { value, problems } = compileAt(place, service({ externalIPs: ['203.0.113.7'] }));
    expect(problems).toEqual(['spec.externalIPs ExternalAddressRefused']);
    expect(Object.keys(value.services)).toEqual(['default/web//4']);
  });
});

describe('topology hints', () => {
  const hinted = (
    last: number,
    zones: readonly string[],
    nodes: readonly string[] = [],
    more: object = {},
  ) => ({
    ...endpoint(last, {}),
    hints: { forZones: zones.map((name) => ({ name })), forNodes: nodes.map((name) => ({ name })) },
    ...more,
  });
  const at = (place: Partial<ServicePlace>, endpoints: readonly object[]) =>
    compileAt({ ...here, ...place }, service({}), slice({ endpoints })).value.services[
      'default/web//4'
    ]?.backends.map(({ address }) => address.slice('10.244.1.'.length));

  it('keep connections in the zone when every ready endpoint has one and some are for it', () => {
    const endpoints = [hinted(1, ['a']), hinted(2, ['b']), hinted(3, ['a', 'b'])];
    expect(at({}, endpoints)).toEqual(['1', '3']);
    expect(at({ zone: 'b' }, endpoints)).toEqual(['2', '3']);
    expect(at({ zone: 'c' }, endpoints)).toEqual(['1', '2', '3']);
    expect(at({ zone: undefined }, endpoints)).toEqual(['1', '2', '3']);
    expect(at({}, [...endpoints, endpoint(4, {})])).toEqual(['1', '2', '3', '4']);
  });

  it('for the node come before those for the zone', () => {
    const endpoints = [hinted(1, ['a'], ['n1']), hinted(2, ['a'], ['n2']), hinted(3, ['b'], ['n3'])];
    expect(at({}, endpoints)).toEqual(['1']);
    expect(at({ node: 'n9' }, endpoints)).toEqual(['1', '2']);
    expect(at({ node: 'n9', zone: 'c' }, endpoints)).toEqual(['1', '2', '3']);
  });

  it('of endpoints that are not ready count for nothing', () => {
    const leaving = hinted(1, ['a'], [], { conditions: { ready: false, serving: true, terminating: true } });
    expect(at({}, [leaving, hinted(2, ['b'])])).toEqual(['2']);
    expect(at({ zone: 'b' }, [leaving])).toEqual(['1']);
  });
});

describe('the incremental compiler', () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const serviceObject = fc.record({
    clusterIPs: fc.constantFrom(['10.96.0.1'], ['10.96.0.2'], ['10.96.0.1', 'fd10:96::1'], ['None']),
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
    ports: fc.constantFrom(
      [{ port: 80 }],
      [{ port: 80, nodePort: 30_080 }],
      [
        { name: 'x', port: 80, nodePort: 30_081 },
        { name: 'y', port: 53, protocol: 'UDP' },
      ],
    ),
    externalIPs: fc.constantFrom([], ['203.0.113.1'], ['203.0.113.2', '10.96.0.2', '2001:db8::1']),
    externalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
    internalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
    loadBalancerSourceRanges: fc.constantFrom([], ['192.168.66.0/24', '::/0']),
    healthCheckNodePort: fc.constantFrom(0, 32_000),
    ingress: fc.constantFrom([], [{ ip: '203.0.113.1' }], [{ ip: '203.0.113.3', ipMode: 'Proxy' }]),
    sessionAffinity: fc.constantFrom('None', 'ClientIP'),
    publishNotReadyAddresses: fc.boolean(),
  });
  const sliceObject = fc.record({
    ports: fc.array(fc.record({ name: fc.constantFrom('', 'x', 'y'), port: fc.constantFrom(1, 2) }), {
      maxLength: 2,
    }),
    endpoints: fc.array(
      fc.record({
        addresses: fc.integer({ min: 1, max: 4 }).map((n) => [`10.244.1.${n}`]),
        conditions: fc.record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() }),
        nodeName: fc.constantFrom(undefined, 'n1', 'n2'),
        hints: fc.constantFrom(undefined, { forZones: [{ name: 'a' }] }, { forNodes: [{ name: 'n1' }] }),
      }),
      { maxLength: 3 },
    ),
  });
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('service' as const),
      name: names,
      spec: fc.option(serviceObject, { nil: undefined }),
      created: fc.constantFrom('1', '2'),
    }),
    fc.record({
      kind: fc.constant('slice' as const),
      name: names,
      of: names,
      part: fc.option(sliceObject, { nil: undefined }),
    }),
    fc.record({ kind: fc.constant('flush' as const) }),
    fc.record({
      kind: fc.constant('place' as const),
      place: fc.record({
        node: fc.constantFrom('n1', 'n2'),
        zone: fc.constantFrom(undefined, 'a', 'b'),
        addresses: fc.constant(here.addresses),
        nodePortAddresses: fc.constantFrom(
          [],
          ['192.168.66.11'],
          ['192.168.66.11', 'fd66::11', '198.51.100.1'],
        ),
        externalIPs: fc.boolean(),
      }),
    }),
  );

  it('says what the whole compile says, after any sequence of changes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const compiler = createServiceCompiler();
        const services = new Map<string, ServiceModel>();
        const slices = new Map<string, EndpointSliceModel>();
        const said: Record<string, Record<string, unknown>> = { services: {}, healthChecks: {} };
        let place: ServicePlace | undefined;
        const flush = () => {
          const delta = compiler.flush();
          for (const [domain, entries] of Object.entries(said)) {
            for (const key of delta?.remove[domain] ?? []) delete entries[key];
            Object.assign(entries, delta?.put[domain]);
          }
        };
        for (const each of steps) {
          if (each.kind === 'flush') {
            flush();
            continue;
          }
          if (each.kind === 'place') {
            place = each.place;
            compiler.setPlace(place);
            continue;
          }
          const key = `default/${each.name}`;
          if (each.kind === 'service') {
            const object =
              each.spec === undefined
                ? undefined
                : readService({
                    ...service(each.spec, { name: each.name, creationTimestamp: each.created }),
                    status: { loadBalancer: { ingress: each.spec.ingress } },
                  }).value;
            if (object === undefined) services.delete(key);
            else services.set(key, object);
            compiler.setService(key, object);
          } else {
            const object =
              each.part === undefined
                ? undefined
                : readEndpointSlice(slice(each.part, each.name, each.of)).value;
            if (object === undefined) slices.delete(key);
            else slices.set(key, object);
            compiler.setSlice(key, object);
          }
        }
        flush();
        const whole = compileServices({ services, slices }, place);
        expect(said).toEqual(whole.value);
        const text = (list: readonly unknown[]) => list.map((each) => JSON.stringify(each)).sort();
        expect(text(compiler.problems())).toEqual(text(whole.problems));
        expect(compiler.flush()).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('tells of one Service when one slice changes', () => {
    const compiler = createServiceCompiler();
    for (const name of ['a', 'b']) {
      const clusterIPs = [name === 'a' ? '10.96.0.1' : '10.96.0.2'];
      compiler.setService(`default/${name}`, readService(service({ clusterIPs }, { name })).value);
      compiler.setSlice(`default/${name}-1`, readEndpointSlice(slice({}, `${name}-1`, name)).value);
    }
    compiler.flush();
    const endpoints = [endpoint(99, {})];
    compiler.setSlice('default/a-1', readEndpointSlice(slice({ endpoints }, 'a-1', 'a')).value);
    expect(Object.keys(compiler.flush()?.put['services'] ?? {})).toEqual(['default/a//4']);
    compiler.setSlice('default/a-1', readEndpointSlice(slice({ endpoints }, 'a-1', 'a')).value);
    expect(compiler.flush()).toBeUndefined();
  });
});
