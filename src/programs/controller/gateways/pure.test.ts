/** What is decided without the API: names, parameters, ports, folded changes, statuses. */
import { expect, test } from 'vitest';
import type { GatewayStatus } from '#compile/gateway/types.ts';
import { covers } from './covers.ts';
import { type Delta, foldDeltas } from './fold.ts';
import { instanceLabels, instanceNames } from './names.ts';
import { nodeAddresses } from './node-addresses.ts';
import { readParameters } from './parameters.ts';
import { servicePorts, slotsOf } from './slots.ts';
import { statusFields, withoutOurs } from './status.ts';

const named = (name: string, className = 'netloom') => ({ namespace: 'shop', name, className });

test('an instance is named for its Gateway and class; what is no name of a Service keeps a hash apart', () => {
  expect(instanceNames(named('web'))).toEqual({
    namespace: 'shop',
    name: 'web-netloom',
    feed: 'web-netloom-feed',
  });
  const names = ['a.b', 'a-b', `${'x'.repeat(250)}1`, `${'x'.repeat(250)}2`, '1web', 'x'.repeat(60)];
  const made = names.map((name) => instanceNames(named(name)));
  expect(new Set(made.map(({ name }) => name)).size).toBe(names.length);
  for (const { name, feed } of made) {
    expect(name).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
    expect(feed.length).toBeLessThanOrEqual(63);
  }
  const long = instanceLabels(named('x'.repeat(253)));
  for (const value of Object.values(long)) expect(value).toMatch(/^[a-zA-Z0-9][-._a-zA-Z0-9]{0,62}$/);
});

test('parameters are taken whole or not at all', () => {
  expect(readParameters('shop/p', {})).toEqual({
    value: { externalTrafficPolicy: 'Local', serviceType: 'LoadBalancer' },
  });
  expect(readParameters('shop/p', { replicas: '3', serviceType: 'ClusterIP' })).toMatchObject({
    value: { replicas: 3, serviceType: 'ClusterIP' },
  });
  for (const [data, reason] of [
    [undefined, 'there is no ConfigMap shop/p'],
    [{ replicas: '0' }, 'ConfigMap shop/p, replicas: "0" is no number from 1 to 100'],
    [{ replicas: '1000' }, 'replicas: "1000"'],
    [{ replica: '1' }, 'replica: is none of replicas'],
    [{ serviceType: 'ExternalName' }, 'serviceType: "ExternalName" is not'],
    [{ externalTrafficPolicy: 'local' }, 'externalTrafficPolicy: "local"'],
  ] as const)
    expect(readParameters('shop/p', data)).toEqual({ wrong: expect.stringContaining(reason) });
});

test('ports lead to sockets and back', () => {
  const ports = {
    'tcp/443': { port: 443, kind: 'https', slot: 1 },
    'udp/53': { port: 53, kind: 'udp', slot: 0 },
    'tcp/53': { port: 53, kind: 'tcp', slot: 5, proxyProtocol: true },
  } as const;
  const service = servicePorts(ports);
  expect(service).toEqual([
    { name: 'tcp-53', port: 53, protocol: 'TCP', targetPort: 11_305 },
    { name: 'udp-53', port: 53, protocol: 'UDP', targetPort: 10_400 },
    { name: 'tcp-443', port: 443, protocol: 'TCP', targetPort: 10_101 },
  ]);
  expect(Object.fromEntries(slotsOf(service))).toEqual({
    'tcp/443': { kind: 'https', slot: 1 },
    'udp/53': { kind: 'udp', slot: 0 },
    'tcp/53': { kind: 'tcp', slot: 5, proxyProtocol: true },
  });
  expect(
    slotsOf([
      { port: 80, targetPort: 8080 },
      { port: 53, protocol: 'TCP', targetPort: 10_400 },
    ]).size,
  ).toBe(0);
});

test('a node whose port two instances want goes to the older, then to the first by name; the other hears of it', () => {
  const at = (key: string, created: string) => ({ key, created, ports: ['tcp/80'], nodes: ['192.0.2.1'] });
  const [early, late] = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z'];
  const taken = (...instances: Parameters<typeof nodeAddresses>[0]) =>
    Array.from(nodeAddresses(instances), ([key, { addresses, taken: text }]) => [key, text ?? addresses]);
  expect(taken(at('x/hn2~alb', early), at('x/hn~alb', early), at('a/hn~alb', late))).toEqual([
    ['x/hn~alb', ['192.0.2.1']],
    [
      'x/hn2~alb',
      "tcp/80 of node 192.0.2.1 is ALB x/hn's: both were made in the same second, and it comes first by its name",
    ],
    ['a/hn~alb', "tcp/80 of node 192.0.2.1 is an older instance's, of another namespace"],
  ]);
  expect(taken(at('x/a~alb', late), at('x/b~alb', early))).toEqual([
    ['x/b~alb', ['192.0.2.1']],
    ['x/a~alb', "tcp/80 of node 192.0.2.1 is ALB x/b's, which is older"],
  ]);
});

