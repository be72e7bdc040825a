/** What a record tells, who is who, and how much of a flood is told. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { identityOf } from '#compile/policy/lookup.ts';
import { auditPrefix } from '#engines/nftables/audit-prefix.ts';
import { emptyIntent, type IntentChange, type NodeIntent } from '#intent/node.ts';
import type { PolicyRowIntent } from '#intent/policy.ts';
import { addrBytes, parseAddr } from '#net/addr.ts';
import { createLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { formatFlow } from '../../would-drop.ts';
import { createIntentHolder } from '../intent.ts';
import { type AuditedFlow, auditedFlow } from './flow.ts';
import { createAuditLedger } from './ledger.ts';
import { createWhois } from './whois.ts';

const origin = { kind: 'NetworkPolicy', namespace: 'shop', name: 'web', rule: 'spec.ingress[0]' };
const everything = { first: 0, last: 65_535 };
const whole = (verdict: PolicyRowIntent['verdict']): PolicyRowIntent[] => [
  { protocol: 'tcp', ...everything, verdict, origin },
  { protocol: 'other', ...everything, verdict, origin },
];
const intent: NodeIntent = {
  ...emptyIntent,
  subnets: {
    default: {
      origin: { kind: 'Subnet', name: 'default' },
      cidrs: ['10.244.0.0/16', 'fd10::/64'],
      mode: 'overlay',
      masquerade: true,
      allowFrom: [],
      excluded: [],
    },
  },
  policyDecisions: {
    '7/0': { rows: whole('allow') },
    '7/1': { rows: whole('audit') },
    '7/2': { rows: whole('audit') },
    '7/16': {
      rows: [
        { protocol: 'tcp', first: 0, last: 79, verdict: 'allow' },
        { protocol: 'tcp', first: 80, last: 80, verdict: 'audit', origin },
        { protocol: 'tcp', first: 81, last: 65_535, verdict: 'deny' },
      ],
    },
    '7/17': { rows: whole('audit') },
  },
  policyAddresses: {
    'pod shop/api': { identities: { '10.244.2.7': 16, 'fd10::7': 16 } },
    'node n2': { identities: { '192.168.66.12': 16 } },
  },
  policyPrefixes: { '203.0.113.0/24': { identity: 17 } },
  endpoints: {
    'c/eth0': {
      origin: { kind: 'Pod', namespace: 'shop', name: 'web-0' },
      device: 'nlp0',
      ifindex: 5,
      mac: '02:00:00:00:00:01',
      addresses: ['10.244.1.5', 'fd10::5'],
      subnet: 'default',
      mode: 'overlay',
    },
  },
};

function packet(source: string, destination: string, protocol: number, port: number): Uint8Array {
  const ends = [source, destination].flatMap((text) => [...addrBytes(parseAddr(text)!)]);
  const rest = [0x9c, 0x40, port >> 8, port & 255];
  return ends.length === 8
    ? Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, ...ends, ...rest)
    : Uint8Array.of(0x60, 0, 0, 0, 0, 0, protocol, 64, ...ends, ...rest);
}
const read = (direction: 'ingress' | 'egress', bytes: Uint8Array, policyClass = 7) =>
  auditedFlow(
    { prefix: auditPrefix({ direction, policyClass }), packet: bytes },
    intent,
    createWhois(intent),
  );

describe('a record', () => {
  it('names pod, peer, policy and rule, whatever way it goes', () => {
    const web = { address: '10.244.1.5', name: 'shop/web-0' };
    const api = { address: '10.244.2.7', name: 'shop/api' };
    const told = { policy: origin, protocol: 'tcp', port: 80 };
    const egress = read('egress', packet('10.244.1.5', '10.244.2.7', 6, 80));
    expect(egress).toEqual({ direction: 'egress', pod: web, peer: api, ...told });
    expect(formatFlow(egress!)).toBe('tcp shop/web-0 → shop/api:80');
    const ingress = read('ingress', packet('10.244.2.7', '10.244.1.5', 6, 80));
    expect(ingress).toEqual({ direction: 'ingress', pod: web, peer: api, ...told });
    expect(formatFlow(ingress!)).toBe('tcp shop/api → shop/web-0:80');
    expect(read('egress', packet('fd10::5', 'fd10::7', 6, 80))).toMatchObject({
      pod: { address: 'fd10::5', name: 'shop/web-0' },
      peer: { address: 'fd10::7', name: 'shop/api' },
      ...told,
    });
  });

  it.each([
    ['203.0.113.9', 6, 443, 'tcp shop/web-0 → 203.0.113.9:443'],
    ['203.0.113.9', 1, 0, 'icmp shop/web-0 → 203.0.113.9'],
    ['203.0.113.9', 47, 0, 'protocol 47 shop/web-0 → 203.0.113.9'],
    ['192.168.66.12', 6, 80, 'tcp shop/web-0 → node n2:80'],
    ['10.244.3.3', 6, 9, 'tcp shop/web-0 → 10.244.3.3:9'],
    ['10.244.1.5', 6, 9, 'tcp shop/web-0 → shop/web-0:9'],
    ['fd10::9', 6, 9, 'tcp shop/web-0 → [fd10::9]:9'],
  ])('to %s, protocol %i: %4$s', (to, protocol, port, text) => {
    const from = to.includes(':') ? 'fd10::5' : '10.244.1.5';
    const flow = read('egress', packet(from, to, protocol, port));
    expect(flow?.policy).toEqual(origin);
    expect(formatFlow(flow!)).toBe(text);
  });

  it('has no policy where the class says something else by now, and is nothing where it is not ours', () => {
    expect(read('egress', packet('10.244.1.5', '198.51.100.1', 6, 80))).not.toHaveProperty('policy');
    expect(read('egress', packet('10.244.1.5', '10.244.2.7', 6, 81))).not.toHaveProperty('policy');
    expect(read('egress', packet('10.244.1.5', '10.244.2.7', 6, 80), 8)).not.toHaveProperty('policy');
    fc.assert(fc.property(fc.uint8Array({ maxLength: 128 }), (noise) => void read('ingress', noise)));
    expect(read('egress', Uint8Array.of(0x45))).toBeUndefined();
    const foreign = { prefix: 'somebody ', packet: packet('10.244.1.5', '10.244.2.7', 6, 80) };
    expect(auditedFlow(foreign, intent, createWhois(intent))).toBeUndefined();
  });
});

describe('whose an address is', () => {
  it('is as a fresh reading of the intent says, after any changes', () => {
    const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd10::1', '10.244.0.9', '1.1.1.1');
    const owner = fc.constantFrom('pod a/a', 'pod a/b', 'node n');
    const entry = fc.record({ identities: fc.dictionary(address, fc.integer({ min: 16, max: 19 })) });
    const change = fc.record({
      put: fc.dictionary(owner, entry),
      remove: fc.array(owner, { maxLength: 2 }),
      prefix: fc.option(fc.constantFrom('10.0.0.0/31', '1.0.0.0/8'), { nil: undefined }),
      replace: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
        const holder = createIntentHolder();
        const whois = createWhois(holder.intent);
        changes.forEach(({ put, remove, prefix, replace }, index) => {
          const single = oneOwnerEach(holder.intent, put, remove, replace);
          const taken: IntentChange = {
            generation: index + 1,
            replace: replace || index === 0,
            put: {
              policyAddresses: single,
              ...(prefix === undefined ? {} : { policyPrefixes: { [prefix]: { identity: 30 } } }),
              subnets: intent.subnets,
            },
            remove: { policyAddresses: remove },
          };
          expect(holder.take(taken)).toBeUndefined();
          whois.take(taken);
          for (const each of ['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd10::1', '10.244.0.9', '1.1.1.1'])
            expect(whois.of(each).identity).toBe(identityOf(holder.intent, each));
        });
      }),
    );
  });
});

/** An address stands in one entry only: the first that has it. */
function oneOwnerEach(
  held: NodeIntent,
  put: NodeIntent['policyAddresses'],
  remove: readonly string[],
  replace: boolean,
): NodeIntent['policyAddresses'] {
  const kept = Object.entries(replace ? {} : held.policyAddresses).filter(
    ([owner]) => !Object.hasOwn(put, owner) && !remove.includes(owner),
  );
  const taken = new Set(kept.flatMap(([, { identities }]) => Object.keys(identities)));
  return Object.fromEntries(
    Object.entries(put).map(([owner, { identities }]) => {
      const free = Object.entries(identities).filter(([address]) => !taken.has(address));
      for (const [address] of free) taken.add(address);
      return [owner, { identities: Object.fromEntries(free) }];
    }),
  );
}

