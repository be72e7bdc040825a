/** What a browser is asked to compute, out of nothing but objects: the compile of a node, a difference, an answer. */
import { diffClusters, snapshotOf } from '#compile/answers/diff.ts';
import { readQuestion } from '#compile/answers/question.ts';
import { explain } from '#compile/answers/why.ts';
import { compilePolicy } from '#compile/policy/compile.ts';
import { judge } from '#compile/policy/decide.ts';
import { readCluster } from '#model/cluster.ts';
import { overlay } from '#model/overlay.ts';

export type Input = {
  readonly cluster: Parameters<typeof overlay>[0];
  readonly files: Parameters<typeof overlay>[1];
  readonly node: string;
  readonly from: string;
  readonly to: string;
  readonly port: string;
};

/** Plain data: it crosses from one engine to the other as JSON. */
export function answers({ cluster, files, node, from, to, port }: Input): object {
  const base = overlay([], cluster, 'apply').value;
  const before = readCluster(base);
  const after = readCluster(overlay(base, files, 'apply').value);
  const question = readQuestion(after.value, { from, to, port });
  const snapshot = snapshotOf(after.value);
  const [source, target] = [...after.value.pods.keys()].map((key) => ({ kind: 'pod', key }) as const);
  return {
    problems: after.problems,
    compiled: compilePolicy(snapshot, node),
    difference: diffClusters(before.value, after.value, { reasons: true }),
    answer: 'refused' in question ? question : explain(after.value, question.value),
    judgement:
      source === undefined || target === undefined
        ? undefined
        : judge(snapshot, 'egress', { from: source, to: target, protocol: 'tcp', port: 80, family: 4 }),
  };
}
