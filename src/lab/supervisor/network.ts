/** Makes a machine's network namespace hold what the topology says, with the image's own iproute2. */

import { must } from '#system/process.ts';
import { writeSysctl } from '#system/sysctl.ts';
import type { MachineNetwork, Sysctl } from '../topology.ts';

/** Network namespaces as paths in the supervisor's procfs. */
export const namespacePath = (pid: number): string => `/proc/${pid}/ns/net`;

export async function applyNetwork(
  imageRoot: string,
  network: MachineNetwork,
  namespace: string,
  router: string,
): Promise<void> {
  for (const sysctl of network.sysctls) setIfThere(sysctl, namespace);
  await ipBatch(
    imageRoot,
    namespace,
    network.lines.map((line) => line.replace('@router', router)),
  );
  await ipBatch(imageRoot, router, network.routerLines);
}

/** Runs lines of `ip -batch` in a namespace. The chroot of the supervisor sees its procfs, so that paths of namespaces work in lines. */
export async function ipBatch(imageRoot: string, namespace: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const argv = ['nsenter', `--net=${namespace}`, '--', 'chroot', imageRoot, '/usr/sbin/ip', '-batch', '-'];
  await must(argv, { input: `${lines.join('\n')}\n` });
}

/** A kernel without br_netfilter or IPv6 has not the keys that would turn them off. */
export function setIfThere([key, value, otherwise]: Sysctl, namespace: string): void {
  try {
    writeSysctl(key, value, namespace);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && otherwise === undefined) return;
    if (otherwise === undefined) throw new Error(`${key} = ${value}: ${message}`);
    setIfThere([key, otherwise], namespace);
  }
}
