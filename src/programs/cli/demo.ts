/** `netloom demo`: a cluster network from nothing, a sample on it, the check with real packets, and what to try next. */
import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#api/object.ts';
import { createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { runCheck } from './check/connectivity.ts';
import { resultTable } from './check/table.ts';
import { applyObjects, clusterUp, timed, withElapsed } from './cluster.ts';
import { columns } from './columns.ts';
import { exitCodes, type Invocation } from './command.ts';
import { labShape } from './lab-options.ts';

const sample = new URL('../../../examples/hello.yaml', import.meta.url);

export async function run(invocation: Invocation): Promise<number> {
  const start = performance.now();
  const seconds = () => ((performance.now() - start) / 1000).toFixed(1);
  const progress = withElapsed(invocation.progress);
  const shape = labShape(invocation);
  const lab = await clusterUp({ ...shape, progress });
  const client = createClient({
    ...(await loadKubeconfig({ path: lab.kubeconfigPath })),
    requestsPerSecond: 1000,
  });
  await timed(progress, 'sample applied (examples/hello.yaml)', async () => {
    const documents = parseAllDocuments(await readFile(sample, 'utf8'));
    await applyObjects(
      client,
      documents.map((document) => document.toJS() as KubeObject),
    );
  }).finally(() => client.close());
  const results = await timed(progress, 'check done', () =>
    runCheck({ lab: shape.name, keep: false, onStep: (step) => progress(`check: ${step}`) }),
  );
  const failed = results.filter(({ ok }) => !ok).length;
  const named = shape.name === 'default' ? '' : ` --name ${shape.name}`;
  invocation.out('');
  invocation.out(resultTable(results));
  invocation.out('');
  invocation.out(
    failed === 0
      ? `All ${results.length} checks as they must, ${seconds()} s from the command. The cluster keeps running; try:`
      : `${failed} of ${results.length} checks went wrong. The cluster keeps running; look with:`,
  );
  const next = [
    [`./netloom kubectl${named} get pods -A -o wide`, '# what runs where'],
    [`./netloom kubectl${named} get subnets,blockclaims`, '# who has which addresses'],
    [`./netloom kubectl${named} exec deploy/client -- curl -s http://hello`, '# ask the sample'],
    [`./netloom lab exec${named} node1 nft list table inet netloom`, '# what a node holds'],
    [`./netloom lab down${named}`, '# remove all of it'],
  ];
  for (const line of columns(next, '  ')) invocation.out(line);
  return failed === 0 && results.length > 0 ? exitCodes.ok : exitCodes.failed;
}
