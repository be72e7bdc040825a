/** A pod's sandbox on a node: its namespaces, and its network by CNI. */
import type { Pod } from '../objects/pod.ts';
import { setIfThere } from '../sysctls.ts';
import { congestionControl } from '../topology.ts';
import { podAttachment } from './attachment.ts';
import {
  type Attachment,
  addNetwork,
  type CniResult,
  deleteNetwork,
  type NetworkList,
  type PluginCall,
  resultAddresses,
} from './cni.ts';
import { sandboxNamespaces } from './layout.ts';
import type { NodeHost } from './nodehost.ts';

/** What must be known to undo a sandbox; plain JSON. `network` is set before the first plugin is called. */
export type SandboxRecord = {
  readonly id: string;
  readonly boot: string;
  readonly network?: {
    readonly list: NetworkList;
    readonly attachment: Attachment;
    readonly result?: CniResult;
  };
  readonly addresses: readonly string[];
};

/** Namespaces that last without a process: each is held by a bind mount. Sysctls come as `name=value` arguments. */
const createScript = `set -eu
net=$1 uts=$2 ipc=$3 name=$4
shift 4
mkdir -p "\${net%/*}" "\${uts%/*}" "\${ipc%/*}"
: >"$net"; : >"$uts"; : >"$ipc"
exec unshare --net="$net" --uts="$uts" --ipc="$ipc" -- sh -euc '
hostname "$0"
ip link set lo up
for pair; do
  key=$(echo "\${pair%%=*}" | tr . /)
  echo "\${pair#*=}" >"/proc/sys/$key"
done' "$name" "$@"
`;

const removeScript = `for path; do
  umount -l "$path" 2>/dev/null
  rm -f "$path"
done
`;

/** As containerd sets them for every pod: unprivileged processes may ping and listen on any port. */
const podSysctls = ['net.ipv4.ping_group_range=0 2147483647', 'net.ipv4.ip_unprivileged_port_start=0'];

/** Makes the namespaces. Throws with what the node said. */
export async function createNamespaces(
  host: NodeHost,
  id: string,
  pod: Pod,
  hostname: string,
): Promise<void> {
  const { network, uts, ipc } = sandboxNamespaces(id);
  const asked = pod.spec.securityContext?.sysctls ?? [];
  const own = asked.map(({ name, value }) => `${name}=${value}`);
  const argv = ['sh', '-c', createScript, 'sandbox', network, uts, ipc, hostname, ...podSysctls, ...own];
  const result = await host.run(argv, { timeoutMs: 30_000 });
  if (result.code !== 0) throw new Error(`can't make the pod's namespaces: ${result.stderr.trim()}`);
  if (!asked.some(({ name }) => name.replaceAll('.', '/') === congestionControl[0]))
    setIfThere(congestionControl, host.file(network));
}

export async function removeNamespaces(host: NodeHost, id: string): Promise<void> {
  const { network, uts, ipc } = sandboxNamespaces(id);
  await host.run(['sh', '-c', removeScript, 'sandbox', network, uts, ipc], { timeoutMs: 30_000 });
}

/** Whether the record's namespaces still exist: not after the node was made anew. */
export function sandboxAlive(host: NodeHost, record: SandboxRecord): boolean {
  return record.boot === host.boot && host.exists(sandboxNamespaces(record.id).network);
}

/** The record as it must be kept before `attachNetwork` is called. */
export function plannedNetwork(record: SandboxRecord, list: NetworkList, pod: Pod): SandboxRecord {
  const attachment = podAttachment(pod, record.id, sandboxNamespaces(record.id).network);
  return { ...record, network: { list, attachment } };
}

/** CNI ADD. Throws CniError; the caller then detaches, as the spec asks. */
export async function attachNetwork(host: NodeHost, record: SandboxRecord): Promise<SandboxRecord> {
  const { network } = record;
  if (network === undefined) return record;
  const result = await addNetwork(network.list, network.attachment, pluginCall(host));
  return { ...record, network: { ...network, result }, addresses: resultAddresses(result) };
}

/** CNI DEL; safe to repeat. Throws CniError. */
export async function detachNetwork(host: NodeHost, record: SandboxRecord): Promise<void> {
  const { network } = record;
  if (network === undefined) return;
  const netns = sandboxAlive(host, record) ? network.attachment.netns : '';
  await deleteNetwork(network.list, { ...network.attachment, netns }, network.result, pluginCall(host));
}

const binDirectories = ['/opt/cni/bin', '/usr/lib/cni'];
const deadlineMilliseconds = 120_000;

/** Runs CNI executables in the node: the first directory that has one of that name. */
export function pluginCall(host: NodeHost): PluginCall {
  return async (type, environment, input) => {
    const directory = binDirectories.find((path) => host.exists(`${path}/${type}`));
    if (directory === undefined) {
      const stderr = `failed to find plugin "${type}" in path [${binDirectories.join(' ')}]`;
      return { code: 127, stdout: '', stderr };
    }
    const env = { ...environment, CNI_PATH: binDirectories.join(':') };
    return host.run([`${directory}/${type}`], { input, env, timeoutMs: deadlineMilliseconds });
  };
}