test('changes that wait for a pod become one that does the same', () => {
  const apply = (held: Map<string, unknown>, { put, remove }: Delta): Map<string, unknown> => {
    const next = new Map(held);
    for (const [domain, keys] of Object.entries(remove))
      for (const key of keys) next.delete(`${domain} ${key}`);
    for (const [domain, entries] of Object.entries(put))
      for (const [key, value] of Object.entries(entries)) next.set(`${domain} ${key}`, value);
    return next;
  };
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const delta = (): Delta => {
    const put: Record<string, Record<string, unknown>> = {};
    const remove: Record<string, string[]> = {};
    for (const domain of ['rules', 'backends']) {
      for (const key of ['a', 'b', 'c', 'd']) {
        const what = random(4);
        if (what === 0) put[domain] = { ...put[domain], [key]: random(1000) };
        if (what === 1) remove[domain] = [...(remove[domain] ?? []), key];
      }
    }
    return { put, remove };
  };
  const start = new Map<string, unknown>([
    ['rules a', 0],
    ['backends b', 0],
  ]);
  for (let round = 0; round < 200; round += 1) {
    const deltas = Array.from({ length: 1 + random(5) }, delta);
    const one = deltas.reduce(foldDeltas);
    expect(apply(start, one)).toEqual(deltas.reduce(apply, start));
  }
});

test('an object with defaults and fields of others has all that is wished', () => {
  const held = {
    spec: {
      ports: [{ name: 'tcp-80', port: 80, targetPort: 10_000, nodePort: 30_000 }],
      replicas: 3,
      containers: [{ name: 'nginx', image: 'x' }, { name: 'injected' }],
    },
  };
  expect(covers(held, { spec: { ports: [{ name: 'tcp-80', port: 80, targetPort: 10_000 }] } })).toBe(true);
  expect(covers(held, { spec: { containers: [{ name: 'nginx', image: 'x' }], volumes: undefined } })).toBe(
    true,
  );
  expect(covers(held, { spec: { ports: [{ name: 'tcp-80', port: 80, targetPort: 10_001 }] } })).toBe(false);
  expect(covers(held, { spec: { containers: [{ name: 'gateway' }] } })).toBe(false);
  expect(covers({ list: ['a', 'b'] }, { list: ['a'] })).toBe(false);
});

const now = new Date('2026-01-01T00:00:00Z');
const yes = (type: string) => ({ type, status: 'True', reason: type, message: '' }) as const;

test('a route keeps what other controllers say of it, and ours is replaced; time moves with status alone', () => {
  const parent = { name: 'web', namespace: 'shop' };
  const theirs = {
    parentRef: parent,
    controllerName: 'example.com/other',
    conditions: [{ ...yes('Accepted'), lastTransitionTime: '2025-01-01T00:00:00Z' }],
  };
  const ours = {
    parentRef: { kind: 'Gateway', group: 'gateway.networking.k8s.io', ...parent },
    controllerName: 'netloom.dev/gateway',
    conditions: [
      { ...yes('Accepted'), observedGeneration: 1, lastTransitionTime: '2025-06-01T00:00:00Z' },
      { ...yes('PartiallyInvalid'), observedGeneration: 1, lastTransitionTime: '2025-06-01T00:00:00Z' },
    ],
  };
  const held = { parents: [ours, theirs] };
  const status = {
    kind: 'HTTPRoute',
    key: 'shop/r',
    parents: [
      {
        parent: { written: parent },
        conditions: [yes('Accepted'), { ...yes('ResolvedRefs'), status: 'False', reason: 'BackendNotFound' }],
      },
    ],
  } as unknown as GatewayStatus;
  expect(statusFields(status, { held, generation: 2, now })).toEqual({
    parents: [
      theirs,
      {
        parentRef: parent,
        controllerName: 'netloom.dev/gateway',
        conditions: [
          { ...yes('Accepted'), observedGeneration: 2, lastTransitionTime: '2025-06-01T00:00:00Z' },
          {
            type: 'ResolvedRefs',
            status: 'False',
            reason: 'BackendNotFound',
            message: '',
            observedGeneration: 2,
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ],
      },
    ],
  });
  expect(withoutOurs(held)).toEqual({ parents: [theirs] });
});

test("a Gateway's conditions of others stay, ours that are over go, and its addresses are the instance's", () => {
  const time = { lastTransitionTime: '2025-01-01T00:00:00Z' };
  const held = {
    conditions: [
      { ...yes('Accepted'), ...time },
      { ...yes('OverlappingTLSConfig'), ...time },
      { ...yes('example.com/Audited'), ...time },
    ],
    listeners: [{ name: 'gone', conditions: [] }],
  };
  const status: GatewayStatus = {
    kind: 'Gateway',
    key: 'shop/web',
    conditions: [yes('Accepted'), yes('Programmed')],
    listeners: [{ name: 'http', supportedKinds: [], attachedRoutes: 2, conditions: [yes('Accepted')] }],
  };
  const addresses = [{ type: 'IPAddress', value: '192.0.2.1' }] as const;
  const fields = statusFields(status, { held, generation: 1, addresses, now });
  expect(fields['addresses']).toEqual(addresses);
  expect((fields['conditions'] as { type: string }[]).map(({ type }) => type)).toEqual([
    'Accepted',
    'example.com/Audited',
    'Programmed',
  ]);
  expect(fields['listeners']).toMatchObject([{ name: 'http', attachedRoutes: 2 }]);
});
