/** `netloom diff`: which connections would open and which would close if files were applied. */

import type { KubeObject } from '#api/object.ts';
import { type Difference, diffClusters } from '#compile/answers/diff.ts';
import { formatOrigin } from '#intent/origin.ts';
import { isRead, readCluster } from '#model/cluster.ts';
import { defaulted, overlay } from '#model/overlay.ts';
import { originOf, type Problem } from '#model/problem.ts';
import { diffLines, diffMarkdown, type Report } from './answers/diff-text.ts';
import { readFlows } from './answers/flows.ts';
import { objectsIn } from './answers/objects.ts';
import { clusterSource, problemLine } from './answers/source.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { values, out, progress } = invocation;
  const { files, against, output, prune, observed } = values;
  if (typeof files !== 'string') throw new UsageError('netloom diff needs -f FILE|DIR');
  if (against !== undefined && values.name !== undefined)
    throw new UsageError('netloom diff: --against asks no cluster; leave out --name');
  if (prune === true && (typeof against !== 'string' || values.delete === true))
    throw new UsageError('netloom diff: --prune goes with --against, and not with --delete');
  const flows = typeof observed === 'string' ? await readFlows(observed) : undefined;
  const { objects: given, others } = await objectsIn(files);
  const base =
    typeof against === 'string'
      ? overlay([], (await objectsIn(against)).objects, 'apply')
      : { value: (await clusterSource(invocation)).objects, problems: [] };
  const changed = overlay(
    prune === true ? [] : base.value,
    given,
    values.delete === true ? 'delete' : 'apply',
  );
  const before = readCluster(base.value);
  const after = readCluster(changed.value);
  const ignored = [...unread(given), ...others];
  for (const line of ignored) progress(`not looked at: ${line}`);
  const known = new Set(before.problems.map(problemLine));
  const own = [...changed.problems, ...after.problems.filter(isOf(given))].map(problemLine);
  const bad = new Set([...base.problems.map(problemLine), ...own]);
  for (const line of new Set([...known, ...bad])) progress(line);
  const difference = diffClusters(before.value, after.value, {
    reasons: values.reasons === true,
    ...(flows === undefined ? {} : { observed: flows }),
  });
  const report: Report = {
    ...difference,
    notes: [...changed.notes, ...difference.notes],
    problems: [...bad],
    notLookedAt: ignored,
  };
  if (output === 'json') out(JSON.stringify(report));
  else for (const line of output === 'markdown' ? diffMarkdown(report) : diffLines(report)) out(line);
  return bad.size > 0 ? exitCodes.usage : changes(difference) ? exitCodes.failed : exitCodes.ok;
}

function changes({ opens, closes }: Difference): boolean {
  return opens.length + closes.length > 0;
}

/** Only what the files say wrong is the author's to mend. */
function isOf(files: readonly KubeObject[]): (problem: Problem) => boolean {
  const names = new Set(files.map((file) => formatOrigin(originOf(defaulted(file)))));
  return ({ object: { kind, namespace, name } }) =>
    names.has(formatOrigin({ kind, name, ...(namespace === undefined ? {} : { namespace }) }));
}

function unread(files: readonly KubeObject[]): string[] {
  const others = Map.groupBy(
    files.filter((object) => !isRead(object)),
    ({ apiVersion, kind }) => `${kind} (${apiVersion})`,
  );
  const list = [...others].map(([kind, objects]) => `${objects.length} ${kind}`);
  return list.length === 0 ? [] : [list.join(', ')];
}
