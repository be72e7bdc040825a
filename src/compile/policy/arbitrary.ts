/** Random clusters, policies of every kind and flows for property tests and the fuzzer: small alphabets, so that things meet. */
import fc from 'fast-check';
import type { LabelSelector } from '#api/object.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import type { NamedPort, PodModel } from '#model/pod.ts';
import type { PodsSelector, PolicyModel, PolicyPeer, PolicyPort, PolicyRule } from '#model/policy.ts';
import { type Prefix, parsePrefix } from '#net/prefix.ts';
import type { PolicySnapshot } from './snapshot.ts';

export const nodeNames = ['n1', 'n2', 'n3'] as const;
export const namespaceNames = ['red', 'blue', 'green'] as const;

/** Small enough that pods share addresses now and then, and that prefixes end between them. */
export const podAddresses: readonly string[] = [
  ...Array.from({ length: 8 }, (_, index) => `10.0.0.${index + 1}`),
  ...Array.from({ length: 8 }, (_, index) => `fd00::${index + 1}`),
];
export const tunnelAddresses: readonly string[] = ['10.0.0.14', '10.0.0.15', 'fd00::e', 'fd00::f'];
/** Of nodes, on their devices or in their Nodes beside the first InternalIP. */
export const localAddresses: readonly string[] = ['169.254.20.10', '10.0.0.13', 'fd02::a'];
export const moreNodeAddresses: readonly string[] = [
  ...nodeNames.flatMap((name) => [`192.168.1.${name.slice(1)}`, `fd01::1${name.slice(1)}`]),
  ...nodeNames.map((name) => `203.0.113.${name.slice(1)}`),
];
/** In a pod Subnet and nobody's; told under a name; anybody's. */
export const otherAddresses: readonly string[] = [
  '10.0.0.12',
  'fd00::c',
  '8.8.8.8',
  '8.8.8.9',
  '2001:db8::8',
  '1.1.1.1',
];

const label = fc.constantFrom('a', 'b');
export const labels: fc.Arbitrary<Readonly<Record<string, string>>> = fc.dictionary(
  fc.constantFrom('app', 'role'),
  label,
  { maxKeys: 2 },
);

const expression = fc
  .record({
    key: fc.constantFrom('app', 'role'),
    operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
    values: fc.uniqueArray(label, { minLength: 1, maxLength: 2 }),
  })
  .map(({ key, operator, values }) =>
    operator === 'In' || operator === 'NotIn' ? { key, operator, values } : { key, operator },
  );

export const selector: fc.Arbitrary<LabelSelector> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 3, arbitrary: labels.map((matchLabels) => ({ matchLabels })) },
  {
    weight: 2,
    arbitrary: fc.array(expression, { maxLength: 2 }).map((list) => ({ matchExpressions: list })),
  },
) as fc.Arbitrary<LabelSelector>;

const byName = fc.constantFrom(...namespaceNames);
const namespaceSelector = fc.oneof(
  { weight: 3, arbitrary: selector },
  {
    weight: 1,
    arbitrary: byName.map(
      (name): LabelSelector => ({ matchLabels: { 'kubernetes.io/metadata.name': name } }),
    ),
  },
);

export const podsSelector: fc.Arbitrary<PodsSelector> = fc
  .record({ namespaces: fc.oneof(namespaceSelector, byName), pods: fc.option(selector, { nil: undefined }) })
  .map(({ namespaces, pods }) => ({ namespaces, ...(pods === undefined ? {} : { pods }) }));

const cidrs = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.0.0.0/28',
  '10.0.0.0/29',
  '10.0.0.8/29',
  '10.0.0.4/30',
  '10.0.0.2/31',
  '10.0.0.3/32',
  '8.8.8.8/31',
  '8.8.8.9/32',
  '192.168.0.0/24',
  '192.168.0.1/32',
  '192.168.0.2/32',
  '10.0.0.14/31',
  '192.168.0.0/23',
  '192.168.1.2/32',
  '203.0.113.0/30',
  '169.254.20.10/32',
  '::/0',
  'fd00::/16',
  'fd00::/124',
  'fd00::/125',
  'fd00::4/126',
  'fd00::2/128',
  'fd01::/64',
  'fd01::2/128',
].flatMap((text) => parsePrefix(text) ?? []);
const prefix: fc.Arbitrary<Prefix> = fc.constantFrom(...cidrs);

const pods = podsSelector.map((select): PolicyPeer => ({ kind: 'pods', select }));
const cidr = fc
  .record({ prefix, except: fc.array(prefix, { maxLength: 2 }) })
  .map(({ prefix: outer, except }): PolicyPeer => {
    const inner = except.filter((each) => each.family === outer.family && each.length > outer.length);
    return { kind: 'cidr', prefix: outer, except: inner };
  });
const nodesPeer = selector.map((select): PolicyPeer => ({ kind: 'nodes', select }));
const namePeer = fc
  .constantFrom('www.example.org', '*.example.org', 'example.org')
  .map((pattern): PolicyPeer => ({ kind: 'name', pattern }));
