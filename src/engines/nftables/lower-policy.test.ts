/** Decisions as sets: read back by the very rules of the chains, they say what the rows say. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PolicyDecisionIntent, PolicyRowIntent } from '#intent/policy.ts';
import { decision } from './arbitrary.ts';
import { classOf, handleText, lowerDecision, lowerSubject } from './lower-policy.ts';
import { type Held, walk } from './walk.ts';

const probes = [0, 1, 21, 22, 23, 79, 80, 81, 442, 443, 29_999, 30_000, 32_768, 65_534, 65_535];
const protocols = [
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
  ['other', 1],
  ['other', 58],
] as const;

describe('decisions as sets', () => {
  it('say of every protocol and port what the rows say', () => {
    fc.assert(
      fc.property(decision, decision, fc.boolean(), (ofOther, own, special) => {
        const decisions = { '7/0': ofOther, ...(special ? { '7/16': own } : {}) };
        const sets = setsOf(decisions);
        for (const [name, protocol] of protocols) {
          for (const port of probesOf(ofOther, own)) {
            const wanted = verdictOf(special ? own : ofOther, name, port);
            const packet = { from: '10.244.1.1', to: '10.244.1.2', protocol, port };
            expect(walk(sets, packet, ['policyJudge'], 0x70_0010), `${name}/${port}`).toBe(wanted);
            expect(walk(sets, packet, ['policyJudge'], 0x80_0010)).toBe('deny');
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('take few elements for what is said often', () => {
    const count = (...rows: PolicyRowIntent[]) => lowerDecision('7/16', { rows }).elements.length;
    const row = (
      protocol: PolicyRowIntent['protocol'],
      first: number,
      last: number,
      verdict: PolicyRowIntent['verdict'],
    ): PolicyRowIntent => ({ protocol, first, last, verdict });
    const whole = (verdict: PolicyRowIntent['verdict']) =>
      (['tcp', 'udp', 'sctp', 'other'] as const).map((protocol) => row(protocol, 0, 65_535, verdict));
    expect(count(...whole('allow'))).toBe(2);
    expect(count(...whole('deny'))).toBe(1);
    expect(
      count(row('tcp', 0, 442, 'deny'), row('tcp', 443, 443, 'allow'), row('tcp', 444, 65_535, 'deny')),
    ).toBe(2);
    const [, udp, sctp, other] = whole('allow');
    const allBut22 = [
      row('tcp', 0, 21, 'allow'),
      row('tcp', 22, 22, 'deny'),
      row('tcp', 23, 65_535, 'allow'),
    ];
    const elements = lowerDecision('7/16', { rows: [...allBut22, udp!, sctp!, other!] }).elements;
    expect(elements.map((each) => each.set)).toEqual(['policySpecial', 'policyOpen', 'policyPorts']);
  });

  it('refuse what is no decision, whole', () => {
    const rows = [{ protocol: 'tcp', first: 0, last: 70_000, verdict: 'allow' }] as const;
    expect(lowerDecision('7/16', { rows })).toMatchObject({ elements: [], problems: [expect.any(String)] });
    for (const key of ['0/16', '4096/0', '7/1048576', '7', '7/16 . 6']) {
      expect(lowerDecision(key, { rows: [] }).problems).toHaveLength(1);
    }
  });
});

describe('a subject', () => {
  const endpoint = {
    origin: { kind: 'Pod', namespace: 'd', name: 'a' },
    podUID: 'u1',
    device: 'nlp1',
    ifindex: 1,
    mac: '',
    addresses: ['10.244.1.1', 'fd10::1'],
    subnet: 's',
    mode: 'overlay' as const,
  };
  const subject = { origin: endpoint.origin, uid: 'u1', ingress: 7 };

  it('leads its addresses to the chain of their class', () => {
    expect(lowerSubject(endpoint, subject, () => true)).toEqual({
      elements: [
        { set: 'ingressClasses4', key: '10.244.1.1', data: 'goto policyIngress7' },
        { set: 'ingressClasses6', key: 'fd10::1', data: 'goto policyIngress7' },
      ],
      chains: ['policyIngress7'],
      problems: [],
    });
    expect(lowerSubject(endpoint, undefined, () => true).elements).toEqual([]);
  });

  it('is closed for another pod of its name, and by the name where a UID is not known', () => {
    expect(classOf(endpoint, { ...subject, uid: 'u2' }, 'ingress')).toBe('closed');
    expect(classOf(endpoint, { ...subject, uid: 'u2' }, 'egress')).toBe('closed');
    expect(classOf(endpoint, { ...subject, uid: '' }, 'ingress')).toBe(7);
    expect(classOf({}, { ...subject, uid: 'u2' }, 'ingress')).toBe(7);
    expect(classOf(endpoint, { ...subject, ingress: 5_000 }, 'ingress')).toBe('closed');
  });
});

it('writes handles as nft does', () => {
  expect([0, 16, 0xf_ffff, 0x70_0010, 0xffff_ffff].map(handleText)).toEqual([
    'none',
    '0:10',
    'f:ffff',
    '70:10',
    'root',
  ]);
});

function probesOf(...decisions: readonly PolicyDecisionIntent[]): ReadonlySet<number> {
  const edges = decisions.flatMap(({ rows }) => rows.flatMap(({ first, last }) => [first, last]));
  return new Set([...probes, ...edges]);
}

function verdictOf({ rows }: PolicyDecisionIntent, protocol: PolicyRowIntent['protocol'], port: number) {
  return rows.find((row) => row.protocol === protocol && row.first <= port && port <= row.last)!.verdict;
}

function setsOf(decisions: Readonly<Record<string, PolicyDecisionIntent>>): Held {
  const sets = new Map<string, Map<string, string>>();
  for (const [key, each] of Object.entries(decisions)) {
    for (const { set, key: element } of lowerDecision(key, each).elements) {
      sets.set(set, (sets.get(set) ?? new Map<string, string>()).set(element, ''));
    }
  }
  return sets;
}
