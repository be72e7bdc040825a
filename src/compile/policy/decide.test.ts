/** The corner cases of what the APIs say, one flow each. */
import { describe, expect, test } from 'vitest';
import type { SelfIntent, SubnetIntent } from '#intent/node.ts';
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel, PolicyPeer, PolicyPort, PolicyRule } from '#model/policy.ts';
import { parsePrefix } from '#net/prefix.ts';
import { compilePolicy } from './compile.ts';
import { judge } from './decide.ts';
import { verdictOf } from './lookup.ts';
import type { PolicyEnd, PolicyFlow, PolicySnapshot } from './snapshot.ts';

const pod = (
  key: string,
  addresses: readonly string[],
  extra: Partial<PodModel> = {},
): [string, PodModel] => {
  const [namespace = '', name = ''] = key.split('/');
  const value: PodModel = {
    origin: { kind: 'Pod', namespace, name },
    namespace,
    name,
    uid: `uid-${name}`,
    labels: { app: name },
    annotations: {},
    hostNetwork: false,
    ended: false,
    node: 'n1',
    addresses,
    namedPorts: [],
    ...extra,
  };
  return [key, value];
};

const cidr = (text: string, ...except: string[]): PolicyPeer => ({
  kind: 'cidr',
  prefix: parsePrefix(text)!,
  except: except.map((each) => parsePrefix(each)!),
});
const podsOf = (namespaces: string | object, app?: string): PolicyPeer => ({
  kind: 'pods',
  select: { namespaces, ...(app === undefined ? {} : { pods: { matchLabels: { app } } }) },
});
const tcp = (first: number, last = first): PolicyPort => ({ protocol: 'tcp', first, last });
const rule = (action: PolicyRule['action'], peers?: PolicyPeer[], ports?: PolicyPort[]): PolicyRule => ({
  field: 'spec.ingress[0]',
  action,
  ...(peers === undefined ? {} : { peers }),
  ...(ports === undefined ? {} : { ports }),
});

const everyPod = { namespaces: {} };
const named = (
  kind: string,
  name: string,
  tier: PolicyModel['tier'],
  more: Partial<PolicyModel>,
): PolicyModel => ({
  origin: { kind, name },
  key: `${kind}/${name}`,
  tier,
  priority: 0,
  audit: false,
  subject: everyPod,
  ...more,
});
const np = (name: string, more: Partial<PolicyModel>) =>
  named('NetworkPolicy', `shop/${name}`, 'network', { subject: { namespaces: 'shop' }, ...more });
const anp = (name: string, more: Partial<PolicyModel>) => named('AdminNetworkPolicy', name, 'admin', more);
const cnp = (name: string, more: Partial<PolicyModel>) => named('ClusterNetworkPolicy', name, 'admin', more);
const banp = (more: Partial<PolicyModel>) =>
  named('BaselineAdminNetworkPolicy', 'default', 'baseline', { priority: 2000, ...more });

const node = (name: string, ...addresses: string[]) =>
  [name, { origin: { kind: 'Node', name }, name, uid: name, addresses, labels: { rack: name } }] as const;

const manyNode: readonly [string, NodeModel] = [
  'n3',
  { ...node('n3', '192.168.0.3')[1], moreInternal: ['192.168.1.3'], external: ['203.0.113.3'] },
];

const cluster = (policies: readonly PolicyModel[], more: Partial<PolicySnapshot> = {}): PolicySnapshot => ({
  policies: new Map(policies.map((each) => [each.key, each])),
  pods: new Map([
    pod('shop/web', ['10.1.0.1', 'fd00::1'], { namedPorts: [{ name: 'http', protocol: 'tcp', port: 8080 }] }),
    pod('shop/db', ['10.1.1.2', 'fd00:1::2'], { node: 'n2' }),
    pod('bank/api', ['10.1.1.3'], { node: 'n2', namedPorts: [{ name: 'http', protocol: 'udp', port: 53 }] }),
    pod('bank/host', ['192.168.0.2'], { node: 'n2', hostNetwork: true }),
    pod('bank/done', ['10.1.1.9'], { node: 'n2', ended: true }),
  ]),
  namespaces: new Map(['shop', 'bank'].map((name) => [name, { name, labels: { team: name } }] as const)),
  nodes: new Map<string, NodeModel>([
    node('n1', '192.168.0.1', 'fd01::1'),
    node('n2', '192.168.0.2'),
    manyNode,
  ]),
  tunnelAddresses: new Map([
    ['n1', ['10.1.0.0']],
    ['n2', ['10.1.1.0', 'fd00:1::']],
    ['n3', ['10.1.2.0']],
  ]),
  localAddresses: new Map([['n1', ['169.254.20.10']]]),
  podPrefixes: new Map([['default', ['10.1.0.0/16', 'fd00::/32']]]),
  ...more,
});

