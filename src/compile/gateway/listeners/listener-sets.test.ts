/** ListenerSets: who may attach one, which listener comes before which, and what is said. */
import { expect, test } from 'vitest';
import type { NamespacesFrom } from '#model/gateway/types.ts';
import { httpRoute, httpRule } from '../samples.ts';
import {
  certificate,
  compiled,
  gateway,
  grant,
  listener,
  listenerSet,
  parent,
  saidOf,
  saidOfRoute,
  secret,
} from '../testing.ts';

const all = { allowedListeners: { from: 'All' as const } };
const accepted = ['Accepted True Accepted', 'Programmed True Programmed'];

test.each<[string, NamespacesFrom, string, boolean]>([
  ['None', { from: 'None' }, 'shop', false],
  ['Same, of the same', { from: 'Same' }, 'shop', true],
  ['Same, of another', { from: 'Same' }, 'other', false],
  ['All', { from: 'All' }, 'other', true],
  ['Selector that fits', { from: 'Selector', selector: { matchLabels: { team: 'a' } } }, 'other', true],
  ['Selector that does not', { from: 'Selector', selector: { matchLabels: { team: 'b' } } }, 'other', false],
  ['Selector that can’t be read', { from: 'Selector', selector: undefined }, 'other', false],
])('allowedListeners from %s', (_, allowedListeners, namespace, isTaken) => {
  const { statuses, intents } = compiled({
    gateway: [gateway('shop/edge', [listener('own HTTP/80')], { allowedListeners })],
    listenerSet: [listenerSet(`${namespace}/more`, 'shop/edge', [listener('a HTTP/8080')])],
    namespaces: new Map([['other', { team: 'a' }]]),
  });
  expect(saidOf(statuses.get(`ListenerSet/${namespace}/more`))).toEqual(
    isTaken ? accepted : ['Accepted False NotAllowed', 'Programmed False NotAllowed'],
  );
  expect(statuses.get('Gateway/shop/edge')).toMatchObject({ attachedListenerSets: isTaken ? 1 : 0 });
  const keys = Object.keys(intents.get('shop/edge')?.listeners ?? {});
  expect(keys.includes(`set/${namespace}/more/a`)).toBe(isTaken);
});

const conflict = (reason: string) => [`Accepted False ${reason}`, `Conflicted True ${reason}`];
const fine = ['Accepted True Accepted', 'Conflicted False NoConflicts'];

test.each([
  [
    'the Gateway comes first',
    'HTTP/80 a.example',
    'HTTP/80 a.example',
    'HTTP/80 b.example',
    'HostnameConflict',
  ],
  ['its protocol, too', 'HTTP/80', 'TCP/80', 'HTTP/80 b.example', 'ProtocolConflict'],
  ['TCP twice', 'TCP/80', 'TCP/80', 'TCP/81', 'HostnameConflict'],
])('%s', (_, own, bad, good, reason) => {
  const { statuses } = compiled({
    gateway: [gateway('shop/edge', [listener(`own ${own}`)], all)],
    listenerSet: [
      listenerSet('shop/both', 'shop/edge', [listener(`bad ${bad}`), listener(`good ${good}`)]),
      listenerSet('shop/none', 'shop/edge', [listener(`bad ${bad}`)], 1),
    ],
  });
  expect(saidOf(statuses.get('Gateway/shop/edge'), 'own')?.slice(0, 2)).toEqual(fine);
  const both = statuses.get('ListenerSet/shop/both');
  expect(saidOf(both)).toEqual(['Accepted True ListenersNotValid', 'Programmed True Programmed']);
  expect(saidOf(both, 'bad')?.slice(0, 2)).toEqual(conflict(reason));
  expect(saidOf(both, 'bad')).toContain(`Programmed False ${reason}`);
  expect(saidOf(both, 'good')?.slice(0, 2)).toEqual(fine);
  expect(saidOf(statuses.get('ListenerSet/shop/none'))).toEqual([
    'Accepted False ListenersNotValid',
    'Programmed False ListenersNotValid',
  ]);
  expect(statuses.get('Gateway/shop/edge')).toMatchObject({ attachedListenerSets: 1 });
});

test.each([
  ['the older first', ['b', 1], ['a', 2], 'b'],
  ['of the same age by name', ['b', 1], ['a', 1], 'a'],
] as const)('of two ListenerSets %s', (_, [first, age], [second, otherAge], winner) => {
  const { statuses } = compiled({
    gateway: [gateway('shop/edge', [listener('own HTTP/80')], all)],
    listenerSet: [
      listenerSet(`shop/${first}`, 'shop/edge', [listener('x HTTP/80 a.example')], age),
      listenerSet(`shop/${second}`, 'shop/edge', [listener('x HTTP/80 a.example')], otherAge),
    ],
  });
  const won = (name: string) => saidOf(statuses.get(`ListenerSet/shop/${name}`))?.[0] === accepted[0];
  expect([won('a'), won('b')]).toEqual([winner === 'a', winner === 'b']);
});

