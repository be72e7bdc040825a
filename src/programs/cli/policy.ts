/** `netloom policy`: what each rule of each policy decided, summed over the nodes. */
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { PolicyCount } from '#intent/handover.ts';
import { formatOrigin } from '#intent/origin.ts';
import { createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Lab } from '#lab/client.ts';
import { run as runProgram } from '#system/process.ts';
import { paths } from '#system/registry.ts';
import { labAsked } from './answers/source.ts';
import { columns } from './columns.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';

const nodePods = 'app.kubernetes.io/name=netloom,app.kubernetes.io/component=node';

type NodePod = { readonly node: string; readonly namespace: string; readonly name: string };
type PodObject = KubeObject & { readonly spec?: { readonly nodeName?: string } };

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
        return await countsOf(lab, pod);
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

async function nodePodsOf(lab: Lab | undefined): Promise<readonly NodePod[]> {
  const client = createClient(await loadKubeconfig(lab === undefined ? {} : { path: lab.kubeconfigPath }));
  try {
    const { items } = await client.list<PodObject>(podType, { labelSelector: nodePods });
    return items.flatMap(({ metadata, spec }) =>
      spec?.nodeName === undefined
        ? []
        : [{ node: spec.nodeName, namespace: metadata.namespace ?? '', name: metadata.name }],
    );
  } finally {
    client.close();
  }
}

/** The socket is on the node: in a lab it is entered, elsewhere kubectl reaches into the datapath's container. */
async function countsOf(
  lab: Lab | undefined,
  { node, namespace, name }: NodePod,
): Promise<readonly PolicyCount[]> {
  const url = 'http://datapath/v1/policy-counters';
  const curl = ['curl', '-sS', '--fail', '--unix-socket', paths.datapathSocket.value, url];
  const { code, stdout, stderr } =
    lab === undefined
      ? await runProgram(['kubectl', 'exec', '-n', namespace, name, '-c', 'datapath', '--', ...curl])
      : await lab.exec(node, curl);
  if (code !== 0) throw new Error(stderr.trim() || `exit code ${code}`);
  return JSON.parse(stdout) as readonly PolicyCount[];
}