const end = (text: string): PolicyEnd =>
  text.includes('/') ? { kind: 'pod', key: text } : { kind: 'address', address: text };
const flow = (from: string, to: string, more: Partial<PolicyFlow> = {}): PolicyFlow => ({
  from: end(from),
  to: end(to),
  protocol: 'tcp',
  port: 80,
  family: from.includes(':') || to.includes(':') ? 6 : 4,
  ...more,
});

type Row = readonly [string, readonly PolicyModel[], PolicyFlow, string];
const icmp = { protocol: 'other', port: 0 } as const;
const hairpin = { hairpin: true } as const;

const ingress: readonly Row[] = [
  ['nothing selects it', [], flow('bank/api', 'shop/web'), 'allow'],
  ['another direction isolates', [np('a', { egress: [] })], flow('bank/api', 'shop/web'), 'allow'],
  ['isolated', [np('a', { ingress: [] })], flow('bank/api', 'shop/web'), 'deny'],
  [
    'isolated in both families',
    [np('a', { ingress: [rule('accept', [cidr('0.0.0.0/0')])] })],
    flow('fd00:1::2', 'shop/web'),
    'deny',
  ],
  ['other namespace is not selected', [np('a', { ingress: [] })], flow('shop/web', 'bank/api'), 'allow'],
  [
    'an empty rule takes all',
    [np('a', { ingress: [rule('accept')] })],
    flow('8.8.8.8', 'shop/web', icmp),
    'allow',
  ],
  [
    'rules with ports take no ICMP',
    [np('a', { ingress: [rule('accept', undefined, [tcp(0, 65535)])] })],
    flow('shop/db', 'shop/web', icmp),
    'deny',
  ],
  [
    'another protocol',
    [np('a', { ingress: [rule('accept', undefined, [tcp(80)])] })],
    flow('shop/db', 'shop/web', { protocol: 'sctp' }),
    'deny',
  ],
  [
    'end of a range',
    [np('a', { ingress: [rule('accept', undefined, [tcp(70, 80)])] })],
    flow('shop/db', 'shop/web'),
    'allow',
  ],
  [
    'past a range',
    [np('a', { ingress: [rule('accept', undefined, [tcp(70, 79)])] })],
    flow('shop/db', 'shop/web'),
    'deny',
  ],
  [
    'the pod’s own named port',
    [np('a', { ingress: [rule('accept', undefined, [{ name: 'http' }])] })],
    flow('shop/db', 'shop/web', { port: 8080 }),
    'allow',
  ],
  [
    'named port of another protocol',
    [np('a', { ingress: [rule('accept', undefined, [{ name: 'http', protocol: 'udp' }])] })],
    flow('shop/db', 'shop/web', { port: 8080 }),
    'deny',
  ],
  [
    'policies add up',
    [np('a', { ingress: [] }), np('b', { ingress: [rule('accept', [podsOf('bank')])] })],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'peers by labels of both',
    [np('a', { ingress: [rule('accept', [podsOf({ matchLabels: { team: 'bank' } }, 'api')])] })],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'name of a namespace as label',
    [
      np('a', {
        ingress: [rule('accept', [podsOf({ matchLabels: { 'kubernetes.io/metadata.name': 'bank' } })])],
      }),
    ],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'NotIn takes what lacks the key',
    [
      np('a', {
        ingress: [
          rule('accept', [podsOf({ matchExpressions: [{ key: 'none', operator: 'NotIn', values: ['x'] }] })]),
        ],
      }),
    ],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'an ipBlock takes pods',
    [np('a', { ingress: [rule('accept', [cidr('10.1.1.0/24')])] })],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'an exception',
    [np('a', { ingress: [rule('accept', [cidr('10.0.0.0/8', '10.1.1.0/24')])] })],
    flow('bank/api', 'shop/web'),
    'deny',
  ],
  [
    'an exception holds for its own block only',
    [np('a', { ingress: [rule('accept', [cidr('10.0.0.0/8', '10.1.1.0/24'), cidr('10.1.1.3/32')])] })],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'a hostNetwork pod is no pod',
    [np('a', { ingress: [rule('accept', [podsOf('bank')])] })],
    flow('bank/host', 'shop/web'),
    'deny',
  ],
  [
    'a hostNetwork pod is its node’s address',
    [np('a', { ingress: [rule('accept', [cidr('192.168.0.2/32')])] })],
    flow('bank/host', 'shop/web'),
    'allow',
  ],
  [
    'a tunnel address stands for its node',
    [np('a', { ingress: [rule('accept', [cidr('192.168.0.2/32')])] })],
    flow('10.1.1.0', 'shop/web'),
    'allow',
  ],
  [
    'an exception keeps a node out that comes through the tunnel',
    [np('a', { ingress: [rule('accept', [cidr('0.0.0.0/0', '192.168.0.0/24')])] })],
    flow('10.1.1.0', 'shop/web'),
    'deny',
  ],
  [
    'and its other ways in don’t let it in',
    [np('a', { ingress: [rule('accept', [cidr('0.0.0.0/0', '192.168.0.0/24')])] })],
    flow('192.168.0.2', 'shop/web'),
    'deny',
  ],
  [
    'a block of pods has no node, though its tunnel address lies there',
    [np('a', { ingress: [rule('accept', [cidr('10.1.0.0/16')])] })],
    flow('10.1.1.0', 'shop/web'),
    'deny',
  ],
  [
    'everybody’s block has a node without an address of the family',
    [np('a', { ingress: [rule('accept', [cidr('::/0')])] })],
    flow('fd00:1::', 'shop/web'),
    'allow',
  ],
  [
    'and no other has it',
    [np('a', { ingress: [rule('accept', [cidr('fd00::/32')])] })],
    flow('fd00:1::', 'shop/web'),
    'deny',
  ],
  [
    'one of a node’s InternalIPs is not enough through the tunnel',
    [np('a', { ingress: [rule('accept', [cidr('192.168.0.0/24')])] })],
    flow('10.1.2.0', 'shop/web'),
    'deny',
  ],
  [
    'all of them are, whatever its ExternalIP',
    [np('a', { ingress: [rule('accept', [cidr('192.168.0.0/23')])] })],
    flow('10.1.2.0', 'shop/web'),
    'allow',
  ],
  [
    'an ExternalIP can be excepted',
    [np('a', { ingress: [rule('accept', [cidr('0.0.0.0/0', '203.0.113.3/32')])] })],
    flow('10.1.2.0', 'shop/web'),
    'deny',
  ],
  [
    'its own node is never judged',
    [anp('a', { ingress: [rule('deny')] })],
    flow('192.168.0.1', 'shop/web'),
    'allow',
  ],
  [
    'its own node by tunnel address',
    [anp('a', { ingress: [rule('deny')] })],
    flow('10.1.0.0', 'shop/web'),
    'allow',
  ],
  ['another node is', [anp('a', { ingress: [rule('deny')] })], flow('192.168.0.2', 'shop/web'), 'deny'],
  [
    'a pod that ended is no peer',
    [np('a', { ingress: [rule('accept', [podsOf({})])] })],
    flow('bank/done', 'shop/web'),
    'deny',
  ],
  [
    'a pod that ended is no subject',
    [anp('a', { ingress: [rule('deny')] })],
    flow('shop/web', 'bank/done'),
    'allow',
  ],
  [
    'admin rules without match isolate nobody',
    [anp('a', { ingress: [rule('deny', [podsOf('shop')])] })],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'admin accept beats isolation',
    [anp('a', { ingress: [rule('accept')] }), np('b', { ingress: [] })],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'pass leaves it to NetworkPolicies',
    [
      anp('a', { ingress: [rule('pass')] }),
      anp('b', { priority: 1, ingress: [rule('deny')] }),
      np('c', { ingress: [rule('accept')] }),
    ],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'and to the baseline',
    [anp('a', { ingress: [rule('pass')] }), banp({ ingress: [rule('deny')] })],
    flow('bank/api', 'shop/web'),
    'deny',
  ],
  [
    'a NetworkPolicy is final before the baseline',
    [np('c', { ingress: [rule('accept')] }), banp({ ingress: [rule('deny')] })],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'lower priority first',
    [
      anp('a', { priority: 2, ingress: [rule('accept')] }),
      cnp('b', { priority: 1, ingress: [rule('deny')] }),
    ],
    flow('bank/api', 'shop/web'),
    'deny',
  ],
  [
    'at ties ClusterNetworkPolicy first',
    [anp('a', { ingress: [rule('accept')] }), cnp('b', { ingress: [rule('deny')] })],
    flow('bank/api', 'shop/web'),
    'deny',
  ],
  [
    'then the name',
    [anp('b', { ingress: [rule('accept')] }), anp('a', { ingress: [rule('deny')] })],
    flow('bank/api', 'shop/web'),
    'deny',
  ],
  [
    'baseline ClusterNetworkPolicy before BaselineAdminNetworkPolicy',
    [
      banp({ priority: 0, ingress: [rule('deny')] }),
      cnp('z', { tier: 'baseline', priority: 9, ingress: [rule('accept')] }),
    ],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'pass in the baseline ends in allow',
    [cnp('z', { tier: 'baseline', ingress: [rule('pass')] }), banp({ ingress: [rule('deny')] })],
    flow('bank/api', 'shop/web'),
    'allow',
  ],
  [
    'a peer that is not understood',
    [anp('a', { ingress: [rule('deny', [{ kind: 'everybody' }])] })],
    flow('8.8.8.8', 'shop/web'),
    'deny',
  ],
  ['no usable peer', [np('a', { ingress: [rule('accept', [])] })], flow('bank/api', 'shop/web'), 'deny'],
  ['itself, without leaving', [anp('a', { ingress: [rule('deny')] })], flow('shop/web', 'shop/web'), 'allow'],
  [
    'itself through a Service: admin rules',
    [anp('a', { ingress: [rule('deny')] })],
    flow('shop/web', 'shop/web', hairpin),
    'deny',
  ],
  [
    'itself through a Service: NetworkPolicies',
    [np('a', { ingress: [] })],
    flow('shop/web', 'shop/web', hairpin),
    'allow',
  ],
  [
    'a pod not heard of: denied with some pod',
    [anp('a', { ingress: [rule('deny', [podsOf('nobody')])] })],
    flow('10.1.7.7', 'shop/web'),
    'deny',
  ],
  [
    'a pod not heard of: accepted by no selector',
    [np('a', { ingress: [rule('accept', [podsOf({})])] })],
    flow('10.1.7.7', 'shop/web'),
    'deny',
  ],
  [
    'a pod not heard of: by address',
    [np('a', { ingress: [rule('accept', [cidr('10.1.7.0/24')])] })],
    flow('10.1.7.7', 'shop/web'),
    'allow',
  ],
  [
    'outside pod Subnets nothing is a pod',
    [anp('a', { ingress: [rule('deny', [podsOf({})])] })],
    flow('8.8.8.8', 'shop/web'),
    'allow',
  ],
  ['audit tells', [np('a', { audit: true, ingress: [] })], flow('bank/api', 'shop/web'), 'audit'],
  [
    'audit accepts nothing',
    [np('a', { audit: true, ingress: [rule('accept')] }), np('b', { ingress: [] })],
    flow('bank/api', 'shop/web'),
    'deny',
  ],
  [
    'what is denied anyway is no audit',
    [anp('a', { audit: true, ingress: [rule('deny')] }), np('b', { ingress: [] })],
    flow('bank/api', 'shop/web'),
    'deny',
  ],
  [
    'audited isolation before the baseline',
    [np('a', { audit: true, ingress: [] }), banp({ ingress: [rule('deny')] })],
    flow('bank/api', 'shop/web'),
    'deny',
  ],
  [
    'audited pass to what denies',
    [
      anp('a', { audit: true, ingress: [rule('pass')] }),
      anp('b', { priority: 1, ingress: [rule('accept')] }),
      np('c', { ingress: [] }),
    ],
    flow('bank/api', 'shop/web'),
    'audit',
  ],
];

