/** A user with kubectl: deploys the sample, looks at it, talks to it, scales it, removes it. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster('pods');
});

afterAll(() => cluster?.down());

const sample = fileURLToPath(new URL('../../examples/hello.yaml', import.meta.url));

/** What kubectl prints; throws what it complains of. */
async function kubectl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

test('apply, and the rollout ends', async () => {
  const said = await kubectl('apply', '-f', sample);
  expect(said).toContain('deployment.apps/hello created');
  expect(said).toContain('service/hello created');
  for (const name of ['hello', 'client']) {
    const status = await kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s');
    expect(status).toContain('successfully rolled out');
  }
  expect(await kubectl('apply', '-f', sample)).toContain('deployment.apps/hello unchanged');
});

test('exec: the Service answers by its short name and by its full name, from every copy', async () => {
  const ask = (name: string) =>
    kubectl('exec', 'deploy/client', '--', 'curl', '-sS', '-m', '5', `http://${name}`);
  const pods = (await kubectl('get', 'pods', '-l', 'app=hello', '-o', 'name')).trim().split('\n');
  const seen = new Set<string>();
  await eventually(async () => {
    seen.add(`pod/${(JSON.parse(await ask('hello')) as { pod: string }).pod}`);
    expect([...seen].toSorted()).toEqual(pods.toSorted());
  }, 30_000);
  for (const name of ['hello.default', 'hello.default.svc.cluster.local']) {
    expect(pods).toContain(`pod/${(JSON.parse(await ask(name)) as { pod: string }).pod}`);
  }
  const failed = await cluster.kubectl(
    'exec',
    'deploy/client',
    '--',
    'sh',
    '-c',
    'echo out; echo err >&2; exit 7',
  );
  expect(failed).toMatchObject({ code: 7, stdout: 'out\n' });
  expect(failed.stderr).toContain('err');
});

test('logs are what the container wrote', async () => {
  expect(await kubectl('logs', 'deploy/hello')).toContain('answers on');
  expect(await kubectl('logs', '-l', 'app=hello', '--prefix')).toContain('[pod/hello-');
});

test('port-forward is refused, and the message says so', async () => {
  const { code, stderr } = await cluster.kubectl('port-forward', 'deploy/hello', '18080:8080');
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/port-forward|portforward|port forwarding/i);
  expect(stderr).toMatch(/not|lab/);
});

test('scale up and down: the Service follows', async () => {
  const endpoints = async () => {
    const slices = await kubectl(
      'get',
      'endpointslices',
      '-l',
      'kubernetes.io/service-name=hello',
      '-o',
      'jsonpath={range .items[*].endpoints[?(@.conditions.ready==true)]}{.targetRef.name}{"\\n"}{end}',
    );
    return new Set(slices.trim().split('\n')).size;
  };
  for (const replicas of [5, 1]) {
    await kubectl('scale', 'deployment/hello', `--replicas=${replicas}`);
    await kubectl('rollout', 'status', 'deployment/hello', '--timeout=60s');
    await eventually(async () => expect(await endpoints()).toBe(replicas), 30_000);
    expect(await kubectl('exec', 'deploy/client', '--', 'curl', '-sS', '-m', '5', 'http://hello')).toContain(
      'hello-',
    );
  }
});

test('Subnets and BlockClaims show what a user looks for', async () => {
  const subnets = (await kubectl('get', 'subnets')).trim().split('\n');
  const counts = ['V4 USED', 'V4 AVAILABLE', 'V6 USED', 'V6 AVAILABLE'];
  expect(subnets[0]?.split(/\s{2,}/)).toEqual(['NAME', 'CIDRS', 'MODE', ...counts, 'BLOCKS', 'READY', 'AGE']);
  expect(subnets[1]).toMatch(/^default\s.*10\.244\.0\.0\/16.*\soverlay(?:\s+\d+){5}\s+True\s/);
  const claims = (await kubectl('get', 'blockclaims')).trim().split('\n');
  expect(claims[0]?.split(/\s+/)).toEqual(['NAME', 'CIDR', 'SUBNET', 'NODE', 'POD', 'AGE']);
  for (const node of ['node1', 'node2']) {
    expect(claims.filter((line) => line.includes(` ${node} `)).length).toBeGreaterThanOrEqual(2);
  }
  expect(await kubectl('explain', 'subnet.spec.mode')).toContain('overlay');
  const bad = await cluster.kubectl(
    'patch',
    'subnet',
    'default',
    '--type=merge',
    '-p',
    '{"spec":{"mode":"routed"}}',
  );
  expect(bad.code).not.toBe(0);
  expect(bad.stderr).toContain("can't change while the Subnet exists");
});

test('delete, and all of it is gone', async () => {
  await kubectl('delete', '-f', sample, '--timeout=60s');
  await eventually(
    async () => expect((await kubectl('get', 'pods', '-o', 'name')).trim()).toBe(''),
    60_000,
    200,
  );
  for (const node of ['node1', 'node2']) {
    const { stdout } = await cluster.lab.exec(node, ['nft', 'list', 'map', 'inet', 'netloom', 'backends4']);
    expect(stdout).not.toContain('. 80 .');
  }
});
