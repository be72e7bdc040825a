/** Change by change or all at once: the same; and a change costs what it touches. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GatewayIntent } from '#intent/gateway.ts';
import type { GatewayModel, ListenerModel } from '#model/gateway/types.ts';
import { anyChange, beginning, type Change } from './arbitrary.ts';
import { createGatewayBook } from './book.ts';
import { compileGateways } from './compile.ts';
import { backend, httpRoute, httpRule, service, slice, tlsPolicy } from './samples.ts';
import {
  authority,
  certificate,
  gateway,
  gatewayClass,
  grant,
  listener,
  listenerSet,
  objectOf,
  parent,
  reference,
  routeId,
  running,
  saidOf,
  secret,
  slots,
  snapshotOf,
} from './testing.ts';
import type { GatewayBook, GatewayChanges, GatewaySnapshot, GatewayStatus, InstanceFacts } from './types.ts';

type Domains = Record<string, Record<string, unknown>>;

/** What somebody knows who heard of every change. */
function createListener() {
  const intents = new Map<string, Domains>();
  const statuses = new Map<string, GatewayStatus>();
  return {
    intents,
    statuses,
    hear({ instances, statuses: said }: GatewayChanges): void {
      for (const [key, change] of instances) {
        if (change === undefined) {
          expect(intents.delete(key)).toBe(true);
          continue;
        }
        const domains = intents.get(key) ?? {};
        intents.set(key, domains);
        for (const [domain, entries] of Object.entries(change.put))
          domains[domain] = { ...domains[domain], ...entries };
        for (const [domain, keys] of Object.entries(change.remove))
          for (const each of keys) delete domains[domain]?.[each];
      }
      for (const [id, status] of said) {
        if (status === undefined) statuses.delete(id);
        else statuses.set(id, status);
      }
    },
  };
}

const withoutEmpty = (domains: Domains | GatewayIntent | undefined): Domains =>
  Object.fromEntries(
    Object.entries((domains ?? {}) as Domains).filter(([, entries]) => Object.keys(entries).length > 0),
  );

function apply(book: GatewayBook, change: Change): void {
  if (change.kind === 'facts') book.setFacts(change.key, change.value);
  else book.set(change.kind, change.key, change.value as never);
}

test('whatever changes in whatever order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyChange, fc.boolean()), { maxLength: 40, size: 'max' }), (steps) => {
      const book = createGatewayBook(slots);
      const heard = createListener();
      const now = new Map<string, Change>();
      const check = (): void => {
        heard.hear(book.settle());
        const maps = new Map<string, Map<string, unknown>>();
        const facts = new Map<string, InstanceFacts>();
        for (const { kind, key, value } of now.values()) {
          if (value === undefined) continue;
          if (kind === 'facts') facts.set(key, value);
          else maps.set(kind, (maps.get(kind) ?? new Map<string, unknown>()).set(key, value));
        }
        const kinds = Object.keys(snapshotOf({})).map((kind) => [kind, maps.get(kind) ?? new Map()] as const);
        const snapshot = Object.fromEntries(kinds) as unknown as GatewaySnapshot;
        const whole = compileGateways(snapshot, facts, slots).value;
        expect([...heard.intents.keys()].sort()).toEqual([...whole.intents.keys()].sort());
        for (const [key, intent] of whole.intents) {
          expect(withoutEmpty(heard.intents.get(key))).toEqual(withoutEmpty(intent));
          expect(JSON.stringify(book.whole(key))).toBe(JSON.stringify(intent));
        }
        expect(heard.statuses).toEqual(whole.statuses);
        for (const [each, instance] of whole.instances) expect(book.instanceOf(each)).toBe(instance);
        expect([...book.references()].sort()).toEqual([...whole.references].sort());
      };
      for (const [change, settles] of [...beginning.map((each) => [each, false] as const), ...steps]) {
        now.set(`${change.kind} ${change.key}`, change);
        apply(book, change);
        if (settles) check();
      }
      check();
    }),
    { numRuns: 200 },
  );
});

