/** The engine in real kernels, as a client on the segment notices it. */
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { VirtualAddressIntent } from '#intent/loadbalancer.ts';
import type { IntentChange } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { addrBytes, parseAddr } from '#net/addr.ts';
import { arpRequest, icmpv6Frame } from '#net/neighbour.ts';
import { openPacketSocket } from '#system/packet-socket.ts';
import { entry } from './arbitrary.ts';
import { createL2Engine, type L2Engine, type L2EngineOptions } from './driver.ts';
import { renewalTimes } from './renewal.ts';

const [v4, v6] = ['10.9.0.60', 'fd09::60'];
const [other4, other6] = ['10.9.0.61', 'fd09::61'];

let box: Sandbox;
const paths = new Map<string, string>();
const engines: L2Engine[] = [];

const sh = async (where: string, script: string): Promise<string> => {
  const { stdout, stderr, code } = await box.exec(['sh', '-c', script], { netns: where });
  expect({ where, script, stderr: stderr.trim(), code }).toEqual({ where, script, stderr: '', code: 0 });
  return stdout.trim();
};

/** Two nodes and a client on one segment. */
beforeAll(async () => {
  box = await openSandbox();
  for (const name of ['wire', 'n1', 'n2', 'c']) paths.set(name, await box.addNamespace(name));
  await sh('wire', 'ip link add br0 type bridge; ip link set br0 up');
  for (const [index, name] of ['n1', 'n2', 'c'].entries()) {
    await sh(
      'wire',
      `ip link add eth0 netns ${name} address 02:00:00:00:00:0${index + 1} type veth peer name to-${name}
       ip link set to-${name} master br0 up
       ip -n ${name} link set eth0 up
       ip -n ${name} addr add 10.9.0.${index + 1}/24 dev eth0
       ip -n ${name} addr add fd09::${index + 1}/64 dev eth0 nodad`,
    );
  }
});
afterAll(() => box.close());
afterEach(async () => {
  for (const engine of engines.splice(0)) {
    await engine.cleanup();
    await engine.close();
  }
});

function engineOn(node: string, options: L2EngineOptions = {}): L2Engine {
  const namespace = paths.get(node)!;
  const command = ['nsenter', `--target=${box.pid}`, '--mount', `--net=${namespace}`, '--'];
  const onError = (error: unknown) => {
    throw error;
  };
  const engine = createL2Engine({ namespace, command, onError, ...options });
  engines.push(engine);
  return engine;
}

const whole = (virtualAddresses: Record<string, VirtualAddressIntent>): IntentChange => ({
  generation: 1,
  replace: true,
  put: { virtualAddresses },
  remove: {},
});
const both = (part: Partial<VirtualAddressIntent> = {}) => whole({ [v4]: entry(part), [v6]: entry(part) });
const delta = (put: Record<string, VirtualAddressIntent>, remove: string[] = []): IntentChange => ({
  generation: 2,
  replace: false,
  put: { virtualAddresses: put },
  remove: { virtualAddresses: remove },
});

/** Whom the client finds at an address that it asks for anew; '' nobody. */
async function found(address: string, device = 'eth0'): Promise<string> {
  return sh(
    'c',
    `ip neigh flush to ${address}; ping -c1 -W0.3 ${address} > /dev/null; ip neigh show ${address} dev ${device} | sed -n 's/.*lladdr \\([^ ]*\\).*/\\1/p'`,
  );
}
/** Whom the client has in its memory. */
const remembered = (address: string) =>
  sh('c', `ip neigh show ${address} | sed -n 's/.*lladdr \\([^ ]*\\).*/\\1/p'`);
const mac = (node: 1 | 2) => `02:00:00:00:00:0${node}`;

