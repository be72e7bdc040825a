/** What is read out of the objects of Gateway API, and what becomes of what can't be used. */
import { describe, expect, test } from 'vitest';
import { readBackendSlice, readEndpointSlice } from '../service.ts';
import { readBackendService } from './backendservice.ts';
import { readBackendTLSPolicy } from './backendtlspolicy.ts';
import { readGateway } from './gateway.ts';
import { readGatewayClass } from './gatewayclass.ts';
import { readListenerSet } from './listenerset.ts';
import { readReferenceGrant } from './referencegrant.ts';
import { readRoute } from './route.ts';
import {
  classSpec,
  gatewaySpec,
  grantSpec,
  grpcSpec,
  httpSpec,
  listenerSetSpec,
  policySpec,
  sampleOf,
  serviceSpec,
  tlsSpec,
} from './samples.ts';
import type { GRPCRouteModel, HTTPRouteModel } from './types.ts';

const head = {
  key: 'shop/x',
  namespace: 'shop',
  name: 'x',
  uid: 'u-1',
  generation: 3,
  created: '2026-01-01T00:00:00Z',
};
const gatewayGroup = 'gateway.networking.k8s.io';
const told = ({
  problems,
}: {
  readonly problems: readonly { readonly field: string; readonly code: string }[];
}) => problems.map(({ field, code }) => `${field} ${code}`);

describe('readGateway', () => {
  test('a reference to what no object can be called leads nowhere: least of all to another object', () => {
    const certificateRefs = [
      { name: 'shop/cert' },
      { name: 'cert', namespace: 'bank/cert' },
      { name: 'cert/x', namespace: 'bank' },
      { name: 'a,metadata.name=b' },
      { name: 'cert', namespace: 'bank' },
    ];
    const listener = { name: 'l', port: 443, protocol: 'HTTPS', tls: { certificateRefs } };
    const infrastructure = { parametersRef: { group: '', kind: 'ConfigMap', name: 'a=b' } };
    const spec = { gatewayClassName: 'c', listeners: [listener], infrastructure };
    const read = readGateway(sampleOf('Gateway', spec));
    const [only] = read.value?.listeners ?? [];
    expect(only?.tls?.certificates.map(({ name }) => name)).toEqual(['', '', '', '', 'cert']);
    expect(read.value?.infrastructure.parameters?.name).toBe('');
    const at = (index: number, part: string) =>
      `spec.listeners[0].tls.certificateRefs[${index}].${part} InvalidValue`;
    expect(told(read)).toEqual([
      'spec.infrastructure.parametersRef.name InvalidValue',
      at(0, 'name'),
      at(1, 'namespace'),
      at(2, 'name'),
      at(3, 'name'),
    ]);
  });

  test('reads everything', () => {
    const { value, problems } = readGateway(sampleOf('Gateway', gatewaySpec));
    expect(problems).toEqual([]);
    const certificate = { group: '', kind: 'Secret', namespace: 'shop', name: 'cert' };
    expect(value).toEqual({
      origin: { kind: 'Gateway', namespace: 'shop', name: 'x' },
      ...head,
      className: 'netloom',
      defaultScope: 'All',
      proxyProtocol: true,
      listeners: [
        {
          name: 'web',
          protocol: 'HTTP',
          port: 80,
          allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } },
          allowedKinds: [{ group: gatewayGroup, kind: 'HTTPRoute' }],
        },
        {
          name: 'secure',
          protocol: 'HTTPS',
          port: 443,
          hostname: '*.shop.example',
          tls: {
            mode: 'Terminate',
            certificates: [certificate, { ...certificate, namespace: 'certs', name: 'other' }],
            options: { 'netloom.dev/tls-min-version': '1.3' },
          },
          allowedNamespaces: { from: 'Same' },
        },
      ],
      addresses: [
        { type: 'IPAddress', value: '192.0.2.1' },
        { type: 'IPAddress' },
        { type: 'Hostname', value: 'a.example' },
      ],
      allowedListeners: { from: 'All' },
      infrastructure: {
        labels: { a: 'b' },
        annotations: { 'netloom.dev/proxy-protocol': 'true' },
        parameters: { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'p' },
      },
      clientValidation: {
        default: {
          authorities: [{ group: '', kind: 'ConfigMap', namespace: 'shop', name: 'ca' }],
          mode: 'AllowValidOnly',
        },
        perPort: new Map([
          [8443, undefined],
          [
            9443,
            {
              authorities: [{ group: '', kind: 'Secret', namespace: 'certs', name: 'ca' }],
              mode: 'AllowInsecureFallback',
            },
          ],
        ]),
      },
      clientCertificate: { ...certificate, name: 'client' },
    });
  });

  const gateway = (change: object) => readGateway(sampleOf('Gateway', { ...gatewaySpec, ...change }));

  test('a listener that would take what it should not is none', () => {
    const web = { name: 'web', port: 80, protocol: 'HTTP' };
    const read = gateway({
      listeners: [
        { ...web, hostname: '*.*.example' },
        { ...web, port: 0 },
        { ...web, port: undefined },
        { ...web, tls: 'yes' },
        { ...web, allowedRoutes: 7 },
        web,
        web,
        'web',
      ],
    });
    expect(read.value?.listeners).toEqual([{ ...web, allowedNamespaces: { from: 'Same' } }]);
    expect(told(read)).toEqual([
      'spec.listeners[7] InvalidValue',
      'spec.listeners[0].hostname InvalidHostname',
      'spec.listeners[1].port InvalidPort',
      'spec.listeners[2].port Required',
      'spec.listeners[3].tls InvalidValue',
      'spec.listeners[4].allowedRoutes InvalidValue',
      'spec.listeners[6].name DuplicateName',
    ]);
  });

  test.each([
    [{ from: 'Everybody' }, { from: 'None' }],
    ['All', { from: 'None' }],
    [{ from: 'Selector' }, { from: 'Selector', selector: undefined }],
    [
      { from: 'Selector', selector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } },
      { from: 'Selector', selector: undefined },
    ],
  ])('namespaces %j let nobody in', (namespaces, wanted) => {
    const allowedRoutes = { namespaces };
    const read = gateway({ listeners: [{ name: 'a', port: 80, protocol: 'HTTP', allowedRoutes }] });
    expect(read.value?.listeners[0]?.allowedNamespaces).toEqual(wanted);
    expect(read.problems).toHaveLength(1);
  });

  test('client certificates that are asked for stay so', () => {
    const read = gateway({ tls: { frontend: { default: { validation: { caCertificateRefs: 'ca' } } } } });
    expect(read.value?.clientValidation.default).toEqual({ authorities: [], mode: 'AllowValidOnly' });
    expect(told(read)).toContain('spec.tls.frontend.default.validation.caCertificateRefs Required');
  });

  test('an address that is none is not any address', () => {
    const read = gateway({ addresses: [{ value: '192.0.2.300' }, { value: 7 }] });
    expect(read.value?.addresses).toEqual([
      { type: 'IPAddress', value: '192.0.2.300' },
      { type: 'IPAddress', value: '7' },
    ]);
    expect(told(read)).toEqual([
      'spec.addresses[0].value InvalidAddress',
      'spec.addresses[1].value InvalidValue',
    ]);
  });
});

