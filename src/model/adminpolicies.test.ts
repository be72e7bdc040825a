/** The three kinds for admins: what each field means, and that what isn't known or can't be used fails closed. */
import { describe, expect, test } from 'vitest';
import type { AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy } from '#api/policies.ts';
import { formatPrefix } from '#net/prefix.ts';
import { readAdminNetworkPolicy, readBaselineAdminNetworkPolicy } from './adminnetworkpolicy.ts';
import { readClusterNetworkPolicy } from './clusternetworkpolicy.ts';
import type { PolicyModel, PolicyRule } from './policy.ts';
import type { Problem, Read } from './problem.ts';

const all = { namespaces: {} };
const blue = { matchLabels: { team: 'blue' } };

const object = (kind: string, name: string, spec: object) => ({
  apiVersion: 'policy.networking.k8s.io/v1alpha2',
  kind,
  metadata: { name },
  spec,
});
const cnp = (spec: object) =>
  readClusterNetworkPolicy(
    object('ClusterNetworkPolicy', 'p', {
      tier: 'Admin',
      priority: 10,
      subject: all,
      ...spec,
    }) as unknown as ClusterNetworkPolicy,
  );
const anp = (spec: object) =>
  readAdminNetworkPolicy(
    object('AdminNetworkPolicy', 'p', {
      priority: 10,
      subject: all,
      ...spec,
    }) as unknown as AdminNetworkPolicy,
  );
const banp = (spec: object, name = 'default') =>
  readBaselineAdminNetworkPolicy(
    object('BaselineAdminNetworkPolicy', name, {
      subject: all,
      ...spec,
    }) as unknown as BaselineAdminNetworkPolicy,
  );

const told = (problems: readonly Problem[]) => problems.map(({ field, code }) => [field, code]);
const egress = (read: Read<PolicyModel>): { rule: PolicyRule | undefined; problems: string[][] } => ({
  rule: read.value?.egress?.[0],
  problems: told(read.problems),
});

/** What an egress rule of a ClusterNetworkPolicy comes to, by its action. */
const out = (action: string, fields: object) => egress(cnp({ egress: [{ action, to: [all], ...fields }] }));

describe('where a policy stands', () => {
  test('ClusterNetworkPolicy: its tier and priority', () => {
    expect(cnp({}).value).toEqual({
      origin: { kind: 'ClusterNetworkPolicy', name: 'p' },
      key: 'ClusterNetworkPolicy/p',
      tier: 'admin',
      priority: 10,
      audit: false,
      subject: { namespaces: {} },
    });
    expect(cnp({ tier: 'Baseline', priority: 0 }).value).toMatchObject({ tier: 'baseline', priority: 0 });
  });

  test('AdminNetworkPolicy: admin; BaselineAdminNetworkPolicy: after any priority', () => {
    expect(anp({ priority: 1000 }).value).toMatchObject({ tier: 'admin', priority: 1000 });
    expect(banp({}).value).toMatchObject({ key: 'BaselineAdminNetworkPolicy/default', tier: 'baseline' });
    expect(banp({}).value?.priority).toBeGreaterThan(1000);
  });

  test.each<[string, Read<PolicyModel>, string, string]>([
    ['priority 1001', cnp({ priority: 1001 }), 'spec.priority', 'InvalidPriority'],
    ['priority 1.5', anp({ priority: 1.5 }), 'spec.priority', 'InvalidPriority'],
    ['no priority', anp({ priority: undefined }), 'spec.priority', 'InvalidPriority'],
    ['another tier', cnp({ tier: 'Developer' }), 'spec.tier', 'NotSupported'],
    ['another name', banp({}, 'second'), 'metadata.name', 'NotSupported'],
    ['no subject', cnp({ subject: {} }), 'spec.subject', 'Required'],
    [
      'two subjects',
      cnp({ subject: { namespaces: {}, pods: { podSelector: {} } } }),
      'spec.subject',
      'Required',
    ],
    [
      'a subject with a bad selector',
      cnp({ subject: { namespaces: { matchExpressions: [{ key: 'a', operator: 'In', values: [] }] } } }),
      'spec.subject.namespaces.matchExpressions[0].values',
      'InvalidSelector',
    ],
  ])('%s: not in force', (_, { value, problems }, field, code) => {
    expect(value).toBeUndefined();
    expect(told(problems)).toEqual([[field, code]]);
  });

  test('without rules for a direction, or an empty list, it says nothing of it', () => {
    const { value } = anp({ ingress: [], egress: [{ action: 'Deny', to: [all] }] });
    expect(value).not.toHaveProperty('ingress');
    expect(value?.egress).toHaveLength(1);
  });

  test('a subject of pods: v1alpha1 wants both selectors, v1alpha2 takes every namespace without one', () => {
    const subject = { pods: { podSelector: blue } };
    expect(cnp({ subject }).value?.subject).toEqual({ namespaces: {}, pods: blue });
    expect(told(anp({ subject }).problems)).toEqual([
      ['spec.subject.pods.namespaceSelector', 'InvalidSelector'],
    ]);
    const both = { pods: { namespaceSelector: blue, podSelector: {} } };
    expect(anp({ subject: both }).value?.subject).toEqual({ namespaces: blue });
  });

  test('audit by annotation', () => {
    const annotated = object('AdminNetworkPolicy', 'p', { priority: 1, subject: all });
    const metadata = { name: 'p', annotations: { 'netloom.dev/audit': 'true' } };
    expect(
      readAdminNetworkPolicy({ ...annotated, metadata } as unknown as AdminNetworkPolicy).value?.audit,
    ).toBe(true);
  });
});

