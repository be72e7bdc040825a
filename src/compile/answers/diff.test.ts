/** A difference holds against the oracle: every witness, and every connection that no line covers. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ClusterModel } from '#model/cluster.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import type { NamedPort, PodModel } from '#model/pod.ts';
import type { PolicyModel, PolicyProtocol } from '#model/policy.ts';
import { labels, namespace, namespaceNames, node, nodeNames, policy } from '../policy/arbitrary.ts';
import { judge } from '../policy/decide.ts';
import type { PolicyFlow } from '../policy/snapshot.ts';
import { type Comparison, compare, snapshotOf } from './diff.ts';
import { addressOf } from './units.ts';
import type { WitnessEnd } from './witness.ts';

/** Outside of every pod and node, on both sides of where prefixes end. */
const worlds = [
  '192.0.2.1',
  '8.8.8.8',
  '8.8.8.9',
  '10.0.0.12',
  '1.1.1.1',
  '2001:db8::1',
  'fd00::c',
  'fd01::99',
];

type LoosePod = Pick<PodModel, 'namespace' | 'labels' | 'ended' | 'namedPorts'> & {
  readonly node: string;
  readonly isDual: boolean;
  readonly hostNetwork: boolean;
};

const namedPort = fc.record({
  name: fc.constantFrom('http', 'dns'),
  protocol: fc.constantFrom<NamedPort['protocol'][]>('tcp', 'udp'),
  port: fc.constantFrom(53, 80, 81),
});
const loosePod: fc.Arbitrary<LoosePod> = fc.record({
  namespace: fc.constantFrom(...namespaceNames.slice(0, 2)),
  labels: fc.oneof(fc.constant({}), labels),
  node: fc.constantFrom(...nodeNames),
  isDual: fc.boolean(),
  namedPorts: fc.uniqueArray(namedPort, { maxLength: 2, selector: ({ name, protocol }) => name + protocol }),
  hostNetwork: fc.constantFrom(false, false, false, true),
  ended: fc.constantFrom(false, false, false, false, true),
});

type Loose = {
  readonly pods: readonly LoosePod[];
  readonly policies: readonly PolicyModel[];
  readonly namespaces: readonly NamespaceModel[];
  readonly nodes: readonly NodeModel[];
};

/** What may change in one go: policies, labels of pods, namespaces and nodes; pods that end or begin. */
const two = fc
  .record({
    pods: fc.array(loosePod, { minLength: 3, maxLength: 6 }),
    policies: fc.array(policy, { minLength: 1, maxLength: 4 }),
    added: fc.array(policy, { maxLength: 2 }),
    removed: fc.nat(6),
    change: fc.option(fc.tuple(fc.nat(4), loosePod)),
    namespaces: fc.array(namespace, { minLength: 2, maxLength: 4 }),
    renamed: fc.option(fc.array(namespace, { minLength: 2, maxLength: 4 }), { freq: 1 }),
    nodes: fc.array(node, { maxLength: 3 }),
    relabelled: fc.option(fc.array(node, { maxLength: 3 }), { freq: 1 }),
  })
  .map(({ pods, policies, added, removed, change, namespaces, renamed, nodes, relabelled }) => {
    const changed = pods.map((each, index): LoosePod => {
      if (change?.[0] !== index) return each;
      const { labels: own, ended, namedPorts } = change[1];
      return { ...each, labels: own, ended, namedPorts };
    });
    const kept = policies.filter((_, index) => index !== removed);
    return {
      before: cluster({ pods, policies, namespaces, nodes }),
      after: cluster({
        pods: changed,
        policies: [...kept, ...added],
        namespaces: renamed ?? namespaces,
        nodes: relabelled ?? nodes,
      }),
    };
  });

