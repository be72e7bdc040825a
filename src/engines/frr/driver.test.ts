/** The engine on an FRR in memory: from any state, over any changes, killed anywhere. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BGPNeighborIntent, IntentChange, NodeIntent } from '#intent/node.ts';
import { intentWith, router } from './cases.ts';
import { createEngine, type FrrEngine } from './driver.ts';
import { createFakeFrr, type FakeFrr } from './fake.ts';
import { lower } from './lower.ts';
import { printObjects, redact } from './objects.ts';
import { identity, parseConfig, plan, printOperation } from './plan.ts';

const bfd = { receiveInterval: 100, transmitInterval: 300, detectMultiplier: 5 };
const neighbor: fc.Arbitrary<BGPNeighborIntent> = fc
  .record({
    address: fc.constantFrom('192.168.66.1', '192.168.66.2', 'fd66::1'),
    localASN: fc.constantFrom(64_512, 64_512, 64_512, 64_513),
    peerASN: fc.constantFrom(65_000, 'internal' as const, 'external' as const),
    port: fc.constantFrom(179, 1179),
    families: fc.constantFrom([4] as const, [4, 6] as const),
    password: fc.constantFrom(undefined, 'one', 'two'),
    bfd: fc.constantFrom(undefined, bfd, { ...bfd, receiveInterval: 300 }),
    timers: fc.constantFrom(undefined, { keepalive: 3, hold: 9 }, { keepalive: 30, hold: 90 }),
    multiHop: fc.boolean(),
    importPrefixes: fc.constantFrom(
      [],
      [{ prefix: '10.0.0.0/8', le: 24 }],
      [
        { prefix: '10.0.0.0/8', le: 26 },
        { prefix: 'fd00::/8', ge: 16 },
      ],
    ),
    mesh: fc.constantFrom(undefined, undefined, { client: false }, { clusterID: '10.0.0.1', client: true }),
  })
  .map((some) => ({ ...router, ...some }));
const intents: fc.Arbitrary<NodeIntent> = fc
  .dictionary(fc.constantFrom('a', 'b', 'c'), neighbor, { maxKeys: 3, noNullPrototype: true })
  .map((neighbors) => intentWith(neighbors));

const whole = (put: NodeIntent): IntentChange => ({ generation: 1, replace: true, put, remove: {} });
/** As FRR that runs without a session holds it. */
const wantedOf = (intent: NodeIntent): string[] =>
  printObjects(lower(intent, []).value)
    .filter(({ text }) => !/^neighbor \S+ bfd/.test(text))
    .map(identity)
    .toSorted();
const withEngine = async (frr: FakeFrr, work: (engine: FrrEngine) => Promise<void>): Promise<void> => {
  const engine = createEngine(frr);
  try {
    await work(engine);
  } finally {
    await engine.close();
  }
};

