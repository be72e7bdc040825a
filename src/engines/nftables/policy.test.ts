/** Policy with real packets: who may open connections with what, in both directions. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { openSandbox } from '#lab/sandbox.ts';
import { nflogGroups } from '#system/registry.ts';
import { sctpInit, udpPacket } from './packet.ts';
import { openTestnet, pods, service, type Testnet } from './testnet.ts';
import { addressesOf, identities, type Restricted, restricter } from './testnet-policy.ts';

let net: Testnet;
let restrict: (node: 1 | 2, restricted: Restricted) => Promise<void>;
beforeAll(async () => {
  net = await openTestnet(await openSandbox());
  restrict = restricter(net);
  const policyAddresses = addressesOf([...pods.map((each) => each.name), 'n1', 'n2']);
  const policyPrefixes = {
    '192.168.66.200/32': { identity: identities['outside']! },
    'fd66::200/128': { identity: identities['outside']! },
  };
  for (const node of [1, 2] as const) await net.put(node, { policyAddresses, policyPrefixes });
}, 120_000);
afterAll(async () => {
  await net?.close();
});
afterEach(async () => {
  for (const node of [1, 2] as const) await restrict(node, {});
});

const families = [[4], [6]] as const;
const pod = (name: string) => pods.find((each) => each.name === name)!;
const address = (name: string, family: 4 | 6) => (family === 4 ? pod(name).address4 : pod(name).address6);
const node = (number: 1 | 2, family: 4 | 6) => (family === 4 ? `192.168.66.1${number}` : `fd66::1${number}`);
const vip = (family: 4 | 6) => (family === 4 ? '10.96.0.10' : 'fd10:96::10');
const outside = (host: number, family: 4 | 6) =>
  `,bind=${family === 4 ? `192.168.66.${host}` : `[fd66::${host}]`}`;
const ping = async (from: string, to: string) =>
  (await net.box.exec(['ping', '-c1', '-W1', to], { netns: from })).code === 0;

/** Asks at once: a refusal is known only after a second. */
async function all<K>(
  cases: readonly (readonly [K, string])[],
  ask: (what: K, answer: string) => Promise<void>,
): Promise<void> {
  await Promise.all(cases.map(([what, answer]) => ask(what, answer)));
}

/** TCP, UDP and ICMP: what answers, or `silence`. */
async function everyWay(from: string, to: string, family: 4 | 6): Promise<readonly string[]> {
  const echo = async () => ((await ping(from, address(to, family))) ? `${to} ` : 'silence');
  return Promise.all([
    net.tcp(from, address(to, family), 8080),
    net.udp(from, address(to, family), 8080),
    echo(),
  ]);
}