describe('rules', () => {
  test('actions in each kind’s words, fields with the rule’s name', () => {
    const { value, problems } = anp({
      ingress: [
        { name: 'one', action: 'Allow', from: [all] },
        { action: 'Deny', from: [all] },
        {
          name: 'two\nlines',
          action: 'Pass',
          from: [{ pods: { namespaceSelector: {}, podSelector: blue } }],
        },
      ],
    });
    expect(problems).toEqual([]);
    expect(value?.ingress).toEqual([
      {
        field: 'spec.ingress[0] (one)',
        action: 'accept',
        peers: [{ kind: 'pods', select: { namespaces: {} } }],
      },
      { field: 'spec.ingress[1]', action: 'deny', peers: [{ kind: 'pods', select: { namespaces: {} } }] },
      {
        field: 'spec.ingress[2] (two lines)',
        action: 'pass',
        peers: [{ kind: 'pods', select: { namespaces: {}, pods: blue } }],
      },
    ]);
    expect(out('Accept', {}).rule?.action).toBe('accept');
  });

  test('egress peers: networks with host bits masked, nodes', () => {
    const { rule, problems } = out('Pass', {
      to: [{ networks: ['10.1.2.3/8', 'fd00::/8'] }, { nodes: blue }],
    });
    expect(problems).toEqual([]);
    expect(rule?.peers?.map((peer) => (peer.kind === 'cidr' ? formatPrefix(peer.prefix) : peer))).toEqual([
      '10.0.0.0/8',
      'fd00::/8',
      { kind: 'nodes', select: blue },
    ]);
  });

  test.each<[object, object]>([
    [{ tcp: {} }, { protocol: 'tcp', first: 0, last: 65_535 }],
    [{ udp: { destinationPort: { number: 53 } } }, { protocol: 'udp', first: 53, last: 53 }],
    [{ sctp: { destinationPort: { range: { start: 5, end: 9 } } } }, { protocol: 'sctp', first: 5, last: 9 }],
    [{ destinationNamedPort: 'web' }, { name: 'web' }],
  ])('protocols %j', (entry, expected) => {
    expect(out('Accept', { protocols: [entry] })).toMatchObject({
      rule: { ports: [expected] },
      problems: [],
    });
  });

  test.each<[object, object]>([
    [{ portNumber: { port: 80 } }, { protocol: 'tcp', first: 80, last: 80 }],
    [{ portNumber: { protocol: 'UDP', port: 53 } }, { protocol: 'udp', first: 53, last: 53 }],
    [{ portRange: { protocol: 'SCTP', start: 5, end: 9 } }, { protocol: 'sctp', first: 5, last: 9 }],
    [{ namedPort: 'web' }, { name: 'web' }],
  ])('ports %j', (entry, expected) => {
    const { rule, problems } = egress(anp({ egress: [{ action: 'Allow', to: [all], ports: [entry] }] }));
    expect(problems).toEqual([]);
    expect(rule?.ports).toEqual([expected]);
  });

  test('absent and empty ports are every protocol', () => {
    expect(out('Accept', {}).rule).not.toHaveProperty('ports');
    expect(out('Deny', { protocols: [] })).toMatchObject({ problems: [] });
    expect(out('Deny', { protocols: [] }).rule).not.toHaveProperty('ports');
  });
});

