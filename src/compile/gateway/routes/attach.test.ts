/** Where routes are attached, and what is said to those that aren't. */
import { expect, test } from 'vitest';
import type { ListenerModel, NamespacesFrom, RouteModel } from '#model/gateway/types.ts';
import { backend, grpcRoute, grpcRule, httpRoute, httpRule, l4Route, service } from '../samples.ts';
import {
  type Cluster,
  compiled,
  gateway,
  listener,
  objectOf,
  parent,
  passthrough,
  saidOfRoute,
} from '../testing.ts';
import type { GatewayStatus } from '../types.ts';

const to = (...parents: readonly string[]) => ({ parents: parents.map(parent) });
const http = (part: Partial<Parameters<typeof httpRoute>[1]> = {}) =>
  httpRoute([httpRule()], { ...to('Gateway shop/edge'), ...part });
const world: Cluster = { service: [service('shop/web', ['http 80', 'dns 80/UDP'])] };

/** First conditions of each parent, and how many routes each listener has. */
function outcome(listeners: readonly ListenerModel[], routes: readonly RouteModel[], cluster: Cluster = {}) {
  const { statuses, intents } = compiled({
    ...world,
    gateway: [gateway('shop/edge', listeners)],
    route: routes,
    ...cluster,
  });
  const accepted = routes.map(({ kind, key }) =>
    saidOfRoute(statuses.get(`${kind}/${key}`)).map((all) => all?.[0]?.replace('Accepted ', '')),
  );
  return {
    accepted,
    counts: countsOf(statuses.get('Gateway/shop/edge')),
    intent: intents.get('shop/edge')!,
    statuses,
  };
}

function countsOf(status: GatewayStatus | undefined): readonly number[] {
  return status !== undefined && 'listeners' in status
    ? status.listeners.map(({ attachedRoutes }) => attachedRoutes)
    : [];
}

const yes = 'True Accepted';
const web = listener('web HTTP/80');
const secure = listener('secure HTTPS/443 a.example');

test.each<[string, readonly string[], readonly string[], readonly number[]]>([
  ['the whole Gateway', ['Gateway shop/edge'], [yes], [1, 1]],
  ['one listener', ['Gateway shop/edge web'], [yes], [1, 0]],
  ['two listeners', ['Gateway shop/edge web', 'Gateway shop/edge secure'], [yes, yes], [1, 1]],
  ['a listener that there is not', ['Gateway shop/edge none'], ['False NoMatchingParent'], [0, 0]],
  ['a port', ['Gateway shop/edge :443'], [yes], [0, 1]],
  ['a port that there is not', ['Gateway shop/edge :8443'], ['False NoMatchingParent'], [0, 0]],
  ['a listener and another’s port', ['Gateway shop/edge web :443'], ['False NoMatchingParent'], [0, 0]],
  [
    'good and bad',
    ['Gateway shop/edge web', 'Gateway shop/edge none'],
    [yes, 'False NoMatchingParent'],
    [1, 0],
  ],
  ['a Gateway that there is not', ['Gateway shop/none'], [], [0, 0]],
  ['another kind', ['Service shop/web'], [], [0, 0]],
  ['a ListenerSet that there is not', ['ListenerSet shop/none'], [], [0, 0]],
])('a parentRef to %s', (_, parents, accepted, counts) => {
  const result = outcome([web, secure], [http({ ...to(...parents), hostnames: ['a.example'] })]);
  expect(result).toMatchObject({ accepted: [accepted], counts });
});

test('parentRefs stand in the status as the route wrote them, ours only', () => {
  const { statuses } = outcome([web], [http(to('Gateway shop/none', 'Gateway shop/edge web :80'))]);
  expect(statuses.get('HTTPRoute/shop/route')).toMatchObject({
    parents: [{ parent: { written: { name: 'edge', sectionName: 'web', port: 80 } } }],
  });
});

test.each<[string, NamespacesFrom, string, string]>([
  ['Same, of the same', { from: 'Same' }, 'shop', yes],
  ['Same, of another', { from: 'Same' }, 'other', 'False NotAllowedByListeners'],
  ['All', { from: 'All' }, 'other', yes],
  ['Selector that fits', { from: 'Selector', selector: { matchLabels: { team: 'a' } } }, 'other', yes],
  [
    'Selector that does not',
    { from: 'Selector', selector: { matchLabels: { team: 'b' } } },
    'other',
    'False NotAllowedByListeners',
  ],
  [
    'Selector that can’t be read',
    { from: 'Selector', selector: undefined },
    'other',
    'False NotAllowedByListeners',
  ],
])('allowedRoutes from %s', (_, allowedNamespaces, namespace, accepted) => {
  const result = outcome(
    [{ ...web, allowedNamespaces }],
    [http({ ...objectOf('HTTPRoute', `${namespace}/route`) })],
    { namespaces: new Map([['other', { team: 'a' }]]) },
  );
  expect(result.accepted).toEqual([[accepted]]);
});

