/** Annotations of ALB on Ingresses: what they come to, and what of them isn't done. */
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { readIngress } from '#model/ingress/ingress.ts';
import { readAnnotations } from '../read-annotations.ts';

const read = (annotations: Readonly<Record<string, string>>) => {
  const object = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'x', namespace: 'shop', annotations },
    spec: {},
  } as KubeObject;
  return readAnnotations(readIngress(object).value!);
};
const alb = 'alb.ingress.cpaas.io/';

test.each([
  [
    { [`${alb}rewrite-request`]: '{"headers":{"X-A":"b"},"headers_remove":["X-C"]}' },
    {
      filters: [
        {
          type: 'RequestHeaderModifier',
          headers: { set: [{ name: 'X-A', value: 'b' }], add: [], remove: ['X-C'] },
        },
      ],
    },
  ],
  [
    { [`${alb}redirect-host`]: 'b.example', [`${alb}redirect-code`]: '308' },
    { redirect: { type: 'RequestRedirect', hostname: 'b.example', statusCode: 308 } },
  ],
  [
    { [`${alb}redirect-replace-prefix`]: '/b', [`${alb}redirect-prefix-match`]: '/a' },
    {
      redirect: {
        type: 'RequestRedirect',
        path: { type: 'ReplacePrefixMatch', value: '/b' },
        statusCode: 302,
      },
    },
  ],
  [
    { [`${alb}session-affinity-policy`]: 'sip-hash' },
    { settings: { affinity: { type: 'hash', hash: { by: 'client' } } } },
  ],
  // ALB's own word goes before ingress-nginx'.
  [
    { 'nginx.ingress.kubernetes.io/proxy-connect-timeout': '1', [`${alb}proxy-connect-timeout`]: '2' },
    { settings: { timeouts: { connect: 2000 } } },
  ],
])('%j', (annotations, effects) => {
  expect(read(annotations as unknown as Record<string, string>)).toMatchObject({
    effects,
    closed: false,
    findings: [],
  });
});

test.each([
  ['alb.networking.cpaas.io/tls', 'a.example=other/cert', false],
  ['alb.modsecurity.cpaas.io/cmref', 'shop/rules#a', true],
  ['index.0-0.alb.ingress.cpaas.io/redirect-host', 'b.example', false],
  ['index.0-1.alb.ingress.cpaas.io/auth-url', 'http://a.b/', true],
  [`${alb}rewrite-request`, '{"headers_var":{"x":"cookie_a"}}', false],
  [`${alb}rewrite-response`, '{"headers":{"X-A":"b\\r\\nX-B: c"}}', false],
  [`${alb}otel`, '{"enable":true}', false],
  [`${alb}unheard-of`, '1', false],
])('%s: %s is told; nothing is served: %s', (name, value, closed) => {
  const { findings, closed: isClosed } = read({ [name]: value });
  expect(findings.map(({ field }) => field)).toEqual([`metadata.annotations[${name}]`]);
  expect(isClosed).toBe(closed);
});

test('what merely looks like one is somebody else’s', () => {
  expect(read({ 'index.example/x': '1', 'alb.example/y': '2' }).findings).toEqual([]);
});
