/** A kubelet with the bridge plugin: pods come, are reached, outlive it, and leave nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { openTestLab, podObject, type TestLab } from './testlab.ts';

let lab: TestLab;

beforeAll(async () => {
  lab = await openTestLab(['node1']);
}, 180_000);
afterAll(async () => lab?.close(), 30_000);

test('a node is not ready before it has a network, and pods wait with the reason', async () => {
  await eventually(async () => {
    const node = await lab.say([
      'get',
      'node',
      'node1',
      '-o',
      'jsonpath={.status.conditions[?(@.type=="Ready")]}',
    ]);
    expect(node).toContain('"status":"False"');
    expect(node).toContain('no network configuration in /etc/cni/net.d');
  });
  await lab.apply(podObject('first'));
  await eventually(async () => {
    expect(
      await lab.say(['get', 'pod', 'first', '-o', 'jsonpath={.status.conditions[0].message}']),
    ).toContain('untolerated taint {node.kubernetes.io/not-ready: }');
  });
  lab.connect('node1');
  await lab.say(['wait', '--for=condition=Ready', 'node/node1', '--timeout=20s']);
  await lab.ready('first');
});

test('a pod has the addresses that the plugin gave it, and kubectl speaks to it', async () => {
  const { status } = await lab.getPod('first');
  expect(status?.podIPs?.map(({ ip }) => ip)).toEqual([
    expect.stringMatching(/^10\.244\.0\./),
    expect.stringMatching(/^fd10:244:/),
  ]);
  expect(await lab.inPod('first', 'ip', '-o', 'address', 'show', 'eth0')).toContain(`${status?.podIP}/24`);
  const congestion = '/proc/sys/net/ipv4/tcp_congestion_control';
  expect(['cubic\n', 'reno\n']).toContain(await lab.inPod('first', 'cat', congestion));
  expect((await lab.inPod('first', 'hostname')).trim()).toBe('first');
  expect(await lab.inPod('first', 'cat', '/etc/resolv.conf')).toBe(
    'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\nnameserver fd10:96::a\noptions ndots:5\n',
  );
  expect(await lab.inPod('first', 'ping', '-c1', '10.244.0.1')).toContain('1 received');
  const failed = await lab.kubectl(['exec', 'first', '--', 'sh', '-c', 'echo bad >&2; exit 7']);
  expect(failed).toMatchObject({ code: 7, stderr: expect.stringContaining('bad') });
  const echoed = await lab.kubectl(['exec', '-i', 'first', '--', 'tr', 'a-z', 'A-Z'], 'through stdin\n');
  expect(echoed.stdout).toBe('THROUGH STDIN\n');
});

test('a terminal has its size, and passes on how the command ended', async () => {
  const { stdout, code } = await lab.onTerminal(
    ['exec', '-it', 'first', '--', 'sh', '-c', 'stty size; exit 5'],
    11,
    77,
  );
  expect(stdout).toContain('11 77\r\n');
  expect(code).toBe(5);
});

test('kubectl asks a pod by way of the API server, and is told why when it can not', async () => {
  await lab.apply(
    podObject('asked', {}, { image: 'netloom/echo', ports: [{ containerPort: 8080 }] }),
    podObject('nowhere', { nodeSelector: { no: 'such' } }),
  );
  await lab.ready('asked');
  const path = '/api/v1/namespaces/default/pods';
  // Its container runs; the server in it may have to begin.
  const text = await eventually(() => lab.say(['get', '--raw', `${path}/asked:8080/proxy/a%20b?c=d`]));
  const seen = JSON.parse(text) as {
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
  };
  expect(seen).toMatchObject({ method: 'GET', path: '/a%20b?c=d', pod: 'asked' });
  expect(seen.headers).toMatchObject({ 'x-forwarded-uri': `${path}/asked:8080/proxy/a%20b` });
  expect(seen.headers).not.toHaveProperty('authorization');
  // The first port that a container names; and a path of its own.
  expect(await lab.say(['get', '--raw', `${path}/http:asked:/proxy`])).toContain('"path": "/"');
  const created = await lab.kubectl(['create', '--raw', `${path}/asked/proxy/made`, '-f', '-'], '{"a":1}');
  expect(JSON.parse(created.stdout)).toMatchObject({ method: 'POST', path: '/made', body: '{"a":1}' });
  const refusal = async (rest: string) => (await lab.kubectl(['get', '--raw', `${path}/${rest}`])).stderr;
  expect(await refusal('asked:9/proxy/')).toMatch(/error trying to reach service: .*ECONNREFUSED/);
  expect(await refusal('https:asked:8080/proxy/')).toMatch(/error trying to reach service: /);
  expect(await refusal('asked:http/proxy/')).toContain('port "http" of pod asked is not a number');
  expect(await refusal('nowhere/proxy/')).toContain('pod nowhere does not have a host assigned');
  expect(await refusal('nobody:80/proxy/')).toContain('pods "nobody" not found');
}, 60_000);

test('a new kubelet process goes on with the pods of the old one', async () => {
  await lab.apply(
    podObject(
      'counter',
      {},
      { command: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done'] },
    ),
  );
  await lab.ready('counter');
  const before = await lab.getPod('counter');
  await lab.killKubelet('SIGKILL');
  await lab.startKubelet();
  const lines = await eventually(async () => {
    const seen = (await lab.say(['logs', 'counter'])).trim().split('\n').map(Number);
    expect(seen.length).toBeGreaterThan(12);
    return seen;
  });
  // No line was lost while nobody read.
  expect(lines).toEqual(lines.map((_, index) => index + 1));
  const after = await lab.getPod('counter');
  expect(after.status?.containerStatuses?.[0]).toMatchObject({
    restartCount: 0,
    ready: true,
    containerID: before.status?.containerStatuses?.[0]?.containerID,
  });
  expect(after.status?.podIPs).toEqual(before.status?.podIPs);
  expect(await lab.inPod('counter', 'echo', 'still here')).toBe('still here\n');
});

test('pods whose end takes its time delay no other pod', async () => {
  const containers = async () =>
    (await lab.onNode('node1', ['crun', 'list', '-q'])).stdout.trim().split('\n').length;
  const before = await containers();
  const patient = Array.from({ length: 9 }, (_, index) => `patient-${index}`);
  const preStop = { exec: { command: ['sleep', '60'] } };
  for (const name of patient)
    await lab.apply(podObject(name, { terminationGracePeriodSeconds: 60 }, { lifecycle: { preStop } }));
  for (const name of patient) await lab.ready(name);
  await lab.say(['delete', 'pod', ...patient, '--wait=false']);
  await lab.apply(podObject('hurried'));
  await lab.ready('hurried');
  const left = await lab.say(['get', 'pods', '-o', 'name']);
  for (const name of patient) expect(left).toContain(`pod/${name}`);
  await lab.say(['delete', 'pod', 'hurried', ...patient, '--force', '--grace-period=0', '--wait=false']);
  await eventually(async () => expect(await containers()).toBe(before));
});

test('a pod that was deleted while no kubelet ran is taken away by the next one', async () => {
  const before = (await lab.onNode('node1', ['crun', 'list', '-q'])).stdout.trim().split('\n');
  await lab.killKubelet('SIGKILL');
  await lab.say(['delete', 'pod', 'counter', '--force', '--grace-period=0', '--wait=false']);
  await lab.startKubelet();
  await eventually(async () => {
    const list = await lab.onNode('node1', ['crun', 'list', '-q']);
    const running = list.stdout.trim().split('\n');
    expect(running).toHaveLength(before.length - 1);
  });
});

test('deleting pods leaves nothing on the node', async () => {
  await lab.say(['delete', 'pod', '--all', '--wait', '--timeout=40s']);
  await eventually(async () => {
    const left = await lab.onNode('node1', [
      'sh',
      '-c',
      'crun list -q; ls /run/netns /run/netloom-lab/uts /var/log/pods; find /var/lib/netloom-lab/disk -mindepth 2; ls /var/lib/cni/networks/bridge | grep -v -e last_ -e lock; ip -o link show type veth; grep -c netloom-lab/disk/pods /proc/self/mountinfo',
    ]);
    expect(left.stdout.replace(/^\/\S+:$/gm, '').trim()).toBe('0');
  });
});
