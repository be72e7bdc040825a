/** Two nodes, two pods, real packets: what createPodLink and the engine make together. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IntentChange, NodeIntent } from '#intent/node.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { createNetlinkEngine, type NetlinkEngine } from './driver.ts';
import { podDeviceName } from './names.ts';
import { createPodLink, deletePodLink, listPodLinks } from './pod.ts';
import { checkPodLink } from './pod-check.ts';

let box: Sandbox;
const namespaces: Record<string, string> = {};
const engines: NetlinkEngine[] = [];

/** Two nodes on a bridge, one pod namespace each and a spare one. */
beforeAll(async () => {
  box = await openSandbox();
  for (const name of ['a', 'b', 'pa', 'pb', 'spare']) namespaces[name] = await box.addNamespace(name);
  await sh(`ip link add br0 type bridge && ip link set br0 up
    for n in a:11 b:12; do
      ns=\${n%:*}; i=\${n#*:}
      ip link add port$i type veth peer name eth0 netns $ns && ip link set port$i master br0 up
      ip -n $ns address add 192.168.66.$i/24 dev eth0 && ip -n $ns address add fd66::$i/64 dev eth0 nodad
      ip -n $ns link set eth0 up
    done
    ip link set br0 type bridge nf_call_iptables 0 nf_call_ip6tables 0; true`);
  for (const [name, own, other] of [
    ['a', 11, 12],
    ['b', 12, 11],
  ] as const) {
    const engine = createNetlinkEngine({ namespace: namespaces[name] });
    engines.push(engine);
    await engine.apply(nodeIntent(name, own, other));
  }
});
afterAll(async () => {
  for (const engine of engines) await engine.close();
  await box.close();
});

async function sh(script: string, netns?: string): Promise<string> {
  const { stdout, stderr, code } = await box.exec(['sh', '-c', script], { netns });
  expect({ script, stderr, code, stdout: code === 0 ? '' : stdout }).toEqual({
    script,
    stderr: '',
    code: 0,
    stdout: '',
  });
  return stdout;
}

function nodeIntent(name: string, own: number, other: number): IntentChange {
  const origin = { kind: 'Node', name };
  const put: Partial<NodeIntent> = {
    self: {
      [name]: {
        origin,
        node: name,
        nodeUID: name,
        addresses: [`192.168.66.${own}`, `fd66::${own}`],
        blocks: [],
        tunnelAddresses: [`10.244.${own}.0`, `fd10:244:0:${own}::`],
        assignUntil: 0,
      },
    },
    subnets: {
      s: {
        origin,
        cidrs: ['10.244.0.0/16', 'fd10:244::/56'],
        mode: 'overlay',
        masquerade: true,
        allowFrom: [],
        excluded: [],
      },
    },
    peers: {
      other: {
        origin,
        addresses: [`192.168.66.${other}`, `fd66::${other}`],
        blocks: [
          { cidr: `10.244.${other}.0/24`, subnet: 's', mode: 'overlay' },
          { cidr: `fd10:244:0:${other}::/64`, subnet: 's', mode: 'overlay' },
        ],
      },
    },
  };
  return { generation: 1, replace: true, remove: {}, put };
}

const device = podDeviceName('container', 'eth0');

function spec(node: 'a' | 'b', own: number, pod = `p${node}`) {
  return {
    hostNamespace: namespaces[node]!,
    podNamespace: namespaces[pod]!,
    hostName: device,
    ifName: 'eth0',
    mtu: 1450,
    addresses: [`10.244.${own}.5`, `fd10:244:0:${own}::5`],
  };
}

async function addPod(index: 0 | 1): Promise<void> {
  const wanted = index === 0 ? spec('a', 11) : spec('b', 12);
  const link = createPodLink(wanted);
  const endpoint = {
    origin: { kind: 'Pod', name: 'p' },
    device,
    ifindex: link.ifindex,
    mac: link.podMac,
    addresses: wanted.addresses,
    subnet: 's',
    mode: 'overlay' as const,
  };
  const put = { endpoints: { 'container/eth0': endpoint } };
  const { problems } = await engines[index]!.apply({ generation: 2, replace: false, put, remove: {} });
  expect(problems).toEqual([]);
}

