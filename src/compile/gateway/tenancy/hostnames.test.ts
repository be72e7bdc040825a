/** Whose a hostname is, seen from the outside: what is served, and what those are told who don't get it. */
import { expect, test } from 'vitest';
import type { GatewayIntent } from '#intent/gateway.ts';
import type { ALBModel, HostnameGrantModel } from '#model/gateway/policy-types.ts';
import { createGatewayBook } from '../book.ts';
import { httpRoute, httpRule, l4Route, service } from '../samples.ts';
import {
  type Cluster,
  certificate,
  compiled,
  gateway,
  gatewayClass,
  hostnameGrant,
  listener,
  listenerSet,
  objectOf,
  openALB,
  parent,
  reference,
  routeId,
  running,
  secret,
  sharing,
  slots,
} from '../testing.ts';
import type { GatewayStatus } from '../types.ts';

const open = { allowedNamespaces: { from: 'All' as const } };
const shared = sharing('infra/lb');
const lb = (part: Partial<ALBModel> = {}) => openALB('infra/lb', part);
const edge = (part = {}) => gateway('infra/edge', [listener('web HTTP/8080', open)], part);
/** Older ones first. */
const routes = (...texts: readonly string[]) =>
  texts.map((text, age) => {
    const [key = '', ...hostnames] = text.split(' ');
    return httpRoute([httpRule({ backends: [] })], {
      ...objectOf('HTTPRoute', key, age),
      parents: [parent('Gateway infra/edge')],
      hostnames,
    });
  });

/** Of the load balancer, or of the Gateway if it has its own. */
const held = (intents: ReadonlyMap<string, GatewayIntent>) =>
  intents.get('infra/lb~alb') ?? intents.get('infra/edge');

/** Who has what, and what is said of whom but that all is well. */
function outcome(cluster: Cluster) {
  const { intents, statuses } = compiled(cluster);
  const hosts = new Map<string, Set<string>>();
  for (const { host, action } of Object.values(held(intents)?.rules ?? {}))
    hosts.set(
      host,
      (hosts.get(host) ?? new Set<string>()).add(
        action === '' ? 'else nobody' : action.replace(/^HTTPRoute\/|\|.*$/g, ''),
      ),
    );
  return {
    served: Object.fromEntries([...hosts].map(([host, owners]) => [host, [...owners].join(' ')])),
    said: [...statuses].flatMap(([id, status]) => saidOf(id, status)),
  };
}

function saidOf(id: string, status: GatewayStatus): readonly string[] {
  if (!('parents' in status)) return [];
  return status.parents.flatMap(({ conditions }) =>
    conditions
      .filter(({ status: is, type }) => (is === 'False') === (type === 'Accepted'))
      .filter(({ type }) => type !== 'ResolvedRefs' && type !== 'netloom.dev/Shadowed')
      .map(({ type, reason, message }) => `${id} ${type} ${reason}: ${message}`),
  );
}

const granted = (...grants: readonly HostnameGrantModel[]) => ({ hostnameGrant: grants });
const labelled = new Map([['a', { team: 'a' }]]);

