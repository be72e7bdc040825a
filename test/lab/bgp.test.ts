/** Routed Subnets behind routers: the blocks of nodes in the router's own table, by BGP, and the ways that packets take. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BGPNeighbor, bgpNeighborKind } from '#api/kinds/bgpneighbor.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { paths } from '#system/registry.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type PodAt, startPods } from './pods.ts';

let cluster: Cluster;
let pods: readonly PodAt[];
/** In the routed Subnet: on node1 and node3, which share a segment, and on node2 behind the router. */
let one: PodAt;
let two: PodAt;
let three: PodAt;

const on = async (machine: string, script: string): Promise<string> => {
  const { code, stdout, stderr } = await cluster.lab.exec(machine, ['sh', '-c', script]);
  if (code !== 0) throw new Error(`${machine}: ${script}: ${stderr}${stdout}`);
  return stdout;
};
const vtysh = (machine: string, ...commands: readonly string[]): Promise<string> =>
  on(
    machine,
    `vtysh --vty_socket ${paths.frrDirectory.value} ${commands.map((text) => `-c '${text}'`).join(' ')}`,
  );
const neighbor = (name: string) => cluster.client.get<BGPNeighbor>(bgpNeighborKind, name);
const ready = async (name: string, summary: string): Promise<BGPNeighbor> => {
  const found = await neighbor(name);
  expect(found.status?.summary).toBe(summary);
  expect(found.status?.conditions).toMatchObject([{ type: 'Ready', status: 'True', reason: 'Established' }]);
  return found;
};
const patch = (name: string, spec: object) =>
  cluster.client.patch(bgpNeighborKind, { name }, { kind: 'merge', body: { spec } });
/** What a pod sees of itself when it asks another one. */
const ask = async (from: PodAt, address: string): Promise<string> => {
  const host = address.includes(':') ? `[${address}]` : address;
  return on(from.node, `nsenter --net=/run/netns/${from.netns} curl -sS -m 3 http://${host}:8080/`);
};
const subnet = (name: string, spec: object): KubeObject =>
  ({ apiVersion: 'netloom.dev/v1alpha1', kind: 'Subnet', metadata: { name }, spec }) as KubeObject;
const namespace = (name: string): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }) as KubeObject;

beforeAll(async () => {
  cluster = await startCluster('bgp', { nodes: 3, segments: 2, bgp: true });
  await cluster.apply(
    subnet('team', {
      cidrs: ['10.20.0.0/16', 'fd20::/56'],
      mode: 'routed',
      namespaces: ['team'],
      outboundAddress: 'Pod',
      allowInboundFrom: ['192.168.66.200/32', 'fd66::200/128'],
    }),
    namespace('team'),
  );
  const wish = (name: string, node: string, of: string) => ({
    name,
    node,
    namespace: of,
    image: 'netloom/echo',
  });
  pods = await startPods(cluster, [
    wish('one', 'node1', 'team'),
    wish('two', 'node2', 'team'),
    wish('three', 'node3', 'team'),
    wish('overlay1', 'node1', 'default'),
    wish('overlay2', 'node2', 'default'),
    wish('overlay3', 'node3', 'default'),
  ]);
  [one, two, three] = pods as unknown as [PodAt, PodAt, PodAt];
}, 180_000);
afterAll(() => cluster?.down());

/** The block of a pod, as the router has it: its next hop. */
const routeOf = async (machine: string, address: string): Promise<string> =>
  on(machine, `ip ${address.includes(':') ? '-6 ' : ''}route get ${address}`);

