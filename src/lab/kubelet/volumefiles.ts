/** Writing a pod's volumes to the node's disk, and finding where each mount of a container comes from. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import type { Container } from '../objects/container.ts';
import type { Pod } from '../objects/pod.ts';
import { volumeDirectory } from './layout.ts';
import type { BindMount } from './mounts.ts';
import type { NodeHost } from './nodehost.ts';
import { isInside, type VolumeFile, type VolumePlan } from './volumes.ts';

export type VolumePlans = Readonly<Record<string, VolumePlan>>;

/**
 * Makes directories and files of all volumes. Files change all at once: `..data` is a link to a directory of one version,
 * exchanged by rename, as with a real kubelet.
 */
export function writeVolumes(host: NodeHost, pod: Pod, plans: VolumePlans): void {
  const fsGroup = pod.spec.securityContext?.fsGroup;
  for (const [name, plan] of Object.entries(plans)) {
    if (plan.kind === 'host') continue;
    const directory = host.disk(volumeDirectory(pod.metadata.uid ?? '', name));
    if (!existsSync(directory)) {
      mkdirSync(directory, { recursive: true });
      chmodSync(directory, plan.kind === 'empty' ? 0o777 : 0o755);
      if (fsGroup !== undefined) {
        chownSync(directory, 0, fsGroup);
        chmodSync(directory, 0o2777);
      }
    }
    if (plan.kind === 'files') writeVersion(directory, plan.files, fsGroup);
  }
}

function writeVersion(directory: string, files: readonly VolumeFile[], group: number | undefined): void {
  const hash = createHash('sha256');
  for (const { path, mode, content } of files)
    hash.update(`${path}\0${mode}\0${content.length}\0`).update(content);
  const version = `..${hash.digest('hex').slice(0, 16)}`;
  const data = join(directory, '..data');
  const before = linkTarget(data);
  if (before === version) return;
  for (const { path, mode, content } of files) {
    const target = join(directory, version, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    chmodSync(target, mode);
    if (group !== undefined) chownSync(target, 0, group);
  }
  mkdirSync(join(directory, version), { recursive: true });
  symlinkSync(version, `${data}.new`);
  renameSync(`${data}.new`, data);
  const tops = new Set(files.map(({ path }) => normalize(path).split('/')[0] as string));
  for (const name of readdirSync(directory)) {
    if (!name.startsWith('..') && !tops.has(name)) rmSync(join(directory, name), { recursive: true });
  }
  for (const name of tops) {
    if (linkTarget(join(directory, name)) === undefined) symlinkSync(`..data/${name}`, join(directory, name));
  }
  if (before !== undefined) rmSync(join(directory, before), { recursive: true, force: true });
}

/** Where a container's mounts come from on the node. Problems keep the container from being started. */
export function containerBinds(
  host: NodeHost,
  pod: Pod,
  container: Container,
  plans: VolumePlans,
): { readonly value: readonly BindMount[]; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const value: BindMount[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const plan = plans[mount.name];
    if (plan === undefined) {
      problems.push(`volumeMounts: there is no volume ${JSON.stringify(mount.name)}`);
      continue;
    }
    const base =
      plan.kind === 'host' ? plan.path : host.diskInside(volumeDirectory(pod.metadata.uid ?? '', mount.name));
    const part = subPath(host, pod, mount.name, mount.subPath ?? '', plan);
    if (part === undefined) {
      problems.push(`volumeMounts[${mount.name}].subPath ${JSON.stringify(mount.subPath)} leaves its volume`);
      continue;
    }
    value.push({
      source: part === '' ? base : `${base}/${part}`,
      target: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      readOnly: mount.readOnly === true || plan.kind === 'files',
      propagation: mount.mountPropagation ?? 'None',
    });
  }
  // A mount over another's directory must come after it.
  return { value: value.toSorted((a, b) => depth(a.target) - depth(b.target)), problems };
}

/** Resolved within the volume, so that a link in it never leads out; undefined when it does. A missing directory is made. */
function subPath(
  host: NodeHost,
  pod: Pod,
  volume: string,
  path: string,
  plan: VolumePlan,
): string | undefined {
  if (path === '') return '';
  if (!isInside(path)) return undefined;
  // The node's own directories are named by whoever may mount them anyway.
  if (plan.kind === 'host') return normalize(path);
  const root = host.disk(volumeDirectory(pod.metadata.uid ?? '', volume));
  const resolved = resolveInside(root, normalize(path), 0);
  if (resolved !== undefined && !existsSync(join(root, resolved))) {
    mkdirSync(join(root, resolved), { recursive: true });
    chmodSync(join(root, resolved), 0o777);
  }
  return resolved;
}

function resolveInside(root: string, path: string, links: number): string | undefined {
  if (!isInside(path) || links > 16) return undefined;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  for (let index = 0; index < parts.length; index += 1) {
    const target = linkTarget(join(root, ...parts.slice(0, index + 1)));
    if (target === undefined) continue;
    const rest = join(...parts.slice(0, index), target, ...parts.slice(index + 1));
    return target.startsWith('/') ? undefined : resolveInside(root, rest, links + 1);
  }
  return parts.join('/');
}

function linkTarget(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isSymbolicLink() === true ? readlinkSync(path) : undefined;
}

function depth(path: string): number {
  return path.split('/').filter((part) => part !== '').length;
}

/** Checks and makes what host path and in-memory volumes need, inside the node. Arguments: KIND PATH, repeated. */
const prepareScript = `while [ $# -gt 1 ]; do
  kind=$1 path=$2
  shift 2
  case $kind in
    tmpfs) mkdir -p "$path" && { mountpoint -q "$path" || mount -t tmpfs -o mode=1777 tmpfs "$path"; } ;;
    DirectoryOrCreate) mkdir -p "$path" ;;
    FileOrCreate) mkdir -p "\${path%/*}" && { [ -e "$path" ] || : >"$path"; } ;;
    Directory) [ -d "$path" ] ;;
    File) [ -f "$path" ] ;;
    Socket) [ -S "$path" ] ;;
    CharDevice) [ -c "$path" ] ;;
    BlockDevice) [ -b "$path" ] ;;
    *) [ -e "$path" ] || mkdir -p "$path" ;;
  esac || { echo "hostPath type check failed: $path is not a $kind"; exit 1; }
done
`;

/** Throws with what is wrong with a host path. */
export async function prepareInNode(host: NodeHost, pod: Pod, plans: VolumePlans): Promise<void> {
  const args = Object.entries(plans).flatMap(([name, plan]) => {
    if (plan.kind === 'host') return [plan.type === '' ? 'any' : plan.type, plan.path];
    if (plan.kind === 'empty' && plan.memory) {
      return ['tmpfs', host.diskInside(volumeDirectory(pod.metadata.uid ?? '', name))];
    }
    return [];
  });
  if (args.length === 0) return;
  const result = await host.run(['sh', '-c', prepareScript, 'volumes', ...args], { timeoutMs: 30_000 });
  if (result.code !== 0) throw new Error((result.stdout + result.stderr).trim());
}

/** Takes in-memory volumes away, so that the pod's directory can be removed. */
export async function releaseInNode(host: NodeHost, pod: Pod): Promise<void> {
  const paths = (pod.spec.volumes ?? [])
    .filter(({ emptyDir }) => emptyDir?.medium === 'Memory')
    .map(({ name }) => host.diskInside(volumeDirectory(pod.metadata.uid ?? '', name)));
  if (paths.length > 0) await host.run(['umount', '-l', ...paths], { timeoutMs: 30_000 });
}
