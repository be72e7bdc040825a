/** NetworkPolicies: what each form of a field means, and that bad parts accept nothing and are told. */
import { describe, expect, test } from 'vitest';
import type { NetworkPolicySpec } from '#api/policies.ts';
import { formatPrefix } from '#net/prefix.ts';
import { inAudit } from './audit.ts';
import { readNamespace } from './namespace.ts';
import { readNetworkPolicy } from './networkpolicy.ts';
import type { PolicyModel, PolicyPeer } from './policy.ts';

const object = (spec: unknown, annotations = {}) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'np', namespace: 'shop', annotations },
  spec: spec as NetworkPolicySpec,
});
const read = (spec: unknown, annotations = {}) => {
  const { value, problems } = readNetworkPolicy(object(spec, annotations));
  return { value, problems: problems.map(({ field, code }) => [field, code]) };
};

/** The one rule of an ingress policy with these fields. */
const rule = (fields: object) => {
  const { value, problems } = read({ podSelector: {}, ingress: [fields] });
  return { rule: value?.ingress?.[0], problems };
};
const from = (...peers: unknown[]) => rule({ from: peers });
const ports = (...entries: unknown[]) => {
  const { rule: one, problems } = rule({ ports: entries });
  return { ports: one?.ports, problems };
};
const cidrs = (peers: readonly PolicyPeer[] = []) =>
  peers.map((peer) =>
    peer.kind === 'cidr' ? [formatPrefix(peer.prefix), ...peer.except.map(formatPrefix)] : peer,
  );

const isolated = (value: PolicyModel | undefined) => [
  value?.ingress !== undefined,
  value?.egress !== undefined,
];

describe('a NetworkPolicy', () => {
  test('is of its namespace and tier, and known by its name', () => {
    expect(read({ podSelector: { matchLabels: { app: 'web' } } })).toEqual({
      problems: [],
      value: {
        origin: { kind: 'NetworkPolicy', namespace: 'shop', name: 'np' },
        key: 'NetworkPolicy/shop/np',
        tier: 'network',
        priority: 0,
        audit: false,
        subject: { namespaces: 'shop', pods: { matchLabels: { app: 'web' } } },
        ingress: [],
      },
    });
  });

  test.each<[string, unknown]>([
    ['empty', { podSelector: {} }],
    ['absent', {}],
    ['null', { podSelector: null }],
  ])('takes every pod of its namespace when its selector is %s', (_, spec) => {
    expect(read(spec).value?.subject).toEqual({ namespaces: 'shop' });
  });

  test('without a namespace is of the one called default, and without a spec isolates all its pods', () => {
    const { value } = readNetworkPolicy({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'np' },
    });
    expect(value).toMatchObject({
      key: 'NetworkPolicy/default/np',
      subject: { namespaces: 'default' },
      ingress: [],
    });
    expect(value?.origin.namespace).toBe('default');
  });

  test.each<[string, object, boolean, boolean]>([
    ['nothing', {}, true, false],
    ['no types and no rules', { policyTypes: [], ingress: [], egress: [] }, true, false],
    ['a rule for egress', { egress: [{}] }, true, true],
    ['an empty list for egress', { egress: [] }, true, false],
    ['null for egress', { egress: null }, true, false],
    ['only Egress', { policyTypes: ['Egress'] }, false, true],
    ['both types', { policyTypes: ['Egress', 'Ingress'] }, true, true],
    ['Ingress, and rules for both', { policyTypes: ['Ingress'], egress: [{}] }, true, false],
  ])('that gives %s isolates: ingress, egress', (_, spec, ingress, egress) => {
    expect(isolated(read({ podSelector: {}, ...spec }).value)).toEqual([ingress, egress]);
  });

  test('says so where rules have no effect', () => {
    expect(read({ policyTypes: ['Egress'], ingress: [{}] }).problems).toEqual([
      ['spec.ingress', 'WithoutEffect'],
    ]);
    expect(read({ policyTypes: ['Ingress'], egress: [{}] }).problems).toEqual([
      ['spec.egress', 'WithoutEffect'],
    ]);
  });

  test('is not used when nobody knows which pods or directions it means', () => {
    expect(
      read({ podSelector: { matchExpressions: [{ key: 'a', operator: 'in', values: ['b'] }] } }),
    ).toEqual({
      value: undefined,
      problems: [['spec.podSelector.matchExpressions[0].operator', 'InvalidSelector']],
    });
    expect(read({ policyTypes: ['Sideways'] })).toEqual({
      value: undefined,
      problems: [['spec.policyTypes[0]', 'NotSupported']],
    });
  });
});