describe('a router that speaks BGP', () => {
  test('has a session with every node, and the objects say so', async () => {
    await eventually(() => ready('router-1-ipv4', '2/2'), 30_000);
    await eventually(() => ready('router-2-ipv6', '1/1'), 30_000);
    const { stdout } = await cluster.kubectl('get', 'bgpneighbors');
    expect(stdout).toMatch(/NAME +ADDRESS +ASN +LOCAL-ASN +ESTABLISHED +READY +AGE/);
    expect(stdout).toMatch(/router-1-ipv4 +192\.168\.66\.1 +65000 +64512 +2\/2 +True/);
    const found = await neighbor('router-1-ipv4');
    expect(Object.keys(found.status?.sessions ?? {}).sort()).toEqual(['node1', 'node3']);
    expect(found.status?.sessions?.['node1']).toMatchObject({
      state: 'Established',
      sessions: 1,
      established: 1,
    });
  });

  test('has each block of the routed Subnet at its node, and none of an overlay Subnet', async () => {
    for (const pod of [one, two, three]) {
      const [address4 = ''] = await cluster.lab.addressesOf(pod.node);
      await eventually(async () => expect(await routeOf('router', pod.ipv4)).toContain(`via ${address4} `));
      await eventually(async () =>
        expect(await on('router', 'ip -6 route show proto bgp')).toMatch(/^fd20:/m),
      );
    }
    const table = await on('router', 'ip route show proto bgp');
    expect(table.match(/^10\.20\.\S+\/26 /gm)).toHaveLength(3);
    expect(table).not.toContain('10.244.');
    expect(await vtysh('router', 'show bgp ipv4 unicast')).toMatch(
      /10\.20\.\S+\/26 +192\.168\.66\.11 .*64512/,
    );
  });

  test('carries packets between pods of different segments, and of one segment go without it', async () => {
    for (const [from, to] of [
      [one, two],
      [two, one],
      [one, three],
      [two, three],
    ] as const) {
      expect(await ask(from, to.ipv4)).toContain(from.ipv4);
      expect(await ask(from, to.ipv6)).toContain(from.ipv6);
    }
    expect(await routeOf('node1', three.ipv4)).toContain('via 192.168.66.13 dev eth0');
    expect(await routeOf('node1', two.ipv4)).toContain('via 192.168.66.1 dev eth0');
    expect(await routeOf('node2', one.ipv6)).toContain('via fd67::1 dev eth0');
  });

  test('brings hosts outside to pods by their own addresses', async () => {
    const seen = async (address: string) =>
      on('outside', `curl -sS -m 3 http://${address.includes(':') ? `[${address}]` : address}:8080/`);
    expect(await seen(two.ipv4)).toContain('192.168.66.200');
    expect(await seen(two.ipv6)).toContain('fd66::200');
  });

  test('learns a block that is new within a second, and no session or configuration is touched', async () => {
    const config = await vtysh('node1', 'show running-config');
    const before = (await ready('router-1-ipv4', '2/2')).status?.sessions?.['node1']?.since;
    await cluster.apply(
      subnet('single', {
        cidrs: ['10.21.0.0/24'],
        mode: 'routed',
        namespaces: ['single'],
        blockSizes: { ipv4: 32 },
      }),
      namespace('single'),
    );
    const [moved] = await startPods(cluster, [{ name: 'moved', node: 'node1', namespace: 'single' }]);
    await eventually(async () =>
      expect(await on('router', 'ip route show proto bgp')).toMatch(
        new RegExp(`^${moved!.ipv4.replaceAll('.', '\\.')} .*via 192\\.168\\.66\\.11 `, 'm'),
      ),
    );
    await cluster.kubectl('-n', 'single', 'delete', 'pod', 'moved', '--wait=true');
    // A Subnet is a line of a filter, once; its blocks are none.
    const lines = (text: string) => text.split('\n').filter((line) => !line.includes('10.21.0.0/24'));
    expect(lines(await vtysh('node1', 'show running-config'))).toEqual(lines(config));
    expect((await ready('router-1-ipv4', '2/2')).status?.sessions?.['node1']?.since).toBe(before);
  });

  test('keeps its sessions when datapath and agent are killed', async () => {
    const before = (await ready('router-1-ipv4', '2/2')).status?.sessions?.['node1']?.since;
    const uptime = async () => {
      const text = await vtysh('router', 'show bgp neighbors 192.168.66.11 json');
      return (JSON.parse(text) as Record<string, { connectionsEstablished: number }>)['192.168.66.11'];
    };
    const established = (await uptime())?.connectionsEstablished;
    for (const program of ['datapath', 'agent'])
      await on('node1', `pkill -9 -f "[p]rograms/${program}/main.ts"`);
    await eventually(async () => {
      const { stdout } = await cluster.kubectl(
        '-n',
        'netloom-system',
        'get',
        'pods',
        '--field-selector',
        'spec.nodeName=node1',
      );
      expect(stdout).toMatch(/netloom-node-\S+ +3\/3/);
      expect(
        await on('node1', `curl -sS --unix-socket ${paths.datapathSocket.value} http://d/v1/status`),
      ).toContain('"state":"Established"');
    }, 60_000);
    expect((await uptime())?.connectionsEstablished).toBe(established);
    const since = (await neighbor('router-1-ipv4')).status?.sessions?.['node1']?.since;
    // FRR tells how long it has stood, in whole seconds.
    expect(Math.abs(Date.parse(since ?? '') - Date.parse(before ?? ''))).toBeLessThan(2_000);
    expect(await ask(two, one.ipv4)).toContain(two.ipv4);
  });
});

