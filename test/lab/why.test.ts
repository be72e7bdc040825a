/** `netloom why --probe` and `netloom diff` on a real cluster: model and packet say the same, family by family. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import type { Answer } from '#compile/answers/why.ts';
import { eventually } from '#lab/eventually.ts';
import type { Probed } from '#programs/cli/answers/probe.ts';
import { run as diff } from '#programs/cli/diff.ts';
import { run as policyCommand } from '#programs/cli/policy.ts';
import { run as why } from '#programs/cli/why.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { readyPod, service, startPods } from './pods.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster('why');
  await startPods(cluster, [
    { name: 'server', node: 'node1', image: 'netloom/echo' },
    { name: 'friend', node: 'node2' },
    { name: 'stranger', node: 'node1' },
  ]);
  await cluster.apply(service('server', 'server'), policy);
});

afterAll(() => cluster?.down());

const policy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'server', namespace: 'default' },
  spec: {
    podSelector: { matchLabels: { app: 'server' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'friend' } } }], ports: [{ port: 8080 }] }],
  },
} as KubeObject;

type Told = Answer & { readonly probes: readonly Probed[] };

async function ask(...operands: readonly string[]): Promise<Told> {
  const lines: string[] = [];
  await why({
    values: { name: cluster.name, probe: true, output: 'json' },
    operands,
    out: (line) => lines.push(line),
    progress: () => {},
  });
  return JSON.parse(lines.join('')) as Told;
}

test.each([
  ['server', ['friend', 'server', 'tcp/8080'], 'allowed', 'answered'],
  ['server by its Service', ['friend', 'svc/server', 'tcp/80'], 'allowed', 'answered'],
  ['another port', ['friend', 'server', 'tcp/9'], 'denied', 'silent'],
  ['no port at all', ['friend', 'server', 'icmp'], 'denied', 'silent'],
  ['a stranger', ['stranger', 'server', 'tcp/8080'], 'denied', 'silent'],
  ['a stranger by the Service', ['stranger', 'svc/server', 'tcp/80'], 'denied', 'silent'],
  ['its own node', ['node/node1', 'server', 'tcp/8080'], 'allowed', 'answered'],
  ['another node', ['node/node2', 'server', 'tcp/8080'], 'denied', 'silent'],
  ['the world', ['world', 'friend', 'tcp/8080'], 'denied', 'silent'],
  ['to the world', ['stranger', 'world', 'tcp/9'], 'allowed', 'refused'],
  ['where nobody listens', ['stranger', 'friend', 'tcp/9'], 'allowed', 'refused'],
  ['a port that no Service has', ['stranger', 'svc/server', 'tcp/9'], 'refused', 'refused'],
])('%s: %j is %s, and the packet %s', async (_, words, verdict, outcome) => {
  // What was applied a moment ago is on its way to the nodes.
  await eventually(async () => {
    const { probes, ...answer } = await ask(...words);
    expect(answer.verdict).toBe(verdict);
    expect(probes.map((each) => [each.family, each.outcome, each.agrees])).toEqual([
      [4, outcome, true],
      [6, outcome, true],
    ]);
  }, 30_000);
});

/** Of the server on node1 the policy takes node2 as well, or the machine outside. */
async function letIn(...cidrs: readonly string[]): Promise<void> {
  const from = [
    { podSelector: { matchLabels: { app: 'friend' } } },
    ...cidrs.map((cidr) => ({ ipBlock: { cidr } })),
  ];
  const spec = {
    podSelector: { matchLabels: { app: 'server' } },
    ingress: [{ from, ports: [{ port: 8080 }] }],
  };
  await cluster.apply({ ...policy, spec } as KubeObject);
}

const wide = (address: string) => `${address}/${address.includes(':') ? 128 : 32}`;

test("a node port of the pod's own node and of another: model and packet say the same", async () => {
  const { lab } = cluster;
  const [outside, node1, node2] = await Promise.all(
    ['outside', 'node1', 'node2'].map((m) => lab.addressesOf(m)),
  );
  const nodePort = 30_567;
  await cluster.apply({
    ...service('published', 'server'),
    spec: {
      type: 'NodePort',
      ipFamilyPolicy: 'PreferDualStack',
      selector: { app: 'server' },
      ports: [{ port: 80, targetPort: 8080, nodePort }],
    },
  } as KubeObject);
  const own = node1?.find((each) => each.includes('.')) ?? '';
  const other = node2?.find((each) => each.includes('.')) ?? '';
  const client = outside?.find((each) => each.includes('.')) ?? '';
  const port = `tcp/${nodePort}`;
  const held = async (from: string, to: string, verdict: string) => {
    const { probes, ...answer } = await ask(from, to, port);
    expect([from, to, answer.verdict, ...probes.map(({ agrees }) => agrees)]).toEqual([
      from,
      to,
      verdict,
      true,
    ]);
  };
  await letIn(...(outside ?? []).map(wide));
  await eventually(async () => {
    await held('world', own, 'allowed');
    await held(client, own, 'allowed');
    await held('world', other, 'denied');
    await held('stranger', other, 'denied');
    await held('node/node1', own, 'allowed');
    await held('node/node1', other, 'denied');
    await held('friend', other, 'allowed');
    await held('friend', own, 'denied');
  }, 60_000);
  await letIn(...(node2 ?? []).map(wide));
  await eventually(async () => {
    await held('world', own, 'denied');
    await held('world', other, 'allowed');
    await held(other, own, 'allowed');
    await held('friend', own, 'allowed');
    await held('node/node1', other, 'allowed');
  }, 60_000);
  await cluster.apply(policy);
}, 150_000);

