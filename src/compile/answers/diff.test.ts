/** A difference holds against the oracle: every witness, and every connection that no line covers. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ClusterModel } from '#model/cluster.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import type {
  PodsSelector,
  PolicyModel,
  PolicyPeer,
  PolicyPort,
  PolicyProtocol,
  PolicyRule,
} from '#model/policy.ts';
import { type Prefix, parsePrefix } from '#net/prefix.ts';
import { judge } from '../policy/decide.ts';
import type { PolicyFlow } from '../policy/snapshot.ts';
import { type Comparison, compare, snapshotOf } from './diff.ts';

const spaces = ['a', 'b'] as const;
const protocols = ['tcp', 'udp', 'sctp'] as const;
const prefix = (text: string) => parsePrefix(text) as Prefix;
const cidrs = ['0.0.0.0/0', '::/0', '10.0.0.0/8', '10.0.0.0/30', '10.0.0.2/32', '192.0.2.0/24', 'fd00::/64'];
const worlds = ['192.0.2.1', '192.0.2.77', '10.9.9.9', '203.0.113.9', '2001:db8::1', 'fd00::ffff'];

const labels = fc.record({ app: fc.constantFrom('x', 'y', 'z') });
const selector = fc.oneof(
  fc.constant({}),
  fc.record({ matchLabels: labels }),
  fc.record({
    matchExpressions: fc.tuple(
      fc.record({
        key: fc.constantFrom('app', 'tier'),
        operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
      }),
    ),
  }),
);
const selection: fc.Arbitrary<PodsSelector> = fc.record(
  { namespaces: fc.oneof(fc.constantFrom(...spaces), fc.constant({})), pods: selector },
  { requiredKeys: ['namespaces'] },
);
const podsPeer = fc.record({ kind: fc.constant('pods' as const), select: selection });
const cidrPeer = fc.record({
  kind: fc.constant('cidr' as const),
  prefix: fc.constantFrom(...cidrs).map(prefix),
  except: fc.array(fc.constantFrom(...cidrs).map(prefix), { maxLength: 1 }),
});
const nodesPeer = fc.record({ kind: fc.constant('nodes' as const), select: selector });
const peer: fc.Arbitrary<PolicyPeer> = fc.oneof(podsPeer, cidrPeer, nodesPeer);
const port: fc.Arbitrary<PolicyPort> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...protocols), fc.constantFrom(0, 80, 443), fc.constantFrom(0, 1, 70_000))
    .map(([protocol, first, more]) => ({ protocol, first, last: Math.min(65_535, first + more) })),
  fc.record({ name: fc.constantFrom('http', 'dns') }),
);
const rule = (action: fc.Arbitrary<PolicyRule['action']>): fc.Arbitrary<PolicyRule> =>
  fc.record(
    {
      field: fc.nat(9).map((index) => `spec.rules[${index}]`),
      action,
      peers: fc.array(peer, { maxLength: 2 }),
      ports: fc.array(port, { maxLength: 2 }),
    },
    { requiredKeys: ['field', 'action'] },
  );
const policy: fc.Arbitrary<Omit<PolicyModel, 'key' | 'origin'>> = fc
  .constantFrom('admin' as const, 'network' as const, 'network' as const, 'baseline' as const)
  .chain((tier) => {
    const action =
      tier === 'network'
        ? fc.constant('accept' as const)
        : fc.constantFrom('accept' as const, 'deny' as const, 'pass' as const);
    const rules = fc.array(rule(action), { maxLength: 3 });
    return fc.record(
      {
        tier: fc.constant(tier),
        priority: fc.nat(3),
        audit: fc.constantFrom(false, false, false, true),
        subject: selection,
        ingress: rules,
        egress: rules,
      },
      { requiredKeys: ['tier', 'priority', 'audit', 'subject'] },
    );
  });
type LoosePod = Pick<PodModel, 'labels' | 'hostNetwork' | 'ended'> & {
  readonly space: string;
  readonly node: number;
  readonly http: number;
};
const pod: fc.Arbitrary<LoosePod> = fc.record({
  space: fc.constantFrom(...spaces),
  labels,
  node: fc.nat(1),
  http: fc.constantFrom(80, 443, 8080),
  hostNetwork: fc.constantFrom(false, false, false, true),
  ended: fc.constantFrom(false, false, false, true),
});

function cluster(
  pods: readonly LoosePod[],
  policies: readonly Omit<PolicyModel, 'key' | 'origin'>[],
): ClusterModel {
  const kinds = { admin: 'AdminNetworkPolicy', network: 'NetworkPolicy', baseline: 'ClusterNetworkPolicy' };
  const models = pods.map(({ space, labels: own, node, http, hostNetwork, ended }, index): PodModel => {
    const name = `p${index}`;
    return {
      origin: { kind: 'Pod', namespace: space, name },
      namespace: space,
      name,
      uid: name,
      labels: own,
      annotations: {},
      hostNetwork,
      ended,
      node: `n${node}`,
      addresses: hostNetwork ? [`10.9.0.${node + 1}`] : [`10.0.0.${index + 1}`, `fd00::${index + 1}`],
      namedPorts: [{ name: 'http', protocol: 'tcp', port: http }],
    };
  });
  const nodes = [0, 1].map((index): [string, NodeModel] => [
    `n${index}`,
    {
      origin: { kind: 'Node', name: `n${index}` },
      name: `n${index}`,
      uid: '',
      addresses: [`10.9.0.${index + 1}`, `fd09::${index + 1}`],
      labels: { app: index === 0 ? 'x' : 'y' },
    },
  ]);
  return {
    policies: new Map(
      policies.map((each, index) => {
        const kind = kinds[each.tier];
        const key = `${kind}/${index}`;
        return [key, { ...each, key, origin: { kind, name: String(index) } }];
      }),
    ),
    pods: new Map(models.map((model) => [`${model.namespace}/${model.name}`, model])),
    namespaces: new Map(spaces.map((name): [string, NamespaceModel] => [name, { name, labels: {} }])),
    nodes: new Map(nodes),
    tunnelAddresses: new Map(),
    services: new Map(),
    slices: new Map(),
    subnets: [],
    // Some pods are of one workload, so that a line speaks for several.
    workloads: new Map(
      models.map(({ namespace, name }, index) => [
        `${namespace}/${name}`,
        { kind: 'Deployment', namespace, name: `w${index % 2}` },
      ]),
    ),
    invented: new Set(),
  };
}

const two = fc
  .tuple(
    fc.array(pod, { minLength: 1, maxLength: 5 }),
    fc.array(policy, { maxLength: 4 }),
    fc.array(policy, { maxLength: 2 }),
    fc.array(fc.tuple(fc.nat(4), pod), { maxLength: 1 }),
    fc.nat(4),
  )
  .map(([pods, policies, added, changes, removed]) => {
    const changed = pods.map((each, index) => {
      const found = changes.find(([at]) => at === index)?.[1];
      const { space, hostNetwork, node } = each;
      return found === undefined ? each : { ...found, space, hostNetwork, node };
    });
    const kept = policies.filter((_, index) => index !== removed);
    return { before: cluster(pods, policies), after: cluster(changed, [...kept, ...added]) };
  });

const verdict = (model: ClusterModel, flow: PolicyFlow): 'open' | 'closed' | 'absent' => {
  for (const end of [flow.from, flow.to]) {
    const found = end.kind === 'pod' ? model.pods.get(end.key) : undefined;
    if (end.kind === 'pod' && (found === undefined || found.ended)) return 'absent';
  }
  const snapshot = snapshotOf(model);
  const denied = (['egress', 'ingress'] as const).some(
    (direction) => judge(snapshot, direction, flow).verdict === 'deny',
  );
  return denied ? 'closed' : 'open';
};

test('every witness holds before and after, and a connection changes exactly when a line covers it', () => {
  fc.assert(
    fc.property(two, ({ before, after }) => {
      const comparison = compare(before, after, true);
      for (const { kind, witness } of comparison.lines) {
        const was = verdict(before, witness.flow) === 'open';
        const is = verdict(after, witness.flow) === 'open';
        expect([was, is], JSON.stringify(witness)).toEqual(
          kind === 'opens' ? [false, true] : kind === 'closes' ? [true, false] : [is, is],
        );
      }
      for (const { flow, from, to } of flows(before)) {
        const changes = (verdict(before, flow) === 'open') !== (verdict(after, flow) === 'open');
        expect(isCovered(comparison, before, flow, from, to), JSON.stringify(flow)).toBe(changes);
      }
    }),
    { numRuns: 150 },
  );
}, 120_000);

type Sample = { readonly flow: PolicyFlow; readonly from: string; readonly to: string };

function flows(model: ClusterModel): readonly Sample[] {
  const pods = [...model.pods].filter(([, each]) => !each.hostNetwork);
  const ends = ([4, 6] as const).flatMap((family) => [
    ...pods.map(([key]) => ({ family, name: key, end: { kind: 'pod' as const, key } })),
    ...[...model.nodes.values()].map(({ name, addresses }) => ({
      family,
      name: `node/${name}`,
      end: { kind: 'address' as const, address: addresses[family === 4 ? 0 : 1] ?? '' },
    })),
    ...worlds
      .filter((address) => address.includes(':') === (family === 6))
      .map((address) => ({ family, name: address, end: { kind: 'address' as const, address } })),
  ]);
  const ports: readonly (readonly [PolicyProtocol | 'other', number])[] = [
    ['tcp', 80],
    ['tcp', 443],
    ['tcp', 8080],
    ['udp', 81],
    ['sctp', 65_535],
    ['other', 0],
  ];
  return ends.flatMap((from) =>
    ends
      .filter((to) => to.family === from.family && to.name !== from.name)
      .filter((to) => to.end.kind === 'pod' || from.end.kind === 'pod')
      .flatMap((to) =>
        ports.map(([protocol, number]) => ({
          flow: { from: from.end, to: to.end, protocol, port: number, family: from.family },
          from: from.name,
          to: to.name,
        })),
      ),
  );
}

function isCovered(
  { lines, find }: Comparison,
  model: ClusterModel,
  flow: PolicyFlow,
  from: string,
  to: string,
): boolean {
  const onOwnNode = (pod: string, node: string) => `node/${model.pods.get(pod)?.node}` === node;
  const own = onOwnNode(from, to) || onOwnNode(to, from);
  const of = (text: string) => find(text).filter(({ family }) => family === flow.family);
  return lines.some(
    ({ kind, ports, covers }) =>
      kind !== 'reason' &&
      ports.some(
        (each) => each.protocol === flow.protocol && each.first <= flow.port && flow.port <= each.last,
      ) &&
      of(from).some((source) => of(to).some((target) => covers(source.end, target.end, flow.family, own))),
  );
}
