/** What is printed does with requests what is served of the objects that it was printed of. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#api/object.ts';
import { explainRequest } from '#compile/answers/request.ts';
import { gatewaysOf, ourClass } from '../answers/gateways.ts';
import { type Source, translate } from './translate.ts';

const objectOf = (apiVersion: string, kind: string, key: string, rest: object): KubeObject => {
  const [namespace = '', name = ''] = key.split('/');
  return { apiVersion, kind, metadata: { name, namespace }, ...rest };
};
const service = (key: string, port = 80): KubeObject =>
  objectOf('v1', 'Service', key, { spec: { ports: [{ name: 'http', port }] } });
const grant = objectOf('gateway.networking.k8s.io/v1', 'ReferenceGrant', 'shop/all', {
  spec: {
    from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'cpaas-system' }],
    to: [{ group: '', kind: 'Service' }],
  },
});
const serve = { annotations: { 'netloom.dev/serve': 'true' } };
const alb = objectOf('netloom.dev/v1alpha1', 'ALB', 'edge/main', {
  spec: { ingressClass: { name: 'nginx', default: true }, tenants: { selector: {} }, hostnames: 'Shared' },
});

test.each<[Source, readonly KubeObject[], string, string, readonly string[]]>([
  [
    'alb',
    ['shop/api', 'shop/api-next', 'shop/web', 'cpaas-system/fallback']
      .map((key) => service(key))
      .concat(grant),
    'cpaas-system/edge~alb2~alb',
    'cpaas-system/edge~alb',
    ['shop.example/api/a', 'shop.example/api', 'shop.example/else', 'other.example/api', 'other.example/'],
  ],
  [
    'ingress-nginx',
    [...['shop/api', 'shop/api-next', 'ops/ui'].map((key) => service(key)), service('shop/cart', 8080), alb],
    'edge/main~alb',
    'ingress-nginx/nginx',
    [
      'shop.example/',
      'shop.example/cart',
      'api.example/v1/users',
      'api.example/v1',
      'api.example/static/x',
      'api.example/STATIC/x',
      'api.example/else',
      'any.example/',
      'any.example/ui',
    ],
  ],
])('%s', async (source, around, served, printed, urls) => {
  const text = readFileSync(join(import.meta.dirname, 'testdata', `${source}-clean.yaml`), 'utf8');
  const written = parseAllDocuments(text).flatMap(
    (each) => (each.toJS() as { readonly items: readonly KubeObject[] }).items,
  );
  const whole = written
    .filter(({ kind }) => kind !== 'IngressClass')
    .map((object) => {
      if (object.kind === 'ALB2') return { ...object, metadata: { ...object.metadata, ...serve } };
      const { spec } = object as { readonly spec?: object };
      return object.kind === 'Ingress' ? { ...object, spec: { ingressClassName: 'nginx', ...spec } } : object;
    });
  const decide = async (objects: readonly KubeObject[], instance: string) => {
    const { gateways } = await gatewaysOf([ourClass, ...around, ...objects], () =>
      Promise.resolve(undefined),
    );
    const found = gateways.find(({ key }) => key === instance);
    return urls.map((url) => {
      const [host = '', ...path] = url.split('/');
      const asked = {
        host,
        port: 80,
        target: `/${path.join('/')}`,
        method: 'GET',
        headers: new Map<string, string>(),
      };
      const { outcome, code, backends } = explainRequest(instance, found!.intent, {
        scheme: 'http',
        ...asked,
      });
      return `${url}: ${outcome} ${code ?? ''} ${backends.map((each) => `${each.service?.name} ${each.share}`).join(', ')}`;
    });
  };
  const { objects } = translate(source, written);
  const services = written.filter(({ kind }) => kind === 'Service');
  expect(objects.filter(({ kind }) => kind === 'Service')).toEqual([]);
  expect(await decide([...objects, ...services], printed)).toEqual(await decide(whole, served));
});
