/** The whole check of a lab: deploys, probes, forges, judges. */
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import { defaultSubnet } from '#compile/topology/entries.ts';
import type { SubnetMode } from '#intent/node.ts';
import { createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { type Lab, openLab } from '#lab/client.ts';
import { inNode } from '#lab/paths.ts';
import type { ProbeResult } from '#lab/probe/types.ts';
import { connectivityCases } from './cases.ts';
import { deployCheck, removeCheck } from './deploy.ts';
import type { CheckFacts, Family } from './facts.ts';
import { forgeryResults } from './forged.ts';
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

/** Throws when the check itself can't be made; a packet that went wrong is a result. */
export async function runCheck({ lab: name, keep, onStep }: CheckOptions): Promise<readonly CaseResult[]> {
  const lab = await openLab(name);
  const config = await loadKubeconfig({ path: lab.kubeconfigPath });
  const client = createClient(config);
  const names = await lab.nodes();
  const nodes = await Promise.all(
    names.map(async (node) => ({ name: node, addresses: await lab.addressesOf(node) })),
  );
  onStep?.(`deploying pods and Services on ${nodes.length} nodes`);
  const dualStack = lab.spec.family === 'dual';
  const deployment = await deployCheck(client, nodes, dualStack);
  const { spec } = await client.get<Subnet>(subnetKind, defaultSubnet);
  const { mode = 'overlay' } = spec;
  const outside = await openOutside(lab, mode);
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
    return [...results, ...(await forgeryResults(lab, facts))];
  } finally {
    await outside.close();
    if (!keep) await removeCheck(client);
    client.close();
  }
}

/** What the tunnel's headers leave of the underlay's MTU. */
function podMtu({ spec }: Lab, mode: SubnetMode): number {
  if (mode !== 'overlay') return spec.mtu;
  return spec.mtu - (spec.family === 'ipv6' ? 70 : 50);
}
