/**
 * Whatever the objects of one namespace say, what a shared Gateway holds of others stays as it is, to the byte, and what it holds of that
 * namespace is lines that nginx can take.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { lower } from '#engines/nginx/lower.ts';
import { printEntry } from '#engines/nginx/objects.ts';
import type { GatewayIntent } from '#intent/gateway.ts';
import type { Origin } from '#intent/origin.ts';
import { hostile } from '#model/gateway/arbitrary.ts';
import { readBackendPolicy } from '#model/gateway/backendpolicy.ts';
import { readBackendService } from '#model/gateway/backendservice.ts';
import { readBackendTLSPolicy } from '#model/gateway/backendtlspolicy.ts';
import { readCertificate } from '#model/gateway/certificate.ts';
import { readListenerSet } from '#model/gateway/listenerset.ts';
import { readReferenceGrant } from '#model/gateway/referencegrant.ts';
import { readRoute } from '#model/gateway/route.ts';
import * as objects from '#model/gateway/samples.ts';
import { readTrafficPolicy } from '#model/gateway/trafficpolicy.ts';
import { readUsers } from '#model/gateway/users.ts';
import { inspectCertificate } from '#system/certificate.ts';
import { createGatewayBook } from './book.ts';
import { backend, httpRoute, httpRule, service, slice } from './samples.ts';
import { certificate, gateway, gatewayClass, listener, parent, secret, slots } from './testing.ts';
import type { GatewayBook, GatewayStatus } from './types.ts';

const evil = 'evil';
const edge = 'infra/edge';

/** A Gateway that anybody may use, and a shop that does. */
function world(): { readonly book: GatewayBook; readonly statuses: ReadonlyMap<string, GatewayStatus> } {
  const book = createGatewayBook(slots);
  const anybody = { allowedNamespaces: { from: 'All' } } as const;
  book.set('class', 'netloom', gatewayClass());
  book.set(
    'gateway',
    edge,
    gateway(
      edge,
      [
        listener('web HTTP/80', anybody),
        listener('secure HTTPS/443 *.example', anybody, [secret('infra/cert')]),
        listener('names TLS/8443', {
          ...anybody,
          tls: { mode: 'Passthrough', certificates: [], options: {} },
        }),
        listener('lines TCP/5000', anybody),
      ],
      { allowedListeners: { from: 'All' } },
    ),
  );
  book.set('certificate', 'infra/cert', certificate('infra/cert'));
  book.set('service', 'shop/web', service('shop/web', ['http 80']));
  book.set('slice', 'shop/web-1', slice('shop/web', ['10.0.0.1']));
  const shop = httpRoute([httpRule({ backends: [backend('shop/web')] })], {
    parents: [parent(`Gateway ${edge}`)],
    hostnames: ['shop.example'],
  });
  book.set('route', 'HTTPRoute/shop/web', shop);
  return { book, statuses: said(book) };
}

function said(book: GatewayBook): ReadonlyMap<string, GatewayStatus> {
  return new Map(
    [...book.settle().statuses].flatMap(([id, status]) => (status === undefined ? [] : [[id, status]])),
  );
}

const at = (kind: string, spec: unknown, more: object = {}): KubeObject =>
  objects.sampleOf(kind, spec, {
    ...more,
    metadata: { name: 'x', namespace: evil, creationTimestamp: '2027-01-01T00:00:00Z' },
  });
const parentRefs = [{ name: 'edge', namespace: 'infra' }];
const group = 'gateway.networking.k8s.io';
/** Whatever namespace it names, a policy's targets are of its own. */
const policyTargets = [
  { group, kind: 'HTTPRoute', name: 'x' },
  { group, kind: 'Gateway', name: 'edge', namespace: 'infra' },
  { group, kind: 'HTTPRoute', name: 'web', namespace: 'shop' },
];