const l4 = (kind: 'TLSRoute' | 'TCPRoute' | 'UDPRoute', part: Parameters<typeof l4Route>[2] = {}) =>
  l4Route(kind, [backend('shop/web')], { ...to('Gateway shop/edge'), ...part });
const grpc = (part: Parameters<typeof grpcRoute>[1] = {}) =>
  grpcRoute([grpcRule()], { ...to('Gateway shop/edge'), ...part });

test.each<[string, ListenerModel, readonly string[]]>([
  ['HTTP', listener('a HTTP/80'), ['HTTPRoute', 'GRPCRoute']],
  ['HTTPS', listener('a HTTPS/443'), ['HTTPRoute', 'GRPCRoute']],
  ['TLS', listener('a TLS/443', passthrough), ['TLSRoute']],
  ['TLS that ends', listener('a TLS/443'), ['TLSRoute']],
  ['TCP', listener('a TCP/80'), ['TCPRoute']],
  ['UDP', listener('a UDP/80'), ['UDPRoute']],
  ['SCTP', listener('a SCTP/80'), []],
])('which kinds of routes %s takes', (_, one, kinds) => {
  const taken = [http(), grpc(), l4('TLSRoute'), l4('TCPRoute'), l4('UDPRoute')].filter(
    (route) => outcome([one], [route]).accepted[0]?.[0] === yes,
  );
  expect(taken.map(({ kind }) => kind)).toEqual(kinds);
  const others = [http(), l4('TCPRoute')].filter(({ kind }) => !kinds.includes(kind));
  for (const route of others)
    expect(outcome([one], [route]).accepted).toEqual([['False NotAllowedByListeners']]);
});

test('names that no listener has in common with the route', () => {
  const { accepted, counts } = outcome(
    [secure],
    [http({ hostnames: ['b.example'] }), grpc({ hostnames: ['*.b.example'] })],
  );
  expect({ accepted, counts }).toEqual({
    accepted: [['False NoMatchingListenerHostname'], ['False NoMatchingListenerHostname']],
    counts: [0],
  });
});

test('a message stays short, however many names there are', () => {
  const hostnames = Array.from({ length: 1024 }, (_, index) => `${'x'.repeat(60)}.${index}.example`);
  const { statuses } = outcome([secure], [http({ hostnames })]);
  const status = statuses.get('HTTPRoute/shop/route');
  const message =
    status !== undefined && 'parents' in status ? status.parents[0]?.conditions[0]?.message : '';
  expect(message?.length).toBeLessThan(2_100);
});

test('routes are attached, and counted, at listeners that aren’t served; the data plane hears nothing of it', () => {
  const { accepted, counts, intent } = outcome([listener('a HTTP/80'), listener('b TCP/80')], [http()]);
  expect({ accepted, counts, rules: intent.rules }).toEqual({ accepted: [[yes]], counts: [1, 0], rules: {} });
});

test('the younger of an HTTPRoute and a GRPCRoute with a name in common is refused', () => {
  const old = http({ ...objectOf('HTTPRoute', 'shop/old', 1), hostnames: ['*.example'] });
  const young = grpc({ ...objectOf('GRPCRoute', 'shop/young', 2), hostnames: ['a.example', 'b.else'] });
  const other = grpc({ ...objectOf('GRPCRoute', 'shop/other', 3), hostnames: ['b.else'] });
  const last = http({ ...objectOf('HTTPRoute', 'shop/last', 4), hostnames: ['b.else'] });
  const { accepted, counts } = outcome([web], [old, young, other, last]);
  expect({ accepted, counts }).toEqual({
    accepted: [[yes], ['False Conflicted'], [yes], ['False Conflicted']],
    counts: [2],
  });
});

test('of the same age the one whose name sorts first stays', () => {
  const { accepted } = outcome(
    [web],
    [http(objectOf('HTTPRoute', 'shop/b')), grpc(objectOf('GRPCRoute', 'shop/a'))],
  );
  expect(accepted).toEqual([['False Conflicted'], [yes]]);
});

