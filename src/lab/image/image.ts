/** The node image: a Debian root filesystem, built once for each content and then shared, read-only, by every node. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { arch } from 'node:process';
import { must, run } from '#system/process.ts';
import { withLock } from '../lock.ts';
import { sourceRoot } from '../paths.ts';
import { installPackages } from './host-packages.ts';
import {
  debianArchitecture,
  explainFailure,
  type ImageInputs,
  imageHashes,
  mmdebstrapArguments,
  parsePackages,
} from './recipe.ts';

export type ImageOptions = {
  /** Default: NETLOOM_CACHE, else /var/cache/netloom. */
  readonly cacheDirectory?: string | undefined;
  /** Told in short lines what is being done; called only when something has to be built. */
  readonly progress?: ((line: string) => void) | undefined;
};

/** Something about this machine keeps the image from being built; the message says what to do. */
export class ImageError extends Error {}

const keep = 2;

export function cacheDirectory(options: ImageOptions = {}): string {
  return options.cacheDirectory ?? process.env.NETLOOM_CACHE ?? '/var/cache/netloom';
}

/** Path of the image's root directory, built if it isn't there (20–60 s). Two callers build once. Throws ImageError. */
export async function imageRoot(options: ImageOptions = {}): Promise<string> {
  const inputs = await readInputs();
  const hashes = imageHashes(inputs);
  const directory = join(cacheDirectory(options), 'image');
  const root = join(directory, hashes.image);
  if (existsSync(root)) return touch(root);
  if (process.getuid?.() !== 0) throw new ImageError('building the node image needs root: run with sudo');
  await mkdir(directory, { recursive: true });
  return withLock(directory, async () => {
    if (existsSync(root)) return touch(root);
    await removeUnfinished(directory);
    const building = join(directory, `.building-${hashes.image}`);
    try {
      await makeBase(inputs, hashes.base, directory, building, options.progress ?? (() => {}));
      await compileShim(inputs, building);
      await rename(building, root);
    } catch (error) {
      await removeTree(building);
      throw error;
    }
    await prune(directory, root);
    return root;
  });
}

async function readInputs(): Promise<ImageInputs> {
  const architecture = debianArchitecture(arch);
  if (architecture === undefined) {
    throw new ImageError(`no node image for the architecture ${arch}: Netloom's lab runs on x64 and arm64`);
  }
  const shimPath = join(sourceRoot, 'src/programs/cni/netloom-cni.c');
  return {
    architecture,
    packages: parsePackages(await readFile(new URL('./packages.txt', import.meta.url), 'utf8')),
    mirror: process.env.NETLOOM_DEBIAN_MIRROR,
    shim: existsSync(shimPath) ? await readFile(shimPath, 'utf8') : undefined,
  };
}

/** The time of last use orders images when old ones are pruned. */
async function touch(root: string): Promise<string> {
  const now = new Date();
  await utimes(root, now, now).catch(() => {});
  return root;
}

async function makeBase(
  inputs: ImageInputs,
  base: string,
  directory: string,
  building: string,
  progress: (line: string) => void,
): Promise<void> {
  for (const name of await images(directory)) {
    const marker = await readFile(join(directory, name, 'etc/netloom-image'), 'utf8').catch(() => '');
    if (marker.trim() !== base) continue;
    // Only the CNI executable differs: hard links instead of another download. Nobody ever writes into an image.
    progress('node image: reusing packages of an older image');
    await must(['cp', '-al', join(directory, name), building]);
    return;
  }
  await requireMmdebstrap(progress);
  await requireSpace(directory);
  progress(`node image: building from ${inputs.packages.length} Debian packages`);
  const result = await run(['mmdebstrap', ...mmdebstrapArguments(inputs, building, await proxyOptions())], {
    onLine: (line) => {
      const step =
        /^I: (running apt-get update|downloading packages|extracting archives|installing .*)\.\.\.$/.exec(
          line,
        )?.[1];
      if (step !== undefined) progress(`node image: ${step}`);
    },
  });
  if (result.code !== 0) throw new ImageError(`node image: ${explainFailure(result.stdout + result.stderr)}`);
  await furnish(building);
  await writeFile(join(building, 'etc/netloom-image'), `${base}\n`);
}

