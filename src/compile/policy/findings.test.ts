/** What is said of policies that can't work, and that it is true. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatOrigin } from '#intent/origin.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel, PolicyPeer, PolicyPort, PolicyRule } from '#model/policy.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { cluster, meeting } from './arbitrary.ts';
import { judge } from './decide.ts';
import { findPolicyProblems, policySummary } from './findings.ts';
import { takesPod } from './order.ts';
import type { PolicySnapshot } from './snapshot.ts';

const policy = (
  kind: string,
  name: string,
  tier: PolicyModel['tier'],
  extra: Partial<PolicyModel>,
): PolicyModel => ({
  origin: { kind, name },
  key: `${kind}/${name}`,
  tier,
  priority: 0,
  audit: false,
  subject: { namespaces: {} },
  ...extra,
});
const anp = (name: string, extra: Partial<PolicyModel>) => policy('AdminNetworkPolicy', name, 'admin', extra);
const cnp = (name: string, extra: Partial<PolicyModel>) =>
  policy('ClusterNetworkPolicy', name, 'admin', extra);
const np = (name: string, extra: Partial<PolicyModel>) =>
  policy('NetworkPolicy', name, 'network', { subject: { namespaces: 'shop' }, ...extra });
type RuleText = readonly [
  PolicyRule['action'],
  (readonly PolicyPeer[] | undefined)?,
  (readonly PolicyPort[])?,
];
const rules = (...list: readonly RuleText[]): PolicyRule[] =>
  list.map(([action, peers, ports], index) => ({
    field: `rule ${index}`,
    action,
    ...(peers === undefined ? {} : { peers }),
    ...(ports === undefined ? {} : { ports }),
  }));
const app = (name: string): PolicyPeer => ({
  kind: 'pods',
  select: { namespaces: {}, pods: { matchLabels: { app: name } } },
});
const cidr = (text: string, ...except: string[]): PolicyPeer => ({
  kind: 'cidr',
  prefix: parsePrefix(text)!,
  except: except.map((each) => parsePrefix(each)!),
});
const tcp = (first: number, last = first): PolicyPort => ({ protocol: 'tcp', first, last });

const web: PodModel = {
  origin: { kind: 'Pod', namespace: 'shop', name: 'web' },
  namespace: 'shop',
  name: 'web',
  uid: 'u',
  labels: { app: 'web' },
  annotations: {},
  hostNetwork: false,
  ended: false,
  node: 'n1',
  addresses: ['10.0.0.1'],
  namedPorts: [{ name: 'http', protocol: 'tcp', port: 80 }],
};
const snapshot = (...policies: readonly PolicyModel[]): PolicySnapshot => ({
  policies: new Map(policies.map((each) => [each.key, each])),
  pods: new Map([['shop/web', web]]),
  namespaces: new Map(),
  nodes: new Map(),
});
const found = (...policies: readonly PolicyModel[]) =>
  findPolicyProblems(snapshot(...policies)).map(
    ({ object, field, code, message }) => `${formatOrigin(object)} ${field}: ${code}: ${message}`,
  );

describe('findPolicyProblems', () => {
  test('policies that work give none', () => {
    expect(
      found(
        anp('a', { ingress: rules(['accept', [app('web')], [tcp(443)]]) }),
        np('b', {
          ingress: rules(['accept', [app('web')], [{ name: 'http' }]], ['accept', [cidr('10.0.0.0/8')]]),
        }),
      ),
    ).toEqual([]);
  });

  test('of equal priorities it says who is asked first', () => {
    expect(found(anp('a', {}), cnp('z', {}), anp('c', { priority: 1 }))).toEqual([
      'ClusterNetworkPolicy z spec.priority: EqualPriority: of those with priority 0 AdminNetworkPolicy a is asked after; give each its own',
      'AdminNetworkPolicy a spec.priority: EqualPriority: of those with priority 0 ClusterNetworkPolicy z is asked before; give each its own',
    ]);
    const many = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => anp(name, {}));
    expect(found(...many)[1]).toContain(
      'AdminNetworkPolicy a is asked before, AdminNetworkPolicy c, AdminNetworkPolicy d, AdminNetworkPolicy e and 1 more are asked after;',
    );
  });

  test('of both kinds of a baseline it says which is asked first', () => {
    const first = policy('ClusterNetworkPolicy', 'z', 'baseline', {});
    expect(found(policy('BaselineAdminNetworkPolicy', 'default', 'baseline', {}), first)).toEqual([
      'BaselineAdminNetworkPolicy default spec: OverlappingKinds: ClusterNetworkPolicy z is asked before, and what is accepted or denied there is not asked here',
    ]);
  });

  test('selectors that take nobody', () => {
    expect(
      found(
        np('a', { subject: { namespaces: 'bank', pods: { matchLabels: { app: 'web' } } } }),
        anp('b', {
          priority: 3,
          egress: rules([
            'deny',
            [app('web'), app('db'), { kind: 'nodes', select: { matchLabels: { rack: 'x' } } }],
          ]),
        }),
      ),
    ).toEqual([
      'AdminNetworkPolicy b rule 0: SelectsNobody: there are no pods app=db in all namespaces; no nodes rack=x',
      'NetworkPolicy a spec.podSelector: SelectsNobody: there are no pods app=web in namespace bank',
    ]);
  });

  test('named ports that no pod has', () => {
    expect(
      found(
        np('a', {
          ingress: rules(['accept', undefined, [{ name: 'http', protocol: 'udp' }, { name: 'http' }]]),
          egress: rules(
            ['accept', undefined, [{ name: 'dns' }]],
            ['accept', [app('web')], [{ name: 'http' }]],
          ),
        }),
      ),
    ).toEqual([
      'NetworkPolicy a rule 0: PortNotFound: no pod that the policy selects has a container port named http (udp)',
      'NetworkPolicy a rule 0: PortNotFound: no pod that the rule is about has a container port named dns',
    ]);
  });

  test('rules that others take everything from', () => {
    const all = rules(['accept', [cidr('10.0.0.0/8', '10.1.0.0/16')], [tcp(1, 80), tcp(81, 90)]]);
    const egress = (...list: readonly RuleText[]) => [...all, ...rules(...list)];
    const inside: readonly PolicyPort[] = [tcp(70, 85)];
    expect(
      found(
        anp('a', {
          egress: egress(
            ['deny', [cidr('10.2.0.0/16')], inside],
            ['deny', [cidr('10.1.2.0/24')], inside],
            ['deny', [cidr('10.2.0.0/16')]],
          ),
          ingress: rules(['pass', [app('web')]]),
        }),
        anp('b', { priority: 1, ingress: rules(['deny', [app('web')], [tcp(5)]]), egress: egress() }),
        np('c', {
          ingress: rules(['accept', [app('web')]]),
          egress: rules(['accept', [cidr('10.9.0.0/16')], [tcp(80)]]),
        }),
      ),
    ).toEqual([
      'AdminNetworkPolicy a rule 0: NeverMatches: rule 0 is asked before and takes all that this rule would',
      'AdminNetworkPolicy b rule 0: NeverMatches: AdminNetworkPolicy a rule 0 is asked before and takes all that this rule would',
      'AdminNetworkPolicy b rule 0: NeverMatches: AdminNetworkPolicy a rule 0 is asked before and takes all that this rule would',
      'NetworkPolicy c rule 0: NeverMatches: AdminNetworkPolicy a rule 0 is asked before and takes all that this rule would',
    ]);
  });
});

test('after a rule that passes nothing is taken from other tiers', () => {
  const last = np('c', { ingress: rules(['accept']) });
  expect(
    found(anp('a', { ingress: rules(['pass', [app('web')]], ['deny', [app('web')], [tcp(1)]]) }), last),
  ).toEqual([
    'AdminNetworkPolicy a rule 1: NeverMatches: rule 0 is asked before and takes all that this rule would',
  ]);
  expect(
    found(anp('a', { ingress: rules(['pass']) }), anp('b', { priority: 1, ingress: rules(['deny']) }), last),
  ).toEqual([
    'AdminNetworkPolicy b rule 0: NeverMatches: AdminNetworkPolicy a rule 0 is asked before and takes all that this rule would',
  ]);
});

test('a rule of which it is said that it never matches decides nothing', () => {
  let said = 0;
  fc.assert(
    fc.property(cluster, fc.array(meeting, { minLength: 15, maxLength: 15 }), (given, meetings) => {
      // A pod that nobody knows is treated as any that a rule may mean.
      const known = { ...given, podPrefixes: new Map() };
      const never = new Set(
        findPolicyProblems(known).flatMap(({ object, field, code }) =>
          code === 'NeverMatches' ? [`${formatOrigin(object)} ${field}`] : [],
        ),
      );
      said += never.size;
      if (never.size === 0) return;
      for (const key of known.pods.keys())
        for (const { direction, peer, protocol, port } of meetings) {
          const ends = [{ kind: 'pod', key } as const, { kind: 'address', address: peer } as const] as const;
          const [from, to] = direction === 'egress' ? ends : [ends[1], ends[0]];
          const flow = { from, to, protocol, port, family: parseAddr(peer)!.family };
          const { origin } = judge(known, direction, flow);
          expect(never.has(origin === undefined ? '' : formatOrigin(origin))).toBe(false);
        }
    }),
    { numRuns: Number(process.env['RUNS'] ?? 300) },
  );
  expect(said).toBeGreaterThan(0);
});

test('the summary counts the pods that a policy selects, and their nodes', () => {
  fc.assert(
    fc.property(cluster, (given) => {
      const summary = policySummary(given);
      for (const [key, { subject }] of given.policies) {
        const pods = [...given.pods.values()].filter((pod) => takesPod(subject, pod, given.namespaces));
        expect(summary.get(key)).toEqual({
          selectedPods: pods.length,
          nodes: new Set(pods.flatMap(({ node }) => node ?? [])),
        });
      }
    }),
  );
});
