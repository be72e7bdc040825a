/** A sandbox is a machine of its own, and nothing of it is left, however its owner ends. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { openSandbox, type Sandbox } from './sandbox.ts';

const open: Sandbox[] = [];
afterEach(async () => {
  for (const box of open.splice(0)) await box.close();
});
async function sandbox(...args: Parameters<typeof openSandbox>): Promise<Sandbox> {
  const box = await openSandbox(...args);
  open.push(box);
  return box;
}

test('runs programs of the image in its own namespaces', async () => {
  const box = await sandbox();
  expect(await box.exec(['hostname'])).toEqual({ code: 0, stdout: 'sandbox\n', stderr: '' });
  expect((await box.exec(['sh', '-c', 'cat; exit 3'], { input: 'hello' })).code).toBe(3);
  expect((await box.exec(['no-such-program'])).code).toBe(127);
  expect((await box.exec(['nft', 'add table inet x; list ruleset'])).stdout).toContain('table inet x');
  expect((await box.exec(['node', '/opt/netloom/src/system/process.ts'])).code).toBe(0);
  expect(readlinkSync(box.namespace)).not.toBe(readlinkSync('/proc/self/ns/net'));
});

test('kills what runs past its deadline, children too', async () => {
  const box = await sandbox();
  expect((await box.exec(['sh', '-c', 'sleep 1000'], { timeoutMs: 100 })).code).toBe(124);
  const { stdout } = await box.exec(['ps', '-eo', 'comm']);
  expect(stdout).not.toContain('sleep');
});

test('has further network namespaces', async () => {
  const box = await sandbox();
  const path = await box.addNamespace('other');
  expect(existsSync(path)).toBe(true);
  await box.exec(['ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', 'other']);
  expect((await box.exec(['ip', '-br', 'link', 'show', 'far'], { netns: 'other' })).stdout).toContain('far@');
});

test('without IPv6 when asked', async () => {
  const box = await sandbox({ family: 'ipv4' });
  expect((await box.exec(['ip', '-6', 'addr'])).stdout).toBe('');
});

test('leaves nothing when closed', async () => {
  const box = await openSandbox();
  const namespace = readlinkSync(box.namespace);
  box.spawn(['sleep', '1000']);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  await box.close();
  await box.close();
  expect(namespaces()).not.toContain(namespace);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts);
});

test('ends with its owner, even when that is killed', async () => {
  const source = `import { openSandbox } from ${JSON.stringify(new URL('./sandbox.ts', import.meta.url).pathname)};
    const box = await openSandbox(); console.log(box.pid); setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<string>((resolve) =>
    owner.stdout.once('data', (data) => resolve(String(data).trim())),
  );
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  owner.kill('SIGKILL');
  await eventually(() => expect(existsSync(`/proc/${pid}`)).toBe(false));
});

function namespaces(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readlinkSync(`/proc/${pid}/ns/net`)];
      } catch {
        return [];
      }
    });
}
