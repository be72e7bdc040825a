/** Random gateways and requests, from few names so that they meet. */
import fc from 'fast-check';
import type {
  GatewayChange,
  GatewayListenerIntent,
  GatewayRuleIntent,
  GatewayStreamIntent,
} from '../../src/intent/gateway.ts';
import type { VectorRequest } from '../src/vectors.ts';

const origin = { kind: 'HTTPRoute', name: 'r', namespace: 'n' };
const ports = ['tcp/80', 'tcp/8080'];
const hostnames = [
  '',
  '*.x',
  '*.b.x',
  '*.a.b.x',
  'a.x',
  'b.x',
  'a.b.x',
  'c.a.b.x',
  'constructor',
  '__proto__',
];
const hosts = [
  'x',
  'a.x',
  'b.x',
  'c.x',
  'a.b.x',
  'c.b.x',
  'c.a.b.x',
  'd.c.a.b.x',
  'other',
  'constructor',
  '__proto__',
];

const segment = fc.constantFrom('a', 'b', 'A', 'ab', '%7E', '~', '%c3', '%C3', 'constructor');
const rulePath = fc
  .tuple(fc.array(segment, { maxLength: 7 }), fc.boolean())
  .map(([segments, slash]) => `/${segments.join('/')}${slash && segments.length > 0 ? '/' : ''}`);
const requestSegment = fc.oneof(
  { weight: 8, arbitrary: segment },
  { weight: 1, arbitrary: fc.constantFrom('.', '..', '', '%2e', '%2F') },
);
const requestPath = fc.array(requestSegment, { maxLength: 9 }).map((segments) => `/${segments.join('/')}`);

const method = fc.constantFrom('GET', 'POST');
const valueMatches = (names: readonly string[]) =>
  fc.uniqueArray(
    fc.record({
      name: fc.constantFrom(...names),
      value: fc.constantFrom('1', '2', '1.*'),
      regex: fc.boolean(),
    }),
    { maxLength: 2, selector: ({ name }) => name },
  );

export const listenerIntent: fc.Arbitrary<GatewayListenerIntent> = fc.record({
  origin: fc.constant(origin),
  port: fc.constantFrom(...ports),
  kind: fc.constant('http' as const),
  hostname: fc.constantFrom(...hostnames),
});

const listenerKey = (one: GatewayListenerIntent) => `gateway/n/g/${one.port}-${one.hostname}`;

const ruleIntent: fc.Arbitrary<GatewayRuleIntent> = fc
  .record({
    listener: listenerIntent.map(listenerKey),
    host: fc.constantFrom(...hostnames),
    type: fc.constantFrom('exact' as const, 'prefix' as const, 'prefix' as const, 'regex' as const),
    path: rulePath,
    method: fc.option(method, { nil: undefined, freq: 2 }),
    headers: fc.option(valueMatches(['h', 'constructor']), { nil: undefined, freq: 2 }),
    query: fc.option(valueMatches(['q', 'constructor']), { nil: undefined, freq: 2 }),
    rank: fc.constantFrom('0', '1', '2', '10'),
  })
  .map(({ listener, host, type, path, method, headers, query, rank }) => ({
    listener,
    host,
    path: { type, value: type === 'regex' ? `${path}.*` : path },
    ...(method === undefined ? {} : { method }),
    ...(headers === undefined ? {} : { headers: headers.map(valueMatch) }),
    ...(query === undefined ? {} : { query: query.map(valueMatch) }),
    rank,
    action: 'a',
  }));

function valueMatch({ name, value, regex }: { name: string; value: string; regex: boolean }) {
  return regex ? { name, value, regex: true as const } : { name, value };
}

const listeners = fc
  .array(listenerIntent, { maxLength: 8 })
  .map((list) => keyed(list.map((one) => [listenerKey(one), one])));
const rules = fc
  .array(fc.tuple(fc.nat(40), ruleIntent), { maxLength: 30 })
  .map((list) => keyed(list.map(([number, rule]) => [`rule-${number}`, rule])));

const streamIntent: fc.Arbitrary<GatewayStreamIntent> = fc
  .record({
    listener: listenerIntent.map(listenerKey),
    host: fc.constantFrom(...hostnames),
    weight: fc.nat(3),
  })
  .map(({ listener, host, weight }) => ({ origin, listener, host, backends: [{ weight: weight + 1 }] }));
const streamKey = (one: GatewayStreamIntent) => `${one.listener}|${one.host}`;
const streams = fc
  .array(streamIntent, { maxLength: 6 })
  .map((list) => keyed(list.map((one) => [streamKey(one), one])));

/** Deltas, each on the one before, that also remove and replace what came earlier. */
export const changes: fc.Arbitrary<readonly GatewayChange[]> = fc
  .array(
    fc.record({
      listeners,
      rules,
      streams,
      removeStreams: fc.array(streamIntent.map(streamKey), { maxLength: 3 }),
      removeListeners: fc.array(listenerIntent.map(listenerKey), { maxLength: 3 }),
      removeRules: fc.array(
        fc.nat(40).map((number) => `rule-${number}`),
        { maxLength: 10 },
      ),
      replace: fc.nat(5).map((number) => number === 0),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((list) =>
    list.map((one, index) => ({
      generation: index + 1,
      after: index,
      replace: one.replace,
      put: { listeners: one.listeners, rules: one.rules, streams: one.streams },
      remove: {
        listeners: one.removeListeners.filter((key) => !(key in one.listeners)),
        rules: one.removeRules.filter((key) => !(key in one.rules)),
        streams: one.removeStreams.filter((key) => !(key in one.streams)),
      },
    })),
  );

export const request: fc.Arbitrary<VectorRequest> = fc
  .record({
    port: fc.constantFrom(...ports),
    host: fc.tuple(fc.constantFrom(...hosts), fc.constantFrom('', '.', ':80')).map((pair) => pair.join('')),
    path: fc.oneof(requestPath, rulePath),
    method,
    h: fc.option(fc.constantFrom('1', '2', '12'), { nil: undefined }),
    query: fc.constantFrom('', 'q=1', 'q=2&q=1', 'a=b&q=12', 'q', '%71=%31', 'constructor=1'),
  })
  .map(({ h, ...rest }) => (h === undefined ? rest : { ...rest, headers: keyed([['h', h]]) }));

/** Without a prototype, so that `__proto__` and `constructor` are keys like others. */
function keyed<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.assign(Object.create(null), Object.fromEntries(entries)) as Record<string, T>;
}
