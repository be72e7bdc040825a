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

test('says when root is needed', async () => {
  const result = await run([
    'setpriv',
    '--reuid=65534',
    '--',
    process.execPath,
    join(sourceRoot, 'src/programs/cli/main.ts'),
    'demo',
  ]);
  expect(result.code).toBe(2);
  expect(result.stderr).toContain('netloom demo needs root');
});

test('doctor finds this machine fit and leaves nothing', async () => {
  const result = await run([netloom, 'doctor', '--json'], { timeoutMs: 90_000 });
  const findings = JSON.parse(result.stdout) as { readonly name: string; readonly state: string }[];
  expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
  expect(findings.map(({ name }) => name)).toContain('maps with concatenated keys');
});