describe('policy', () => {
  it('costs nothing while it restricts nobody', async () => {
    const chains = ['filterForward', 'filterInput', 'stray'];
    const listing = async () =>
      (await Promise.all(chains.map((name) => net.sh('n1', `nft list chain inet netloom ${name}`)))).join();
    expect(await listing()).not.toContain('policy E');
    expect(await listing()).not.toMatch(/policyEgress|ct mark/);
    await restrict(1, { p11: { egress: {} } });
    expect(await listing()).toMatch(/ct mark/);
    expect(await listing()).toMatch(/jump policyEgress/);
  });

  it.each(families)('judges what leaves a pod by who the peer is, IPv%i', async (family) => {
    await restrict(1, { p11: { egress: { p21: 'allow', q21: 'allow', p12: 'deny', outside: 'allow' } } });
    const before = await net.counter(1, 'droppedPolicy');
    await all(
      [
        ['p21', 'p21'],
        ['q21', 'q21'],
        ['p12', 'silence'],
        ['q11', 'silence'],
        ['c21', 'silence'],
      ],
      async (to, answer) => {
        const answers = await everyWay('p11', to, family);
        expect(answers, to).toEqual(answers.map(() => expect.stringContaining(answer)));
      },
    );
    expect(await net.tcp('p11', family === 4 ? '192.168.66.200' : 'fd66::200', 8080)).toContain('r ');
    expect(await net.tcp('p11', family === 4 ? '192.168.66.201' : 'fd66::201', 8080)).toBe('silence');
    expect(await net.counter(1, 'droppedPolicy')).toBeGreaterThan(before);
    // Others are not concerned, nor is who comes to it.
    expect(await net.tcp('p12', address('q11', family), 8080)).toContain('q11');
    expect(await net.tcp('c21', address('p11', family), 8080)).toContain('p11');
  });

  it.each(families)('judges what reaches a pod by who the peer is, IPv%i', async (family) => {
    await restrict(1, { p11: { ingress: { p21: 'allow', q11: 'allow', outside: 'deny', other: 'deny' } } });
    await all(
      [
        ['p21', 'p11'],
        ['q11', 'p11'],
        ['p12', 'silence'],
        ['q21', 'silence'],
      ],
      async (from, answer) => {
        const answers = await everyWay(from, 'p11', family);
        expect(answers, from).toEqual(answers.map(() => expect.stringContaining(answer)));
      },
    );
    expect(await net.tcp('r', address('p11', family), 8080, outside(201, family))).toBe('silence');
    await restrict(1, { p11: { ingress: { other: 'allow', p12: 'deny' } } });
    expect(await net.tcp('r', address('p11', family), 8080, outside(201, family))).toContain('p11');
    expect(await net.tcp('q21', address('p11', family), 8080)).toContain('p11');
    expect(await net.tcp('p12', address('p11', family), 8080)).toBe('silence');
    // Its own connections are not.
    expect(await net.tcp('p11', address('p12', family), 8080)).toContain('p12');
  });

  it.each(families)('needs both ends to agree, IPv%i', async (family) => {
    await restrict(1, {
      p11: { egress: { p12: 'allow', q11: 'allow' } },
      p12: { ingress: { q11: 'allow' } },
    });
    expect(await net.tcp('p11', address('p12', family), 8080)).toBe('silence');
    expect(await net.tcp('p11', address('q11', family), 8080)).toContain('q11');
    expect(await net.tcp('q11', address('p12', family), 8080)).toContain('p12');
  });

  it.each(families)('tells ports, ranges and protocols apart, IPv%i', async (family) => {
    // A port without a server refuses what reaches it.
    const ask = (port: number) => net.tcp('p11', address('p21', family), port);
    await restrict(1, {
      p11: {
        egress: {
          p21: {
            tcp: [
              [8080, 8080, 'allow'],
              [9_000, 9_002, 'allow'],
              [20_000, 29_999, 'allow'],
            ],
            rest: 'deny',
          },
        },
      },
    });
    expect(await ask(8080)).toContain('p21');
    await all(
      [
        [8081, 'silence'],
        [8999, 'silence'],
        [9000, 'refused'],
        [9002, 'refused'],
        [9003, 'silence'],
        [19_999, 'silence'],
        [20_000, 'refused'],
        [29_999, 'refused'],
        [30_000, 'silence'],
      ],
      async (port, answer) => expect(await ask(port), `${port}`).toBe(answer),
    );
    expect(await net.udp('p11', address('p21', family), 8080)).toBe('silence');
    expect(await ping('p11', address('p21', family))).toBe(false);
    await restrict(1, {
      p11: {
        egress: {
          p21: { tcp: [[0, 65_535, 'deny']], udp: [[8080, 8080, 'deny']], other: 'allow', rest: 'allow' },
          p12: { udp: [[0, 65_535, 'allow']], rest: 'deny' },
          q21: { other: 'allow', rest: 'deny' },
        },
      },
    });
    expect(await ask(8080)).toBe('silence');
    expect(await net.udp('p11', address('p21', family), 8080)).toBe('silence');
    expect(await ping('p11', address('p21', family))).toBe(true);
    expect(await net.udp('p11', address('p12', family), 8080)).toContain('p12');
    expect(await net.tcp('p11', address('p12', family), 8080)).toBe('silence');
    expect(await ping('p11', address('p12', family))).toBe(false);
    expect(await net.udp('p11', address('q21', family), 8080)).toBe('silence');
    expect(await ping('p11', address('q21', family))).toBe(true);
  });

  it.each(families)('judges SCTP associations, IPv%i', async (family) => {
    const to = address('p21', family);
    await net.sh(
      'p21',
      `nft add counter inet probe inits; nft reset counter inet probe inits >/dev/null; nft add chain inet probe associations '{ type filter hook input priority 1; }'
       nft flush chain inet probe associations; nft add rule inet probe associations meta l4proto sctp counter name inits`,
    );
    const inits = () => net.sh('p21', 'nft list counter inet probe inits');
    await restrict(1, { p11: { egress: { p21: { sctp: [[7, 7, 'allow']], rest: 'deny' } } } });
    await net.inject('p11', 'eth0', sctpInit({ from: address('p11', family), to, port: 8 }));
    await net.inject('p11', 'eth0', sctpInit({ from: address('p11', family), to, port: 7 }));
    await eventually(async () => expect(await inits()).toContain('packets 1 '));
  });

  it.each(families)('is strict with pods that nobody has heard of, IPv%i', async (family) => {
    await restrict(1, {
      p11: {
        egress: { other: 'allow', unknownPod: 'deny' },
        ingress: { other: 'allow', unknownPod: 'deny' },
      },
    });
    expect(await net.tcp('p11', address('p21', family), 8080)).toContain('p21');
    expect(await net.tcp('p21', address('p11', family), 8080)).toContain('p11');
    await net.put(1, {}, { policyAddresses: ['pod test/p21'] });
    expect(await net.tcp('p11', address('p21', family), 8080)).toBe('silence');
    expect(await net.tcp('p21', address('p11', family), 8080)).toBe('silence');
    expect(await net.tcp('p11', family === 4 ? '192.168.66.201' : 'fd66::201', 8080)).toContain('r ');
    // A prefix is asked before that.
    const block = family === 4 ? '10.244.2.0/24' : 'fd10:244:0:2::/64';
    await net.put(1, { policyPrefixes: { [block]: { identity: identities['p21']! } } });
    expect(await net.tcp('p11', address('p21', family), 8080)).toContain('p21');
    await restrict(1, { p11: { egress: { p21: 'deny', other: 'allow' } } });
    expect(await net.tcp('p11', address('p21', family), 8080)).toBe('silence');
    await net.put(1, { policyAddresses: addressesOf(['p21']) }, { policyPrefixes: [block] });
  });

  it.each(families)(
    'judges by the translated destination, and knows a pod that reaches itself, IPv%i',
    async (family) => {
      const to = async (name: string) =>
        net.setServices({
          's/a//4': service({
            frontends: [{ address: vip(family), port: 80 }],
            backends: [{ address: address(name, family), port: 8080 }],
          }),
        });
      await to('p21');
      await restrict(1, { p11: { egress: { p21: { tcp: [[8080, 8080, 'allow']], rest: 'deny' } } } });
      expect(await net.tcp('p11', vip(family), 80)).toContain('p21');
      await restrict(1, { p11: { egress: { p21: { tcp: [[80, 80, 'allow']], rest: 'deny' } } } });
      expect(await net.tcp('p11', vip(family), 80)).toBe('silence');
      await to('p11');
      for (const [itself, answer] of [
        ['allow', 'p11'],
        ['deny', 'silence'],
      ] as const) {
        await restrict(1, { p11: { egress: { itself }, ingress: { itself: 'allow' } } });
        expect(await net.tcp('p11', vip(family), 80)).toContain(answer);
        await restrict(1, { p11: { egress: { itself: 'allow' }, ingress: { itself } } });
        expect(await net.tcp('p11', vip(family), 80)).toContain(answer);
      }
      await net.setServices({});
    },
  );

  it.each(families)(
    'judges a pod at its own node and at others, but never a node at its own pod, IPv%i',
    async (family) => {
      await restrict(1, { p11: { egress: {}, ingress: {} } });
      expect(await net.tcp('p11', node(1, family), 8080)).toBe('silence');
      expect(await net.tcp('p11', node(2, family), 8080)).toBe('silence');
      expect(await net.tcp('n1', address('p11', family), 8080)).toContain('p11');
      expect(await ping('n1', address('p11', family))).toBe(true);
      expect(await net.tcp('n2', address('p11', family), 8080)).toBe('silence');
      await restrict(1, { p11: { egress: { n1: 'allow' }, ingress: { n2: 'allow' } } });
      expect(await net.tcp('p11', node(1, family), 8080)).toContain('n1');
      expect(await net.tcp('p11', node(2, family), 8080)).toBe('silence');
      expect(await net.tcp('n2', address('p11', family), 8080)).toContain('p11');
    },
  );

  it('lets through and tells of what a policy in audit mode would drop', async () => {
    await restrict(1, {
      p11: { egress: { p21: { tcp: [[8080, 8080, 'audit']], rest: 'allow' }, q21: 'audit', other: 'deny' } },
    });
    const file = '/tmp/audit.pcap';
    const group = nflogGroups.policyAudit.value;
    net.box.spawn(['tcpdump', '-i', `nflog:${group}`, '-U', '-w', file, '-Z', 'root'], { netns: 'n1' });
    const told = async (what: string) =>
      Number(await net.sh('n1', `tcpdump -nr ${file} 2>/dev/null | grep -c '${what}' || true`));
    await eventually(async () => {
      expect(await net.tcp('p11', address('p21', 4), 8080)).toContain('p21');
      expect(await told(`IP ${address('p11', 4)}.* > ${address('p21', 4)}.8080`)).toBeGreaterThan(0);
    });
    expect(await net.udp('p11', address('p21', 4), 8080)).toContain('p21');
    expect(await net.tcp('p11', address('p12', 4), 8080)).toBe('silence');
    expect(await ping('p11', address('q21', 6))).toBe(true);
    await eventually(async () => expect(await told('ICMP6')).toBe(1));
    expect(await told('UDP')).toBe(0);
    expect(await told(address('p12', 4))).toBe(0);
    expect(Number(await net.sh('n1', `grep -ac 'netloom audit egress class 1 ' ${file}`))).toBeGreaterThan(0);
  });

  it('holds a pod closed whose subject is of another pod of its name', async () => {
    const origin = { kind: 'Pod', namespace: 'test', name: 'p11' };
    await net.put(1, { policySubjects: { 'test/p11': { origin, uid: 'another' } } });
    expect(await net.tcp('p11', address('p12', 4), 8080)).toBe('silence');
    expect(await net.tcp('p12', address('p11', 6), 8080)).toBe('silence');
    await net.put(1, {}, { policySubjects: ['test/p11'] });
    expect(await net.tcp('p11', address('p12', 4), 8080)).toContain('p12');
  });

  it('judges what belongs to no connection, in both directions', async () => {
    const broken = (from: string, to: string) => {
      const packet = udpPacket({ from: address(from, 4), to: address(to, 4) });
      // A wrong checksum: connection tracking calls it invalid.
      packet[26]! ^= 0xff;
      return packet;
    };
    await restrict(1, { p11: { egress: { p12: 'deny', q11: 'allow' }, ingress: { q11: 'allow' } } });
    const before = await net.counter(1, 'droppedPolicy');
    await net.inject('p11', 'eth0', broken('p11', 'p12'));
    await net.inject('p12', 'eth0', broken('p12', 'p11'));
    await eventually(async () => expect(await net.counter(1, 'droppedPolicy')).toBe(before + 2));
    await net.inject('p11', 'eth0', broken('p11', 'q11'));
    await net.inject('q11', 'eth0', broken('q11', 'p11'));
    expect(await net.counter(1, 'droppedPolicy')).toBe(before + 2);
  });

  it('leaves no trace on a packet', async () => {
    await net.sh(
      'n1',
      `nft add counter inet probe marked; nft add chain inet probe leaving '{ type filter hook postrouting priority 300; }'
       nft add rule inet probe leaving 'meta priority != none counter name marked'; nft add rule inet probe leaving 'meta mark != 0 counter name marked'`,
    );
    await restrict(1, { p11: { egress: { p21: 'allow' }, ingress: { p12: 'audit' } } });
    expect(await net.tcp('p11', address('p21', 4), 8080)).toContain('p21');
    expect(await net.tcp('p12', address('p11', 6), 8080)).toContain('p11');
    expect(await net.sh('n1', 'nft list counter inet probe marked')).toContain('packets 0 ');
    await net.sh('n1', 'nft delete chain inet probe leaving');
  });
});
