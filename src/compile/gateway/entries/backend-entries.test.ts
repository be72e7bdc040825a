import { expect, test } from 'vitest';
import { contextOf, service, slice, tlsPolicy, type World } from '../samples.ts';
import type { BackendUse } from '../types.ts';
import { backendEntries } from './backend-entries.ts';

const plain: BackendUse = { key: 'shop/web:80/http', service: 'shop/web', port: 80, protocol: 'http' };
const secure: BackendUse = {
  key: 'shop/web:80/http@shop/policy/http',
  service: 'shop/web',
  port: 80,
  protocol: 'http',
  identity: 'shop/policy/http',
};

function endpoints(slices: World['slices'], use = plain, world: World = {}): readonly string[] {
  const entries = backendEntries(use, contextOf({ ...world, slices: slices ?? [] }));
  return entries.backends[use.key]?.endpoints ?? ['nothing'];
}

const six = { family: 6 } as const;
const cases: readonly [string, World['slices'], readonly string[]][] = [
  ['none', [], []],
  ['ready ones, sorted', [slice('shop/web', ['10.0.0.9', '10.0.0.10'])], ['10.0.0.10:8080', '10.0.0.9:8080']],
  [
    'of all slices, each once',
    [slice('shop/web', ['10.0.0.1']), slice('shop/web', ['10.0.0.1', '10.0.0.2'])],
    ['10.0.0.1:8080', '10.0.0.2:8080'],
  ],
  ['not of others', [slice('shop/other', ['10.0.0.1'])], []],
  ['ready before leaving', [slice('shop/web', ['10.0.0.1 leaving', '10.0.0.2'])], ['10.0.0.2:8080']],
  [
    'leaving when none is ready',
    [slice('shop/web', ['10.0.0.1 leaving', '10.0.0.2 dead'])],
    ['10.0.0.1:8080'],
  ],
  ['never dead', [slice('shop/web', ['10.0.0.2 dead'])], []],
  ['one family', [slice('shop/web', ['fd00::1'], six), slice('shop/web', ['10.0.0.1'])], ['10.0.0.1:8080']],
  ['the other one alone', [slice('shop/web', ['fd00::1'], six)], ['[fd00::1]:8080']],
  [
    'the family that is ready',
    [slice('shop/web', ['fd00::1'], six), slice('shop/web', ['10.0.0.1 leaving'])],
    ['[fd00::1]:8080'],
  ],
  [
    'a named port, by slice',
    [
      slice('shop/web', ['10.0.0.1'], { ports: [{ name: 'http', protocol: 'tcp', port: 1 }] }),
      slice('shop/web', ['10.0.0.2'], { ports: [{ name: 'http', protocol: 'tcp', port: 2 }] }),
      slice('shop/web', ['10.0.0.3'], { ports: [{ name: 'http', protocol: 'udp', port: 3 }] }),
      slice('shop/web', ['10.0.0.4'], { ports: [{ name: 'admin', protocol: 'tcp', port: 4 }] }),
    ],
    ['10.0.0.1:1', '10.0.0.2:2'],
  ],
];

test.each(cases)('endpoints: %s', (_, slices, expected) => {
  expect(endpoints(slices)).toEqual(expected);
  expect(endpoints(slices?.toReversed())).toEqual(expected);
});

test('TCP and UDP of one number are two ports', () => {
  const services = [service('shop/web', ['http 80', 'dns 80/UDP'])];
  const ports = [
    { name: 'http', protocol: 'tcp' as const, port: 8080 },
    { name: 'dns', protocol: 'udp' as const, port: 5353 },
  ];
  const udp: BackendUse = { ...plain, key: 'shop/web:80/udp', protocol: 'udp' };
  expect(endpoints([slice('shop/web', ['10.0.0.1'], { ports })], udp, { services })).toEqual([
    '10.0.0.1:5353',
  ]);
});

test('a backend by TLS comes with whom it must prove to be, and with who the gateway is', () => {
  const policy = tlsPolicy('shop/policy', 'web', {
    subjectAltNames: [
      { type: 'Hostname', value: 'web.example' },
      { type: 'URI', value: 'spiffe://a/b' },
    ],
  });
  const world = { policies: [policy], clientCertificate: 'shop/client' };
  expect(backendEntries(secure, contextOf(world))).toEqual({
    backends: {
      [secure.key]: {
        origin: { kind: 'Service', namespace: 'shop', name: 'web' },
        protocol: 'http',
        endpoints: [],
        identity: 'shop/policy/http',
      },
    },
    identities: {
      'shop/policy/http': {
        origin: { kind: 'BackendTLSPolicy', namespace: 'shop', name: 'policy' },
        hostname: 'web.internal',
        subjectAltNames: [
          { type: 'dns', value: 'web.example' },
          { type: 'uri', value: 'spiffe://a/b' },
        ],
        certificate: 'shop/client',
        alpn: 'http/1.1',
      },
    },
  });
});

test.each([
  ['h2c', 'h2'],
  ['tcp', undefined],
] as const)('%s by TLS is offered as %s', (protocol, alpn) => {
  const use = { ...secure, protocol };
  const { identities } = backendEntries(use, contextOf({ policies: [tlsPolicy('shop/policy', 'web')] }));
  expect(identities['shop/policy/http']?.alpn).toBe(alpn);
});

test('what is gone leaves nothing behind', () => {
  const nothing = { backends: {}, identities: {} };
  expect(backendEntries(plain, contextOf({ services: [] }))).toEqual(nothing);
  expect(backendEntries(secure, contextOf())).toEqual(nothing);
});
