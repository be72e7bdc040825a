/** The engine on real nft: text that nft takes and prints back the same, and the same end by every way. */
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { emptyIntent, type IntentChange, type PublishedIntent, type ServiceIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { atOnce } from '#system/steps.ts';
import { changes, lastState, wholeOf } from './arbitrary.ts';
import { createNftablesEngine, type NftablesEngine } from './driver.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { type Operation, printOperation, type Ruleset } from './objects.ts';
import { originsOf } from './origin.ts';
import { plan } from './plan.ts';
import { type NftSession, openNftSession } from './session.ts';
import { chainOnDemand } from './shared-chains.ts';
import { printStatic } from './static.ts';
import { intentOf } from './testnet.ts';
import { addressesOf, policyOf } from './testnet-policy.ts';
import { wantedRuleset } from './wanted.ts';

let box: Sandbox;
let command: readonly string[];
beforeAll(async () => {
  box = await openSandbox();
  command = ['nsenter', `--target=${box.pid}`, '--mount', `--net=${box.namespace}`, '--'];
}, 120_000);
afterAll(() => box?.close());
afterEach(async () => {
  await box.exec(['nft', 'flush', 'ruleset']);
});

const golden = new URL('./testdata/static.nft', import.meta.url);
const context = {
  address4: '192.168.66.11',
  address6: 'fd66::11',
  routed: true,
  policy: true,
  audits: true,
  announces: true,
  names: true,
};

function restOf(actual: Ruleset | undefined, ledger: Ledger): readonly Operation[] {
  const { ruleset } = atOnce(wantedRuleset(ledger));
  return atOnce(plan(actual, ruleset, { sweep: true, stillValid: () => true }));
}

function open(nft: NftSession = openNftSession(command)): { engine: NftablesEngine; nft: NftSession } {
  const conntrack = { forget: async () => {}, prune: async () => {}, close: () => {} };
  return { engine: createNftablesEngine({ command }, { nft, conntrack }), nft };
}

describe('the static ruleset', () => {
  it('is the golden text (UPDATE_GOLDEN=1 writes it)', () => {
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, printStatic(context));
    expect(printStatic(context)).toBe(readFileSync(golden, 'utf8'));
  });

  it('is taken by nft and printed back letter by letter', async () => {
    const text = readFileSync(golden, 'utf8');
    const check = await box.exec(['nft', '-c', '-f', '-'], { input: text });
    expect(check).toMatchObject({ code: 0, stderr: '' });
    await box.exec(['nft', '-f', '-'], { input: text });
    expect((await box.exec(['nft', '-s', '-p', '-y', 'list', 'table', 'inet', 'netloom'])).stdout).toBe(text);
  });

  it('has chains on demand that are printed back the same', async () => {
    const { engine, nft } = open();
    const services: Record<string, ServiceIntent> = {};
    for (const [index, affinitySeconds] of [undefined, 1, 60, 3_601, 10_800, 86_400, 90_061].entries()) {
      for (const six of [false, true]) {
        services[`${index}/${six}`] = {
          origin: { kind: 'Service', name: 'x' },
          protocol: 'tcp',
          frontends: [{ address: six ? 'fd10:96::1' : '10.96.0.1', port: index + 1 }],
          backends: Array.from({ length: index * 3 + 1 }, (_, i) => ({
            address: six ? 'fd10:244::1' : '10.244.0.1',
            port: i + 1,
          })),
          ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
          ...(index % 3 === 0 ? {} : { published: publishedVariant(index, six) }),
        };
      }
    }
    const origin = { kind: 'Pod', namespace: 'd', name: 'p' };
    const policySubjects = { 'd/p': { origin, uid: '', ingress: 1, egress: 4_095 } };
    const endpoints = { 'c/eth0': { ...endpoint, origin, addresses: ['10.244.1.9', 'fd10:244::9'] } };
    const put = { services, policySubjects, endpoints };
    await engine.apply({ generation: 1, replace: true, put, remove: {} });
    const chains = (await nft.read())!.chains;
    for (const name of [
      'choose4x1',
      'choose6x19',
      'stick6x13x2',
      'splitStick6x2x13',
      'from_stick4x4',
      'from_splitStick6x2x16',
      'learn4x3601',
      'learn6x86400',
      'learn4x90061',
      'policyIngress1',
      'policyEgress4095',
    ]) {
      expect(chains.get(name)).toEqual(chainOnDemand(name));
    }
    expect((await engine.resync()).operations).toEqual([]);
    await engine.close();
  });
});

