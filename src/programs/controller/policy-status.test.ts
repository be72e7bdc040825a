/** What a policy says of itself, word for word, and what a write of its own status must not change. */
import { describe, expect, test } from 'vitest';
import { setConditions } from '#kube/conditions.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel } from '#model/policy.ts';
import type { Problem, ProblemCode } from '#model/problem.ts';
import { formatReach, type PolicyReach, parseReach } from '../node-lease.ts';
import { createPatience } from './patience.ts';
import { nobody, selectedPods } from './policy-selection.ts';
import { isHeld, liveNodes, type PolicyView, policyConditions } from './policy-status.ts';
import { createPolicyVersions, type VersionedPolicy } from './policy-versions.ts';

const kind = 'AdminNetworkPolicy';
const object = { kind, name: 'tenants' };
const view: PolicyView = {
  kind,
  generation: 4,
  since: '100',
  used: true,
  selected: { count: 2, first: ['shop/a', 'shop/b'], nodes: new Set(['n2', 'n3', 'n1']) },
  problems: [],
};
const at = (version: string, refused = 0): PolicyReach => ({ versions: new Map([[kind, version]]), refused });
const problem = (code: ProblemCode, field: string, message: string): Problem => ({
  object,
  field,
  code,
  message,
});
const podOf = (name: string, node: string, hasAddress: boolean, namespace = 'a') =>
  ({ namespace, name, node, addresses: hasAddress ? ['10.0.0.1'] : [], labels: {} }) as unknown as PodModel;
const said = (
  changed: Partial<PolicyView>,
  reaches: Record<string, PolicyReach>,
  isAlive: (node: string) => boolean = () => false,
) => {
  const byNode = new Map(Object.entries(reaches));
  return Object.fromEntries(
    policyConditions({ ...view, ...changed }, byNode, liveNodes(byNode, isAlive)).map(
      ({ type, status, reason, message, observedGeneration }) => [
        type,
        `${status} ${reason} ${observedGeneration}: ${message}`,
      ],
    ),
  );
};