describe('the engine on an FRR in memory', () => {
  it('ends, after any sequence of intents, where the last one says, and then does nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(intents, { minLength: 1, maxLength: 5 }), async (list) => {
        const frr = createFakeFrr();
        frr.setRunning(true);
        await withEngine(frr, async (engine) => {
          for (const intent of list) await engine.apply(whole(intent));
          expect(frr.dump()).toEqual(wantedOf(list.at(-1)!));
          expect((await engine.resync()).operations).toEqual([]);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('converges when it is killed between any two commands', async () => {
    await fc.assert(
      fc.asyncProperty(intents, intents, fc.nat(40), async (first, second, count) => {
        const frr = createFakeFrr();
        frr.setRunning(true);
        await withEngine(frr, async (engine) => void (await engine.apply(whole(first))));
        frr.killAfter(count);
        await withEngine(frr, async (engine) => void (await engine.apply(whole(second)).catch(() => {})));
        frr.killAfter(Number.POSITIVE_INFINITY);
        await withEngine(frr, async (engine) => void (await engine.apply(whole(second))));
        expect(frr.dump()).toEqual(wantedOf(second));
      }),
      { numRuns: 200 },
    );
  });

  it('leaves files that daemons start from, and none without a neighbor', async () => {
    const frr = createFakeFrr();
    const intent = intentWith({ tor: router });
    await withEngine(frr, async (engine) => {
      const report = await engine.apply(whole(intent));
      expect(report.problems).toEqual([
        { entry: 'bgpNeighbors/tor', reason: 'FRR does not run yet, or does not answer' },
      ]);
      frr.setRunning(true);
      expect(frr.dump()).toEqual(wantedOf(intent));
      await engine.apply({ generation: 2, replace: false, put: {}, remove: { bgpNeighbors: ['tor'] } });
      expect(frr.kept()).toBeUndefined();
      expect(frr.dump()).toEqual([]);
    });
  });

  it('takes nothing away before it has heard of a whole intent', async () => {
    const frr = createFakeFrr();
    frr.setRunning(true);
    const intent = intentWith({ tor: router });
    await withEngine(frr, async (engine) => void (await engine.apply(whole(intent))));
    await withEngine(frr, async (engine) => {
      await engine.apply({ generation: 1, replace: false, put: {}, remove: {} });
      await engine.resync();
      expect(frr.dump()).toEqual(wantedOf(intent));
      await engine.cleanup();
      expect(frr.dump()).toEqual([]);
      expect(frr.kept()).toBeUndefined();
    });
  });

  it('pods, peers and blocks that come and go are nothing to FRR', async () => {
    const frr = createFakeFrr();
    frr.setRunning(true);
    const intent = intentWith({ tor: router });
    await withEngine(frr, async (engine) => {
      await engine.apply(whole(intent));
      frr.execute = () => Promise.reject(new Error('FRR was asked'));
      frr.read = () => Promise.reject(new Error('FRR was asked'));
      const self = intent.self['node1']!;
      const blocks = [{ cidr: '10.20.0.0/26', subnet: 'team', claim: 'c' }];
      const put = { self: { node1: { ...self, blocks } }, peers: {}, endpoints: {} };
      expect(await engine.apply({ generation: 2, replace: false, put, remove: {} })).toEqual({
        operations: [],
        problems: [],
      });
    });
  });

  it('two local AS numbers, or one address twice: the first by name has it, the other is told', () => {
    const { problems } = lower(
      intentWith({ a: router, b: { ...router, address: '192.168.66.2', localASN: 64_999 }, c: router }),
      [],
    );
    expect(problems).toEqual([
      { entry: 'bgpNeighbors/b', reason: 'says AS 64999 for this node, another neighbor AS 64512' },
      { entry: 'bgpNeighbors/c', reason: 'another neighbor has the address 192.168.66.1' },
    ]);
  });
});

describe('plan', () => {
  it('tells each neighbor that it is over before the instance goes', () => {
    const lines = printObjects(lower(intentWith({ tor: router }), []).value);
    expect(plan(lines, []).slice(0, 2).map(printOperation)).toEqual([
      'bgpd: router bgp 64512 / no neighbor 192.168.66.1',
      'bgpd: no router bgp 64512',
    ]);
  });

  it('changes a setting in place, and shows no password', () => {
    const of = (password: string) =>
      printObjects(lower(intentWith({ tor: { ...router, password } }), []).value);
    expect(plan(of('old'), of('new')).map(printOperation)).toEqual([
      'bgpd: router bgp 64512 / neighbor 192.168.66.1 password …',
    ]);
    expect(redact('% Unknown command: neighbor 1.2.3.4 password abc')).not.toContain('abc');
  });

  it('reads only what is its own', () => {
    const text =
      'frr version 10.3\nhostname x\nlog stdout\n!\nrouter bgp 1\n bgp router-id 1.1.1.1\n !\n address-family ipv4 unicast\n  neighbor 1.1.1.2 activate\n exit-address-family\nexit\n!\nline vty\n!\nend\n';
    expect(parseConfig(text, 'bgpd').map(identity)).toEqual([
      'bgpd\nrouter bgp 1',
      'bgpd\nrouter bgp 1\nbgp router-id 1.1.1.1',
      'bgpd\nrouter bgp 1\naddress-family ipv4 unicast\nneighbor 1.1.1.2 activate',
    ]);
  });
});