const egress: readonly Row[] = [
  [
    'a name in a pod Subnet may be told of a pod that is not heard of',
    [
      anp('a', {
        egress: [
          rule('pass', undefined, [tcp(443)]),
          rule('deny', [podsOf('nobody')]),
          rule('accept', [{ kind: 'name', pattern: 'pod.example.org' }]),
        ],
      }),
    ],
    flow('shop/web', '10.1.7.7'),
    'deny',
  ],
  ['isolated', [np('a', { egress: [] })], flow('shop/web', '8.8.8.8'), 'deny'],
  [
    'its own node, whatever NetworkPolicies say',
    [np('a', { egress: [] })],
    flow('shop/web', '192.168.0.1'),
    'allow',
  ],
  ['its own node by IPv6', [np('a', { egress: [] })], flow('shop/web', 'fd01::1'), 'allow'],
  [
    'its own node: admin rules',
    [anp('a', { egress: [rule('deny', [{ kind: 'nodes', select: {} }])] })],
    flow('shop/web', '192.168.0.1'),
    'deny',
  ],
  ['another node', [np('a', { egress: [] })], flow('shop/web', '192.168.0.2'), 'deny'],
  [
    'nodes by a second InternalIP',
    [anp('a', { egress: [rule('deny', [{ kind: 'nodes', select: {} }])] })],
    flow('shop/web', '192.168.1.3'),
    'deny',
  ],
  [
    'nodes by an ExternalIP',
    [anp('a', { egress: [rule('deny', [{ kind: 'nodes', select: {} }])] })],
    flow('shop/web', '203.0.113.3'),
    'deny',
  ],
  [
    'a block has a node’s address, whatever else it has',
    [np('a', { egress: [rule('accept', [cidr('203.0.113.3/32')])] })],
    flow('shop/web', '203.0.113.3'),
    'allow',
  ],
  [
    'a denied block has a node that is dialled at its tunnel address',
    [anp('a', { egress: [rule('deny', [cidr('192.168.1.3/32')])] })],
    flow('shop/web', '10.1.2.0'),
    'deny',
  ],
  [
    'a denied block of pods has the tunnel addresses in it',
    [anp('a', { egress: [rule('deny', [cidr('10.1.0.0/16')])] })],
    flow('shop/web', '10.1.2.0'),
    'deny',
  ],
  [
    'its own node by an address that only a device has',
    [np('a', { egress: [] })],
    flow('shop/web', '169.254.20.10'),
    'allow',
  ],
  [
    'which is a node to admins',
    [anp('a', { egress: [rule('deny', [{ kind: 'nodes', select: {} }])] })],
    flow('shop/web', '169.254.20.10'),
    'deny',
  ],
  [
    'and in blocks',
    [
      anp('a', {
        egress: [rule('accept', [cidr('169.254.20.10/32')]), rule('deny', [cidr('0.0.0.0/0')])],
      }),
    ],
    flow('shop/web', '169.254.20.10'),
    'allow',
  ],
  [
    'nodes by label',
    [anp('a', { egress: [rule('deny', [{ kind: 'nodes', select: { matchLabels: { rack: 'n1' } } }])] })],
    flow('shop/web', '10.1.1.0'),
    'allow',
  ],
  [
    'nodes by any address',
    [anp('a', { egress: [rule('deny', [{ kind: 'nodes', select: { matchLabels: { rack: 'n2' } } }])] })],
    flow('shop/web', '10.1.1.0'),
    'deny',
  ],
  [
    'networks take pods',
    [anp('a', { egress: [rule('deny', [cidr('0.0.0.0/0')])] })],
    flow('shop/web', 'shop/db'),
    'deny',
  ],
  [
    'named port of the destination',
    [np('a', { egress: [rule('accept', undefined, [{ name: 'http' }])] })],
    flow('shop/web', 'bank/api', { protocol: 'udp', port: 53 }),
    'allow',
  ],
  [
    'not the source’s named port',
    [np('a', { egress: [rule('accept', undefined, [{ name: 'http' }])] })],
    flow('shop/web', 'bank/api', { port: 8080 }),
    'deny',
  ],
  [
    'named port with ipBlock',
    [np('a', { egress: [rule('accept', [cidr('10.1.1.3/32')], [{ name: 'http' }])] })],
    flow('shop/web', 'bank/api', { protocol: 'udp', port: 53 }),
    'allow',
  ],
  [
    'named port of no pod',
    [np('a', { egress: [rule('accept', undefined, [{ name: 'http' }])] })],
    flow('shop/web', '8.8.8.8', { port: 8080 }),
    'deny',
  ],
  [
    'a named port that some pod may have',
    [anp('a', { egress: [rule('deny', undefined, [{ name: 'http' }])] })],
    flow('shop/web', '10.1.7.7'),
    'deny',
  ],
  [
    'itself by networks: one family denies',
    [anp('a', { egress: [rule('deny', [cidr('fd00::/16')])] })],
    flow('shop/web', 'shop/web', hairpin),
    'deny',
  ],
  [
    'itself by networks: one family does not accept',
    [anp('a', { egress: [rule('accept', [cidr('fd00::/16')]), rule('deny')] })],
    flow('shop/web', 'shop/web', hairpin),
    'deny',
  ],
  [
    'a name that was told',
    [np('a', { egress: [rule('accept', [{ kind: 'name', pattern: '*.example.org' }])] })],
    flow('shop/web', '5.5.5.5'),
    'allow',
  ],
  [
    'the apex is not in the wildcard',
    [np('a', { egress: [rule('accept', [{ kind: 'name', pattern: '*.example.org' }])] })],
    flow('shop/web', '5.5.5.6'),
    'deny',
  ],
];

