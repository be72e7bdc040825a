/**
 * A program of its own, so that its peak of memory is its own: reads a cluster and does what the controller does with it, or what one
 * node's agent does. Prints one line of JSON.
 */
import { createPolicyCompiler } from '#compile/policy/compile.ts';
import { surveyPolicies } from '#compile/policy/findings.ts';
import { readNamespace } from '#model/namespace.ts';
import { readNetworkPolicy } from '#model/networkpolicy.ts';
import { readPod } from '#model/pod.ts';
import { type TenantShape, tenantNamespace, tenantPods, tenantPolicies } from './policy-tenants.ts';

export type SelectionCost = {
  /** Of CPU time, of all its threads: what else runs on the machine hardly changes it. */
  readonly seconds: number;
  /** Of the whole process, at its most. */
  readonly peakBytes: number;
  /** So that nothing is measured that wasn't done. */
  readonly found: number;
};

const [who, text = '{}'] = process.argv.slice(2);
const cost = measure(who === 'controller' ? asController : asNode, JSON.parse(text) as TenantShape);
process.stdout.write(`${JSON.stringify(cost)}\n`);

/** Objects are made as they are read: of a real cluster they come off the wire, and are gone once read. */
function measure(work: (shape: TenantShape) => number, shape: TenantShape): SelectionCost {
  const before = process.cpuUsage();
  const found = work(shape);
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  return { seconds, peakBytes: process.resourceUsage().maxRSS * 1024, found };
}

/** Which pods each policy selects and where they are, and all that can't work. */
function asController(shape: TenantShape): number {
  const { pods, namespaces, policies } = readTenants(shape);
  const { problems, summary } = surveyPolicies({ pods, namespaces, policies, nodes: new Map() });
  return [...summary.values()].reduce((sum, { selectedPods }) => sum + selectedPods, problems.length);
}

function asNode(shape: TenantShape): number {
  const { pods, namespaces, policies } = readTenants(shape);
  const compiler = createPolicyCompiler('node0');
  for (const [key, policy] of policies) compiler.setPolicy(key, policy);
  for (const [key, namespace] of namespaces) compiler.setNamespace(key, namespace);
  for (const [key, pod] of pods) compiler.setPod(key, pod);
  return Object.keys(compiler.flush()?.put.policySubjects ?? {}).length;
}

function readTenants(shape: TenantShape) {
  const indexes = Array.from({ length: shape.namespaces }, (_, index) => index);
  return {
    namespaces: new Map(
      indexes.map((index) => {
        const namespace = readNamespace(tenantNamespace(index));
        return [namespace.name, namespace] as const;
      }),
    ),
    policies: new Map(
      indexes.flatMap((index) =>
        tenantPolicies(index).flatMap((each) => {
          const { value } = readNetworkPolicy(each);
          return value === undefined ? [] : [[value.key, value] as const];
        }),
      ),
    ),
    pods: new Map(
      tenantPods(shape).map((object) => {
        const pod = readPod(object);
        return [`${pod.namespace}/${pod.name}`, pod] as const;
      }),
    ),
  };
}