test('readGatewayClass', () => {
  const { value } = readGatewayClass(sampleOf('GatewayClass', classSpec, { metadata: { name: 'netloom' } }));
  expect(value).toMatchObject({ key: 'netloom', namespace: '', controllerName: 'netloom.dev/gateway' });
  const odd = readGatewayClass(sampleOf('GatewayClass', { ...classSpec, parametersRef: 1 }));
  expect(odd.value?.parameters).toEqual({ group: '', kind: '', namespace: '', name: '' });
});

test('readListenerSet', () => {
  const { value, problems } = readListenerSet(sampleOf('ListenerSet', listenerSetSpec));
  expect(problems).toEqual([]);
  expect(value?.parent).toEqual({ group: gatewayGroup, kind: 'Gateway', namespace: 'infra', name: 'edge' });
  expect(value?.listeners.map(({ name }) => name)).toEqual(['web', 'secure']);
  expect(readListenerSet(sampleOf('ListenerSet', { listeners: [] })).value).toBeUndefined();
});

describe('readRoute', () => {
  const http = (spec: unknown) => {
    const { value, problems } = readRoute(sampleOf('HTTPRoute', spec));
    return { value: value as HTTPRouteModel, problems };
  };
  const rule = (change: object) => {
    const read = http({ rules: [change] });
    return { rule: read.value.rules[0]!, problems: read.problems };
  };

  test('reads everything of an HTTPRoute', () => {
    const { value, problems } = http(httpSpec);
    expect(problems).toEqual([]);
    expect(value).toMatchObject({
      ...head,
      kind: 'HTTPRoute',
      defaultGateways: 'All',
      hostnames: ['shop.example', '*.b.example'],
      parents: [
        {
          group: gatewayGroup,
          kind: 'Gateway',
          namespace: 'shop',
          name: 'edge',
          sectionName: 'web',
          port: 80,
          written: { name: 'edge', sectionName: 'web', port: 80 },
        },
        {
          group: gatewayGroup,
          kind: 'ListenerSet',
          namespace: 'b',
          name: 's',
          written: { kind: 'ListenerSet', name: 's', namespace: 'b' },
        },
      ],
    });
    const [first, second, third] = value.rules;
    const headers = {
      set: [{ name: 'X-Set', value: 'a' }],
      add: [{ name: 'X-Add', value: 'b c' }],
      remove: ['X-Gone'],
    };
    const mirrored = { group: '', kind: 'Service', namespace: 'shop', name: 'm', port: 80, weight: 1 };
    const web = { group: '', kind: 'Service', namespace: 'shop', name: 'web', port: 80, weight: 3 };
    expect(first).toEqual({
      name: 'first',
      matches: [
        {
          path: { type: 'PathPrefix', value: '/a' },
          method: 'GET',
          headers: [
            { name: 'x-a', type: 'Exact', value: '1' },
            { name: 'x-b', type: 'RegularExpression', value: 'v[0-9]+' },
          ],
          query: [{ name: 'Q', type: 'Exact', value: 'ä' }],
        },
      ],
      filters: [
        { type: 'RequestHeaderModifier', headers },
        { type: 'ResponseHeaderModifier', headers },
        { type: 'RequestMirror', backend: mirrored, share: 200_000 },
        { type: 'RequestMirror', backend: mirrored, share: 333_333 },
        { type: 'URLRewrite', hostname: 'b.example', path: { type: 'ReplacePrefixMatch', value: '/' } },
        {
          type: 'CORS',
          allowOrigins: ['https://*.shop.example'],
          allowMethods: ['GET'],
          allowHeaders: ['x-a'],
          exposeHeaders: ['x-b'],
          allowCredentials: true,
          maxAge: 60,
        },
        {
          type: 'ExternalAuth',
          protocol: 'HTTP',
          backend: { ...mirrored, name: 'auth' },
          path: '/check',
          allowedHeaders: ['cookie'],
          allowedResponseHeaders: ['x-user'],
          forwardBody: 1024,
        },
      ],
      backends: [
        { ...web, filters: [] },
        {
          ...web,
          namespace: 'b',
          port: 81,
          weight: 1,
          filters: [{ type: 'RequestHeaderModifier', headers: { set: [], add: [], remove: ['X-A'] } }],
        },
      ],
      timeouts: { request: 90_000, backendRequest: 500 },
      retry: { codes: [500, 503], attempts: 3, backoff: 100 },
      sessionPersistence: { type: 'Cookie', name: 'sid', absoluteTimeout: 3600, lifetime: 'Permanent' },
    });
    expect(second).toMatchObject({
      filters: [
        {
          type: 'RequestRedirect',
          scheme: 'https',
          hostname: 'new.example',
          port: 8443,
          path: { type: 'ReplaceFullPath', value: '/new' },
          statusCode: 308,
        },
      ],
      backends: [],
    });
    const all = [{ path: { type: 'PathPrefix', value: '/' }, headers: [], query: [] }];
    expect(third).toEqual({ matches: all, filters: [], backends: [], timeouts: {} });
    expect(http({}).value.rules).toEqual([third]);
  });

  test.each([
    [
      'a header with a line break',
      [{ set: [{ name: 'a', value: 'b\r\nc: d' }] }],
      'requestHeaderModifier.set[0].value',
    ],
    ['a name with a blank', [{ set: [{ name: 'a b', value: 'c' }] }], 'requestHeaderModifier.set[0].name'],
    ['a name with a colon', [{ remove: ['a:'] }], 'requestHeaderModifier.remove[0]'],
    [
      'a header of the connection',
      [{ add: [{ name: 'Transfer-Encoding', value: 'x' }] }],
      'requestHeaderModifier.add[0].name',
    ],
    ['Host', [{ set: [{ name: 'HOST', value: 'x' }] }], 'requestHeaderModifier.set[0].name'],
  ])('%s is refused, and the rule with it', (_, [requestHeaderModifier], field) => {
    const read = rule({ filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier }] });
    expect(told(read)).toEqual([`spec.rules[0].filters[0].${field} InvalidHeader`]);
    expect(read.rule.filters).toMatchObject([
      { type: 'unusable', field: `spec.rules[0].filters[0].${field}` },
    ]);
    expect(read.rule.unusable).toMatch(/^filters\[0\]\./);
  });

  test.each([
    [
      { type: 'ExtensionRef', extensionRef: { group: 'a', kind: 'B', name: 'c' } },
      'extensionRef NotSupported',
    ],
    [{ type: 'constructor' }, 'type NotSupported'],
    [{ type: 'URLRewrite' }, 'urlRewrite Required'],
    [
      { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplaceFullPath', replaceFullPath: 'a' } } },
      'urlRewrite.path.replaceFullPath InvalidPath',
    ],
    [
      { type: 'RequestRedirect', requestRedirect: { statusCode: 200 } },
      'requestRedirect.statusCode NotSupported',
    ],
    [
      { type: 'RequestRedirect', requestRedirect: { hostname: 'a\nb' } },
      'requestRedirect.hostname InvalidHostname',
    ],
    [{ type: 'CORS', cors: { allowOrigins: ['ftp://a'] } }, 'cors.allowOrigins[0] InvalidValue'],
    [
      { type: 'RequestMirror', requestMirror: { backendRef: { name: 'a' }, percent: 101 } },
      'requestMirror.percent InvalidValue',
    ],
  ])('the filter %j costs the rule', (filter, problem) => {
    const read = rule({ filters: [filter] });
    expect(told(read)).toEqual([`spec.rules[0].filters[0].${problem}`]);
    expect(read.rule.filters[0]?.type).toBe('unusable');
    expect(read.rule.unusable).toBeDefined();
  });

  test('a filter of one backend costs its share only', () => {
    const read = rule({ backendRefs: [{ name: 'a', port: 80, filters: [{ type: 'ExtensionRef' }] }] });
    expect(read.rule.unusable).toBeUndefined();
    expect(read.rule.backends[0]?.filters[0]?.type).toBe('unusable');
  });

  test.each([
    [{ path: { type: 'RegularExpression', value: '(a' } }, 'path.value InvalidPattern'],
    [{ path: { value: 'a' } }, 'path.value InvalidPath'],
    [{ path: { value: '/a/../b' } }, 'path.value InvalidPath'],
    [{ path: { value: '/a%2Fb' } }, 'path.value InvalidPath'],
    [{ headers: [{ name: 'a', value: 'b\nc' }] }, 'headers[0].value InvalidHeader'],
    [{ queryParams: [{ name: 'a b', value: 'c' }] }, 'queryParams[0].name InvalidValue'],
    [{ method: 'get' }, 'method NotSupported'],
  ])('the match %j takes nothing', (match, problem) => {
    const good = { path: { value: '/good' } };
    const read = rule({ matches: [match, good] });
    expect(told(read)).toEqual([`spec.rules[0].matches[0].${problem}`]);
    expect(read.rule.matches.map(({ path }) => path.value)).toEqual(['/good']);
    expect(read.rule.unusable).toBeDefined();
    expect(rule({ matches: [match] }).rule.matches).toEqual([]);
  });

  test.each([
    [{ timeouts: { request: '1.5s' } }, 'timeouts.request InvalidTimeout'],
    [{ timeouts: { request: '1s', backendRequest: '2s' } }, 'timeouts.backendRequest InvalidTimeout'],
    [{ retry: { attempts: 21 } }, 'retry.attempts InvalidValue'],
    [{ retry: { codes: [200] } }, 'retry.codes[0] InvalidValue'],
    [{ sessionPersistence: { sessionName: 'a;b' } }, 'sessionPersistence.sessionName InvalidHeader'],
    [
      { sessionPersistence: { cookieConfig: { lifetimeType: 'Permanent' } } },
      'sessionPersistence.cookieConfig.lifetimeType NotSupported',
    ],
  ])('%j costs the rule', (change, problem) => {
    const read = rule(change);
    expect(told(read).some((each) => each.startsWith(`spec.rules[0].${problem}`))).toBe(true);
    expect(read.rule.unusable).toBeDefined();
  });

  test('no time at all is for ever', () => {
    expect(rule({ timeouts: { request: '0s', backendRequest: '2s' } })).toMatchObject({
      problems: [],
      rule: { timeouts: { request: 0, backendRequest: 2000 } },
    });
  });

  test('a route for hosts that are none is not for all hosts', () => {
    expect(http({ hostnames: ['a b'], rules: [{}] }).value).toBeUndefined();
    expect(http({ hostnames: 'a', rules: [{}] }).value).toBeUndefined();
    expect(http({ hostnames: ['a b', 'c'], rules: [{}] }).value.hostnames).toEqual(['c']);
  });

  test('reads everything of a GRPCRoute', () => {
    const { value, problems } = readRoute(sampleOf('GRPCRoute', grpcSpec));
    expect(problems).toEqual([]);
    const [first, second] = (value as GRPCRouteModel).rules;
    expect(first).toMatchObject({
      matches: [
        {
          method: { type: 'Exact', service: 'shop.Cart', method: 'Add' },
          headers: [{ name: 'tenant', type: 'Exact', value: 'a' }],
        },
        { method: { type: 'RegularExpression', service: 'shop\\..*' }, headers: [] },
      ],
      sessionPersistence: { type: 'Header', name: 'x-session', lifetime: 'Session' },
    });
    expect(second?.matches).toEqual([{ headers: [] }]);
  });

  test('a GRPCRoute whose only match is bad takes no call', () => {
    const rules = [{ matches: [{ method: { service: 'a b' } }] }];
    const { value } = readRoute(sampleOf('GRPCRoute', { rules }));
    expect((value as GRPCRouteModel).rules[0]).toMatchObject({ matches: [], unusable: expect.any(String) });
  });

  test('reads routes of connections', () => {
    const { value } = readRoute(sampleOf('TLSRoute', tlsSpec));
    expect(value).toMatchObject({
      kind: 'TLSRoute',
      hostnames: ['a.example'],
      rules: [{ name: 'only', backends: [{ name: 'web', namespace: 'shop', port: 443, weight: 1 }] }],
    });
    const tcp = readRoute(sampleOf('TCPRoute', { rules: [{ backendRefs: [{ name: '' }, 'x'] }] }));
    expect(tcp.value).toMatchObject({ hostnames: [], rules: [{ backends: [{ name: '' }, { name: '' }] }] });
    expect(told(tcp)).toContain('spec.rules[0].backendRefs[0].name Required');
  });
});

