/** Ingresses, policies, load balancers and Secrets of a namespace that means no good: seeded, so that a run can be had again. */
import fc from 'fast-check';
import type { KubeObject } from '#api/object.ts';
import { nginxPrefix, nginxRows } from '#compile/ingress/catalogue/index.ts';
import { hostile } from '#model/gateway/arbitrary.ts';
import * as samples from '#model/gateway/samples.ts';
import { type Payload, payloads } from './published-payloads.ts';

export type HostileTenant = {
  readonly namespace: string;
  readonly ingressClass: string;
  /** The load balancer and the Gateway that it shares with others. */
  readonly alb: { readonly name: string; readonly namespace: string };
  readonly gateway: { readonly name: string; readonly namespace: string };
  /** Hosts of others, which are claimed. */
  readonly hosts: readonly string[];
  readonly count: number;
  readonly seed: number;
  /** Also what the API server would not take. */
  readonly bent?: boolean;
};

/** Names are used again: an object takes another's place. */
const names = 16;
const gatewayGroup = 'gateway.networking.k8s.io';

const usual: Readonly<Record<string, readonly string[]>> = {
  'auth-url': ['http://evil.evil.svc.cluster.local/check'],
  'auth-secret': ['h1', 'evil/h2'],
  'auth-type': ['basic'],
  'rewrite-target': ['/$1', '/x'],
  'limit-rps': ['1'],
  'proxy-body-size': ['8m'],
  'enable-modsecurity': ['true'],
  'enable-cors': ['true'],
  affinity: ['cookie'],
  'canary-weight': ['50'],
  'backend-protocol': ['HTTPS', 'GRPC'],
  canary: ['true'],
  'use-regex': ['true'],
  'ssl-passthrough': ['true'],
};
const published = new Map<string, readonly string[]>();
for (const { at, text } of payloads) published.set(at, [...(published.get(at) ?? []), text]);
const wild = [
  '/a;}\nserver { listen 10000; return 200; }',
  '\r\nX-Owned: yes\r\n\r\n',
  '\u0000\u0001\u007f',
  '$http_host$uri$' + '{request_id}$netloom_visit',
  `";os.execute('id')--`,
  "']]ngx.exit(200)--[[",
  '(a+)+$',
  '../../shop/cert',
  'shop/web',
  'infra~alb',
  'x~ingress~tls',
  '__proto__',
  '{{.Values}}',
  'a'.repeat(4_000),
  'é\u{1F600}\u202e',
];
const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...wild) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);
const annotation = fc.constantFrom(...nginxRows.map(({ name }) => name)).chain((name) => {
  const known = [...(published.get(name) ?? []), ...(usual[name] ?? [])];
  const value =
    known.length === 0
      ? fc.oneof(text, fc.constantFrom('true', '1', '10s'))
      : fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: text });
  return value.map((each) => [`${nginxPrefix}${name}`, each] as const);
});
const crafted = fc
  .constantFrom(...payloads.filter(({ at }) => at !== 'path' && at !== 'uid'))
  .map(({ at, text: value }) => [`${nginxPrefix}${at}`, value] as const);
const annotations = fc
  .array(fc.oneof(annotation, crafted), { maxLength: 5 })
  .map((list) => Object.fromEntries(list));

/** Each published payload once, by itself, and then whatever comes. */
export function hostileTenantObjects(tenant: HostileTenant): readonly KubeObject[] {
  const { namespace, count, seed } = tenant;
  const any = fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: uids });
  const all = fc
    .tuple(fc.integer({ min: 0, max: names - 1 }), fc.integer({ min: 0, max: 5 }), any, anyObject(tenant))
    .map(
      ([n, age, uid, { metadata, ...object }]): KubeObject => ({
        ...object,
        // This much the API server sees to.
        metadata: {
          ...texts('annotations', metadata?.annotations),
          ...texts('labels', metadata?.labels),
          name: `h${n}`,
          namespace,
          uid: (tenant.bent === true ? uid : undefined) ?? `evil-${object.kind}-${n}`,
          generation: 1,
          // Others were there before.
          creationTimestamp: `2025-01-0${age + 1}T00:00:00Z`,
        },
      }),
    );
  const crafted = payloads.map((payload, at) => ingressWith(tenant, payload, `h${at % names}`));
  return [...crafted, ...fc.sample(all, { numRuns: count - crafted.length, seed })];
}

const uids = fc.constantFrom(...(published.get('uid') ?? []));

