/** Rules by name on a whole cluster: through the cluster's DNS, over restarts of agent and datapath. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import type { NamesAnswer } from '#intent/handover.ts';
import { eventually } from '#lab/eventually.ts';
import { run as why } from '#programs/cli/why.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { askDatapath, isReady, type PodAt, startPods, systemPodOn } from './pods.ts';

let cluster: Cluster;
let client: PodAt;
let servers: readonly PodAt[];
const known = 'near.default.svc.cluster.local';
const unknown = 'far.default.svc.cluster.local';
/** Its addresses fill two packets. */
const many = 'many.default.svc.cluster.local';

beforeAll(async () => {
  cluster = await startCluster('policy-names');
  const headless = (name: string): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: {
        clusterIP: 'None',
        ipFamilyPolicy: 'RequireDualStack',
        selector: { app: name },
        ports: [{ name: 'http', port: 8080 }],
      },
    }) as KubeObject;
  const dns = { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } };
  await cluster.apply(headless('near'), headless('far'), {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: 'names' },
    spec: {
      tier: 'Admin',
      priority: 5,
      subject: { pods: { podSelector: { matchLabels: { app: 'client' } } } },
      egress: [
        { name: 'dns', action: 'Accept', to: [dns] },
        { name: 'near', action: 'Accept', to: [{ domainNames: [known, many] }] },
        { name: 'rest', action: 'Deny', to: [{ networks: ['0.0.0.0/0', '::/0'] }] },
      ],
    },
  } as KubeObject);
  [client, ...servers] = (await startPods(cluster, [
    { name: 'client', node: 'node1' },
    { name: 'near', node: 'node1', image: 'netloom/echo' },
    { name: 'far', node: 'node2', image: 'netloom/echo' },
  ])) as [PodAt, ...PodAt[]];
  await cluster.apply(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'many', namespace: 'default' },
      spec: { clusterIP: 'None', ports: [{ name: 'http', port: 8080 }] },
    } as KubeObject,
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'many',
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': 'many' },
      },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [servers[0]!.ipv4, ...Array.from({ length: 150 }, (_, i) => `203.0.113.${i + 50}`)].map(
        (address) => ({ addresses: [address], conditions: { ready: true } }),
      ),
    } as KubeObject,
  );
});
afterAll(() => cluster?.down());

/** Asks for a name as a program does, and connects to what it is told: milliseconds of the slowest of both families, or why not. */
async function visit(name: string): Promise<number | string> {
  const script = `
    const { Resolver } = require('node:dns').promises;
    const { connect } = require('node:net');
    const resolver = new Resolver({ timeout: 1000, tries: 5 });
    resolver.setServers(['10.96.0.10']);
    Promise.all([resolver.resolve4('${name}'), resolver.resolve6('${name}')]).then(async (found) => {
      const times = await Promise.all(found.flat().map((address) => new Promise((resolve, reject) => {
        const begun = performance.now();
        const socket = connect(8080, address, () => resolve(performance.now() - begun));
        socket.on('error', reject);
        setTimeout(() => reject(new Error('silence')), 1500);
      })));
      console.log(times.length === 2 ? Math.max(...times) : 'incomplete');
      process.exit(0);
    }).catch((error) => { console.log(error.message); process.exit(0); });`;
  const argv = ['ip', 'netns', 'exec', client.netns, 'node', '-e', script];
  const { stdout, stderr } = await cluster.lab.exec(client.node, argv);
  const text = stdout.trim();
  return Number.isNaN(Number(text)) || text === '' ? `${text}${stderr}` : Number(text);
}

test('the first connection after the cluster DNS has told passes at once, to that name only', async () => {
  await eventually(async () => expect(await visit(unknown)).toBe('silence'), 30_000);
  expect(await visit(known)).toBeLessThan(300);
  expect(await visit(unknown)).toBe('silence');
  const { names } = await askDatapath<NamesAnswer>(cluster.lab, client.node, '/v1/names?wait=0');
  const near = servers[0]!;
  expect(Object.keys(names)).toEqual([known]);
  expect(names[known]?.addresses.toSorted()).toEqual([near.ipv4, near.ipv6].sort());
  const lines: string[] = [];
  const asked = { values: { name: cluster.name, output: 'text' }, progress: () => {} };
  const operands = ['default/client', near.ipv4, 'tcp/8080'];
  expect(await why({ ...asked, operands, out: (line) => lines.push(line) })).toBe(0);
  expect(lines.join('\n')).toContain(`its node was told ${near.ipv4} for ${known}`);
}, 60_000);

