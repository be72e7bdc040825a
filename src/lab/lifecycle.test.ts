/** Labs start, stand side by side, change shape while they run, and leave nothing, however they end. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { must, run } from '#system/process.ts';
import { openLab } from './client.ts';
import { labStatus } from './control.ts';
import { eventually } from './eventually.ts';
import { labFiles } from './lab.ts';
import { LabError, labDown, labNames, labUp } from './lifecycle.ts';
import { sourceRoot } from './paths.ts';
import { machineNamespaces } from './testing.ts';

const name = `t-life-${process.pid}`;
const other = `t-side-${process.pid}`;
const shape = { name, nodes: 2, family: 'dual' } as const;

afterEach(async () => {
  await labDown(name);
  await labDown(other);
});

/** What a lab could leave in the host's own namespaces and file system. */
function traces(of: string) {
  return {
    files: existsSync(labFiles(of).directory),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(of)),
    links: readdirSync('/sys/class/net').toSorted(),
    processes: readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(of)),
  };
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

async function expectNothingLeft(before: ReturnType<typeof traces>, namespaces: ReadonlySet<string>) {
  await eventually(async () => {
    const left = await machineNamespaces(await readdir('/proc'));
    expect([...namespaces].filter((namespace) => left.has(namespace))).toEqual([]);
  });
  expect(traces(name)).toEqual(before);
}

/** Every namespace that processes of the lab are in, and the host's processes are not. */
async function namespacesOfLab(): Promise<ReadonlySet<string>> {
  const lab = await openLab(name);
  const pids = await Promise.all(
    ['router', 'outside', ...(await lab.nodes())].map((where) => lab.pidOf(where)),
  );
  const found = await machineNamespaces(pids.map(String));
  expect(found.size).toBe(pids.length * 5);
  return found;
}

test('up, status, down: nodes reach each other, router and API server; nothing is left', async () => {
  const before = traces(name);
  const steps: string[] = [];
  expect((await labUp({ ...shape, progress: (line) => steps.push(line) })).started).toBe(true);
  // The first steps run side by side: what is told of each is its own time, not the sum.
  expect(steps.filter((step) => /^(router|API server|kubelet)/.test(step))).toEqual([
    expect.stringMatching(/ \(\d+\.\d s\)$/),
    expect.stringMatching(/ \(\d+\.\d s\)$/),
    expect.stringMatching(/^kubelet \(\d+\.\d s\)$/),
  ]);
  const lab = await openLab(name);
  expect(await lab.nodes()).toEqual(['node1', 'node2']);
  for (const target of ['192.168.66.12', 'fd66::12', '192.168.66.200', '203.0.113.1', '2001:db8:66::1']) {
    expect(await lab.exec('node1', ['ping', '-c1', '-W2', target])).toMatchObject({ code: 0 });
  }
  const healthy = ['curl', '-sk', 'https://192.168.66.1:6443/readyz'];
  expect((await lab.exec('node2', healthy)).stdout).toBe('ok');
  expect(readFileSync(lab.kubeconfigPath, 'utf8')).toContain(`127.0.0.1:${lab.spec.apiPort}`);
  expect(readlinkSync(await lab.namespaceOf('node1'))).toMatch(/^net:/);
  const namespaces = await namespacesOfLab();
  expect(await labDown(name)).toBe(true);
  expect(await labDown(name)).toBe(false);
  await expectNothingLeft(before, namespaces);
});

test('up again is the same lab; another shape is refused', async () => {
  await labUp(shape);
  const { spec } = await openLab(name);
  expect(await labUp(shape)).toEqual({ spec, started: false });
  await expect(labUp({ ...shape, nodes: 3 })).rejects.toThrow(
    new LabError(`lab ${name} is running with 2 nodes: take it down first (netloom lab down --name ${name})`),
  );
  const lab = await openLab(name);
  await lab.addNode('node3');
  expect((await labUp({ ...shape, nodes: 3 })).started).toBe(false);
  await lab.removeNode('node2', { keepDisk: true });
  await lab.removeNode('node3');
  await expect(labUp(shape)).rejects.toThrow(`lab ${name} is running with 1 node: `);
});