function cluster({ pods, policies, namespaces, nodes }: Loose): ClusterModel {
  const models = pods.map(({ isDual, ...rest }, index): PodModel => {
    const name = `p${index}`;
    const addresses = [`10.0.0.${index + 1}`, ...(isDual ? [`fd00::${index + 1}`] : [])];
    const origin = { kind: 'Pod', namespace: rest.namespace, name };
    return { ...rest, origin, name, uid: name, annotations: {}, addresses };
  });
  const keyOf = (pod: PodModel) => `${pod.namespace}/${pod.name}`;
  return {
    policies: new Map(policies.map((each) => [each.key, each])),
    pods: new Map(models.map((model) => [keyOf(model), model])),
    namespaces: new Map(namespaces.map((each) => [each.name, each])),
    nodes: new Map(nodes.map((each) => [each.name, each])),
    tunnelAddresses: new Map(),
    services: new Map(),
    slices: new Map(),
    subnets: [],
    // Some pods are of one workload, so that a line speaks for several.
    workloads: new Map(
      models.map((pod, index) => [
        keyOf(pod),
        { kind: 'Deployment', namespace: pod.namespace, name: `w${index % 2}` },
      ]),
    ),
    invented: new Set(),
  };
}

/** A pod that has ended, or a node that isn't there, has no connections. */
function isOpen(model: ClusterModel, { from, to }: Ends, flow: PolicyFlow): boolean {
  const isThere = (name: string): boolean => {
    if (name.startsWith('node/')) {
      const found = model.nodes.get(name.slice(5));
      return found !== undefined && addressOf(found, flow.family) !== undefined;
    }
    return !name.includes('/') || model.pods.get(name)?.ended === false;
  };
  if (!isThere(from) || !isThere(to)) return false;
  const snapshot = snapshotOf(model);
  return (['egress', 'ingress'] as const).every(
    (direction) => judge(snapshot, direction, flow).verdict !== 'deny',
  );
}

test('every witness holds before and after, and a connection changes exactly when a line covers it', () => {
  fc.assert(
    fc.property(two, ({ before, after }) => {
      const comparison = compare(before, after, true);
      for (const { kind, witness } of comparison.lines) {
        const { flow } = witness;
        const ends = { from: nameOf(witness.from), to: nameOf(witness.to) };
        const was = isOpen(before, ends, flow);
        const is = isOpen(after, ends, flow);
        expect([was, is], JSON.stringify(witness)).toEqual(
          kind === 'opens' ? [false, true] : kind === 'closes' ? [true, false] : [is, is],
        );
      }
      for (const sample of flows(before, after)) {
        const { flow } = sample;
        const changes = isOpen(before, sample, flow) !== isOpen(after, sample, flow);
        expect(isCovered(comparison, before, sample), JSON.stringify(flow)).toBe(changes);
      }
    }),
    { numRuns: 200 },
  );
}, 120_000);

/** `namespace/pod`, `node/NAME` or an address. */
type Ends = { readonly from: string; readonly to: string };
type Sample = Ends & { readonly flow: PolicyFlow };

function nameOf({ name, address }: WitnessEnd): string {
  if (name.startsWith('pod ')) return name.slice(4);
  return name.startsWith('node ') ? `node/${name.slice(5)}` : address;
}

function flows(before: ClusterModel, after: ClusterModel): readonly Sample[] {
  const pods = [...before.pods].filter(([, each]) => !each.hostNetwork);
  const nodes = new Map([...before.nodes, ...after.nodes]);
  const ends = ([4, 6] as const).flatMap((family) => [
    ...pods
      .filter(([, each]) => addressOf(each, family) !== undefined)
      .map(([key]) => ({ family, name: key, end: { kind: 'pod' as const, key } })),
    ...[...nodes.values()].flatMap((each) => {
      const address = addressOf(each, family);
      return address === undefined
        ? []
        : [{ family, name: `node/${each.name}`, end: { kind: 'address' as const, address } }];
    }),
    ...worlds
      .filter((address) => address.includes(':') === (family === 6))
      .map((address) => ({ family, name: address, end: { kind: 'address' as const, address } })),
  ]);
  const ports: readonly (readonly [PolicyProtocol | 'other', number])[] = [
    ['tcp', 53],
    ['tcp', 80],
    ['tcp', 444],
    ['udp', 53],
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

function isCovered({ lines, find }: Comparison, model: ClusterModel, { flow, from, to }: Sample): boolean {
  const onOwnNode = (pod: string, name: string) => `node/${model.pods.get(pod)?.node}` === name;
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
