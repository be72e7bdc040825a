/** What is held is the fold of the changes, and what nginx is told of it is the same change by change as from the whole. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GatewayChange } from '#intent/gateway.ts';
import { createLowering } from './originator/lower.ts';
import { createState, domains, readChange, wholeOf } from './state.ts';
import { backend, delta, identity, whole } from './testing.ts';

const keys = ['a', 'b', '__proto__', 'constructor'] as const;
const key = fc.constantFrom(...keys);
const entries = <T>(value: fc.Arbitrary<T>) =>
  fc
    .array(fc.tuple(key, value), { maxLength: 4 })
    .map((pairs) => Object.fromEntries(pairs) as Record<string, T>);
const endpoints = fc.subarray(['10.0.0.1:80', '10.0.0.2:80', '[fd00::1]:80']);
const backends = entries(
  fc.tuple(endpoints, fc.option(key, { nil: undefined })).map(([all, as]) => backend(all, as)),
);
const identities = entries(
  fc
    .tuple(fc.constantFrom('a.example', 'b.example'), fc.option(key, { nil: undefined }))
    .map(([hostname, certificate]) => identity(hostname, certificate === undefined ? {} : { certificate })),
);
const certificates = entries(
  fc.constantFrom('one', 'two').map((privateKey) => ({
    origin: { kind: 'Secret', namespace: 'x', name: 'c' },
    certificate: 'c',
    privateKey,
    names: [],
  })),
);
const removed = fc.subarray([...keys]);
const changes = fc
  .array(
    fc.record({
      replace: fc.boolean(),
      put: fc.record({ backends, identities, certificates }),
      remove: fc.record({ backends: removed, identities: removed, certificates: removed }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((all) =>
    all.map(({ replace, put, remove }, at): GatewayChange => {
      const isWhole = replace || at === 0;
      return { generation: at + 1, after: at, replace: isWhole, put, remove: isWhole ? {} : remove };
    }),
  );

/** As plain data, with every key as it is. */
function dump(held: Parameters<typeof wholeOf>[0]): string {
  return JSON.stringify(
    domains.map((domain) => [...held.entries(domain)].sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}

test('what nginx is told change by change is what it is told of the whole', () => {
  fc.assert(
    fc.property(changes, (all) => {
      const state = createState();
      const lowering = createLowering('/run/x');
      const nginx = createState();
      const open = new Set<string>();
      for (const change of all) {
        expect(state.refusal(change)).toBeUndefined();
        state.take(change);
        const { change: told, opened, left } = lowering.lower(state, change);
        nginx.take(told);
        for (const { path } of opened) open.add(path);
        for (const path of left) open.delete(path);

        const again = createState();
        again.take(JSON.parse(JSON.stringify(wholeOf(state))) as GatewayChange);
        expect(dump(again)).toBe(dump(state));
        const fresh = createLowering('/run/x');
        const { change: toldAll, opened: openedAll } = fresh.lower(again, wholeOf(again));
        const other = createState();
        other.take(toldAll);
        expect(dump(nginx)).toBe(dump(other));
        expect(dump(lowering.holding(state))).toBe(dump(other));
        expect([...open].sort()).toEqual([...new Set(openedAll.map(({ path }) => path))].sort());
        for (const path of open) expect(lowering.names(path)).toBe(true);
      }
    }),
  );
});

test('a backend is never spoken to in the clear because its identity is missing', () => {
  const state = createState();
  const lowering = createLowering('/run/x');
  const change = whole(1, { backends: { web: backend(['10.0.0.1:443'], 'proof') } });
  state.take(change);
  expect(lowering.lower(state, change).change.put.backends?.['web']?.endpoints).toEqual([]);
  expect(lowering.problems()).toEqual([
    { entry: 'backends/web', reason: 'no endpoints: there is no identity proof' },
  ]);

  const later = delta(2, { identities: { proof: identity('web.example') } });
  state.take(later);
  const lowered = lowering.lower(state, later);
  expect(lowered.change.put.backends?.['web']?.endpoints).toEqual([
    expect.stringMatching(/^unix:\/run\/x\/[0-9a-f]{32}\.sock$/),
  ]);
  expect(lowered.change.put).not.toHaveProperty('identities');
  expect(lowering.problems()).toEqual([]);
});

test('whatever connections depend on changes the socket, and a new certificate of ours too', () => {
  const certificate = (privateKey: string) => ({
    origin: { kind: 'Secret', namespace: 'x', name: 'c' },
    certificate: 'c',
    privateKey,
    names: [],
  });
  const state = createState();
  const lowering = createLowering('/run/x');
  const paths = new Set<string | undefined>();
  const say = (change: GatewayChange) => {
    state.take(change);
    const { change: told, opened, left } = lowering.lower(state, change);
    paths.add(told.put.backends?.['web']?.endpoints[0]);
    return { opened: opened.length, left: left.length };
  };
  const names = (value: string) => ({ subjectAltNames: [{ type: 'uri' as const, value }] });
  say(
    whole(1, {
      backends: { web: backend(['10.0.0.1:443'], 'i') },
      identities: { i: identity('a.example') },
      certificates: { c: certificate('one') },
    }),
  );
  const edits = [
    identity('b.example'),
    identity('a.example', { authorities: 'pem' }),
    identity('a.example', names('spiffe://a')),
    identity('a.example', names('spiffe://b')),
    identity('a.example', { alpn: 'h2' }),
    identity('a.example', { certificate: 'c' }),
  ];
  for (const [at, edit] of edits.entries()) {
    expect(say(delta(at + 2, { identities: { i: edit } }))).toEqual({ opened: 1, left: 1 });
  }
  expect(say(delta(8, { certificates: { c: certificate('two') } }))).toEqual({ opened: 1, left: 1 });
  expect(paths.size).toBe(8);
});

test('a delta must follow what is held, and a whole need not', () => {
  const state = createState();
  expect(state.refusal(delta(1, {}))).toBe('a delta on generation 0 does not follow 0');
  state.take(whole(7, {}));
  expect(state.refusal(delta(7, {}))).toBe('a delta on generation 6 does not follow 7');
  expect(state.refusal(delta(8, {}))).toBeUndefined();
  expect(state.refusal({ ...delta(99, {}), after: 7 })).toBeUndefined();
  expect(state.refusal(whole(3, {}))).toBeUndefined();
});

test.each([
  ['{', 'not JSON'],
  ['[]', 'not a JSON object'],
  ['{"generation":0}', 'generation: not a positive integer'],
  ['{"generation":1,"after":-1}', 'after: not an integer of 0 or more'],
  ['{"generation":1,"after":0,"replace":1}', 'replace: not a boolean'],
  ['{"generation":1,"after":0,"replace":true,"put":[],"remove":{}}', 'put and remove: not objects'],
  ['{"generation":1,"after":0,"replace":true,"put":{"pods":{}},"remove":{}}', 'pods: no such domain'],
  [
    '{"generation":1,"after":0,"replace":true,"put":{"rules":{"a":1}},"remove":{}}',
    'put.rules: not a record of objects',
  ],
  [
    '{"generation":1,"after":0,"replace":true,"put":{},"remove":{"rules":[1]}}',
    'remove.rules: not a list of strings',
  ],
])('%s is no change', (text, wrong) => {
  expect(readChange(text)).toEqual({ wrong: expect.stringContaining(wrong) });
});