const everybody = [{ kind: 'everybody' }];
const tcp80 = { tcp: { destinationPort: { number: 80 } } };

describe('what this release does not know', () => {
  test.each<[string, object]>([
    ['no field', {}],
    ['another field', { services: {} }],
    ['another field beside one that is known', { namespaces: {}, services: {} }],
    ['pods with another field', { pods: { podSelector: {}, serviceAccounts: {} } }],
  ])('a peer with %s: accepts nothing; denies everybody, also instead of passing', (_, peer) => {
    const to = [{ networks: ['10.0.0.0/8'] }, peer];
    const problems = [['spec.egress[0].to[1]', 'NotSupported']];
    const protocols = [tcp80];
    const ports = [{ protocol: 'tcp', first: 80, last: 80 }];
    expect(out('Accept', { to, protocols })).toMatchObject({
      rule: { action: 'accept', peers: [] },
      problems,
    });
    for (const action of ['Deny', 'Pass'])
      expect(out(action, { to, protocols })).toMatchObject({
        rule: { action: 'deny', peers: everybody, ports },
        problems,
      });
  });

  test.each<[string, object]>([
    ['no field', {}],
    ['another protocol', { icmp: { type: 8 } }],
    ['two protocols', { tcp: {}, udp: {} }],
    ['another match of a protocol', { tcp: { sourcePort: { number: 1 } } }],
    ['another form of port', { tcp: { destinationPort: { list: [1] } } }],
  ])('protocols with %s: accepts nothing; denies every protocol', (_, entry) => {
    const problems = [['spec.egress[0].protocols[1]', 'NotSupported']];
    const protocols = [tcp80, entry];
    expect(out('Accept', { protocols })).toMatchObject({ rule: { action: 'accept', peers: [] }, problems });
    for (const action of ['Deny', 'Pass']) {
      const { rule, problems: same } = out(action, { protocols });
      expect(rule).toEqual({
        field: 'spec.egress[0]',
        action: 'deny',
        peers: [{ kind: 'pods', select: { namespaces: {} } }],
      });
      expect(same).toEqual(problems);
    }
  });

  test('a protocol name of v1alpha1', () => {
    const ports = [{ portNumber: { protocol: 'ICMP', port: 8 } }];
    const by = (action: string) => egress(anp({ egress: [{ action, to: [all], ports }] })).rule;
    expect(by('Allow')?.peers).toEqual([]);
    expect(by('Deny')).not.toHaveProperty('ports');
  });

  test('another field of a rule, another action', () => {
    const problems = [['spec.egress[0].hours', 'NotSupported']];
    expect(out('Accept', { hours: '9-17' })).toMatchObject({ rule: { peers: [] }, problems });
    expect(out('Pass', { hours: '9-17' })).toMatchObject({ rule: { action: 'deny' }, problems });
    expect(out('Log', {})).toMatchObject({
      rule: { action: 'deny' },
      problems: [['spec.egress[0].action', 'NotSupported']],
    });
    expect(told(banp({ egress: [{ action: 'Pass', to: [all] }] }).problems)).toEqual([
      ['spec.egress[0].action', 'NotSupported'],
    ]);
  });

  test('peers that stand in ingress or another kind are not known there', () => {
    const { value, problems } = cnp({ ingress: [{ action: 'Deny', from: [{ networks: ['10.0.0.0/8'] }] }] });
    expect(value?.ingress?.[0]?.peers).toEqual(everybody);
    expect(told(problems)).toEqual([['spec.ingress[0].from[0]', 'NotSupported']]);
    const names = banp({ egress: [{ action: 'Allow', to: [{ domainNames: ['a.example'] }] }] });
    expect(egress(names)).toMatchObject({
      rule: { peers: [] },
      problems: [['spec.egress[0].to[0]', 'NotSupported']],
    });
  });

  test('no peers at all', () => {
    expect(out('Accept', { to: [] })).toMatchObject({ rule: { peers: [] } });
    expect(out('Deny', { to: undefined })).toMatchObject({
      rule: { peers: everybody },
      problems: [['spec.egress[0].to', 'Required']],
    });
  });
});