describe('the engine on real nft', () => {
  it('ends any sequence of changes as one change would, and then has nothing left to do', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (all) => {
        const { engine, nft } = open();
        try {
          for (const change of all) await engine.apply(change);
          const ledger = createLedger();
          ledger.change(wholeOf(lastState(all)));
          const rest = restOf(await nft.read(), ledger);
          expect(rest.map(printOperation)).toEqual([]);
        } finally {
          await engine.close();
        }
      }),
      { numRuns: 25 },
    );
  }, 120_000);

  it('converges when nft is killed at any moment', async () => {
    await fc.assert(
      fc.asyncProperty(changes, fc.array(fc.nat(4), { minLength: 6, maxLength: 6 }), async (all, delays) => {
        const { engine, nft } = open();
        try {
          for (const [index, change] of all.entries()) {
            const applied = engine.apply(change).catch(() => {});
            const timer = setTimeout(() => {
              if (nft.pid !== undefined) process.kill(nft.pid, 'SIGKILL');
            }, delays[index]);
            await applied;
            clearTimeout(timer);
          }
          await engine.resync();
          const ledger = createLedger();
          ledger.change(wholeOf(lastState(all)));
          const rest = restOf(await nft.read(), ledger);
          expect(rest.map(printOperation)).toEqual([]);
        } finally {
          await engine.close();
        }
      }),
      { numRuns: 15 },
    );
  }, 120_000);

  it('takes over the table of its predecessor without touching it', async () => {
    const first = open();
    await first.engine.apply(wholeOf(intentOf(1)));
    await first.engine.close();
    const second = open();
    expect((await second.engine.apply(wholeOf(intentOf(1)))).operations).toEqual([]);
    await second.engine.close();
  });

  it('repairs with the change that meets a foreign hand', async () => {
    const { engine } = open();
    await engine.apply(wholeOf(intentOf(1)));
    await box.exec(['nft', 'flush', 'ruleset']);
    const services = { 'd/a//4': one(1) };
    const report = await engine.apply({ generation: 2, replace: false, put: { services }, remove: {} });
    expect(report.operations[0]).toBe('add table inet netloom');
    expect((await engine.resync()).operations).toEqual([]);
    await engine.close();
  });

  it('removes what is not its own in its table, and chains of an earlier layout', async () => {
    const { engine } = open();
    await engine.apply(wholeOf(intentOf(1)));
    const script = `add set inet netloom old { type ipv4_addr; }
add chain inet netloom oldChain { type filter hook input priority 5; policy accept; }
add rule inet netloom oldChain ip saddr @old drop
add element inet netloom nodes4 { 192.0.2.1 }
add rule inet netloom filterInput accept
delete element inet netloom podSubnets4 { 10.245.0.0/16 }
`;
    expect(await box.exec(['nft', '-f', '-'], { input: script })).toMatchObject({ stderr: '' });
    await engine.resync();
    const listing = (await box.exec(['nft', 'list', 'table', 'inet', 'netloom'])).stdout;
    expect(listing).not.toMatch(/old|192\.0\.2\.1/);
    expect(listing).toContain('10.245.0.0/16');
    expect((await engine.resync()).operations).toEqual([]);
    await engine.close();
  });

  it('leaves no table behind, and no process', async () => {
    const { engine, nft } = open();
    await engine.apply(wholeOf(intentOf(1)));
    await engine.apply({
      generation: 2,
      replace: false,
      put: { services: { 'd/a//4': one(1) } },
      remove: {},
    });
    const { pid } = nft;
    expect(pid).toBeDefined();
    await engine.cleanup();
    expect((await box.exec(['nft', 'list', 'ruleset'])).stdout).toBe('');
    await engine.close();
    expect(nft.pid).toBeUndefined();
    expect(() => process.kill(pid!, 0)).toThrow('ESRCH');
  });

  it('holds a service of a thousand backends, and a thousand services in one transaction', async () => {
    const { engine, nft } = open();
    const services: Record<string, ServiceIntent> = { 'big//4': one(0, 1_000) };
    for (let i = 1; i <= 1_000; i++) services[`s${i}//4`] = one(i);
    await engine.apply({ generation: 1, replace: true, put: { services }, remove: {} });
    const table = (await nft.read())!;
    expect(table.elements.get('services4')?.size).toBe(1_001);
    expect(table.elements.get('backends4')?.get('10.96.0.0 . 6 . 80 . 999')).toBe('10.244.3.231 . 1');
    expect(table.chains.has('choose4x1000')).toBe(true);
    const remove: IntentChange['remove'] = { services: ['big//4'] };
    await engine.apply({ generation: 2, replace: false, put: {}, remove });
    expect((await nft.read())?.chains.has('choose4x1000')).toBe(false);
    await engine.close();
  });

  const named = () => {
    const { policySubjects = {}, ...policy } = policyOf({ p11: { egress: { p21: 'allow' }, ingress: {} } });
    const [[key, subject]] = Object.entries(policySubjects) as [[string, (typeof policySubjects)[string]]];
    return { ...policy, policySubjects: { [key]: { ...subject, names: ['*.example.org'] } } };
  };

  it('holds DNS answers for three seconds from when it was asked, where a pod has rules for names', async () => {
    const { engine } = open();
    const learning = async () => {
      const { stdout } = await box.exec(['nft', 'list', 'set', 'inet', 'netloom', 'dnsPorts']);
      const left = /53 timeout 3s expires (?:(\d)s)?(\d+)?/.exec(stdout);
      return left === null ? undefined : Number(left[1] ?? 0) * 1000 + Number(left[2] ?? 0);
    };
    const chains = async () => (await box.exec(['nft', 'list', 'chains', 'inet'])).stdout;
    await engine.apply(wholeOf({ ...emptyIntent, ...intentOf(1) }));
    await engine.holdDnsAnswers();
    expect(await learning()).toBeUndefined();
    expect(await chains()).not.toContain('dnsAnswers');
    const restricted = { ...emptyIntent, ...intentOf(1), ...named() };
    await engine.apply(wholeOf(restricted));
    await engine.holdDnsAnswers();
    expect(await chains()).toContain('dnsAnswersOut');
    await eventually(async () => expect(await learning()).toBeLessThan(2_000));
    await engine.holdDnsAnswers();
    expect(await learning()).toBeGreaterThan(2_000);
    expect((await engine.resync()).operations).toEqual([]);
    expect(await learning()).toBeDefined();
    await eventually(async () => expect(await learning()).toBeUndefined());
    await engine.apply(wholeOf({ ...emptyIntent, ...intentOf(1) }));
    expect(await chains()).not.toContain('dnsAnswers');
    await engine.close();
  });

  it('says which object every element of its table stands for', async () => {
    const { engine, nft } = open();
    const intent = {
      ...emptyIntent,
      ...intentOf(1),
      services: { 'd/a//4': { ...one(1, 2), affinitySeconds: 5 } },
      ...policyOf({ p11: { egress: { p21: { tcp: [[80, 80, 'allow']], rest: 'audit' } }, ingress: {} } }),
      policySubjects: named().policySubjects,
      policyAddresses: addressesOf(['p21', 'n2']),
      policyPrefixes: { '0.0.0.0/0': { identity: 60 }, '::/0': { identity: 61 } },
    };
    await engine.apply(wholeOf(intent));
    for (const [set, elements] of (await nft.read())!.elements) {
      for (const [key, data] of elements)
        expect(originsOf(intent, { set, key, data }), `${set} ${key}`).not.toEqual([]);
    }
    expect(originsOf(intent, { set: 'backends4', key: '10.96.0.1 . 6 . 80 . 1' })).toEqual([
      { entry: 'services/d/a//4', origin: { kind: 'Service', name: 's1' } },
    ]);
    const policy = { kind: 'NetworkPolicy', namespace: 'd', name: 'web', rule: 'spec.ingress[0]' };
    const rows = [
      { protocol: 'tcp', first: 0, last: 79, verdict: 'deny' },
      { protocol: 'tcp', first: 80, last: 80, verdict: 'allow', origin: policy },
      { protocol: 'tcp', first: 81, last: 65_535, verdict: 'deny' },
    ] as const;
    const decided = { ...intent, policyDecisions: { '7/16': { rows } } };
    expect(originsOf(decided, { set: 'policyAllowedPorts', key: '70:10 . 6 . 80' })).toEqual([
      { entry: 'policyDecisions/7/16', origin: policy },
    ]);
    expect(originsOf(intent, { set: 'identities4', key: '10.244.2.21', data: '0:14' })).toEqual([
      {
        entry: 'policyAddresses/pod test/p21',
        origin: { kind: 'Pod', namespace: 'test', name: 'p21' },
      },
    ]);
    expect((await engine.resync()).operations).toEqual([]);
    await engine.close();
  });
});