describe('peers', () => {
  test.each<[string, object]>([
    ['absent', {}],
    ['empty', { from: [], ports: [] }],
    ['null', { from: null, ports: null }],
  ])('and ports that are %s are all of them', (_, fields) => {
    expect(rule(fields)).toEqual({ rule: { field: 'spec.ingress[0]', action: 'accept' }, problems: [] });
  });

  test('pods of its own namespace, of others, of both selectors, all', () => {
    const blue = { matchLabels: { team: 'blue' } };
    const web = { matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] };
    const { rule: one, problems } = from(
      { podSelector: web },
      { namespaceSelector: blue },
      { namespaceSelector: blue, podSelector: web },
      { namespaceSelector: {} },
      { podSelector: {} },
    );
    expect(problems).toEqual([]);
    expect(one?.peers).toEqual([
      { kind: 'pods', select: { namespaces: 'shop', pods: web } },
      { kind: 'pods', select: { namespaces: blue } },
      { kind: 'pods', select: { namespaces: blue, pods: web } },
      { kind: 'pods', select: { namespaces: {} } },
      { kind: 'pods', select: { namespaces: 'shop' } },
    ]);
  });

  test.each<[string, readonly string[], readonly string[]]>([
    ['10.0.0.0/8', ['10.1.0.0/16'], ['10.0.0.0/8', '10.1.0.0/16']],
    ['10.1.2.3/8', ['10.9.9.9/16'], ['10.0.0.0/8', '10.9.0.0/16']],
    ['010.000.00.01/08', [], ['10.0.0.0/8']],
    ['0.0.0.0/0', ['255.255.255.255/32'], ['0.0.0.0/0', '255.255.255.255/32']],
    ['2001:DB8::1/32', ['2001:db8:0:0::/64'], ['2001:db8::/32', '2001:db8::/64']],
    ['::/0', [], ['::/0']],
    ['::ffff:10.1.2.3/104', ['10.1.0.0/16'], ['10.0.0.0/8', '10.1.0.0/16']],
  ])('ipBlock %s except %j', (cidr, except, expected) => {
    const { rule: one, problems } = from({ ipBlock: { cidr, except } });
    expect(problems).toEqual([]);
    expect(cidrs(one?.peers)).toEqual([expected]);
  });

  test.each<[string, unknown, string, string]>([
    ['empty', {}, '', 'Required'],
    ['an ipBlock beside a selector', { ipBlock: { cidr: '::/0' }, podSelector: {} }, '', 'NotSupported'],
    ['of a kind that is not known', { serviceSelector: {} }, '.serviceSelector', 'NotSupported'],
    [
      'with a bad selector',
      { podSelector: { matchLabels: ['a'] } },
      '.podSelector.matchLabels',
      'InvalidSelector',
    ],
    ['a block that is none', { ipBlock: { cidr: '10.0.0.0' } }, '.ipBlock.cidr', 'InvalidCIDR'],
    ['a block without cidr', { ipBlock: {} }, '.ipBlock.cidr', 'InvalidCIDR'],
    [
      'an exception that is none',
      { ipBlock: { cidr: '::/0', except: ['x'] } },
      '.ipBlock.except[0]',
      'InvalidCIDR',
    ],
    [
      'an exception that is all of the block',
      { ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } },
      '.ipBlock.except[0]',
      'ExceptionOutside',
    ],
    ['no object', 'everybody', '', 'Required'],
  ])('%s: left out, and nobody let in by it', (_, peer, field, code) => {
    expect(from(peer)).toEqual({
      rule: { field: 'spec.ingress[0]', action: 'accept', peers: [] },
      problems: [[`spec.ingress[0].from[0]${field}`, code]],
    });
    expect(from(peer, { podSelector: {} }).rule?.peers).toHaveLength(1);
  });

  test('an exception elsewhere takes nothing away', () => {
    const { rule: one, problems } = from({
      ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16', '::/64'] },
    });
    expect(cidrs(one?.peers)).toEqual([['10.0.0.0/8']]);
    expect(problems.map(([, code]) => code)).toEqual(['ExceptionOutside', 'ExceptionOutside']);
  });
});

