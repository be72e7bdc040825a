/** For tests: objects of every kind that is read here, with about everything in them that can be said. */
import type { KubeObject } from '#api/object.ts';

const metadata = {
  name: 'x',
  namespace: 'shop',
  uid: 'u-1',
  generation: 3,
  creationTimestamp: '2026-01-01T00:00:00Z',
};

export const sampleOf = (kind: string, spec: unknown, more: object = {}): KubeObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind,
  metadata,
  spec,
  ...more,
});

const headerChanges = {
  set: [{ name: 'X-Set', value: 'a' }],
  add: [{ name: 'X-Add', value: 'b c' }],
  remove: ['X-Gone'],
};

const listeners = [
  {
    name: 'web',
    port: 80,
    protocol: 'HTTP',
    allowedRoutes: {
      namespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } },
      kinds: [{ kind: 'HTTPRoute' }],
    },
  },
  {
    name: 'secure',
    port: 443,
    protocol: 'HTTPS',
    hostname: '*.Shop.example',
    tls: {
      certificateRefs: [{ name: 'cert' }, { name: 'other', namespace: 'certs' }],
      options: { 'netloom.dev/tls-min-version': '1.3' },
    },
  },
];

export const gatewaySpec = {
  gatewayClassName: 'netloom',
  listeners,
  addresses: [{ value: '192.0.2.1' }, { type: 'IPAddress' }, { type: 'Hostname', value: 'a.example' }],
  allowedListeners: { namespaces: { from: 'All' } },
  infrastructure: {
    labels: { a: 'b' },
    annotations: { 'netloom.dev/proxy-protocol': 'true' },
    parametersRef: { group: '', kind: 'ConfigMap', name: 'p' },
  },
  tls: {
    backend: { clientCertificateRef: { name: 'client' } },
    frontend: {
      default: { validation: { caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'ca' }] } },
      perPort: [
        { port: 8443, tls: {} },
        {
          port: 9443,
          tls: {
            validation: {
              mode: 'AllowInsecureFallback',
              caCertificateRefs: [{ group: '', kind: 'Secret', name: 'ca', namespace: 'certs' }],
            },
          },
        },
      ],
    },
  },
  defaultScope: 'All',
};

export const httpSpec = {
  parentRefs: [
    { name: 'edge', sectionName: 'web', port: 80 },
    { kind: 'ListenerSet', name: 's', namespace: 'b' },
  ],
  useDefaultGateways: 'All',
  hostnames: ['Shop.example', '*.b.example'],
  rules: [
    {
      name: 'first',
      matches: [
        {
          path: { value: '/a/' },
          method: 'GET',
          headers: [
            { name: 'X-A', value: '1' },
            { name: 'x-a', value: '2' },
            { name: 'X-B', type: 'RegularExpression', value: 'v[0-9]+' },
          ],
          queryParams: [{ name: 'Q', value: 'ä' }],
        },
      ],
      filters: [
        { type: 'RequestHeaderModifier', requestHeaderModifier: headerChanges },
        { type: 'ResponseHeaderModifier', responseHeaderModifier: headerChanges },
        { type: 'RequestMirror', requestMirror: { backendRef: { name: 'm', port: 80 }, percent: 20 } },
        {
          type: 'RequestMirror',
          requestMirror: { backendRef: { name: 'm', port: 80 }, fraction: { numerator: 1, denominator: 3 } },
        },
        {
          type: 'URLRewrite',
          urlRewrite: { hostname: 'B.example', path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '' } },
        },
        {
          type: 'CORS',
          cors: {
            allowOrigins: ['https://*.Shop.example'],
            allowMethods: ['GET'],
            allowHeaders: ['X-A'],
            exposeHeaders: ['X-B'],
            allowCredentials: true,
            maxAge: 60,
          },
        },
        {
          type: 'ExternalAuth',
          externalAuth: {
            protocol: 'HTTP',
            backendRef: { name: 'auth', port: 80 },
            http: { path: '/check', allowedHeaders: ['Cookie'], allowedResponseHeaders: ['X-User'] },
            forwardBody: { maxSize: 1024 },
          },
        },
      ],
      backendRefs: [
        { name: 'web', port: 80, weight: 3 },
        {
          name: 'web',
          port: 81,
          namespace: 'b',
          filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { remove: ['X-A'] } }],
        },
      ],
      timeouts: { request: '1m30s', backendRequest: '500ms' },
      retry: { codes: [500, 503, 500], attempts: 3, backoff: '100ms' },
      sessionPersistence: {
        sessionName: 'sid',
        absoluteTimeout: '1h',
        cookieConfig: { lifetimeType: 'Permanent' },
      },
    },
    {
      matches: [{ path: { type: 'Exact', value: '/old' } }],
      filters: [
        {
          type: 'RequestRedirect',
          requestRedirect: {
            scheme: 'https',
            hostname: 'New.example',
            port: 8443,
            path: { type: 'ReplaceFullPath', replaceFullPath: '/new' },
            statusCode: 308,
          },
        },
      ],
    },
    {},
  ],
};