describe('a wired pod', () => {
  beforeAll(async () => {
    await addPod(0);
    await addPod(1);
  });

  it.each([
    ['a pod on the other node', 'pa', '10.244.12.5', 'fd10:244:0:12::5'],
    ['its own node', 'pa', '192.168.66.11', 'fd66::11'],
    ['the other node through the tunnel', 'pa', '10.244.12.0', 'fd10:244:0:12::'],
  ])('reaches %s from its first packet on', async (_, from, four, six) => {
    await sh(`ping -c1 -W1 ${four} && ping -c1 -W1 ${six}`, from);
  });

  it('is reached by a remote node, which speaks from its tunnel address', async () => {
    await sh('ping -c1 -W1 10.244.12.5 && ping -c1 -W1 fd10:244:0:12::5', 'a');
    expect(await sh('ip route get 10.244.12.5; ip route get fd10:244:0:12::5', 'a')).toMatch(
      /src 10\.244\.11\.0 [\s\S]*src fd10:244:0:11:: /,
    );
  });

  it('passes full-sized packets and no larger ones', async () => {
    await sh('ping -c1 -W1 -M do -s 1422 10.244.12.5 && ping -c1 -W1 -M do -s 1402 fd10:244:0:12::5', 'pa');
    const { code } = await box.exec(['ping', '-c1', '-W1', '-M', 'do', '-s', '1423', '10.244.12.5'], {
      netns: 'pa',
    });
    expect(code).not.toBe(0);
  });

  it("gets ICMP errors from the node's underlay address", async () => {
    const ping = (what: string) => box.exec(['sh', '-c', `ping -c1 -W1 ${what}`], { netns: 'pa' });
    expect((await ping('-t1 10.244.12.5')).stdout).toContain(
      'From 192.168.66.11 icmp_seq=1 Time to live exceeded',
    );
    expect((await ping('-t1 fd10:244:0:12::5')).stdout).toContain('From fd66::11 icmp_seq=1 Time exceeded');
    expect((await ping('10.244.99.1')).stdout).toContain(
      'From 192.168.66.11 icmp_seq=1 Destination Host Unreachable',
    );
    expect((await ping('fd10:244:0:99::1')).stdout).toContain(
      'From fd66::11 icmp_seq=1 Destination unreachable',
    );
  });

  it('needs no ARP and no neighbour discovery, and gets no answer to ARP', async () => {
    expect(await sh('ip neigh show', 'pa')).not.toMatch(/REACHABLE|STALE|DELAY|PROBE|INCOMPLETE/);
    const { stdout } = await box.exec(['arping', '-c1', '-w1', '-I', 'eth0', '192.168.66.11'], {
      netns: 'pa',
    });
    expect(stdout).not.toContain('reply from');
  });

  it('passes the check, and what is wrong is named', async () => {
    expect(checkPodLink(spec('a', 11))).toEqual([]);
    await sh('ip route del default && ip link set eth0 mtu 1400', 'pa');
    expect(checkPodLink(spec('a', 11))).toEqual([
      'eth0 has MTU 1400, not 1450',
      'the pod lacks the route to 0.0.0.0/0',
    ]);
    await sh('ip link set eth0 mtu 1450 && ip route add default via 169.254.1.1 proto boot', 'pa');
    expect(checkPodLink(spec('a', 11))).toEqual([]);
  });

  it('is found again by what stands in the kernel', () => {
    expect(listPodLinks(namespaces['a'])).toMatchObject([
      { name: device, endpoint: 'container/eth0', wiringVersion: 1, addresses: spec('a', 11).addresses },
    ]);
  });

  it('is left untouched by a second call', () => {
    const [before] = listPodLinks(namespaces['a']);
    const again = createPodLink(spec('a', 11));
    expect(again).toMatchObject({ ifindex: before!.ifindex, podMac: before!.mac });
  });
});

describe('a pod link', () => {
  const alone = () => ({ ...spec('a', 11, 'spare'), hostName: podDeviceName('other', 'eth0') });

  it('lets nothing pass before the engine knows the pod', async () => {
    createPodLink(alone());
    expect(await sh(`ip -br link show ${alone().hostName}`, 'a')).toContain('DOWN');
    await deletePodLink(alone());
  });

  it('is replaced when it is not as asked', async () => {
    const first = createPodLink(alone());
    const second = createPodLink({ ...alone(), mtu: 1400 });
    expect(second.ifindex).not.toBe(first.ifindex);
    expect(checkPodLink({ ...alone(), mtu: 1400 })).toEqual([]);
    await deletePodLink(alone());
  });

  it('has two ends with different indexes', async () => {
    // A fresh node and a fresh pod would both give the same one.
    const hostNamespace = await box.addNamespace('fresh-node');
    const podNamespace = await box.addNamespace('fresh-pod');
    const fresh = { ...alone(), hostNamespace, podNamespace };
    const { ifindex } = createPodLink(fresh);
    expect(
      await sh('cat /sys/class/net/eth0/ifindex 2>/dev/null || ip -o link show eth0', 'fresh-pod'),
    ).not.toMatch(new RegExp(`^${ifindex}\\b`));
    await deletePodLink(fresh);
  });

  it('goes again and again without complaint', async () => {
    createPodLink(alone());
    await deletePodLink(alone());
    await deletePodLink(alone());
    expect(checkPodLink(alone())).toEqual([`the node has no device ${alone().hostName}`]);
    expect(await sh('ip -br link', 'spare')).not.toContain('eth0');
  });

  it('is refused with the reason, and leaves nothing', async () => {
    await sh('ip link add eth0 type veth peer name other', 'spare');
    expect(() => createPodLink(alone())).toThrow(/file already exists: with eth0/);
    await sh('ip link del eth0', 'spare');
    expect(() => createPodLink({ ...alone(), podNamespace: '/run/netns/none' })).toThrow(/ENOENT/);
    expect(() => createPodLink({ ...alone(), podNamespace: '/proc/self/status' })).toThrow(
      /invalid argument/,
    );
    expect(listPodLinks(namespaces['a']).map(({ name }) => name)).toEqual([device]);
  });
});
