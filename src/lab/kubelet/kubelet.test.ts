import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import type { Pod } from '../objects/pod.ts';
import { openTestLab, type TestLab } from './testlab.ts';

let lab: TestLab;

beforeAll(async () => {
  lab = await openTestLab(['node1']);
}, 180_000);
afterAll(async () => lab?.close(), 30_000);

const pod = (
  name: string,
  spec: Record<string, unknown> = {},
  container: Record<string, unknown> = {},
): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 5,
    containers: [{ name: 'main', image: 'netloom/client', ...container }],
    ...spec,
  },
});
const get = async (name: string): Promise<Pod> =>
  JSON.parse(await lab.say(['get', 'pod', name, '-o', 'json'])) as Pod;
const run = (name: string, ...argv: readonly string[]): Promise<string> =>
  lab.say(['exec', name, '--', ...argv]);
const ready = (name: string): Promise<string> =>
  lab.say(['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s']);

describe('a kubelet with the bridge plugin', () => {
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
    await lab.apply(pod('first'));
    await eventually(async () => {
      expect(
        await lab.say(['get', 'pod', 'first', '-o', 'jsonpath={.status.conditions[0].message}']),
      ).toContain('untolerated taint {node.kubernetes.io/not-ready: }');
    });
    lab.connect('node1');
    await lab.say(['wait', '--for=condition=Ready', 'node/node1', '--timeout=20s']);
    await ready('first');
  });

  test('a pod has the addresses that the plugin gave it, and kubectl speaks to it', async () => {
    const { status } = await get('first');
    expect(status?.podIPs?.map(({ ip }) => ip)).toEqual([
      expect.stringMatching(/^10\.244\.0\./),
      expect.stringMatching(/^fd10:244:/),
    ]);
    expect(await run('first', 'ip', '-o', 'address', 'show', 'eth0')).toContain(`${status?.podIP}/24`);
    expect((await run('first', 'hostname')).trim()).toBe('first');
    expect(await run('first', 'cat', '/etc/resolv.conf')).toBe(
      'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\nnameserver fd10:96::a\noptions ndots:5\n',
    );
    expect(await run('first', 'ping', '-c1', '10.244.0.1')).toContain('1 received');
    const failed = await lab.kubectl(['exec', 'first', '--', 'sh', '-c', 'echo bad >&2; exit 7']);
    expect(failed).toMatchObject({ code: 7, stderr: expect.stringContaining('bad') });
    const echoed = await lab.kubectl(['exec', '-i', 'first', '--', 'tr', 'a-z', 'A-Z'], 'through stdin\n');
    expect(echoed.stdout).toBe('THROUGH STDIN\n');
  });

  test('files, environment, token, init container, user and exit message are as specified', async () => {
    await lab.apply(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'settings', namespace: 'default' },
        data: { color: 'red' },
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'key', namespace: 'default' },
        stringData: { word: 'sesame' },
      },
      pod(
        'full',
        {
          restartPolicy: 'Never',
          volumes: [
            { name: 'settings', configMap: { name: 'settings' } },
            { name: 'shared', emptyDir: {} },
            {
              name: 'info',
              downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
            },
          ],
          initContainers: [
            {
              name: 'init',
              image: 'netloom/client',
              command: ['sh', '-c', 'echo made > /shared/file'],
              volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
            },
          ],
        },
        {
          command: ['sh', '-c'],
          args: [
            'cat /settings/color /shared/file /info/labels; echo; echo $WORD $WHO $COMBINED; id -u; ls /var/run/secrets/kubernetes.io/serviceaccount; printf done > /dev/termination-log; exit 3',
          ],
          securityContext: { runAsUser: 1000 },
          env: [
            { name: 'WORD', valueFrom: { secretKeyRef: { name: 'key', key: 'word' } } },
            { name: 'WHO', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'COMBINED', value: '$(WHO)-$(WORD)' },
          ],
          volumeMounts: [
            { name: 'settings', mountPath: '/settings' },
            { name: 'shared', mountPath: '/shared' },
            { name: 'info', mountPath: '/info' },
          ],
        },
      ),
    );
    await eventually(async () => expect((await get('full')).status?.phase).toBe('Failed'));
    expect(await lab.say(['logs', 'full'])).toBe(
      'redmade\napp="full"\nsesame full full-sesame\n1000\nca.crt\nnamespace\ntoken\n',
    );
    const { status } = await get('full');
    expect(status?.containerStatuses?.[0]?.state.terminated).toMatchObject({
      exitCode: 3,
      reason: 'Error',
      message: 'done',
    });
    expect(status?.initContainerStatuses?.[0]).toMatchObject({
      ready: true,
      state: { terminated: { exitCode: 0 } },
    });
  });

  test('probes decide readiness, and a container that fails its liveness probe is restarted', async () => {
    await lab.apply(
      pod(
        'probed',
        {},
        {
          command: ['sh', '-c', 'touch /tmp/alive; nc -lk 8080 & exec tini sleep infinity'],
          readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
          livenessProbe: {
            exec: { command: ['test', '-e', '/tmp/alive'] },
            periodSeconds: 1,
            failureThreshold: 1,
            terminationGracePeriodSeconds: 1,
          },
        },
      ),
    );
    await ready('probed');
    await run('probed', 'rm', '/tmp/alive');
    await eventually(async () =>
      expect((await get('probed')).status?.containerStatuses?.[0]?.restartCount).toBe(1),
    );
    await ready('probed');
    expect(await lab.say(['logs', 'probed', '--previous'])).toBe('');
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

  test('a mount that a container makes is seen by the node and by others where a volume asks for it', async () => {
    const volumes = [{ name: 'shared', hostPath: { path: '/run/propagated', type: 'DirectoryOrCreate' } }];
    const mount = (mountPropagation: string) => [{ name: 'shared', mountPath: '/shared', mountPropagation }];
    await lab.apply(
      pod('receiver', { volumes }, { volumeMounts: mount('HostToContainer') }),
      pod('apart', { volumes }, { volumeMounts: mount('None') }),
    );
    await ready('receiver');
    await ready('apart');
    const script =
      'mkdir /shared/made; mount -t tmpfs tmpfs /shared/made; touch /shared/made/inside; exec tini sleep infinity';
    const container = {
      command: ['sh', '-c', script],
      securityContext: { privileged: true },
      volumeMounts: mount('Bidirectional'),
    };
    await lab.apply(pod('maker', { volumes }, container));
    await ready('maker');
    await eventually(async () =>
      expect((await lab.onNode('node1', ['ls', '/run/propagated/made'])).stdout).toBe('inside\n'),
    );
    expect(await run('receiver', 'ls', '/shared/made')).toBe('inside\n');
    expect(await run('apart', 'ls', '/shared/made')).toBe('');
  });

  test('an image that was loaded runs with its own root and configuration', async () => {
    const directory = join(lab.imagesDirectory, 'mine');
    mkdirSync(join(directory, 'rootfs/bin'), { recursive: true });
    copyFileSync(join(lab.imageRoot, 'bin/busybox'), join(directory, 'rootfs/bin/busybox'));
    const image = {
      name: 'example/mine:1',
      root: 'rootfs',
      entrypoint: ['/bin/busybox', 'sh', '-c'],
      command: ['/bin/busybox ls /; echo $WORD; exec /bin/busybox sleep 100'],
      env: { WORD: 'loaded', PATH: '/bin' },
      workingDir: '/made',
      user: '',
    };
    writeFileSync(join(directory, 'image.json'), JSON.stringify(image));
    await lab.apply(pod('loaded', {}, { image: 'docker.io/example/mine:1' }));
    await ready('loaded');
    await eventually(async () => {
      expect((await lab.say(['logs', 'loaded'])).split('\n')).toEqual([
        'bin',
        'dev',
        'etc',
        'made',
        'proc',
        'sys',
        'var',
        'loaded',
        '',
      ]);
    });
  });

  test('what can not be run says why', async () => {
    await lab.apply(
      pod('unknown', {}, { image: 'nginx:1.27' }),
      pod('nocommand', {}, { command: ['/no/such/program'] }),
      pod(
        'nomap',
        {},
        { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'missing', key: 'a' } } }] },
      ),
      pod('grpc', {}, { livenessProbe: { grpc: { port: 1 } } }),
    );
    const waiting = async (name: string) => (await get(name)).status?.containerStatuses?.[0];
    await eventually(async () => {
      expect((await waiting('unknown'))?.state.waiting).toMatchObject({
        reason: 'ErrImagePull',
        message: expect.stringContaining('it has example/mine:1, netloom/client, netloom/dns, netloom/echo'),
      });
      expect((await waiting('nomap'))?.state.waiting).toMatchObject({
        reason: 'CreateContainerConfigError',
        message: 'configmap "missing" not found',
      });
      expect((await waiting('grpc'))?.state.waiting?.message).toContain(
        'grpc probes are not part of the lab',
      );
      expect((await waiting('nocommand'))?.lastState.terminated).toMatchObject({
        reason: 'StartError',
        exitCode: 128,
      });
    });
    await lab.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'missing', namespace: 'default' },
      data: { a: 'b' },
    });
    await ready('nomap');
    await lab.say(['delete', 'pod', 'unknown', 'nocommand', 'nomap', 'grpc', '--wait']);
  });

  test('a new kubelet process goes on with the pods of the old one', async () => {
    await lab.apply(
      pod('counter', {}, { command: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done'] }),
    );
    await ready('counter');
    const before = await get('counter');
    await lab.killKubelet('SIGKILL');
    await lab.startKubelet();
    const lines = await eventually(async () => {
      const seen = (await lab.say(['logs', 'counter'])).trim().split('\n').map(Number);
      expect(seen.length).toBeGreaterThan(12);
      return seen;
    });
    // No line was lost while nobody read.
    expect(lines).toEqual(lines.map((_, index) => index + 1));
    const after = await get('counter');
    expect(after.status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 0,
      ready: true,
      containerID: before.status?.containerStatuses?.[0]?.containerID,
    });
    expect(after.status?.podIPs).toEqual(before.status?.podIPs);
    expect(await run('counter', 'echo', 'still here')).toBe('still here\n');
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
}, 120_000);