export const grpcSpec = {
  parentRefs: [{ name: 'edge' }],
  rules: [
    {
      matches: [
        { method: { service: 'shop.Cart', method: 'Add' }, headers: [{ name: 'Tenant', value: 'a' }] },
        { method: { type: 'RegularExpression', service: 'shop\\..*' } },
      ],
      filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: headerChanges }],
      backendRefs: [{ name: 'cart', port: 9000 }],
      sessionPersistence: { type: 'Header', sessionName: 'X-Session' },
    },
    { backendRefs: [{ name: 'rest', port: 9000 }] },
  ],
};

export const tlsSpec = {
  parentRefs: [{ name: 'edge' }],
  hostnames: ['a.example'],
  rules: [{ name: 'only', backendRefs: [{ name: 'web', port: 443 }] }],
};

export const albSpec = {
  replicas: 2,
  network: {
    mode: 'LoadBalancer',
    addresses: ['192.0.2.1'],
    loadBalancerClass: 'example.com/a',
    externalTrafficPolicy: 'Cluster',
    annotations: { 'example.com/a': 'b' },
  },
  http: { port: 8080 },
  https: { port: 8443, certificate: 'cert' },
  ingressClass: { name: 'team', default: true },
  tenants: { namespaces: ['shop'], selector: { matchLabels: { team: 'a' } }, projects: ['one'] },
  hostnames: 'GrantOnly',
  quotas: { routes: 10, size: '4Mi', requestsPerSecond: 100, concurrency: 50 },
  resources: { requests: { cpu: '100m' }, limits: { memory: '1Gi' } },
  nodeSelector: { edge: 'true' },
  tolerations: [{ key: 'edge', operator: 'Exists', effect: 'NoSchedule' }],
};

export const policySpec = {
  targetRefs: [{ group: '', kind: 'Service', name: 'web', sectionName: 'https' }],
  validation: {
    hostname: 'Web.example',
    caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'ca' }],
    subjectAltNames: [
      { type: 'Hostname', hostname: '*.Web.example' },
      { type: 'URI', uri: 'spiffe://cluster.local/ns/shop/sa/web' },
    ],
  },
  options: { a: 'b' },
};

export const grantSpec = {
  from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'shop' }],
  to: [
    { group: '', kind: 'Service', name: 'web' },
    { group: '', kind: 'Secret' },
  ],
};

export const serviceSpec = {
  type: 'ClusterIP',
  ports: [
    { name: 'http', port: 80, appProtocol: 'kubernetes.io/h2c' },
    { port: 53, protocol: 'UDP' },
  ],
};

export const listenerSetSpec = { parentRef: { name: 'edge', namespace: 'infra' }, listeners };
export const classSpec = { controllerName: 'netloom.dev/gateway' };
