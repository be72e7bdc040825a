/** Services, policies, configuration and the rest: what is filled in, and what is refused, as users of kubectl see it. */
import { describe, expect, it } from 'vitest';
import { builtinKinds } from '../builtins.ts';
import { at } from './fields.ts';
import { admitAs, fields, type Given, make } from './testing.ts';

const service = make({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's', namespace: 'd' },
  spec: { selector: { app: 'w' }, ports: [{ port: 80 }] },
});

describe('services and endpoints', () => {
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
    [
      'an external policy inside',
      { spec: { externalTrafficPolicy: 'Local' } },
      ['spec.externalTrafficPolicy'],
    ],
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
});

describe('network policies and ingresses', () => {
  const policy = make({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'p' },
    spec: { podSelector: {} },
  });

  it('are about ingress, and about egress when they say so', () => {
    expect(at(admitAs(policy({})).value, 'spec').policyTypes).toEqual(['Ingress']);
    expect(at(admitAs(policy({ spec: { egress: [{}] } })).value, 'spec').policyTypes).toEqual([
      'Ingress',
      'Egress',
    ]);
  });

  const from = (...peers: readonly object[]) => ({ spec: { ingress: [{ from: peers }] } });
  it.each<[string, object, readonly string[]]>([
    ['a block', from({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }), []],
    [
      'a block that is none',
      from({ ipBlock: { cidr: '10.0.0.0/33' } }),
      ['spec.ingress[0].from[0].ipBlock.cidr'],
    ],
    [
      'an exception outside',
      from({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }),
      ['spec.ingress[0].from[0].ipBlock.except[0]'],
    ],
    [
      'an exception as large as the block',
      from({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }),
      ['spec.ingress[0].from[0].ipBlock.except[0]'],
    ],
    [
      'a block and a selector',
      from({ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }),
      ['spec.ingress[0].from[0]'],
    ],
    ['an empty peer', from({}), ['spec.ingress[0].from[0]']],
    ['a range of ports', { spec: { ingress: [{ ports: [{ port: 10, endPort: 20 }] }] } }, []],
    [
      'a range the wrong way round',
      { spec: { ingress: [{ ports: [{ port: 20, endPort: 10 }] }] } },
      ['spec.ingress[0].ports[0].endPort'],
    ],
    [
      'a range from a name',
      { spec: { ingress: [{ ports: [{ port: 'web', endPort: 10 }] }] } },
      ['spec.ingress[0].ports[0].endPort'],
    ],
    [
      'an operator that does not exist',
      { spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'Has' }] } } },
      ['spec.podSelector.matchExpressions[0].operator'],
    ],
    [
      'In without values',
      { spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } } },
      ['spec.podSelector.matchExpressions[0].values'],
    ],
  ])('policies: %s', (_, patch, expected) => {
    expect(fields(policy(patch))).toEqual(expected);
  });

  const ingress = (rule: object) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'i' },
    spec: { rules: [rule] },
  });
  const path = (changes: object) => ({
    http: {
      paths: [
        {
          path: '/',
          pathType: 'Prefix',
          backend: { service: { name: 's', port: { number: 80 } } },
          ...changes,
        },
      ],
    },
  });
  it.each<[string, object, readonly string[]]>([
    ['plain', path({}), []],
    ['a wildcard host', { host: '*.example.com', ...path({}) }, []],
    ['a host with a star inside', { host: 'a.*.com', ...path({}) }, ['spec.rules[0].host']],
    ['a relative path', path({ path: 'a' }), ['spec.rules[0].http.paths[0].path']],
    ['no path type', path({ pathType: undefined }), ['spec.rules[0].http.paths[0].pathType']],
    [
      'a port by name and number',
      path({ backend: { service: { name: 's', port: { number: 80, name: 'web' } } } }),
      ['spec.rules[0].http.paths[0].backend.service.port'],
    ],
  ])('ingresses: %s', (_, rule, expected) => {
    expect(fields(JSON.parse(JSON.stringify(ingress(rule))))).toEqual(expected);
  });
});

describe('configuration', () => {
  const secret = make({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: 'YQ==' } });
  const map = make({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: 'b' } });

  it('Secrets take text and hold it in base64', () => {
    const { value } = admitAs(secret({ stringData: { b: 'text' } }));
    expect(value).toMatchObject({ type: 'Opaque', data: { a: 'YQ==', b: 'dGV4dA==' } });
    expect(value).not.toHaveProperty('stringData');
  });

  it.each<[string, Given, Given | undefined, readonly string[]]>([
    ['data that is no base64', secret({ data: { a: '!' } }), undefined, ['data.a']],
    ['a key with a slash', map({ data: { 'a/b': '' } }), undefined, ['data[a/b]']],
    [
      'TLS without key',
      secret({ type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }),
      undefined,
      ['data[tls.key]'],
    ],
    ['a type that changes', secret({ type: 'x/y' }), secret({}), ['type']],
    [
      'a change of what is immutable',
      map({ immutable: true, data: { a: 'c' } }),
      map({ immutable: true }),
      ['data'],
    ],
    ['mutable again', map({}), map({ immutable: true }), ['immutable']],
  ])('refuses %s', (_, given, old, expected) => {
    expect(fields(given, old)).toEqual(expected);
  });
});

describe('the rest', () => {
  const rbac = 'rbac.authorization.k8s.io';
  it.each<[string, Given, readonly string[]]>([
    [
      'a role with a colon',
      {
        apiVersion: `${rbac}/v1`,
        kind: 'ClusterRole',
        metadata: { name: 'system:x' },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
      },
      [],
    ],
    [
      'a rule without verbs',
      {
        apiVersion: `${rbac}/v1`,
        kind: 'Role',
        metadata: { name: 'r' },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: [] }],
      },
      ['rules[0].verbs'],
    ],
    [
      'a binding to nothing',
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: { name: 'r' },
        roleRef: { kind: 'Pod', name: 'x', apiGroup: rbac },
      },
      ['roleRef.kind'],
    ],
    [
      'a namespace with a dot',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a.b' } },
      ['metadata.name'],
    ],
    [
      'a lease of no time',
      {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'l' },
        spec: { leaseDurationSeconds: 0 },
      },
      ['spec.leaseDurationSeconds'],
    ],
    [
      'a budget of both kinds',
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'b' },
        spec: { minAvailable: 1, maxUnavailable: 1 },
      },
      ['spec'],
    ],
    [
      'two ranges of one family',
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'n' },
        spec: { podCIDRs: ['10.0.0.0/24', '10.0.1.0/24'] },
      },
      ['spec.podCIDRs'],
    ],
    [
      'a policy of nothing',
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: 'p' },
        spec: {},
      },
      ['spec.validations', 'spec.matchConstraints.resourceRules'],
    ],
  ])('%s', (_, given, expected) => {
    expect(fields(given)).toEqual(expected);
  });

  it('says which kinds are stored without effect', () => {
    const quiet = builtinKinds()
      .filter((each) => each.warning !== undefined)
      .map((each) => each.kind);
    expect(quiet.sort()).toEqual([
      'ClusterRole',
      'ClusterRoleBinding',
      'LimitRange',
      'PodDisruptionBudget',
      'ResourceQuota',
      'Role',
      'RoleBinding',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ]);
  });
});
