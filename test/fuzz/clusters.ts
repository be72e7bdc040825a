/** Random clusters over the pods of the test network, and random changes of them; pure. */
import fc from 'fast-check';
import { labels, namespaceNames, policy } from '#compile/policy/arbitrary.ts';
import type { PolicySnapshot } from '#compile/policy/snapshot.ts';
import { pods } from '#engines/nftables/testnet.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import type { NamedPort, PodModel } from '#model/pod.ts';
import type { PolicyModel, PolicyPeer, PolicyRule } from '#model/policy.ts';
import { parsePrefix, prefixContains } from '#net/prefix.ts';

/** One thing that changes. `undefined`: it goes. */
export type Change =
  | { readonly kind: 'policy'; readonly key: string; readonly value: PolicyModel | undefined }
  | { readonly kind: 'pod'; readonly key: string; readonly value: PodModel }
  | { readonly kind: 'namespace'; readonly key: string; readonly value: NamespaceModel }
  | { readonly kind: 'node'; readonly key: string; readonly value: NodeModel };

/** By the pod's name in the test network, the key of the pod that it is. */
export const podKeys: ReadonlyMap<string, string> = new Map(
  pods.map(({ name }, index) => [name, `${namespaceNames[index % namespaceNames.length]}/${name}`]),
);

const podPrefixes = new Map(
  [244, 245, 246, 247].map((octet) => [`${octet}`, [`10.${octet}.0.0/16`, `fd10:${octet}::/56`]]),
);
const tunnelAddresses = new Map(
  ([1, 2] as const).map((node) => [`n${node}`, [`10.244.${node}.1`, `fd10:244:0:${node}::1`]]),
);

/** What the prefixes of the random policies become here: single pods and nodes, halves, whole Subnets, all. */
const prefixes = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.244.0.0/16',
  '10.244.1.0/24',
  '10.244.1.8/29',
  '10.244.1.11/32',
  '10.244.2.21/32',
  '10.245.0.0/16',
  '10.245.1.11/32',
  '10.244.0.0/14',
  '10.246.1.0/28',
  '192.168.66.0/24',
  '192.168.66.11/32',
  '192.168.66.12/32',
  '192.168.66.200/31',
  '192.168.66.201/32',
  '::/0',
  'fd10::/16',
  'fd10:244::/56',
  'fd10:244:0:1::/64',
  'fd10:244:0:1::11/128',
  'fd10:245:0:2::/64',
  'fd66::/64',
  'fd66::11/128',
  'fd66::200/123',
].flatMap((text) => parsePrefix(text) ?? []);

const prefix = fc.constantFrom(...prefixes);
const cidrPeer = fc
  .record({ prefix, except: fc.array(prefix, { maxLength: 2 }) })
  .map(({ prefix: outer, except }): PolicyPeer => {
    const inner = except.filter((each) => each.length > outer.length && prefixContains(outer, each));
    return { kind: 'cidr', prefix: outer, except: inner };
  });

/** The alphabet of policies with this network's prefixes; what no object can hold is left out. */
const someRule = (rule: PolicyRule): fc.Arbitrary<PolicyRule> => {
  const { peers } = rule;
  if (peers === undefined) return fc.constant(rule);
  const here = peers.map((peer) => (peer.kind === 'cidr' ? cidrPeer : fc.constant(peer)));
  return fc.tuple(...here).map((list): PolicyRule => ({ ...rule, peers: list }));
};

const somePolicy: fc.Arbitrary<PolicyModel> = policy.chain((given) => {
  const rules = (list: readonly PolicyRule[] | undefined) =>
    list === undefined ? fc.constant(undefined) : fc.tuple(...list.map(someRule));
  return fc
    .record({ ingress: rules(given.ingress), egress: rules(given.egress) })
    .map(({ ingress, egress }) => ({
      ...given,
      ...(ingress === undefined ? {} : { ingress }),
      ...(egress === undefined ? {} : { egress }),
    }));
});

const namedPorts: fc.Arbitrary<readonly NamedPort[]> = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('http', 'dns'),
    protocol: fc.constantFrom<NamedPort['protocol'][]>('tcp', 'udp', 'sctp'),
    port: fc.constantFrom(53, 80, 81),
  }),
  { maxLength: 3, selector: ({ name, protocol }) => `${name}/${protocol}` },
);

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(somePolicy, fc.nat(3)).map(
      ([value, dice]): Change => ({
        kind: 'policy',
        key: value.key,
        value: dice === 0 ? undefined : value,
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ pod: fc.constantFrom(...pods), labels, namedPorts })
      .map(({ pod, labels: own, namedPorts: ports }): Change => {
        const value = podOf(pod.name, own, ports);
        return { kind: 'pod', key: `${value.namespace}/${value.name}`, value };
      }),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ name: fc.constantFrom(...namespaceNames), labels })
      .map((value): Change => ({ kind: 'namespace', key: value.name, value })),
  },
  {
    weight: 1,
    arbitrary: fc.record({ number: fc.constantFrom(1, 2), labels }).map(
      ({ number, labels: own }): Change => ({
        kind: 'node',
        key: `n${number}`,
        value: nodeOf(number, own),
      }),
    ),
  },
);

/** The changes of one round, the same for the same seed. */
export function changesOf(seed: number): readonly Change[] {
  const few = fc.array(change, { minLength: 1, maxLength: 8, size: 'max' });
  return fc.sample(few, { seed, numRuns: 1 })[0] ?? [];
}

/** All pods without labels, and no policy. */
export function emptyCluster(): PolicySnapshot {
  return {
    policies: new Map(),
    pods: new Map([...podKeys].map(([name, key]) => [key, podOf(name, {}, [])])),
    namespaces: new Map(namespaceNames.map((name) => [name, { name, labels: {} }])),
    nodes: new Map(([1, 2] as const).map((number) => [`n${number}`, nodeOf(number, {})])),
    tunnelAddresses,
    podPrefixes,
  };
}

export function changed(before: PolicySnapshot, changes: readonly Change[]): PolicySnapshot {
  const policies = new Map(before.policies);
  const podsNow = new Map(before.pods);
  const namespaces = new Map(before.namespaces);
  const nodes = new Map(before.nodes);
  for (const { kind, key, value } of changes) {
    if (kind === 'policy') {
      if (value === undefined) policies.delete(key);
      else policies.set(key, value);
    } else if (kind === 'pod') podsNow.set(key, value);
    else if (kind === 'namespace') namespaces.set(key, value);
    else nodes.set(key, value);
  }
  return { ...before, policies, pods: podsNow, namespaces, nodes };
}

function podOf(name: string, own: PodModel['labels'], ports: readonly NamedPort[]): PodModel {
  const wired = pods.find((each) => each.name === name);
  if (wired === undefined) throw new Error(`no pod ${name}`);
  const [namespace = ''] = podKeys.get(name)?.split('/') ?? [];
  return {
    origin: { kind: 'Pod', namespace, name },
    namespace,
    name,
    uid: `uid-${name}`,
    labels: own,
    annotations: {},
    hostNetwork: false,
    ended: false,
    node: `n${wired.node}`,
    addresses: [wired.address4, wired.address6],
    namedPorts: ports,
  };
}

function nodeOf(number: number, own: PodModel['labels']): NodeModel {
  const name = `n${number}`;
  const addresses = [`192.168.66.1${number}`, `fd66::1${number}`];
  return { origin: { kind: 'Node', name }, name, uid: `uid-${number}`, addresses, labels: own };
}
