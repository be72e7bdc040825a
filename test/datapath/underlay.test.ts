/** Pods with addresses of the physical network, and hosts there that know nothing of a cluster: real datapaths, real packets. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import type { TestNode } from './node.ts';
import { blocks, openWire, type Place, type Wire, wireIntent } from './wire.ts';

let wire: Wire;
const addresses = new Map<string, readonly string[]>();
const places = new Map<string, Place>();
const families = [[4], [6]] as const;
const of = (pod: string, family: 4 | 6) =>
  addresses.get(pod)!.find((text) => text.includes(':') === (family === 6))!;
const at = (pod: string) => places.get(pod)!;
const outside = (): Place => [wire.n1, 'outside'];
const gateway = (): Place => [wire.n1, 'gw'];
const node = (family: 4 | 6, host: number) => (family === 4 ? `192.168.66.${host}` : `fd66::${host}`);

async function addPod(on: TestNode, name: string, subnet: string): Promise<void> {
  addresses.set(name, await on.addPod(name, { namespace: subnet }));
  places.set(name, [on, name]);
  await wire.serve([on, name]);
}

beforeAll(async () => {
  wire = await openWire();
  const pods = [
    ['own1', 'own', 'n1'],
    ['own2', 'own', 'n2'],
    ['other1', 'other', 'n1'],
    ['other2', 'other', 'n2'],
    ['over1', 'default', 'n1'],
    ['over2', 'default', 'n2'],
    ['closed1', 'closed', 'n1'],
  ] as const;
  for (const [name, subnet, on] of pods) await addPod(wire[on], name, subnet);
}, 120_000);
afterAll(() => wire?.close());

describe('an underlay pod', () => {
  test.each(families)(
    'is reached from hosts of its IPv%i network without route or NAT, and reaches them',
    async (family) => {
      for (const pod of ['own1', 'own2']) {
        expect(await wire.seen(outside(), of(pod, family))).toBe(node(family, 1));
        expect(await wire.seen(at(pod), node(family, 200))).toBe(of(pod, family));
      }
      const router = family === 4 ? '10.77.0.1' : 'fd10:77::1';
      for (const pod of ['other1', 'other2']) {
        expect(await wire.seen(gateway(), of(pod, family))).toBe(router);
        expect(await wire.seen(at(pod), router)).toBe(of(pod, family));
      }
    },
  );

  test.each(families)('keeps its address to pods of any mode and to nodes (IPv%i)', async (family) => {
    const pairs = [
      ['own1', 'own2'],
      ['own1', 'other2'],
      ['other2', 'other1'],
      ['own1', 'over1'],
      ['own1', 'over2'],
      ['over2', 'own1'],
      ['over1', 'other2'],
    ] as const;
    for (const [from, to] of pairs)
      expect([from, to, await wire.seen(at(from), of(to, family))]).toEqual([from, to, of(from, family)]);
    for (const host of [11, 12])
      expect(await wire.seen(at('own1'), node(family, host))).toBe(of('own1', family));
    for (const [on, host] of [
      [wire.n1, 11],
      [wire.n2, 12],
    ] as const)
      expect(await wire.seen([on, ''], of('own1', family))).toBe(node(family, host));
  });

  test.each(families)(
    'goes out by the gateway of its Subnet, and where there is none as its node does (IPv%i)',
    async (family) => {
      const far = family === 4 ? '203.0.113.1' : '2001:db8:66::1';
      expect(await wire.seen(at('other1'), far)).toBe(of('other1', family));
      // The nodes' own router does not know that host.
      expect(await wire.seen(at('own1'), far)).toBe('silence');
      expect(await wire.seen([wire.n1, ''], far)).toBe('silence');
    },
  );

  test.each(families)(
    'other pods see other hosts of its prefix as outside: they take the node address (IPv%i)',
    async (family) => {
      expect(await wire.seen(at('over1'), node(family, 200))).toBe(node(family, 11));
    },
  );

  test.each(families)('is not reached from outside where the Subnet says so (IPv%i)', async (family) => {
    const prefix = family === 4 ? '10.78.0.0/24' : 'fd10:78::/64';
    await wire.outside(`ip route replace ${prefix} dev br0`);
    expect(await wire.seen(outside(), of('closed1', family))).toBe('silence');
    expect(await wire.seen(at('closed1'), node(family, 200))).toBe(of('closed1', family));
  });

  test('is in use for every host that asks whether its address is free', async () => {
    const dad = await wire.outside(
      `sysctl -qw net.ipv6.conf.br0.accept_dad=1; ip addr add ${of('own1', 6)}/64 dev br0
       for i in $(seq 40); do ip addr show dev br0 | grep -q dadfailed && break; sleep 0.1; done
       ip addr show dev br0 | grep -o dadfailed; ip addr del ${of('own1', 6)}/64 dev br0; sysctl -qw net.ipv6.conf.br0.accept_dad=0`,
    );
    expect(dad.trim()).toBe('dadfailed');
    const free = (address: string) =>
      wire.gateway(`busybox arping -q -D -c 2 -w 3 -I eth0 ${address} && echo free || echo taken`);
    expect((await free(of('own1', 4))).trim()).toBe('taken');
    expect((await free('192.168.66.142')).trim()).toBe('free');
  });

  test.each(families)(
    'has its address for itself: nobody on the wire sends from it to its own node (IPv%i)',
    async (family) => {
      const drops = async () =>
        Number(
          /packets (\d+)/.exec(
            await wire.n1.run(['nft', 'list', 'counter', 'inet', 'netloom', 'droppedSource']),
          )?.[1],
        );
      const before = await drops();
      const length = family === 4 ? 32 : 128;
      const own = of('own1', family);
      // A connection of the pod's that stands, which the forger then speaks in.
      await wire.n1.run(['ping', '-c', '1', '-W', '2', '-e', '4242', node(family, 11)], 'own1');
      await wire.outside(`ip addr add ${own}/${length} dev br0 ${family === 6 ? 'nodad' : ''}`);
      expect(
        await wire.outside(`ping -c 2 -W 1 -e 4242 -I ${own} ${node(family, 11)} >/dev/null || echo refused`),
      ).toContain('refused');
      await wire.outside(`ip addr del ${own}/${length} dev br0; ip neigh flush dev br0`);
      expect(await drops()).toBeGreaterThan(before);
      // The pod is found again.
      await eventually(async () => expect(await wire.seen(outside(), own)).toBe(node(family, 1)));
    },
  );

  test('is answered for by the kernel while the datapath is away', async () => {
    await wire.n1.signal('KILL');
    await wire.outside('ip neigh flush dev br0');
    for (const [family] of families)
      expect(await wire.seen(outside(), of('own1', family))).toBe(node(family, 1));
    await wire.n1.start({ intent: false });
    await wire.n1.intend(wireIntent('n1'));
    for (const [family] of families)
      expect(await wire.seen(outside(), of('own1', family))).toBe(node(family, 1));
  });
});

describe('the probe of the network below', () => {
  const probe = async (on: TestNode) => {
    const reports = await on.probeWire();
    return reports
      .map(({ subnet, family, carried }) => `${subnet} IPv${family} ${carried ? 'carried' : 'lost'}`)
      .sort();
  };
  const every = (state: string) =>
    ['closed', 'other', 'own'].flatMap((subnet) => [`${subnet} IPv4 ${state}`, `${subnet} IPv6 ${state}`]);
  const bridge = (script: string) => wire.outside(`nft -f - <<'END'\n${script}\nEND`);

  test('finds addresses of every Subnet carried, from either node', async () => {
    expect(await probe(wire.n1)).toEqual(every('carried'));
    expect(await probe(wire.n2)).toEqual(every('carried'));
    for (const { detail } of (await wire.n1.client.status()).wire)
      expect(detail).toMatch(/^(node n2|gateway)/);
  });

  test('finds out where the network drops what is not the node address, and when that is over', async () => {
    await bridge(`table bridge cloud {
      chain forward {
        type filter hook forward priority 0;
        ether type ip iifname "eth0" ip saddr != 192.168.66.11 drop
        ether type ip6 iifname "eth0" ip6 saddr != { fd66::11, fe80::/10, :: } drop
      }
      chain input {
        type filter hook input priority 0;
        ether type ip iifname "eth0" ip saddr != 192.168.66.11 drop
        ether type ip6 iifname "eth0" ip6 saddr != { fd66::11, fe80::/10, :: } drop
      }
    }`);
    expect(await probe(wire.n1)).toEqual(every('lost'));
    const { wire: reports } = await wire.n1.client.status();
    expect(reports.find(({ subnet, family }) => subnet === 'own' && family === 4)?.detail).toMatch(
      /^node n2 answered the node's own address 192\.168\.66\.11 and not 192\.168\.66\.1\d\d, an address of the Subnet$/,
    );
    expect(wire.n1.log()).toContain('the physical network does not carry an underlay Subnet');
    await bridge('delete table bridge cloud');
    expect(await probe(wire.n1)).toEqual(every('carried'));
  });

  test('finds nothing out where nobody answers the node itself', async () => {
    await bridge(`table bridge dead {
      chain forward {
        type filter hook forward priority 0; iifname "eth0" drop
      }
      chain input {
        type filter hook input priority 0; iifname "eth0" drop
      }
    }`);
    expect(await probe(wire.n1)).toEqual(every('carried'));
    await bridge('delete table bridge dead');
  });
});

describe('an address that moves to another node', () => {
  test('is known to be there to every host that knew it, before any asks', async () => {
    const moved = addresses.get('own1')!;
    for (const address of moved) await wire.outside(`ping -c 1 -W 2 ${address}`);
    const macOf = async (on: TestNode) => (await on.run(['cat', '/sys/class/net/eth0/address'])).trim();
    const neighbours = () => wire.outside('ip neigh show dev br0; ip -6 neigh show dev br0');
    const first = await macOf(wire.n1);
    for (const address of moved) expect(await neighbours()).toContain(`${address} lladdr ${first}`);
    expect((await wire.n1.cni('DEL', { pod: 'own1' })).output).toBe('');
    // What n1 had goes to n2, which has no other.
    const held = {
      n1: { ...blocks.n1, own: [] },
      n2: { ...blocks.n2, own: moved.map((text) => `${text}/${text.includes(':') ? 128 : 32}`) },
    };
    await wire.n1.intend(wireIntent('n1', held));
    await wire.n2.intend(wireIntent('n2', held));
    await addPod(wire.n2, 'heir', 'own');
    expect(addresses.get('heir')).toEqual(moved);
    const second = await macOf(wire.n2);
    await eventually(async () => {
      const text = await neighbours();
      for (const address of moved) expect(text).toContain(`${address} lladdr ${second}`);
    });
    await wire.n1.intend(wireIntent('n1'));
    await wire.n2.intend(wireIntent('n2'));
    for (const pod of ['heir', 'own2']) await wire.n2.cni('DEL', { pod });
  });
});

describe('an address that somebody else has', () => {
  const macOf = async (on: TestNode, device: string, netns?: string) =>
    (await on.run(['cat', `/sys/class/net/${device}/address`], netns)).trim();

  test('is passed over, in either family, and the log names its holder', async () => {
    await wire.gateway(`ip addr add 10.77.0.17/32 dev eth0; ip addr add fd10:77::12/128 dev eth0 nodad`);
    await addPod(wire.n1, 'wary', 'other');
    expect(addresses.get('wary')).toEqual(['10.77.0.19', 'fd10:77::13']);
    expect(await wire.seen(gateway(), of('wary', 4))).toBe('10.77.0.1');
    const mac = (await wire.gateway('ip -j link show eth0 | grep -o "..:..:..:..:..:.." | head -1')).trim();
    expect(wire.n1.log()).toContain(`the host ${mac} on the physical network has 10.77.0.17`);
    expect(wire.n1.log()).toContain(`the host ${mac} on the physical network has fd10:77::12`);
    await wire.gateway(`ip addr del 10.77.0.17/32 dev eth0; ip addr del fd10:77::12/128 dev eth0`);
  });

  test('is refused where there is no other, with the name of the node that answers for it', async () => {
    const [four = '', six = ''] = addresses.get('other2')!;
    await wire.n1.intend(
      wireIntent('n1', { ...blocks, n1: { ...blocks.n1, other: [`${four}/32`, `${six}/128`] } }),
    );
    await wire.n1.box.addNamespace('late');
    const { json } = await wire.n1.cni('ADD', { pod: 'late', namespace: 'other' });
    const holder = `node n2 (${await macOf(wire.n2, 'eth0')})`;
    expect(json).toMatchObject({
      code: 11,
      msg: expect.stringContaining(`${holder} on the physical network has ${four}`),
    });
    expect(await wire.seen(gateway(), four)).toBe('10.77.0.1');
    await wire.n1.intend(wireIntent('n1'));
  });

  test('is refused to the pod that is to have it and no other, and given once it is free', async () => {
    const claimed = { subnet: 'other', addresses: ['10.77.0.30', 'fd10:77::1e'] };
    await wire.gateway('ip addr add 10.77.0.30/32 dev eth0');
    await wire.n1.box.addNamespace('fixed');
    const options = { pod: 'fixed', namespace: 'other', claimed };
    const refused = await wire.n1.cni('ADD', options);
    expect(refused.json).toMatchObject({
      code: 11,
      msg: expect.stringMatching(
        /^Subnet other: the host [0-9a-f:]{17} on the physical network has 10\.77\.0\.30; the pod is to have this address and no other$/,
      ),
    });
    await wire.gateway('ip addr del 10.77.0.30/32 dev eth0');
    const given = await wire.n1.cni('ADD', options);
    expect(given.output).toContain('10.77.0.30/32');
    await wire.n1.cni('DEL', { pod: 'fixed' });
  });

  test('is defended when a host takes it later, and told', async () => {
    const address = of('wary', 4);
    await wire.gateway(`ping -c 1 -W 2 ${address}`);
    await wire.outside(
      `ip addr add ${address}/32 dev br0; busybox arping -q -U -c 1 -I br0 -s ${address} ${address}; ip addr del ${address}/32 dev br0`,
    );
    const problem = {
      engine: 'datapath',
      entry: `address ${address}`,
      reason: expect.stringMatching(/^the host [0-9a-f:]+ on the physical network claims the pod's address/),
    };
    await eventually(async () => expect(await wire.n1.problems()).toEqual([problem]));
    await eventually(async () =>
      expect(await wire.gateway(`ip neigh show ${address}`)).toContain(await macOf(wire.n1, 'eth0')),
    );
  });
});
