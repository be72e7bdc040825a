/** For tests of the lab: which namespaces processes are in. */
import { readlink } from 'node:fs/promises';

/** Links such as `net:[4026532281]` of these processes' namespaces, without those of this process. */
export async function machineNamespaces(pids: readonly string[]): Promise<ReadonlySet<string>> {
  const kinds = ['net', 'mnt', 'pid', 'uts', 'ipc'];
  const own = new Set(await Promise.all(kinds.map((kind) => readlink(`/proc/self/ns/${kind}`))));
  const all = pids
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => kinds.map((kind) => readlink(`/proc/${pid}/ns/${kind}`).catch(() => '')));
  return new Set((await Promise.all(all)).filter((link) => link !== '' && !own.has(link)));
}