describe('the ledger', () => {
  const open = () => {
    const clock = { now: 0 };
    const lines: string[] = [];
    const metrics = createRegistry();
    let news = 0;
    const ledger = createAuditLedger({
      log: createLog({ write: (line) => void lines.push(line) }),
      metrics,
      onNews: () => {
        news += 1;
      },
      now: () => clock.now,
    });
    return { clock, lines, metrics, ledger, news: () => news };
  };
  const flow = (host: number, port = 80, name = 'web'): AuditedFlow => ({
    policy: { ...origin, name },
    direction: 'ingress',
    pod: { address: '10.244.1.5', name: 'shop/web-0' },
    peer: { address: `10.9.${host >> 8}.${host & 255}` },
    protocol: 'tcp',
    port,
  });

  it('writes one line of a flood, then one in a while that counts', () => {
    const { clock, lines, ledger, news, metrics } = open();
    for (let second = 0; second < 70; second++) {
      clock.now = second * 1000;
      for (let i = 0; i < 100; i++) ledger.add(flow(1));
    }
    expect(lines).toHaveLength(7);
    expect(lines[0]).toContain(
      'would drop tcp 10.9.0.1 → shop/web-0:80: NetworkPolicy shop/web spec.ingress[0] (audit)',
    );
    expect(lines[0]).toContain('times=1\n');
    expect(lines[1]).toContain('times=1000');
    expect(news()).toBe(1);
    expect(ledger.news()).toMatchObject([{ times: 1, policy: { name: 'web' } }]);
    expect(ledger.recent()).toMatchObject([{ times: 7000 }]);
    expect(metrics.text()).toContain(
      'netloom_datapath_policy_audited_total{policy="NetworkPolicy shop/web",direction="ingress"} 7000',
    );
  });

  it('has the rare among the frequent as news, one a minute, and each again after five', () => {
    const { clock, ledger } = open();
    const told: (number | undefined)[] = [];
    for (let second = 0; second < 400; second++) {
      clock.now = second * 1000;
      ledger.add(flow(1));
      if (second % 7 === 0) ledger.add(flow(1, 81));
      if (second === 130) ledger.add(flow(2, 82));
      const port = ledger.news()[0]?.port;
      if (told.at(-1) !== port) told.push(port);
    }
    expect(told).toEqual([80, 81, 82, 80, 81]);
  });

  it('stays small when everybody scans everything', () => {
    const { clock, lines, ledger, news, metrics } = open();
    for (let host = 0; host < 5000; host++) ledger.add(flow(host, host, `p${host % 500}`));
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toContain('GET /v1/audit');
    expect(ledger.recent()).toHaveLength(200);
    expect(ledger.news()).toHaveLength(50);
    expect(metrics.text().split('\n').length).toBeLessThan(210);
    expect(news()).toBeLessThanOrEqual(5000);
    clock.now = 10_000;
    ledger.add(flow(1));
    expect(lines).toHaveLength(22);
    ledger.over();
    expect(ledger.news()).toEqual([]);
  });
});
