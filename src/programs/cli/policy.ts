/** `netloom policy`: what each rule of each policy decided, summed over the nodes; of one NetworkPolicy its state, too. */
import { leaseType } from '#api/core.ts';
import type { PolicyCount } from '#intent/handover.ts';
import { formatOrigin } from '#intent/origin.ts';
import { createClient } from '#kube/client.ts';
import type { NewCondition } from '#kube/conditions.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Lab } from '#lab/client.ts';
import { systemNamespace } from '../node-lease.ts';
import { askDatapath, nodePodsOf } from './answers/datapaths.ts';
import { objectsOf } from './answers/objects.ts';
import { labAsked } from './answers/source.ts';
import { columns } from './columns.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';
import { networkPolicyState } from './policy-state.ts';

/** A rule over all nodes where it is in force. */
export type RuleSum = PolicyCount & { readonly nodes: number };

export async function run(invocation: Invocation): Promise<number> {
  const { values, out, progress } = invocation;
  const lab = await labAsked(invocation);
  if (lab !== undefined && process.getuid?.() !== 0)
    throw new UsageError(
      'netloom policy: needs root for a lab: it enters namespaces of it; run it with sudo',
    );
  const one = await stateOf(lab, invocation.operands[0]);
  const all = await nodePodsOf(lab);
  const wanted = all.filter(({ node }) => values.node === undefined || node === values.node);
  if (wanted.length === 0)
    throw new UsageError(
      values.node === undefined
        ? 'netloom policy: no node of this cluster runs Netloom'
        : `netloom policy: --node: Netloom runs on no node ${String(values.node)}`,
    );
  let failed = false;
  const counts = await Promise.all(
    wanted.map(async (pod) => {
      try {
        return await askDatapath<readonly PolicyCount[]>(lab, pod, '/v1/policy-counters');
      } catch (error) {
        failed = true;
        progress(`node ${pod.node}: ${error instanceof Error ? error.message : String(error)}`);
        return [];
      }
    }),
  );
  const sums = sumsOf(counts).filter(({ policy }) => one === undefined || isOf(policy, one));
  if (values.output === 'json')
    out(JSON.stringify(one === undefined ? sums : { conditions: one.conditions, rules: sums }));
  else {
    if (one !== undefined) for (const line of stateLines(one)) out(line);
    for (const line of policyLines(sums)) out(line);
  }
  return failed ? exitCodes.failed : exitCodes.ok;
}

type State = {
  readonly namespace: string;
  readonly name: string;
  readonly conditions: readonly NewCondition[];
};

async function stateOf(lab: Lab | undefined, operand: string | undefined): Promise<State | undefined> {
  if (operand === undefined) return undefined;
  const [namespace = '', name = '', ...more] = operand.split('/');
  if (namespace === '' || name === '' || more.length > 0)
    throw new UsageError(
      `netloom policy: ${operand} is no NAMESPACE/NAME of a NetworkPolicy; other kinds have a status (kubectl describe)`,
    );
  const client = createClient(await loadKubeconfig(lab === undefined ? {} : { path: lab.kubeconfigPath }));
  try {
    const { items: leases } = await client.list(leaseType, { namespace: systemNamespace });
    const conditions = networkPolicyState({ namespace, name }, await objectsOf(client), leases, Date.now());
    if (conditions === undefined)
      throw new UsageError(`netloom policy: there is no NetworkPolicy ${operand}`);
    return { namespace, name, conditions };
  } finally {
    client.close();
  }
}

function isOf(policy: RuleSum['policy'], { namespace, name }: State): boolean {
  return policy?.kind === 'NetworkPolicy' && policy.namespace === namespace && policy.name === name;
}

function stateLines({ conditions }: State): string[] {
  const rows = conditions.map(({ type, status, reason, message }) => [type, status, reason, message]);
  return [...columns([['CONDITION', 'STATUS', 'REASON', 'MESSAGE'], ...rows]), ''];
}

/** By policy and rule; what no policy decides comes last. */
export function sumsOf(nodes: readonly (readonly PolicyCount[])[]): readonly RuleSum[] {
  const sums = new Map<string, RuleSum>();
  for (const counts of nodes)
    for (const count of counts) {
      const key = keyOf(count);
      const before = sums.get(key);
      const connections = (before?.connections ?? 0) + count.connections;
      sums.set(key, { ...count, connections, nodes: (before?.nodes ?? 0) + 1 });
    }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum);
}

function keyOf({ policy, direction, verdict }: PolicyCount): string {
  return [policy === undefined ? '~' : formatOrigin(policy), direction ?? '', verdict].join(' ');
}

export function policyLines(sums: readonly RuleSum[]): string[] {
  if (sums.length === 0) return ['no policy is in force on these nodes'];
  const rows = sums.map(({ policy, direction, verdict, connections, nodes }) => {
    const { rule, ...object } = policy ?? { rule: undefined, kind: '', name: '' };
    return [
      policy === undefined ? 'no policy' : formatOrigin(object),
      policy === undefined ? '' : (rule ?? 'isolates, and no rule allows'),
      direction ?? '',
      verdict === 'audit' ? 'would deny' : verdict,
      connections === 0 ? 'never' : String(connections),
      String(nodes),
    ];
  });
  return columns([['POLICY', 'RULE', 'DIRECTION', 'VERDICT', 'CONNECTIONS', 'NODES'], ...rows]);
}
