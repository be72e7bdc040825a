/** The engine on real kernels in a sandbox: what it does is what iproute2 would do with the commands that it prints. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IntentChange } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { changes, lastState } from './arbitrary.ts';
import { createNetlinkEngine } from './driver.ts';

/** The machine of arbitrary.ts: an underlay, two pod devices and no third. */
const setUp = `
ip link set lo up
ip link add eth0 type veth peer name wire && ip link set wire up
ip address add 192.168.66.11/24 dev eth0 && ip address add fd66::11/64 dev eth0 nodad && ip link set eth0 up
sysctl -qw net.ipv4.conf.eth0.rp_filter=1 net.ipv6.conf.eth0.accept_ra=0
for n in 1 2; do
  ip link add name nlp0000000000$n index 10$n type veth peer name pod$n && ip link set pod$n up
done`;

/** Everything that is ours, as iproute2 tells it. */
const look = `exec 2>/dev/null
ip route show table all proto 110; ip -6 route show table all proto 110
ip neigh show proxy; ip -6 neigh show proxy; ip rule show | grep proto; ip -6 rule show | grep proto
for d in nlvx0 nlp00000000001 nlp00000000002; do
  ip -d link show $d | grep -o 'vxlan id.*nolearning\\|mtu [0-9]*\\|alias .*\\|addrgenmode [a-z]*\\|,UP'
  ip address show $d scope global | grep -o 'inet6* [^ ]*'
  ip neigh show dev $d nud permanent | sort; bridge fdb show dev $d | grep -v '^33:33\\|^01:00' | sort
done
sysctl -a | grep 'nlvx0\\|nlp0\\|eth0.rp_filter\\|ip_forward =\\|all.forwarding\\|eth0.proxy' | grep -v 'neigh.nl'`;

let box: Sandbox;
let names = 0;

beforeAll(async () => {
  box = await openSandbox();
});
afterAll(() => box.close());

async function machine(): Promise<{ namespace: string; sh: (script: string) => Promise<string> }> {
  const netns = `m${names++}`;
  const namespace = await box.addNamespace(netns);
  const sh = async (script: string) => {
    const { stdout, stderr, code } = await box.exec(['sh', '-c', script], { netns });
    expect({ script, stderr, code: script === look ? 0 : code }).toEqual({ script, stderr: '', code: 0 });
    return stdout;
  };
  await sh(setUp);
  return { namespace, sh };
}

const whole: IntentChange = {
  generation: 1,
  replace: true,
  remove: {},
  put: {
    self: {
      a: {
        origin: { kind: 'Node', name: 'a' },
        node: 'a',
        nodeUID: 'uid-a',
        addresses: ['192.168.66.11', 'fd66::11'],
        tunnelAddresses: ['10.244.1.0', 'fd10:244:0:1::'],
        blocks: [],
        assignUntil: 0,
      },
    },
    subnets: {
      overlay: {
        origin: { kind: 'Subnet', name: 'overlay' },
        cidrs: ['10.244.0.0/16', 'fd10:244::/56'],
        mode: 'overlay',
        masquerade: true,
        allowFrom: [],
        excluded: [],
      },
      underlay: {
        origin: { kind: 'Subnet', name: 'underlay' },
        cidrs: ['10.77.0.0/24', 'fd10:77::/64'],
        mode: 'underlay',
        masquerade: false,
        allowFrom: [],
        excluded: [],
        gateways: ['10.77.0.1', 'fd10:77::1'],
      },
    },
    peers: {
      b: {
        origin: { kind: 'Node', name: 'b' },
        addresses: ['192.168.66.12', 'fd66::12'],
        blocks: [
          { cidr: '10.244.2.0/24', subnet: 'overlay', mode: 'overlay' },
          { cidr: 'fd10:244:0:2::/64', subnet: 'overlay', mode: 'overlay' },
          { cidr: '10.245.2.0/24', subnet: 'routed', mode: 'routed' },
        ],
      },
    },
    endpoints: {
      'c1/eth0': {
        origin: { kind: 'Pod', name: 'p' },
        device: 'nlp00000000001',
        ifindex: 101,
        mac: '02:00:00:00:00:01',
        addresses: ['10.244.1.5', 'fd10:244:0:1::5'],
        subnet: 'overlay',
        mode: 'overlay',
      },
      'c2/eth0': {
        origin: { kind: 'Pod', name: 'q' },
        device: 'nlp00000000002',
        ifindex: 102,
        mac: '02:00:00:00:00:02',
        addresses: ['10.77.0.5', 'fd10:77::5'],
        subnet: 'underlay',
        mode: 'underlay',
      },
    },
  },
};

