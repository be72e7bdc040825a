/** Network policies and Ingresses: what is filled in, and what is refused. */
import { expect, it } from 'vitest';
import { at } from './fields.ts';
import { admitAs, fields, make } from './testing.ts';

const policy = make({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'p' },
  spec: { podSelector: {} },
});

it('are about ingress, and about egress when they say so', () => {
  expect(at(admitAs(policy({})).value, 'spec').policyTypes).toEqual(['Ingress']);
  expect(at(admitAs(policy({ spec: { egress: [{}] } })).value, 'spec').policyTypes).toEqual([
    'Ingress',
    'Egress',
  ]);
});

const from = (...peers: readonly object[]) => ({ spec: { ingress: [{ from: peers }] } });
it.each<[string, object, readonly string[]]>([
  ['a block', from({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }), []],
  [
    'a block that is none',
    from({ ipBlock: { cidr: '10.0.0.0/33' } }),
    ['spec.ingress[0].from[0].ipBlock.cidr'],
  ],
  [
    'an exception outside',
    from({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }),
    ['spec.ingress[0].from[0].ipBlock.except[0]'],
  ],
  [
    'an exception as large as the block',
    from({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }),
    ['spec.ingress[0].from[0].ipBlock.except[0]'],
  ],
  [
    'a block and a selector',
    from({ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }),
    ['spec.ingress[0].from[0]'],
  ],
  ['an empty peer', from({}), ['spec.ingress[0].from[0]']],
  ['a range of ports', { spec: { ingress: [{ ports: [{ port: 10, endPort: 20 }] }] } }, []],
  [
    'a range the wrong way round',
    { spec: { ingress: [{ ports: [{ port: 20, endPort: 10 }] }] } },
    ['spec.ingress[0].ports[0].endPort'],
  ],
  [
    'a range from a name',
    { spec: { ingress: [{ ports: [{ port: 'web', endPort: 10 }] }] } },
    ['spec.ingress[0].ports[0].endPort'],
  ],
  [
    'an operator that does not exist',
    { spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'Has' }] } } },
    ['spec.podSelector.matchExpressions[0].operator'],
  ],
  [
    'In without values',
    { spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } } },
    ['spec.podSelector.matchExpressions[0].values'],
  ],
])('policies: %s', (_, patch, expected) => {
  expect(fields(policy(patch))).toEqual(expected);
});

const ingress = (rule: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'i' },
  spec: { rules: [rule] },
});
const path = (changes: object) => ({
  http: {
    paths: [
      {
        path: '/',
        pathType: 'Prefix',
        backend: { service: { name: 's', port: { number: 80 } } },
        ...changes,
      },
    ],
  },
});
it.each<[string, object, readonly string[]]>([
  ['plain', path({}), []],
  ['a wildcard host', { host: '*.example.com', ...path({}) }, []],
  ['a host with a star inside', { host: 'a.*.com', ...path({}) }, ['spec.rules[0].host']],
  ['a relative path', path({ path: 'a' }), ['spec.rules[0].http.paths[0].path']],
  ['no path type', path({ pathType: undefined }), ['spec.rules[0].http.paths[0].pathType']],
  [
    'a port by name and number',
    path({ backend: { service: { name: 's', port: { number: 80, name: 'web' } } } }),
    ['spec.rules[0].http.paths[0].backend.service.port'],
  ],
])('ingresses: %s', (_, rule, expected) => {
  expect(fields(JSON.parse(JSON.stringify(ingress(rule))))).toEqual(expected);
});
