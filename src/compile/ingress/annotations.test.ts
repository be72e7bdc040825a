/** Each annotation of ingress-nginx: what an Ingress with it becomes, or why it doesn't. */
import { describe, expect, it, test } from 'vitest';
import { nginxRows } from './catalogue/index.ts';
import { translated } from './testing.ts';

type Case = readonly [annotations: Readonly<Record<string, string>>, expected: object];

const refused = (message: string | RegExp, code = 'AnnotationRefused') => ({
  findings: expect.arrayContaining([
    expect.objectContaining({
      code,
      message:
        typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
    }),
  ]),
});
const settings = (wanted: object) => ({ policies: [{ settings: wanted }], findings: [] });
const rule = (wanted: object) => ({ routes: [{ rules: [wanted] }], findings: [] });
const filters = (...wanted: object[]) => rule({ filters: wanted });
const closed = (message: string) => ({
  routes: [{ rules: [{ closed: true, backends: [] }] }],
  ...refused(message, 'ProtectionMissing'),
});
const redirect = (wanted: object) => filters({ type: 'RequestRedirect', ...wanted });
const nothing = { policies: [], wafPolicies: [], backendPolicies: [], findings: [] };
const backend = (wanted: object) => rule({ backends: [{ name: 'web', port: 80, ...wanted }] });
const cors = (wanted: object) => filters({ type: 'CORS', ...wanted });
const auth = {
  'auth-url': 'http://auth.ids.svc.cluster.local:4180/oauth2/auth',
};

