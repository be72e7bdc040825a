/** Addresses of Services on real FRR: what two routers see of them, and that they come and go without a word to FRR. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classNumber, classText } from '#intent/announcement-class.ts';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { BGPNeighborIntent, NodeIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { paths } from '#system/registry.ts';
import { intentWith, peer, serviceRanges } from './cases.ts';
import { createFrrEngine, type FrrEngine } from './driver.ts';

const directory = paths.frrDirectory.value;
let box: Sandbox;
let engine: FrrEngine;
let announced: NodeIntent['announcements'] = {};

const sh = async (script: string, netns?: string): Promise<string> => {
  const { code, stdout, stderr } = await box.exec(['sh', '-ec', script], { netns });
  if (code !== 0) throw new Error(`${script}: ${stderr}${stdout}`);
  return stdout;
};
const vtysh = (command: string, at: string = directory, netns?: string) =>
  sh(`vtysh --vty_socket ${at} -c '${command}'`, netns);
const routerConfig = (asn: number, address: string, six: string) => `
router bgp ${asn}
 bgp router-id ${address}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor nodes peer-group
 neighbor nodes remote-as 64512
 neighbor nodes timers 3 9
 neighbor nodes timers connect 1
 bgp listen range ${address}/24 peer-group nodes
 bgp listen range ${six}/64 peer-group nodes
 address-family ipv4 unicast
  neighbor nodes activate
 exit-address-family
 address-family ipv6 unicast
  neighbor nodes activate
 exit-address-family
exit
`;

type Path = {
  readonly community?: { readonly string: string };
  readonly largeCommunity?: { readonly string: string };
  readonly locPrf?: number;
  readonly metric?: number;
};
/** What a router has of a prefix: its communities, large ones, local preference and MED; undefined when it has nothing. */
const seen = async (at: 'r1' | 'r2', prefix: string) => {
  const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
  const text = await vtysh(`show bgp ${family} unicast ${prefix} json`, `/run/${at}`, at);
  const [path] = (JSON.parse(text) as { readonly paths?: readonly Path[] }).paths ?? [];
  if (path === undefined) return undefined;
  return [path.community?.string ?? '', path.largeCommunity?.string ?? '', path.locPrf, path.metric ?? 0];
};
const prefixesAt = async (at: 'r1' | 'r2') => {
  const text = await vtysh('show bgp ipv4 unicast json', `/run/${at}`, at);
  return Object.keys((JSON.parse(text) as { readonly routes: object }).routes).sort();
};

const origin = { kind: 'Service', namespace: 'shop', name: 'web' };
const said = (part: Partial<AnnouncementIntent> = {}): AnnouncementIntent => ({
  origin,
  communities: [],
  ...part,
});
/** As engines/netlink does. */
const routesTo = async (wanted: NodeIntent['announcements']) => {
  const lines = [
    ...Object.entries(wanted).map(([prefix, entry]) => ['add', prefix, entry] as const),
    ...Object.entries(announced).map(([prefix, entry]) => ['del', prefix, entry] as const),
  ].flatMap(([verb, prefix, entry]) => {
    const other = verb === 'add' ? announced[prefix] : wanted[prefix];
    if (other !== undefined && classText(other) === classText(entry)) return [];
    const metric = classNumber(classText(entry));
    return [`route ${verb} unreachable ${prefix} metric ${metric} table 110 proto 110`];
  });
  for (const family of ['-4', '-6']) {
    const own = lines.filter((line) => line.includes(':') === (family === '-6'));
    const { code, stderr } = await box.exec(['ip', family, '-batch', '-'], { input: `${own.join('\n')}\n` });
    if (code !== 0) throw new Error(stderr);
  }
};
const announce = async (wanted: NodeIntent['announcements']) => {
  const remove = Object.keys(announced).filter((prefix) => !(prefix in wanted));
  const report = await engine.apply({
    generation: 2,
    replace: false,
    put: { announcements: wanted },
    remove: { announcements: remove },
  });
  expect(report.problems).toEqual([]);
  await routesTo(wanted);
  announced = wanted;
  return report;
};

const one: BGPNeighborIntent = peer('one', { families: [4, 6] });
const two: BGPNeighborIntent = peer('two', {
  address: '192.168.77.1',
  peerASN: 'internal',
  families: [4],
  timers: { keepalive: 3, hold: 9 },
});
const [first, second] = ['BGPPeer/m/one', 'BGPPeer/m/two'];

