/** Decisions as maps: read back by the very rules of the chains, they say what the rows say, and of which rule. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Origin } from '#intent/origin.ts';
import type { PolicyDecisionIntent, PolicyRowIntent } from '#intent/policy.ts';
import { decision } from './arbitrary.ts';
import { isAudited, lowerDecision } from './lower-decision.ts';
import { ruleCounter } from './rule-counters.ts';
import { type Held, walk } from './walk.ts';

const probes = [0, 1, 21, 22, 23, 79, 80, 81, 442, 443, 29_999, 30_000, 32_768, 65_534, 65_535];
const protocols = [
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
  ['other', 1],
  ['other', 58],
] as const;

/** Some rows are of the same rule, some of none. */
const ruled: fc.Arbitrary<PolicyDecisionIntent> = fc
  .tuple(decision, fc.array(fc.constantFrom(undefined, 'a', 'b'), { minLength: 30, maxLength: 30 }))
  .map(([{ rows }, names]) => ({
    direction: 'egress',
    rows: rows.map((row, index) => {
      const name = names[index % names.length];
      const origin: Origin | undefined = name === undefined ? undefined : { kind: 'NetworkPolicy', name };
      return { ...row, ...(origin === undefined ? {} : { origin }) };
    }),
  }));

describe('decisions as maps', () => {
  it('say of every protocol and port what the rows say', () => {
    fc.assert(
      fc.property(ruled, ruled, fc.boolean(), (ofOther, own, special) => {
        const decisions = { '7/0': ofOther, ...(special ? { '7/16': own } : {}) };
        const sets = setsOf(decisions);
        const suffix = Object.values(decisions).some(isAudited) ? 'Audit' : '';
        for (const [name, protocol] of protocols) {
          for (const port of probesOf(ofOther, own)) {
            const wanted = rowAt(special ? own : ofOther, name, port);
            const packet = { from: '10.244.1.1', to: '10.244.1.2', protocol, port };
            const counted: string[] = [];
            expect(walk(sets, packet, [`policyEgress7${suffix}`], 99, counted), `${name}/${port}`).toBe(
              wanted.verdict,
            );
            expect(counted, `${name}/${port}`).toEqual([ruleCounter('egress', wanted).name]);
            expect(walk(sets, packet, [`policyEgress8${suffix}`])).toBe('deny');
          }
        }
      }),
      { numRuns: 300 },
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
    expect(count(...whole('allow'))).toBe(1);
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
    expect(elements.map((each) => each.set)).toEqual(['policyDeniedPorts', 'policyMixed', 'policyOpen']);
  });

  it('refuse what is no decision, whole', () => {
    const rows = [{ protocol: 'tcp', first: 0, last: 70_000, verdict: 'allow' }] as const;
    expect(lowerDecision('7/16', { rows })).toMatchObject({ elements: [], problems: [expect.any(String)] });
    for (const key of ['0/16', '4096/0', '7/1048576', '7', '7/16 . 6']) {
      expect(lowerDecision(key, { rows: [] }).problems).toHaveLength(1);
    }
  });
});

function probesOf(...decisions: readonly PolicyDecisionIntent[]): ReadonlySet<number> {
  const edges = decisions.flatMap(({ rows }) => rows.flatMap(({ first, last }) => [first, last]));
  return new Set([...probes, ...edges]);
}

function rowAt({ rows }: PolicyDecisionIntent, protocol: PolicyRowIntent['protocol'], port: number) {
  return rows.find((row) => row.protocol === protocol && row.first <= port && port <= row.last)!;
}

function setsOf(decisions: Readonly<Record<string, PolicyDecisionIntent>>): Held {
  const sets = new Map<string, Map<string, string>>([['identities4', new Map([['10.244.1.2', '0:10']])]]);
  for (const [key, each] of Object.entries(decisions)) {
    for (const { set, key: element, data = '' } of lowerDecision(key, each).elements) {
      sets.set(set, (sets.get(set) ?? new Map<string, string>()).set(element, data));
    }
  }
  return sets;
}