test.each<[string, Cluster, Record<string, string>, readonly string[]]>([
  [
    'a plain Gateway without grants: a name is shared',
    { gateway: [edge()], route: routes('a/x s.example', 'b/x s.example') },
    { 's.example': 'a/x b/x' },
    [],
  ],
  [
    'a grant holds at every Gateway, whoever came first',
    {
      gateway: [edge()],
      route: routes('b/x s.example', 'a/x s.example'),
      ...granted(hostnameGrant('names', ['s.example'], 'a')),
    },
    { 's.example': 'a/x' },
    ['HTTPRoute/b/x Accepted HostnameNotPermitted: HostnameGrant names gives s.example to other namespaces'],
  ],
  [
    'a grant by label; a route keeps what else it has',
    {
      gateway: [edge()],
      route: routes('a/x x.s.example', 'b/x x.s.example free.example'),
      namespaces: labelled,
      ...granted(hostnameGrant('names', ['*.s.example'], 'team=a')),
    },
    { 'x.s.example': 'a/x', 'free.example': 'b/x' },
    [
      'HTTPRoute/b/x netloom.dev/HostnameRefused HostnameNotPermitted: HostnameGrant names gives x.s.example to other namespaces',
    ],
  ],
  [
    'of several grants the most specific name decides, and equal ones add up',
    {
      gateway: [edge()],
      route: routes('a/x x.example', 'b/x x.example', 'c/x x.example', 'a/y y.example'),
      ...granted(
        hostnameGrant('wide', ['*.example'], 'a'),
        hostnameGrant('b', ['x.example'], 'b'),
        hostnameGrant('c', ['x.example'], 'c'),
      ),
    },
    { 'x.example': 'b/x c/x', 'y.example': 'a/y' },
    ['HTTPRoute/a/x Accepted HostnameNotPermitted: HostnameGrant b gives x.example to other namespaces'],
  ],
  [
    'an ALB gives a name to who claimed it first',
    {
      alb: [lb()],
      gateway: [edge(shared)],
      route: routes('a/x s.example', 'b/x s.example', 'a/y s.example'),
    },
    { 's.example': 'a/x a/y' },
    ['HTTPRoute/b/x Accepted HostnameHeld: s.example is held by namespace a, which claimed it first'],
  ],
  [
    'what has no name is held, too, and is no claim on names',
    { alb: [lb()], gateway: [edge(shared)], route: routes('a/x', 'b/x', 'b/y s.example') },
    { '': 'a/x', 's.example': 'b/y else nobody' },
    [
      'HTTPRoute/b/x Accepted HostnameHeld: What has no hostname of its own is held by namespace a, which claimed it first',
    ],
  ],
  [
    'a grant decides before who was first',
    {
      alb: [lb()],
      gateway: [edge(shared)],
      route: routes('b/x *.example', 'a/x s.example'),
      ...granted(hostnameGrant('names', ['s.example'], 'a')),
    },
    { '*.example': 'b/x', 's.example': 'a/x else nobody' },
    [],
  ],
  [
    'a wildcard gets nothing of names of others, be they in use or not',
    {
      gateway: [edge()],
      route: routes('b/x *.example', 'a/x s.example', 'b/y t.example'),
      ...granted(
        hostnameGrant('s', ['s.example', '*.u.example'], 'a'),
        hostnameGrant('t', ['t.example'], 'b'),
      ),
    },
    { '*.example': 'b/x', 's.example': 'a/x else nobody', 't.example': 'b/y', '*.u.example': 'else nobody' },
    [],
  ],
  [
    'nor does what has no name, of another tenant',
    {
      alb: [lb()],
      gateway: [edge(shared)],
      route: routes('b/x', 'a/x x.s.example', 'a/y *.s.example', 'a/z z.t.example', 'infra/x *.t.example'),
    },
    {
      '': 'b/x',
      'x.s.example': 'a/x',
      '*.s.example': 'a/y else nobody',
      '*.t.example': 'infra/x else nobody',
      'z.t.example': 'a/z',
    },
    [],
  ],
  [
    'an ALB that wants grants',
    {
      alb: [lb({ hostnames: 'GrantOnly' })],
      gateway: [edge(shared)],
      route: routes('a/x s.example', 'b/x other.example', 'b/y'),
      ...granted(hostnameGrant('names', ['s.example'], 'a')),
    },
    { 's.example': 'a/x' },
    [
      'HTTPRoute/b/x Accepted HostnameNotPermitted: No HostnameGrant gives other.example to namespace b, and here nobody has one without',
      'HTTPRoute/b/y Accepted HostnameNotPermitted: What has no hostname is left to the namespace of the load balancer',
    ],
  ],
  [
    'an ALB that shares',
    {
      alb: [lb({ hostnames: 'Shared' })],
      gateway: [edge(shared)],
      route: routes('a/x s.example', 'b/x s.example'),
    },
    { 's.example': 'a/x b/x' },
    [],
  ],
])('%s', (_, cluster, served, said) => {
  expect(outcome(cluster)).toEqual({ served, said });
});

test('a listener of a ListenerSet claims its name: another one’s is not served, and stands in nobody’s way', () => {
  const cluster = {
    alb: [lb()],
    gateway: [edge({ ...shared, allowedListeners: { from: 'All' as const } })],
    certificate: [certificate('a/cert'), certificate('b/cert')],
    route: routes('a/x s.example'),
    listenerSet: ['b', 'a'].map((namespace, age) =>
      listenerSet(
        `${namespace}/more`,
        'infra/edge',
        [listener('tls HTTPS/443 s.example', {}, [reference('', 'Secret', `${namespace}/cert`)])],
        age + 1,
      ),
    ),
  };
  const { intents, statuses } = compiled(cluster);
  expect(Object.keys(held(intents)?.listeners ?? {})).toEqual([
    'gateway/infra/edge/web',
    'gateway/infra/lb~alb/http',
    'set/a/more/tls',
  ]);
  expect(Object.keys(held(intents)?.certificates ?? {})).toEqual(['a/cert']);
  expect(statuses.get('ListenerSet/b/more')).toMatchObject({
    listeners: [
      {
        conditions: expect.arrayContaining([
          expect.objectContaining({ type: 'Accepted', reason: 'HostnameHeld' }),
        ]),
      },
    ],
  });
});