test('on different listeners they don’t meet', () => {
  const routes = [http(to('Gateway shop/edge web')), grpc(to('Gateway shop/edge secure'))];
  expect(outcome([web, secure], routes).accepted).toEqual([[yes], [yes]]);
});

test.each(['TCPRoute', 'UDPRoute'] as const)(
  'of two %ss of one listener the older is served; both are accepted and counted',
  (kind) => {
    const one = listener(`a ${kind.slice(0, 3)}/80`);
    const routes = ['a', 'b'].map((name, index) => l4(kind, objectOf(kind, `shop/${name}`, 2 - index)));
    const { accepted, counts, intent } = outcome([one], routes);
    expect({ accepted, counts }).toEqual({ accepted: [[yes], [yes]], counts: [2] });
    expect(Object.values(intent.streams).map(({ origin: { name } }) => name)).toEqual(['b']);
  },
);

test('TLSRoutes share a listener by their names; of one name the oldest has it', () => {
  const route = (name: string, age: number, ...hostnames: readonly string[]) =>
    l4('TLSRoute', { ...objectOf('TLSRoute', `shop/${name}`, age), hostnames });
  const { accepted, counts, intent } = outcome(
    [listener('a TLS/443', passthrough)],
    [route('one', 1, 'a.example'), route('two', 2, 'a.example', 'b.example'), route('three', 3, 'b.example')],
  );
  expect({ accepted, counts }).toEqual({ accepted: [[yes], [yes], [yes]], counts: [3] });
  const owners = Object.values(intent.streams).map(({ host, origin: { name } }) => [host, name]);
  expect(owners).toEqual([
    ['a.example', 'one'],
    ['b.example', 'two'],
  ]);
});

test('default Gateways take routes that ask for them, and the status says so', () => {
  const standard = gateway('shop/edge', [web], { defaultScope: 'All' });
  const other = gateway('shop/back', [web]);
  const cluster = { gateway: [standard, other] };
  const asks = http({ parents: [], defaultGateways: 'All' });
  const result = outcome([], [asks], cluster);
  expect(result.statuses.get('HTTPRoute/shop/route')).toMatchObject({
    parents: [{ parent: { written: { kind: 'Gateway', namespace: 'shop', name: 'edge' } } }],
  });
  expect([result.accepted, result.counts]).toEqual([[[yes]], [1]]);
  const both = { ...asks, ...to('Gateway shop/edge', 'Gateway shop/back') };
  expect(outcome([], [both], cluster).accepted).toEqual([[yes, yes]]);
  expect(outcome([], [http({ parents: [] })], cluster).accepted).toEqual([[]]);
  expect(outcome([], [http({ parents: [], defaultGateways: 'None' })], cluster).accepted).toEqual([[]]);
});

test('of very many default Gateways a route has the oldest, as many as its status has room for', () => {
  const standard = (name: string, created: string) => ({
    ...gateway(`shop/${name}`, [web], { defaultScope: 'All' }),
    created,
  });
  const many = Array.from({ length: 40 }, (_, at) => standard(`a${at}`, '2026-02-02T00:00:00Z'));
  const cluster = { gateway: [...many, standard('z', '2026-01-01T00:00:00Z')] };
  const { statuses } = outcome([], [http({ parents: [], defaultGateways: 'All' })], cluster);
  const status = statuses.get('HTTPRoute/shop/route');
  const names =
    status !== undefined && 'parents' in status ? status.parents.map((each) => each.parent.name) : [];
  expect(names).toHaveLength(32);
  expect(names[0]).toBe('z');
});

test('a route that can’t be served at all is not counted', () => {
  const bad = http();
  const unusable = httpRoute([httpRule({ unusable: 'asks for what there is not' })], to('Gateway shop/edge'));
  expect(outcome([web], [bad]).counts).toEqual([1]);
  const { accepted, counts } = outcome([web], [unusable]);
  expect([accepted[0]?.[0]?.startsWith('False'), counts]).toEqual([true, [0]]);
});

test('references of a route that is not accepted are judged all the same', () => {
  const route = httpRoute([httpRule({ backends: [backend('shop/none')] })], to('Gateway shop/edge none'));
  const { statuses } = outcome([web], [route]);
  expect(saidOfRoute(statuses.get('HTTPRoute/shop/route'))).toEqual([
    ['Accepted False NoMatchingParent', 'ResolvedRefs False BackendNotFound'],
  ]);
});
