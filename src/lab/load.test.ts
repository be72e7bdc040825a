/** `lab load`: directories and archives become root file systems; no layer leaves its own. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '#system/process.ts';
import { imageDirectoryName } from './config.ts';
import { imageRoot } from './image/image.ts';
import type { LoadedImage } from './images/catalogue.ts';
import { type LabSpec, labFiles } from './lab.ts';
import { loadImage } from './load.ts';

let work = '';
let spec: LabSpec;

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'netloom-load-'));
  process.env.NETLOOM_STATE = work;
  spec = {
    name: 'load',
    family: 'dual',
    mtu: 1500,
    nodes: [],
    imageRoot: await imageRoot(),
    apiPort: 0,
    createdAt: '',
  };
  await mkdir(labFiles('load').images, { recursive: true });
});
afterEach(async () => {
  delete process.env.NETLOOM_STATE;
  await rm(work, { recursive: true, force: true });
});

const place = (image: string) => join(labFiles('load').images, imageDirectoryName(image));
const settingsOf = async (image: string) =>
  JSON.parse(await readFile(join(place(image), 'image.json'), 'utf8')) as LoadedImage;
const rootOf = async (image: string) => join(place(image), (await settingsOf(image)).root);

/** A layer made by a shell script in an empty directory. */
async function layer(script: string): Promise<Buffer> {
  const directory = await mkdtemp(join(work, 'layer-'));
  await must(['sh', '-ec', script], { cwd: directory });
  const file = `${directory}.tar`;
  await must(['tar', '-cf', file, '-C', directory, '.']);
  return readFile(file);
}

async function archive(layers: readonly Buffer[], damage = false): Promise<string> {
  const directory = await mkdtemp(join(work, 'oci-'));
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
  const put = async (content: Buffer) => {
    const hex = createHash('sha256').update(content).digest('hex');
    await writeFile(join(directory, 'blobs/sha256', hex), content);
    return { digest: `sha256:${hex}`, size: content.length };
  };
  const json = (value: unknown) => put(Buffer.from(JSON.stringify(value)));
  const descriptors = await Promise.all(layers.map(put));
  const config = await json({ config: { Cmd: ['/hello'], Env: ['WHO=me'], User: 'web' } });
  const manifest = await json({ schemaVersion: 2, config, layers: descriptors });
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  const [first] = descriptors;
  if (damage && first !== undefined) {
    await writeFile(join(directory, 'blobs/sha256', first.digest.slice(7)), await layer('echo forged >a'));
  }
  const file = `${directory}.tar`;
  await must(['tar', '-cf', file, '-C', directory, '.']);
  return file;
}

test('layers of every compression, in order, with whiteouts', async () => {
  const file = await archive([
    gzipSync(await layer('mkdir -p d e; echo 1 >a; echo 1 >b; echo 1 >d/old; echo 1 >e/x; chmod 4755 a')),
    zstdCompressSync(await layer('mkdir d; : >.wh.b; : >d/.wh..wh..opq; echo 2 >d/new')),
    await layer('echo 3 >c'),
  ]);
  await loadImage(spec, 'example/web:1', file);
  const rootfs = await rootOf('example/web:1');
  const files = await must(['find', '.', '-type', 'f', '-printf', '%P %m\\n'], { cwd: rootfs });
  expect(
    files
      .trim()
      .split('\n')
      .toSorted((a, b) => a.localeCompare(b)),
  ).toEqual(['a 4755', 'c 644', 'd/new 644', 'e/x 644']);
  expect(await settingsOf('example/web:1')).toMatchObject({
    name: 'example/web:1',
    command: ['/hello'],
    env: { WHO: 'me' },
    user: 'web',
  });
});

test("a layer's link can not lead the next one out of the root file system", async () => {
  const beyond = join(work, 'outside');
  await mkdir(beyond);
  const file = await archive([
    await layer(`ln -s ${beyond} way; ln -s ../../../../../../../../..${beyond} up`),
    await layer('mkdir way up; echo evil >way/in; echo evil >up/in'),
  ]);
  await loadImage(spec, 'evil', file).catch(() => {});
  expect(existsSync(join(beyond, 'in'))).toBe(false);
});

test('a directory as it is; loading again replaces', async () => {
  const directory = await mkdtemp(join(work, 'dir-'));
  await must(['sh', '-ec', 'echo one >file; ln -s file link; mkfifo pipe'], { cwd: directory });
  const { warning } = await loadImage(spec, 'plain', directory);
  expect(warning).toBe(`nothing in ${directory} can be executed: a container of it can not start`);
  expect((await lstat(join(await rootOf('plain'), 'link'))).isSymbolicLink()).toBe(true);
  await writeFile(join(directory, 'file'), 'two');
  await must(['chmod', '+x', join(directory, 'file')]);
  expect(await loadImage(spec, 'plain', directory)).toEqual({});
  expect(await readFile(join(await rootOf('plain'), 'file'), 'utf8')).toBe('two');
});

test("a replaced image's root stays while a container runs over it", async () => {
  const directory = await mkdtemp(join(work, 'dir-'));
  const load = async (text: string) => {
    await writeFile(join(directory, 'file'), text);
    await loadImage(spec, 'plain', directory);
    return rootOf('plain');
  };
  const first = await load('one');
  const layers = `mkdir $0 $0/up $0/work $0/root; mount -t tmpfs tmpfs $0/up; mkdir $0/up/upper $0/up/work`;
  const options = 'lowerdir=$1,upperdir=$0/up/upper,workdir=$0/up/work';
  const script = `${layers}; mount -t overlay -o ${options} x $0/root; echo; read x; cat $0/root/file`;
  const container = spawn('unshare', ['--mount', 'sh', '-ec', script, join(work, 'c'), first]);
  const said = container.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false });
  await said.next();
  await load('two');
  const third = await load('three');
  // The second is unused, but was replaced only now.
  expect((await readdir(place('plain'))).filter((name) => name.startsWith('root-'))).toHaveLength(3);
  container.stdin.end('\n');
  expect((await said.next()).value).toBe('one');
  await once(container, 'close');
  const fourth = await load('four');
  const left = await readdir(place('plain'));
  expect(left.toSorted()).toEqual(['image.json', basename(third), basename(fourth)].toSorted());
});

test('refusals leave nothing', async () => {
  await expect(loadImage(spec, 'x', join(work, 'nowhere'))).rejects.toThrow('no such file or directory');
  await expect(loadImage(spec, '../x', work)).rejects.toThrow('is no image name');
  const text = join(work, 'text');
  await writeFile(text, 'hello');
  await expect(loadImage(spec, 'x', text)).rejects.toThrow('is no archive of an image');
  const damaged = await archive([await layer('echo 1 >a')], true);
  await expect(loadImage(spec, 'x', damaged)).rejects.toThrow('a layer is damaged');
  expect(await must(['ls', labFiles('load').directory])).toBe('images\n');
  expect(await must(['ls', labFiles('load').images])).toBe('');
});
