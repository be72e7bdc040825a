/** A namespace writes whatever it can think of: what others have at the same gateways, and what is said of it, stays byte for byte the same. */
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { createGatewayBook } from '#compile/gateway/book.ts';
import { service, slice, tlsPolicy } from '#compile/gateway/samples.ts';
import { certificate, gatewayClass, hostnameGrant, running, slots, users } from '#compile/gateway/testing.ts';
import type { GatewayChanges, GatewayInput } from '#compile/gateway/types.ts';
import { readALB2 } from '#model/alauda/alb2.ts';
import { readFrontend } from '#model/alauda/frontend.ts';
import { readRule } from '#model/alauda/rule.ts';
import { readALB } from '#model/gateway/alb.ts';
import { readBackendPolicy } from '#model/gateway/backendpolicy.ts';
import { readBackendTLSPolicy } from '#model/gateway/backendtlspolicy.ts';
import { readFirewallRules } from '#model/gateway/firewall-rules.ts';
import { readGateway } from '#model/gateway/gateway.ts';
import { readListenerSet } from '#model/gateway/listenerset.ts';
import { readRoute } from '#model/gateway/route.ts';
import * as samples from '#model/gateway/samples.ts';
import { readTrafficPolicy } from '#model/gateway/trafficpolicy.ts';
import { readUsers } from '#model/gateway/users.ts';
import { readWAFPolicy } from '#model/gateway/wafpolicy.ts';
import { readIngress } from '#model/ingress/ingress.ts';
import type { Read } from '#model/problem.ts';
import { hostileTenantObjects } from './hostile-tenants.ts';
import { advisories, payloads } from './published-payloads.ts';

type Row = readonly [kind: GatewayInput, read: (object: KubeObject) => Read<unknown>];

/** What there is for each kind; what isn't read from the object itself stands for a certificate. */
const rows: Readonly<Record<string, readonly Row[]>> = {
  ALB: [['alb', readALB]],
  ALB2: [['alb2', readALB2]],
  BackendPolicy: [['backendPolicy', readBackendPolicy]],
  BackendTLSPolicy: [['tlsPolicy', readBackendTLSPolicy]],
  ConfigMap: [['firewallRules', readFirewallRules]],
  Frontend: [['frontend', readFrontend]],
  Gateway: [['gateway', readGateway]],
  HTTPRoute: [['route', readRoute]],
  Ingress: [['ingress', readIngress]],
  ListenerSet: [['listenerSet', readListenerSet]],
  Rule: [['albRule', readRule]],
  Secret: [
    ['users', readUsers],
    ['certificate', certificateOf],
  ],
  TLSRoute: [['route', readRoute]],
  TrafficPolicy: [['policy', readTrafficPolicy]],
  WAFPolicy: [['wafPolicy', readWAFPolicy]],
};

function certificateOf({
  metadata: { namespace, name },
  type,
}: KubeObject & { type?: unknown }): Read<unknown> {
  const value = type === 'kubernetes.io/tls' ? certificate(`${namespace}/${name}`) : undefined;
  return { value, problems: [] };
}

const object = (apiVersion: string, kind: string, key: string, rest: object): KubeObject => {
  const [namespace = '', name = ''] = key.split('/');
  const metadata = { namespace, name, uid: key, generation: 1, creationTimestamp: '2024-06-01T00:00:00Z' };
  return { apiVersion, kind, metadata, ...rest } as unknown as KubeObject;
};
const ours = (kind: string, key: string, spec: object) => object('netloom.dev/v1alpha1', kind, key, { spec });
const api = (kind: string, key: string, spec: object) =>
  object('gateway.networking.k8s.io/v1', kind, key, { spec });
const everybody = { selector: {} };
const parents = [
  { name: 'edge', namespace: 'infra' },
  { group: 'netloom.dev', kind: 'ALB', name: 'lb', namespace: 'infra' },
];