test('listeners of one ListenerSet that can’t be told apart are all refused, and keep later ones out', () => {
  const { statuses } = compiled({
    gateway: [gateway('shop/edge', [listener('own HTTP/80')], all)],
    listenerSet: [
      listenerSet(
        'shop/a',
        'shop/edge',
        [listener('x HTTP/81'), listener('y TCP/81'), listener('z HTTP/82')],
        1,
      ),
      listenerSet('shop/b', 'shop/edge', [listener('x HTTP/81 b.example')], 2),
    ],
  });
  const a = statuses.get('ListenerSet/shop/a');
  expect(saidOf(a, 'x')?.slice(0, 2)).toEqual(conflict('ProtocolConflict'));
  expect(saidOf(a, 'y')?.slice(0, 2)).toEqual(conflict('ProtocolConflict'));
  expect(saidOf(a, 'z')?.slice(0, 2)).toEqual(fine);
  expect(saidOf(statuses.get('ListenerSet/shop/b'), 'x')?.slice(0, 2)).toEqual(conflict('ProtocolConflict'));
});

test('a Gateway that is not accepted takes no ListenerSet', () => {
  const { statuses } = compiled({
    gateway: [gateway('shop/edge', [listener('own SCTP/80')], all)],
    listenerSet: [listenerSet('shop/more', 'shop/edge', [listener('a HTTP/8080')])],
  });
  expect(saidOf(statuses.get('ListenerSet/shop/more'))).toEqual([
    'Accepted False ParentNotAccepted',
    'Programmed False ParentNotProgrammed',
  ]);
  expect(statuses.get('Gateway/shop/edge')).toMatchObject({ attachedListenerSets: 0 });
});

test('a ListenerSet of a Gateway that is not ours is left alone', () => {
  const { statuses } = compiled({
    gateway: [gateway('shop/edge', [listener('own HTTP/80')], { ...all, className: 'else' })],
    listenerSet: [
      listenerSet('shop/foreign', 'shop/edge', [listener('a HTTP/8080')]),
      listenerSet('shop/lost', 'shop/none', [listener('a HTTP/8080')]),
    ],
  });
  expect([...statuses.keys()]).toEqual(['GatewayClass/netloom']);
});

test('its Secrets are its own: grants for the Gateway are not for it', () => {
  const sets = [
    listenerSet('other/more', 'shop/edge', [listener('a HTTPS/443', {}, [secret('vault/cert')])]),
  ];
  const cluster = {
    gateway: [gateway('shop/edge', [listener('own HTTP/80')], all)],
    listenerSet: sets,
    certificate: [certificate('vault/cert')],
  };
  const resolved = (from: string) => {
    const { statuses } = compiled({ ...cluster, grant: [grant('vault', from, 'Secret')] });
    const status = statuses.get('ListenerSet/other/more');
    return [saidOf(status, 'a')?.[2], ...(saidOf(status) ?? [])];
  };
  const no = [
    'ResolvedRefs False RefNotPermitted',
    'Accepted False ListenersNotValid',
    'Programmed False ListenersNotValid',
  ];
  expect(resolved('Gateway shop')).toEqual(no);
  expect(resolved('Gateway other')).toEqual(no);
  expect(resolved('ListenerSet other')).toEqual(['ResolvedRefs True ResolvedRefs', ...accepted]);
});

test('routes are attached to the parent that they name, not to what stands beside it', () => {
  const route = (name: string, ref: string) =>
    httpRoute([httpRule()], { ...named(name), parents: [parent(ref)] });
  const named = (name: string) => ({ key: `shop/${name}`, name });
  const { statuses } = compiled({
    gateway: [gateway('shop/edge', [listener('own HTTP/80 own.example')], all)],
    listenerSet: [listenerSet('shop/more', 'shop/edge', [listener('a HTTP/80 more.example')])],
    route: [
      route('one', 'Gateway shop/edge'),
      route('two', 'ListenerSet shop/more'),
      route('three', 'Gateway shop/edge a'),
    ],
  });
  expect(statuses.get('Gateway/shop/edge')).toMatchObject({ listeners: [{ attachedRoutes: 1 }] });
  expect(statuses.get('ListenerSet/shop/more')).toMatchObject({ listeners: [{ attachedRoutes: 1 }] });
  expect(saidOfRoute(statuses.get('HTTPRoute/shop/three'))[0]?.[0]).toBe('Accepted False NoMatchingParent');
});

test('a set is accepted for listeners that can be served only: a certificate that may not be used is none', () => {
  const secure = (name: string, host: string, key: string) =>
    listener(`${name} HTTPS/443 ${host}`, {}, [secret(key)]);
  const { statuses } = compiled({
    gateway: [gateway('shop/edge', [listener('own HTTP/80')], all)],
    certificate: [certificate('other/cert'), certificate('shop/cert')],
    listenerSet: [
      listenerSet('shop/none', 'shop/edge', [secure('a', 'a.example', 'other/cert')]),
      listenerSet('shop/some', 'shop/edge', [
        secure('b', 'b.example', 'other/cert'),
        secure('c', 'c.example', 'shop/cert'),
      ]),
    ],
  });
  const none = statuses.get('ListenerSet/shop/none');
  expect(saidOf(none)).toEqual(['Accepted False ListenersNotValid', 'Programmed False ListenersNotValid']);
  expect(saidOf(none, 'a')).toContain('ResolvedRefs False RefNotPermitted');
  expect(saidOf(statuses.get('ListenerSet/shop/some'))).toEqual([
    'Accepted True ListenersNotValid',
    'Programmed True Programmed',
  ]);
});
