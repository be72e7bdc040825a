/** Containers have what their pod says: files, environment, probes, mounts, images; or say why not. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { openTestLab, podObject, type TestLab } from './testlab.ts';

let lab: TestLab;

beforeAll(async () => {
  lab = await openTestLab(['node1']);
  lab.connect('node1');
}, 180_000);
afterAll(async () => lab?.close(), 30_000);

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
    podObject(
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
  await eventually(async () => expect((await lab.getPod('full')).status?.phase).toBe('Failed'));
  expect(await lab.say(['logs', 'full'])).toBe(
    'redmade\napp="full"\nsesame full full-sesame\n1000\nca.crt\nnamespace\ntoken\n',
  );
  const { status } = await lab.getPod('full');
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
    podObject(
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
  await lab.ready('probed');
  await lab.inPod('probed', 'rm', '/tmp/alive');
  await eventually(async () =>
    expect((await lab.getPod('probed')).status?.containerStatuses?.[0]?.restartCount).toBe(1),
  );
  await lab.ready('probed');
  expect(await lab.say(['logs', 'probed', '--previous'])).toBe('');
});

test('a mount that a container makes is seen by the node and by others where a volume asks for it', async () => {
  const volumes = [{ name: 'shared', hostPath: { path: '/run/propagated', type: 'DirectoryOrCreate' } }];
  const mount = (mountPropagation: string) => [{ name: 'shared', mountPath: '/shared', mountPropagation }];
  await lab.apply(
    podObject('receiver', { volumes }, { volumeMounts: mount('HostToContainer') }),
    podObject('apart', { volumes }, { volumeMounts: mount('None') }),
  );
  await lab.ready('receiver');
  await lab.ready('apart');
  const script =
    'mkdir /shared/made; mount -t tmpfs tmpfs /shared/made; touch /shared/made/inside; exec tini sleep infinity';
  const container = {
    command: ['sh', '-c', script],
    securityContext: { privileged: true },
    volumeMounts: mount('Bidirectional'),
  };
  await lab.apply(podObject('maker', { volumes }, container));
  await lab.ready('maker');
  await eventually(async () =>
    expect((await lab.onNode('node1', ['ls', '/run/propagated/made'])).stdout).toBe('inside\n'),
  );
  expect(await lab.inPod('receiver', 'ls', '/shared/made')).toBe('inside\n');
  expect(await lab.inPod('apart', 'ls', '/shared/made')).toBe('');
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
  await lab.apply(podObject('loaded', {}, { image: 'docker.io/example/mine:1' }));
  await lab.ready('loaded');
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
    podObject('unknown', {}, { image: 'nginx:1.27' }),
    podObject('nocommand', {}, { command: ['/no/such/program'] }),
    podObject(
      'nomap',
      {},
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'missing', key: 'a' } } }] },
    ),
    podObject('grpc', {}, { livenessProbe: { grpc: { port: 1 } } }),
  );
  const waiting = async (name: string) => (await lab.getPod(name)).status?.containerStatuses?.[0];
  await eventually(async () => {
    expect((await waiting('unknown'))?.state.waiting).toMatchObject({
      reason: 'ErrImagePull',
      message: expect.stringContaining('it has example/mine:1, netloom/client, netloom/dns, netloom/echo'),
    });
    expect((await waiting('nomap'))?.state.waiting).toMatchObject({
      reason: 'CreateContainerConfigError',
      message: 'configmap "missing" not found',
    });
    expect((await waiting('grpc'))?.state.waiting?.message).toContain('grpc probes are not part of the lab');
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
  await lab.ready('nomap');
  await lab.say(['delete', 'pod', 'unknown', 'nocommand', 'nomap', 'grpc', '--wait']);
});

test('a container whose monitor dies before it has begun is started again soon', async () => {
  const move = (from: string, to: string) =>
    lab.onNode('node1', ['mv', `/usr/bin/${from}`, `/usr/bin/${to}`]);
  await move('unshare', 'unshare.away');
  await lab.apply(podObject('abandoned', { hostNetwork: true }));
  await eventually(async () => {
    const { status } = await lab.getPod('abandoned');
    expect(status?.containerStatuses?.[0]?.state.waiting?.message).toContain("the container's monitor ended");
  });
  await move('unshare.away', 'unshare');
  await lab.ready('abandoned');
});