/** What others have, of every kind. */
const quiet: readonly KubeObject[] = [
  ours('ALB', 'infra/lb', {
    http: { port: 80 },
    https: { port: 443, certificate: 'cert' },
    ingressClass: { name: 'lb' },
    tenants: everybody,
    hostnames: 'FirstHolder',
    quotas: { requestsPerSecond: 1000 },
  }),
  api('Gateway', 'infra/edge', {
    gatewayClassName: 'netloom',
    listeners: [
      { name: 'any', port: 8080, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } },
    ],
  }),
  api('HTTPRoute', 'shop/web', {
    ...samples.httpSpec,
    // Who asks for any Gateway gets anybody's.
    useDefaultGateways: 'None',
    parentRefs: parents,
    hostnames: ['shop.example'],
  }),
  object('networking.k8s.io/v1', 'Ingress', 'shop/web', {
    spec: {
      ingressClassName: 'lb',
      tls: [{ hosts: ['own.example'], secretName: 'cert' }],
      rules: [
        {
          host: 'own.example',
          http: {
            paths: [
              { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } },
            ],
          },
        },
      ],
    },
  }),
  ours('TrafficPolicy', 'shop/web', {
    ...samples.trafficSpec,
    trustedProxies: undefined,
    targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'web' }],
  }),
  ours('TrafficPolicy', 'infra/lb', {
    targetRefs: [{ group: 'netloom.dev', kind: 'ALB', name: 'lb' }],
    maxBodySize: '8Mi',
  }),
  ours('BackendPolicy', 'shop/web', samples.backendPolicySpec),
  ours('WAFPolicy', 'shop/web', {
    targetRefs: [{ group: 'networking.k8s.io', kind: 'Ingress', name: 'web' }],
    mode: 'Block',
  }),
];

const isOthers = (namespace: string | undefined) => namespace === 'shop' || namespace === 'infra';

test('each advisory about ingress-nginx has a payload that is tried, and each payload is of one', () => {
  expect([...new Set(payloads.flatMap((each) => each.of))].sort()).toEqual([...advisories].sort());
  const tried = new Set(
    hostileTenantObjects({
      namespace: 'evil',
      ingressClass: 'lb',
      alb: { name: 'lb', namespace: 'infra' },
      gateway: { name: 'edge', namespace: 'infra' },
      hosts: [],
      count: payloads.length,
      seed: 7,
      bent: true,
    }).flatMap(({ metadata, spec }) => [
      metadata.uid,
      ...Object.values(metadata.annotations ?? {}),
      (spec as { rules: [{ http: { paths: [{ path: string }] } }] }).rules[0].http.paths[0].path,
    ]),
  );
  expect(payloads.filter(({ text }) => !tried.has(text))).toEqual([]);
});