test('a namespace has so many listeners, the oldest; another one’s are served all the same', () => {
  const many = (key: string, count: number, age: number) =>
    listenerSet(
      key,
      'infra/edge',
      Array.from({ length: count }, (_, at) =>
        listener(`l${at} HTTP/80 h${at}.${key.replace('/', '.')}.example`),
      ),
      age,
    );
  const { intents } = compiled({
    gateway: [edge({ allowedListeners: { from: 'All' as const } })],
    listenerSet: [many('a/one', 600, 1), many('a/two', 600, 2), many('b/one', 2, 3)],
  });
  const keys = Object.keys(intents.get('infra/edge')?.listeners ?? {});
  const count = (set: string) => keys.filter((key) => key.startsWith(`set/${set}/`)).length;
  expect(['a/one', 'a/two', 'b/one'].map(count)).toEqual([600, 400, 2]);
});

test('each of its certificates counts as a listener: what still fits after one that doesn’t is served', () => {
  const certificates = Array.from({ length: 600 }, () => secret('a/cert'));
  const set = listenerSet('a/one', 'infra/edge', [
    listener('first HTTPS/443 first.example', {}, certificates),
    listener('second HTTPS/443 second.example', {}, certificates),
    listener('third HTTPS/443 third.example', {}, [secret('a/cert')]),
  ]);
  const { statuses } = compiled({
    gateway: [edge({ allowedListeners: { from: 'All' as const } })],
    listenerSet: [set],
    certificate: [certificate('a/cert')],
  });
  const accepted = (reason: string) => ({ conditions: [{ type: 'Accepted', reason }, {}, {}, {}] });
  expect(statuses.get('ListenerSet/a/one')).toMatchObject({
    listeners: [accepted('Accepted'), accepted('QuotaExceeded'), accepted('Accepted')],
  });
});

test('names of TLSRoutes are held as well', () => {
  const route = (key: string, age: number, hostname: string) =>
    l4Route('TLSRoute', [], {
      ...objectOf('TLSRoute', key, age),
      parents: [parent('Gateway infra/edge')],
      hostnames: [hostname],
    });
  const tls = { ...open, tls: { mode: 'Passthrough' as const, certificates: [], options: {} } };
  const { intents } = compiled({
    alb: [lb()],
    gateway: [gateway('infra/edge', [listener('tls TLS/443', tls)], shared)],
    route: [route('a/x', 1, '*.example'), route('b/x', 2, 's.example')],
  });
  expect(Object.keys(held(intents)?.streams ?? {})).toEqual(['gateway/infra/edge/tls|*.example']);
});

test('what is granted and taken back takes effect at once, and costs nobody else anything', () => {
  const book = createGatewayBook(slots);
  book.set('class', 'netloom', gatewayClass());
  book.set('gateway', 'infra/edge', edge());
  book.setFacts('infra/edge', running);
  book.set('service', 'b/web', service('b/web', ['http 80']));
  for (const route of routes('a/x a.example', 'b/x s.example')) book.set('route', routeId(route), route);
  const grant = (...tenants: readonly string[]) =>
    book.set('hostnameGrant', 'names', hostnameGrant('names', ['s.example'], ...tenants));
  const change = () => {
    const { instances, statuses } = book.settle();
    const { put = {}, remove = {} } = instances.get('infra/edge') ?? {};
    return {
      put: Object.keys(put['rules'] ?? {}),
      remove: remove['rules'] ?? [],
      statuses: [...statuses.keys()].filter((id) => id.startsWith('HTTPRoute')),
    };
  };
  const rule = 'gateway/infra/edge/web|s.example|HTTPRoute/b/x|0.0';
  grant('b');
  expect(change().put).toContain(rule);
  grant('a');
  expect(change()).toEqual({ put: [], remove: [rule], statuses: ['HTTPRoute/b/x'] });
  book.set('hostnameGrant', 'names', undefined);
  expect(change()).toEqual({ put: [rule], remove: [], statuses: ['HTTPRoute/b/x'] });
});
