/** Private Subnets with real packets: who may open connections to their pods, and who may not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { openSandbox } from '#lab/sandbox.ts';
import { udpPacket } from './packet.ts';
import { intentOf, openTestnet, pods, service, type Testnet } from './testnet.ts';

let net: Testnet;
beforeAll(async () => {
  net = await openTestnet(await openSandbox());
}, 120_000);
afterAll(async () => {
  await net?.close();
});

const families = [[4], [6]] as const;
const pod = (name: string) => pods.find((each) => each.name === name)!;
const address = (name: string, family: 4 | 6) => (family === 4 ? pod(name).address4 : pod(name).address6);
const vip = (family: 4 | 6) => (family === 4 ? '10.96.0.10' : 'fd10:96::10');
const outside = (host: number, family: 4 | 6) =>
  `,bind=${family === 4 ? `192.168.66.${host}` : `[fd66::${host}]`}`;

/** Makes the overlay Subnet private on both nodes: for p11 and p21, and for one address outside. */
async function makePrivate(): Promise<void> {
  const onlyFrom = ['p11', 'p21'].flatMap((name) => [
    `${pod(name).address4}/32`,
    `${pod(name).address6}/128`,
  ]);
  for (const node of [1, 2] as const) {
    const overlay = { ...intentOf(node).subnets['overlay']! };
    await net.put(node, {
      subnets: { overlay: { ...overlay, onlyFrom: [...onlyFrom, '192.168.66.201/32', 'fd66::201/128'] } },
    });
  }
}

