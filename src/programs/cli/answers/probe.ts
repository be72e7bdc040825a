/** Real packets for a question: sent where its source is, and held against what the model says. */
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { AskedEnd, Question } from '#compile/answers/question.ts';
import { type Answer, explain, type Path } from '#compile/answers/why.ts';
import { defaultSubnet } from '#compile/topology/entries.ts';
import type { EndpointStatus } from '#intent/handover.ts';
import { createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Lab } from '#lab/client.ts';
import { inNode } from '#lab/paths.ts';
import type { Outcome, Probe, ProbeResult } from '#lab/probe/types.ts';
import type { ClusterModel } from '#model/cluster.ts';
import type { Family } from '#net/addr.ts';
import { paths as places } from '#system/registry.ts';
import { openOutside } from '../check/outside.ts';
import { UsageError } from '../command.ts';

export type Probed = {
  readonly family: Family;
  /** `tcp/80 to 10.96.0.7`. */
  readonly packet: string;
  readonly model: Answer['verdict'];
  readonly outcome: Outcome;
  /** Absent: this packet can't tell. */
  readonly agrees?: boolean;
};

/** Longer than a SYN that is sent again. */
const timeoutMs = 2500;
const probeProgram = `${inNode.source}/src/lab/probe/main.ts`;

export async function probeQuestion(
  lab: Lab,
  cluster: ClusterModel,
  question: Question,
): Promise<readonly Probed[]> {
  const wanted = ([4, 6] as const).flatMap((family) => {
    const answer = explain(cluster, question, [family]);
    return answer === undefined ? [] : targetsOf(cluster, question, answer, family);
  });
  const probes = wanted.map(({ probe }) => probe);
  const results = await sendFrom(lab, cluster, question, probes);
  return wanted.flatMap(({ probe, family, model }): Probed[] => {
    const result = results.find(({ id }) => id === probe.id);
    if (result === undefined) return [];
    const agrees = agreement(model, probe.kind, result.outcome);
    const packet = `${probe.kind === 'ping' ? 'icmp' : `${probe.kind}/${probe.port}`} to ${probe.target}`;
    return [{ family, packet, model, outcome: result.outcome, ...(agrees === undefined ? {} : { agrees }) }];
  });
}

export function probedLines(probes: readonly Probed[]): string[] {
  return probes.map(({ packet, outcome, agrees }) => {
    const said =
      agrees === undefined ? 'which tells nothing' : agrees ? 'as the model says' : 'NOT as the model says';
    return `packet ${packet}: ${outcome}, ${said}`;
  });
}

type Target = { readonly probe: Probe; readonly family: Family; readonly model: Answer['verdict'] };

/** Of a Service, one packet to each frontend: which backend gets it is not ours to choose. */
function targetsOf(
  cluster: ClusterModel,
  question: Question,
  { paths }: Answer,
  family: Family,
): readonly Target[] {
  const byPlace = Map.groupBy(paths, (path) => {
    const service = path.steps.find((step) => step.kind === 'service');
    const { protocol = 'other', first = 0 } = path.ports[0] ?? {};
    const at = service?.frontend ?? { address: path.to[0]?.addresses[0] ?? '', port: first };
    return JSON.stringify([protocol, at.address, at.port]);
  });
  return [...byPlace].flatMap(([key, own]): Target[] => {
    const [protocol, target, port] = JSON.parse(key) as [string, string, number];
    const kind =
      protocol === 'other' ? 'ping' : protocol === 'tcp' || protocol === 'udp' ? protocol : undefined;
    if (kind === undefined) throw new UsageError('netloom why: --probe sends TCP, UDP and ICMP, no SCTP');
    const probe: Probe = { id: `${family} ${key}`, kind, target, port, timeoutMs };
    // Through another node the answer may be another one: the packet goes through this.
    const to = { kind: 'address', address: target } as const;
    const model =
      kind === 'ping' || question.to.kind !== 'service'
        ? verdictOf(own)
        : explain(cluster, { ...question, to, port: { protocol: kind, port } }, [family])?.verdict;
    return [{ probe, family, model: model ?? 'partly' }];
  });
}