const cases: Readonly<Record<string, readonly Case[]>> = {
  affinity: [
    [
      { affinity: 'cookie' },
      rule({ sessionPersistence: { type: 'Cookie', name: 'INGRESSCOOKIE', lifetime: 'Session' } }),
    ],
    [{ affinity: 'ip' }, refused('"ip" is not cookie')],
  ],
  'affinity-canary-behavior': [
    [{ 'affinity-canary-behavior': 'legacy' }, nothing],
    [{ 'affinity-canary-behavior': 'sticky' }, refused('for each request')],
  ],
  'affinity-mode': [
    [{ 'affinity-mode': 'persistent' }, nothing],
    [{ 'affinity-mode': 'x' }, refused('no mode')],
  ],
  'allowlist-source-range': [
    [
      { 'allowlist-source-range': '10.1.2.3/8, 192.0.2.1,2001:db8::/32' },
      settings({ access: { allow: ['10.0.0.0/8', '192.0.2.1/32', '2001:db8::/32'] } }),
    ],
    [{ 'allowlist-source-range': '10.0.0.0/33' }, closed('no CIDRs')],
    [{ 'allowlist-source-range': '' }, closed('is empty')],
  ],
  'app-root': [
    [
      { 'app-root': '/app' },
      rule({
        matches: [{ path: { type: 'Exact', value: '/' } }],
        filters: [{ type: 'RequestRedirect', statusCode: 302, path: { value: '/app' } }],
      }),
    ],
    [{ 'app-root': 'http://x' }, refused('is no path')],
  ],
  'auth-always-set-cookie': [
    [
      { ...auth, 'auth-always-set-cookie': 'true' },
      filters({ asIngress: { method: 'GET', alwaysSetCookie: true } }),
    ],
    [{ ...auth, 'auth-always-set-cookie': 'maybe' }, refused('not true or false')],
    [{ 'auth-always-set-cookie': 'true' }, nothing],
  ],
  'auth-cache-duration': [[{ 'auth-cache-duration': '200 5m' }, refused('not served')]],
  'auth-cache-key': [[{ 'auth-cache-key': '$cookie_a' }, refused('not served')]],
  'auth-keepalive': [[{ 'auth-keepalive': '3' }, refused('not served')]],
  'auth-keepalive-requests': [[{ 'auth-keepalive-requests': '3' }, refused('not served')]],
  'auth-keepalive-share-vars': [[{ 'auth-keepalive-share-vars': 'true' }, refused('not served')]],
  'auth-keepalive-timeout': [[{ 'auth-keepalive-timeout': '3' }, refused('not served')]],
  'auth-method': [
    [{ ...auth, 'auth-method': 'POST' }, filters({ type: 'ExternalAuth', asIngress: { method: 'POST' } })],
    [{ ...auth, 'auth-method': 'GO' }, closed('no method')],
  ],
  'auth-proxy-set-headers': [[{ 'auth-proxy-set-headers': 'x/headers' }, closed('not served')]],
  'auth-realm': [
    [
      { 'auth-type': 'basic', 'auth-secret': 'users', 'auth-realm': 'Staff only' },
      settings({ basicAuth: { realm: 'Staff only', secret: 'users' } }),
    ],
    [{ 'auth-type': 'basic', 'auth-secret': 'users', 'auth-realm': 'a"b' }, closed("can't be a realm")],
  ],
  'auth-request-redirect': [[{ 'auth-request-redirect': '/x' }, refused('not served')]],
  'auth-response-headers': [
    [
      { ...auth, 'auth-response-headers': 'X-User, X-Mail' },
      filters({ type: 'ExternalAuth', allowedResponseHeaders: ['x-user', 'x-mail'] }),
    ],
    [{ ...auth, 'auth-response-headers': 'a b;' }, closed('no name of a header')],
  ],
  'auth-secret': [
    [{ 'auth-type': 'basic', 'auth-secret': 'x/users' }, settings({ basicAuth: { secret: 'users' } })],
    [{ 'auth-type': 'basic', 'auth-secret': 'other/users' }, closed('no Secret of namespace x')],
    [{ 'auth-type': 'basic' }, closed('needs auth-secret')],
  ],
  'auth-secret-type': [
    [
      { 'auth-type': 'basic', 'auth-secret': 'users', 'auth-secret-type': 'auth-file' },
      settings({ basicAuth: {} }),
    ],
    [
      { 'auth-type': 'basic', 'auth-secret': 'users', 'auth-secret-type': 'auth-map' },
      closed('password file'),
    ],
  ],
  'auth-signin': [
    [
      { ...auth, 'auth-signin': 'https://$host/oauth2/start?rd=$escaped_request_uri' },
      filters({
        asIngress: {
          method: 'GET',
          signIn: { url: 'https://$host/oauth2/start?rd=$escaped_request_uri' },
        },
      }),
    ],
    [
      { ...auth, 'auth-signin': 'https://id.example/in?a=1' },
      filters({ asIngress: { signIn: { url: 'https://id.example/in?a=1', parameter: 'rd' } } }),
    ],
    [
      { ...auth, 'auth-signin': 'https://id.example?rm=$request_method' },
      filters({ asIngress: { signIn: { url: 'https://id.example?rm=$request_method', parameter: 'rd' } } }),
    ],
    [{ ...auth, 'auth-signin': 'https://$arg_to/' }, closed('can be sent to')],
    [{ ...auth, 'auth-signin': 'https://id.example/?a=$cookie_a' }, closed('can be sent to')],
    [{ ...auth, 'auth-signin': 'https://id.example/?a=$' }, closed('can be sent to')],
    [{ ...auth, 'auth-signin': 'https://$request_uri/' }, closed('can be sent to')],
  ],
  'auth-signin-redirect-param': [
    [
      { ...auth, 'auth-signin': 'https://id.example/', 'auth-signin-redirect-param': 'to' },
      filters({ asIngress: { signIn: { parameter: 'to' } } }),
    ],
  ],
  'auth-snippet': [[{ 'auth-snippet': 'proxy_set_header a b;' }, closed('not served')]],
  'auth-tls-error-page': [[{ 'auth-tls-error-page': 'http://x' }, refused('not served')]],
  'auth-tls-match-cn': [[{ 'auth-tls-match-cn': 'CN=a' }, closed('not served')]],
  'auth-tls-pass-certificate-to-upstream': [
    [{ 'auth-tls-pass-certificate-to-upstream': 'false' }, nothing],
    [{ 'auth-tls-pass-certificate-to-upstream': 'true' }, refused('told')],
  ],
  'auth-tls-secret': [
    [
      { 'auth-tls-secret': 'x/ca' },
      {
        routes: [
          {
            name: 'shop~ingress~tls',
            parents: [{ sectionName: 'http' }],
            rules: [{ filters: [{ scheme: 'https' }] }],
          },
        ],
      },
    ],
    [{ 'auth-tls-secret': 'other/ca' }, refused('no Secret of namespace x', 'ProtectionMissing')],
  ],
  'auth-tls-verify-client': [
    [{ 'auth-tls-secret': 'ca', 'auth-tls-verify-client': 'off' }, backend({})],
    [
      { 'auth-tls-secret': 'ca', 'auth-tls-verify-client': 'optional' },
      refused('"optional"', 'ProtectionMissing'),
    ],
  ],
  'auth-tls-verify-depth': [[{ 'auth-tls-verify-depth': '2' }, nothing]],
  'auth-type': [
    [{ 'auth-type': 'digest', 'auth-secret': 'users' }, closed('"digest"')],
    [
      { 'auth-type': 'basic', 'auth-secret': 'users' },
      settings({ basicAuth: { realm: '', secret: 'users' } }),
    ],
  ],
  'auth-url': [
    [
      auth,
      filters({
        type: 'ExternalAuth',
        backend: { namespace: 'ids', name: 'auth', port: 4180 },
        path: '/oauth2/auth',
        asIngress: { method: 'GET' },
      }),
    ],
    [{ 'auth-url': 'https://$host/' }, filters({ backend: { name: 'web', port: 80 } })],
    [{ 'auth-url': 'https://elsewhere.example/auth' }, closed('is no Service')],
    [{ 'auth-url': 'http://a.b.svc.cluster.local/\n#;return 200;' }, closed('is no URL')],
  ],
  'backend-protocol': [
    [{ 'backend-protocol': 'GRPC' }, backend({ speech: { protocol: 'h2c' } })],
    [{ 'backend-protocol': 'https' }, backend({ speech: { protocol: 'http', tls: { hostname: '' } } })],
    [{ 'backend-protocol': 'AUTO_HTTP' }, refused('served as HTTP')],
    [{ 'backend-protocol': 'FCGI' }, closed("isn't spoken")],
  ],
  canary: [
    [{ canary: 'false' }, nothing],
    [
      { canary: 'true', 'canary-weight': '10' },
      { routes: [], findings: [{ code: 'WithoutEffect' }] },
    ],
  ],
  'canary-by-cookie': [[{ canary: 'true', 'canary-by-cookie': 'a b' }, refused('no name of a cookie')]],
  'canary-by-header': [[{ canary: 'true', 'canary-by-header': 'a b' }, refused('no name of a header')]],
  'canary-by-header-pattern': [
    [
      { canary: 'true', 'canary-by-header': 'x', 'canary-by-header-pattern': '(?=a)' },
      refused("isn't allowed"),
    ],
  ],
  'canary-by-header-value': [
    [{ canary: 'true', 'canary-by-header': 'x', 'canary-by-header-value': 'y' }, { routes: [] }],
  ],
  'canary-weight': [[{ canary: 'true', 'canary-weight': 'some' }, refused('no number')]],
  'canary-weight-total': [
    [{ canary: 'true', 'canary-weight': '5', 'canary-weight-total': '1000' }, { routes: [] }],
  ],
  'client-body-buffer-size': [[{ 'client-body-buffer-size': '1m' }, refused('same for all')]],
  'configuration-snippet': [
    [
      { 'configuration-snippet': 'more_set_headers "a: b";' },
      { routes: [{ rules: [{ backends: [{ name: 'web' }] }] }], ...refused('no snippets') },
    ],
    [{ 'configuration-snippet': 'if ($a) { return 403; }' }, closed('keep somebody out')],
    [{ 'configuration-snippet': 'deny all;' }, closed('keep somebody out')],
    [{ 'configuration-snippet': 'if ($scheme = http) { return 302 https://login/; }' }, closed('"return"')],
    [{ 'configuration-snippet': 'more_clear_input_headers X-User;' }, closed('"more_clear_input_headers"')],
    [{ 'configuration-snippet': 'proxy_set_header Host "";' }, closed('"proxy_set_header"')],
    [{ 'configuration-snippet': 'proxy_set_header X-User $remote_user;' }, closed('"proxy_set_header"')],
    [{ 'configuration-snippet': "set $a it's; deny all; set $b it's;" }, closed('"deny"')],
    [{ 'configuration-snippet': 'set $a b#c; deny all;' }, closed('"deny"')],
    [
      {
        'configuration-snippet':
          '# deny nothing\nproxy_set_header X-Real-IP $remote_addr;\nadd_header X-B "{ deny";expires 1h;\n\ngzip_types text/css;',
      },
      refused('no snippets'),
    ],
  ],
  'connection-proxy-header': [
    [{ 'connection-proxy-header': 'keep-alive' }, nothing],
    [{ 'connection-proxy-header': 'close' }, refused('gateway')],
  ],
  'cors-allow-credentials': [
    [{ 'enable-cors': 'true', 'cors-allow-origin': 'https://b.example' }, cors({ allowCredentials: true })],
    [{ 'enable-cors': 'true', 'cors-allow-credentials': 'false' }, cors({ allowCredentials: false })],
  ],
  'cors-allow-headers': [
    [{ 'enable-cors': 'true', 'cors-allow-headers': 'X-A, X-B' }, cors({ allowHeaders: ['x-a', 'x-b'] })],
  ],
  'cors-allow-methods': [
    [{ 'enable-cors': 'true', 'cors-allow-methods': 'GET, PUT' }, cors({ allowMethods: ['GET', 'PUT'] })],
    [{ 'enable-cors': 'true', 'cors-allow-methods': 'GO' }, refused('no method')],
  ],
  'cors-allow-origin': [
    [
      { 'enable-cors': 'true', 'cors-allow-origin': 'https://*.b.example, http://C.example:8080' },
      cors({ allowOrigins: ['https://*.b.example', 'http://c.example:8080'] }),
    ],
    [{ 'enable-cors': 'true', 'cors-allow-origin': 'b.example' }, refused('no origin')],
  ],
  'cors-expose-headers': [
    [{ 'enable-cors': 'true', 'cors-expose-headers': 'X-Total' }, cors({ exposeHeaders: ['x-total'] })],
  ],
  'cors-max-age': [
    [{ 'enable-cors': 'true', 'cors-max-age': '60' }, cors({ maxAge: 60 })],
    [{ 'enable-cors': 'true', 'cors-max-age': '0' }, cors({ maxAge: 1 })],
  ],
  'custom-headers': [[{ 'custom-headers': 'x/headers' }, refused('ResponseHeaderModifier')]],
  'custom-http-errors': [
    [
      { 'custom-http-errors': '404,503', 'default-backend': 'pages' },
      settings({ errors: [{ codes: [404, 503], backend: { name: 'pages', port: 80 } }] }),
    ],
    [{ 'custom-http-errors': '404' }, refused('needs default-backend')],
    [{ 'custom-http-errors': '200', 'default-backend': 'pages' }, refused('no codes')],
  ],
  'default-backend': [
    [{ 'default-backend': 'pages' }, backend({ name: 'web' })],
    [{ 'default-backend': '../x' }, refused('no name of a Service')],
  ],
  'denylist-source-range': [
    [{ 'denylist-source-range': '192.0.2.0/24' }, settings({ access: { deny: ['192.0.2.0/24'] } })],
    [{ 'denylist-source-range': 'x', 'whitelist-source-range': '10.0.0.0/8' }, closed('no CIDRs')],
    [{ 'denylist-source-range': ' ' }, closed('is empty')],
  ],
  'disable-proxy-intercept-errors': [[{ 'disable-proxy-intercept-errors': 'true' }, nothing]],
  'enable-access-log': [
    [{ 'enable-access-log': 'false' }, settings({ accessLog: { share: 1_000_000 } })],
    [{ 'enable-access-log': 'maybe' }, refused('not true or false')],
  ],
  'enable-cors': [
    [
      { 'enable-cors': 'true' },
      cors({
        allowOrigins: ['*'],
        allowCredentials: false,
        maxAge: 1_728_000,
        allowMethods: ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'],
      }),
    ],
    [{ 'enable-cors': 'false', 'cors-allow-origin': 'x' }, nothing],
  ],
  'enable-global-auth': [
    [{ 'enable-global-auth': 'true' }, nothing],
    [{ 'enable-global-auth': 'false' }, refused('step out')],
  ],
  'enable-modsecurity': [
    [{ 'enable-modsecurity': 'true' }, { wafPolicies: [{ settings: { mode: 'detect' } }], findings: [] }],
    [{ 'enable-modsecurity': 'false' }, { wafPolicies: [{ settings: { mode: 'off' } }], findings: [] }],
    [{ 'enable-modsecurity': 'perhaps' }, closed('not true or false')],
  ],
  'enable-opentelemetry': [
    [{ 'enable-opentelemetry': 'false' }, nothing],
    [{ 'enable-opentelemetry': 'true' }, refused('traced')],
  ],
  'enable-opentracing': [[{ 'enable-opentracing': 'true' }, refused('traced')]],
  'enable-owasp-core-rules': [
    [{ 'enable-owasp-core-rules': 'true' }, { wafPolicies: [{ settings: { mode: 'detect' } }] }],
  ],
  'enable-rewrite-log': [[{ 'enable-rewrite-log': 'true' }, refused('netloom why')]],
  'fastcgi-index': [[{ 'fastcgi-index': 'a.php' }, refused('FastCGI')]],
  'fastcgi-params-configmap': [[{ 'fastcgi-params-configmap': 'x' }, refused('FastCGI')]],
  'force-ssl-redirect': [
    [
      { 'force-ssl-redirect': 'true' },
      {
        routes: [
          { parents: [{ sectionName: 'https' }] },
          { name: 'shop~ingress~tls', rules: [{ filters: [{ scheme: 'https', statusCode: 308 }] }] },
        ],
      },
    ],
    [{ 'force-ssl-redirect': 'x' }, refused('not true or false')],
  ],
  'from-to-www-redirect': [
    [
      { 'from-to-www-redirect': 'true' },
      {
        routes: [
          {},
          {
            hostnames: ['www.a.example'],
            rules: [{ filters: [{ hostname: 'a.example', statusCode: 308 }] }],
          },
        ],
      },
    ],
  ],
  'http2-push-preload': [[{ 'http2-push-preload': 'true' }, refused('pushes')]],
  'limit-allowlist': [[{ 'limit-allowlist': '10.0.0.0/8' }, refused('all clients')]],
  'limit-burst-multiplier': [
    [
      { 'limit-rps': '10', 'limit-burst-multiplier': '2' },
      settings({ rateLimits: [{ requests: 10, burst: 20 }] }),
    ],
  ],
  'limit-connections': [
    [{ 'limit-connections': '7' }, settings({ concurrency: [{ requests: 7, by: ['client'] }] })],
  ],
  'limit-rate': [[{ 'limit-rate': '10' }, refused('slowed down')]],
  'limit-rate-after': [[{ 'limit-rate-after': '10' }, refused('slowed down')]],
  'limit-rpm': [
    [
      { 'limit-rpm': '30' },
      settings({ rateLimits: [{ requests: 30, per: 60_000, burst: 150, by: ['client'] }] }),
    ],
  ],
  'limit-rps': [
    [
      { 'limit-rps': '10', 'limit-rpm': '100' },
      settings({ rateLimits: [{ per: 60_000 }, { requests: 10, per: 1_000, burst: 50 }] }),
    ],
    [{ 'limit-rps': 'ten' }, closed('no number')],
  ],
  'limit-whitelist': [[{ 'limit-whitelist': '10.0.0.0/8' }, refused('all clients')]],
  'load-balance': [
    [
      { 'load-balance': 'ewma' },
      {
        backendPolicies: [
          { targets: [{ kind: 'Service', name: 'web' }], settings: { balance: 'leastRequests' } },
        ],
      },
    ],
    [{ 'load-balance': 'round_robin' }, nothing],
  ],
  'mirror-host': [[{ 'mirror-host': 'x.example' }, refused('own Host')]],
  'mirror-request-body': [
    [{ 'mirror-request-body': 'on' }, nothing],
    [{ 'mirror-request-body': 'off' }, refused('whole')],
  ],
  'mirror-target': [
    [
      { 'mirror-target': 'http://copy.x.svc.cluster.local:81$request_uri' },
      filters({
        type: 'RequestMirror',
        backend: { namespace: 'x', name: 'copy', port: 81 },
        share: 1_000_000,
      }),
    ],
    [{ 'mirror-target': 'http://a.x.svc/pre$request_uri' }, refused('have the path of the request')],
    [{ 'mirror-target': 'http://copy.example$request_uri' }, refused('is no Service')],
    [{ 'mirror-target': 'http://a.x.svc.cluster.local/;}"' }, refused('is not http://NAME')],
  ],
  'modsecurity-snippet': [
    [
      {
        'enable-modsecurity': 'true',
        'modsecurity-snippet':
          'SecRuleEngine On\nSecAuditLog /dev/stdout\nSecRuleRemoveById 942100 942000-942999\nSecRuleUpdateTargetById 941100 "!ARGS:html"',
      },
      {
        wafPolicies: [
          {
            settings: {
              mode: 'block',
              exclusions: [
                { rules: ['942100', '942000-942999'] },
                { rules: ['941100'], target: 'ARGS:html' },
              ],
            },
          },
        ],
      },
    ],
    [
      {
        'enable-modsecurity': 'true',
        'modsecurity-snippet':
          'SecRuleEngine On\nInclude /etc/nginx/owasp-modsecurity-crs/nginx-modsecurity.conf\nInclude "/etc/nginx/modsecurity/modsecurity.conf"\nSecRequestBodyAccess On\nSecRequestBodyLimit 13107200\nSecRequestBodyNoFilesLimit 131072\nSecAuditEngine RelevantOnly\nSecAuditLogParts ABIJDEFHZ',
      },
      { wafPolicies: [{ settings: { mode: 'block' } }], findings: [] },
    ],
    ...[
      'Include /etc/nginx/modsecurity/modsecurity.conf /etc/x',
      'Include /etc/nginx/modsecurity/modsecurity.conf.d/x',
      'SecRequestBodyAccess Off',
      'SecRequestBodyLimit x',
    ].map(
      (line): Case => [
        { 'enable-modsecurity': 'true', 'modsecurity-snippet': line },
        closed(`"${line.split(' ')[0]!.toLowerCase()}" of it`),
      ],
    ),
    [
      { 'enable-modsecurity': 'true', 'modsecurity-snippet': 'Include /etc/x\nSecRuleEngine On' },
      closed('"include" of it'),
    ],
    [
      { 'enable-modsecurity': 'true', 'modsecurity-snippet': 'SecDefaultAction "phase:1,deny,status:403"' },
      closed('"secdefaultaction" of it'),
    ],
    [
      { 'enable-modsecurity': 'true', 'modsecurity-snippet': 'SecDefaultAction "phase:1,log,auditlog,pass"' },
      { wafPolicies: [{ settings: { mode: 'detect' } }], findings: [] },
    ],
    [{ 'modsecurity-snippet': 'SecRuleEngine On' }, refused('without enable-modsecurity')],
  ],
  'modsecurity-transaction-id': [[{ 'modsecurity-transaction-id': '$request_id' }, refused('X-Request-Id')]],
  'opentelemetry-operation-name': [[{ 'opentelemetry-operation-name': 'x' }, refused('traced')]],
  'opentelemetry-trust-incoming-span': [[{ 'opentelemetry-trust-incoming-span': 'true' }, nothing]],
  'opentracing-trust-incoming-span': [[{ 'opentracing-trust-incoming-span': 'true' }, nothing]],
  'permanent-redirect': [
    [
      { 'permanent-redirect': 'https://b.example' },
      redirect({
        scheme: 'https',
        hostname: 'b.example',
        path: { value: '/' },
        withoutQuery: true,
        statusCode: 301,
      }),
    ],
    [
      { 'permanent-redirect': 'http://b.example:8080$request_uri' },
      { routes: [{ rules: [{ filters: [{ hostname: 'b.example', port: 8080 }], backends: [] }] }] },
    ],
    [
      { 'permanent-redirect': 'https://b.example/base/$request_uri' },
      redirect({ path: { type: 'ReplacePrefixMatch', value: '/base' } }),
    ],
    [{ 'permanent-redirect': 'https://$http_x' }, refused('is no URL')],
    [{ 'permanent-redirect': 'https://b.example/?to=$request_uri' }, refused('is no URL')],
  ],
  'permanent-redirect-code': [
    [
      { 'permanent-redirect': 'https://b.example/x', 'permanent-redirect-code': '308' },
      redirect({ statusCode: 308, path: { value: '/x' } }),
    ],
    [
      { 'permanent-redirect': 'https://b.example/x', 'permanent-redirect-code': '200' },
      redirect({ statusCode: 301 }),
    ],
  ],
  'preserve-trailing-slash': [[{ 'preserve-trailing-slash': 'true' }, nothing]],
  'proxy-body-size': [
    [{ 'proxy-body-size': '8m' }, settings({ maxBody: 8 * 1024 * 1024 })],
    [{ 'proxy-body-size': '0' }, settings({ maxBody: 0 })],
    [{ 'proxy-body-size': 'big' }, refused('no size')],
  ],
  'proxy-buffer-size': [[{ 'proxy-buffer-size': '8k' }, refused('same for all')]],
  'proxy-buffering': [
    [{ 'proxy-buffering': 'on' }, settings({ buffering: { answers: true } })],
    [{ 'proxy-buffering': 'x' }, refused('not on or off')],
  ],
  'proxy-buffers-number': [[{ 'proxy-buffers-number': '4' }, refused('same for all')]],
  'proxy-busy-buffers-size': [[{ 'proxy-busy-buffers-size': '8k' }, refused('same for all')]],
  'proxy-connect-timeout': [[{ 'proxy-connect-timeout': '10' }, settings({ timeouts: { connect: 10_000 } })]],
  'proxy-cookie-domain': [
    [{ 'proxy-cookie-domain': 'off' }, nothing],
    [{ 'proxy-cookie-domain': 'a b' }, refused('Cookies')],
  ],
  'proxy-cookie-path': [[{ 'proxy-cookie-path': '/a /b' }, refused('Cookies')]],
  'proxy-http-version': [
    [{ 'proxy-http-version': '1.1' }, nothing],
    [{ 'proxy-http-version': '1.0' }, refused('HTTP/1.1')],
  ],
  'proxy-max-temp-file-size': [[{ 'proxy-max-temp-file-size': '8k' }, refused('same for all')]],
  'proxy-next-upstream': [
    [
      { 'proxy-next-upstream': 'error timeout http_503 http_502' },
      rule({ retry: { codes: [503, 502], attempts: 2 } }),
    ],
    [{ 'proxy-next-upstream': 'http_200' }, refused("can't be tried again")],
  ],
  'proxy-next-upstream-timeout': [[{ 'proxy-next-upstream-timeout': '5' }, refused('timeouts.request')]],
  'proxy-next-upstream-tries': [
    [{ 'proxy-next-upstream-tries': '5' }, rule({ retry: { codes: [], attempts: 4 } })],
    [
      { 'proxy-next-upstream': 'http_503', 'proxy-next-upstream-tries': '2' },
      rule({ retry: { codes: [503], attempts: 1 } }),
    ],
  ],
  'proxy-read-timeout': [
    [{ 'proxy-read-timeout': '120' }, rule({ timeouts: { backendRequest: 120_000 } })],
    [
      { 'proxy-read-timeout': '2m', 'proxy-send-timeout': '5' },
      rule({ timeouts: { backendRequest: 120_000 } }),
    ],
    [{ 'proxy-read-timeout': 'x' }, refused('no time')],
  ],
  'proxy-redirect-from': [[{ 'proxy-redirect-from': 'http://a/' }, refused('Location')]],
  'proxy-redirect-to': [
    [{ 'proxy-redirect-to': 'off' }, nothing],
    [{ 'proxy-redirect-to': '/' }, refused('Location')],
  ],
  'proxy-request-buffering': [
    [{ 'proxy-request-buffering': 'off' }, settings({ buffering: { requests: false } })],
  ],
  'proxy-send-timeout': [[{ 'proxy-send-timeout': '30' }, rule({ timeouts: { backendRequest: 30_000 } })]],
  'proxy-ssl-ciphers': [[{ 'proxy-ssl-ciphers': 'HIGH' }, refused('gateway')]],
  'proxy-ssl-name': [
    [
      { 'backend-protocol': 'HTTPS', 'proxy-ssl-name': 'in.example', 'proxy-ssl-server-name': 'on' },
      backend({ speech: { tls: { hostname: 'in.example' } } }),
    ],
    [{ 'backend-protocol': 'HTTPS', 'proxy-ssl-name': 'a;b' }, closed('no hostname')],
  ],
  'proxy-ssl-protocols': [[{ 'proxy-ssl-protocols': 'TLSv1' }, refused('TLS 1.2')]],
  'proxy-ssl-secret': [
    [
      { 'backend-protocol': 'HTTPS', 'proxy-ssl-secret': 'x/own' },
      backend({ speech: { tls: { certificate: { name: 'own' } } } }),
    ],
    [{ 'backend-protocol': 'HTTPS', 'proxy-ssl-secret': 'other/own' }, closed('no Secret of namespace x')],
  ],
  'proxy-ssl-server-name': [
    [
      { 'backend-protocol': 'GRPCS', 'proxy-ssl-name': 'in.example' },
      backend({ speech: { protocol: 'h2c', tls: { hostname: '' } } }),
    ],
  ],
  'proxy-ssl-verify': [
    [
      {
        'backend-protocol': 'HTTPS',
        'proxy-ssl-verify': 'on',
        'proxy-ssl-secret': 'ca',
        'proxy-ssl-name': 'in.example',
      },
      backend({ speech: { tls: { hostname: 'in.example', authority: { name: 'ca' } } } }),
    ],
    [{ 'backend-protocol': 'HTTPS', 'proxy-ssl-verify': 'on' }, closed('needs proxy-ssl-secret')],
    [{ 'backend-protocol': 'HTTPS', 'proxy-ssl-verify': 'true' }, closed('not on or off')],
    [{ 'backend-protocol': 'HTTPS', 'proxy-ssl-verify': 'off' }, backend({})],
  ],
  'proxy-ssl-verify-depth': [[{ 'proxy-ssl-verify-depth': '3' }, refused('any length')]],
  'relative-redirects': [[{ 'relative-redirects': 'true' }, refused('scheme and host')]],
  'rewrite-target': [
    [
      { 'rewrite-target': '/x' },
      rule({
        matches: [{ path: { type: 'PathPrefix', value: '/' } }],
        filters: [{ type: 'URLRewrite', path: { type: 'ReplaceFullPath', value: '/x' } }],
      }),
    ],
    [
      { 'rewrite-target': '/$1' },
      rule({
        matches: [{ path: { type: 'RegularExpression', value: '/', loose: true } }],
        filters: [{ path: { type: 'ReplaceCaptures', value: '/$1' } }],
      }),
    ],
    [
      { 'rewrite-target': '/$1?added=1' },
      rule({ filters: [{ type: 'URLRewrite', path: { type: 'ReplaceCaptures', value: '/$1?added=1' } }] }),
    ],
    [
      { 'rewrite-target': 'https://b.example:8443' },
      redirect({ scheme: 'https', hostname: 'b.example', port: 8443, path: { value: '/' }, statusCode: 302 }),
    ],
    [
      { 'rewrite-target': '$scheme://$host/new/$1?a=b' },
      rule({
        matches: [{ path: { type: 'RegularExpression', value: '/', loose: true } }],
        filters: [{ type: 'RequestRedirect', path: { type: 'ReplaceCaptures', value: '/new/$1?a=b' } }],
      }),
    ],
    [
      { 'rewrite-target': 'https://b.example/$1', 'permanent-redirect': 'https://c.example' },
      redirect({ hostname: 'c.example', statusCode: 301 }),
    ],
    [{ 'rewrite-target': '/x;\n}' }, closed('is no path')],
    [{ 'rewrite-target': '/$request_uri' }, closed('variables')],
    [{ 'rewrite-target': '/$1?' }, closed('arguments')],
    [{ 'rewrite-target': 'https://$1.b.example/' }, closed('no URL')],
    [{ 'rewrite-target': 'https://b.example$request_uri' }, closed('is no path')],
    [{ 'rewrite-target': 'x' }, closed('is no path')],
  ],
  satisfy: [
    [{ satisfy: 'all' }, nothing],
    [{ satisfy: 'any' }, refused('must let a client in')],
  ],
  'server-alias': [
    [
      { 'server-alias': 'b.example,*.c.example' },
      { routes: [{ hostnames: ['a.example', 'b.example', '*.c.example'] }], findings: [] },
    ],
    [{ 'server-alias': '~^x$' }, refused('no hostname')],
  ],
  'server-snippet': [
    [{ 'server-snippet': 'proxy_read_timeout 60s;' }, refused('no snippets')],
    [{ 'server-snippet': 'location /x { }' }, closed('"location"')],
  ],
  'service-upstream': [[{ 'service-upstream': 'true' }, refused('Endpoints')]],
  'session-cookie-change-on-failure': [[{ 'session-cookie-change-on-failure': 'true' }, refused('gone')]],
  'session-cookie-conditional-samesite-none': [
    [{ 'session-cookie-conditional-samesite-none': 'true' }, refused('cookie')],
  ],
  'session-cookie-domain': [[{ 'session-cookie-domain': 'x' }, refused('cookie')]],
  'session-cookie-expires': [
    [
      { affinity: 'cookie', 'session-cookie-expires': '60' },
      rule({ sessionPersistence: { lifetime: 'Permanent', absoluteTimeout: 60 } }),
    ],
  ],
  'session-cookie-max-age': [
    [
      { affinity: 'cookie', 'session-cookie-max-age': '60', 'session-cookie-expires': '5' },
      rule({ sessionPersistence: { lifetime: 'Permanent', absoluteTimeout: 60 } }),
    ],
  ],
  'session-cookie-name': [
    [{ affinity: 'cookie', 'session-cookie-name': 'route' }, rule({ sessionPersistence: { name: 'route' } })],
    [{ affinity: 'cookie', 'session-cookie-name': 'a;b' }, refused('no name of a cookie')],
  ],
  'session-cookie-partitioned': [[{ 'session-cookie-partitioned': 'true' }, refused('cookie')]],
  'session-cookie-path': [[{ 'session-cookie-path': '/x' }, refused('cookie')]],
  'session-cookie-samesite': [[{ 'session-cookie-samesite': 'None' }, refused('cookie')]],
  'session-cookie-secure': [[{ 'session-cookie-secure': 'true' }, refused('cookie')]],
  'ssl-ciphers': [[{ 'ssl-ciphers': 'all of them' }, refused('no names of ciphers')]],
  'ssl-passthrough': [
    [
      { 'ssl-passthrough': 'true' },
      {
        listenerSets: [
          { listeners: [{ protocol: 'TLS', hostname: 'a.example', tls: { mode: 'Passthrough' } }] },
        ],
        routes: [
          { name: 'shop~ingress~tls' },
          { kind: 'TLSRoute', hostnames: ['a.example'], rules: [{ backends: [{ name: 'web' }] }] },
        ],
      },
    ],
  ],
  'ssl-prefer-server-ciphers': [[{ 'ssl-prefer-server-ciphers': 'true' }, refused('clients choose')]],
  'ssl-redirect': [
    [{ 'ssl-redirect': 'false' }, nothing],
    [{ 'ssl-redirect': 'no' }, refused('not true or false')],
  ],
  'stream-snippet': [[{ 'stream-snippet': 'server { listen 8000; deny all; }' }, refused('No snippets')]],
  'temporal-redirect': [
    [
      { 'temporal-redirect': 'https://b.example/t?x=1', 'permanent-redirect': 'https://c.example' },
      redirect({ hostname: 'b.example', path: { value: '/t?x=1' }, statusCode: 302 }),
    ],
  ],
  'temporal-redirect-code': [
    [
      { 'temporal-redirect': 'https://b.example', 'temporal-redirect-code': '307' },
      redirect({ statusCode: 307 }),
    ],
  ],
  'upstream-hash-by': [
    [
      { 'upstream-hash-by': '$binary_remote_addr' },
      settings({ affinity: { type: 'hash', hash: { by: 'client' } } }),
    ],
    [
      { 'upstream-hash-by': '$http_x_user' },
      settings({ affinity: { hash: { by: 'header', name: 'x-user' } } }),
    ],
    [{ 'upstream-hash-by': '$arg_id' }, settings({ affinity: { hash: { by: 'query', name: 'id' } } })],
    [{ 'upstream-hash-by': '$request_uri$host' }, refused('none that is known')],
  ],
  'upstream-hash-by-subset': [[{ 'upstream-hash-by-subset': 'true' }, refused('One endpoint')]],
  'upstream-hash-by-subset-size': [[{ 'upstream-hash-by-subset-size': '3' }, refused('One endpoint')]],
  'upstream-vhost': [
    [{ 'upstream-vhost': 'in.example' }, filters({ type: 'URLRewrite', hostname: 'in.example' })],
    [{ 'upstream-vhost': 'Inner:8080' }, filters({ type: 'URLRewrite', hostname: 'inner:8080' })],
    [
      { 'upstream-vhost': '$service_name.$namespace.svc.cluster.local:$service_port' },
      filters({ type: 'URLRewrite', hostname: 'web.x.svc.cluster.local:80' }),
    ],
    ...['$host', '$service_names', 'a b', '*.example', 'in.example:0', 'in.example:'].map(
      (value): Case => [{ 'upstream-vhost': value }, refused('no hostname')],
    ),
  ],
  'use-port-in-redirects': [[{ 'use-port-in-redirects': 'true' }, nothing]],
  'use-regex': [[{ 'use-regex': 'true' }, nothing]],
  'whitelist-source-range': [
    [{ 'whitelist-source-range': '10.0.0.0/8' }, settings({ access: { allow: ['10.0.0.0/8'] } })],
    [
      { 'whitelist-source-range': '10.0.0.0/8', 'allowlist-source-range': '192.0.2.0/24' },
      settings({ access: { allow: ['192.0.2.0/24'] } }),
    ],
  ],
  'x-forwarded-prefix': [
    [
      { 'x-forwarded-prefix': '/a', 'rewrite-target': '/' },
      filters(
        { type: 'RequestHeaderModifier', headers: { set: [{ name: 'X-Forwarded-Prefix', value: '/a' }] } },
        { type: 'URLRewrite' },
      ),
    ],
    [{ 'x-forwarded-prefix': '/a' }, rule({ filters: [] })],
  ],
};

describe.each(Object.entries(cases))('%s', (_, list) => {
  it.each(list)('%j', (annotations, expected) => {
    const { routes, ...rest } = translated({ annotations });
    expect({
      routes: routes.map((route) => ({ ...route, rules: route.rules.slice(0, 1) })),
      ...rest,
    }).toMatchObject(expected);
  });
});

test('each has its case, once', () => {
  const names = nginxRows.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const gone = /^(?:global-rate-limit|influxdb|enable-influxdb|secure-backends)/;
  expect(names.filter((name) => !(name in cases) && !gone.test(name))).toEqual([]);
});

test('what isn’t known is told', () => {
  expect(translated({ annotations: { nonsense: 'x', 'influxdb-port': '1' } })).toMatchObject({
    findings: [
      { field: 'metadata.annotations[nginx.ingress.kubernetes.io/influxdb-port]' },
      { field: 'metadata.annotations[nginx.ingress.kubernetes.io/nonsense]', message: 'is not known' },
    ],
  });
});
