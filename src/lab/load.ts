/** Brings an image into a lab: a root file system from a directory, or the layers of an archive. */

import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { arch } from 'node:process';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { must } from '#system/process.ts';
import { type ImageSettings, plainSettings, readArchive, whiteouts } from './archive.ts';
import { debianArchitecture } from './image/recipe.ts';
import { replaceImage } from './images/replace.ts';
import { type LabSpec, labFiles } from './lab.ts';
import { withLock } from './lock.ts';

/** `warning`: what a user will run into. */
export type Loaded = { readonly warning?: string };

/** Atomic: containers get the older image or the new one, and keep it until they end. Throws an error for the user. */
export async function loadImage(spec: LabSpec, image: string, source: string): Promise<Loaded> {
  if (!/^[a-z0-9]([a-z0-9._:/@-]{0,198}[A-Za-z0-9_])?$/i.test(image))
    throw new Error(`${JSON.stringify(image)} is no image name`);
  const files = labFiles(spec.name);
  const kind = await stat(source).catch(() => {
    throw new Error(`${source}: no such file or directory`);
  });
  return withLock(`${files.directory} images`, async () => {
    const work = await mkdtemp(join(files.directory, 'loading-'));
    try {
      const root = join(work, 'root');
      await mkdir(root);
      const settings = kind.isDirectory()
        ? await copyDirectory(source, root)
        : await unpack(spec, source, work, root);
      const found = await must(['find', root, '-type', 'f', '-perm', '/111', '-print', '-quit']);
      await replaceImage(files.images, image, settings, root);
      return found === ''
        ? { warning: `nothing in ${source} can be executed: a container of it can not start` }
        : {};
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

async function copyDirectory(source: string, root: string): Promise<ImageSettings> {
  await must(['cp', '-a', '--one-file-system', `${source}/.`, root]);
  return plainSettings;
}

async function unpack(spec: LabSpec, source: string, work: string, root: string): Promise<ImageSettings> {
  const archive = join(work, 'archive');
  await mkdir(archive);
  await must(['tar', '-xf', source, '-C', archive, '--no-same-owner']).catch((error: Error) => {
    throw new Error(`${source} is no archive of an image: ${error.message}`);
  });
  const listed = (await must(['find', '.', '-type', 'f', '-printf', '%P\\n'], { cwd: archive })).split('\n');
  const files = new Set(listed);
  const readJson = async (path: string): Promise<unknown> => {
    if (!files.has(path)) throw new Error(`${source}: the archive has no file ${path}`);
    return JSON.parse(await readFile(join(archive, path), 'utf8'));
  };
  const { layers, settings } = await readArchive(files, readJson, debianArchitecture(arch) ?? arch).catch(
    (error: Error) => {
      throw new Error(`${source}: ${error.message}`);
    },
  );
  for (const { path, digest } of layers) {
    if (!files.has(path)) throw new Error(`${source}: the archive has no layer ${path}`);
    const layer = join(archive, path);
    if (digest !== undefined) await checkDigest(layer, digest);
    await applyLayer(join(spec.imageRoot, 'bin/busybox'), root, layer);
  }
  return settings;
}

async function checkDigest(path: string, digest: string): Promise<void> {
  const [algorithm = '', wanted] = digest.split(':');
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash);
  if (hash.digest('hex') !== wanted) throw new Error(`a layer is damaged: it is not ${digest}`);
}

/** busybox unpacks inside a chroot: no link of a layer can lead its next layers out of the root file system. */
async function applyLayer(busybox: string, root: string, layer: string): Promise<void> {
  // A name that no layer can have prepared a trap for.
  const tool = `busybox-${randomUUID()}`;
  await copyFile(busybox, join(root, tool), constants.COPYFILE_EXCL);
  const inRoot = (argv: readonly string[]) => chrootTool(root, tool, argv);
  try {
    const entries = (await inRoot(['tar', '-tf', '-'])(layer)).split('\n');
    const { remove, clear } = whiteouts(entries);
    for (const name of [...remove, ...clear]) await inRoot(['rm', '-rf', '--', `./${name}`])();
    for (const name of clear) await inRoot(['mkdir', '-p', '--', `./${name}`])();
    await inRoot(['tar', '-xpf', '-'])(layer);
    for (const entry of entries)
      if (/(^|\/)\.wh\./.test(entry)) await inRoot(['rm', '-f', '--', `./${entry}`])();
  } finally {
    await rm(join(root, tool), { force: true });
  }
}

/** A tool of busybox in the chroot; its input is a layer, decompressed, or empty. */
function chrootTool(
  root: string,
  tool: string,
  argv: readonly string[],
): (layer?: string) => Promise<string> {
  return async (layer) => {
    const child = spawn('chroot', [root, `/${tool}`, ...argv], {
      env: { PATH: process.env.PATH, EXTRACT_UNSAFE_SYMLINKS: '1' },
      stdio: 'pipe',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr = (stderr + chunk).slice(-2000);
    });
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 1));
    });
    try {
      if (layer === undefined) child.stdin.end();
      else await pipeline([createReadStream(layer), ...(await decompressor(layer)), child.stdin]);
    } catch (error) {
      // tar stops reading at the end mark of the archive; what it says decides.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') {
        child.kill();
        throw new Error(`a layer can not be read: ${(error as Error).message}`);
      }
    }
    if ((await ended) !== 0) throw new Error(`a layer can not be unpacked: ${stderr.trim()}`);
    return stdout;
  };
}

async function decompressor(path: string): Promise<Transform[]> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer[0] === 0x1f && buffer[1] === 0x8b) return [createGunzip()];
    if (buffer.readUInt32LE(0) === 0xfd2fb528) return [createZstdDecompress()];
    return [];
  } finally {
    await file.close();
  }
}
