/** The intent without the dead: change by change the same as at once, and quick in a large cluster. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Liveness } from '#intent/liveness.ts';
import { everybodyLives } from '#intent/liveness.ts';
import { emptyIntent, type IntentChange, type NodeIntent, type ServiceIntent } from '#intent/node.ts';
import { createEffective, type Lives } from './effective.ts';
import { createIntentHolder } from './intent.ts';

const origin = { kind: 'Test', name: 'effective' };
const names = ['b', 'c', 'd'];
const everywhere: Lives = { nodes: everybodyLives, addresses: everybodyLives };

/** Node i has 10.244.i.0/26, and 10.245.i.0/16 where it is large. */
const place = fc
  .record({ node: fc.integer({ min: 1, max: 4 }), host: fc.integer({ min: 1, max: 3 }), large: fc.boolean() })
  .map(({ node, host, large }) => ({
    address: `10.${large ? 244 + node * 2 : 244}.${node}.${host}`,
    port: 80,
  }));
const places = fc.uniqueArray(place, { maxLength: 4, selector: ({ address }) => address });
const service: fc.Arbitrary<ServiceIntent> = fc
  .record({
    backends: places,
    leaving: fc.option(places, { nil: undefined }),
    local: fc.option(places, { nil: undefined }),
  })
  .map(({ backends, leaving, local }) => ({
    origin,
    protocol: 'tcp',
    frontends: [{ address: '10.96.0.1', port: 80 }],
    backends,
    ...(leaving === undefined ? {} : { leaving }),
    ...(local === undefined ? {} : { published: { localBackends: local } }),
  }));
const peer = fc
  .record({ node: fc.constantFrom(...names), blocks: fc.subarray([0, 1]) })
  .map(({ node, blocks }) => {
    const i = names.indexOf(node) + 1;
    const cidrs = [`10.244.${i}.0/26`, `10.${244 + i * 2}.0.0/16`];
    return [
      node,
      {
        origin,
        addresses: [`192.168.66.${i}`],
        blocks: blocks.map((at) => ({ cidr: cidrs[at]!, subnet: 'x', mode: 'overlay' as const })),
      },
    ] as const;
  });
const virtual = fc.record({
  origin: fc.constant(origin),
  candidates: fc.shuffledSubarray(['a', ...names]),
});
const vips = ['192.0.2.1', '192.0.2.2'];
const change = fc
  .record({
    replace: fc.boolean(),
    services: fc.dictionary(fc.constantFrom('s1', 's2', 's3'), service),
    peers: fc.array(peer, { maxLength: 3 }).map((list) => Object.fromEntries(list)),
    virtualAddresses: fc.dictionary(fc.constantFrom(...vips), virtual),
    gone: fc.subarray(['s1', 's2', 's3']),
    gonePeers: fc.subarray(names),
    goneAddresses: fc.subarray(vips),
  })
  .map(({ replace, services, peers, virtualAddresses, gone, gonePeers, goneAddresses }) => ({
    replace,
    put: { services, peers, virtualAddresses },
    remove: {
      services: gone.filter((key) => !(key in services)),
      peers: gonePeers.filter((key) => !(key in peers)),
      virtualAddresses: goneAddresses.filter((key) => !(key in virtualAddresses)),
    },
  }));
const liveness: fc.Arbitrary<Liveness> = fc
  .record({ dead: fc.subarray(names), silent: fc.subarray(names), isolated: fc.boolean() })
  .map(({ dead, silent, isolated }) => ({ dead: new Set(dead), silent: new Set(silent), isolated }));
const lives = fc.record({ nodes: liveness, addresses: liveness });

test('change by change the engines are told the same as at once', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(change, lives), { minLength: 1, maxLength: 8 }), (steps) => {
      const asked = createIntentHolder();
      const engines = createIntentHolder();
      const effective = createEffective('a', everywhere);
      let now = everywhere;
      let generation = 1;
      const tell = (told: IntentChange | undefined): void => {
        if (told !== undefined) engines.take({ ...told, generation: engines.generation + 1 });
      };
      asked.take({ generation: 1, replace: true, put: {}, remove: {} });
      tell(effective.take(asked.whole(), asked.intent));
      for (const step of steps) {
        if ('nodes' in step) {
          now = step;
          tell(effective.live(asked.intent, generation, now));
        } else {
          const taken = { ...step, generation: ++generation } as IntentChange;
          asked.take(taken);
          tell(effective.take(taken, asked.intent));
        }
        const fresh = createIntentHolder();
        fresh.take(createEffective('a', now).take(asked.whole(), asked.intent));
        expect(engines.intent).toEqual(fresh.intent);
        expect(effective.live(asked.intent, generation, now)).toBeUndefined();
      }
    }),
    { numRuns: 500 },
  );
});