test('a host port leads to its pod, whose policy decides', async () => {
  const labels = { app: 'hosted' };
  const ports = [{ containerPort: 8080, hostPort: 9080 }];
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'hosted', namespace: 'default', labels },
    spec: { nodeName: 'node1', containers: [{ name: 'main', image: 'netloom/echo', ports }] },
  } as KubeObject);
  await readyPod(cluster, 'default', 'hosted');
  const [own = ''] = (await cluster.lab.addressesOf('node1')).filter((each) => each.includes('.'));
  const held = async (from: string, verdict: string) => {
    const { probes, paths } = await ask(from, own, 'tcp/9080');
    expect([from, paths[0]?.to[0]?.name, paths[0]?.verdict, ...probes.map(({ agrees }) => agrees)]).toEqual([
      from,
      'pod default/hosted',
      verdict,
      true,
    ]);
  };
  const askers = ['world', 'stranger', 'friend', 'node/node2'];
  await eventually(async () => {
    for (const from of askers) await held(from, 'allowed');
  }, 30_000);
  await cluster.apply({
    ...policy,
    metadata: { name: 'hosted', namespace: 'default' },
    spec: { podSelector: { matchLabels: labels }, ingress: [] },
  } as KubeObject);
  await eventually(async () => {
    for (const from of askers) await held(from, 'denied');
  }, 30_000);
  await cluster.kubectl('delete', 'netpol,pod', 'hosted');
}, 120_000);

test('netloom policy tells what each rule decided', async () => {
  const rows = async (...node: readonly string[]) => {
    const lines: string[] = [];
    const values = {
      name: cluster.name,
      output: 'text',
      ...(node[0] === undefined ? {} : { node: node[0] }),
    };
    expect(
      await policyCommand({ values, operands: [], out: (line) => lines.push(line), progress: () => {} }),
    ).toBe(0);
    return lines.map((line) => line.split(/ {2,}/));
  };
  await eventually(async () => {
    await ask('friend', 'server', 'tcp/8080');
    await ask('stranger', 'server', 'tcp/8080');
    const all = await rows();
    const name = 'NetworkPolicy default/server';
    expect(all).toContainEqual([
      name,
      'spec.ingress[0]',
      'ingress',
      'allow',
      expect.stringMatching(/^\d+$/),
      '1',
    ]);
    expect(all).toContainEqual([
      name,
      'isolates, and no rule allows',
      'ingress',
      'deny',
      expect.stringMatching(/^\d+$/),
      '1',
    ]);
  }, 30_000);
  expect((await rows('node2')).flat().join()).not.toContain('default/server');
  await expect(rows('node9')).rejects.toThrow('--node: Netloom runs on no node node9');
});

test('netloom policy NAMESPACE/NAME tells the state of a NetworkPolicy, too', async () => {
  const state = async (operand: string) => {
    const lines: string[] = [];
    const values = { name: cluster.name, output: 'text' };
    const asked = {
      values,
      operands: [operand],
      out: (line: string) => lines.push(line),
      progress: () => {},
    };
    expect(await policyCommand(asked)).toBe(0);
    return lines.map((line) => line.split(/ {2,}/));
  };
  await eventually(async () => {
    const told = await state('default/server');
    expect(told).toContainEqual([
      'InForce',
      'True',
      'InForce',
      expect.stringMatching(
        /^on 1 of 1 node that needs it, since generation \d+; selects 1 pod: default\/server$/,
      ),
    ]);
    expect(told).toContainEqual(['Accepted', 'True', 'Accepted', 'all of it is used']);
    expect(told).toContainEqual(expect.arrayContaining(['NetworkPolicy default/server', 'spec.ingress[0]']));
  }, 30_000);
  await cluster.apply({
    ...policy,
    metadata: { name: 'idle', namespace: 'default' },
    spec: { podSelector: { matchLabels: { app: 'nobody' } } },
  } as KubeObject);
  await eventually(async () =>
    expect((await state('default/idle')).flat().join()).toContain('SelectsNobody'),
  );
  await expect(state('default/none')).rejects.toThrow('there is no NetworkPolicy default/none');
  await expect(state('none')).rejects.toThrow('is no NAMESPACE/NAME of a NetworkPolicy');
});

test('without a lab nothing is sent', async () => {
  const { KUBECONFIG } = process.env;
  process.env.KUBECONFIG = cluster.lab.kubeconfigPath;
  try {
    const asked = { operands: ['friend', 'server', 'tcp/8080'], out: () => {}, progress: () => {} };
    await expect(why({ ...asked, values: { probe: true } })).rejects.toThrow('in a lab of this machine only');
    expect(await why({ ...asked, values: {} })).toBe(0);
  } finally {
    if (KUBECONFIG === undefined) delete process.env.KUBECONFIG;
    else process.env.KUBECONFIG = KUBECONFIG;
  }
});

test('a difference to the running cluster', async () => {
  const lines: string[] = [];
  const files = new URL('../../examples/policy.yaml', import.meta.url).pathname;
  const code = await diff({
    values: { name: cluster.name, files, output: 'json' },
    operands: [],
    out: (line) => lines.push(line),
    progress: () => {},
  });
  expect([0, 1]).toContain(code);
  expect(JSON.parse(lines.join(''))).toMatchObject({ dns: expect.any(Array), closes: expect.any(Array) });
}, 60_000);
