/** Readers of policy over any JSON: they never throw, and what they return can be relied on. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LabelSelector } from '#api/object.ts';
import { addressBits } from '#net/addr.ts';
import { type Prefix, prefixContains, prefixOf } from '#net/prefix.ts';
import { readAdminNetworkPolicy, readBaselineAdminNetworkPolicy } from './adminnetworkpolicy.ts';
import { readClusterNetworkPolicy } from './clusternetworkpolicy.ts';
import { readNetworkPolicy } from './networkpolicy.ts';
import type { PodsSelector, PolicyModel, PolicyPeer, PolicyPort, PolicyRule } from './policy.ts';
import { problemCodes, type Read } from './problem.ts';

const selector = {
  matchLabels: { app: 'web' },
  matchExpressions: [{ key: 'tier', operator: 'In', values: ['a'] }],
};
const both = { namespaceSelector: {}, podSelector: selector };
const to = [
  { namespaces: selector },
  { pods: both },
  { networks: ['10.0.0.0/8', 'fd00::/8'] },
  { nodes: {} },
];
const from = [{ namespaces: {} }, { pods: both }];
const ports = [
  { portNumber: { protocol: 'TCP', port: 80 } },
  { portRange: { start: 1, end: 9 } },
  { namedPort: 'a' },
];
const protocols = [
  { tcp: { destinationPort: { number: 80 } } },
  { udp: { destinationPort: { range: { start: 1, end: 9 } } } },
  { destinationNamedPort: 'a' },
];
const network = {
  podSelector: selector,
  policyTypes: ['Ingress', 'Egress'],
  ingress: [
    { from: [both, { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 80 }] },
  ],
  egress: [
    { to: [{ podSelector: {} }], ports: [{ protocol: 'UDP', port: 1, endPort: 9 }, { port: 'a' }] },
    {},
  ],
};
const admin = {
  priority: 5,
  subject: { pods: both },
  ingress: [{ name: 'a', action: 'Allow', from, ports }],
  egress: [
    { action: 'Deny', to, ports: ports.slice(0, 2) },
    { action: 'Pass', to: from },
  ],
};
const cluster = {
  tier: 'Admin',
  priority: 5,
  subject: { namespaces: {} },
  ingress: [{ name: 'a', action: 'Accept', from, protocols }],
  egress: [
    { action: 'Deny', to, protocols: protocols.slice(0, 2) },
    { action: 'Pass', to: from },
  ],
};

const readers: readonly [string, object, (object: never) => Read<PolicyModel>][] = [
  ['NetworkPolicy', network, readNetworkPolicy],
  ['AdminNetworkPolicy', admin, readAdminNetworkPolicy],
  ['BaselineAdminNetworkPolicy', admin, readBaselineAdminNetworkPolicy],
  ['ClusterNetworkPolicy', cluster, readClusterNetworkPolicy],
];

/** Words of these APIs at the wrong place, numbers out of bounds, and things that are nothing. */
const junk = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    '',
    {},
    [],
    [{}],
    [null],
    0,
    -1,
    1.5,
    65_536,
    true,
    'TCP',
    'ICMP',
    '10.0.0.1/8',
  ),
  fc.constantFrom<unknown>('::/0', '0.0.0.0/0', { cidr: '::/0' }, { matchLabels: {} }, { toString: 1 }, [
    'Ingress',
  ]),
  fc.jsonValue({ maxDepth: 2 }),
);

/** The object with one place in it replaced, taken out or added to. */
function mutated(value: unknown, path: readonly number[], replacement: unknown, how: number): unknown {
  const [step, ...rest] = path;
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (step === undefined || keys.length === 0) return replacement;
  const key = keys[step % keys.length] as string;
  const children = value as Record<string, unknown>;
  if (Array.isArray(value)) {
    const inner = mutated(children[key], rest, replacement, how);
    return value.map((item, index) => (String(index) === key ? inner : item));
  }
  if (rest.length === 0 && how === 1)
    return Object.fromEntries(keys.filter((k) => k !== key).map((k) => [k, children[k]]));
  if (rest.length === 0 && how === 2) return { ...children, surprise: replacement };
  return { ...children, [key]: mutated(children[key], rest, replacement, how) };
}