/** As the subject's node would have it. */
function compiled(snapshot: PolicySnapshot, direction: 'ingress' | 'egress', each: PolicyFlow): unknown {
  const [to, from] = direction === 'ingress' ? [each.to, each.from] : [each.from, each.to];
  const addressOf = (text: PolicyEnd): string =>
    text.kind === 'address'
      ? text.address
      : snapshot.pods
          .get(text.key)!
          .addresses.find((address) => address.includes(':') === (each.family === 6))!;
  const key = to.kind === 'pod' ? to.key : '';
  const self = snapshot.pods.get(key)?.node ?? '';
  const intent = {
    ...compilePolicy(snapshot, self).value,
    ...knownBesides(snapshot, self),
  };
  const isSelf = from.kind === 'pod' && from.key === key;
  // Of a pod to itself without a Service no packet leaves the pod.
  if (isSelf && !each.hairpin) return { verdict: 'allow', origin: undefined };
  const { protocol, port, hairpin } = each;
  const { verdict, origin } = verdictOf(intent, {
    pod: key,
    direction,
    peer: addressOf(from),
    protocol,
    port,
    ...(hairpin ? { hairpin } : {}),
  });
  return { verdict, origin };
}

function knownBesides({ nodes, tunnelAddresses, podPrefixes }: PolicySnapshot, self: string) {
  const addresses = nodes.get(self)?.addresses ?? [];
  return {
    self: {
      [self]: { addresses, tunnelAddresses: tunnelAddresses?.get(self) ?? [] } as unknown as SelfIntent,
    },
    subnets: {
      default: { cidrs: [...(podPrefixes?.values() ?? [])].flat() } as unknown as SubnetIntent,
    },
  };
}