beforeAll(async () => {
  box = await openSandbox();
  await box.addNamespace('r1');
  await box.addNamespace('r2');
  await sh(
    `sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
     for each in 1:66 2:77; do
       n=\${each%:*} s=\${each#*:}
       ip link add eth$n type veth peer name eth0 netns r$n
       ip addr add 192.168.$s.11/24 dev eth$n; ip addr add fd$s::11/64 dev eth$n nodad; ip link set eth$n up
       ip -n r$n addr add 192.168.$s.1/24 dev eth0; ip -n r$n addr add fd$s::1/64 dev eth0 nodad; ip -n r$n link set eth0 up
       mkdir -p /run/r$n
     done
     mkdir -p /etc/frr /run/frr; touch /etc/frr/vtysh.conf`,
  );
  const configs = {
    r1: routerConfig(65_000, '192.168.66.1', 'fd66::1'),
    r2: routerConfig(64_512, '192.168.77.1', 'fd77::1'),
  };
  const started = [box.spawn(['/opt/netloom/src/programs/frr/run.sh'])];
  for (const [name, config] of Object.entries(configs)) {
    for (const daemon of ['zebra', 'bfdd', 'bgpd'])
      await box.exec(['sh', '-c', `cat > /run/${name}/${daemon}.conf`], {
        input: daemon === 'bgpd' ? config : '!\n',
      });
    const run = `mount -t tmpfs tmpfs /run/frr; exec /opt/netloom/src/programs/frr/run.sh /run/${name}`;
    started.push(box.spawn(['unshare', '-m', 'sh', '-c', run], { netns: name }));
  }
  for (const child of started) for (const stream of [child.stdout, child.stderr]) stream.resume();
  engine = createFrrEngine({
    directory: `/proc/${box.pid}/root${directory}`,
    serviceRanges,
    hasDevice: (name) => name === 'eth1',
  });
  await eventually(async () => {
    const put = intentWith({ [first!]: one, [second!]: two });
    const { problems } = await engine.apply({ generation: 1, replace: true, put, remove: {} });
    expect(problems).toEqual([]);
    expect(engine.sessions().map(({ state }) => state)).toEqual(['Established', 'Established']);
  }, 40_000);
}, 60_000);
afterAll(async () => {
  await engine?.close();
  await box?.close();
});

describe('what routers see', () => {
  it('at once, as far as zebra is asked', async () => {
    expect(await vtysh('show running-config')).toContain('zebra work-queue 0');
  });

  it('communities of both kinds, local preference inside the AS, and no metric', async () => {
    await announce({
      '10.9.0.1/32': said(),
      'fd09::1/128': said({ communities: ['65000:1'] }),
      '10.9.1.0/24': said({
        communities: ['65000:1:2', '65000:7', '65535:65281'],
        localPreference: 150,
      }),
    });
    await eventually(async () => {
      expect(await seen('r1', '10.9.0.1/32')).toEqual(['', '', undefined, 0]);
      expect(await seen('r1', 'fd09::1/128')).toEqual(['65000:1', '', undefined, 0]);
      expect(await seen('r1', '10.9.1.0/24')).toEqual(['65000:7 no-export', '65000:1:2', undefined, 0]);
      expect(await seen('r2', '10.9.1.0/24')).toEqual(['65000:7 no-export', '65000:1:2', 150, 0]);
      expect(await seen('r2', '10.9.0.1/32')).toEqual(['', '', 100, 0]);
    }, 10_000);
    expect(await sh('ip route', 'r1')).toMatch(/^10\.9\.0\.1 .*via 192\.168\.66\.11 /m);
  });

  it('each what it is told, and only that; a block goes to neither', async () => {
    await sh('ip route add unreachable 10.20.0.0/26 metric 110 table 110 proto 110');
    await announce({
      '10.9.0.1/32': said({ neighbors: [second!] }),
      '10.9.0.2/32': said({
        neighbors: [first!],
        communities: ['1:1'],
        others: [{ neighbors: [second!], communities: ['2:2'], localPreference: 50 }],
      }),
    });
    await eventually(async () => {
      expect(await prefixesAt('r1')).toEqual(['10.9.0.2/32']);
      expect(await prefixesAt('r2')).toEqual(['10.9.0.1/32', '10.9.0.2/32']);
      expect(await seen('r1', '10.9.0.2/32')).toEqual(['1:1', '', undefined, 0]);
      expect(await seen('r2', '10.9.0.2/32')).toEqual(['2:2', '', 50, 0]);
    }, 10_000);
  });

  it('a class that FRR was not told of yet goes to nobody', async () => {
    const unknown = { '10.9.0.9/32': said({ communities: ['9:9'] }) };
    const before = announced;
    await routesTo({ ...announced, ...unknown });
    announced = { ...announced, ...unknown };
    await eventually(async () =>
      expect(await vtysh('show bgp ipv4 unicast 10.9.0.9/32')).toContain('Paths: (1 available'),
    );
    expect(await prefixesAt('r1')).toEqual(['10.9.0.2/32']);
    await announce(announced);
    await eventually(async () => expect(await prefixesAt('r1')).toContain('10.9.0.9/32'), 10_000);
    await announce(before);
    await eventually(async () => expect(await prefixesAt('r1')).toEqual(['10.9.0.2/32']), 10_000);
  });
});