describe('what a user may get wrong, or change', () => {
  test('a bad neighbor says what is wrong, and the others stay', async () => {
    await cluster.apply({
      apiVersion: 'netloom.dev/v1alpha1',
      kind: 'BGPNeighbor',
      metadata: { name: 'bad' },
      spec: { address: '192.168.66.9', asn: 65_535, localASN: 64_512 },
    } as KubeObject);
    await eventually(async () =>
      expect((await neighbor('bad')).status?.conditions).toMatchObject([
        { status: 'False', reason: 'InvalidASN', message: 'spec.asn: AS 65535 is reserved' },
      ]),
    );
    await patch('bad', { asn: 65_001, localASN: 64_999 });
    await eventually(async () =>
      expect((await neighbor('bad')).status?.conditions).toMatchObject([
        { status: 'False', reason: 'ASNConflict' },
      ]),
    );
    await cluster.client.delete(bgpNeighborKind, 'bad');
    await ready('router-1-ipv4', '2/2');
  });

  test('a password comes from a Secret; until it is there the object says so', async () => {
    await patch('router-2-ipv4', { passwordSecretRef: { name: 'tor' } });
    await eventually(async () => {
      const { status } = await neighbor('router-2-ipv4');
      expect(status?.conditions).toMatchObject([{ status: 'False', reason: 'Refused' }]);
      expect(status?.conditions?.[0]?.message).toContain('Secret netloom-system/tor: does not exist');
    });
    await vtysh(
      'router',
      'configure terminal',
      'router bgp 65000',
      'neighbor nodes2 peer-group',
      'neighbor nodes2 remote-as external',
      'neighbor nodes2 password wonderful',
      'no bgp listen range 192.168.67.0/24 peer-group nodes',
      'bgp listen range 192.168.67.0/24 peer-group nodes2',
      'address-family ipv4 unicast',
      'neighbor nodes2 activate',
    );
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'tor', namespace: 'netloom-system' },
      stringData: { password: 'wonderful' },
    } as unknown as KubeObject);
    await eventually(() => ready('router-2-ipv4', '1/1'), 40_000);
    await eventually(async () => expect(await routeOf('router', two.ipv4)).toContain('via 192.168.67.12 '));
    expect(await on('node2', `stat -c %a ${paths.frrDirectory.value}/bgpd.conf`)).toBe('600\n');
  });

  test('what the neighbor announces is taken only where importPrefixes says so', async () => {
    expect(await on('node1', 'ip route show proto bgp')).toBe('');
    await patch('router-1-ipv4', {
      importPrefixes: [{ prefix: '10.20.0.0/16', le: 26 }, { prefix: '203.0.113.0/24' }],
    });
    await eventually(async () => {
      const table = await on('node1', 'ip route show proto bgp');
      expect(table).toMatch(/^203\.0\.113\.0\/24 /m);
      expect(table).not.toContain('default');
    }, 20_000);
    // The block behind the router is now taught; that of a node of this segment stays our own.
    await eventually(async () =>
      expect(await on('node1', `ip route get ${two.ipv4}; ip route show proto bgp`)).toMatch(
        /10\.20\.\S+\/26 .*via 192\.168\.66\.1 /,
      ),
    );
    expect(await routeOf('node1', three.ipv4)).toContain('via 192.168.66.13 dev eth0');
    expect(await ask(one, two.ipv4)).toContain(one.ipv4);
  });
});

