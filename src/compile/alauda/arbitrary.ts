/** For tests: any of ALB's objects, few enough that they belong together. */
import fc from 'fast-check';
import type { Change } from '../gateway/arbitrary.ts';
import { alb2Object, clusterOf, frontendObject, ruleObject } from './samples.ts';

const web = [{ name: 'web', port: 80, weight: 1 }];
const foreign = [{ name: 'web', namespace: 'other', port: 80, weight: 1 }];

const alb2 = fc.constantFrom(
  alb2Object(),
  alb2Object({ ingressHTTPPort: 0, projects: ['a'], modsecurity: { enable: true } }),
  alb2Object({ defaultSSLCert: 'shop/cert', ingressSSLRedirect: true }),
  { ...alb2Object(), metadata: { ...alb2Object().metadata, annotations: {} } },
);
const frontend = fc
  .record({
    name: fc.constantFrom('web', 'tls'),
    port: fc.constantFrom(80, 8080, 443),
    protocol: fc.constantFrom('http', 'https', 'tcp'),
    services: fc.constantFrom(undefined, web, foreign),
    certificate: fc.constantFrom('shop/cert', 'other/cert', undefined),
  })
  .map(({ name, port, protocol, services, certificate }) =>
    frontendObject(name, {
      port,
      protocol,
      certificate_name: certificate,
      ...(services === undefined ? {} : { serviceGroup: { services } }),
    }),
  );
const rule = fc
  .record({
    name: fc.constantFrom('r', 's'),
    of: fc.constantFrom('web', 'tls'),
    terms: fc.constantFrom(
      ['URL STARTS_WITH /'],
      ['URL EQ /a', 'HOST EQ a.example'],
      ['URL REGEX ^/a', 'HOST ENDS_WITH *.example'],
      ['SRC_IP EQ 10.0.0.1', 'HEADER:x RANGE a b'],
    ),
    more: fc.constantFrom(
      {},
      { priority: 1 },
      { domain: 'a.example', certificate_name: 'other/cert' },
      { rewrite_base: 'x(.*)y', rewrite_target: '/$1' },
      { config: { auth: { basic: { secret: 'shop/cert' } } } },
      { serviceGroup: { services: foreign, session_affinity_policy: 'sip-hash' } },
    ),
  })
  .map(({ name, of, terms, more }) =>
    ruleObject(name, terms, { serviceGroup: { services: web }, ...more }, of),
  );

const changeOf =
  (kind: 'alb2' | 'frontend' | 'albRule') =>
  (object: ReturnType<typeof alb2Object>): Change => {
    const [value] = clusterOf([object])[kind] ?? [];
    return { kind, key: `shop/${object.metadata.name}`, value } as Change;
  };
const gone = fc
  .constantFrom<readonly ['alb2' | 'frontend' | 'albRule', string]>(
    ['alb2', 'lb'],
    ['frontend', 'web'],
    ['frontend', 'tls'],
    ['albRule', 'r'],
  )
  .map(([kind, name]) => ({ kind, key: `shop/${name}`, value: undefined }) as Change);

export const anyAlaudaChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 2, arbitrary: alb2.map(changeOf('alb2')) },
  { weight: 3, arbitrary: frontend.map(changeOf('frontend')) },
  { weight: 4, arbitrary: rule.map(changeOf('albRule')) },
  { weight: 1, arbitrary: gone },
);
