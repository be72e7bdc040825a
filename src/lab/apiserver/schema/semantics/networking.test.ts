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

it('isolate every pod of their namespace where they say nothing', () => {
  const bare = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'p' } };
  expect(admitAs(bare)).toMatchObject({
    value: { spec: { podSelector: {}, policyTypes: ['Ingress'] } },
    problems: [],
  });
});

it('keep what they say: an empty list of egress rules is none, a block has its host bits, a port is of TCP', () => {
  const ipBlock = { cidr: '10.0.0.1/8' };
  const given = policy({
    spec: { egress: [], ingress: [{ from: [{ ipBlock }], ports: [{ port: 80 }, {}] }] },
  });
  expect(at(admitAs(given).value, 'spec')).toEqual({
    podSelector: {},
    policyTypes: ['Ingress'],
    egress: [],
    ingress: [{ from: [{ ipBlock }], ports: [{ protocol: 'TCP', port: 80 }, { protocol: 'TCP' }] }],
  });
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
  [
    'an exception without its host bits zero',
    from({ ipBlock: { cidr: '10.0.0.1/8', except: ['10.1.2.3/16'] } }),
    [],
  ],
  [
    'an exception of the other family',
    from({ ipBlock: { cidr: '::/0', except: ['10.1.0.0/16'] } }),
    ['spec.ingress[0].from[0].ipBlock.except[0]'],
  ],
  ['no cidr', from({ ipBlock: { cidr: '' } }), ['spec.ingress[0].from[0].ipBlock.cidr']],
  ['an empty peer', from({}), ['spec.ingress[0].from[0]']],
  ['both selectors', from({ podSelector: {}, namespaceSelector: {} }), []],
  ['a port that is none', { spec: { egress: [{ ports: [{ port: 0 }] }] } }, ['spec.egress[0].ports[0].port']],
  ['a port by name', { spec: { egress: [{ ports: [{ port: 'serve-81' }] }] } }, []],
  [
    'a number in quotes',
    { spec: { egress: [{ ports: [{ port: '80' }] }] } },
    ['spec.egress[0].ports[0].port'],
  ],
  [
    'a name too long',
    { spec: { egress: [{ ports: [{ port: 'sixteen-letters-' }] }] } },
    ['spec.egress[0].ports[0].port'],
  ],
  [
    'a range from nowhere',
    { spec: { egress: [{ ports: [{ endPort: 10 }] }] } },
    ['spec.egress[0].ports[0].port'],
  ],
  [
    'another protocol',
    { spec: { egress: [{ ports: [{ protocol: 'ICMP' }] }] } },
    ['spec.egress[0].ports[0].protocol'],
  ],
  ['another type', { spec: { policyTypes: ['Both'] } }, ['spec.policyTypes[0]']],
  ['one type twice', { spec: { policyTypes: ['Ingress', 'Ingress'] } }, []],
  ['three types', { spec: { policyTypes: ['Ingress', 'Egress', 'Ingress'] } }, ['spec.policyTypes']],
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