describe('route reflectors', () => {
  test('tell their clients of each other, which have no session between them', async () => {
    await cluster.apply({
      apiVersion: 'netloom.dev/v1alpha1',
      kind: 'BGPNeighbor',
      metadata: { name: 'mesh' },
      spec: {
        localASN: 64_512,
        peerNodeSelector: { matchLabels: { 'kubernetes.io/hostname': 'node1' } },
        routeReflector: { clusterID: '10.0.0.1' },
      },
    } as KubeObject);
    const found = await eventually(() => ready('mesh', '3/3'), 40_000);
    expect(found.status?.sessions?.['node1']).toMatchObject({ sessions: 4, established: 4 });
    expect(found.status?.sessions?.['node3']).toMatchObject({ sessions: 2, established: 2 });
    await eventually(async () => {
      const seen = await vtysh('node2', `show bgp ipv4 unicast ${three.ipv4}`);
      expect(seen).toContain('Originator: 192.168.66.13, Cluster list: 10.0.0.1');
    });
    // Reflectors announce their own blocks only to the router: nobody else's with themselves as next hop.
    for (const to of [two, three]) {
      const [address4 = ''] = await cluster.lab.addressesOf(to.node);
      expect(await routeOf('router', to.ipv4)).toContain(`via ${address4} `);
      expect(await ask(one, to.ipv4)).toContain(one.ipv4);
      expect(await ask(to, one.ipv6)).toContain(to.ipv6);
    }
    expect(await ask(two, three.ipv4)).toContain(two.ipv4);
    await cluster.client.delete(bgpNeighborKind, 'mesh');
    await eventually(async () =>
      expect(await vtysh('node2', 'show bgp summary')).not.toContain('192.168.66.11'),
    );
  });
});

describe('an overlay Subnet with crossSubnet', () => {
  test('uses the tunnel across the router and plain routes inside a segment', async () => {
    const [near1, far2, near3] = pods.slice(3) as [PodAt, PodAt, PodAt];
    expect(await routeOf('node1', near3.ipv4)).toContain('dev nlvx0');
    await cluster.client.patch(
      subnetKind,
      { name: 'default' },
      { kind: 'merge', body: { spec: { crossSubnet: true } } },
    );
    await eventually(async () => {
      expect(await routeOf('node1', near3.ipv4)).toContain('via 192.168.66.13 dev eth0');
      expect(await routeOf('node3', near1.ipv6)).toContain('via fd66::11 dev eth0');
      expect(await routeOf('node1', far2.ipv4)).toContain('dev nlvx0');
      expect(await routeOf('node2', near1.ipv6)).toContain('dev nlvx0');
    });
    for (const [from, to] of [
      [near1, near3],
      [near3, near1],
      [near1, far2],
      [far2, near3],
      [one, far2],
      [near3, one],
      [far2, one],
    ] as const) {
      expect(await ask(from, to.ipv4), `${from.name} to ${to.name}`).toContain(from.ipv4);
      expect(await ask(from, to.ipv6), `${from.name} to ${to.name}`).toContain(from.ipv6);
    }
    // The router, which carries the tunnel, sees nothing of what stays inside the segment and may forge nothing from behind itself.
    const dropped = async () =>
      Number(/packets (\d+)/.exec(await on('node1', 'nft list counter inet netloom droppedSource'))?.[1]);
    const before = await dropped();
    await on(
      'router',
      `ip addr add ${far2.ipv4}/32 dev lo; ip route add ${near1.ipv4} via 192.168.66.11; ping -c2 -W1 -I ${far2.ipv4} ${near1.ipv4} || true; ip route del ${near1.ipv4} via 192.168.66.11; ip addr del ${far2.ipv4}/32 dev lo`,
    );
    expect(await dropped()).toBe(before + 2);
  });
});