const endpoint = {
  device: 'nlpabc',
  ifindex: 9,
  mac: '02:00:00:00:00:02',
  subnet: 's',
  mode: 'overlay' as const,
};

function publishedVariant(index: number, six: boolean): PublishedIntent {
  const local = [1, 2].map((port) => ({ address: six ? 'fd10:244::2' : '10.244.0.2', port }));
  const sources = ['0.0.0.0/0', '::/0', '192.0.2.0/24', 'fd66::1/128'];
  if (index === 1) return { sources };
  return index === 4 ? { localBackends: local } : { localBackends: local, sources };
}

function one(n: number, backends = 1): ServiceIntent {
  return {
    origin: { kind: 'Service', name: `s${n}` },
    protocol: 'tcp',
    frontends: [{ address: `10.96.${n >> 8}.${n & 255}`, port: 80 }],
    backends: Array.from({ length: backends }, (_, i) => ({
      address: `10.244.${i >> 8}.${i & 255}`,
      port: 1,
    })),
  };
}

describe('whether anything changed', () => {
  it('is known without reading the table', async () => {
    const engine = createNftablesEngine({ command, namespace: box.namespace });
    try {
      expect(engine.unchanged?.()).toBe(false);
      await engine.apply({ generation: 1, replace: true, put: intentOf(1), remove: {} });
      await expect.poll(() => engine.unchanged?.()).toBe(true);
      await box.exec(['nft', 'add', 'table', 'inet', 'somebody']);
      // Nothing of ours, and seen: there is still nothing to read for.
      expect(engine.unchanged?.()).toBe(true);
      await box.exec(['nft', 'delete', 'table', 'inet', 'netloom']);
      await engine.resync();
      await expect.poll(() => engine.unchanged?.()).toBe(true);
    } finally {
      await engine.close();
    }
  });
});