const names = new Map([
  ['www.a.example.org', new Set(['5.5.5.5'])],
  ['example.org', new Set(['5.5.5.6'])],
  ['pod.example.org', new Set(['10.1.7.7'])],
]);

describe('judge', () => {
  test.each(ingress)('ingress: %s', (_, policies, each, verdict) => {
    const judged = judge(cluster(policies), 'ingress', each);
    expect(judged.verdict).toBe(verdict);
    expect(compiled(cluster(policies), 'ingress', each)).toEqual({ verdict, origin: judged.origin });
  });

  test.each(egress)('egress: %s', (_, policies, each, verdict) => {
    const judged = judge(cluster(policies, { names }), 'egress', each);
    expect(judged.verdict).toBe(verdict);
    expect(compiled(cluster(policies, { names }), 'egress', each)).toEqual({
      verdict,
      origin: judged.origin,
    });
  });

  test('names the rule that decided, and tells what almost did', () => {
    const near = { ...rule('deny', [podsOf('bank')], [tcp(443)]), field: 'spec.ingress[0] (tls)' };
    const far = { ...rule('deny', [podsOf('shop')], [tcp(443)]), field: 'spec.ingress[1]' };
    const hit = { ...rule('deny', [podsOf({}, 'api')]), field: 'spec.ingress[2]' };
    const judged = judge(
      cluster([cnp('first', { ingress: [near] }), anp('x', { priority: 1, ingress: [near, far, hit] })]),
      'ingress',
      flow('bank/api', 'shop/web'),
    );
    expect(judged.origin).toEqual({ kind: 'AdminNetworkPolicy', name: 'x', rule: 'spec.ingress[2]' });
    expect(
      judged.steps.map(({ policy, rule: field, outcome, because }) => [policy, field, outcome, because]),
    ).toEqual([
      ['ClusterNetworkPolicy/first', 'spec.ingress[0] (tls)', 'no match', 'tcp/80 is not among tcp/443'],
      ['ClusterNetworkPolicy/first', undefined, 'no match', 'none of its rules matches'],
      ['AdminNetworkPolicy/x', 'spec.ingress[0] (tls)', 'no match', 'tcp/80 is not among tcp/443'],
      ['AdminNetworkPolicy/x', 'spec.ingress[2]', 'deny', 'peer and port match'],
    ]);
  });

  test('a denial by default is of the policies that isolate', () => {
    const judged = judge(
      cluster([np('b', { ingress: [rule('accept', [podsOf('shop')])] }), np('a', { ingress: [] })]),
      'ingress',
      flow('bank/api', 'shop/web'),
    );
    expect(judged.origin).toEqual({ kind: 'NetworkPolicy', name: 'shop/a' });
    expect(judged.steps.map(({ policy, outcome }) => [policy, outcome])).toEqual([
      ['NetworkPolicy/shop/a', 'isolates'],
      ['NetworkPolicy/shop/b', 'no match'],
      ['NetworkPolicy/shop/b', 'isolates'],
    ]);
    expect(judged.steps[1]?.because).toBe('namespace bank is not selected');
  });

  test('audit names what is in audit mode, also where it only passes to what denies', () => {
    const judged = judge(
      cluster([
        anp('a', { audit: true, ingress: [rule('pass')] }),
        anp('b', { priority: 1, ingress: [rule('accept')] }),
        np('c', { ingress: [] }),
      ]),
      'ingress',
      flow('bank/api', 'shop/web'),
    );
    expect(judged).toMatchObject({ verdict: 'audit', origin: { name: 'a', rule: 'spec.ingress[0]' } });
  });

  test('of two pods with one address the later UID has it', () => {
    const snapshot = cluster([np('a', { ingress: [rule('accept', [podsOf('shop', 'new')])] })]);
    const pods = new Map([...snapshot.pods, pod('shop/new', ['10.1.1.3'], { uid: 'z', node: 'n2' })]);
    expect(judge({ ...snapshot, pods }, 'ingress', flow('10.1.1.3', 'shop/web')).verdict).toBe('allow');
  });
});
