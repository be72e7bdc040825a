/** Objects of a namespace that means no good, as the API server may or may not take them: seeded, so that a run can be had again. */
import fc from 'fast-check';
import type { KubeObject } from '#api/object.ts';

export type HostileOptions = {
  readonly namespace: string;
  /** The Gateway that is attacked; its listeners take routes of all namespaces. */
  readonly gateway: { readonly name: string; readonly namespace: string };
  /** Hosts of others, which are claimed. */
  readonly hosts: readonly string[];
  readonly count: number;
  readonly seed: number;
};

const group = 'gateway.networking.k8s.io';
/** Names are used again: an object takes another's place. */
const names = 60;

const long = 'a'.repeat(1000);
/** What schemas let pass where they can. */
const printable = [
  '/;return-200-owned;',
  '/$http_host$uri$' + '{request_id}$netloom_visit',
  `";os.execute('id')--`,
  "']]ngx.exit(200)--[[",
  ']=]..error()..[=[',
  '%00%0d%0a%c0%af%ff%fe',
  '\\x00\\n\\"',
  '(a+)+$',
  '/(a+)+!?b',
  '/(.*)*(.*)*(.*)*x',
  '/((((((((((a*)*)*)*)*)*)*)*)*)*b',
  '/(?:a|a)*(?:a|aa)*$',
  '__proto__',
  'constructor',
  '{{.Values}}<%=7*7%>',
  'include/etc/passwd;',
  'load_module-evil.so;',
  long,
];
const wild = [
  '/a;}\nserver { listen 10000; return 200; }',
  '\r\nX-Owned: yes\r\n\r\n',
  'a\r\nSet-Cookie: a=b',
  '\u0000\u0001\u007f',
  '\ud800\udfff',
  '/..%2f..%2fetc/passwd',
  '(?{print(1)})(*LIMIT_MATCH=999999999)(?R)',
  '[[:alpha:](',
  '\\Q\\E\\K(?<=a+)',
  '^(?:[^/]+/)*+(?=.*secret)',
  'a'.repeat(100_000),
  'é\u{1F600}\u202e',
  '',
  '*',
];
const text = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom(...printable) },
  { weight: 1, arbitrary: fc.constantFrom(...wild) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
);
/** Mostly what is taken, so that what is not shows. */
const or = <T>(...values: readonly T[]) =>
  fc.oneof({ weight: 25, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: text });
const path = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('RegularExpression'), value: text }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constantFrom('Exact', 'PathPrefix'),
      value: or('/', '/shop', "/;return+200;$uri('ngx')", '/%00%0d%0a', '/__proto__'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constantFrom('Exact', 'PathPrefix'),
      value: text.map((each) => `/${each}`),
    }),
  },
);
const header = fc.record({ name: or('x-a', 'host', 'x-forwarded-for', 'connection'), value: text });
const headers = fc.record(
  {
    set: fc.array(header, { maxLength: 2 }),
    add: fc.array(header, { maxLength: 2 }),
    remove: fc.array(or('x-a', 'host', 'content-length'), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);
const replaced = fc.record({ type: fc.constant('ReplaceFullPath'), replaceFullPath: text });
const filter = fc.oneof(
  fc.record({ type: fc.constant('RequestHeaderModifier'), requestHeaderModifier: headers }),
  fc.record({ type: fc.constant('ResponseHeaderModifier'), responseHeaderModifier: headers }),
  fc.record({
    type: fc.constant('URLRewrite'),
    urlRewrite: fc.record({ hostname: or('in.example', '127.0.0.1'), path: replaced }),
  }),
  fc.record({
    type: fc.constant('RequestRedirect'),
    requestRedirect: fc.record({ hostname: or('x.example'), path: replaced }),
  }),
);
const claims = (hosts: readonly string[]) =>
  fc.array(or(...hosts, '*.example', 'evil.example', '*.com'), { maxLength: 3 });
const backend = fc.record({
  name: or('evil', 'missing', 'kubernetes'),
  namespace: fc.constantFrom('evil', 'evil', 'default', 'shop', 'kube-system'),
  port: fc.constantFrom(80, 443, 1),
});

export function hostileObjects({
  namespace,
  gateway,
  hosts,
  count,
  seed,
}: HostileOptions): readonly KubeObject[] {
  const parentRefs = [{ name: gateway.name, namespace: gateway.namespace }];
  const number = fc.integer({ min: 0, max: names - 1 });
  const named = (kind: string, spec: fc.Arbitrary<object>, apiVersion = `${group}/v1`) =>
    fc.tuple(number, spec).map(([n, rest]) => ({
      apiVersion,
      kind,
      metadata: { name: `h${n}`, namespace },
      ...rest,
    }));
  const matches = fc.array(
    fc.record({
      path,
      headers: fc.array(
        header.map((each) => ({ ...each, type: 'RegularExpression' })),
        { maxLength: 1 },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  );
  const routeOf = (rule: fc.Arbitrary<object>) =>
    fc
      .tuple(claims(hosts), fc.array(rule, { minLength: 1, maxLength: 3 }))
      .map(([hostnames, rules]) => ({ spec: { parentRefs, hostnames, rules } }));
  const backendRefs = fc.array(backend, { maxLength: 2 });
  const http = fc.record({ matches, filters: fc.array(filter, { maxLength: 2 }), backendRefs });
  const method = fc.record({
    type: fc.oneof(
      { weight: 9, arbitrary: fc.constant('RegularExpression') },
      { weight: 1, arbitrary: fc.constant('Exact') },
    ),
    service: text,
    method: text,
  });
  const grpc = fc.record({ matches: fc.array(fc.record({ method }), { maxLength: 2 }), backendRefs });
  const pem = fc.oneof(
    text,
    text.map(
      (each) =>
        `-----BEGIN CERTIFICATE-----\n${Buffer.from(each).toString('base64')}\n-----END CERTIFICATE-----\n`,
    ),
    fc.constant('-----BEGIN CERTIFICATE-----\n'.repeat(500)),
  );
  const base64 = pem.map((each) => Buffer.from(each).toString('base64'));
  const secret = fc
    .record({ 'tls.crt': base64, 'tls.key': base64 })
    .map((data) => ({ type: 'kubernetes.io/tls', data }));
  const policy = fc
    .tuple(or('evil', 'missing'), or('evil.example', 'shop', 'own.example'), number)
    .map(([name, hostname, n]) => ({
      spec: {
        targetRefs: [{ group: '', kind: 'Service', name }],
        validation: { hostname, caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: `h${n}` }] },
      },
    }));
  const any = fc.oneof(
    { weight: 10, arbitrary: named('HTTPRoute', routeOf(http)) },
    { weight: 3, arbitrary: named('GRPCRoute', routeOf(grpc)) },
    { weight: 1, arbitrary: named('Secret', secret, 'v1') },
    { weight: 2, arbitrary: named('BackendTLSPolicy', policy) },
    {
      weight: 2,
      arbitrary: named(
        'ConfigMap',
        pem.map((each) => ({ data: { 'ca.crt': each } })),
        'v1',
      ),
    },
  );
  return fc.sample(any, { numRuns: count, seed }) as readonly KubeObject[];
}
