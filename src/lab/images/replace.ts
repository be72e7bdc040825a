/** Puts a loaded image in the place of its older one, whose root stays for as long as containers run over it. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfExists, writeFileAtomic } from '#system/files.ts';
import type { ImageSettings } from '../archive.ts';
import { imageDirectoryName } from '../config.ts';
import type { LoadedImage } from './catalogue.ts';
import { imageConfigFile } from './store.ts';

/**
 * Moves `root` (a directory on the same file system) among the images of `directory`. Atomic: a container gets the older root or the
 * new one. The one replaced now always stays, since a container may be on its way to it; those replaced earlier go if unused.
 */
export async function replaceImage(
  directory: string,
  name: string,
  settings: ImageSettings,
  root: string,
): Promise<void> {
  const place = join(directory, imageDirectoryName(name));
  const file = join(place, imageConfigFile);
  await mkdir(place, { recursive: true });
  await removeUnused(place, currentRoot(file));
  const image: LoadedImage = { name, root: `root-${randomUUID()}`, ...settings };
  await rename(root, join(place, image.root));
  writeFileAtomic(file, `${JSON.stringify(image, undefined, 2)}\n`);
}

function currentRoot(file: string): string | undefined {
  const text = readIfExists(file);
  return text === undefined ? undefined : (JSON.parse(text) as LoadedImage).root;
}

async function removeUnused(place: string, current: string | undefined): Promise<void> {
  const older = (await readdir(place)).filter((name) => name.startsWith('root-') && name !== current);
  if (older.length === 0) return;
  const mounts = await allMounts();
  for (const name of older) {
    // The name is unlike any other, so it is an overlay's lower layer wherever it stands in a line.
    if (!mounts.some((text) => text.includes(name))) await rm(join(place, name), { recursive: true });
  }
}

/** Mounts of every mount namespace on the machine (proc_pid_mountinfo(5)): containers' roots are seen in their own only. */
async function allMounts(): Promise<readonly string[]> {
  const byNamespace = new Map<string, string>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    try {
      const namespace = await readlink(`/proc/${pid}/ns/mnt`);
      if (!byNamespace.has(namespace))
        byNamespace.set(namespace, await readFile(`/proc/${pid}/mountinfo`, 'utf8'));
    } catch {
      // It has ended.
    }
  }
  return [...byNamespace.values()];
}