const bent: readonly (readonly [KubeObject, (book: GatewayBook, object: KubeObject) => void])[] = [
  ...(
    [
      ['HTTPRoute', { ...objects.httpSpec, parentRefs }],
      ['GRPCRoute', { ...objects.grpcSpec, parentRefs }],
      ['TLSRoute', { ...objects.tlsSpec, parentRefs, hostnames: ['shop.example', '*.example'] }],
      ['TCPRoute', { ...objects.tlsSpec, parentRefs }],
    ] as const
  ).map(
    ([kind, spec]) =>
      [
        at(kind, spec),
        (book: GatewayBook, object: KubeObject) =>
          book.set('route', `${kind}/${evil}/x`, readRoute(object).value),
      ] as const,
  ),
  [
    at('ListenerSet', { parentRef: parentRefs[0], listeners: objects.listenerSetSpec.listeners }),
    (book, object) => book.set('listenerSet', `${evil}/x`, readListenerSet(object).value),
  ],
  [
    at('ReferenceGrant', { ...objects.grantSpec, to: [{ group: '', kind: 'Service' }] }),
    (book, object) => book.set('grant', `${evil}/x`, readReferenceGrant(object).value),
  ],
  [
    at('BackendTLSPolicy', objects.policySpec),
    (book, object) => book.set('tlsPolicy', `${evil}/x`, readBackendTLSPolicy(object).value),
  ],
  [
    at('Service', objects.serviceSpec),
    (book, object) => book.set('service', `${evil}/web`, readBackendService(object).value),
  ],
  [
    at('TrafficPolicy', { ...objects.trafficSpec, targetRefs: policyTargets }),
    (book, object) => book.set('policy', `${evil}/x`, readTrafficPolicy(object).value),
  ],
  [
    at('BackendPolicy', objects.backendPolicySpec),
    (book, object) => book.set('backendPolicy', `${evil}/x`, readBackendPolicy(object).value),
  ],
  [
    at('Secret', undefined, { data: { auth: btoa(objects.passwordFile) } }),
    (book, object) => book.set('users', `${evil}/users`, readUsers(object).value),
  ],
  [
    at('Secret', undefined, { type: 'kubernetes.io/tls', data: { 'tls.crt': 'LS0t', 'tls.key': 'LS0t' } }),
    (book, object) =>
      book.set('certificate', `${evil}/cert`, readCertificate(object, inspectCertificate).value),
  ],
];

/** Who made them is not theirs to say. */
const named = (object: KubeObject, original: KubeObject): KubeObject => ({
  ...object,
  metadata: original.metadata,
});

const anything = fc.tuple(...bent.map(([original]) => hostile(original)));

/** Entries by `DOMAIN KEY`, of those that aren't of the namespace. */
function others(intent: GatewayIntent | undefined): Readonly<Record<string, string>> {
  const entries = Object.entries(intent ?? {}).flatMap(([domain, held]) =>
    Object.entries(held as Readonly<Record<string, { readonly origin?: Origin; readonly listener?: string }>>)
      .filter(([key, { origin }]) => origin?.namespace !== evil && !key.includes(`${evil}/`))
      .map(([key, entry]) => [`${domain} ${key}`, JSON.stringify(entry)] as const),
  );
  return Object.fromEntries(entries);
}

/** What is told of all: how many routes there are, and that somebody's listener is for a part of the same names. */
const ofAll = (key: string, value: unknown) =>
  /^attached|^message$/.test(key) ||
  (typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    (value as { readonly type: unknown }).type === 'OverlappingTLSConfig');

function without(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((each) => !ofAll('', each)).map(without);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key, each]) => !ofAll(key, each));
  return Object.fromEntries(kept.map(([key, each]) => [key, without(each)]));
}

test('a namespace changes nothing of others’, and can end no line', () => {
  const quiet = world();
  const wanted = others(quiet.book.whole(edge));
  expect(Object.keys(wanted).length).toBeGreaterThan(10);
  expect(Object.keys(wanted).filter((key) => key.startsWith('rules '))).toHaveLength(2);
  const { book } = world();
  let taken = 0;
  fc.assert(
    fc.property(anything, (changed) => {
      for (const [index, object] of changed.entries()) {
        const [original, put] = bent[index]!;
        put(book, named(object, original));
      }
      const { statuses } = book.settle();
      const intent = book.whole(edge);
      const { ports: _, ...held } = intent!;
      const { ports: __, ...before } = quiet.book.whole(edge)!;
      expect(others(held as GatewayIntent)).toEqual(others(before as GatewayIntent));
      for (const [id, status] of statuses)
        if (!id.includes(`/${evil}/`))
          expect([id, without(status)]).toEqual([id, without(quiet.statuses.get(id))]);
      const { value, problems } = lower(intent!);
      expect(problems).toEqual([]);
      taken += value.filter(({ key }) => key.includes(`/${evil}/`)).length;
      for (const entry of value) {
        const isOneLine = /^[a-z]+\t[^\t\r\n]+\t[^\t\r\n]+\n$/.test(printEntry(entry));
        expect(isOneLine, printEntry(entry)).toBe(true);
      }
    }),
    // Of twelve objects each.
    { numRuns: 1000 },
  );
  expect(taken).toBeGreaterThan(1000);
});
