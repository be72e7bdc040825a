/** `netloom policy`: what each rule of each policy decided, summed over the nodes. */
import type { PolicyCount } from '#intent/handover.ts';
import { formatOrigin } from '#intent/origin.ts';
import { askDatapath, nodePodsOf } from './answers/datapaths.ts';
import { labAsked } from './answers/source.ts';
import { columns } from './columns.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';

/** A rule over all nodes where it is in force. */
export type RuleSum = PolicyCount & { readonly nodes: number };

export async function run(invocation: Invocation): Promise<number> {
  const { values, out, progress } = invocation;
  const lab = await labAsked(invocation);
  if (lab !== undefined && process.getuid?.() !== 0)
    throw new UsageError(
      'netloom policy: needs root for a lab: it enters namespaces of it; run it with sudo',
    );
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
  const sums = sumsOf(counts);
  if (values.output === 'json') out(JSON.stringify(sums));
  else for (const line of policyLines(sums)) out(line);
  return failed ? exitCodes.failed : exitCodes.ok;
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