describe('a client on the segment', () => {
  it('is answered by exactly the node that holds the address, in both families, and by arping', async () => {
    await engineOn('n1').apply(both());
    await engineOn('n2').apply(whole({ [other4]: entry(), [other6]: entry() }));
    for (const address of [v4, v6]) expect(await found(address)).toBe(mac(1));
    for (const address of [other4, other6]) expect(await found(address)).toBe(mac(2));
    const seen = await sh('c', `busybox arping -c 2 -I eth0 ${v4}`);
    expect(seen.match(/reply from 10\.9\.0\.60 \[02:00:00:00:00:01\]/g)).toHaveLength(2);
    for (const address of ['10.9.0.99', 'fd09::99']) expect(await found(address)).toBe('');
  });

  it('gets well-formed answers: solicited, override, with a right checksum; also to a question without a MAC', async () => {
    await engineOn('n1').apply(both());
    await sh('c', `ip neigh replace ${v6} lladdr ${mac(1)} dev eth0 nud reachable`);
    const capture = box.spawn(
      ['tcpdump', '-nvvlei', 'eth0', 'icmp6 and ip6[40] == 136 and ip6 src fd09::60'],
      {
        netns: 'c',
      },
    );
    const lines: string[] = [];
    createInterface({ input: capture.stdout }).on('line', (line) => lines.push(line));
    const heard = createInterface({ input: capture.stderr });
    await new Promise((resolve) => heard.once('line', resolve));
    await eventually(async () => {
      await found(v6);
      expect(lines.join(' ')).toMatch(
        /02:00:00:00:00:01 > 02:00:00:00:00:03.*hlim 255.*fd09::60 > fd09::3: \[icmp6 sum ok\].*neighbor advertisement, length 32, tgt is fd09::60, Flags \[solicited, override\].*destination link-address option \(2\), length 8 \(1\): 02:00:00:00:00:01/,
      );
    });
    lines.length = 0;
    await eventually(async () => {
      await bareSolicitation(v6);
      expect(lines.join(' ')).toMatch(
        /02:00:00:00:00:01 > 02:00:00:00:00:03.*fd09::60 > fd09::3: \[icmp6 sum ok\].*neighbor advertisement, length 24, tgt is fd09::60, Flags \[solicited, override\]/,
      );
    });
    capture.kill();
  });

  it('is answered on the named interfaces only', async () => {
    await sh(
      'n1',
      `ip link add eth1 netns c address 02:00:00:00:01:03 type veth peer name eth1 address 02:00:00:00:01:01; ip link set eth1 up
       ip addr add 10.8.0.1/24 dev eth1; ip addr add fd08::1/64 dev eth1 nodad`,
    );
    await sh(
      'c',
      'ip link set eth1 up; ip addr add 10.8.0.3/24 dev eth1; ip addr add fd08::3/64 dev eth1 nodad',
    );
    const engine = engineOn('n1');
    const [second4, second6] = ['10.8.0.60', 'fd08::60'];
    for (const interfaces of [['eth0'], ['eth1'], ['eth0', 'eth1']]) {
      const named = entry({ interfaces });
      await engine.apply(whole({ [v4]: named, [v6]: named, [second4]: named, [second6]: named }));
      for (const address of [v4, v6])
        expect(await found(address)).toBe(interfaces.includes('eth0') ? mac(1) : '');
      for (const address of [second4, second6])
        expect(await found(address, 'eth1')).toBe(interfaces.includes('eth1') ? '02:00:00:00:01:01' : '');
    }
    await sh('n1', 'ip link del eth1');
  });

  it('is not answered in a VLAN that only passes by: that is another segment', async () => {
    const engine = engineOn('n1');
    await engine.apply(both());
    const asked = async () => (await engine.counts()).asked.get(v4);
    const question = arpRequest('02:00:00:00:00:03', '10.9.0.3', v4);
    const tag = Buffer.from([0x81, 0x00, 0x00, 0x07]);
    for (let i = 0; i < 3; i++)
      await inject(Buffer.concat([question.subarray(0, 12), tag, question.subarray(12)]));
    await inject(question);
    await eventually(async () => expect(await asked()).toBe(1));
  });

  it('is not told that an address is taken when it asks for one to have for itself', async () => {
    const engine = engineOn('n1', { times: { ...renewalTimes, burst: [0], every: 1_000_000 } });
    await engine.apply(both());
    await eventually(async () => expect((await engine.counts()).told.size).toBe(2));
    expect(await sh('c', `busybox arping -D -c 2 -I eth0 ${v4} || true`)).toMatch(/Received 0 response/);
    await sh('c', `ip addr add ${v6}/64 dev eth0`);
    await eventually(async () => expect(await sh('c', `ip -6 addr show to ${v6}`)).not.toMatch(/tentative/));
    expect(await sh('c', `ip -6 addr show to ${v6}`)).not.toMatch(/dadfailed/);
    await sh('c', `ip addr del ${v6}/64 dev eth0`);
  });

  it('learns of another node within moments, without asking', async () => {
    const [first, second] = [engineOn('n1'), engineOn('n2')];
    await first.apply(both());
    await second.apply(whole({}));
    for (const address of [v4, v6]) expect(await found(address)).toBe(mac(1));
    await first.apply(delta({}, [v4, v6]));
    await second.apply(delta({ [v4]: entry(), [v6]: entry() }));
    for (const address of [v4, v6])
      await eventually(async () => expect(await remembered(address)).toBe(mac(2)));
    for (const address of [v4, v6]) expect(await found(address)).toBe(mac(2));
  });
});