/** A book with many routes to one Service each, and what a change of it tells. */
function manyRoutes(count: number) {
  const book = createGatewayBook(slots);
  const names = Array.from({ length: count }, (_, index) => `s${index}`);
  const routeTo = (name: string, path = '/') =>
    httpRoute(
      [
        httpRule({
          matches: [{ path: { type: 'PathPrefix', value: path }, headers: [], query: [] }],
          backends: [backend(`shop/${name}`)],
        }),
      ],
      {
        ...objectOf('HTTPRoute', `shop/${name}`),
        parents: [parent('Gateway shop/edge')],
        hostnames: [`${name}.example`],
      },
    );
  book.set('class', 'netloom', gatewayClass());
  book.set('gateway', 'shop/edge', gateway('shop/edge', [listener('web HTTP/80'), listener('raw TCP/81')]));
  book.setFacts('shop/edge', running);
  for (const name of names) {
    book.set('service', `shop/${name}`, service(`shop/${name}`, ['http 80']));
    book.set('slice', `shop/${name}`, slice(`shop/${name}`, ['10.0.0.1']));
    book.set('route', `HTTPRoute/shop/${name}`, routeTo(name));
  }
  book.settle();
  return { book, routeTo };
}

const told = ({ instances, statuses }: GatewayChanges) => ({
  put: Object.fromEntries(
    Object.entries(instances.get('shop/edge')?.put ?? {}).map(([domain, entries]) => [
      domain,
      Object.keys(entries),
    ]),
  ),
  statuses: [...statuses.keys()],
});

test('a change touches what it is about', () => {
  const { book, routeTo } = manyRoutes(50);
  book.set('slice', 'shop/s7', slice('shop/s7', ['10.0.0.2']));
  expect(told(book.settle())).toEqual({ put: { backends: ['shop/s7:80/http'] }, statuses: [] });

  book.set('route', 'HTTPRoute/shop/s8', routeTo('s8', '/new'));
  const rule = 'gateway/shop/edge/web|s8.example|HTTPRoute/shop/s8|0.0';
  expect(told(book.settle())).toEqual({ put: { rules: [rule] }, statuses: [] });

  book.set('route', 'HTTPRoute/shop/s8', { ...routeTo('s8', '/new'), generation: 2 });
  expect(told(book.settle())).toEqual({ put: {}, statuses: ['HTTPRoute/shop/s8'] });

  book.set('route', 'HTTPRoute/shop/s8', undefined);
  expect(told(book.settle()).statuses.sort()).toEqual(['Gateway/shop/edge', 'HTTPRoute/shop/s8']);

  book.set('service', 'shop/s9', undefined);
  expect(told(book.settle()).statuses).toEqual(['HTTPRoute/shop/s9']);

  book.set('namespace', 'shop', { team: 'a' });
  book.set('grant', 'other/g', grant('other', 'HTTPRoute shop', 'Service'));
  book.set('tlsPolicy', 'shop/p', tlsPolicy('shop/p', 's10'));
  expect(told(book.settle()).statuses).toEqual(['BackendTLSPolicy/shop/p']);
});

test('the same again is no change', () => {
  const { book, routeTo } = manyRoutes(3);
  book.set('route', 'HTTPRoute/shop/s1', routeTo('s1'));
  book.setFacts('shop/edge', { ...running });
  book.set('gateway', 'shop/edge', gateway('shop/edge', [listener('web HTTP/80'), listener('raw TCP/81')]));
  expect(book.settle()).toEqual({ instances: new Map(), statuses: new Map() });
});

test('a Gateway that goes takes its instance with it, and its routes are told', () => {
  const { book } = manyRoutes(2);
  book.set('gateway', 'shop/edge', undefined);
  const { instances, statuses } = book.settle();
  expect([...instances]).toEqual([['shop/edge', undefined]]);
  expect([...statuses]).toEqual(
    ['Gateway/shop/edge', 'HTTPRoute/shop/s0', 'HTTPRoute/shop/s1'].map((id) => [id, undefined]),
  );
  expect(book.whole('shop/edge')).toBeUndefined();
});

test('a route of others is told of once, so that what an earlier process said of it goes', () => {
  const book = createGatewayBook(slots);
  const route = httpRoute([httpRule()], { parents: [parent('Gateway shop/none')] });
  book.set('route', routeId(route), route);
  expect([...book.settle().statuses]).toEqual([['HTTPRoute/shop/route', undefined]]);
  book.set('route', routeId(route), { ...route, generation: 2 });
  expect(book.settle().statuses.size).toBe(0);
});