/** Everything else about it is right, so that it gets as far as it can. */
function ingressWith(
  { namespace, ingressClass, bent }: HostileTenant,
  { at, text: value }: Payload,
  name: string,
): KubeObject {
  const isAnnotation = at !== 'path' && at !== 'uid';
  const path = at === 'path' ? value : '/';
  const backend = { service: { name: 'evil', port: { number: 80 } } };
  const annotations = {
    ...(at.startsWith('auth-') && at !== 'auth-type' && { [`${nginxPrefix}auth-type`]: 'basic' }),
    ...(at.startsWith('cors-') && { [`${nginxPrefix}enable-cors`]: 'true' }),
    ...(at.startsWith('session-cookie-') && { [`${nginxPrefix}affinity`]: 'cookie' }),
    ...(isAnnotation && { [`${nginxPrefix}${at}`]: value }),
  };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name,
      namespace,
      annotations,
      uid: at === 'uid' && bent === true ? value : `evil-Ingress-${name}`,
      generation: 1,
      creationTimestamp: '2025-01-01T00:00:00Z',
    },
    spec: {
      ingressClassName: ingressClass,
      rules: [
        {
          host: 'evil.example',
          http: { paths: [{ path, pathType: 'ImplementationSpecific', backend }] },
        },
      ],
    },
  } as unknown as KubeObject;
}

function texts(field: 'annotations' | 'labels', value: unknown): object {
  if (typeof value !== 'object' || value === null) return {};
  const list = Object.entries(value).filter(([, each]) => typeof each === 'string');
  return list.length === 0 ? {} : { [field]: Object.fromEntries(list) };
}