/** Asks by TCP, and connects to `address` as soon as the answer is there: milliseconds that took, or why not; and bytes of the answer. */
async function visitByTcp(name: string, type: 'A' | 'AAAA', address: string) {
  const script = `
    const { connect } = require('node:net');
    const labels = '${name}'.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
    const query = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, ${type === 'A' ? 1 : 28}, 0, 1];
    const dns = connect(53, '10.96.0.10', () => dns.write(Buffer.from([0, query.length, ...query])));
    let answer = Buffer.alloc(0);
    const end = (result) => { console.log(JSON.stringify({ bytes: answer.length, result })); process.exit(0); };
    dns.on('error', (error) => end(error.message));
    dns.on('data', (data) => {
      answer = Buffer.concat([answer, data]);
      if (answer.length < 2 || answer.length < 2 + answer.readUInt16BE(0)) return;
      const begun = performance.now();
      const socket = connect(8080, '${address}', () => end(performance.now() - begun));
      socket.on('error', (error) => end(error.message));
    });
    setTimeout(() => end('silence'), 3000);`;
  const argv = ['ip', 'netns', 'exec', client.netns, 'node', '-e', script];
  const { stdout, stderr } = await cluster.lab.exec(client.node, argv);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as { bytes: number; result: number | string };
}

/** Learnt names are gone, as after their time. */
const forget = (): Promise<void> =>
  eventually(async () => {
    const { names } = await askDatapath<NamesAnswer>(cluster.lab, client.node, '/v1/names?wait=0');
    expect(Object.values(names).flatMap(({ addresses }) => addresses)).toEqual([]);
  }, 30_000);

test('answers by TCP teach as those by UDP do, long ones too, before the first connection', async () => {
  const near = servers[0]!;
  await forget();
  expect(await visitByTcp(known, 'A', near.ipv4)).toMatchObject({ result: expect.any(Number) });
  const six = await visitByTcp(known, 'AAAA', near.ipv6);
  expect(six.result).toBeLessThan(300);
  await forget();
  await eventually(
    async () => expect((await visitByTcp(many, 'A', near.ipv4)).bytes).toBeGreaterThan(2_000),
    30_000,
  );
  await forget();
  const { bytes, result } = await visitByTcp(many, 'A', near.ipv4);
  expect(bytes).toBeGreaterThan(2_000);
  expect(result).toBeLessThan(300);
  expect(await visitByTcp(unknown, 'A', servers[1]!.ipv4)).toMatchObject({ result: 'silence' });
}, 120_000);

/** Speaks once in a while for seven seconds: longer than the cluster DNS's answers are good for (5 s). Whether each word came back. */
async function standing(address: string): Promise<boolean> {
  const script = `exec 3<>/dev/tcp/${address}/8081 && read -t 3 -u 3 who || exit 9
    for i in $(seq 35); do echo $i >&3; read -t 3 -u 3 word && [ "$word" = $i ] || exit 1; sleep 0.2; done`;
  const argv = ['ip', 'netns', 'exec', client.netns, 'bash', '-c', script];
  const { code, stderr } = await cluster.lab.exec(client.node, argv);
  if (code === 9) throw new Error(`never connected: ${stderr}`);
  return code === 0;
}

test.each(['agent', 'datapath'])(
  'a killed %s forgets nothing',
  async (container) => {
    expect(await visit(known)).toBeLessThan(300);
    await eventually(async () =>
      expect((await cluster.lab.exec(client.node, ['cat', '/run/netloom/names.json'])).stdout).toContain(
        known,
      ),
    );
    const both = [servers[0]!.ipv4, servers[0]!.ipv6].map(standing);
    const here = `for pid in $(pgrep -f programs/${container}/main.ts); do
    [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/self/ns/net)" ] && echo $pid; done; true`;
    const found = (await cluster.lab.exec(client.node, ['sh', '-c', here])).stdout.trim().split('\n');
    const main = found[0] ?? '';
    expect(main).toMatch(/^\d+$/);
    expect((await cluster.lab.exec(client.node, ['kill', '-KILL', main])).code).toBe(0);
    const connect = async () => {
      const argv = [
        'ip',
        'netns',
        'exec',
        client.netns,
        'timeout',
        '1',
        'bash',
        '-c',
        `exec 3<>/dev/tcp/${servers[0]!.ipv4}/8080`,
      ];
      return (await cluster.lab.exec(client.node, argv)).code;
    };
    expect(await connect()).toBe(0);
    await eventually(async () => {
      expect(isReady(await systemPodOn(cluster.client, client.node))).toBe(true);
      expect(await visit(known)).toBeLessThan(300);
    }, 60_000);
    expect(await Promise.all(both)).toEqual([true, true]);
  },
  120_000,
);
