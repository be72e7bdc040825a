/** The engine on real FRR: what it writes is what FRR reads and shows, and what a router learns from it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BGPNeighborIntent, IntentChange, NodeIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { paths } from '#system/registry.ts';
import { cases, intentWith, router, serviceRanges } from './cases.ts';
import { createFrrEngine, type FrrEngine } from './driver.ts';
import { lower } from './lower.ts';
import { type Daemon, printFile, printObjects } from './objects.ts';

const directory = paths.frrDirectory.value;

let box: Sandbox;
let engine: FrrEngine;
const opened: FrrEngine[] = [];
const newEngine = (): FrrEngine => {
  const made = createFrrEngine({
    directory: `/proc/${box.pid}/root${directory}`,
    serviceRanges,
    hasDevice: (name) => name === 'eth0' || name === 'red',
    onError: (error) => {
      throw error;
    },
  });
  opened.push(made);
  return made;
};
const sh = async (script: string, netns?: string): Promise<string> => {
  const { code, stdout, stderr } = await box.exec(['sh', '-ec', script], { netns });
  if (code !== 0) throw new Error(`${script}: ${stderr}${stdout}`);
  return stdout;
};
const vtysh = (...commands: string[]) =>
  sh(`vtysh --vty_socket ${directory} ${commands.map((text) => `-c '${text}'`).join(' ')}`);
const onRouter = (...commands: string[]) =>
  sh(`vtysh --vty_socket /run/router ${commands.map((text) => `-c '${text}'`).join(' ')}`, 'r');
const whole = (intent: NodeIntent): IntentChange => ({
  generation: 1,
  replace: true,
  put: intent,
  remove: {},
});
const neighbors = (bgpNeighbors: Readonly<Record<string, BGPNeighborIntent>>, remove: string[] = []) =>
  engine.apply({ generation: 2, replace: false, put: { bgpNeighbors }, remove: { bgpNeighbors: remove } });
/** The session with `tor`, not what an intent before had. */
const established = () =>
  eventually(() => {
    const sessions = engine.sessions();
    const tor = sessions.filter(
      ({ neighbor, state, since }) => neighbor === 'tor' && state === 'Established' && since !== undefined,
    );
    if (tor.length !== 1) throw new Error(JSON.stringify(sessions));
    return tor;
  }, 30_000);

const routerConfig = `
router bgp 65000
 bgp router-id 192.168.66.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor nodes peer-group
 neighbor nodes remote-as external
 neighbor nodes timers 3 9
 neighbor nodes timers connect 1
 bgp listen range 192.168.66.0/24 peer-group nodes
 bgp listen range fd66::/64 peer-group nodes
 address-family ipv4 unicast
  network 10.20.9.0/26
  network 10.244.7.0/26
  network 198.51.100.0/24
  neighbor nodes activate
  neighbor nodes default-originate
 exit-address-family
 address-family ipv6 unicast
  network fd20:0:0:9::/64
  neighbor nodes activate
 exit-address-family
exit
`;

beforeAll(async () => {
  box = await openSandbox();
  await box.addNamespace('r');
  await sh(
    `sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
     ip link add eth0 type veth peer name eth0 netns r
     ip addr add 192.168.66.11/24 dev eth0; ip addr add fd66::11/64 dev eth0 nodad; ip link set eth0 up
     ip -n r addr add 192.168.66.1/24 dev eth0; ip -n r addr add fd66::1/64 dev eth0 nodad; ip -n r link set eth0 up
     ip route add default via 192.168.66.1
     mkdir -p /run/router /etc/frr; touch /etc/frr/vtysh.conf`,
  );
  for (const name of ['zebra', 'bfdd', 'bgpd']) {
    const text = name === 'bgpd' ? routerConfig : '!\n';
    await box.exec(['sh', '-c', `cat > /run/router/${name}.conf`], { input: text });
  }
  // Two bfdd of one machine would share a control socket.
  await sh('mkdir -p /run/frr');
  const started = [
    box.spawn(
      [
        'unshare',
        '-m',
        'sh',
        '-c',
        'mount -t tmpfs tmpfs /run/frr; exec /opt/netloom/src/programs/frr/run.sh /run/router',
      ],
      { netns: 'r' },
    ),
    box.spawn(['/opt/netloom/src/programs/frr/run.sh']),
  ];
  // What nobody reads would stop them in the end.
  for (const child of started) for (const stream of [child.stdout, child.stderr]) stream.resume();
  engine = newEngine();
});
afterAll(async () => {
  for (const each of opened) await each.close();
  await box?.close();
});