describe('policyConditions', () => {
  test('in force on every node that needs it', () => {
    expect(said({}, { n1: at('100'), n2: at('101'), n3: at('20000'), n4: at('3') })).toEqual({
      Accepted: 'True Accepted 4: all of it is used',
      InForce:
        'True InForce 4: on 3 of 3 nodes that need it, since generation 4; selects 2 pods: shop/a, shop/b',
      Ready: 'True Ready 4: all of it is used and in force',
    });
  });

  test('nodes that are behind, silent or refused are named', () => {
    expect(said({}, { n1: at('99'), n2: at('100') }).InForce).toBe(
      'False Pending 4: generation 4: not yet on n1, n3; on 1 of 3 nodes that need it; selects 2 pods: shop/a, shop/b',
    );
    expect(
      said({ selected: { count: 1, first: ['shop/a'], nodes: new Set(['n1']) } }, { n1: at('100', 2) })
        .InForce,
    ).toBe(
      'False Refused 4: generation 4: not yet on n1; on 0 of 1 node that needs it; selects 1 pod: shop/a; ' +
        "the kernel refuses a part of what policy asks for on n1 (see the datapath's log there)",
    );
  });

  test('a live node without a selected pod is waited for, since the next pod may come there; a dead or silent one is not', () => {
    const everywhere = { n1: at('100'), n2: at('100'), n3: at('100') };
    const reaches = { ...everywhere, n4: at('99'), n5: at('7'), n6: { versions: new Map(), refused: 0 } };
    const isAlive = (node: string) => node !== 'n5';
    expect(said({}, reaches, isAlive).InForce).toBe(
      'False Pending 4: generation 4: not yet on n4; on 3 of 3 nodes that need it; selects 2 pods: shop/a, shop/b',
    );
    expect(said({ selected: nobody }, reaches, isAlive).InForce).toBe(
      'False Pending 4: generation 4: not yet on n4; selects no pod, so no node needs it',
    );
    expect(said({}, { ...reaches, n4: at('100') }, isAlive).InForce).toMatch(/^True InForce 4: on 3 of 3/);
    expect(said({}, { ...reaches, n4: at('100', 1) }, isAlive).InForce).toMatch(
      /^False Refused 4: .*on n4 \(see/,
    );
  });

  test('without pods no node needs it; what nobody can use is nowhere', () => {
    expect(said({ selected: nobody }, {}).InForce).toBe('True NoPods 4: selects no pod, so no node needs it');
    expect(said({ selected: { ...view.selected, nodes: new Set() } }, {}).InForce).toBe(
      'True NoPods 4: none of the pods that it selects runs yet',
    );
    const problems = [problem('InvalidPriority', 'spec.priority', '2000 is no whole number from 0 to 1000')];
    expect(said({ used: false, problems }, {})).toEqual({
      Accepted:
        'False InvalidPriority 4: spec.priority: 2000 is no whole number from 0 to 1000; nothing of it is used',
      InForce: 'False NotAccepted 4: nothing of it can be used',
      Ready: 'False InvalidPriority 4: spec.priority: 2000 is no whole number from 0 to 1000',
    });
  });

  test('a refused part leaves the rest; what can not work is a doubt and no more', () => {
    const problems = [
      problem('NotSupported', 'spec.egress[0].to[0].domainNames', 'is not supported'),
      problem('WithoutEffect', 'spec.egress[1]', 'comes after a rule that takes everything'),
    ];
    const everywhere = { n1: at('100'), n2: at('100'), n3: at('100') };
    const { Accepted, Ready } = said({ problems }, everywhere);
    expect(Accepted).toBe(
      'False NotSupported 4: spec.egress[0].to[0].domainNames: is not supported; what else it says is used',
    );
    expect(Ready).toBe('False NotSupported 4: spec.egress[0].to[0].domainNames: is not supported');
    expect(said({ problems: problems.slice(1) }, everywhere).Ready).toBe(
      'True WithoutEffect 4: spec.egress[1]: comes after a rule that takes everything',
    );
    expect(said({ problems: problems.slice(1) }, {}).Ready).toMatch(
      /^False Pending 4: generation 4: not yet on n1, n2, n3; on 0 of 3/,
    );
  });

  test('a hundred problems are ten and a number', () => {
    const problems = Array.from({ length: 100 }, (_, i) =>
      problem('WithoutEffect', `spec.egress[${i}]`, 'no'),
    );
    expect(said({ selected: nobody, problems }, {}).Ready).toMatch(/spec\.egress\[9\]: no; and 90 more$/);
  });

  test('pods by the hundred are five and a number', () => {
    const pods = Array.from({ length: 100 }, (_, i) =>
      podOf(`p${99 - i}`, i % 2 === 0 ? 'n1' : 'n2', i < 99),
    );
    const policy = { origin: object, key: `${kind}/tenants`, subject: { namespaces: 'a' } } as PolicyModel;
    const byKey = new Map(
      [...pods, podOf('q', 'n3', true, 'b')].map((pod) => [`${pod.namespace}/${pod.name}`, pod]),
    );
    const selected = selectedPods({ pods: byKey, namespaces: new Map() }, [policy]).get(policy.key) ?? nobody;
    expect(selected).toMatchObject({ count: 100, nodes: new Set(['n1', 'n2']) });
    expect(said({ selected }, { n1: at('100'), n2: at('100') }).InForce).toMatch(
      /selects 100 pods: a\/p0, a\/p1, a\/p10, a\/p11, a\/p12 and 95 more$/,
    );
  });

  test('said again it is no change', () => {
    const reaches = new Map([['n1', at('100')]]);
    const wanted = policyConditions(
      view,
      reaches,
      liveNodes(reaches, () => true),
    );
    const once = setConditions(undefined, wanted, new Date(0));
    expect(setConditions(once, wanted, new Date())).toBe(once);
  });
});

describe('what nodes say with their leases', () => {
  test('goes there and back, and stays short', () => {
    const reach = {
      versions: new Map([
        ['NetworkPolicy', '18446744073709551615'],
        ['AdminNetworkPolicy', '18446744073709551615'],
        ['BaselineAdminNetworkPolicy', '18446744073709551615'],
        ['ClusterNetworkPolicy', '18446744073709551615'],
      ]),
      refused: 12,
    };
    const text = formatReach(reach);
    expect(text.length).toBeLessThan(256);
    expect(parseReach(text)).toEqual(reach);
    expect(parseReach(formatReach({ versions: new Map(), refused: 0 }))).toEqual({
      versions: new Map(),
      refused: 0,
    });
  });

  test.each([undefined, '', '[]', 'x', '{"NetworkPolicy":7}', '{"Pod":"7"}', '{"NetworkPolicy":"7a"}'])(
    '%s says nothing',
    (text) => expect(parseReach(text)).toEqual({ versions: new Map(), refused: 0 }),
  );

  test('versions are compared as numbers, and only where they are some', () => {
    expect(isHeld(at('99'), kind, '100')).toBe(false);
    expect(isHeld(at('100'), kind, '99')).toBe(true);
    expect(isHeld(at('100'), 'NetworkPolicy', '99')).toBe(false);
    expect(isHeld(at('100'), kind, 'abc')).toBe(false);
    expect(isHeld(undefined, kind, '0')).toBe(false);
  });
});

describe('createPolicyVersions', () => {
  const model = { origin: object, key: `${kind}/tenants`, priority: 1 } as PolicyModel;
  const policy = (resourceVersion: string, more: Partial<VersionedPolicy> = {}): VersionedPolicy => ({
    ref: { uid: 'u' },
    resourceVersion,
    generation: 4,
    conditions: undefined,
    value: model,
    problems: [],
    ...more,
  });

  test('a write of the status is none of the policy; a change is, also of an annotation', () => {
    const versions = createPolicyVersions();
    expect(versions.see(policy('10'))).toBe(true);
    expect(versions.see(policy('11'))).toBe(false);
    expect(versions.since(policy('11'))).toBe('10');
    expect(versions.see(policy('12', { value: { ...model, audit: true } }))).toBe(true);
    expect(versions.since(policy('12'))).toBe('12');
  });

  test('who takes over believes what was said of this generation, and nothing older', () => {
    const condition = {
      type: 'InForce',
      status: 'True',
      reason: 'InForce',
      message: '',
      lastTransitionTime: '',
    } as const;
    const stands = createPolicyVersions();
    stands.see(policy('20', { conditions: [{ ...condition, observedGeneration: 4 }] }));
    expect(stands.since(policy('20'))).toBe('0');
    const old = createPolicyVersions();
    old.see(policy('20', { conditions: [{ ...condition, observedGeneration: 3 }] }));
    expect(old.since(policy('20'))).toBe('20');
  });

  test('a server that was restored from a backup counts from where it is', () => {
    const versions = createPolicyVersions();
    versions.see(policy('900'));
    versions.see(policy('50'));
    expect(versions.since(policy('50'))).toBe('50');
  });
});

test('what pods that are still to come would mend is told when it has lasted; everything else at once', () => {
  const patience = createPatience();
  const early = problem('SelectsNobody', 'spec.subject', 'there are no pods');
  const tie = problem('EqualPriority', 'spec.priority', 'another has it, too');
  expect(patience.lasting([early, tie], 1_000)).toEqual([tie]);
  expect(patience.lasting([early, tie], 30_000)).toEqual([tie]);
  expect(patience.lasting([early, tie], 31_000)).toEqual([early, tie]);
  expect(patience.lasting([tie], 32_000)).toEqual([tie]);
  expect(patience.lasting([early, tie], 33_000)).toEqual([tie]);
});