test.each<[string, number, boolean]>([
  ['what an API server takes', 5_000, false],
  ['what nobody has checked', 5_000, true],
])(
  'ten thousand objects: %s',
  (_, count, bent) => {
    const book = createGatewayBook(slots);
    const put = (each: KubeObject) => {
      const { namespace, name } = each.metadata;
      for (const [kind, read] of rows[each.kind ?? ''] ?? []) {
        const key = kind === 'route' ? `${each.kind}/${namespace}/${name}` : `${namespace}/${name}`;
        book.set(kind, key, read(each).value as undefined);
      }
    };
    book.set('class', 'netloom', gatewayClass());
    for (const key of ['infra/edge', 'infra/lb~alb']) book.setFacts(key, running);
    for (const key of ['infra/cert', 'shop/cert']) book.set('certificate', key, certificate(key));
    for (const name of ['web', 'auth', 'next', 'copy', 'pages'])
      book.set('service', `shop/${name}`, service(`shop/${name}`, ['http 80']));
    book.set('service', 'evil/evil', service('evil/evil', ['http 80']));
    book.set('slice', 'one', slice('shop/web', ['10.0.0.1']));
    book.set('users', 'shop/users', users('shop/users'));
    book.set('tlsPolicy', 'shop/next', tlsPolicy('shop/next', 'next'));
    book.set('hostnameGrant', 'own', hostnameGrant('own', ['own.example'], 'shop'));
    for (const each of quiet) put(each);
    book.settle();
    const keys = ['infra/edge', 'infra/lb~alb'] as const;
    const held = new Map(keys.map((key) => [key as string, textsOf(book.whole(key))]));
    expect(Object.keys(book.whole('infra/edge')?.rules ?? {}).length).toBeGreaterThan(1);
    expect(Object.keys(book.whole('infra/lb~alb')?.certificates ?? {})).toEqual(['infra/cert', 'shop/cert']);

    const seen = new Set<string>();
    const check = ({ instances, statuses }: GatewayChanges): void => {
      for (const [instance, change] of instances) {
        const own = held.get(instance);
        for (const [domain, entries] of Object.entries(change?.put ?? {})) {
          for (const [key, entry] of Object.entries(entries)) {
            seen.add(domain);
            const id = `${domain} ${key}`;
            const text = textOf(domain, entry);
            // What is another's stays what it was; what is new is nobody's but its own.
            if (own?.has(id) === true) expect([id, text]).toEqual([id, own.get(id)]);
            else expect([id, ownersOf(entry).filter(isOthers)]).toEqual([id, []]);
          }
        }
        for (const [domain, gone] of Object.entries(change?.remove ?? {}))
          for (const key of gone)
            expect(own?.has(`${domain} ${key}`) ?? false, `${domain} ${key} is gone`).toBe(false);
      }
      for (const [id, status] of statuses) {
        const [kind, namespace] = id.split('/');
        // Of these, numbers of routes are told to their owners.
        if (isOthers(namespace) && kind !== 'Gateway' && kind !== 'ALB')
          expect.fail(`${id}: ${JSON.stringify(status)}`);
      }
    };
    const objects = hostileTenantObjects({
      namespace: 'evil',
      ingressClass: 'lb',
      alb: { name: 'lb', namespace: 'infra' },
      gateway: { name: 'edge', namespace: 'infra' },
      hosts: ['shop.example', 'own.example'],
      count,
      seed: 7,
      bent,
    });
    for (const [index, each] of objects.entries()) {
      put(each);
      if (index % 50 === 0) check(book.settle());
    }
    check(book.settle());
    for (const key of keys) {
      const after = textsOf(book.whole(key));
      for (const [id, text] of held.get(key) ?? []) expect([id, after.get(id)]).toEqual([id, text]);
    }
    // All of it is reached.
    expect([...seen].sort()).toEqual(expect.arrayContaining(['actions', 'backends', 'policies', 'rules']));
  },
  120_000,
);

/** On a port for HTTPS somebody may have TLS passed through for a name of their own: then connections are told apart by name first. */
function textOf(domain: string, entry: unknown): string {
  const text = JSON.stringify(entry);
  return domain === 'ports' ? text.replace('"kind":"tls"', '"kind":"https"') : text;
}

function textsOf(intent: object | undefined): ReadonlyMap<string, string> {
  const list = Object.entries(intent ?? {}).flatMap(([domain, entries]) =>
    Object.entries(entries as object).map(
      ([key, entry]) => [`${domain} ${key}`, textOf(domain, entry)] as const,
    ),
  );
  return new Map(list);
}

/** Namespaces of those that an entry was made for. */
function ownersOf(entry: unknown): readonly (string | undefined)[] {
  const { origin, origins, action } = entry as {
    readonly origin?: { readonly namespace?: string };
    readonly origins?: readonly { readonly namespace?: string }[];
    readonly action?: string;
  };
  return [
    origin?.namespace,
    // A policy of the owner of a gateway holds for all who are there.
    ...(origins ?? []).map(({ namespace }) => namespace).filter((namespace) => namespace !== 'infra'),
    ...(action === undefined ? [] : [action.split('/')[1]]),
  ];
}