/** Directories that nodes mount on, and the standard CNI executables where kubelets look for them. */
async function furnish(root: string): Promise<void> {
  for (const path of [
    'opt/netloom',
    'opt/node',
    'opt/cni/bin',
    'etc/cni/net.d',
    'var/lib/netloom-lab',
    'usr/lib/netloom/cni',
  ]) {
    await mkdir(join(root, path), { recursive: true });
  }
  for (const name of await readdir(join(root, 'usr/lib/cni')).catch(() => [])) {
    await must(['ln', '-sf', `/usr/lib/cni/${name}`, join(root, 'opt/cni/bin', name)]);
  }
}

/** Compiles the CNI executable inside the image. */
async function compileShim(inputs: ImageInputs, root: string): Promise<void> {
  if (inputs.shim === undefined) return;
  const executable = 'usr/lib/netloom/cni/netloom';
  // A hard-linked image shares the older executable's inode: take the name away before writing.
  await rm(join(root, executable), { force: true });
  await rm(join(root, 'usr/lib/netloom/cni/netloom-cni.c'), { force: true });
  await writeFile(join(root, 'usr/lib/netloom/cni/netloom-cni.c'), inputs.shim);
  const argv = ['chroot', root, 'tcc', '-Wall', '-o', `/${executable}`, '/usr/lib/netloom/cni/netloom-cni.c'];
  const result = await run(argv, { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
  if (result.code !== 0)
    throw new ImageError(`node image: the CNI executable does not compile: ${result.stderr.trim()}`);
}

async function requireMmdebstrap(progress: (line: string) => void): Promise<void> {
  const missing = [
    ...(existsSync('/usr/bin/mmdebstrap') ? [] : ['mmdebstrap']),
    ...(existsSync('/usr/share/keyrings/debian-archive-keyring.gpg') ? [] : ['debian-archive-keyring']),
  ];
  if (missing.length === 0) return;
  progress(`node image: installing ${missing.join(' and ')} by apt`);
  const refused = await installPackages(missing);
  if (refused !== undefined)
    throw new ImageError(`node image: ${missing.join(' and ')} can't be installed: ${refused}`);
}

async function requireSpace(directory: string): Promise<void> {
  const { statfs } = await import('node:fs/promises');
  const space = await statfs(directory);
  const free = space.bavail * space.bsize;
  if (free < 1_000_000_000) {
    throw new ImageError(
      `node image: ${directory} has ${Math.round(free / 1e6)} MB free, 1000 MB are needed: free some space`,
    );
  }
}

/** mmdebstrap does not read the host's apt configuration; a proxy set there is needed all the same. */
async function proxyOptions(): Promise<string[]> {
  const result = await run([
    'apt-config',
    'dump',
    '--format',
    '%f "%v"%n',
    'Acquire::http::Proxy',
    'Acquire::https::Proxy',
  ]);
  return result.code === 0
    ? result.stdout.split('\n').filter((line) => /^Acquire::https?::Proxy "..*"$/.test(line))
    : [];
}

async function images(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => /^[0-9a-f]{16}$/.test(name));
}

async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith('.building-') || name.startsWith('.old-')) await removeTree(join(directory, name));
  }
}

/** Keeps the images used last; one that some mount namespace still has as a lower layer is never taken away. */
async function prune(directory: string, current: string): Promise<void> {
  const all = await Promise.all(
    (await images(directory)).map(async (name) => {
      const path = join(directory, name);
      return { path, used: (await stat(path)).mtimeMs };
    }),
  );
  const old = all
    .filter(({ path }) => path !== current)
    .sort((a, b) => b.used - a.used)
    .slice(keep - 1);
  if (old.length === 0) return;
  const mounted = await allMounts();
  for (const { path } of old) {
    if (mounted.includes(path)) continue;
    const aside = path.replace(/([0-9a-f]{16})$/, '.old-$1');
    await rename(path, aside);
    await removeTree(aside);
  }
}

async function allMounts(): Promise<string> {
  const tables = new Set<string>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    tables.add(await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => ''));
  }
  return [...tables].join('\n');
}

/** Never leaves the file system it starts on: a mount that a killed build left below must not be emptied. */
async function removeTree(path: string): Promise<void> {
  await must(['rm', '-rf', '--one-file-system', path]);
}
