/** What policy costs to compute: a whole cluster, one node of it, and one change among more and more policies. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createPolicyCompiler, type PolicyCompiler } from '#compile/policy/compile.ts';
import { readNamespace } from '#model/namespace.ts';
import { readNetworkPolicy } from '#model/networkpolicy.ts';
import { readPod } from '#model/pod.ts';
import { type Bench, type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median } from '#programs/cli/bench/statistics.ts';
import type { SelectionCost } from './policy-selection.ts';
import {
  policiesEach,
  type TenantShape,
  tenantNamespace,
  tenantPod,
  tenantPods,
  tenantPolicies,
} from './policy-tenants.ts';

export const policyCompute: Bench = {
  name: 'policy-compute',
  summary:
    'computing policy: a cluster of 100,000 pods and 75,000 policies, and one change among 100 to 10,000',
  run: async (options) => [...(await measureWhole(options)), ...measureChanges(options)],
};

/** Antrea's own bench of its controller, as it is published: 25,000 namespaces of 4 pods and 3 NetworkPolicies. */
const published = { seconds: 5.8, bytes: 1.5 * 1024 ** 3 };
const whole: TenantShape = { namespaces: 25_000, podsEach: 4, podsPerNode: 100 };

async function measureWhole({ quick, progress }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const who of ['controller', 'node'] as const) {
    const runs: SelectionCost[] = [];
    for (let run = 0; run < (quick ? 1 : 5); run++) runs.push(await selection(who, whole));
    const seconds = median(runs.map((each) => each.seconds));
    const bytes = median(runs.map((each) => each.peakBytes));
    progress(`${who}: ${seconds.toFixed(1)} s, ${(bytes / 1024 ** 2).toFixed(0)} MiB`);
    const what =
      who === 'controller' ? 'whole cluster read and selected' : 'whole cluster read, one node compiled';
    const size = whole.namespaces * policiesEach;
    rows.push(
      row({
        name: `${what}: time`,
        size,
        value: seconds,
        unit: 's',
        against: { what: "Antrea's controller, published", value: published.seconds },
        goal: { of: 'value', atMost: published.seconds },
      }),
      row({
        name: `${what}: peak memory`,
        size,
        value: bytes / 1024 ** 3,
        unit: 'GiB',
        against: { what: "Antrea's controller, published", value: published.bytes / 1024 ** 3 },
        goal: { of: 'value', atMost: published.bytes / 1024 ** 3 },
      }),
    );
  }
  return rows;
}

async function selection(who: 'controller' | 'node', shape: TenantShape): Promise<SelectionCost> {
  const program = new URL('policy-selection.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [program, who, JSON.stringify(shape)]);
  return JSON.parse(stdout) as SelectionCost;
}

/** Ten pods a policy, a hundred on the node. */
const changeSizes = [99, 999, 9_999] as const;
const goalMs = 1;

function measureChanges({ quick, progress }: BenchOptions): Row[] {
  const smallest = new Map<string, number>();
  return (quick ? changeSizes.slice(0, 2) : changeSizes).flatMap((size) => {
    const shape = { namespaces: size / policiesEach, podsEach: 10 * policiesEach, podsPerNode: 100 };
    const compiler = fill(shape);
    const samples = sample(compiler, shape, quick ? 100 : 300);
    return [...samples].map(([name, list]) => {
      const value = median(list);
      const first = smallest.get(name) ?? value;
      smallest.set(name, first);
      progress(`${size} policies, ${name}: ${value.toFixed(3)} ms`);
      return row({
        name,
        size,
        value,
        unit: 'ms',
        against: { what: `with ${changeSizes[0]} policies`, value: first },
        goal: { of: 'value', atMost: goalMs },
      });
    });
  });
}

function fill(shape: TenantShape): PolicyCompiler {
  const compiler = createPolicyCompiler('node0');
  for (let index = 0; index < shape.namespaces; index++) {
    const namespace = readNamespace(tenantNamespace(index));
    compiler.setNamespace(namespace.name, namespace);
    setPolicies(compiler, index);
  }
  for (const object of tenantPods(shape)) setPod(compiler, object);
  compiler.flush();
  return compiler;
}

/** In turns, each change and its way back; only the change is measured. */
function sample(compiler: PolicyCompiler, shape: TenantShape, rounds: number): Map<string, number[]> {
  const nodes = Math.ceil((shape.namespaces * shape.podsEach) / shape.podsPerNode);
  // The first pod is of the node and of the first namespace; the first namespace's second pod is elsewhere, or the node is the only one.
  const local = 0;
  const remote = Array.from({ length: shape.podsEach }, (_, slot) => slot * shape.namespaces).find(
    (index) => index % nodes !== 0,
  );
  const pod = (index: number, labels?: Readonly<Record<string, string>>) => tenantPod(index, shape, labels);
  const key = (index: number) => {
    const { metadata } = pod(index);
    return `${metadata.namespace}/${metadata.name}`;
  };
  const changes: Record<string, readonly [() => void, () => void]> = {
    'a pod of the node comes': [
      () => setPod(compiler, pod(local)),
      () => compiler.setPod(key(local), undefined),
    ],
    'a pod elsewhere comes': [
      () => setPod(compiler, pod(remote ?? local)),
      () => compiler.setPod(key(remote ?? local), undefined),
    ],
    'a label of a pod of the node changes': [
      () => setPod(compiler, pod(local, { app: 'client' })),
      () => setPod(compiler, pod(local)),
    ],
    'a label of a pod elsewhere changes': [
      () => setPod(compiler, pod(remote ?? local, { app: 'other' })),
      () => setPod(compiler, pod(remote ?? local)),
    ],
    'a policy of pods of the node is edited': [
      () => setPolicies(compiler, 0, 8080),
      () => setPolicies(compiler, 0),
    ],
  };
  const samples = new Map<string, number[]>(Object.keys(changes).map((name) => [name, []]));
  for (let round = -20; round < rounds; round++)
    for (const [name, [there, back]] of Object.entries(changes)) {
      back();
      compiler.flush();
      const started = performance.now();
      there();
      compiler.flush();
      if (round >= 0) samples.get(name)?.push(performance.now() - started);
      back();
      compiler.flush();
    }
  return samples;
}

function setPod(compiler: PolicyCompiler, object: ReturnType<typeof tenantPod>): void {
  const pod = readPod(object);
  compiler.setPod(`${pod.namespace}/${pod.name}`, pod);
}

function setPolicies(compiler: PolicyCompiler, index: number, port?: number): void {
  for (const each of tenantPolicies(index, port)) {
    const { value } = readNetworkPolicy(each);
    if (value !== undefined) compiler.setPolicy(value.key, value);
  }
}
