/** The command as a user calls it: from anywhere, through a link, with exit codes. */
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sourceRoot } from '#lab/paths.ts';
import { run } from '#system/process.ts';

const directories: string[] = [];
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});
const netloom = join(sourceRoot, 'netloom');

test('works from another directory, through a relative link', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'netloom-link-'));
  directories.push(directory);
  await symlink(netloom, join(directory, 'first'));
  await symlink('first', join(directory, 'second'));
  const result = await run(['./second', '--version'], { cwd: directory });
  expect(result).toEqual({ code: 0, stdout: expect.stringMatching(/^netloom \d+\.\d+\.\d+\n$/), stderr: '' });
});

test('exit codes: usage 2, failure 1', async () => {
  expect(await run([netloom, 'nope'])).toMatchObject({ code: 2, stdout: '' });
  expect(await run([netloom, 'lab', 'kubeconfig', '--name', 'no-such-lab'])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'netloom: lab no-such-lab is not running (netloom lab up --name no-such-lab)\n',
  });
  expect((await run([netloom, 'lab', 'up', '--name', 'No Lab'])).code).toBe(2);
  expect((await run([netloom, 'lab', 'up', '--nodes', '0'])).stderr).toBe(
    'netloom: --nodes: a lab has 1 to 100 nodes\n',
  );
});

test.each(['demo', 'test'])('says at once when %s needs root', async (command) => {
  const result = await run([
    'setpriv',
    '--reuid=65534',
    '--',
    process.execPath,
    join(sourceRoot, 'src/programs/cli/main.ts'),
    command,
  ]);
  expect(result.code).toBe(2);
  expect(result.stderr).toBe(
    `netloom: netloom ${command} needs root: it makes namespaces and mounts; run it with sudo\n`,
  );
});

test('help of kubectl is ours, without a lab, and that of bench names each bench', async () => {
  const kubectl = await run([netloom, 'kubectl', '--help']);
  expect(kubectl).toMatchObject({ code: 0, stdout: expect.stringContaining('--name NAME') });
  const listed = (await run([netloom, 'bench'])).stdout.trim().split('\n');
  expect(listed.length).toBeGreaterThan(10);
  for (const words of [
    ['bench', '--help'],
    ['bench', 'path', '--help'],
    ['help', 'bench'],
  ]) {
    const { stdout } = await run([netloom, ...words]);
    for (const line of listed) expect(stdout).toContain(line.split(' ')[0]);
  }
});

test('doctor finds this machine fit and leaves nothing', async () => {
  const result = await run([netloom, 'doctor', '--json'], { timeoutMs: 90_000 });
  const findings = JSON.parse(result.stdout) as { readonly name: string; readonly state: string }[];
  expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
  expect(findings.map(({ name }) => name)).toContain('maps with concatenated keys');
});

test('doctor says once what keeps the node image from being built', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'netloom-cache-'));
  directories.push(cache);
  const env = { ...process.env, NETLOOM_CACHE: cache, NETLOOM_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian' };
  const { code, stdout } = await run([netloom, 'doctor'], { env, timeoutMs: 90_000 });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^missing {2}node image: the Debian mirror can not be reached: /m);
});
