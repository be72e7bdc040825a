/** Brings an image into a lab: a root file system from a directory, or the layers of an archive. */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { arch } from 'node:process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type ImageSettings, plainSettings, readArchive, whiteouts } from './archive.ts';
import { imageDirectoryName } from './config.ts';
import { debianArchitecture } from './image/recipe.ts';
import { type LabSpec, labFiles } from './lab.ts';
import { withLock } from './lock.ts';
import { must } from './run.ts';

/** Atomic: pods see the old image or the new one. Throws an error for the user. */
export async function loadImage(spec: LabSpec, image: string, source: string): Promise<void> {
  if (!/^[a-z0-9]([a-z0-9._:/@-]{0,198}[A-Za-z0-9_])?$/i.test(image))
    throw new Error(`${JSON.stringify(image)} is no image name`);
  const files = labFiles(spec.name);
  const kind = await stat(source).catch(() => {
    throw new Error(`${source}: no such file or directory`);
  });
  await withLock(`${files.directory} images`, async () => {
    const work = await mkdtemp(join(files.directory, 'loading-'));
    try {
      const root = join(work, 'image', 'rootfs');
      await mkdir(root, { recursive: true });
      const settings = kind.isDirectory()
        ? await copyDirectory(source, root)
        : await unpack(spec, source, work, root);
      await writeFile(
        join(work, 'image', 'image.json'),
        `${JSON.stringify({ name: image, ...settings }, undefined, 2)}\n`,
      );
      const target = join(files.images, imageDirectoryName(image));
      // Containers that run keep the older image's directory as their lower layer until they end.
      await rename(target, join(work, 'old')).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
      await rename(join(work, 'image'), target);
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
  // busybox unpacks inside a chroot: no link of a layer can lead its next layers out of the root file system.
  const tool = join(root, '.netloom-busybox');
  for (const { path, digest } of layers) {
    if (!files.has(path)) throw new Error(`${source}: the archive has no layer ${path}`);
    await copyFile(join(spec.imageRoot, 'bin/busybox'), tool);
    const layer = join(archive, path);
    const entries = (await layerTool(root, layer, digest, ['tar', '-tf', '-'])).split('\n');
    const { remove, clear } = whiteouts(entries);
    const gone = [...remove.map((name) => `./${name}`), ...clear.map((name) => `./${name}`)];
    for (const name of gone) await inRoot(root, ['rm', '-rf', '--', name]);
    for (const name of clear) if (name !== '') await inRoot(root, ['mkdir', '-p', '--', `./${name}`]);
    await layerTool(root, layer, undefined, ['tar', '-xpf', '-']);
    for (const entry of entries)
      if (/(^|\/)\.wh\./.test(entry)) await inRoot(root, ['rm', '-f', '--', `./${entry}`]);
  }
  await rm(tool, { force: true });
  return settings;
}

const toolEnvironment = { PATH: '/', EXTRACT_UNSAFE_SYMLINKS: '1' };

function inRoot(root: string, argv: readonly string[]): Promise<string> {
  return must(['chroot', root, '/.netloom-busybox', ...argv], {
    env: { ...toolEnvironment, PATH: process.env.PATH },
  });
}

/** Feeds a layer, unpacked, to a tool in the chroot; checks its digest when one is given. */
async function layerTool(
  root: string,
  layer: string,
  digest: string | undefined,
  argv: readonly string[],
): Promise<string> {
  const child = spawn('chroot', [root, '/.netloom-busybox', ...argv], {
    env: { ...toolEnvironment, PATH: process.env.PATH },
    stdio: ['pipe', 'pipe', 'pipe'],
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
  const [algorithm, wanted] = digest?.split(':') ?? [];
  const hash = algorithm === undefined ? undefined : createHash(algorithm);
  const file: Readable = createReadStream(layer);
  if (hash !== undefined) file.on('data', (chunk) => void hash.update(chunk));
  try {
    const decompress = await decompressor(layer);
    if (decompress === undefined) await pipeline(file, child.stdin);
    else await pipeline(file, decompress, child.stdin);
  } catch (error) {
    // tar stops reading at the end mark of the archive; what it says decides.
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') {
      child.kill();
      throw new Error(`a layer can not be read: ${(error as Error).message}`);
    }
  }
  if ((await ended) !== 0) throw new Error(`a layer can not be unpacked: ${stderr.trim()}`);
  if (hash !== undefined && hash.digest('hex') !== wanted)
    throw new Error(`a layer is damaged: it is not ${digest}`);
  return stdout;
}

async function decompressor(path: string) {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer[0] === 0x1f && buffer[1] === 0x8b) return createGunzip();
    if (buffer.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress();
    return undefined;
  } finally {
    await file.close();
  }
}
