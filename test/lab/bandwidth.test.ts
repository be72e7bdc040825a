/** A user limits pods with kubectl: by annotation and by QoSPolicy, while they run; what packets do, and what the objects say. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster('bandwidth');
  await cluster.applyExample('bandwidth.yaml');
  for (const name of ['files', 'downloader'])
    await kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s');
});

afterAll(() => cluster?.down());

async function kubectl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

/** Megabits a second between the two pods of the example, seen from the downloader. */
async function measure(direction: 'up' | 'down'): Promise<number> {
  const reverse = direction === 'down' ? ['-R'] : [];
  const iperf = ['iperf3', '-J', '-c', 'files', '-t', '2', '-O', '1', ...reverse];
  // The server takes one client at a time, and notices a moment late that the last one has gone.
  const text = await eventually(() => kubectl('exec', 'deploy/downloader', '--', ...iperf), 20_000);
  const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second / 1e6;
}

const isAbout = async (direction: 'up' | 'down', megabits: number): Promise<void> => {
  const seen = await measure(direction);
  expect(seen).toBeGreaterThan(0.7 * megabits);
  expect(seen).toBeLessThan(1.15 * megabits);
};

const annotate = async (value: string): Promise<void> => {
  const pod = (await kubectl('get', 'pod', '-l', 'app=downloader', '-o', 'name')).trim();
  await kubectl('annotate', '--overwrite', pod, value);
};

test('each pod has its own limits from its start: the annotation of one, the policy of the other', async () => {
  await isAbout('down', 50);
  await isAbout('up', 200);
  const line = await kubectl('get', 'qospolicies');
  expect(line).toMatch(
    /NAME +INGRESS +EGRESS +PRIORITY +PODS +LIMITED +READY +AGE\nfiles +200M +100M +0 +1 +1 +True /,
  );
});

test('an annotation and a policy are changed while the pods run, and taken away', async () => {
  await annotate('kubernetes.io/ingress-bandwidth=20M');
  await eventually(() => isAbout('down', 20), 30_000);
  await annotate('kubernetes.io/ingress-bandwidth-');
  await eventually(() => isAbout('down', 100), 30_000);
  await kubectl('patch', 'qospolicy', 'files', '--type=merge', '-p', '{"spec":{"egress":{"rate":"30M"}}}');
  await eventually(() => isAbout('down', 30), 30_000);
  await kubectl('delete', 'qospolicy', 'files');
  await eventually(async () => expect(await measure('down')).toBeGreaterThan(400), 30_000);
  expect(await measure('up')).toBeGreaterThan(400);
});

test('a bad annotation on a running pod is an event; one on a new pod keeps it from starting', async () => {
  await annotate('kubernetes.io/egress-bandwidth=10Mbit');
  await eventually(async () =>
    expect(await kubectl('describe', 'pod', '-l', 'app=downloader')).toMatch(
      /Warning +InvalidRate .*kubernetes\.io\/egress-bandwidth\]: "10Mbit" is no quantity/,
    ),
  );
  expect(await measure('up')).toBeGreaterThan(400);
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'typo',
      namespace: 'default',
      annotations: { 'kubernetes.io/ingress-bandwidth': '10' },
    },
    spec: { containers: [{ name: 'shell', image: 'netloom/client' }] },
  });
  await eventually(async () =>
    expect(await kubectl('describe', 'pod', 'typo')).toMatch(
      /FailedCreatePodSandBox .*resource is unreasonably small \(< 1kbit\)/,
    ),
  );
  await kubectl('annotate', '--overwrite', 'pod', 'typo', 'kubernetes.io/ingress-bandwidth=10M');
  await kubectl('wait', '--for=condition=Ready', 'pod/typo', '--timeout=30s');
});