const everybody = fc.constant<PolicyPeer>({ kind: 'everybody' });

const protocol = fc.constantFrom<NamedPort['protocol'][]>('tcp', 'udp', 'sctp');
const number = fc.constantFrom(0, 53, 79, 80, 81, 443, 65535);
const portName = fc.constantFrom('http', 'dns');

export const policyPort: fc.Arbitrary<PolicyPort> = fc.oneof(
  fc
    .record({ protocol, a: number, b: number })
    .map(({ protocol: of, a, b }) => ({ protocol: of, first: Math.min(a, b), last: Math.max(a, b) })),
  fc
    .record({ protocol, first: number })
    .map(({ protocol: of, first }) => ({ protocol: of, first, last: first })),
  fc
    .record({ name: portName, protocol: fc.option(protocol, { nil: undefined }) })
    .map(({ name, protocol: of }) => ({ name, ...(of === undefined ? {} : { protocol: of }) })),
);

type Shape = { readonly tier: 'admin' | 'network' | 'baseline'; readonly direction: 'ingress' | 'egress' };

function peersFor({ tier, direction }: Shape, accepts: boolean): fc.Arbitrary<PolicyPeer> {
  if (tier === 'network') return fc.oneof(pods, cidr);
  const known = direction === 'ingress' ? [pods] : [pods, cidr, nodesPeer];
  return fc.oneof(...known, ...(accepts ? (direction === 'egress' ? [namePeer] : []) : [everybody]));
}

function rulesFor(shape: Shape): fc.Arbitrary<readonly PolicyRule[] | undefined> {
  const actions = shape.tier === 'network' ? (['accept'] as const) : (['accept', 'deny', 'pass'] as const);
  const rule = fc.constantFrom(...actions).chain((action) =>
    fc.record({
      action: fc.constant(action),
      peers: fc.option(fc.array(peersFor(shape, action === 'accept'), { maxLength: 3 }), { nil: undefined }),
      ports: fc.option(fc.array(policyPort, { maxLength: 3 }), { nil: undefined, freq: 2 }),
    }),
  );
  const rules = fc.array(rule, { maxLength: 4 }).map((list) =>
    list.map(
      ({ action, peers, ports }, index): PolicyRule => ({
        field: `spec.${shape.direction}[${index}]`,
        action,
        ...(peers === undefined ? {} : { peers }),
        ...(ports === undefined ? {} : { ports }),
      }),
    ),
  );
  return fc.option(rules, { nil: undefined, freq: 3 });
}

type Kind = {
  readonly kind: string;
  readonly tier: Shape['tier'];
  readonly namespaced?: true;
  readonly priorities: fc.Arbitrary<number>;
};

const kinds: readonly Kind[] = [
  { kind: 'NetworkPolicy', tier: 'network', namespaced: true, priorities: fc.constant(0) },
  { kind: 'AdminNetworkPolicy', tier: 'admin', priorities: fc.nat(2) },
  { kind: 'ClusterNetworkPolicy', tier: 'admin', priorities: fc.nat(2) },
  { kind: 'ClusterNetworkPolicy', tier: 'baseline', priorities: fc.nat(2) },
  { kind: 'BaselineAdminNetworkPolicy', tier: 'baseline', priorities: fc.constant(1001) },
  { kind: 'Namespace', tier: 'baseline', priorities: fc.constant(1002) },
];

/** Of all kinds that have policies, and of what namespaces say of themselves. */
export const policy: fc.Arbitrary<PolicyModel> = fc.constantFrom(...kinds, kinds[0]!).chain((kind) =>
  fc
    .record({
      name: fc.constantFrom('p', 'q'),
      namespace: byName,
      priority: kind.priorities,
      audit: fc.boolean().chain((maybe) => (maybe ? fc.boolean() : fc.constant(false))),
      select: podsSelector,
      ingress: rulesFor({ tier: kind.tier, direction: 'ingress' }),
      egress: rulesFor({ tier: kind.tier, direction: 'egress' }),
    })
    .map(({ name: given, namespace, priority, audit, select, ingress, egress }): PolicyModel => {
      const own = kind.kind === 'Namespace';
      const isDefault = kind.kind === 'BaselineAdminNetworkPolicy';
      const name = own ? namespace : isDefault ? 'default' : `${given}-${kind.tier}`;
      return {
        origin: { kind: kind.kind, ...(kind.namespaced ? { namespace } : {}), name },
        key: kind.namespaced ? `${kind.kind}/${namespace}/${name}` : `${kind.kind}/${name}`,
        tier: kind.tier,
        priority,
        audit,
        subject: kind.namespaced || own ? { ...select, namespaces: namespace } : select,
        ...(ingress === undefined ? {} : { ingress }),
        ...(egress === undefined ? {} : { egress }),
      };
    }),
);

const namedPorts = fc.uniqueArray(
  fc.record({ name: portName, protocol, port: fc.constantFrom(53, 80, 81) }),
  { maxLength: 3, selector: ({ name, protocol: of }) => `${name}/${of}` },
);