function anyObject({ ingressClass, alb, gateway, hosts, bent }: HostileTenant): fc.Arbitrary<KubeObject> {
  const host = fc.constantFrom(...hosts, ...hosts, '*.example', 'evil.example', 'x.evil.example', '');
  const backend = fc.constantFrom(
    { service: { name: 'evil', port: { number: 80 } } },
    { service: { name: 'web', port: { number: 80 } } },
    { service: { name: 'shop/web', port: { number: 80 } } },
    { resource: { apiGroup: '', kind: 'Secret', name: 'cert' } },
  );
  const path = fc.record({
    path: fc.constantFrom(
      '/',
      '/shop',
      '/.+/(a+)+$',
      '/../../etc/passwd',
      '/%00%0d%0a',
      '//',
      ...(published.get('path') ?? []),
    ),
    pathType: fc.constantFrom('Exact', 'Prefix', 'ImplementationSpecific'),
    backend,
  });
  const ingress = fc
    .record({
      annotations,
      rules: fc.array(
        fc.record({ host, http: fc.record({ paths: fc.array(path, { minLength: 1, maxLength: 3 }) }) }),
        {
          maxLength: 2,
        },
      ),
      tls: fc.array(
        fc.record({
          hosts: fc.array(host, { maxLength: 2 }),
          secretName: fc.constantFrom('h1', 'cert', 'shop/cert'),
        }),
        {
          maxLength: 1,
        },
      ),
    })
    .map(({ annotations: own, rules, tls }) =>
      objectOf('networking.k8s.io/v1', 'Ingress', {
        annotations: own,
        spec: {
          ingressClassName: ingressClass,
          rules: rules.map(({ host: at, http }) => (at === '' ? { http } : { host: at, http })),
          tls,
          defaultBackend: { service: { name: 'evil', port: { number: 80 } } },
        },
      }),
    );
  const parentRefs = [{ ...gateway }, { group: 'netloom.dev', kind: 'ALB', ...alb }];
  const targets = (...kinds: readonly string[]) =>
    kinds.map((kind) => ({
      group: kind === 'ALB' ? 'netloom.dev' : gatewayGroup,
      kind,
      name: kind === 'ALB' ? alb.name : gateway.name,
    }));
  const ours = [
    objectOf('netloom.dev/v1alpha1', 'TrafficPolicy', {
      spec: { ...samples.trafficSpec, targetRefs: targets('Gateway', 'ALB') },
    }),
    objectOf('netloom.dev/v1alpha1', 'TrafficPolicy', {
      spec: {
        ...samples.trafficSpec,
        targetRefs: [
          { group: gatewayGroup, kind: 'HTTPRoute', name: 'h1' },
          { group: 'networking.k8s.io', kind: 'Ingress', name: 'h2' },
        ],
      },
    }),
    objectOf('netloom.dev/v1alpha1', 'BackendPolicy', { spec: samples.backendPolicySpec }),
    objectOf('netloom.dev/v1alpha1', 'WAFPolicy', {
      spec: {
        targetRefs: [...targets('Gateway', 'ALB'), { group: gatewayGroup, kind: 'HTTPRoute', name: 'h1' }],
        enforced: true,
        mode: 'Off',
        paranoia: 4,
        exclusions: [{ rules: ['900000-999999'], target: 'ARGS:a' }, { tags: ['attack-sqli'] }],
        configMapRefs: [{ name: 'h1' }, { name: 'h2' }],
      },
    }),
    objectOf('netloom.dev/v1alpha1', 'ALB', {
      spec: { ...samples.albSpec, ingressClass: { name: ingressClass, default: true } },
    }),
    objectOf(`${gatewayGroup}/v1`, 'ListenerSet', {
      spec: {
        parentRef: parentRefs[1],
        listeners: hosts.map((hostname, at) => ({
          name: `l${at}`,
          port: 443,
          protocol: 'HTTPS',
          hostname,
          tls: { certificateRefs: [{ name: 'h1' }, { name: 'cert', namespace: 'shop' }] },
        })),
      },
    }),
    objectOf(`${gatewayGroup}/v1`, 'HTTPRoute', {
      spec: { ...samples.httpSpec, parentRefs, hostnames: [...hosts, '*.example'] },
    }),
    objectOf(`${gatewayGroup}/v1`, 'TLSRoute', {
      spec: { ...samples.tlsSpec, parentRefs, hostnames: hosts },
    }),
    objectOf(`${gatewayGroup}/v1`, 'Gateway', {
      spec: {
        ...samples.gatewaySpec,
        infrastructure: { parametersRef: { group: 'netloom.dev', kind: 'ALB', name: alb.name } },
      },
    }),
    objectOf(`${gatewayGroup}/v1`, 'BackendTLSPolicy', { spec: samples.policySpec }),
    objectOf('v1', 'Secret', { type: 'kubernetes.io/tls', data: { 'tls.crt': 'LS0t', 'tls.key': 'LS0t' } }),
    objectOf('v1', 'Secret', {
      type: 'Opaque',
      data: { auth: base64("root:$apr1$x$0123456789abcdefghijk.\n__proto__:{SHA}x\n';os.execute():plain\n") },
    }),
    objectOf('v1', 'ConfigMap', {
      data: {
        rules:
          'SecRule ARGS "@rx a" "id:100001,phase:2,deny,exec:/bin/sh"\nSecRuleEngine Off\nInclude /etc/passwd',
        'ca.crt': '-----BEGIN CERTIFICATE-----\nLS0t\n-----END CERTIFICATE-----\n',
      },
    }),
    objectOf('crd.alauda.io/v2beta1', 'ALB2', {
      annotations: { 'netloom.dev/serve': 'true' },
      spec: {
        type: 'nginx',
        config: { loadbalancerName: alb.name, projects: ['ALL_ALL'], networkMode: 'host' },
      },
    }),
    objectOf('crd.alauda.io/v1', 'Frontend', {
      labels: { 'alb2.cpaas.io/name': 'h1' },
      spec: {
        port: 443,
        protocol: 'https',
        certificate_name: 'shop_cert',
        serviceGroup: { services: [{ name: 'web', namespace: 'shop', port: 80, weight: 100 }] },
      },
    }),
    objectOf('crd.alauda.io/v1', 'Rule', {
      labels: { 'alb2.cpaas.io/name': 'h1', 'alb2.cpaas.io/frontend': 'h1' },
      spec: {
        dslx: [
          { type: 'HOST', values: [['EQ', ...hosts]] },
          { type: 'URL', values: [['REGEX', '/(a+)+$";os.execute()--']] },
        ],
        rewriteBase: '/a;}',
        rewriteTarget: '/$1;}\nreturn 200;',
        url: '/x"; return 200',
        serviceGroup: { services: [{ name: 'web', namespace: 'shop', port: 80, weight: 100 }] },
      },
    }),
  ];
  const other = fc.constantFrom(...ours);
  return fc.oneof(
    {
      weight: 5,
      arbitrary: bent === true ? ingress.chain((one) => fc.oneof(fc.constant(one), hostile(one))) : ingress,
    },
    { weight: 6, arbitrary: bent === true ? other.chain(hostile) : other },
  );
}

function objectOf(
  apiVersion: string,
  kind: string,
  { annotations: own, labels, ...rest }: Readonly<Record<string, unknown>>,
): KubeObject {
  const metadata = { name: 'x', annotations: own ?? {}, labels: labels ?? {} };
  return { apiVersion, kind, metadata, ...rest } as unknown as KubeObject;
}

function base64(value: string): string {
  return btoa(value);
}