const mutation = fc.tuple(fc.array(fc.nat(6), { minLength: 1, maxLength: 9 }), junk, fc.nat(2));

test.each(readers)(
  '%s: any JSON is read without a throw, into what the type promises',
  (kind, spec, read) => {
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 4 }), (mutations) => {
        const changed = mutations.reduce<unknown>(
          (now, [path, value, how]) => mutated(now, path, value, how),
          spec,
        );
        const object = { apiVersion: 'x/v1', kind, metadata: { name: 'default' }, spec: changed };
        const { value, problems } = read(object as never);
        for (const { code, message } of problems) {
          expect(problemCodes).toContain(code);
          expect(message.length).toBeGreaterThan(8);
          expect(message).not.toMatch(/\n/);
        }
        if (value === undefined) expect(problems).not.toEqual([]);
        else checkPolicy(value);
      }),
      { numRuns: 3000 },
    );
  },
);

function checkPolicy(policy: PolicyModel): void {
  expect(policy.key).toMatch(/^\w+(\/default){1,2}$/);
  expect(Number.isInteger(policy.priority) && policy.priority >= 0).toBe(true);
  checkPods(policy.subject);
  if (policy.tier === 'network')
    for (const { action } of [...(policy.ingress ?? []), ...(policy.egress ?? [])])
      expect(action).toBe('accept');
  for (const rule of policy.ingress ?? []) {
    checkRule(rule);
    expect((rule.peers ?? []).every(({ kind }) => kind !== 'nodes' && kind !== 'name')).toBe(true);
  }
  for (const rule of policy.egress ?? []) checkRule(rule);
}

function checkRule(rule: PolicyRule): void {
  expect(rule.field).toMatch(/^spec\.(ingress|egress)\[\d+\]/);
  for (const peer of rule.peers ?? []) checkPeer(peer, rule);
  for (const port of rule.ports ?? []) checkPort(port);
  // A rule that denies always denies something.
  if (rule.action === 'deny') expect([rule.peers?.length, rule.ports?.length]).not.toContain(0);
}

function checkPeer(peer: PolicyPeer, { action }: PolicyRule): void {
  if (peer.kind === 'everybody') expect(action).toBe('deny');
  if (peer.kind === 'pods') checkPods(peer.select);
  if (peer.kind === 'nodes') checkSelector(peer.select);
  if (peer.kind !== 'cidr') return;
  for (const prefix of [peer.prefix, ...peer.except]) checkPrefix(prefix);
  for (const hole of peer.except)
    expect(prefixContains(peer.prefix, hole) && hole.length > peer.prefix.length).toBe(true);
}

function checkPrefix(prefix: Prefix): void {
  expect(prefix.length >= 0 && prefix.length <= addressBits(prefix.family)).toBe(true);
  expect(prefixOf(prefix, prefix.length)).toEqual(prefix);
}

function checkPods({ namespaces, pods }: PodsSelector): void {
  if (typeof namespaces !== 'string') checkSelector(namespaces);
  if (pods !== undefined) checkSelector(pods);
}

function checkSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): void {
  expect(Object.values(matchLabels).every((value) => typeof value === 'string')).toBe(true);
  for (const { operator, values = [] } of matchExpressions)
    expect(values.length > 0).toBe(operator === 'In' || operator === 'NotIn');
}

function checkPort(port: PolicyPort): void {
  if ('name' in port) expect(port.name).not.toBe('');
  else {
    expect(port.first <= port.last && port.last <= 65_535).toBe(true);
    expect(port.first > 0 || port.last === 65_535).toBe(true);
  }
}
