/** Services: addresses, families and node ports, given, kept and freed. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServiceAllocator } from './allocator.ts';
import { type Answer, type TestServer, testServer } from './testing.ts';

let api: TestServer;
const path = '/api/v1/namespaces/default/services';
const merge = { type: 'application/merge-patch+json' };

beforeAll(async () => {
  api = await testServer();
});

afterAll(() => api.close());

function create(name: string, spec: object): Promise<Answer> {
  return api.call('POST', path, { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } });
}

function patch(name: string, spec: object): Promise<Answer> {
  return api.call('PATCH', `${path}/${name}`, { spec }, merge);
}

describe('cluster addresses', () => {
  it('are given in the first family, defaults filled', async () => {
    const { code, body } = await create('plain', {});
    expect(code).toBe(201);
    expect(body.spec).toMatchObject({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    });
    expect(body.spec.clusterIP).toMatch(/^10\.96\./);
    expect(body.spec.clusterIPs).toEqual([body.spec.clusterIP]);
    expect(body.status).toEqual({ loadBalancer: {} });
  });

  it('are two for dual stack, in the order asked for', async () => {
    const { body } = await create('dual', {
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv6', 'IPv4'],
    });
    expect(body.spec.clusterIP).toMatch(/^fd10:96::/);
    expect(body.spec.clusterIPs[1]).toMatch(/^10\.96\./);
    const prefer = await create('prefer', { ipFamilyPolicy: 'PreferDualStack' });
    expect(prefer.body.spec.ipFamilies).toEqual(['IPv4', 'IPv6']);
    const six = await create('six', { ipFamilies: ['IPv6'] });
    expect(six.body.spec).toMatchObject({ ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' });
  });

  it('may be chosen, once, within the range', async () => {
    expect((await create('dns', { clusterIP: '10.96.0.10' })).body.spec.clusterIPs).toEqual(['10.96.0.10']);
    const taken = await create('dns2', { clusterIP: '10.96.0.10' });
    expect([taken.code, taken.body.details.causes[0].field]).toEqual([422, 'spec.clusterIPs']);
    expect(taken.body.message).toContain('already allocated');
    expect((await create('far', { clusterIP: '192.0.2.1' })).body.message).toContain(
      'not in the valid range',
    );
    expect((await create('no', { clusterIP: 'x' })).code).toBe(422);
    expect((await create('kube', { clusterIP: '10.96.0.1' })).code).toBe(422);
    await api.call('DELETE', `${path}/dns`);
    expect((await create('dns2', { clusterIP: '10.96.0.10' })).code).toBe(201);
  });

  it('are none for headless and external names', async () => {
    const headless = await create('headless', { clusterIP: 'None', selector: { a: 'b' } });
    expect(headless.body.spec).toMatchObject({ clusterIPs: ['None'], ipFamilies: ['IPv4'] });
    const selectorless = await create('selectorless', { clusterIP: 'None' });
    expect(selectorless.body.spec).toMatchObject({
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
    });
    const external = await create('external', { type: 'ExternalName', externalName: 'example.com' });
    expect(external.code).toBe(201);
    expect(external.body.spec.clusterIP).toBeUndefined();
    const inside = await patch('external', { type: 'ClusterIP', externalName: null });
    expect(inside.body.spec.clusterIP).toMatch(/^10\.96\./);
  });

  it('stay: a PUT without them keeps them, a change is refused', async () => {
    const { body } = await create('stay', {});
    const put = await api.call('PUT', `${path}/stay`, {
      metadata: { name: 'stay' },
      spec: { ports: [{ port: 81 }] },
    });
    expect(put.body.spec.clusterIP).toBe(body.spec.clusterIP);
    const moved = await patch('stay', { clusterIP: '10.96.99.99', clusterIPs: ['10.96.99.99'] });
    expect(moved.code).toBe(422);
    expect(moved.body.message).toContain('may not change once set');
  });

  it('follow the policy up to two families and back', async () => {
    const { body } = await create('up', {});
    const up = await patch('up', { ipFamilyPolicy: 'PreferDualStack' });
    expect(up.body.spec.clusterIPs).toHaveLength(2);
    expect(up.body.spec.clusterIPs[0]).toBe(body.spec.clusterIP);
    const second = up.body.spec.clusterIPs[1];
    const down = await patch('up', { ipFamilyPolicy: 'SingleStack' });
    expect(down.body.spec.clusterIPs).toEqual([body.spec.clusterIP]);
    const reuse = await create('reuse', { ipFamilies: ['IPv6'], clusterIP: second });
    expect(reuse.code).toBe(201);
  });

  it('are remembered over a restart, and nothing is taken by a dry run', async () => {
    const { body } = await create('kept', {});
    const free = body.spec.clusterIP.replace(/\d+$/, (last: string) => String((Number(last) + 7) % 250));
    await api.call('POST', `${path}?dryRun=All`, {
      metadata: { name: 'dry' },
      spec: { ports: [{ port: 1 }], clusterIP: free },
    });
    await api.restart();
    expect((await create('thief', { clusterIP: body.spec.clusterIP })).code).toBe(422);
  });
});

describe('node ports', () => {
  it('are given, kept and freed', async () => {
    const { body } = await create('np', {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 53, protocol: 'UDP' },
        { name: 'b', port: 53 },
      ],
    });
    const [udp, tcp] = body.spec.ports;
    expect(udp.nodePort).toBeGreaterThanOrEqual(30_000);
    expect(udp.nodePort).toBeLessThanOrEqual(32_767);
    expect(tcp.nodePort).toBe(udp.nodePort);
    const put = await api.call('PUT', `${path}/np`, {
      metadata: { name: 'np' },
      spec: { type: 'NodePort', ports: [{ name: 'b', port: 53 }] },
    });
    expect(put.body.spec.ports[0].nodePort).toBe(tcp.nodePort);
    const other = await create('np2', { type: 'NodePort', ports: [{ port: 1, nodePort: tcp.nodePort }] });
    expect(other.body.message).toContain('already allocated');
    const internal = await patch('np', { type: 'ClusterIP' });
    expect(internal.body.spec.ports[0].nodePort).toBeUndefined();
    expect(
      (await create('np2', { type: 'NodePort', ports: [{ port: 1, nodePort: tcp.nodePort }] })).code,
    ).toBe(201);
    const outside = await create('np3', { type: 'NodePort', ports: [{ port: 1, nodePort: 80 }] });
    expect(outside.body.message).toContain('30000-32767');
  });

  it('come with load balancers, and with a health check port for local traffic', async () => {
    const local = await create('lb', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' });
    expect(local.body.spec.ports[0].nodePort).toBeGreaterThan(0);
    expect(local.body.spec.healthCheckNodePort).toBeGreaterThan(0);
    expect(local.body.spec.allocateLoadBalancerNodePorts).toBe(true);
    const cluster = await patch('lb', { externalTrafficPolicy: 'Cluster' });
    expect(cluster.body.spec.healthCheckNodePort).toBeUndefined();
    const without = await create('lb2', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false });
    expect(without.body.spec.ports[0].nodePort).toBeUndefined();
  });
});

describe('the kubernetes Service', () => {
  it('leads to the advertised addresses in both families', async () => {
    const { body } = await api.call('GET', `${path}/kubernetes`);
    expect(body.spec.clusterIPs).toEqual(['10.96.0.1', 'fd10:96::1']);
    const slices = await api.call(
      'GET',
      '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name%3Dkubernetes',
    );
    const found = slices.body.items.map(
      (slice: { addressType: string; endpoints: { addresses: string[] }[] }) => [
        slice.addressType,
        slice.endpoints[0]!.addresses[0],
      ],
    );
    expect(found).toEqual([
      ['IPv4', '192.168.66.1'],
      ['IPv6', 'fd66::1'],
    ]);
    await api.restart({ advertise: ['192.168.66.7'] });
    const endpoints = await api.call('GET', '/api/v1/namespaces/default/endpoints/kubernetes');
    expect(endpoints.body.subsets[0].addresses).toEqual([{ ip: '192.168.66.7' }]);
    const gone = await api.call(
      'GET',
      '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes-ipv6',
    );
    expect(gone.code).toBe(404);
  });
});

describe('allocator', () => {
  it('gives every address of a range once, the network and broadcast addresses never', () => {
    fc.assert(
      fc.property(fc.integer({ min: 24, max: 30 }), fc.boolean(), (length, six) => {
        const cidr = six ? `fd00::/${length + 96}` : `10.0.0.0/${length}`;
        const allocator = new ServiceAllocator([cidr]);
        const given = new Set<string>();
        for (;;) {
          const address = allocator.freeAddress(six ? 6 : 4);
          if (address === undefined) break;
          expect(given.has(address)).toBe(false);
          given.add(address);
          allocator.takeAddress(address, 'x');
        }
        expect(given.size).toBe(2 ** (32 - length) - (six ? 1 : 2));
        expect(given.has('10.0.0.0') || given.has('fd00::')).toBe(false);
      }),
      { numRuns: 20 },
    );
  });
});