test('what a Gateway shows to backends is another certificate once it names another', () => {
  const { book } = manyRoutes(1);
  const shows = (key: string) =>
    book.set(
      'gateway',
      'shop/edge',
      gateway('shop/edge', [listener('web HTTP/80')], { clientCertificate: secret(key) }),
    );
  book.set('certificate', 'shop/old', certificate('shop/old'));
  book.set('certificate', 'shop/new', certificate('shop/new'));
  book.set('tlsPolicy', 'shop/p', tlsPolicy('shop/p', 's0'));
  shows('shop/old');
  book.settle();
  shows('shop/new');
  expect(told(book.settle()).put).toEqual({ identities: ['shop/p/http'], certificates: ['shop/new'] });
  expect(book.whole('shop/edge')?.identities['shop/p/http']?.certificate).toBe('shop/new');
  expect(Object.keys(book.whole('shop/edge')?.certificates ?? {})).toEqual(['shop/new']);
});

test('what is named is watched before it is permitted', () => {
  const book = createGatewayBook(slots);
  book.set('class', 'netloom', gatewayClass());
  book.set(
    'gateway',
    'shop/edge',
    gateway('shop/edge', [listener('a HTTPS/443', {}, [secret('other/cert')])]),
  );
  book.settle();
  expect([...book.references()]).toEqual(['Secret/other/cert']);
  book.set('certificate', 'other/cert', certificate('other/cert'));
  book.settle();
  expect(book.whole('shop/edge')?.listeners).toEqual({});
  book.set('grant', 'other/g', grant('other', 'Gateway shop', 'Secret'));
  book.settle();
  expect(Object.keys(book.whole('shop/edge')?.listeners ?? {})).toEqual(['gateway/shop/edge/a']);
  book.set('gateway', 'shop/edge', undefined);
  book.settle();
  expect([...book.references()]).toEqual([]);
});

test('listeners that did not change themselves say what others bring about', () => {
  const book = createGatewayBook(slots);
  const statuses = new Map<string, GatewayStatus | undefined>();
  const settle = () => {
    for (const [id, status] of book.settle().statuses) statuses.set(id, status);
    return saidOf(statuses.get('ListenerSet/shop/more'), 'a') ?? [];
  };
  const judge = {
    authorities: ['shop/one', 'shop/two'].map((key) => reference('', 'ConfigMap', key)),
    mode: 'AllowValidOnly' as const,
  };
  const edge = (listeners: readonly ListenerModel[], part: Partial<GatewayModel> = {}) =>
    book.set(
      'gateway',
      'shop/edge',
      gateway('shop/edge', listeners, { allowedListeners: { from: 'All' }, ...part }),
    );
  const more = (text: string) =>
    book.set('listenerSet', 'shop/more', listenerSet('shop/more', 'shop/edge', [listener(text)]));
  book.set('class', 'netloom', gatewayClass());
  book.set('certificate', 'shop/cert', certificate('shop/cert'));
  book.setFacts('shop/edge', running);

  edge([listener('own HTTP/80')]);
  more('a HTTPS/443 a.example');
  expect(settle()).not.toContain('OverlappingTLSConfig True OverlappingHostnames');
  edge([listener('own HTTPS/443 *.example')]);
  expect(settle()).toContain('OverlappingTLSConfig True OverlappingHostnames');

  edge([listener('own HTTP/80')], { clientValidation: { default: judge, perPort: new Map() } });
  expect(settle()).toContain('Accepted False NoValidCACertificate');
  book.set('authority', 'ConfigMap/shop/two', authority('ConfigMap', 'shop/two'));
  expect(settle()).toContain('Accepted True Accepted');
  expect(settle()).toContain('ResolvedRefs False InvalidCACertificateRef');

  more('a TCP/9');
  const ports = [1, 2, 3].map((port) => listener(`p${port} TCP/${port}`));
  edge(ports.slice(0, 2));
  expect(settle()).toContain('Accepted True Accepted');
  edge(ports);
  expect(settle()).toContain('Accepted False PortUnavailable');
});
