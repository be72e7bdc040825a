/** Which listening socket serves which port. */
import { expect, test } from 'vitest';
import { compiled, gateway, listener, passthrough, running, saidOf, slots } from '../testing.ts';
import { assignSlots, portKindsOf } from './listener-ports.ts';

const taken = (held: Parameters<typeof assignSlots>[1], ...ports: readonly number[]) =>
  [...assignSlots(new Map(ports.map((port) => [`tcp/${port}`, 'http' as const])), held, slots).values()].map(
    ({ port, slot }) => [port, slot],
  );
const http = (slot: number) => ({ kind: 'http' as const, slot });

test.each([
  [
    'the lowest first, in their order',
    undefined,
    [8080, 80],
    [
      [8080, 0],
      [80, 1],
    ],
  ],
  [
    'what a Service leads to stays',
    new Map([['tcp/80', http(2)]]),
    [8080, 80],
    [
      [8080, 0],
      [80, 2],
    ],
  ],
  ['a socket that another port had is taken last', new Map([['tcp/81', http(0)]]), [80], [[80, 1]]],
  ['but it is taken', new Map([0, 1, 2, 3].map((slot) => [`tcp/${90 + slot}`, http(slot)])), [80], [[80, 0]]],
  [
    'one of another kind is no reason',
    new Map([['tcp/80', { kind: 'tcp' as const, slot: 2 }]]),
    [80],
    [[80, 0]],
  ],
  ['nor is one that there is not', new Map([['tcp/80', http(9)]]), [80], [[80, 0]]],
  [
    'two can’t have one',
    new Map([
      ['tcp/80', http(1)],
      ['tcp/81', http(1)],
    ]),
    [80, 81],
    [
      [80, 1],
      [81, 0],
    ],
  ],
  [
    'too many',
    undefined,
    [1, 2, 3, 4, 5],
    [
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
    ],
  ],
  [
    'too many, where later ones had theirs first',
    new Map([
      ['tcp/2', http(0)],
      ['tcp/3', http(1)],
      ['tcp/4', http(2)],
      ['tcp/5', http(3)],
    ]),
    [1, 2, 3, 4, 5],
    [
      [1, 3],
      [2, 0],
      [3, 1],
      [4, 2],
    ],
  ],
])('%s', (_, held, ports, wanted) => {
  expect(taken(held, ...ports)).toEqual(wanted);
});

test('the kind of a port follows from all its listeners', () => {
  const of = (...kinds: readonly Parameters<typeof portKindsOf>[0][number]['kind'][]) =>
    portKindsOf(kinds.map((kind) => ({ port: 443, kind }))).get('tcp/443');
  expect([of('https'), of('https', 'passthrough'), of('terminate', 'https'), of('tcp')]).toEqual([
    'https',
    'tls',
    'tls',
    'tcp',
  ]);
});

test('a port moves to a socket of its new kind once TLS is passed through on it', () => {
  const both = [listener('a HTTPS/443 *.example'), listener('b TLS/443 b.example', passthrough)];
  const facts = new Map([
    ['shop/edge', { ...running, slots: new Map([['tcp/443', { kind: 'https' as const, slot: 3 }]]) }],
  ]);
  const before = compiled({ gateway: [gateway('shop/edge', both.slice(0, 1))] }, facts);
  expect(before.intents.get('shop/edge')?.ports).toEqual({
    'tcp/443': { port: 443, kind: 'https', slot: 3 },
  });
  const after = compiled({ gateway: [gateway('shop/edge', both)] }, facts);
  expect(after.intents.get('shop/edge')?.ports).toEqual({ 'tcp/443': { port: 443, kind: 'tls', slot: 0 } });
});

test('PROXY headers are for all ports of the Gateway but those of UDP, which knows none', () => {
  const one = gateway('shop/edge', [listener('a HTTP/80'), listener('b UDP/53')], { proxyProtocol: true });
  expect(compiled({ gateway: [one] }).intents.get('shop/edge')?.ports).toEqual({
    'tcp/80': { port: 80, kind: 'http', slot: 0, proxyProtocol: true },
    'udp/53': { port: 53, kind: 'udp', slot: 0 },
  });
});

test('a port beyond the last socket is said to be unavailable; the others are served', () => {
  const listeners = [1, 2, 3, 4, 5].map((number) => listener(`p${number} TCP/${number}`));
  const { statuses } = compiled({ gateway: [gateway('shop/edge', listeners)] });
  const accepted = (name: string) => saidOf(statuses.get('Gateway/shop/edge'), name)?.[0];
  expect([accepted('p3'), accepted('p4')]).toEqual([
    'Accepted True Accepted',
    'Accepted False PortUnavailable',
  ]);
  expect(saidOf(statuses.get('Gateway/shop/edge'))).toContain('Accepted True ListenersNotValid');
});