test('readReferenceGrant: what can’t be read permits nothing', () => {
  const { value, problems } = readReferenceGrant(sampleOf('ReferenceGrant', grantSpec));
  expect(problems).toEqual([]);
  expect(value).toMatchObject(grantSpec);
  const odd = readReferenceGrant(
    sampleOf('ReferenceGrant', {
      from: [{ group: '', kind: 'A' }, 7],
      to: [
        { group: '', kind: 'Secret', name: '' },
        { group: '', kind: 'Secret', name: 7 },
        { kind: 'Service' },
      ],
    }),
  );
  expect(odd.value).toMatchObject({ from: [], to: [] });
});

describe('readBackendTLSPolicy', () => {
  test('reads everything', () => {
    const { value, problems } = readBackendTLSPolicy(sampleOf('BackendTLSPolicy', policySpec));
    expect(problems).toEqual([]);
    expect(value).toMatchObject({
      targets: [{ group: '', kind: 'Service', name: 'web', section: 'https' }],
      hostname: 'web.example',
      authorities: [{ group: '', kind: 'ConfigMap', namespace: 'shop', name: 'ca' }],
      subjectAltNames: [
        { type: 'Hostname', value: '*.web.example' },
        { type: 'URI', value: 'spiffe://cluster.local/ns/shop/sa/web' },
      ],
      options: { a: 'b' },
    });
  });

  test.each([
    { hostname: 'a b' },
    { caCertificateRefs: [] },
    { wellKnownCACertificates: 'System' },
    { subjectAltNames: [{ type: 'URI', uri: 'no' }] },
    { subjectAltNames: [{ type: 'Hostname' }] },
  ])('with validation %j nobody can be the backend', (change) => {
    const validation = { ...policySpec.validation, ...change };
    const { value, problems } = readBackendTLSPolicy(
      sampleOf('BackendTLSPolicy', { ...policySpec, validation }),
    );
    expect(problems.length).toBeGreaterThan(0);
    expect(value).toMatchObject({ hostname: '', authorities: [], targets: [{ name: 'web' }] });
    expect(value?.wellKnown).toBeUndefined();
  });
});

test('readBackendService', () => {
  expect(readBackendService(sampleOf('Service', serviceSpec)).value).toMatchObject({
    key: 'shop/x',
    external: false,
    ports: [
      { name: 'http', protocol: 'TCP', port: 80, appProtocol: 'kubernetes.io/h2c' },
      { name: '', protocol: 'UDP', port: 53 },
    ],
  });
  expect(readBackendService(sampleOf('Service', { type: 'ExternalName' })).value?.external).toBe(true);
});

test('slices of headless Services are backends, though no Service of nodes', () => {
  const labels = { 'kubernetes.io/service-name': 'web', 'service.kubernetes.io/headless': '' };
  const object = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'shop', labels },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: [{ addresses: ['10.0.0.1'] }],
  };
  expect(readEndpointSlice(object)).toEqual({ value: undefined, problems: [] });
  expect(readBackendSlice(object).value).toMatchObject({
    service: 'shop/web',
    endpoints: [{ address: '10.0.0.1', ready: true }],
  });
});
