/** Whatever the Ingresses: what is printed of them does with requests what is served of them, unless a loss is told. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { explainRequest } from '#compile/answers/request.ts';
import { makeCertificate } from '#lab/apiserver/certificate.ts';
import { gatewaysOf, ourClass } from '../answers/gateways.ts';
import { translate } from './translate.ts';

const objectOf = (apiVersion: string, kind: string, key: string, rest: object, more: object = {}) => {
  const [namespace = '', name = ''] = key.split('/');
  return { apiVersion, kind, metadata: { name, namespace, ...more }, ...rest } as KubeObject;
};
const services = ['web', 'api', 'next'];
const around: readonly KubeObject[] = [
  objectOf('netloom.dev/v1alpha1', 'ALB', 'edge/main', {
    spec: { ingressClass: { name: 'nginx' }, tenants: { selector: {} }, hostnames: 'Shared' },
  }),
  ...['shop', 'other'].flatMap((namespace) =>
    services.flatMap((name) => [
      objectOf('v1', 'Service', `${namespace}/${name}`, {
        spec: { ports: [{ name: 'http', port: 80 }] },
      }),
      objectOf(
        'discovery.k8s.io/v1',
        'EndpointSlice',
        `${namespace}/${name}`,
        {
          addressType: 'IPv4',
          ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
          endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
        },
        { labels: { 'kubernetes.io/service-name': name } },
      ),
    ]),
  ),
];
const { certificate, key } = makeCertificate({
  use: 'server',
  commonName: 'a.example',
  names: ['a.example', '*.a.example', 'b.example', 'www.a.example'],
  notBefore: new Date('2026-01-01T00:00:00Z'),
  notAfter: new Date('2036-01-01T00:00:00Z'),
});
const secret = (namespace: string, name: string) => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return name === 'cert'
    ? objectOf('v1', 'Secret', `${namespace}/cert`, {
        type: 'kubernetes.io/tls',
        data: { 'tls.crt': base64(certificate), 'tls.key': base64(key) },
      })
    : objectOf('v1', 'Secret', `${namespace}/${name}`, {
        data: { auth: base64('ann:$apr1$abcdefgh$0123456789012345678901') },
      });
};

const prefix = 'nginx.ingress.kubernetes.io/';
/** Together, as they are used. */
const annotations = fc.constantFrom<Readonly<Record<string, string>>>(
  {},
  {},
  {},
  { 'use-regex': 'true' },
  { 'rewrite-target': '/' },
  { 'rewrite-target': '/new/$2', 'use-regex': 'true' },
  { 'ssl-redirect': 'false' },
  { 'force-ssl-redirect': 'true' },
  { 'app-root': '/start' },
  { 'permanent-redirect': 'https://c.example/x', 'permanent-redirect-code': '308' },
  { 'temporal-redirect': 'https://c.example$request_uri' },
  { 'server-alias': 'b.example' },
  { 'from-to-www-redirect': 'true' },
  { 'whitelist-source-range': '10.0.0.0/8', 'limit-rps': '5' },
  { 'auth-type': 'basic', 'auth-secret': 'users', 'proxy-body-size': '8m' },
  { 'upstream-vhost': 'in.example', 'enable-cors': 'true' },
  { affinity: 'cookie', 'proxy-read-timeout': '5' },
  { canary: 'true', 'canary-weight': '20' },
  { canary: 'true', 'canary-by-header': 'x-next' },
);
const path = fc.record({
  path: fc.constantFrom('/', '/', '/shop', '/shop/cart', '/old(/|$)(.*)'),
  pathType: fc.constantFrom('Prefix', 'Prefix', 'Exact', 'ImplementationSpecific'),
  backend: fc.record({
    service: fc.record({
      name: fc.constantFrom(...services),
      port: fc.constantFrom({ number: 80 }, { name: 'http' }),
    }),
  }),
});
const rule = fc.record({
  host: fc.constantFrom('a.example', 'a.example', '*.a.example', 'b.example', undefined),
  http: fc.record({ paths: fc.array(path, { minLength: 1, maxLength: 2 }) }),
});
const tls = fc.constantFrom(
  [],
  [],
  [{ hosts: ['a.example'], secretName: 'cert' }],
  [{ hosts: ['*.a.example'], secretName: 'cert' }],
);
const ingress = fc
  .record({
    key: fc.constantFrom('shop/one', 'shop/two', 'shop/three', 'other/one'),
    age: fc.integer({ min: 0, max: 3 }),
    annotations,
    rules: fc.array(rule, { maxLength: 2 }),
    tls,
    defaultBackend: fc.constantFrom(undefined, undefined, { service: { name: 'web', port: { number: 80 } } }),
  })
  .map(({ key: own, age, annotations: said, ...spec }) =>
    objectOf(
      'networking.k8s.io/v1',
      'Ingress',
      own,
      { spec: { ingressClassName: 'nginx', ...spec } },
      {
        creationTimestamp: `2026-01-01T00:00:0${age}Z`,
        annotations: Object.fromEntries(
          Object.entries(said).map(([name, value]) => [`${prefix}${name}`, value]),
        ),
      },
    ),
  );
const ingresses = fc.uniqueArray(ingress, {
  minLength: 1,
  maxLength: 3,
  selector: ({ metadata: { namespace, name } }) => `${namespace}/${name}`,
});

const asked = ['a.example', 'x.a.example', 'b.example', 'www.a.example', 'd.example'].flatMap((host) =>
  ['/', '/shop', '/shop/', '/shop/cart', '/shopping', '/old', '/old/x', '/else'].flatMap((target) =>
    (['http', 'https'] as const).map((scheme) => ({ host, target, scheme })),
  ),
);

async function decisions(objects: readonly KubeObject[], instance: string): Promise<readonly string[]> {
  const { gateways } = await gatewaysOf([ourClass, ...around, ...objects], (_, namespace, name) =>
    Promise.resolve(secret(namespace, name)),
  );
  const intent = gateways.find((each) => each.key === instance)!.intent;
  return asked.map(({ host, target, scheme }) => {
    const port = scheme === 'http' ? 80 : 443;
    const request = { host, target, scheme, port, method: 'GET', headers: new Map<string, string>() };
    const { outcome, code, backends, steps } = explainRequest(instance, intent, request);
    const to = backends.map((each) => `${each.service?.namespace}/${each.service?.name} ${each.share}`);
    const does = steps.filter(({ kind }) => kind === 'does').map(({ text }) => text);
    // Said in other words.
    const what = does
      .join('; ')
      .replaceAll(/keeps to \S+ \S+; /g, '')
      .replace('path, with what its pattern captured, to /new/$2', 'prefix to /new');
    return `${scheme}://${host}${target}: ${outcome} ${code ?? ''} ${to.join()} ${what}`;
  });
}

test('random Ingresses', async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(ingresses, async (objects) => {
      const { objects: printed, findings } = translate('ingress-nginx', [...objects, ...around]);
      if (findings.some(({ isNote }) => isNote !== true)) return;
      compared += 1;
      const made = printed.filter((each) => !around.includes(each));
      const served = await decisions(objects, 'edge/main~alb');
      const wrong = (await decisions(made, 'ingress-nginx/nginx')).flatMap((each, index) =>
        each === served[index] ? [] : [`${each}, served ${served[index]}`],
      );
      expect(wrong.slice(0, 3)).toEqual([]);
    }),
    { numRuns: 150 },
  );
  expect(compared).toBeGreaterThan(30);
}, 120_000);
