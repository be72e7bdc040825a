/** Balancers' addresses on a segment, as MetalLB's users have them: a client beside the nodes, both families, and nodes that take over. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;
const nodes = ['node1', 'node2', 'node3'];
const [web4, web6] = ['192.168.66.240', 'fd66::240'];
const [local4, local6] = ['192.168.66.241', 'fd66::241'];
const excluded = 'node.kubernetes.io/exclude-from-external-load-balancers';

const metallb = (kind: string, name: string, spec: object): KubeObject =>
  ({
    apiVersion: 'metallb.io/v1beta1',
    kind,
    metadata: { name, namespace: 'metallb-system' },
    spec,
  }) as KubeObject;

function echo(name: string, nodeName: string, app: string): KubeObject {
  const env = [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }];
  const spec = { nodeName, containers: [{ name: 'main', image: 'netloom/echo', env }] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app } },
    spec,
  } as KubeObject;
}

function balancer(name: string, addresses: readonly string[], spec: object = {}): KubeObject {
  const annotations = { 'metallb.universe.tf/loadBalancerIPs': addresses.join(',') };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations },
    spec: {
      type: 'LoadBalancer',
      ipFamilyPolicy: 'RequireDualStack',
      selector: { app: name },
      ports: [{ port: 80, targetPort: 8080 }],
      ...spec,
    },
  } as KubeObject;
}

beforeAll(async () => {
  cluster = await startCluster('l2', { nodes: 3 });
  await cluster.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'metallb-system' } } as KubeObject,
    metallb('IPAddressPool', 'lan', { addresses: ['192.168.66.240-192.168.66.250', 'fd66::240-fd66::250'] }),
    metallb('L2Advertisement', 'lan', { ipAddressPools: ['lan'] }),
    ...nodes.map((node) => echo(`web-${node}`, node, 'web')),
    echo('local-node2', 'node2', 'local'),
    balancer('web', [web4, web6]),
    balancer('local', [local4, local6], { externalTrafficPolicy: 'Local' }),
  );
  await kubectl('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=90s');
}, 240_000);
afterAll(() => cluster?.down());

async function kubectl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}
const on = async (machine: string, script: string): Promise<string> => {
  const { code, stdout, stderr } = await cluster.lab.exec(machine, ['sh', '-c', script]);
  if (code !== 0) throw new Error(`${machine}: ${script}: ${stderr}${stdout}`);
  return stdout.trim();
};
const hostOf = (address: string) => (address.includes(':') ? `[${address}]` : address);
const ask = async (address: string) =>
  JSON.parse(await on('outside', `curl -sS -m 2 http://${hostOf(address)}/`)) as {
    pod: string;
    remote: { address: string };
  };

/** MACs that answer for an address, each heard by the outside when it asks everybody. */
async function answering(address: string): Promise<readonly string[]> {
  const filter = address.includes(':')
    ? `icmp6 and ip6[40] == 136 and ip6 src ${address}`
    : `arp and arp[6:2] == 2 and arp src host ${address}`;
  const heard = await on(
    'outside',
    `f=$(mktemp); tcpdump -lnei eth0 '${filter}' > $f 2> $f.said & p=$!
     until grep -q 'listening on' $f.said; do sleep 0.05; done
     ip neigh flush to ${address}; ping -c1 -W0.5 ${address} > /dev/null; sleep 0.5
     kill $p; wait $p; cat $f; rm $f $f.said`,
  );
  return [...new Set([...heard.matchAll(/^\S+ (\S+) > /gm)].map(([, mac = '']) => mac))];
}
/** The one node that answers, by its MAC. */
async function leaderOf(address: string): Promise<string> {
  const macs = await answering(address);
  expect(macs).toHaveLength(1);
  for (const node of nodes) if ((await macOf(node)) === macs[0]) return node;
  throw new Error(`nobody has ${macs[0]}`);
}
const macOf = async (node: string) => /link\/ether (\S+)/.exec(await on(node, 'ip link show eth0'))?.[1];

const announcer = (name: string) =>
  kubectl('get', 'service', name, '-o', 'jsonpath={.metadata.annotations.netloom\\.dev/announcer}');

describe('a Service of type LoadBalancer', () => {
  test('is reached from the segment in both families, at exactly one node, and the objects say at which', async () => {
    for (const address of [web4, web6])
      await eventually(async () => expect((await ask(address)).pod).toMatch(/^web-/), 30_000);
    const leader = await leaderOf(web4);
    expect(await leaderOf(web6)).toBe(leader);
    expect(await announcer('web')).toBe(leader);
    await eventually(async () => {
      const rows = await kubectl('get', 'servicel2statuses', '-A', '-l', 'metallb.io/service-name=web');
      expect(rows).toMatch(new RegExp(`^netloom-system +l2-\\w+ +${leader} +web +default +eth0 +`, 'm'));
      expect(rows.trim().split('\n')).toHaveLength(2);
    });
    expect(await kubectl('describe', 'service', 'web')).toMatch(
      new RegExp(`nodeAssigned .*announcing from node "${leader}" with protocol "layer2"`),
    );
    const metrics = await on(leader, 'curl -s http://127.0.0.1:9470/metrics');
    expect(metrics).toContain(
      `metallb_speaker_announced{protocol="layer2",service="default/web",node="${leader}",ip="${web4}"} 1`,
    );
    await eventually(async () =>
      expect(await on(leader, 'curl -s http://127.0.0.1:9471/metrics')).toMatch(
        /metallb_layer2_requests_received\{ip="192\.168\.66\.240"\} [1-9]/,
      ),
    );
  });

  test('with externalTrafficPolicy Local is where its pod is, with the client as it is', async () => {
    for (const [address, client] of [
      [local4, '192.168.66.200'],
      [local6, 'fd66::200'],
    ] as const) {
      await eventually(async () => {
        const { pod, remote } = await ask(address);
        expect([pod, remote.address.replace('::ffff:', '')]).toEqual(['local-node2', client]);
      });
      expect(await leaderOf(address)).toBe('node2');
    }
    await kubectl('delete', 'pod', 'local-node2', '--now');
    await eventually(async () => expect(await answering(local4)).toEqual([]), 30_000);
    await cluster.apply(echo('local-node3', 'node3', 'local'));
    await eventually(async () => expect((await ask(local6)).pod).toBe('local-node3'), 30_000);
    expect(await leaderOf(local4)).toBe('node3');
  });
});

