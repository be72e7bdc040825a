/** `netloom why`: whether one may open a connection to another, and what decides it. */
import { type AskedEnd, type Question, readQuestion } from '#compile/answers/question.ts';
import { type Answer, explain } from '#compile/answers/why.ts';
import type { NamesAnswer } from '#intent/handover.ts';
import type { Lab } from '#lab/client.ts';
import type { ClusterModel } from '#model/cluster.ts';
import { readCluster } from '#model/cluster.ts';
import { overlay } from '#model/overlay.ts';
import { askDatapath, nodePodsOf } from './answers/datapaths.ts';
import { objectsIn } from './answers/objects.ts';
import { type Probed, probedLines, probeQuestion } from './answers/probe.ts';
import { clusterSource, problemLine, type Source } from './answers/source.ts';
import { answerLines } from './answers/why-text.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';
import { isURL, runRequest } from './why-request.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { values, operands, out, progress } = invocation;
  const { files, probe, output } = values;
  const [first] = operands;
  if (isURL(first) && operands.length === 1) return runRequest(invocation, first);
  if (operands.length < 2)
    throw new UsageError(`netloom why takes FROM TO [PROTO/PORT], or a URL, not ${JSON.stringify(first)}`);
  for (const option of ['from', 'method', 'header', 'gateway'])
    if (values[option] !== undefined) throw new UsageError(`netloom why: --${option} is for a URL`);
  if (files !== undefined && values.name !== undefined)
    throw new UsageError('netloom why: --files answers from files alone; leave out --name');
  if (files !== undefined && probe === true)
    throw new UsageError('netloom why: --probe sends packets, and files have no pods to send from');
  const source =
    typeof files === 'string' ? await fromFiles(files, progress) : await clusterSource(invocation);
  const { value, problems } = readCluster(source.objects);
  for (const problem of problems) progress(problemLine(problem));
  const lab = probe === true ? labToProbe(source) : undefined;
  const question = asked(value, operands, await lab?.addressesOf('outside'));
  const cluster = files === undefined ? await withNames(source, value, question, progress) : value;
  const answer = explain(cluster, question);
  if (answer === undefined) throw new UsageError(nothingInCommon(operands));
  const probes = lab === undefined ? undefined : await probed(lab, cluster, question);
  if (output === 'json') out(JSON.stringify({ ...answer, ...(probes === undefined ? {} : { probes }) }));
  else
    for (const line of [
      ...answerLines(answer),
      ...(probes === undefined ? [] : ['', ...probedLines(probes)]),
    ])
      out(line);
  return codeOf(answer, probes);
}

/** What pods are told of names only their node knows; without its word, no rule by name takes an address. */
async function withNames(
  { lab }: Source,
  cluster: ClusterModel,
  { from }: Question,
  progress: (line: string) => void,
): Promise<ClusterModel> {
  const node = from.kind === 'pod' ? from.pod.node : undefined;
  const asksNames = [...cluster.policies.values()].some(({ egress = [] }) =>
    egress.some(({ peers = [] }) => peers.some(({ kind }) => kind === 'name')),
  );
  if (node === undefined || !asksNames) return cluster;
  try {
    if (lab !== undefined && process.getuid?.() !== 0) throw new Error('a lab is entered as root; use sudo');
    const pod = (await nodePodsOf(lab)).find((each) => each.node === node);
    if (pod === undefined) throw new Error('Netloom does not run there');
    const { names } = await askDatapath<NamesAnswer>(lab, pod, '/v1/names?wait=0');
    const told = Object.entries(names).map(([name, { addresses }]) => [name, new Set(addresses)] as const);
    return { ...cluster, names: new Map(told) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    progress(`what pods of node ${node} were told of names is not known: ${reason}`);
    return cluster;
  }
}

async function fromFiles(paths: string, progress: (line: string) => void): Promise<Source> {
  const { objects, others } = await objectsIn(paths);
  for (const other of others) progress(`not looked at: ${other}`);
  const { value, problems } = overlay([], objects, 'apply');
  const [first] = problems;
  if (first !== undefined) throw new UsageError(problemLine(first));
  return { objects: value };
}

function asked(
  cluster: ClusterModel,
  [from = '', to = '', port]: readonly string[],
  outside: readonly string[] | undefined,
): Question {
  const question = readQuestion(cluster, { from, to, ...(port === undefined ? {} : { port }) }, outside);
  if ('refused' in question) throw new UsageError(`netloom why: ${question.refused}`);
  return question.value;
}

function nothingInCommon([from = '', to = '']: readonly string[]): string {
  return `netloom why: ${from} and ${to} have no address of one family, or the port that is asked for`;
}

function labToProbe({ lab }: Source): Lab {
  if (lab === undefined)
    throw new UsageError(
      'netloom why: --probe sends packets in a lab of this machine only; name one with --name',
    );
  if (process.getuid?.() !== 0)
    throw new UsageError(
      'netloom why: --probe needs root: it enters namespaces of the lab; run it with sudo',
    );
  return lab;
}

async function probed(lab: Lab, cluster: ClusterModel, question: Question): Promise<readonly Probed[]> {
  const isService = (end: AskedEnd) => end.kind === 'service';
  if (question.port === undefined && !isService(question.to))
    throw new UsageError('netloom why: --probe needs a port, such as tcp/80');
  return probeQuestion(lab, cluster, question);
}

/** Denied, or not what the packet said. */
function codeOf({ verdict }: Answer, probes: readonly Probed[] = []): number {
  return verdict === 'allowed' && probes.every(({ agrees }) => agrees !== false)
    ? exitCodes.ok
    : exitCodes.failed;
}
