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

export const trafficSpec = {
  targetRefs: [
    { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'web', sectionName: 'first' },
    { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' },
  ],
  enforced: true,
  trustedProxies: ['10.0.0.0/8', '2001:DB8::1'],
  access: { allow: ['192.0.2.7/24'], deny: ['192.0.2.1'] },
  rateLimits: [{ requests: 10, per: '1m', burst: 5, by: ['Client', 'Route'], byHeader: 'X-Key' }],
  concurrency: [{ requests: 3, by: ['Tenant'] }],
  maxBodySize: '8Mi',
  basicAuth: { realm: 'Shop', secretRef: { name: 'users' } },
  externalAuth: {
    protocol: 'HTTP',
    backendRef: { name: 'auth', port: 80 },
    http: { path: '/check', allowedHeaders: ['Cookie'], allowedResponseHeaders: ['X-User'] },
  },
  cors: { allowOrigins: ['https://a.example'], allowMethods: ['GET'], maxAge: 60 },
  timeouts: { request: '10s', backendRequest: '5s', connect: '1s' },
  retry: { codes: [502], attempts: 2, backoff: '10ms' },
  affinity: { hash: { by: 'Header', name: 'X-User' } },
  canaries: [
    {
      header: { name: 'X-Canary', value: 'v[0-9]', type: 'RegularExpression' },
      cookie: 'canary',
      fraction: { numerator: 1, denominator: 3 },
      backendRefs: [{ name: 'next', port: 80, weight: 2 }],
    },
  ],
  mirrors: [{ backendRef: { name: 'copy', port: 80 }, percent: 10 }],
  compression: { types: ['text/*'], minLength: 10 },
  errors: [
    { codes: [502, 503], backendRef: { name: 'pages', port: 80 } },
    { codes: [404], body: { contentType: 'text/plain', text: 'Nothing here' } },
  ],
  accessLog: { fields: ['time', 'status'], percent: 50 },
  buffering: { requests: true, responses: false },
};

export const backendPolicySpec = {
  targetRefs: [{ group: '', kind: 'Service', name: 'web', sectionName: 'http' }],
  balance: { type: 'Hash', hash: { by: 'Cookie', name: 'User' } },
  healthCheck: {
    path: '/healthz',
    host: 'Web.example',
    codes: [{ from: 200, to: 299 }],
    interval: '5s',
    timeout: '1s',
    healthy: 1,
    unhealthy: 2,
  },
  circuitBreaker: { failures: 7, duration: '1m' },
  maxRequests: 100,
};

/** One of each hash that is known; the password is `secret`. */
export const passwordFile = [
  'ann:$2y$05$abcdefghijklmnopqrstuuS5bUUkKRTZiCDLjM0ApuFtUZ9AzHlGq',
  'bob:$apr1$salt$0123456789abcdefghijkl',
  `cid:$5$saltsalt$${'a'.repeat(43)}`,
  `dan:$6$rounds=5000$saltsalt$${'b'.repeat(86)}`,
].join('\n');
