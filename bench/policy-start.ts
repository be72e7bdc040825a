/** What policy adds to CNI ADD: pods that no policy selects, replicas of a restricted one, and pods that are judged like no other yet. */
import type { PolicyDecisionIntent, PolicySubjectIntent } from '#intent/policy.ts';
import { type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median, pairedRatio, percentile } from '#programs/cli/bench/statistics.ts';
import type { Ground } from './nodes.ts';
import { makePods, removePods } from './plugins.ts';
import { namespaceOf } from './policy-cluster.ts';
import { type PolicyNode, podIntents } from './policy-node.ts';

const sorts = ['free', 'replica', 'first'] as const;
type Sort = (typeof sorts)[number];
/** Milliseconds of ADD alone, and with the word of the pod that the datapath must have first. */
type Taken = Record<Sort, { readonly add: number[]; readonly told: number[] }>;

const addedAtMost = { of: 'value', atMost: 2 } as const;
/** Nobody's. */
const freshClasses = { ingress: 4001, egress: 4002 } as const;

export async function measurePolicyStart(
  ground: Ground,
  node: PolicyNode,
  { quick, progress }: BenchOptions,
): Promise<Row[]> {
  const rounds = quick ? 15 : 150;
  progress(`pod starts under ${node.size} policies, ${rounds} rounds`);
  const taken: Taken = {
    free: { add: [], told: [] },
    replica: { add: [], told: [] },
    first: { add: [], told: [] },
  };
  for (let round = 0; round < rounds; round++) {
    const first = node.cluster.pods + sorts.length * round;
    const names = sorts.map((_, index) => node.cluster.nameOf(first + index));
    await makePods(ground, names);
    for (const step of sorts.keys()) {
      const index = (round + step) % sorts.length;
      await start(node, first + index, taken, sorts[index]!);
    }
    await removePods(ground, names);
  }
  return rowsOf(taken, node.size);
}

async function start(node: PolicyNode, pod: number, taken: Taken, sort: Sort): Promise<void> {
  const { cluster, plugin } = node;
  const [name, namespace, key] = [cluster.nameOf(pod), namespaceOf(pod), cluster.keyOf(pod)];
  const policy = policyOf(node, pod, sort);
  const started = performance.now();
  await node.node.send({
    namespaces: { [namespace]: { subnet: 'default' } },
    pods: podIntents(cluster, [pod]),
    ...policy,
  });
  const word = performance.now() - started;
  const add = await plugin.call('ADD', name, namespace);
  taken[sort].add.push(add);
  taken[sort].told.push(word + add);
  await plugin.call('DEL', name, namespace);
  await node.node.send(
    {},
    {
      remove: {
        pods: [key],
        policySubjects: Object.keys(policy.policySubjects ?? {}),
        policyDecisions: Object.keys(policy.policyDecisions ?? {}),
      },
    },
  );
}

type Policy = {
  readonly policySubjects?: Readonly<Record<string, PolicySubjectIntent>>;
  readonly policyDecisions?: Readonly<Record<string, PolicyDecisionIntent>>;
};

/** Restricted as the pair's server is, in its classes or in new ones that decide the same. */
function policyOf({ cluster, policy, pair }: PolicyNode, pod: number, sort: Sort): Policy {
  if (sort === 'free') return {};
  const model = policy.policySubjects?.[pair.pods[1]];
  if (model === undefined) throw new Error(`${pair.pods[1]} is not restricted`);
  const subject = { ...model, uid: cluster.nameOf(pod) };
  const key = cluster.keyOf(pod);
  if (sort === 'replica') return { policySubjects: { [key]: subject } };
  const decisions = (['ingress', 'egress'] as const).flatMap((direction) =>
    Object.entries(policy.policyDecisions ?? {}).flatMap(([pairKey, decision]) => {
      const [policyClass, identity] = pairKey.split('/');
      return policyClass === String(model[direction])
        ? [[`${freshClasses[direction]}/${identity}`, decision] as const]
        : [];
    }),
  );
  return {
    policySubjects: { [key]: { ...subject, ...freshClasses } },
    policyDecisions: Object.fromEntries(decisions),
  };
}

function rowsOf({ free, ...restricted }: Taken, size: number): Row[] {
  const added = (
    name: string,
    mine: readonly number[],
    other: readonly number[],
    goal?: typeof addedAtMost,
  ) =>
    row({
      name,
      size,
      unit: 'ms',
      value: median(mine.map((value, round) => value - other[round]!)),
      against: { what: 'no policy, whole', value: median(other) },
      ratio: pairedRatio(mine, other),
      ...(goal === undefined ? {} : { goal }),
    });
  const { replica, first } = restricted;
  return [
    added('ADD of a replica, added by policy', replica.add, free.add, addedAtMost),
    added('ADD of a new class, added by policy', first.add, free.add, addedAtMost),
    added('word of it and ADD, replica, added', replica.told, free.told),
    added('word of it and ADD, new class, added', first.told, free.told),
    row({
      name: 'ADD of a replica, p99',
      size,
      unit: 'ms',
      value: percentile(replica.add, 99),
      against: { what: 'no policy, p99', value: percentile(free.add, 99) },
    }),
  ];
}
