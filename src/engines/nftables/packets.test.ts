/** Real packets through two nodes, the outside and their pods: what must pass passes, what must not does not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BGPNeighborIntent, IntentChange, ServiceIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox } from '#lab/sandbox.ts';
import { numbers, ports } from '#system/registry.ts';
import { type Tunnelled, udpPacket, vxlanPacket } from './packet.ts';
import { openTestnet, pods, service, type Testnet } from './testnet.ts';

const bgpNeighbor: BGPNeighborIntent = {
  origin: { kind: 'BGPNeighbor', name: 'tor' },
  address: '',
  port: 179,
  localASN: 64_512,
  peerASN: 65_000,
  families: [4],
  multiHop: false,
  importPrefixes: [],
};

let net: Testnet;
beforeAll(async () => {
  net = await openTestnet(await openSandbox());
}, 120_000);
afterAll(async () => {
  await net?.close();
});

const pod = (name: string) => pods.find((each) => each.name === name)!;
const address = (name: string, family: 4 | 6) => (family === 4 ? pod(name).address4 : pod(name).address6);
const underlay = (host: number, family: 4 | 6) => (family === 4 ? `192.168.66.${host}` : `fd66::${host}`);
const vip = (last: number, family: 4 | 6) => (family === 4 ? `10.96.0.${last}` : `fd10:96::${last}`);
const families = [[4], [6]] as const;

describe('connections inside', () => {
  const pairs: [string, string][] = [
    ['p11', 'p12'],
    ['p11', 'p21'],
    ['p21', 'p11'],
    ['q11', 'q21'],
    ['q11', 'p12'],
    ['p11', 'q21'],
    ['q21', 'p11'],
    ['p11', 'p11'],
    ['c11', 'c21'],
    ['c21', 'p11'],
    ['p21', 'c11'],
    ['q11', 'c21'],
    ['c11', 'q21'],
  ];
  it.each(pairs.flatMap((pair) => families.map(([family]) => [...pair, family] as const)))(
    'pod %s reaches pod %s by IPv%i and keeps its address',
    async (from, to, family) => {
      expect(await net.tcp(from, address(to, family), 8080)).toBe(answer(to, address(from, family)));
    },
  );

  it.each(families)('pods and nodes reach each other by IPv%i', async (family) => {
    expect(await net.tcp('p11', underlay(11, family), 8080)).toBe(answer('n1', address('p11', family)));
    expect(await net.tcp('n1', address('p11', family), 8080)).toContain('p11');
    expect(await net.tcp('n1', address('p21', family), 8080)).toContain('p21');
    expect(await net.tcp('n1', address('q21', family), 8080)).toContain('q21');
    expect(await net.tcp('q11', underlay(12, family), 8080)).toBe(answer('n2', address('q11', family)));
  });

  it('carries bulk through the tunnel, in packets larger than the link (GSO)', async () => {
    net.box.spawn(['sh', '-c', 'socat -u TCP4-LISTEN:8090,reuseaddr - | wc -c > /tmp/bulk'], {
      netns: 'p21',
    });
    await eventually(() =>
      net.sh(
        'p11',
        `head -c 40000000 /dev/zero | socat -u - TCP4:${address('p21', 4)}:8090,connect-timeout=1`,
      ),
    );
    await eventually(async () => expect((await net.sh('p21', 'cat /tmp/bulk')).trim()).toBe('40000000'));
    expect(await net.counter(2, 'droppedTunnel')).toBe(0);
  }, 60_000);

  it('finds the path MTU: an error from a router on the way reaches the pod', async () => {
    await net.sh('r', 'ip addr replace 203.0.113.1/32 dev lo; ip link set v1 mtu 1500');
    await net.sh('n1', 'ip route replace 203.0.113.0/24 via 192.168.66.1 mtu 1300');
    expect(await net.sh('p11', 'ping -c2 -W1 -M do -s 1400 203.0.113.1 2>&1 || true')).toMatch(
      /mtu.?=? ?1300/i,
    );
  });
});

describe('the tunnel', () => {
  const good: Tunnelled = {
    outerFrom: '192.168.66.12',
    outerTo: '192.168.66.11',
    inner: { from: '10.244.2.77', to: '10.244.1.11' },
    vni: numbers.vni.value,
    innerMac: [2, 0, 0, 0, 0x66, 1],
    port: ports.vxlan.value,
  };
  const six = { outerFrom: 'fd66::12', outerTo: 'fd66::11' };
  const inner6 = { from: 'fd10:244:0:2::77', to: 'fd10:244:0:1::11' };
  beforeAll(async () => {
    await net.sh(
      'n1',
      `nft add chain inet probe passed '{ type filter hook input priority 1; }'
       nft add rule inet probe passed meta nfproto ipv6 udp dport ${ports.vxlan.value} counter name hit`,
    );
  });
  afterAll(async () => {
    await net.sh('n1', 'nft delete chain inet probe passed');
  });

  // Only the last frame may arrive; that it does shows that the ones before it had their chance.
  const onlyThis = async (forged: readonly Tunnelled[], right: Tunnelled, where: string) => {
    const mac = await macOf('n1');
    await net.arrived(where);
    for (const parts of [...forged, right]) await net.inject('r', 'br0', vxlanPacket(parts), mac);
    await eventually(async () => expect(await net.sh(where, counterText)).toContain('packets 1 '));
  };

  it.each([
    ['IPv4 in IPv4', good],
    ['IPv6 in IPv4', { ...good, inner: inner6 }],
    ['IPv4 in IPv6', { ...good, ...six }],
    ['IPv6 in IPv6', { ...good, ...six, inner: inner6 }],
  ])('takes %s from a peer with its own inner source, and nothing forged', async (_, right) => {
    const foreign = right.inner === inner6 ? 'fd10:244:0:1::12' : '10.244.1.12';
    const nodeAddress = right.inner === inner6 ? 'fd66::11' : '192.168.66.11';
    const outside = right.inner === inner6 ? 'fd66::200' : '192.168.66.200';
    const stranger = right.outerFrom.includes(':') ? 'fd66::200' : '192.168.66.200';
    const itself = right.outerFrom.includes(':') ? 'fd66::11' : '192.168.66.11';
    const from = (text: string) => ({ ...right, inner: { ...right.inner, from: text } });
    await onlyThis(
      [
        { ...right, outerFrom: stranger },
        { ...right, outerFrom: itself },
        from(foreign),
        from(nodeAddress),
        from(outside),
        { ...right, vni: numbers.vni.value + 1 },
        { ...right, flags: 0 },
        { ...right, flags: 0xff },
        { ...right, vlan: true },
        ...(right.outerTo.includes(':')
          ? []
          : [{ ...right, outerTo: '192.168.66.255', outerFrom: stranger }]),
      ],
      right,
      // The tunnel device has an IPv4 socket here; for an IPv6 outer header the node counts what passed the guard.
      right.outerTo.includes(':') ? 'n1' : 'p11',
    );
    expect(await net.counter(1, 'droppedTunnel')).toBeGreaterThanOrEqual(8);
  });

  it('is out of reach for pods: at any node, also by a Service', async () => {
    const frontends = [{ address: vip(9, 4), port: 4789 }];
    const nodes = [11, 12].map((host) => ({ address: underlay(host, 4), port: ports.vxlan.value }));
    await net.setServices({ 'd/evil//4': service({ protocol: 'udp', frontends, backends: nodes }) });
    const seen = async (node: 1 | 2) => await net.counter(node, 'droppedTunnel');
    for (const to of [underlay(11, 4), underlay(12, 4), underlay(11, 6), underlay(12, 6)]) {
      const before = await seen(1);
      await net.udp('p11', to, ports.vxlan.value);
      expect(await seen(1), to).toBeGreaterThan(before);
    }
    const before = await seen(1);
    for (let i = 0; i < 6; i++) await net.udp('p11', vip(9, 4), 4789);
    expect(await seen(1)).toBeGreaterThanOrEqual(before + 6);
    await net.setServices({});
  });
});

describe('sources', () => {
  const spoof = async (from: string, source: string, to: string, device = 'eth0') =>
    net.inject(
      from,
      device,
      udpPacket({ from: source, to }),
      device === 'eth0' ? 'ee:ee:ee:ee:ee:ee' : undefined,
    );

  it.each(families)('a pod sends from its own addresses only, IPv%i', async (family) => {
    await net.arrived('p12');
    await net.arrived('n1');
    const forged = [
      address('p12', family),
      address('p21', family),
      underlay(11, family),
      underlay(200, family),
      family === 4 ? '127.0.0.1' : 'fe80::1',
      family === 4 ? '0.0.0.0' : '::',
    ];
    for (const to of [address('p12', family), underlay(11, family)]) {
      for (const source of forged) await spoof('p11', source, to);
      await spoof('p11', address('p11', family), to);
    }
    await eventually(async () => expect(await net.sh('n1', counterText)).toContain('packets 1 '));
    expect(await net.sh('p12', counterText)).toContain('packets 1 ');
    expect(await net.sh('n1', counterText)).toContain('packets 1 ');
  });

  it.each(families)("a pod can't speak BGP to a router with the node's address, IPv%i", async (family) => {
    const router = underlay(1, family);
    expect(await net.tcp('p11', router, 8080)).toContain('r ');
    const neighbor = { ...bgpNeighbor, address: router, port: 8080 };
    const change = (put: IntentChange['put'], remove: IntentChange['remove']) =>
      net.engines[0].apply({ generation: 1, replace: false, put, remove });
    await change({ bgpNeighbors: { tor: neighbor } }, {});
    try {
      expect(await net.tcp('p11', router, 8080)).toBe('silence');
      expect(await net.tcp('n1', router, 8080)).toContain('r ');
    } finally {
      await change({}, { bgpNeighbors: ['tor'] });
    }
    expect(await net.tcp('p11', router, 8080)).toContain('r ');
  });

  it.each(families)(
    'what routers send for an announced address and no Service takes does not go back to them, IPv%i',
    async (family) => {
      const [single, aggregate, other] =
        family === 4
          ? ['203.0.113.77', '203.0.113.128/25', '203.0.113.129']
          : ['2001:db8:77::77', '2001:db8:77:80::/64', '2001:db8:77:80::1'];
      const change = (put: IntentChange['put'], remove: IntentChange['remove']) =>
        net.engines[0].apply({ generation: 1, replace: false, put, remove });
      const mac = await macOf('n1');
      const send = (to: string) => net.inject('r', 'br0', udpPacket({ from: underlay(1, family), to }), mac);
      const dropped = async () => net.counter(1, 'droppedOutside');
      const before = await dropped();
      await send(single);
      const prefix = `${single}/${family === 4 ? 32 : 128}`;
      const entry = { origin: { kind: 'Service', namespace: 'x', name: 'web' }, communities: [] };
      await change({ announcements: { [prefix]: entry, [aggregate]: entry } }, {});
      try {
        expect(await dropped()).toBe(before);
        await send(single);
        await send(other);
        await eventually(async () => expect(await dropped()).toBe(before + 2));
      } finally {
        await change({}, { announcements: [prefix, aggregate] });
      }
    },
  );

  it.each(families)(
    'a pod of a cross-subnet Subnet is believed where its own route leads and nowhere else, IPv%i',
    async (family) => {
      const far = family === 4 ? '10.247.3.77' : 'fd10:247:0:3::77';
      const mac = await macOf('n1');
      const forge = (source: string, to: string) =>
        net.inject('r', 'br0', udpPacket({ from: source, to: address(to, family) }), mac);
      await net.arrived('c11');
      await net.arrived('p11');
      const before = await net.counter(1, 'droppedSource');
      // Behind the router, so by the tunnel; an overlay pod never comes without it, except to a pod of this L2.
      await forge(far, 'c11');
      await forge(far, 'p11');
      await forge(address('p21', family), 'p11');
      await forge(address('c11', family), 'c11');
      expect(await net.counter(1, 'droppedSource')).toBe(before + 4);
      await forge(address('c21', family), 'c11');
      await forge(address('p21', family), 'c11');
      await eventually(async () => expect(await net.sh('c11', counterText)).toContain('packets 2 '));
      expect(await net.sh('p11', counterText)).toContain('packets 0 ');
    },
  );

  it.each(families)(
    'a device with our prefix that nobody knows sends and receives nothing, IPv%i',
    async (family) => {
      await net.sh(
        'n1',
        `ip link add nlpstray address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns stray
       ip link set nlpstray up; ip -n stray link set eth0 up
       ip route add 10.244.1.99/32 dev nlpstray; ip route add fd10:244:0:1::99/128 dev nlpstray`,
      );
      await net.arrived('p12');
      const before = await net.counter(1, 'droppedDelivery');
      const own = family === 4 ? '10.244.1.99' : 'fd10:244:0:1::99';
      await net.inject(
        'stray',
        'eth0',
        udpPacket({ from: own, to: address('p12', family) }),
        'ee:ee:ee:ee:ee:ee',
      );
      await spoof('p11', address('p11', family), address('p12', family));
      await eventually(async () => expect(await net.sh('p12', counterText)).toContain('packets 1 '));
      await spoof('p11', address('p11', family), own);
      await eventually(async () => expect(await net.counter(1, 'droppedDelivery')).toBeGreaterThan(before));
      await net.sh('n1', 'ip link del nlpstray');
    },
  );

  it.each(families)('a pod address comes by its own way only, IPv%i', async (family) => {
    await net.arrived('p12');
    const mac = await macOf('n1');
    const unknown = family === 4 ? '10.244.77.7' : 'fd10:244:0:77::7';
    for (const source of [address('p21', family), address('p11', family), unknown]) {
      await net.inject('r', 'br0', udpPacket({ from: source, to: address('p12', family) }), mac);
    }
    await net.inject(
      'r',
      'br0',
      udpPacket({ from: address('q21', family), to: address('p12', family) }),
      mac,
    );
    await eventually(async () => expect(await net.sh('p12', counterText)).toContain('packets 1 '));
    expect(await net.sh('p12', counterText)).toContain('packets 1 ');
  });
});

describe('Services', () => {
  const backend = (name: string, family: 4 | 6) => ({ address: address(name, family), port: 8080 });
  const one = (family: 4 | 6, names: readonly string[], part: Partial<ServiceIntent> = {}) =>
    service({
      frontends: [{ address: vip(10, family), port: 80 }],
      backends: names.map((name) => backend(name, family)),
      ...part,
    });

  it.each(families)(
    'spread over all backends alike, IPv%i',
    async (family) => {
      await net.setServices({ 's/a//4': one(family, ['p12', 'q11', 'p21']) });
      const counts = new Map<string, number>();
      const script = `for i in $(seq 60); do socat -t1 -T1 - TCP${family}:${hostPort(vip(10, family), 80)} </dev/null; done`;
      for (const line of (await net.sh('p11', script)).trim().split('\n')) {
        const [name = ''] = line.split(' ');
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      expect([...counts.keys()].sort()).toEqual(['p12', 'p21', 'q11']);
      // 60 draws of 1/3: fewer than 5 has a chance below 1e-5.
      for (const count of counts.values()) expect(count).toBeGreaterThanOrEqual(5);
    },
    60_000,
  );

  it.each(families)(
    'show the client its own address, and are reached from every kind of place, IPv%i',
    async (family) => {
      await net.setServices({ 's/a//4': one(family, ['p21']) });
      expect(await net.tcp('p11', vip(10, family), 80)).toBe(answer('p21', address('p11', family)));
      expect(await net.tcp('q11', vip(10, family), 80)).toContain('p21');
      expect(await net.tcp('n1', vip(10, family), 80)).toContain('p21');
      expect(await net.tcp('n2', vip(10, family), 80)).toContain('p21');
      await net.setServices({
        's/a//4': one(family, [], { backends: [{ address: underlay(12, family), port: 8080 }] }),
      });
      for (const where of ['p11', 'q11', 'n1', 'n2', 'p21']) {
        expect(await net.tcp(where, vip(10, family), 80), where).toContain('n2');
      }
    },
  );

  it.each(families)('let a pod reach itself, with the node address, IPv%i', async (family) => {
    await net.setServices({ 's/a//4': one(family, ['p11']) });
    expect(await net.tcp('p11', vip(10, family), 80)).toBe(answer('p11', underlay(11, family)));
    expect(await net.tcp('p12', vip(10, family), 80)).toBe(answer('p11', address('p12', family)));
  });

  it.each(families)(
    'without endpoints refuse at once, as do ports that nobody serves, IPv%i',
    async (family) => {
      await net.setServices({
        's/a//4': one(family, []),
        's/b//4': one(family, [], { protocol: 'udp', frontends: [{ address: vip(10, family), port: 81 }] }),
      });
      for (const where of ['p11', 'n1']) {
        expect(await net.tcp(where, vip(10, family), 80)).toBe('refused');
        expect(await net.tcp(where, vip(10, family), 4444)).toBe('refused');
        expect(await net.udp(where, vip(10, family), 81)).toBe('refused');
        expect(await net.tcp(where, vip(200, family), 80)).toBe('silence');
      }
    },
  );

  it.each(families)(
    'bind a client to its backend, IPv%i',
    async (family) => {
      const sticky = { affinitySeconds: 300 };
      await net.setServices({ 's/a//4': one(family, ['p12', 'q11', 'p21'], sticky) });
      const first = await net.tcp('p11', vip(10, family), 80);
      for (let i = 0; i < 5; i++) expect(await net.tcp('p11', vip(10, family), 80)).toBe(first);
      const bound = first.split(' ')[0]!;
      const rest = ['p12', 'q11', 'p21'].filter((name) => name !== bound);
      // Another backend goes: the client stays.
      await net.setServices({ 's/a//4': one(family, [bound, rest[0]!], sticky) });
      for (let i = 0; i < 4; i++) expect(await net.tcp('p11', vip(10, family), 80)).toBe(first);
      // The static chains are replaced and the table is resynced: the client stays.
      await net.engines[0].resync();
      expect(await net.tcp('p11', vip(10, family), 80)).toBe(first);
      // Its own goes: it is never used again.
      await net.setServices({ 's/a//4': one(family, rest, sticky) });
      const second = await net.tcp('p11', vip(10, family), 80);
      expect(rest).toContain(second.split(' ')[0]);
      for (let i = 0; i < 4; i++) expect(await net.tcp('p11', vip(10, family), 80)).toBe(second);
    },
    30_000,
  );

  it('forget a client after its time', async () => {
    await net.setServices({ 's/a//4': one(4, ['p12', 'p21'], { affinitySeconds: 1 }) });
    await net.tcp('p11', vip(10, 4), 80);
    expect(await net.sh('n1', 'nft list map inet netloom affinity4')).toContain(address('p11', 4));
    await eventually(async () =>
      expect(await net.sh('n1', 'nft list map inet netloom affinity4')).not.toContain('expires'),
    );
  });

  it.each(families)('move UDP clients away from a backend that is gone, IPv%i', async (family) => {
    const udp = { protocol: 'udp' as const };
    // The kernel is looked through behind the change.
    const isAnswered = (by: string) =>
      eventually(async () =>
        expect(await net.udp('p11', vip(10, family), 80, ',sourceport=5000,reuseaddr')).toContain(by),
      );
    await net.setServices({ 's/a//4': one(family, ['p12'], udp) });
    await isAnswered('p12');
    await net.setServices({ 's/a//4': one(family, ['p21'], udp) });
    await isAnswered('p21');
    await net.setServices({ 's/a//4': one(family, [], udp) });
    await isAnswered('refused');
    await net.setServices({ 's/a//4': one(family, ['q11'], udp) });
    await isAnswered('q11');
  });

  it('keep an open TCP connection when its Service changes', async () => {
    await net.setServices({ 's/a//4': one(4, ['p12']) });
    const script = `(echo one; while [ ! -e /tmp/go ]; do :; done; echo two) | socat -t2 - TCP4:${vip(10, 4)}:7000 > /tmp/kept`;
    net.box.spawn(['socat', 'TCP4-LISTEN:7001,reuseaddr', 'EXEC:cat'], { netns: 'p12' });
    await net.setServices({
      's/a//4': one(4, [], {
        frontends: [{ address: vip(10, 4), port: 7000 }],
        backends: [{ address: address('p12', 4), port: 7001 }],
      }),
    });
    await net.sh('p11', 'rm -f /tmp/go /tmp/kept');
    net.box.spawn(['sh', '-c', script], { netns: 'p11' });
    await eventually(async () => expect(await net.sh('p11', 'cat /tmp/kept')).toContain('one'));
    await net.setServices({});
    await net.sh('p11', 'touch /tmp/go');
    await eventually(async () => expect(await net.sh('p11', 'cat /tmp/kept')).toContain('two'));
  });
});

describe('the outside', () => {
  it.each(families)(
    'opens no connection to pods and Services, but for allowed sources, IPv%i',
    async (family) => {
      const frontends = [{ address: vip(10, family), port: 80 }];
      const backends = [{ address: address('p12', family), port: 8080 }];
      await net.setServices({ 's/a//4': service({ frontends, backends }) });
      const as = (host: number) => `,bind=${family === 6 ? `[${underlay(host, 6)}]` : underlay(host, 4)}`;
      for (const [to, port] of [
        [address('p11', family), 8080],
        [address('q11', family), 8080],
        [vip(10, family), 80],
        [vip(10, family), 4444],
      ] as const) {
        expect(await net.tcp('r', to, port, as(200)), `${to} ${port}`).toBe('silence');
      }
      expect(await net.tcp('r', address('p11', family), 8080, as(201))).toBe(
        answer('p11', underlay(201, family)),
      );
      expect(await net.tcp('r', address('q21', family), 8080, as(201))).toContain('q21');
      expect(await net.tcp('r', vip(10, family), 80, as(201))).toContain('p12');
    },
  );

  it.each(families)('sees the node address of masqueraded pods and answers them, IPv%i', async (family) => {
    const outside = underlay(200, family);
    expect(await net.tcp('p11', outside, 8080)).toBe(answer('r', underlay(11, family)));
    expect(await net.tcp('q11', outside, 8080)).toBe(answer('r', underlay(11, family)));
    expect(await net.tcp('m11', outside, 8080)).toBe(answer('r', address('m11', family)));
    expect(await net.tcp('p11', underlay(12, family), 8080)).toBe(answer('n2', underlay(11, family)));
  });

  it('reaches what another program publishes on the node (hostPort)', async () => {
    await net.sh(
      'n1',
      `nft -f - <<'END'
table ip portmap {
  chain hostports { type nat hook prerouting priority -100; fib daddr type local tcp dport 9080 dnat to ${address('p11', 4)}:8080; }
}
END`,
    );
    expect(await net.tcp('r', underlay(11, 4), 9080, `,bind=${underlay(200, 4)}`)).toBe(
      answer('p11', underlay(200, 4)),
    );
    await net.sh('n1', 'nft delete table ip portmap');
  });
});

describe('a foreign hand', () => {
  it('that flushes the ruleset is answered at once, and reported', async () => {
    const healed = net.foreign.length;
    await net.sh('n1', 'nft flush ruleset');
    await eventually(() => expect(net.foreign.length).toBeGreaterThan(healed));
    expect(net.foreign.at(-1)).toMatchObject({
      by: expect.stringMatching(/^nft\[\d+\]$/),
      opened: ['the whole table was gone: nothing was guarded, translated or filtered'],
    });
    expect(await net.tcp('p11', address('p12', 4), 8080)).toContain('p12');
  });

  it('that removes a rule or an element is put right', async () => {
    const healed = net.foreign.length;
    await net.sh('n1', 'nft flush chain inet netloom podSource');
    await eventually(() => expect(net.foreign.length).toBeGreaterThan(healed));
    expect(net.foreign.at(-1)?.opened).toEqual(['chain podSource was changed']);
    await net.sh('n1', `nft delete element inet netloom podAddresses4 '{ "nlpp11" . ${address('p11', 4)} }'`);
    await eventually(() => expect(net.foreign.length).toBeGreaterThan(healed + 1));
    expect(net.foreign.at(-1)?.opened).toEqual([
      'set podAddresses4: 1 elements missing or changed, 0 foreign ones',
    ]);
    expect((await net.engines[0].resync()).operations).toEqual([]);
  });

  it('in another table is none of our business', async () => {
    const healed = net.foreign.length;
    await net.sh('n1', 'nft add table inet theirs; nft delete table inet theirs');
    await net.sh('n1', 'nft add element inet netloom nodes4 { 192.0.2.1 }');
    await eventually(() => expect(net.foreign.length).toBe(healed + 1));
  });
});

const counterText = 'nft list counter inet probe hit';

function answer(name: string, client: string): string {
  return `${name} ${client.includes(':') ? expand(client) : client}`;
}

/** As socat writes it. */
function expand(text: string): string {
  const [head = '', tail = ''] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const zeros = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: zeros }, () => '0'), ...groups(tail)];
  return `[${all.map((group) => group.padStart(4, '0')).join(':')}]`;
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

async function macOf(where: string): Promise<string> {
  return /ether (\S+)/.exec(await net.sh(where, 'ip link show eth0'))![1]!;
}
