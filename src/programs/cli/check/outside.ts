/** The machine outside the lab's cluster: it echoes, it probes, and it has routes that only the nodes themselves can refuse. */
import type { SubnetMode } from '#intent/node.ts';
import type { Lab } from '#lab/client.ts';
import { inNode } from '#lab/paths.ts';
import type { Probe, ProbeResult } from '#lab/probe/types.ts';
import { clusterNetwork } from '#lab/topology.ts';
import { byFamily } from './deploy.ts';
import type { Addresses } from './facts.ts';
import { echoPorts } from './facts.ts';

export type Outside = {
  readonly addresses: Addresses;
  probe(probes: readonly Probe[]): Promise<readonly ProbeResult[]>;
  close(): Promise<void>;
};

const echo = `${inNode.source}/src/lab/images/echo/main.ts`;
const probe = `${inNode.source}/src/lab/probe/main.ts`;

/**
 * Services' prefixes, and those of pods that are not on the wire themselves, are routed to a node (default: the first that runs), as a
 * router of the site might do by mistake.
 */
export async function openOutside(lab: Lab, mode: SubnetMode, node?: Addresses): Promise<Outside> {
  const gateways = node ?? byFamily(await lab.addressesOf((await lab.nodes())[0] ?? ''));
  const routes = ([4, 6] as const).flatMap((family) => {
    const via = gateways[family];
    const key = family === 4 ? 'ipv4' : 'ipv6';
    if (via === undefined) return [];
    const pods = mode === 'underlay' ? [] : [clusterNetwork.pods[key]];
    return [...pods, clusterNetwork.services[key]].map((cidr) => ({ cidr, via, family }));
  });
  for (const { cidr, via, family } of routes) {
    await must(lab, ['ip', `-${family}`, 'route', 'replace', cidr, 'via', via]);
  }
  const server = await lab.spawn('outside', [
    'env',
    `HTTP_PORT=${echoPorts.http}`,
    `UDP_PORT=${echoPorts.udp}`,
    'TCP_PORT=0',
    'GRPC_PORT=0',
    'POD_NAME=outside',
    'node',
    echo,
  ]);
  await new Promise<void>((resolve, reject) => {
    server.stdout.once('data', () => resolve());
    server.once('exit', (code) => reject(new Error(`the echo server outside ended with ${code}`)));
  });
  return {
    addresses: byFamily(await lab.addressesOf('outside')),
    async probe(probes) {
      const result = await lab.exec('outside', ['node', probe, JSON.stringify(probes)], {
        timeoutMs: 60_000,
      });
      if (result.code !== 0) throw new Error(`the probe outside ended with ${result.code}: ${result.stderr}`);
      return JSON.parse(result.stdout) as ProbeResult[];
    },
    async close() {
      server.kill('SIGKILL');
      for (const { cidr, via, family } of routes) {
        await lab.exec('outside', ['ip', `-${family}`, 'route', 'del', cidr, 'via', via]);
      }
    },
  };
}

async function must(lab: Lab, argv: readonly string[]): Promise<void> {
  const { code, stderr } = await lab.exec('outside', argv);
  if (code !== 0) throw new Error(`outside: ${argv.join(' ')}: ${stderr.trim()}`);
}