describe('what is known and can not be used', () => {
  const other = { networks: ['10.0.0.0/8'] };

  test.each<[string, object, string, string]>([
    ['a bad prefix', { networks: ['10.0.0.0'] }, '.networks[0]', 'InvalidCIDR'],
    ['a bad selector', { nodes: { matchLabels: 1 } }, '.nodes.matchLabels', 'InvalidSelector'],
    [
      'a value that no label has',
      { namespaces: { matchLabels: { a: 'b c' } } },
      '.namespaces.matchLabels',
      'InvalidSelector',
    ],
    [
      'a key that no label has',
      { namespaces: { matchExpressions: [{ key: 'a/b/c', operator: 'Exists' }] } },
      '.namespaces.matchExpressions[0].key',
      'InvalidSelector',
    ],
  ])('%s: accepts nothing by it; denies everybody', (_, peer, field, code) => {
    const problems = [[`spec.egress[0].to[0]${field}`, code]];
    const accepting = out('Accept', { to: [peer, other] });
    expect(accepting.problems).toEqual(problems);
    expect(accepting.rule?.peers).toHaveLength(1);
    for (const action of ['Deny', 'Pass'])
      expect(out(action, { to: [peer, other] })).toMatchObject({
        rule: { action: 'deny', peers: everybody },
        problems,
      });
  });

  test('of a peer’s prefixes the good ones are accepted', () => {
    expect(out('Accept', { to: [{ networks: ['x', 'fd00::/8'] }] }).rule?.peers).toHaveLength(1);
  });

  test('names are accepted, the good ones of a peer, and nothing else is done with them', () => {
    const to = [{ domainNames: ['A.Example.org.', '*.example.org', 'org', 7] }, other];
    expect(out('Accept', { to })).toMatchObject({
      rule: {
        peers: [
          { kind: 'name', pattern: 'a.example.org' },
          { kind: 'name', pattern: '*.example.org' },
          { kind: 'cidr' },
        ],
      },
      problems: [2, 3].map((index) => [`spec.egress[0].to[0].domainNames[${index}]`, 'NotSupported']),
    });
    for (const action of ['Deny', 'Pass'])
      expect(out(action, { to })).toMatchObject({
        rule: { action: 'deny', peers: everybody },
        problems: [['spec.egress[0].to[0].domainNames', 'NotSupported']],
      });
  });

  test('ports out of order or bounds, and named ports of networks', () => {
    const range = { tcp: { destinationPort: { range: { start: 9, end: 5 } } } };
    expect(out('Accept', { protocols: [range, tcp80] })).toMatchObject({
      rule: { ports: [{ protocol: 'tcp', first: 80, last: 80 }] },
      problems: [['spec.egress[0].protocols[0].tcp.destinationPort.range', 'InvalidPort']],
    });
    expect(out('Deny', { protocols: [range] }).rule).not.toHaveProperty('ports');
    const named = { to: [other], protocols: [{ destinationNamedPort: 'web' }] };
    expect(out('Accept', named)).toMatchObject({
      rule: { ports: [] },
      problems: [['spec.egress[0].protocols[0]', 'NotSupported']],
    });
  });
});