describe('the process', () => {
  const run = async (...argv: string[]) => {
    const child = box.spawn(
      ['/opt/node/bin/node', '/opt/netloom/src/engines/l2/testing-process.ts', ...argv],
      {
        netns: 'n1',
      },
    );
    child.stderr.pipe(process.stderr);
    const pid = await new Promise<string>((resolve) =>
      createInterface({ input: child.stdout }).once('line', resolve),
    );
    const gone = new Promise((resolve) => child.once('exit', resolve));
    const signal = async (name: string) => {
      await box.exec(['kill', `-${name}`, pid]);
      // What stands before it (nsenter) stops with it, and doesn't go on by itself.
      if (name !== 'STOP') child.kill('SIGCONT');
    };
    return { signal, gone };
  };
  const answered = async () => (await Promise.all([found(v4), found(v6)])).join(' ');
  const yes = `${mac(1)} ${mac(1)}`;
  /** As seconds as the kernel has left, on the way to silence. */
  const left = async () =>
    Math.max(
      0,
      ...[...(await sh('n1', 'nft list set netdev netloom alive')).matchAll(/expires (?:(\d+)s)?/g)].map(
        ([, s]) => Number(s ?? 0),
      ),
    );
  const clean = () => sh('n1', 'nft delete table netdev netloom');

  it.each(['KILL', 'STOP'])('is silent within its timeout after SIG%s', async (name) => {
    const { signal, gone } = await run('n1', v4, v6);
    expect(await answered()).toBe(yes);
    await signal(name);
    expect(await left()).toBeLessThanOrEqual(renewalTimes.timeoutSeconds);
    await eventually(async () => expect(await answered()).toBe(' '));
    await signal('KILL');
    await gone;
    await clean();
  });

  it('waits when it is let run again, since others took over', async () => {
    const { signal, gone } = await run('n1,n2', v4, v6);
    await eventually(async () => expect(await answered()).toBe(yes));
    await signal('STOP');
    await eventually(async () => expect(await answered()).toBe(' '));
    await signal('CONT');
    expect(await answered()).toBe(' ');
    await eventually(async () => expect(await answered()).toBe(yes));
    await signal('KILL');
    await gone;
    await clean();
  });

  it('ends as planned without an answer missing, and its successor goes on', async () => {
    const first = await run('n1', v4, v6);
    await first.signal('TERM');
    await first.gone;
    expect(await left()).toBeGreaterThan(renewalTimes.timeoutSeconds);
    expect(await answered()).toBe(yes);
    const second = await run('n1,n2', v4, v6);
    expect(await answered()).toBe(yes);
    // By now it is the successor that renews.
    expect(await left()).toBeLessThanOrEqual(renewalTimes.timeoutSeconds);
    const deadline = performance.now() + 2 * renewalTimes.renewMs;
    while (performance.now() < deadline) expect(await answered()).toBe(yes);
    await second.signal('KILL');
    await second.gone;
    await clean();
  });
});