function verdictOf(paths: readonly Path[]): Answer['verdict'] {
  const [first, ...more] = new Set(paths.map(({ verdict }) => verdict));
  return first === undefined || more.length > 0 ? 'partly' : first;
}

/** Policy drops without a word. A UDP packet that nobody answers may have arrived. */
function agreement(model: Answer['verdict'], kind: Probe['kind'], outcome: Outcome): boolean | undefined {
  if (model === 'partly' || outcome === 'failed') return undefined;
  if (model === 'refused') return outcome === 'refused';
  if (model === 'denied') return outcome === 'silent';
  return outcome === 'silent' ? (kind === 'udp' ? undefined : false) : true;
}

async function sendFrom(
  lab: Lab,
  cluster: ClusterModel,
  { from }: Pick<Question, 'from'>,
  probes: readonly Probe[],
): Promise<readonly ProbeResult[]> {
  const program = ['node', probeProgram, JSON.stringify(probes)];
  switch (from.kind) {
    case 'pod': {
      const { hostNetwork, node = '' } = from.pod;
      const inside = hostNetwork ? [] : ['ip', 'netns', 'exec', await netnsOf(lab, node, from.key)];
      return resultsOf(lab, node, [...inside, ...program]);
    }
    case 'node':
      return resultsOf(lab, from.name, program);
    case 'world': {
      const outside = await openOutside(lab, await modeOf(lab));
      try {
        return await outside.probe(probes);
      } finally {
        await outside.close();
      }
    }
    case 'address':
      return sendFrom(lab, cluster, { from: await holderOf(lab, cluster, from.address) }, probes);
    case 'service':
      return [];
  }
}

/** The pod, node or machine outside that has an address. */
async function holderOf(
  lab: Lab,
  { pods, nodes }: ClusterModel,
  address: string,
): Promise<Exclude<AskedEnd, { kind: 'address' }>> {
  const node = [...nodes.values()].find(({ addresses }) => addresses.includes(address));
  if (node !== undefined) return { kind: 'node', name: node.name };
  for (const [key, pod] of pods)
    if (!pod.ended && !pod.hostNetwork && pod.addresses.includes(address)) return { kind: 'pod', key, pod };
  if ((await lab.addressesOf('outside')).includes(address)) return { kind: 'world' };
  throw new UsageError(`netloom why: --probe can send from no machine that has ${address}`);
}

async function resultsOf(lab: Lab, node: string, argv: readonly string[]): Promise<readonly ProbeResult[]> {
  const { code, stdout, stderr } = await lab.exec(node, argv, { timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`the probe on ${node} ended with ${code}: ${stderr.trim()}`);
  return JSON.parse(stdout) as ProbeResult[];
}

/** The datapath of its node knows its network namespace. */
async function netnsOf(lab: Lab, node: string, key: string): Promise<string> {
  const url = 'http://datapath/v1/endpoints';
  const { stdout } = await lab.exec(node, ['curl', '-sS', '--unix-socket', places.datapathSocket.value, url]);
  const endpoints = JSON.parse(stdout === '' ? '[]' : stdout) as readonly EndpointStatus[];
  const found = endpoints.find(({ pod }) => `${pod.namespace}/${pod.name}` === key);
  if (found === undefined) throw new Error(`node ${node} has no network for pod ${key} yet`);
  return found.containerID;
}

async function modeOf(lab: Lab): Promise<'overlay' | 'routed' | 'underlay'> {
  const client = createClient(await loadKubeconfig({ path: lab.kubeconfigPath }));
  try {
    return (await client.get<Subnet>(subnetKind, defaultSubnet)).spec.mode ?? 'overlay';
  } finally {
    client.close();
  }
}
