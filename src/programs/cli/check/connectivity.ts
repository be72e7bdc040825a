/** The whole check of a lab: deploys, probes, forges, judges. */
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import { defaultSubnet } from '#compile/topology/entries.ts';
import type { SubnetMode } from '#intent/node.ts';
import { type Client, type ClientConfig, createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { type Lab, openLab } from '#lab/client.ts';
import { inNode } from '#lab/paths.ts';
import type { ProbeResult } from '#lab/probe/types.ts';
import { connectivityCases } from './cases.ts';
import { deployCheck, removeCheck } from './deploy.ts';
import type { CheckFacts, Family } from './facts.ts';
import { forgeryResults } from './forged.ts';
import { checkNodes, leftOutResults } from './nodes.ts';
import { checkNamespace } from './objects.ts';
import { openOutside } from './outside.ts';
import { execInPod } from './pod-exec.ts';
import { type CaseResult, runCases } from './run.ts';

export type CheckOptions = {
  readonly lab: string;
  /** Leave the check's namespace behind, for a look around. */
  readonly keep: boolean;
  /** Told of each step as it begins. */
  readonly onStep?: (text: string) => void;
};

const probeProgram = `${inNode.source}/src/lab/probe/main.ts`;

/** Throws when the check itself can't be made; a packet that went wrong is a result, and a node that is down is one, too. */
export async function runCheck({ lab: name, keep, onStep }: CheckOptions): Promise<readonly CaseResult[]> {
  const lab = await openLab(name);
  const config = await loadKubeconfig({ path: lab.kubeconfigPath });
  const client = createClient(config);
  try {
    return await checkLab(lab, config, client, onStep);
  } finally {
    if (!keep) await removeCheck(client);
    client.close();
  }
}

async function checkLab(
  lab: Lab,
  config: ClientConfig,
  client: Client,
  onStep: CheckOptions['onStep'],
): Promise<readonly CaseResult[]> {
  const all = await checkNodes(client);
  const down = all.flatMap(({ name, notReady }) => (notReady === undefined ? [] : [{ name, why: notReady }]));
  const up = all.filter(({ notReady }) => notReady === undefined);
  for (const { why } of down) onStep?.(`${why}; the others are checked`);
  if (up.length === 0) return leftOutResults(down);
  onStep?.(`deploying pods and Services on ${up.length} ${up.length === 1 ? 'node' : 'nodes'}`);
  const dualStack = lab.spec.family === 'dual';
  const { leftOut, ...deployment } = await deployCheck(client, up, dualStack);
  for (const { why } of leftOut) onStep?.(`${why}; the others are checked`);
  const failed = leftOutResults([...down, ...leftOut]);
  if (deployment.nodes.length === 0) return failed;
  const { spec } = await client.get<Subnet>(subnetKind, defaultSubnet);
  const { mode = 'overlay' } = spec;
  const outside = await openOutside(lab, mode, deployment.nodes[0]?.addresses);
  try {
    const families: readonly Family[] = dualStack ? [4, 6] : [lab.spec.family === 'ipv4' ? 4 : 6];
    const facts: CheckFacts = {
      ...deployment,
      families,
      mode,
      mtu: podMtu(lab, mode),
      outside: outside.addresses,
    };
    const cases = connectivityCases(facts);
    onStep?.(`sending packets for ${cases.length} cases`);
    const results = await runCases(cases, async (place, probes) => {
      if (place === 'outside') return outside.probe(probes);
      const pod = { namespace: checkNamespace, name: place.pod };
      const { code, stdout, stderr } = await execInPod(
        config,
        pod,
        ['node', probeProgram, JSON.stringify(probes)],
        120_000,
      );
      if (code !== 0) throw new Error(`the probe in ${place.pod} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as ProbeResult[];
    });
    onStep?.('sending packets that nobody may send');
    const forged = await forgeryResults(lab, facts).catch((error: Error) => [couldNotForge(error)]);
    return [...failed, ...results, ...forged];
  } finally {
    await outside.close();
  }
}

/** A node that goes down meanwhile must not take along what was found before. */
function couldNotForge({ message }: Error): CaseResult {
  return {
    group: 'forged packet ✕',
    title: 'packets that nobody may send',
    ok: false,
    detail: message,
    milliseconds: 0,
  };
}

/** What the tunnel's headers leave of the underlay's MTU. */
function podMtu({ spec }: Lab, mode: SubnetMode): number {
  if (mode !== 'overlay') return spec.mtu;
  return spec.mtu - (spec.family === 'ipv6' ? 70 : 50);
}
