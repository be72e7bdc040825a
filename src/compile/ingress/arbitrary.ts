/** For tests: any Ingresses and classes, few enough that they meet. */
import fc from 'fast-check';
import type { IngressClassModel, IngressModel } from '#model/ingress/types.ts';
import { ingressOf } from './testing.ts';

const annotations = fc.dictionary(
  fc.constantFrom(
    'rewrite-target',
    'auth-tls-secret',
    'server-alias',
    'from-to-www-redirect',
    'ssl-redirect',
    'limit-rps',
    'auth-type',
    'auth-secret',
    'default-backend',
    'backend-protocol',
    'load-balance',
    'enable-modsecurity',
    'nonsense',
  ),
  fc.constantFrom('true', 'false', '/$1', 'cert', 'b.a.example', '5', 'basic', 'web', 'HTTPS', 'ewma'),
  { maxKeys: 2, noNullPrototype: true },
);

const canary = fc.constantFrom({}, {}, {}, { canary: 'true', 'canary-weight': '10' });

/** Of class `main`, another one, or none. */
export const anyIngress: fc.Arbitrary<IngressModel> = fc
  .record({
    namespace: fc.constantFrom('shop', 'shop', 'other'),
    name: fc.constantFrom('one', 'two', 'three'),
    className: fc.constantFrom('main', 'main', 'main', 'else', undefined),
    age: fc.integer({ min: 0, max: 2 }),
    paths: fc.dictionary(
      fc.constantFrom('a.example/', 'a.example/x', 'b.a.example/', '*.example/y Exact', '/'),
      fc.constantFrom('web', 'web:81', 'none'),
      { maxKeys: 2, noNullPrototype: true },
    ),
    tls: fc.dictionary(fc.constantFrom('a.example', '*.example', ''), fc.constantFrom('cert', 'none', ''), {
      maxKeys: 1,
      noNullPrototype: true,
    }),
    annotations,
    canary,
    defaultBackend: fc.constantFrom(undefined, undefined, 'web'),
  })
  .map(({ className, defaultBackend, canary: own, annotations: others, ...wish }) => ({
    ...ingressOf({
      ...wish,
      annotations: { ...others, ...own },
      ...(defaultBackend === undefined ? {} : { defaultBackend }),
    }),
    ...(className === undefined ? {} : { className }),
  }));

export const anyIngressClass: fc.Arbitrary<IngressClassModel> = fc
  .record({
    name: fc.constantFrom('main', 'main', 'else'),
    controller: fc.constantFrom('netloom.dev/ingress', 'netloom.dev/ingress', 'example.org/other'),
    isDefault: fc.boolean(),
    alb: fc.constantFrom('shop/lb', 'shop/lb', 'shop/none', undefined),
  })
  .map(({ name, alb, ...part }) => ({
    origin: { kind: 'IngressClass', name },
    key: name,
    namespace: '',
    name,
    uid: name,
    generation: 1,
    created: '2026-01-01T00:00:00Z',
    ...part,
    ...(alb === undefined ? {} : { alb }),
  }));
