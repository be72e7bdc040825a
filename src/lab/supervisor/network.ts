/** Makes a machine's network namespace hold what the topology says, with the image's own iproute2. */
import { must } from '#system/process.ts';
import { setIfThere } from '../sysctls.ts';
import type { MachineNetwork } from '../topology.ts';

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