describe('ports', () => {
  test.each<[object, object]>([
    [{}, { protocol: 'tcp', first: 0, last: 65_535 }],
    [{ protocol: 'SCTP' }, { protocol: 'sctp', first: 0, last: 65_535 }],
    [{ port: 80 }, { protocol: 'tcp', first: 80, last: 80 }],
    [
      { protocol: 'UDP', port: 53 },
      { protocol: 'udp', first: 53, last: 53 },
    ],
    [
      { port: 1, endPort: 65_535 },
      { protocol: 'tcp', first: 1, last: 65_535 },
    ],
    [
      { port: 7, endPort: 7 },
      { protocol: 'tcp', first: 7, last: 7 },
    ],
    [{ port: 'http' }, { name: 'http', protocol: 'tcp' }],
    [
      { protocol: 'UDP', port: 'serve-81' },
      { name: 'serve-81', protocol: 'udp' },
    ],
  ])('%j', (entry, expected) => {
    expect(ports(entry)).toEqual({ ports: [expected], problems: [] });
  });

  test.each<[object, string, string]>([
    [{ protocol: 'ICMP' }, '.protocol', 'InvalidProtocol'],
    [{ protocol: 'tcp' }, '.protocol', 'InvalidProtocol'],
    [{ port: 0 }, '.port', 'InvalidPort'],
    [{ port: 65_536 }, '.port', 'InvalidPort'],
    [{ port: '80' }, '.port', 'InvalidPort'],
    [{ port: 'a--b' }, '.port', 'InvalidPort'],
    [{ port: 'sixteen-letters-' }, '.port', 'InvalidPort'],
    [{ endPort: 90 }, '.endPort', 'InvalidPort'],
    [{ port: 80, endPort: 79 }, '.endPort', 'InvalidPort'],
    [{ port: 'http', endPort: 90 }, '.endPort', 'InvalidPort'],
    [{ port: 80, sourcePort: 1 }, '.sourcePort', 'NotSupported'],
  ])('%j is left out, and accepts nothing', (entry, field, code) => {
    expect(ports(entry)).toEqual({ ports: [], problems: [[`spec.ingress[0].ports[0]${field}`, code]] });
  });

  test('a rule with a field that is not known accepts nothing', () => {
    expect(rule({ from: [{ podSelector: {} }], hosts: ['a'] })).toEqual({
      rule: { field: 'spec.ingress[0]', action: 'accept', peers: [] },
      problems: [['spec.ingress[0].hosts', 'NotSupported']],
    });
  });
});

describe('audit mode', () => {
  const audit = 'netloom.dev/audit';
  const namespace = (annotations: Record<string, string>) =>
    readNamespace({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', annotations } });

  test('by the policy, or by its namespace', () => {
    const own = read({}, { [audit]: 'true' }).value as PolicyModel;
    const plain = read({}, { [audit]: 'false' }).value as PolicyModel;
    expect([own.audit, plain.audit]).toEqual([true, false]);
    expect(inAudit(own, undefined)).toBe(true);
    expect(inAudit(plain, namespace({}))).toBe(false);
    expect(inAudit(plain, namespace({ [audit]: 'true' }))).toBe(true);
    expect(inAudit({ ...plain, tier: 'admin' }, namespace({ [audit]: 'true' }))).toBe(false);
  });

  test('anything but true and false is a problem, and the policy is enforced', () => {
    const { value, problems } = read({}, { [audit]: 'yes' });
    expect(value?.audit).toBe(false);
    expect(problems).toEqual([[`metadata.annotations[${audit}]`, 'InvalidAnnotation']]);
  });
});