const dead = (...nodes: readonly string[]): Lives => ({
  nodes: { ...everybodyLives, dead: new Set(nodes) },
  addresses: { ...everybodyLives, dead: new Set(nodes) },
});

function intentOf(part: Partial<NodeIntent>): NodeIntent {
  return { ...emptyIntent, ...part };
}

test('flows of UDP leave a backend that ends with its node', () => {
  const holder = createIntentHolder();
  const ends = { address: '10.244.1.2', port: 53 };
  const stays = { address: '10.244.2.2', port: 53 };
  const change: IntentChange = {
    generation: 1,
    replace: true,
    put: {
      services: {
        dns: {
          origin,
          protocol: 'udp',
          frontends: [{ address: '10.96.0.1', port: 53 }],
          backends: [stays],
          leaving: [ends],
        },
      },
      peers: {
        b: {
          origin,
          addresses: ['192.168.66.1'],
          blocks: [{ cidr: '10.244.1.0/26', subnet: 'x', mode: 'overlay' }],
        },
      },
    },
    remove: {},
  };
  holder.take(change);
  const effective = createEffective('a', everywhere);
  effective.take(change, holder.intent);
  const gone = effective.live(holder.intent, 1, dead('b'));
  expect(gone?.put.services?.['dns']).toMatchObject({ backends: [stays], leaving: [] });
});

test('backends on a dead node leave, and come back with it; a Service keeps what it has where all are dead', () => {
  const at = (...addresses: readonly string[]): ServiceIntent => ({
    origin,
    protocol: 'udp',
    frontends: [{ address: '10.96.0.1', port: 53 }],
    backends: addresses.map((address) => ({ address, port: 53 })),
  });
  const block = (cidr: string) => ({ cidr, subnet: 'x', mode: 'overlay' as const });
  const intent = intentOf({
    services: {
      both: at('10.244.0.1', 'fd10::41'),
      one: at('10.244.0.1'),
      host: at('192.168.66.12', '10.244.9.9'),
    },
    peers: {
      b: { origin, addresses: ['192.168.66.12'], blocks: [block('10.244.0.0/26'), block('fd10::40/122')] },
    },
    virtualAddresses: { '192.0.2.1': { origin, candidates: ['b', 'a'] } },
  });
  const effective = createEffective('a', everywhere);
  const whole = { generation: 1, replace: true, put: intent, remove: {} };
  expect(effective.take(whole, intent).put.services).toEqual(intent.services);
  const gone = effective.live(intent, 1, dead('b'));
  expect(gone).toEqual({
    generation: 1,
    replace: false,
    put: {
      services: {
        both: intent.services['both'],
        one: intent.services['one'],
        host: at('10.244.9.9'),
      },
      virtualAddresses: intent.virtualAddresses,
    },
    remove: {},
  });
  expect(effective.live(intent, 1, everywhere)).toEqual({
    generation: 1,
    replace: false,
    put: { services: intent.services },
    remove: { virtualAddresses: ['192.0.2.1'] },
  });
});

test('ten thousand Services', () => {
  const services: Record<string, ServiceIntent> = {};
  for (let i = 0; i < 10_000; i++) {
    const backends = [0, 1, 2, 3].map((n) => {
      const node = (i * 4 + n) % 1_000;
      return { address: `10.${100 + (node >> 4)}.${(node & 15) * 16}.${1 + (i % 60)}`, port: 80 };
    });
    services[`s${i}`] = { origin, protocol: 'tcp', frontends: [], backends };
  }
  const peers = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, node) => {
      const cidr = `10.${100 + (node >> 4)}.${(node & 15) * 16}.0/26`;
      const blocks = [{ cidr, subnet: 'x', mode: 'overlay' as const }];
      return [`n${node}`, { origin, addresses: [], blocks }];
    }),
  );
  const intent = intentOf({ services, peers });
  const effective = createEffective('a', everywhere);
  effective.take({ generation: 1, replace: true, put: intent, remove: {} }, intent);
  for (let n = 0; n < 10; n++) {
    const delta = effective.live(intent, 1, dead(`n${n * 10}`));
    expect(Object.keys(delta!.put.services!).length).toBe(n === 0 ? 40 : 80);
  }
});