it('a thousand Services come and go: FRR is told nothing, and no session ends', async () => {
  const kinds = [said(), said({ communities: ['65000:1'] })];
  const stay = { '10.9.0.1/32': kinds[0]!, '10.9.0.2/32': kinds[1]! };
  await announce(stay);
  await eventually(async () => expect(await prefixesAt('r1')).toEqual(Object.keys(stay)), 10_000);
  const config = await vtysh('show running-config');
  const established = async () => {
    const all = JSON.parse(await vtysh('show bgp neighbors json')) as Record<
      string,
      { connectionsEstablished: number }
    >;
    return Object.values(all).map(({ connectionsEstablished }) => connectionsEstablished);
  };
  const before = await established();
  const operations: string[] = [];
  for (let round = 0; round < 10; round++) {
    const services = Array.from({ length: 100 }, (_, index) => [
      `10.9.${round + 1}.${index}/32`,
      kinds[index % 2]!,
    ]);
    operations.push(...(await announce({ ...stay, ...Object.fromEntries(services) })).operations);
  }
  await eventually(async () => expect(await prefixesAt('r1')).toHaveLength(102), 10_000);
  operations.push(...(await announce(stay)).operations);
  await eventually(async () => expect(await prefixesAt('r1')).toEqual(Object.keys(stay)), 10_000);
  expect(operations).toEqual([]);
  expect(await vtysh('show running-config')).toBe(config);
  expect(await established()).toEqual(before);
});

it('a router is found on an interface, without an address', async () => {
  const config = [
    'configure terminal',
    'router bgp 65000',
    'neighbor eth0 interface remote-as external',
    'address-family ipv4 unicast',
    'neighbor eth0 activate',
    'exit-address-family',
    'address-family ipv6 unicast',
    'neighbor eth0 activate',
  ];
  await sh(`vtysh --vty_socket /run/r1 ${config.map((line) => `-c '${line}'`).join(' ')}`, 'r1');
  const found = { 'BGPPeer/m/found': peer('found', { address: '', interface: 'eth1', families: [4, 6] }) };
  const report = await engine.apply({
    generation: 3,
    replace: false,
    put: { bgpNeighbors: found },
    remove: {},
  });
  expect(report.problems).toEqual([]);
  await eventually(() => {
    const session = engine.sessions().find(({ neighbor }) => neighbor === 'BGPPeer/m/found');
    expect(session).toMatchObject({ address: 'eth1', state: 'Established', sent: 2 });
  }, 30_000);
  expect(await engine.resync()).toEqual({ operations: [], problems: [] });
  const gone = await engine.apply({
    generation: 4,
    replace: false,
    put: {},
    remove: { bgpNeighbors: ['BGPPeer/m/found'] },
  });
  expect(gone.problems).toEqual([]);
  expect(await engine.resync()).toEqual({ operations: [], problems: [] });
}, 60_000);

it('a VRF or device that is missing is told', async () => {
  const problems = async (put: Partial<NodeIntent>) =>
    (await engine.apply({ generation: 3, replace: false, put, remove: {} })).problems;
  expect(await problems({ bgpNeighbors: { 'BGPPeer/m/red': peer('red', { vrf: 'red' }) } })).toEqual([
    { entry: 'bgpNeighbors/BGPPeer/m/red', reason: 'the node has no VRF red' },
  ]);
  expect(
    await problems({ bgpNeighbors: { 'BGPPeer/m/red': peer('red', { address: '', interface: 'eth9' }) } }),
  ).toEqual([{ entry: 'bgpNeighbors/BGPPeer/m/red', reason: 'the node has no device eth9' }]);
});