describe('configuration files', () => {
  for (const [name, intent] of Object.entries(cases)) {
    it.each<Daemon>(['bgpd', 'bfdd'])(`${name}: FRR's %s takes the golden text`, async (daemon) => {
      const { value, problems } = lower(intent, serviceRanges);
      expect(problems).toEqual([]);
      const text = printFile(printObjects(value), daemon);
      await expect(text).toMatchFileSnapshot(`testdata/${name}.${daemon}.conf`);
      await box.exec(['sh', '-c', 'cat > /tmp/check.conf'], { input: text });
      const said = await sh(`/usr/lib/frr/${daemon} -C -u frr -g frr -f /tmp/check.conf 2>&1`);
      // Beside a neighbor with graceful restart FRR tells zebra of one without, which this check doesn't run; the line itself is taken.
      const remarks =
        /^(% Invalid value|.* Failed on config line \d+: +neighbor \S+ graceful-restart-disable|Graceful restart configuration changed, reset (all peers|this peer) to take effect|% Echo mode works correctly for IPv4, .*)\n/gm;
      expect(said.replace(remarks, '').trim()).toBe('');
    });
  }
});

describe('a node with sessions', () => {
  it.each(Object.keys(cases))(
    '%s: FRR shows what was wanted, and the second time there is nothing to do',
    async (name) => {
      const report = await eventually(async () => {
        const done = await engine.apply(whole(cases[name]!));
        if (done.problems.some(({ reason }) => reason.includes('does not run yet')))
          throw new Error('not yet');
        return done;
      }, 15_000);
      expect(report.problems).toEqual([]);
      expect(JSON.stringify(report)).not.toContain('a-Secret');
      // A session that was up a moment ago goes when its settings change, and BFD with it.
      await eventually(async () => expect(await engine.resync()).toEqual({ operations: [], problems: [] }));
    },
  );

  it('announces a block when its route appears, and touches neither session nor configuration as blocks come and go', async () => {
    await engine.apply(whole(intentWith({ tor: { ...router, families: [4, 6] } })));
    await established();
    const config = await vtysh('show running-config');
    await sh(
      `ip route add unreachable 10.20.0.0/26 metric 110 table 110 proto 110; ip -6 route add unreachable fd20::/122 metric 110 table 110 proto 110`,
    );
    await eventually(async () => {
      expect(await sh('ip route', 'r')).toMatch(
        /^10\.20\.0\.0\/26 .*via 192\.168\.66\.11 dev eth0 proto bgp/m,
      );
      expect(await sh('ip -6 route', 'r')).toMatch(/^fd20::\/122 .*dev eth0 proto bgp/m);
    });
    // What is announced is of this session, not of the one of the intent before.
    const before = await eventually(() => {
      const [session] = engine.sessions();
      expect(session).toMatchObject({ state: 'Established', sent: 2 });
      return session!;
    });
    await sh(
      'ip route del 10.20.0.0/26 table 110; ip route add unreachable 10.20.0.77/32 metric 110 table 110 proto 110',
    );
    await eventually(async () => {
      const table = await sh('ip route', 'r');
      expect(table).not.toContain('10.20.0.0/26');
      expect(table).toMatch(/^10\.20\.0\.77 .*proto bgp/m);
    });
    expect(await vtysh('show running-config')).toBe(config);
    await eventually(() => expect(engine.sessions()[0]).toMatchObject({ since: before.since, sent: 2 }));
  });

  it('takes nothing that it was not told to, never an overlay prefix, and keeps its own default route', async () => {
    const learnt = () => sh('ip route show proto bgp; ip -6 route show proto bgp');
    expect(await learnt()).toBe('');
    const imports = [
      { prefix: '10.0.0.0/8', le: 32 },
      { prefix: '0.0.0.0/0' },
      { prefix: 'fd20::/56', le: 128 },
    ];
    await neighbors({ tor: { ...router, families: [4, 6], importPrefixes: imports } });
    await eventually(async () => {
      const table = await learnt();
      expect(table).toMatch(/^10\.20\.9\.0\/26 .*via 192\.168\.66\.1 /m);
      expect(table).toMatch(/^fd20:0:0:9::\/64 /m);
    });
    expect(await learnt()).not.toMatch(/10\.244\.7|198\.51|default/);
    expect(await sh('ip route show default')).toBe('default via 192.168.66.1 dev eth0 \n');
    // A route of our own to the same block wins over the one that was taught.
    await sh('ip route add 10.20.9.0/26 via 192.168.66.1 dev eth0 proto 110');
    await eventually(async () => expect(await learnt()).not.toContain('10.20.9.0/26'));
    await sh('ip route del 10.20.9.0/26 proto 110');
  });

  it('another process of the engine finds all as it was', async () => {
    await engine.apply(whole(intentWith({ tor: { ...router, families: [4, 6] } })));
    const [before] = await established();
    await engine.close();
    engine = newEngine();
    const report = await engine.apply(whole(intentWith({ tor: { ...router, families: [4, 6] } })));
    expect(report).toEqual({ operations: [], problems: [] });
    const [after] = await established();
    // FRR tells how long it has stood, in whole seconds.
    expect(Math.abs(Date.parse(after!.since!) - Date.parse(before!.since!))).toBeLessThan(2_000);
  });

  it('needs the right password, and keeps it from everybody else', async () => {
    await onRouter('configure terminal', 'router bgp 65000', 'neighbor nodes password right');
    await neighbors({ tor: { ...router, password: 'wrong' } });
    await onRouter('clear bgp *');
    await eventually(() => expect(engine.sessions()[0]?.state).not.toBe('Established'));
    const report = await neighbors({ tor: { ...router, password: 'right' } });
    expect(report.operations).toEqual(['bgpd: router bgp 64512 / neighbor 192.168.66.1 password …']);
    await established();
    expect(await sh(`stat -c '%a %U' ${directory}/bgpd.conf`)).toBe('600 frr\n');
    expect(await sh(`stat -c '%a %U' ${directory}`)).toBe('750 frr\n');
    await neighbors({ tor: router });
    await onRouter('configure terminal', 'router bgp 65000', 'no neighbor nodes password');
    await onRouter('clear bgp *');
    await established();
  });

  it('finds a dead router by BFD long before the hold time', async () => {
    await onRouter('configure terminal', 'router bgp 65000', 'neighbor nodes bfd');
    await neighbors({
      tor: { ...router, bfd: { receiveInterval: 100, transmitInterval: 100, detectMultiplier: 3 } },
    });
    await eventually(
      () => expect(engine.sessions()[0]).toMatchObject({ state: 'Established', bfd: 'Up' }),
      30_000,
    );
    // Silent: the link stays up.
    await sh(
      'nft "add table inet cut; add chain inet cut in { type filter hook prerouting priority -500; policy drop; }"',
      'r',
    );
    await eventually(async () => {
      const [session] = engine.sessions();
      expect(session?.state).not.toBe('Established');
      expect(session?.message).toContain('BFD');
    }, 8_000);
    await sh('nft delete table inet cut', 'r');
    await established();
    await neighbors({ tor: router });
    await onRouter('configure terminal', 'router bgp 65000', 'no neighbor nodes bfd');
    await onRouter('clear bgp *');
    await established();
  });

  it('a daemon that is killed comes back with its configuration, and the router keeps the routes meanwhile', async () => {
    await neighbors({ tor: router });
    await established();
    await eventually(async () => expect(await sh('ip route', 'r')).toContain('10.20.0.77'));
    const gone: string[] = [];
    const watch = box.spawn(['ip', '-n', 'r', 'monitor', 'route']);
    watch.stdout.setEncoding('utf8').on('data', (text: string) => gone.push(text));
    const pid = (await sh(`cat ${directory}/bgpd.pid`)).trim();
    await sh(`kill -9 ${pid}`);
    await eventually(
      async () => expect((await sh(`cat ${directory}/bgpd.pid`)).trim()).not.toBe(pid),
      10_000,
    );
    await established();
    await eventually(async () =>
      expect(await onRouter('show bgp ipv4 unicast 10.20.0.77/32')).not.toContain('stale'),
    );
    watch.kill();
    expect(gone.join('')).not.toContain('Deleted 10.20.0.77');
    expect((await engine.resync()).operations).toEqual([]);
  });

  it('ends FRR with the last neighbor, and starts it again with the next', async () => {
    expect((await neighbors({}, ['tor'])).problems).toEqual([]);
    await eventually(async () => {
      expect(await sh('ip route', 'r')).not.toContain('10.20.0.77');
      expect((await box.exec(['ls', `${directory}/bgpd.vty`])).code).not.toBe(0);
    }, 15_000);
    await neighbors({ tor: router });
    await established();
    await engine.cleanup();
    await eventually(async () => expect((await box.exec(['ls', `${directory}/bgpd.conf`])).code).not.toBe(0));
  });
});
