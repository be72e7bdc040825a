/** `netloom lab down` leaves nothing of a whole cluster, however it ended. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { labStatus } from '#lab/control.ts';
import { eventually } from '#lab/eventually.ts';
import { labFiles } from '#lab/lab.ts';
import { labDown } from '#lab/lifecycle.ts';
import { sourceRoot } from '#lab/paths.ts';
import { machineNamespaces } from '#lab/testing.ts';
import { run } from '#system/process.ts';
import { labNameOf, startCluster } from './cluster.ts';
import { startPods } from './pods.ts';

const topic = 'cleanup';
const name = labNameOf(topic);
const netloom = `${sourceRoot}/netloom`;

afterEach(() => labDown(name));

/** What a lab could leave on the host, by its name. */
function traces() {
  const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid));
  return {
    files: existsSync(labFiles(name).directory),
    temporary: readdirSync('/tmp').filter((file) => file.includes(name)),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(name)),
    links: readdirSync('/sys/class/net').toSorted(),
    processes: pids.filter((pid) => text(`/proc/${pid}/cmdline`).includes(labFiles(name).directory)),
  };
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Processes below the lab's supervisor, and the namespaces that they are in and this process is not. */
async function insides(): Promise<{
  readonly pids: readonly string[];
  readonly namespaces: ReadonlySet<string>;
}> {
  const status = await labStatus(name);
  // 0 stands for what does not run yet.
  const roots = [...(status?.machines ?? []), ...(status?.processes ?? [])]
    .filter(({ pid }) => pid > 0)
    .map(({ pid }) => String(pid));
  const parents = new Map(
    (await readdir('/proc'))
      .filter((pid) => /^\d+$/.test(pid))
      .map((pid) => [pid, /^PPid:\s*(\d+)$/m.exec(text(`/proc/${pid}/status`))?.[1] ?? '']),
  );
  const pids = new Set(roots);
  for (let size = 0; size !== pids.size; ) {
    size = pids.size;
    for (const [pid, parent] of parents) if (pids.has(parent)) pids.add(pid);
  }
  return { pids: [...pids], namespaces: await machineNamespaces([...pids]) };
}

async function expectNothing(before: ReturnType<typeof traces>, inside: Awaited<ReturnType<typeof insides>>) {
  await eventually(async () => {
    const left = await machineNamespaces(await readdir('/proc'));
    expect([...inside.namespaces].filter((namespace) => left.has(namespace))).toEqual([]);
    expect(traces()).toEqual(before);
  });
}

async function busyCluster() {
  const cluster = await startCluster(topic);
  await startPods(cluster, [
    { name: 'one', node: 'node1' },
    { name: 'two', node: 'node2', image: 'netloom/echo' },
  ]);
  cluster.client.close();
  const inside = await insides();
  // Two nodes, router, outside and a pod or more on each node, with a network namespace each.
  expect([...inside.namespaces].filter((each) => each.startsWith('net:')).length).toBeGreaterThanOrEqual(6);
  return inside;
}

test('down of a busy cluster leaves nothing', async () => {
  const before = traces();
  const inside = await busyCluster();
  expect(await run([netloom, 'lab', 'down', '--name', name])).toMatchObject({ code: 0 });
  await expectNothing(before, inside);
});

test('down after the supervisor was killed leaves nothing', async () => {
  const before = traces();
  const inside = await busyCluster();
  const supervisor = traces().processes.filter((pid) =>
    text(`/proc/${pid}/cmdline`).includes('/supervisor/main.ts'),
  );
  expect(supervisor.length).toBeGreaterThan(0);
  for (const pid of supervisor) process.kill(Number(pid), 'SIGKILL');
  await eventually(async () => expect(await labStatus(name)).toBeUndefined());
  expect(await run([netloom, 'lab', 'down', '--name', name])).toMatchObject({ code: 0 });
  await expectNothing(before, inside);
});

test.each(['lab.json', 'control.sock', 'kubeconfig', 'kubelet.sock'])(
  'down after an up that was killed when %s was there leaves nothing',
  async (file) => {
    const before = traces();
    const up = spawn(netloom, ['lab', 'up', '--name', name, '--nodes', '2'], {
      stdio: 'ignore',
      detached: true,
    });
    await eventually(() => expect(existsSync(`${labFiles(name).directory}/${file}`)).toBe(true), 30_000, 1);
    const inside = await insides();
    process.kill(-(up.pid ?? 0), 'SIGKILL');
    expect(await run([netloom, 'lab', 'down', '--name', name])).toMatchObject({ code: 0 });
    await expectNothing(before, inside);
  },
);