describe('on a real kernel', () => {
  it('does exactly what the commands it prints do', async () => {
    const [mine, typed] = [await machine(), await machine()];
    const engine = createNetlinkEngine({ namespace: mine.namespace });
    const { operations, problems } = await engine.apply(whole);
    expect(problems).toEqual([]);
    await typed.sh(`set -e\n${operations.map((each) => each.replace('sysctl -w', 'sysctl -qw')).join('\n')}`);
    const seen = await mine.sh(look);
    expect(seen).toContain('10.244.2.0/24 via 192.168.66.12 dev nlvx0 src 10.244.1.0 onlink');
    expect(seen).toMatch(/10\.77\.0\.5 dev eth0 proxy/);
    expect(seen).toContain('net.ipv4.neigh.eth0.proxy_delay = 0');
    expect(seen).toMatch(/from fd10:77::\/64 lookup main suppress_prefixlength 0 proto 110/);
    expect(seen).toEqual(await typed.sh(look));
    await engine.close();
  });

  it('takes back what the commands it prints for a removal take back', async () => {
    const [mine, typed] = [await machine(), await machine()];
    const engines = [mine, typed].map(({ namespace }) => createNetlinkEngine({ namespace }));
    for (const engine of engines) await engine.apply(whole);
    await engines[1]!.close();
    const gone = { peers: ['b'], endpoints: ['c1/eth0', 'c2/eth0'], subnets: ['overlay', 'underlay'] };
    const { operations } = await engines[0]!.apply({ generation: 2, replace: false, put: {}, remove: gone });
    expect(operations).toContain('ip link del nlvx0');
    await typed.sh(`set -e\n${operations.join('\n')}`);
    expect(await mine.sh(look)).toEqual(await typed.sh(look));
    await engines[0]!.close();
  });

  it('goes with random changes where one apply of the last state goes, and needs no resync for it', async () => {
    const { namespace, sh } = await machine();
    const reference = await machine();
    const engine = createNetlinkEngine({ namespace });
    const fresh = createNetlinkEngine({ namespace: reference.namespace });
    // Settings and the state of pod devices outlive what wanted them.
    const routes = `ip route show proto 110; ip -6 route show proto 110; bridge fdb show dev nlvx0 2>&1 | sort; true`;
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        for (const change of list) await engine.apply(change);
        expect((await engine.resync()).operations).toEqual([]);
        const last = lastState(list);
        const emptied = ['c1/eth0', 'c2/eth0', 'c9/eth0'].filter(
          (key) => last.put.endpoints?.[key] === undefined,
        );
        await engine.apply({ ...last, remove: { endpoints: emptied } });
        await fresh.apply({ ...last, remove: { endpoints: ['c1/eth0', 'c2/eth0', 'c9/eth0'] } });
        expect((await fresh.resync()).operations).toEqual([]);
        expect(await sh(routes)).toEqual(await reference.sh(routes));
      }),
      { numRuns: 40, interruptAfterTimeLimit: 30_000 },
    );
    await Promise.all([engine.close(), fresh.close()]);
  });

  it('leaves alone what is not its own, also when it cleans up', async () => {
    const { namespace, sh } = await machine();
    await sh(`ip neigh add proxy 192.168.66.78 dev eth0; ip rule add from 10.250.0.0/16 table 7
      ip route add 10.244.2.0/24 dev eth0 && ip route add 10.250.0.0/16 dev eth0
      ip neigh add 192.168.66.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent`);
    const before = await sh(
      'ip route show; ip -6 route show; ip neigh show proxy; ip rule show; ip neigh show nud permanent; ip -br link show type veth',
    );
    const engine = createNetlinkEngine({ namespace });
    const { problems } = await engine.apply(whole);
    expect(problems).toEqual([
      {
        entry: 'peers/b',
        reason: `route 10.244.2.0/24 metric 0: a route to 10.244.2.0/24 that is not Netloom's stands in the way`,
      },
    ]);
    await engine.cleanup();
    await engine.close();
    const after = await sh(
      'ip route show; ip -6 route show; ip neigh show proxy; ip rule show; ip neigh show nud permanent; ip -br link show type veth',
    );
    expect(after.split('\n').filter((line) => !/pod\d|nlp0/.test(line))).toEqual(
      before.split('\n').filter((line) => !/pod\d|nlp0/.test(line)),
    );
    expect(after).not.toContain('nlp0');
  });

  it('notices and repairs what others do, and follows the underlay', async () => {
    const { namespace, sh } = await machine();
    const repairs: string[] = [];
    const engine = createNetlinkEngine({
      namespace,
      onRepair: (_, { operations }) => repairs.push(...operations),
    });
    await engine.apply(whole);
    const good = await sh(look);
    for (const harm of [
      'ip route del 10.244.2.0/24',
      'ip link set nlvx0 down',
      'ip link del nlvx0',
      'ip neigh flush dev nlvx0 nud permanent',
      'bridge fdb del 02:6e:c0:a8:42:0c dev nlvx0',
      'ip link set nlp00000000001 down',
      'ip address del 192.168.66.11/24 dev eth0; ip address add 192.168.66.11/24 dev eth0',
      'ip link set eth0 down; ip link set eth0 up; ip address add fd66::11/64 dev eth0 nodad',
    ]) {
      await sh(harm);
      await eventually(async () => expect(await sh(look), harm).toEqual(good));
    }
    expect(repairs.length).toBeGreaterThan(8);
    await sh('ip link set eth0 mtu 1400');
    await eventually(async () => expect(await sh('ip link show nlvx0')).toContain('mtu 1350'));
    expect([engine.podMtu('overlay'), engine.podMtu('routed')]).toEqual([1350, 1400]);
    await engine.close();
  });

  it('says which pod it can not hold, and holds the others', async () => {
    const { namespace, sh } = await machine();
    // Somebody else's device has the index that the pod's had.
    await sh('ip link add name foreign index 109 type veth peer name other');
    const engine = createNetlinkEngine({ namespace });
    await engine.apply(whole);
    const endpoint = whole.put.endpoints!['c1/eth0']!;
    const put = {
      endpoints: {
        'c9/eth0': { ...endpoint, device: 'nlp00000000009', ifindex: 109, addresses: ['10.244.1.9'] },
      },
    };
    const { problems } = await engine.apply({ generation: 2, replace: false, put, remove: {} });
    expect(problems[0]).toEqual({
      entry: 'endpoints/c9/eth0',
      reason: 'device nlp00000000009: netlink: no such device',
    });
    expect(new Set(problems.map(({ entry }) => entry))).toEqual(new Set(['endpoints/c9/eth0']));
    expect(await sh('ip link show foreign; ip neigh show dev foreign')).not.toMatch(/netloom|10\.244/);
    expect(await sh('ip route show 10.244.1.5')).toContain('nlp00000000001');
    await engine.close();
  });
});
