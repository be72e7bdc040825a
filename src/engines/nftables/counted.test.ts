/** Counters of rules with real packets: one a connection and direction, for the rule that decided. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PolicyDecisionIntent, PolicyRowIntent } from '#intent/policy.ts';
import { openSandbox } from '#lab/sandbox.ts';
import { openTestnet, pods, type Testnet } from './testnet.ts';
import { addressesOf, identities } from './testnet-policy.ts';

let net: Testnet;
beforeAll(async () => {
  net = await openTestnet(await openSandbox());
  await net.put(1, { policyAddresses: addressesOf(pods.map(({ name }) => name)) });
}, 120_000);
afterAll(async () => {
  await net?.close();
});

const address = (name: string) => pods.find((each) => each.name === name)!.address4;
const policy = { kind: 'NetworkPolicy', namespace: 'test', name: 'web' };

type Rows = readonly (readonly [
  protocol: PolicyRowIntent['protocol'],
  first: number,
  last: number,
  verdict: PolicyRowIntent['verdict'],
  rule?: string,
])[];

function decision(direction: 'ingress' | 'egress', rows: Rows): PolicyDecisionIntent {
  return {
    direction,
    rows: rows.map(([protocol, first, last, verdict, rule]) => ({
      protocol,
      first,
      last,
      verdict,
      origin: { ...policy, ...(rule === undefined ? {} : { rule }) },
    })),
  };
}

const everything = (verdict: PolicyRowIntent['verdict'], rule?: string): Rows =>
  (['tcp', 'udp', 'sctp', 'other'] as const).map((protocol) =>
    rule === undefined ? [protocol, 0, 65_535, verdict] : [protocol, 0, 65_535, verdict, rule],
  );

/** By rule and verdict; zeros are left out. */
async function counted(): Promise<Record<string, number>> {
  const counts = await net.engines[0].ruleCounts();
  return Object.fromEntries(
    counts
      .filter(({ connections }) => connections > 0)
      .map(({ direction, origin, verdict, connections }) => [
        `${direction} ${origin?.rule ?? 'isolated'} ${verdict}`,
        connections,
      ]),
  );
}

const ping = (to: string) => net.box.exec(['ping', '-c1', '-W1', address(to)], { netns: 'p11' });

it('counts each connection once for the rule that decided, whatever form the decision has in the table', async () => {
  const { p12, p21, q21, q11 } = identities as Record<string, number>;
  await net.put(1, {
    policySubjects: {
      'test/p11': { origin: { kind: 'Pod', namespace: 'test', name: 'p11' }, uid: '', egress: 1 },
      'test/p12': { origin: { kind: 'Pod', namespace: 'test', name: 'p12' }, uid: '', ingress: 2 },
    },
    policyDecisions: {
      '1/0': decision('egress', everything('deny')),
      // A port, and nothing else.
      [`1/${p21}`]: decision('egress', [
        ['tcp', 0, 8079, 'deny'],
        ['tcp', 8080, 8080, 'allow', 'port'],
        ['tcp', 8081, 65_535, 'deny'],
        ...everything('deny').slice(1),
      ]),
      // All of it, by two rules.
      [`1/${p12}`]: decision('egress', [
        ['tcp', 0, 8079, 'allow', 'rest'],
        ['tcp', 8080, 8080, 'allow', 'port'],
        ['tcp', 8081, 65_535, 'allow', 'rest'],
        ...everything('allow', 'rest').slice(1),
      ]),
      // Denied by two rules and by isolation; a range passes.
      [`1/${q21}`]: decision('egress', [
        ['tcp', 0, 7999, 'deny', 'no tcp'],
        ['tcp', 8000, 9000, 'allow', 'range'],
        ['tcp', 9001, 65_535, 'deny', 'no tcp'],
        ['udp', 0, 8079, 'deny'],
        ['udp', 8080, 8080, 'deny', 'no udp'],
        ['udp', 8081, 65_535, 'deny'],
        ['sctp', 0, 65_535, 'deny'],
        ['other', 0, 65_535, 'deny'],
      ]),
      // Told of, but for one port.
      [`1/${q11}`]: decision('egress', [
        ['tcp', 0, 8079, 'audit'],
        ['tcp', 8080, 8080, 'deny', 'no tcp'],
        ['tcp', 8081, 65_535, 'audit'],
        ...everything('audit').slice(1),
      ]),
      '2/0': decision('ingress', everything('allow', 'in')),
    },
  });
  expect(await counted()).toEqual({});
  expect(await net.tcp('p11', address('p21'), 8080)).toContain('p21');
  expect(await counted()).toEqual({ 'egress port allow': 1 });
  // UDP is counted until it is answered: once.
  expect(await net.udp('p11', address('p12'), 8080)).toContain('p12');
  expect(await net.tcp('p11', address('p12'), 8080)).toContain('p12');
  expect(await counted()).toEqual({ 'egress port allow': 2, 'egress rest allow': 1, 'ingress in allow': 2 });
  expect(await net.tcp('p11', address('q21'), 8080)).toContain('q21');
  expect((await ping('q11')).code).toBe(0);
  expect(await counted()).toMatchObject({ 'egress range allow': 1, 'egress isolated audit': 1 });
  expect(await counted()).not.toHaveProperty('egress isolated deny');
  // A denied one is sent again and again.
  await Promise.all([
    net.tcp('p11', address('q21'), 22),
    net.udp('p11', address('q21'), 8080),
    net.tcp('p11', address('c21'), 8080),
    ping('q21'),
  ]);
  const {
    'egress no tcp deny': tcp,
    'egress no udp deny': udp,
    'egress isolated deny': rest,
  } = await counted();
  expect([tcp, udp, rest].map((count) => (count ?? 0) > 0)).toEqual([true, true, true]);
  await net.tcp('p11', address('q11'), 8080);
  expect((await counted())['egress no tcp deny']).toBeGreaterThan(tcp ?? 0);
  expect(await counted()).toMatchObject({ 'egress port allow': 2, 'egress isolated audit': 1 });
});