export const pod: fc.Arbitrary<PodModel> = fc
  .record({
    namespace: byName,
    name: fc.constantFrom('x', 'y', 'z'),
    uid: fc.constantFrom('u1', 'u2', 'u3'),
    labels,
    node: fc.option(fc.constantFrom(...nodeNames, 'n1' as const, 'n1' as const), { nil: undefined, freq: 8 }),
    flags: fc.constantFrom('', '', '', '', '', 'hostNetwork', 'ended'),
    addresses: fc.uniqueArray(fc.constantFrom(...podAddresses), { maxLength: 2 }),
    namedPorts,
  })
  .map(({ namespace, name, flags, node, ...rest }) => ({
    origin: { kind: 'Pod', namespace, name },
    namespace,
    name,
    annotations: {},
    hostNetwork: flags === 'hostNetwork',
    ended: flags === 'ended',
    ...(node === undefined ? {} : { node }),
    ...rest,
  }));

export const namespace: fc.Arbitrary<NamespaceModel> = fc.record({ name: byName, labels });

export const node: fc.Arbitrary<NodeModel> = fc
  .record({
    name: fc.constantFrom(...nodeNames),
    labels,
    dual: fc.boolean(),
    more: fc.constantFrom(0, 0, 0, 1, 2),
    isOutside: fc.boolean(),
  })
  .map(({ name, labels: own, dual, more, isOutside }) => ({
    origin: { kind: 'Node', name },
    name,
    uid: `uid-${name}`,
    addresses: [`192.168.0.${name.slice(1)}`, ...(dual ? [`fd01::${name.slice(1)}`] : [])],
    labels: own,
    ...(more === 0
      ? {}
      : { moreInternal: [`192.168.1.${name.slice(1)}`, `fd01::1${name.slice(1)}`].slice(0, more) }),
    ...(isOutside ? { external: [`203.0.113.${name.slice(1)}`] } : {}),
  }));

export const locals: fc.Arbitrary<readonly string[]> = fc.subarray([...localAddresses]);

export const tunnels: fc.Arbitrary<readonly string[]> = fc.subarray([...tunnelAddresses], { maxLength: 2 });

export const names = fc.constantFrom('www.example.org', 'a.b.example.org', 'example.org');
export const toldAddresses: fc.Arbitrary<ReadonlySet<string>> = fc
  .subarray(['8.8.8.8', '8.8.8.9', '10.0.0.3', '10.0.0.12', '2001:db8::8'])
  .map((list) => new Set(list));

export const subnetPrefixes: fc.Arbitrary<readonly string[]> = fc.constantFrom(
  ['10.0.0.0/28', 'fd00::/124'],
  ['10.0.0.0/28'],
  ['10.0.0.8/29'],
);

const keyed = <T extends { readonly namespace: string; readonly name: string }>(list: readonly T[]) =>
  new Map(list.map((each) => [`${each.namespace}/${each.name}`, each]));
const byOwnName = <T extends { readonly name: string }>(list: readonly T[]) =>
  new Map(list.map((each) => [each.name, each]));

export const cluster: fc.Arbitrary<PolicySnapshot> = fc
  .record({
    policies: fc.array(policy, { maxLength: 6 }),
    pods: fc.array(pod, { maxLength: 8 }),
    namespaces: fc.array(namespace, { maxLength: 3 }),
    nodes: fc.array(node, { maxLength: 3 }),
    tunnelAddresses: fc.array(fc.tuple(fc.constantFrom(...nodeNames), tunnels), { maxLength: 2 }),
    localAddresses: fc.array(fc.tuple(fc.constantFrom(...nodeNames), locals), { maxLength: 1 }),
    names: fc.array(fc.tuple(names, toldAddresses), { maxLength: 2 }),
    podPrefixes: fc.array(fc.tuple(fc.constant('default'), subnetPrefixes), { maxLength: 1 }),
  })
  .map((given) => ({
    policies: new Map(given.policies.map((each) => [each.key, each])),
    pods: keyed(given.pods),
    namespaces: byOwnName(given.namespaces),
    nodes: byOwnName(given.nodes),
    tunnelAddresses: new Map(given.tunnelAddresses),
    localAddresses: new Map(given.localAddresses),
    names: new Map(given.names),
    podPrefixes: new Map(given.podPrefixes),
  }));

/** The other end of a connection of a pod, and what it carries. */
export const meeting = fc.record({
  direction: fc.constantFrom('ingress' as const, 'egress' as const),
  peer: fc.constantFrom(
    ...podAddresses,
    ...tunnelAddresses,
    ...otherAddresses,
    ...localAddresses,
    ...moreNodeAddresses,
    ...nodeNames.flatMap((name) => [`192.168.0.${name.slice(1)}`, `fd01::${name.slice(1)}`]),
  ),
  hairpin: fc.boolean(),
  protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const, 'other' as const),
  port: fc.constantFrom(0, 52, 53, 79, 80, 81, 82, 443, 65535),
});