test('a full disk is told with its place', async () => {
  const state = await mkdtemp(join(tmpdir(), 'netloom-full-'));
  await must(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', state]);
  const env = { ...process.env, NETLOOM_STATE: state };
  try {
    await writeFile(join(state, 'ballast'), Buffer.alloc(250_000)).catch(() => {});
    const up = await run([join(sourceRoot, 'netloom'), 'lab', 'up', '--name', name, '--nodes', '1'], { env });
    expect(up.code).toBe(1);
    expect(up.stderr).toContain(
      `netloom: the disk of the lab's state is full (${state}/labs): free some space`,
    );
  } finally {
    await run([join(sourceRoot, 'netloom'), 'lab', 'down', '--name', name], { env });
    await must(['umount', state]);
    await rm(state, { recursive: true });
  }
});

test('two labs side by side, brought up at once', async () => {
  await Promise.all([labUp(shape), labUp({ ...shape, name: other, nodes: 1, family: 'ipv6' })]);
  expect(await labNames()).toEqual(expect.arrayContaining([name, other]));
  const [one, two] = [await openLab(name), await openLab(other)];
  expect((await one.exec('node1', ['ping', '-c1', '-W2', '192.168.66.12'])).code).toBe(0);
  expect((await two.exec('node1', ['ping', '-c1', '-W2', 'fd66::1'])).code).toBe(0);
  await labDown(other);
  expect((await one.exec('node1', ['ping', '-c1', '-W2', '192.168.66.12'])).code).toBe(0);
});

test('two ups of one name at once are one lab', async () => {
  const both = await Promise.all([labUp(shape), labUp(shape)]);
  expect(both.filter(({ started }) => started)).toHaveLength(1);
  expect(both[0].spec).toEqual(both[1].spec);
});

test.each(['tini-static', 'unshare', 'main.ts'])(
  'SIGKILL of %s takes the lab along; down removes the rest',
  async (victim) => {
    const before = traces(name);
    await labUp(shape);
    const namespaces = await namespacesOfLab();
    const pid = await supervisorProcess(victim);
    process.kill(pid, 'SIGKILL');
    await eventually(async () => expect(await labStatus(name)).toBeUndefined());
    expect(await labDown(name)).toBe(true);
    await expectNothingLeft(before, namespaces);
  },
);

test('an up that is killed on its way leaves nothing that down does not find', async () => {
  const before = traces(name);
  const source = `import { labUp } from ${JSON.stringify(new URL('./lifecycle.ts', import.meta.url).pathname)};
    await labUp(${JSON.stringify(shape)});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: 'ignore' });
  await eventually(() => expect(existsSync(labFiles(name).control)).toBe(true), 15_000, 1);
  child.kill('SIGKILL');
  expect(await labDown(name)).toBe(true);
  await eventually(() => expect(traces(name)).toEqual(before));
});

test('a new up replaces what a crash left', async () => {
  await labUp(shape);
  process.kill(await supervisorProcess('tini-static'), 'SIGKILL');
  await eventually(async () => expect(await labStatus(name)).toBeUndefined());
  expect((await labUp(shape)).started).toBe(true);
});

test('cables, nodes and processes come and go', async () => {
  await labUp(shape);
  const lab = await openLab(name);
  const ping = (to: string) => lab.exec('node1', ['ping', '-c1', '-W1', to]);

  await lab.cutCable('node2');
  expect((await ping('192.168.66.12')).code).not.toBe(0);
  await lab.plugCable('node2');
  await eventually(async () => expect((await ping('192.168.66.12')).code).toBe(0));

  await lab.addNode('node3');
  expect(await lab.nodes()).toEqual(['node1', 'node2', 'node3']);
  expect((await ping('192.168.66.13')).code).toBe(0);

  await lab.exec('node3', ['sh', '-c', 'echo kept >/root/file']);
  const id = (await lab.exec('node3', ['cat', '/etc/machine-id'])).stdout;
  await lab.removeNode('node3', { keepDisk: true });
  expect(await lab.nodes()).toEqual(['node1', 'node2']);
  await expect(lab.exec('node3', ['true'])).rejects.toThrow(`lab ${name} has no running machine node3`);
  await lab.addNode('node3');
  expect((await lab.exec('node3', ['cat', '/root/file', '/etc/machine-id'])).stdout).toBe(`kept\n${id}`);
  await lab.removeNode('node3');
  await lab.addNode('node3');
  expect((await lab.exec('node3', ['cat', '/root/file'])).code).toBe(1);
  await expect(lab.addNode('router')).rejects.toThrow('can not be a node');
  await expect(lab.removeNode('node9')).rejects.toThrow('the lab has no node node9');

  await lab.restart('kubelet');
  await eventually(async () => {
    const kubelet = (await lab.status()).processes.find((process) => process.name === 'kubelet');
    expect(kubelet).toMatchObject({ running: true, restarts: 1, lastExit: 'SIGKILL' });
  });
});

test('a frozen node does nothing and comes to itself again; a killed one starts anew; none of it outlives the lab', async () => {
  const before = traces(name);
  await labUp(shape);
  const lab = await openLab(name);
  const faultsOf = async (node: string) =>
    (await lab.status()).machines.find((machine) => machine.name === node)?.faults;
  // In a PID namespace of its own, as pods are.
  const loop = 'while :; do i=$((i+1)); echo $i >/tmp/next; mv /tmp/next /tmp/beat; sleep 0.01; done';
  await lab.spawn('node2', ['sh', '-c', `unshare --pid --fork sh -c '${loop}'; true`]);
  const beat = async () => Number((await lab.exec('node2', ['cat', '/tmp/beat'])).stdout);
  const beats = async () => {
    const from = await beat();
    await eventually(async () => expect(await beat()).toBeGreaterThan(from + 5));
  };
  await beats();

  await lab.freeze('node2');
  await lab.freeze('node2');
  expect(await faultsOf('node2')).toEqual(['frozen']);
  const still = await beat();
  expect((await lab.exec('node1', ['ping', '-c1', '-W1', '192.168.66.12'])).code).toBe(0);
  expect(await beat()).toBe(still);
  await lab.thaw('node2');
  expect(await faultsOf('node2')).toBeUndefined();
  await beats();

  await expect(lab.freeze('router')).rejects.toThrow('router is no node');
  await expect(lab.cutCable('router')).rejects.toThrow('the router has no cable of its own');
  await lab.freeze('node2');
  await lab.cutCable('node2');
  expect(await faultsOf('node2')).toEqual(['cut', 'frozen']);
  await lab.removeNode('node2', { keepDisk: true });
  await expect(lab.thaw('node2')).rejects.toThrow('node2 is not running');
  await lab.addNode('node2');
  expect(await faultsOf('node2')).toBeUndefined();
  expect((await lab.exec('node1', ['ping', '-c1', '-W1', '192.168.66.12'])).code).toBe(0);

  const namespaces = await namespacesOfLab();
  await lab.freeze('node1');
  expect(await labDown(name)).toBe(true);
  await expectNothingLeft(before, namespaces);
});

test("the host's settings stay as they are", async () => {
  const keys = [
    'net/ipv4/ip_forward',
    'net/ipv4/tcp_congestion_control',
    'net/ipv4/tcp_allowed_congestion_control',
  ];
  const settings = async () => Promise.all(keys.map((key) => readFile(`/proc/sys/${key}`, 'utf8')));
  const before = await settings();
  await labUp({ ...shape, family: 'ipv4' });
  expect(await settings()).toEqual(before);
});

async function supervisorProcess(program: string): Promise<number> {
  const directory = labFiles(name).directory;
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const words = commandLine(pid).split('\0');
    const own = words.includes(directory) || words.includes(`${directory}/lab.json`);
    const called =
      program === 'main.ts' ? words[1]?.endsWith('/supervisor/main.ts') : words[0]?.endsWith(program);
    if (own && called === true) return Number(pid);
  }
  throw new Error(`no ${program} of the lab runs`);
}
