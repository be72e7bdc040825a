/** The engine on the fake: any sequence of changes, failures and foreign hands ends in what the last intent says. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { IntentChange } from '#intent/node.ts';
import { changes, lastState, wholeOf } from './arbitrary.ts';
import { createNftablesEngine } from './driver.ts';
import { createFakeConntrack, createFakeNft } from './fake.ts';

const origin = { kind: 'Service', namespace: 'default', name: 'web' };

function fresh(options = {}) {
  const nft = createFakeNft();
  const conntrack = createFakeConntrack();
  const engine = createNftablesEngine(options, { nft, conntrack });
  return { nft, conntrack, engine };
}

async function contentOf(nft: ReturnType<typeof createFakeNft>): Promise<unknown> {
  const table = await nft.read();
  return {
    chains: [...(table?.chains.keys() ?? [])].sort(),
    rules: Object.fromEntries([...(table?.chains.values() ?? [])].map((chain) => [chain.name, chain.rules])),
    elements: Object.fromEntries(
      [...(table?.elements ?? [])].map(([set, held]) => [set, Object.fromEntries(held)]),
    ),
  };
}

async function holds(intent: ReturnType<typeof lastState>): Promise<unknown> {
  const { nft, engine } = fresh();
  await engine.apply(wholeOf(intent));
  return contentOf(nft);
}

describe('the engine', () => {
  it('ends any sequence of changes as one change to the last state would', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (all) => {
        const { nft, engine } = fresh();
        for (const change of all) await engine.apply(change);
        expect(await contentOf(nft)).toEqual(await holds(lastState(all)));
      }),
      { numRuns: 300 },
    );
  });

  it('does nothing the second time, nor on resync', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (all) => {
        const { engine } = fresh();
        for (const change of all) await engine.apply(change);
        expect((await engine.apply({ ...wholeOf(lastState(all)), put: lastState(all) })).operations).toEqual(
          [],
        );
        expect((await engine.resync()).operations).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('converges when nft dies before or after a commit', async () => {
    const when = fc.constantFrom('before' as const, 'after' as const, undefined);
    await fc.assert(
      fc.asyncProperty(changes, fc.array(when, { minLength: 6, maxLength: 6 }), async (all, deaths) => {
        const { nft, engine } = fresh();
        for (const [index, change] of all.entries()) {
          const death = deaths[index];
          if (death !== undefined) nft.failNext(death);
          await engine.apply(change).catch(() => {});
        }
        await engine.resync();
        expect(await contentOf(nft)).toEqual(await holds(lastState(all)));
      }),
      { numRuns: 200 },
    );
  });

  it('converges when the process is killed and its successor gets the whole intent', async () => {
    await fc.assert(
      fc.asyncProperty(changes, changes, async (earlier, later) => {
        const { nft, conntrack, engine } = fresh();
        for (const change of earlier) await engine.apply(change);
        const successor = createNftablesEngine({}, { nft, conntrack });
        for (const change of later) await successor.apply(change);
        expect(await contentOf(nft)).toEqual(await holds(lastState(later)));
      }),
      { numRuns: 200 },
    );
  });

  it('takes nothing away before it was told the whole intent', async () => {
    const { nft, conntrack, engine } = fresh();
    await engine.apply(whole({ backends: [backend(1)] }));
    const before = await nft.read();
    const successor = createNftablesEngine({}, { nft, conntrack });
    const endpoint = {
      origin,
      device: 'nlpabc',
      ifindex: 9,
      mac: '02:00:00:00:00:02',
      addresses: ['10.244.1.9'],
      subnet: 's',
      mode: 'overlay' as const,
    };
    await successor.apply({
      generation: 1,
      replace: false,
      put: { endpoints: { 'c/eth0': endpoint } },
      remove: {},
    });
    const after = await nft.read();
    expect(after?.elements.get('services4')).toEqual(before?.elements.get('services4'));
    expect(after?.chains.get('sourceNat')).toEqual(before?.chains.get('sourceNat'));
    expect([...after!.elements.get('podAddresses4')!.keys()]).toEqual(['"nlpabc" . 10.244.1.9']);
  });

  it('takes away with the first whole intent what its predecessor left, also when it came second', async () => {
    const { nft, conntrack, engine } = fresh();
    const policySubjects = { 'd/a': { origin: pod, uid: '', ingress: 7 } };
    await engine.apply({
      ...whole({ backends: [backend(1)] }),
      put: { ...restricted(['10.244.1.9']), policySubjects },
    });
    const successor = createNftablesEngine({}, { nft, conntrack });
    const put = restricted(['10.244.1.8']);
    await successor.apply({ generation: 1, replace: false, put, remove: {} });
    expect((await nft.readElements('ingressClasses4')).size).toBe(1);
    await successor.apply({ generation: 2, replace: true, put: { policySubjects }, remove: {} });
    expect([...(await nft.readElements('ingressClasses4')).keys()]).toEqual(['10.244.1.8']);
    expect((await successor.resync()).operations).toEqual([]);
  });

  it('puts a pod and what restricts it into one transaction', async () => {
    const { nft, engine } = fresh();
    const policySubjects = { 'd/a': { origin: pod, uid: 'u1', ingress: 7, egress: 8 } };
    await engine.apply({ generation: 1, replace: true, put: { policySubjects }, remove: {} });
    expect((await nft.read())?.chains.has('policyIngress7')).toBe(false);
    const before = nft.transactions.length;
    await engine.apply({ generation: 1, replace: false, put: restricted(['10.244.1.8']), remove: {} });
    expect(nft.transactions).toHaveLength(before + 1);
    const added = nft.transactions.at(-1)!.flatMap((each) => (each.op === 'addElements' ? each.set : []));
    expect(added).toEqual(['podAddresses4', 'hairpin4', 'ingressClasses4', 'egressClasses4']);
    await engine.apply({ generation: 2, replace: false, put: {}, remove: { policySubjects: ['d/a'] } });
    expect((await nft.read())?.chains.has('policyIngress7')).toBe(false);
    expect((await nft.read())?.elements.get('podAddresses4')?.size).toBe(1);
  });

  it('builds a lost table with restricted pods closed before what opens them is there', async () => {
    const { nft, engine } = fresh();
    const policySubjects = { 'd/a': { origin: pod, uid: 'u1', ingress: 7, egress: 8 } };
    const policyAddresses = Object.fromEntries(
      Array.from({ length: 600 }, (_, i) => [
        `pod d/p${i}`,
        { identities: { [`10.244.${2 + (i >> 7)}.${i & 127}`]: 16 + i } },
      ]),
    );
    const policyDecisions = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`7/${16 + i}`, { rows: [] }]),
    );
    const services = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [
        `d/s${i}`,
        {
          ...service({ backends: [backend(1)] }),
          frontends: [{ address: `10.96.1.${i}`, port: 80 }],
          affinitySeconds: i + 1,
        },
      ]),
    );
    const put = { policySubjects, policyAddresses, policyDecisions, services, ...restricted(['10.244.1.8']) };
    await engine.apply({ generation: 1, replace: true, put, remove: {} });
    const hooked = nft.transactions.findIndex((transaction) =>
      transaction.some((each) => each.op === 'addRule' && each.rule.statement === 'jump policyIngress'),
    );
    const restrictedAt = nft.transactions.findIndex((transaction) =>
      transaction.some((each) => each.op === 'addElements' && each.set === 'ingressClasses4'),
    );
    expect(restrictedAt).toBe(hooked);
  });

  it('touches only the elements of the changed service', async () => {
    const { nft, engine } = fresh();
    await engine.apply(whole({ backends: [backend(1), backend(2)] }));
    const report = await engine.apply(delta({ backends: [backend(1), backend(3)] }));
    expect(report.operations).toEqual([
      'delete element inet netloom backends4 { 10.96.0.10 . 6 . 80 . 1 }',
      'add element inet netloom backends4 { 10.96.0.10 . 6 . 80 . 1 : 10.244.1.3 . 8080 }',
    ]);
    expect(nft.transactions.at(-1)).toHaveLength(2);
  });

  it('removes the chain of a count with the last service that needs it', async () => {
    const { nft, engine } = fresh();
    await engine.apply(whole({ backends: [backend(1), backend(2)] }));
    expect((await nft.read())?.chains.has('choose4x2')).toBe(true);
    await engine.apply(delta({ backends: [backend(1)] }));
    const chains = (await nft.read())!.chains;
    expect([chains.has('choose4x2'), chains.has('choose4x1')]).toEqual([false, true]);
  });

  it('forgets a removed backend that clients were bound to, and keeps the others', async () => {
    const { nft, engine } = fresh();
    await engine.apply(whole({ backends: [backend(1), backend(2)], affinitySeconds: 60 }));
    nft.learn('affinity4', '10.96.0.10 . 6 . 80 . 10.244.1.50', '10.244.1.1 . 8080');
    nft.learn('affinity4', '10.96.0.10 . 6 . 80 . 10.244.1.51', '10.244.1.2 . 8080');
    await engine.apply(delta({ backends: [backend(2), backend(3)], affinitySeconds: 60 }));
    const affinity = await nft.readElements('affinity4');
    expect([...affinity.values()]).toEqual(['10.244.1.2 . 8080']);
  });

  it('keeps what was learnt when the static chains are replaced and on resync', async () => {
    const { nft, engine } = fresh();
    await engine.apply(whole({ backends: [backend(1)], affinitySeconds: 60 }));
    nft.learn('affinity4', '10.96.0.10 . 6 . 80 . 10.244.1.50', '10.244.1.1 . 8080');
    const self = {
      origin,
      node: 'n',
      nodeUID: 'u',
      addresses: ['192.168.66.99'],
      blocks: [],
      tunnelAddresses: [],
      assignUntil: 0,
    };
    await engine.apply({ generation: 2, replace: false, put: { self: { n: self } }, remove: {} });
    await engine.resync();
    expect((await nft.readElements('affinity4')).size).toBe(1);
    expect(JSON.stringify((await nft.read())?.chains.get('sourceNat'))).toContain('192.168.66.99');
  });

  it('heals a flushed table with everything in it', async () => {
    const { nft, engine } = fresh();
    await engine.apply(whole({ backends: [backend(1)] }));
    const before = await contentOf(nft);
    nft.flush();
    await engine.resync();
    expect(await contentOf(nft)).toEqual(before);
  });

  it('heals with the next change, too', async () => {
    const { nft, engine } = fresh();
    await engine.apply(whole({ backends: [backend(1)] }));
    nft.flush();
    await engine.apply(delta({ backends: [backend(2)] }));
    expect((await nft.read())?.elements.get('backends4')?.size).toBe(1);
    expect((await nft.read())?.chains.has('guard')).toBe(true);
  });

  it('forgets UDP flows to removed backends of that service only, and none of TCP', async () => {
    const { conntrack, engine } = fresh();
    await engine.apply(whole({ protocol: 'udp', backends: [backend(1), backend(2)] }));
    await vi.waitFor(() => expect(conntrack.forgotten).toHaveLength(1));
    await engine.apply(delta({ protocol: 'udp', backends: [backend(2)] }));
    await vi.waitFor(() =>
      expect(conntrack.forgotten.slice(1)).toEqual([
        { address: '10.96.0.10', port: 80, backend: { address: '10.244.1.1', port: 8080 } },
      ]),
    );
    await engine.apply(delta({ protocol: 'tcp', backends: [backend(2)] }));
    await engine.apply(delta({ protocol: 'tcp', backends: [] }));
    await vi.waitFor(() =>
      expect(conntrack.forgotten.slice(2).map((flow) => flow.backend?.address)).toEqual(['10.244.1.2']),
    );
    await engine.close();
  });

  it('leaves UDP streams to a backend that ends until it is gone', async () => {
    const { conntrack, engine } = fresh();
    await engine.apply(whole({ protocol: 'udp', backends: [backend(1), backend(2)] }));
    await vi.waitFor(() => expect(conntrack.looks).toEqual([1]));
    await engine.apply(delta({ protocol: 'udp', backends: [backend(2)], leaving: [backend(1)] }));
    const gone = { address: '10.96.0.10', port: 80, backend: { address: '10.244.1.1', port: 8080 } };
    await vi.waitFor(() => expect(conntrack.forgotten.slice(1)).toEqual([{ ...gone, only: 'answered' }]));
    await engine.apply(delta({ protocol: 'udp', backends: [backend(2)] }));
    await vi.waitFor(() => expect(conntrack.forgotten.slice(2)).toEqual([gone]));
    await engine.close();
  });

  it('forgets what a node’s death made stale of all services by one look', async () => {
    const { conntrack, engine } = fresh();
    const services = (...backends: Service['backends']) =>
      Object.fromEntries(
        ['a', 'b', 'c'].map((name, index) => [
          `default/${name}/dns/4`,
          service({ protocol: 'udp', frontends: [{ address: `10.96.0.${index + 1}`, port: 53 }], backends }),
        ]),
      );
    const put = (generation: number, ...backends: Service['backends']) =>
      engine.apply({
        generation,
        replace: generation === 1,
        put: { services: services(...backends) },
        remove: {},
      });
    await put(1, backend(1), backend(2));
    await vi.waitFor(() => expect(conntrack.looks).toEqual([3]));
    await put(2, backend(2));
    await vi.waitFor(() => expect(conntrack.looks).toEqual([3, 3]));
    await engine.close();
  });

  it('reports what it cannot hold and holds the rest', async () => {
    const { nft, engine } = fresh();
    const report = await engine.apply(
      whole({ backends: [backend(1), { address: '10.0.0.1; flush ruleset', port: 1 }] }),
    );
    expect(report.problems).toEqual([
      {
        entry: 'services/default/web/http/4',
        reason: 'backend 10.0.0.1; flush ruleset port 1 is no IPv4 address and port',
      },
    ]);
    expect((await nft.read())?.elements.get('backends4')?.size).toBe(1);
  });

  it('gives a contended frontend to the first by name, whoever came first', async () => {
    const { nft, engine } = fresh();
    await engine.apply(whole({ backends: [backend(1)] }));
    const other = { ...service({ backends: [backend(5)] }), origin: { ...origin, name: 'api' } };
    const report = await engine.apply({
      generation: 2,
      replace: false,
      put: { services: { 'default/api/http/4': other } },
      remove: {},
    });
    expect([...(await nft.readElements('backends4')).values()]).toEqual(['10.244.1.5 . 8080']);
    expect(report.problems[0]?.entry).toBe('services/default/web/http/4');
    await engine.apply({
      generation: 3,
      replace: false,
      put: {},
      remove: { services: ['default/api/http/4'] },
    });
    expect([...(await nft.readElements('backends4')).values()]).toEqual(['10.244.1.1 . 8080']);
  });

  it('removes the table on cleanup, also when there is none', async () => {
    const { nft, engine } = fresh();
    await engine.cleanup();
    await engine.apply(whole({ backends: [] }));
    await engine.cleanup();
    expect(await nft.read()).toBeUndefined();
  });
});

type Service = NonNullable<IntentChange['put']['services']>[string];

const pod = { kind: 'Pod', namespace: 'd', name: 'a' };

function restricted(addresses: readonly string[]): IntentChange['put'] {
  const endpoint = {
    origin: pod,
    podUID: 'u1',
    device: 'nlpabc',
    ifindex: 9,
    mac: '02:00:00:00:00:02',
    addresses,
    subnet: 's',
    mode: 'overlay' as const,
  };
  return { endpoints: { 'c/eth0': endpoint } };
}

function backend(n: number) {
  return { address: `10.244.1.${n}`, port: 8080 };
}

function service(part: Partial<Service>): Service {
  return {
    origin,
    protocol: 'tcp',
    frontends: [{ address: '10.96.0.10', port: 80 }],
    backends: [],
    ...part,
  };
}

function whole(part: Partial<Service>): IntentChange {
  return {
    generation: 1,
    replace: true,
    put: { services: { 'default/web/http/4': service(part) } },
    remove: {},
  };
}

function delta(part: Partial<Service>): IntentChange {
  return { ...whole(part), generation: 2, replace: false };
}