describe('on a real kernel', () => {
  it('reads back what it made, so a restart touches nothing, and cleanup leaves nothing', async () => {
    await engineOn('n1').apply(both());
    const again = engineOn('n1');
    expect((await again.apply(both())).operations).toEqual([]);
    expect((await again.resync()).operations).toEqual([]);
    expect(again.unchanged?.()).toBe(true);
    await again.apply(delta({ [other4]: entry() }, [v6]));
    expect(again.announcing().map(({ address }) => address)).toEqual([v4, other4]);
    await engineOn('n1').cleanup();
    expect(await sh('n1', 'nft list ruleset')).toBe('');
  });

  it.each([
    ['the table', 'nft delete table netdev netloom'],
    ['everything', 'nft flush ruleset'],
    ['an address', `nft delete element netdev netloom held4 '{ "eth0" . ${v4} }'`],
    ['the rules', 'nft flush table netdev netloom'],
    ['a set', 'nft flush ruleset; nft add table netdev netloom'],
  ])('heals %s when another program takes it away', async (_, damage) => {
    const repaired: string[] = [];
    const engine = engineOn('n1', { onRepair: ({ cause, foreign }) => repaired.push(`${foreign} ${cause}`) });
    await engine.apply(both());
    await sh('n1', damage);
    await eventually(async () => {
      expect([await found(v4), await found(v6)]).toEqual([mac(1), mac(1)]);
      expect(repaired[0]).toMatch(/^true nft\[\d+\]/);
    });
    expect((await engine.resync()).operations).toEqual([]);
  });

  it('follows an interface: another MAC, gone, and back', async () => {
    const engine = engineOn('n1');
    await engine.apply(both());
    await sh('n1', 'ip link set eth0 address 02:00:00:00:00:11');
    await eventually(async () => expect(await found(v6)).toBe('02:00:00:00:00:11'));
    expect(await found(v4)).toBe('02:00:00:00:00:11');
    await sh('wire', 'ip link del to-n1');
    await eventually(() => expect(engine.announcing()).toEqual([]));
    await sh(
      'wire',
      `ip link add eth0 netns n1 address ${mac(1)} type veth peer name to-n1; ip link set to-n1 master br0 up; ip -n n1 link set eth0 up
       ip -n n1 addr add 10.9.0.1/24 dev eth0; ip -n n1 addr add fd09::1/64 dev eth0 nodad`,
    );
    await eventually(async () => expect([await found(v4), await found(v6)]).toEqual([mac(1), mac(1)]));
  });

  it('counts by address what it was asked, and what it told', async () => {
    const engine = engineOn('n1');
    await engine.apply(both());
    await eventually(async () => {
      await found(v4);
      const { asked, told } = await engine.counts();
      expect(asked.get(v4)).toBeGreaterThan(0);
      expect(told.get(v4)).toBeGreaterThan(0);
      expect(asked.get(v6)).toBe(0);
    });
  });
});

/** A solicitation to a host that is known, without the option that says the asker's MAC. */
function bareSolicitation(target: string): Promise<void> {
  const body = Buffer.concat([Buffer.alloc(4), addrBytes(parseAddr(target)!)]);
  const parts = { mac: '02:00:00:00:00:03', toMac: mac(1), source: 'fd09::3', to: target };
  return inject(icmpv6Frame({ ...parts, type: 135, body }));
}

/** Sends a frame from the client. */
async function inject(frame: Buffer): Promise<void> {
  const ifindex = Number((await sh('c', 'ip -o link show eth0')).split(':')[0]);
  const socket = openPacketSocket({ namespace: paths.get('c'), ifindex });
  socket.send(frame);
  socket.close();
}