describe('a private Subnet', () => {
  it('leaves connections alone that stand, and judges new ones from then on', async () => {
    const script = `(while [ ! -e /tmp/go ]; do sleep 0.05; done; echo x) | socat -t2 - TCP4:${address('p21', 4)}:8080 > /tmp/kept`;
    await net.sh('p12', 'rm -f /tmp/go /tmp/kept');
    net.box.spawn(['sh', '-c', script], { netns: 'p12' });
    await eventually(async () => expect(await net.sh('p12', 'ss -Htn state established')).toContain(':8080'));
    await makePrivate();
    expect(await net.tcp('p12', address('p21', 4), 8080)).toBe('silence');
    await net.sh('p12', 'touch /tmp/go');
    await eventually(async () => expect(await net.sh('p12', 'cat /tmp/kept')).toContain('p21'));
  });

  it.each(families)('lets in whom it names and keeps out every other pod, IPv%i', async (family) => {
    expect(await net.tcp('p11', address('p21', family), 8080)).toContain('p21');
    expect(await net.udp('p21', address('p11', family), 8080)).toContain('p11');
    const refused = [
      ['p12', 'p21'],
      ['p12', 'p11'],
      ['q11', 'p11'],
      ['q11', 'p21'],
      ['q21', 'p11'],
      ['m11', 'p12'],
    ] as const;
    const answers = await Promise.all(
      refused.flatMap(([from, to]) => [
        net.tcp(from, address(to, family), 8080),
        net.udp(from, address(to, family), 8080),
      ]),
    );
    expect(answers).toEqual(answers.map(() => 'silence'));
    expect(await net.counter(1, 'droppedPrivate')).toBeGreaterThan(0);
    expect(await net.counter(2, 'droppedPrivate')).toBeGreaterThan(0);
  });

  it.each(families)('has its pods answered by everybody, IPv%i', async (family) => {
    expect(await net.tcp('p12', address('q11', family), 8080)).toContain('q11');
    expect(await net.tcp('p12', address('q21', family), 8080)).toContain('q21');
    expect(await net.tcp('p21', address('q11', family), 8080)).toContain('q11');
  });

  it.each(families)('is no further open by a Service, IPv%i', async (family) => {
    await net.setServices({
      's/a//4': service({
        frontends: [{ address: vip(family), port: 80 }],
        backends: [{ address: address('p21', family), port: 8080 }],
      }),
    });
    expect(await net.tcp('p11', vip(family), 80)).toContain('p21');
    expect(await net.tcp('p12', vip(family), 80)).toBe('silence');
    expect(await net.tcp('q21', vip(family), 80)).toBe('silence');
    expect(await net.tcp('n2', vip(family), 80)).toContain('p21');
    await net.setServices({});
  });

  it.each(families)(
    'is no further open by a published Service, at whichever node, IPv%i',
    async (family) => {
      const node = (host: number) => (family === 4 ? `192.168.66.${host}` : `fd66::${host}`);
      const backends = [{ address: address('p21', family), port: 8080 }];
      await net.setServices((each) => ({
        's/a//4/nodePort': service({
          frontends: [{ address: node(10 + each), port: 30_080 }],
          backends,
          published: {},
        }),
      }));
      const ask = (from: string, host: number, options = '') => net.tcp(from, node(host), 30_080, options);
      const { n1 } = intentOf(2).peers;
      await net.put(2, { peers: { n1: { ...n1!, tunnelAddresses: ['10.244.1.1', 'fd10:244:0:1::1'] } } });
      for (const host of [11, 12]) {
        for (const from of ['p12', 'q11', 'q21', 'm11']) {
          expect(await ask(from, host), `${from} ${host}`).toBe('silence');
        }
        expect(await ask('r', host, outside(200, family))).toBe('silence');
        expect(await ask('r', host, outside(201, family))).toContain('p21');
      }
      expect(await ask('p11', 11)).toContain('p21');
      expect(await ask('n2', 12)).toContain('p21');
      await net.put(2, { peers: { n1: n1! } });
      await net.setServices({});
    },
    60_000,
  );

  it.each(families)(
    'lets its own node in, and others once they told their tunnel address, IPv%i',
    async (family) => {
      expect(await net.tcp('n2', address('p21', family), 8080)).toContain('p21');
      expect(await net.tcp('n1', address('p11', family), 8080)).toContain('p11');
      const { n1 } = intentOf(2).peers;
      expect(await net.tcp('n1', address('p21', family), 8080)).toBe('silence');
      // What a peer says of addresses that are not its own counts for nothing.
      const lie = ['10.244.1.1', 'fd10:244:0:1::1', '10.245.2.21'];
      await net.put(2, { peers: { n1: { ...n1!, tunnelAddresses: lie } } });
      expect(await net.tcp('n1', address('p21', family), 8080)).toContain('p21');
      expect(await net.sh('n2', 'nft list set inet netloom tunnelAddresses4')).not.toContain('10.245');
      await net.put(2, { peers: { n1: n1! } });
    },
  );

  it.each(families)('lets in from outside whom it names, and nobody else, IPv%i', async (family) => {
    expect(await net.tcp('r', address('p12', family), 8080, outside(201, family))).toContain('p12');
    expect(await net.tcp('r', address('p12', family), 8080, outside(200, family))).toBe('silence');
  });

  it('keeps out what belongs to no connection', async () => {
    const broken = (from: string) => {
      const packet = udpPacket({ from: address(from, 4), to: address('p11', 4) });
      // A wrong checksum: connection tracking calls it invalid.
      packet[26]! ^= 0xff;
      return packet;
    };
    await net.arrived('p11');
    await net.inject('p12', 'eth0', broken('p12'));
    await net.inject('q11', 'eth0', broken('q11'));
    await net.inject('p21', 'eth0', udpPacket({ from: address('p21', 4), to: address('p11', 4) }));
    await eventually(async () => expect(await net.arrived('p11')).toBe(1));
  });

  it('is open again when it says so', async () => {
    for (const node of [1, 2] as const) await net.put(node, { subnets: intentOf(node).subnets });
    expect(await net.tcp('p12', address('p21', 4), 8080)).toContain('p21');
    expect(await net.tcp('q11', address('p21', 6), 8080)).toContain('p21');
  });
});