describe('moving', () => {
  test('by a label that excludes a node loses no request, and back at the announcer nothing moves by itself', async () => {
    const before = await leaderOf(web4);
    let lost: readonly string[] = [];
    let after: string;
    try {
      lost = await requestsWhile(async () => {
        await kubectl('label', 'node', before, `${excluded}=`);
        await eventually(async () => expect(await leaderOf(web4)).not.toBe(before), 30_000);
      });
      after = await leaderOf(web4);
      expect(await leaderOf(web6)).toBe(after);
    } finally {
      await kubectl('label', 'node', before, `${excluded}-`);
    }
    expect(lost).toEqual([]);
    await eventually(async () => expect(await announcer('web')).toBe(after));
    expect(await leaderOf(web4)).toBe(after);
  });

  test('by the advertisement: a preferred node, then the only one, then none', async () => {
    const before = await leaderOf(web4);
    const other = nodes.find((node) => node !== before)!;
    const third = nodes.find((node) => node !== before && node !== other)!;
    await kubectl('label', 'node', other, 'lb=preferred');
    await kubectl('label', 'node', third, 'lb=only');
    const patch = (spec: object) =>
      kubectl(
        'patch',
        'l2advertisement',
        'lan',
        '-n',
        'metallb-system',
        '--type=merge',
        '-p',
        JSON.stringify({ spec }),
      );
    await patch({
      preferredNodeSelectors: [{ weight: 10, preference: { matchLabels: { lb: 'preferred' } } }],
    });
    await eventually(async () => expect(await leaderOf(web4)).toBe(other), 30_000);
    await patch({ nodeSelectors: [{ matchLabels: { lb: 'only' } }], preferredNodeSelectors: null });
    await eventually(async () => expect(await leaderOf(web6)).toBe(third), 30_000);
    await patch({ interfaces: ['eth9'] });
    await eventually(async () => expect(await answering(web4)).toEqual([]), 30_000);
    expect(
      await on(third, 'curl -s --unix-socket /run/netloom/datapath.sock http://datapath/v1/problems'),
    ).toContain('none of the interfaces can be answered on: eth9 is not on this node');
    await patch({ nodeSelectors: null, interfaces: null });
    await eventually(async () => expect((await ask(web4)).pod).toMatch(/^web-/), 30_000);
  });
});

describe('the datapath of the node that answers', () => {
  test('is restarted as planned without a request lost, and the address stays', async () => {
    const before = await leaderOf(web4);
    const instance = () =>
      on(before, 'curl -s --unix-socket /run/netloom/datapath.sock http://datapath/v1/status').then(
        (text) => (JSON.parse(text) as { instance: string }).instance,
      );
    const first = await instance();
    const lost = await requestsWhile(async () => {
      await cluster.lab.exec(before, ['pkill', '-TERM', '-f', 'programs/datapath/main.ts']);
      await eventually(async () => expect(await instance()).not.toBe(first), 60_000);
      await eventually(async () =>
        expect(
          JSON.parse(
            await on(before, 'curl -s --unix-socket /run/netloom/datapath.sock http://datapath/v1/status'),
          ),
        ).toMatchObject({ ready: true, answering: [{ address: web4 }, { address: web6 }] }),
      );
    });
    expect(lost).toEqual([]);
    expect(await leaderOf(web4)).toBe(before);
    expect(await leaderOf(web6)).toBe(before);
  });
});

describe('the agent of the node that answers', () => {
  test('stands still: the node gives way to one that knows more, and comes back to it', async () => {
    const before = await leaderOf(web4);
    const pid = (await on(before, 'pgrep -o -f programs/agent/main.ts')).trim();
    await on(before, `kill -STOP ${pid}`);
    try {
      await kubectl('label', 'node', before, `${excluded}=`);
      await eventually(async () => expect(await leaderOf(web4)).not.toBe(before), 30_000);
      expect(await leaderOf(web6)).not.toBe(before);
      expect(await leaderOf(web4)).not.toBe(before);
    } finally {
      await on(before, `kill -CONT ${pid}`);
      await kubectl('label', 'node', before, `${excluded}-`);
    }
    await eventually(async () => expect(await announcer('web')).toBe(await leaderOf(web4)), 30_000);
  });
});

/** Requests one after the other in both families, each asking for the address anew; those that failed. */
async function requestsWhile(work: () => Promise<void>): Promise<readonly string[]> {
  const stop = '/tmp/l2-stop';
  const loop = on(
    'outside',
    `rm -f ${stop}; while [ ! -e ${stop} ]; do for a in ${web4} [${web6}]; do ip neigh flush to $(echo $a | tr -d []); curl -sS -m 3 -o /dev/null http://$a/ 2>&1 || echo "$(date +%T) $a"; done; sleep 0.02; done`,
  );
  try {
    await work();
  } finally {
    await on('outside', `touch ${stop}`);
  }
  const failed = await loop;
  return failed === '' ? [] : failed.split('\n');
}
