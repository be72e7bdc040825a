/** Real packets from outside, from pods and from nodes to Services that are published: node ports, balancer and external addresses. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Place, ServiceIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox } from '#lab/sandbox.ts';
import { sctpInit } from './packet.ts';
import { openTestnet, pods, service, type Testnet } from './testnet.ts';

let net: Testnet;
beforeAll(async () => {
  net = await openTestnet(await openSandbox());
  // A balancer's address is routed to the first node.
  await net.sh(
    'r',
    'ip route add 203.0.113.7/32 via 192.168.66.11; ip route add 2001:db8::7/128 via fd66::11',
  );
}, 120_000);
afterAll(async () => {
  await net?.close();
});

type Family = 4 | 6;
const families = [[4], [6]] as const;
const nodePort = 30_080;
const of = (name: string, family: Family) => {
  const pod = pods.find((each) => each.name === name)!;
  return family === 4 ? pod.address4 : pod.address6;
};
const underlay = (host: number, family: Family) => (family === 4 ? `192.168.66.${host}` : `fd66::${host}`);
const tunnel = (node: 1 | 2, family: Family) => (family === 4 ? `10.244.${node}.1` : `fd10:244:0:${node}::1`);
const vip = (family: Family) => (family === 4 ? '203.0.113.7' : '2001:db8::7');
const at = (name: string, family: Family): Place =>
  name === 'n1' || name === 'n2'
    ? { address: underlay(name === 'n1' ? 11 : 12, family), port: 8080 }
    : { address: of(name, family), port: 8080 };
const places = (names: readonly string[], family: Family) => names.map((name) => at(name, family));
const outside = (family: Family, host = 200) =>
  `,bind=${family === 6 ? `[${underlay(host, 6)}]` : underlay(host, 4)}`;

/** A node port: at each node's own address, with the backends that are local to it. */
async function publish(
  family: Family,
  names: readonly string[],
  options: { readonly local?: boolean } & Partial<ServiceIntent> = {},
): Promise<void> {
  const { local = false, ...part } = options;
  await net.setServices((node) => ({
    'd/web//4/nodePort': service({
      frontends: [{ address: underlay(10 + node, family), port: nodePort }],
      backends: places(names, family),
      published: local
        ? {
            localBackends: places(
              names.filter((name) => nodeOf(name) === node),
              family,
            ),
          }
        : {},
      ...part,
    }),
  }));
}

/** A balancer's address: the same one on both nodes. */
async function balance(
  family: Family,
  names: readonly string[],
  options: { readonly local?: boolean; readonly sources?: readonly string[] } & Partial<ServiceIntent> = {},
): Promise<void> {
  const { local = false, sources, ...part } = options;
  await net.setServices((node) => ({
    'd/web//4/loadBalancer': service({
      frontends: [{ address: vip(family), port: 80 }],
      backends: places(names, family),
      published: {
        ...(local
          ? {
              localBackends: places(
                names.filter((name) => nodeOf(name) === node),
                family,
              ),
            }
          : {}),
        ...(sources === undefined ? {} : { sources }),
      },
      ...part,
    }),
  }));
}

function nodeOf(name: string): number {
  return pods.find((each) => each.name === name)?.node ?? (name === 'n1' ? 1 : 2);
}

describe('a node port', () => {
  it.each(families)(
    'is reached from outside; backends anywhere see an address of the node, IPv%i',
    async (family) => {
      const seen: readonly (readonly [string, string])[] = [
        ['p12', underlay(11, family)],
        ['q11', underlay(11, family)],
        ['p21', tunnel(1, family)],
        ['q21', underlay(11, family)],
        ['n2', underlay(11, family)],
        // Nothing is sent on, so there is no need to hide the client.
        ['n1', underlay(200, family)],
      ];
      for (const [name, client] of seen) {
        await publish(family, [name]);
        const to = underlay(11, family);
        expect(await net.tcp('r', to, nodePort, outside(family)), name).toBe(answer(name, client));
      }
      await publish(family, ['p21'], { protocol: 'udp' });
      expect(await net.udp('r', underlay(11, family), nodePort, outside(family))).toBe(
        answer('p21', tunnel(1, family)),
      );
    },
    30_000,
  );

  it.each(families)(
    'is reached from pods and nodes, at their own node and at the other one, IPv%i',
    async (family) => {
      for (const name of ['p12', 'p21', 'q21', 'n2', 'p11']) {
        await publish(family, [name]);
        for (const where of ['p11', 'q11', 'm11', 'p21', 'n1', 'n2']) {
          for (const host of [11, 12]) {
            expect(
              await net.tcp(where, underlay(host, family), nodePort),
              `${where} ${host} ${name}`,
            ).toContain(`${name} `);
          }
        }
      }
    },
    120_000,
  );

  it.each(families)('shows a pod of its node the address of the client pod, IPv%i', async (family) => {
    await publish(family, ['p12']);
    expect(await net.tcp('p11', underlay(11, family), nodePort)).toBe(answer('p12', of('p11', family)));
    await publish(family, ['p21']);
    expect(await net.tcp('p11', underlay(11, family), nodePort)).toBe(answer('p21', of('p11', family)));
    expect(await net.tcp('p21', underlay(11, family), nodePort)).toBe(answer('p21', tunnel(1, family)));
  });

  it.each(families)('takes nothing of the node but its port, and no loopback, IPv%i', async (family) => {
    await publish(family, ['p12']);
    expect(await net.tcp('r', underlay(11, family), 8080, outside(family))).toContain('n1');
    expect(await net.tcp('r', underlay(11, family), 4444, outside(family))).toBe('refused');
    expect(await net.tcp('n1', family === 4 ? '127.0.0.1' : '::1', nodePort)).not.toContain('p12');
    await publish(family, []);
    for (const where of ['r', 'p11', 'n1', 'n2']) {
      const options = where === 'r' ? outside(family) : '';
      expect(await net.tcp(where, underlay(11, family), nodePort, options), where).toBe('refused');
    }
  });

  it.each(families)('carries SCTP, IPv%i', async (family) => {
    await publish(family, ['p12'], { protocol: 'sctp' });
    const count = async () => {
      const text = await net.sh('p12', 'nft -j list counter inet probe inits');
      return Number(/"packets": (\d+)/.exec(text)?.[1]);
    };
    await net.sh(
      'p12',
      `nft add counter inet probe inits; nft reset counter inet probe inits >/dev/null; nft flush chain inet probe input
       nft add rule inet probe input sctp dport 8080 counter name inits`,
    );
    const to = underlay(11, family);
    const mac = /ether (\S+)/.exec(await net.sh('n1', 'ip link show eth0'))![1]!;
    await net.inject('r', 'br0', sctpInit({ from: underlay(200, family), to, port: nodePort + 1 }), mac);
    await net.inject('r', 'br0', sctpInit({ from: underlay(200, family), to, port: nodePort }), mac);
    await eventually(async () => expect(await count()).toBe(1));
  });

  it.each(families)('binds clients from everywhere with affinity, IPv%i', async (family) => {
    await publish(family, ['p12', 'q11', 'p21'], { affinitySeconds: 300 });
    for (const where of ['r', 'p11', 'n1']) {
      const options = where === 'r' ? outside(family) : '';
      const ask = async () => (await net.tcp(where, underlay(11, family), nodePort, options)).split(' ')[0];
      const first = await ask();
      for (let i = 0; i < 5; i++) expect(await ask(), where).toBe(first);
    }
  });
});

describe('externalTrafficPolicy Local', () => {
  it.each(families)(
    'keeps the client and the node, and drops where there is no endpoint, IPv%i',
    async (family) => {
      await publish(family, ['p21', 'q21'], { local: true });
      const ask = (host: number) => net.tcp('r', underlay(host, family), nodePort, outside(family));
      const names = new Set<string>();
      for (let i = 0; i < 12; i++) {
        const [name = '', client] = (await ask(12)).split(' ');
        names.add(name);
        expect(client).toBe(answer('', underlay(200, family)).trim());
      }
      expect([...names].sort()).toEqual(['p21', 'q21']);
      expect(await ask(11)).toBe('silence');
      await publish(family, [], { local: true });
      expect(await ask(11)).toBe('refused');
    },
  );

  it.each(families)('is Cluster for the pods of a node and for the node itself, IPv%i', async (family) => {
    await balance(family, ['p21'], { local: true });
    expect(await net.tcp('r', vip(family), 80, outside(family))).toBe('silence');
    expect(await net.tcp('p11', vip(family), 80)).toBe(answer('p21', of('p11', family)));
    expect(await net.tcp('q11', vip(family), 80)).toContain('p21');
    expect(await net.tcp('n1', vip(family), 80)).toContain('p21');
    await balance(family, ['p12'], { local: true });
    expect(await net.tcp('r', vip(family), 80, outside(family))).toBe(answer('p12', underlay(200, family)));
    expect(await net.tcp('p21', vip(family), 80)).toContain('p12');
  });

  it.each(families)('works from a node that has the address on its loopback, IPv%i', async (family) => {
    const own = family === 4 ? `${vip(4)}/32` : `${vip(6)}/128`;
    await net.sh('n1', `ip addr add ${own} dev lo`);
    try {
      for (const local of [true, false]) {
        for (const name of ['p21', 'q21', 'n2']) {
          await balance(family, [name], { local });
          expect(await net.tcp('n1', vip(family), 80), `${name} ${local}`).toContain(`${name} `);
        }
      }
      await balance(family, ['p12'], { local: true });
      expect(await net.tcp('r', vip(family), 80, outside(family))).toBe(answer('p12', underlay(200, family)));
    } finally {
      await net.sh('n1', `ip addr del ${own} dev lo`);
    }
  });

  it.each(families)('binds a client to an endpoint of the node, IPv%i', async (family) => {
    await balance(family, ['p11', 'p12', 'q11', 'p21'], { local: true, affinitySeconds: 300 });
    const ask = async (where: string, options = '') =>
      (await net.tcp(where, vip(family), 80, options)).split(' ')[0]!;
    const first = await ask('r', outside(family));
    expect(['p11', 'p12', 'q11']).toContain(first);
    for (let i = 0; i < 5; i++) expect(await ask('r', outside(family))).toBe(first);
    const own = await ask('m11');
    for (let i = 0; i < 5; i++) expect(await ask('m11')).toBe(own);
    await balance(
      family,
      ['p11', 'p12', 'q11', 'p21'].filter((name) => name !== first),
      {
        local: true,
        affinitySeconds: 300,
      },
    );
    expect(await ask('r', outside(family))).not.toBe(first);
  });
});

describe('a balancer address', () => {
  it.each(families)('is served from outside, from pods and from nodes, IPv%i', async (family) => {
    await balance(family, ['p12', 'p21']);
    expect(await net.tcp('r', vip(family), 80, outside(family))).toMatch(/^p(12|21) /);
    for (const where of ['p11', 'p21', 'q11', 'n1', 'n2']) {
      expect(await net.tcp(where, vip(family), 80), where).toMatch(/^p(12|21) /);
    }
    expect(await net.udp('r', vip(family), 80, outside(family))).not.toContain('p');
  });

  it.each(families)(
    'lets in its source ranges only, before anything is translated, IPv%i',
    async (family) => {
      const one = (host: number) => `${underlay(host, family)}/${family === 4 ? 32 : 128}`;
      const pod = family === 4 ? '10.244.1.0/24' : 'fd10:244:0:1::/64';
      const both = { protocol: 'tcp' as const };
      await balance(family, ['p12', 'p21'], { ...both, sources: [one(200), pod] });
      const before = await net.counter(1, 'droppedSourceRange');
      expect(await net.tcp('r', vip(family), 80, outside(family))).toMatch(/^p/);
      expect(await net.tcp('r', vip(family), 80, outside(family, 201))).toBe('silence');
      expect(await net.counter(1, 'droppedSourceRange')).toBeGreaterThan(before);
      expect(await net.tcp('p11', vip(family), 80)).toMatch(/^p/);
      expect(await net.tcp('q11', vip(family), 80)).toBe('silence');
      expect(await net.tcp('n1', vip(family), 80)).toBe('silence');
      await balance(family, ['p12'], { sources: [one(201), one(11)] });
      expect(await net.tcp('r', vip(family), 80, outside(family, 201))).toMatch(/^p/);
      expect(await net.tcp('r', vip(family), 80, outside(family))).toBe('silence');
      expect(await net.tcp('n1', vip(family), 80)).toMatch(/^p/);
      await balance(family, ['p12'], { sources: ['0.0.0.0/0', '::/0'], local: true });
      expect(await net.tcp('r', vip(family), 80, outside(family))).toBe(answer('p12', underlay(200, family)));
      await balance(family, ['p12'], { sources: [] });
      expect(await net.tcp('r', vip(family), 80, outside(family))).toBe('silence');
    },
  );

  it('moves UDP clients away when a backend or the address goes, and leaves the others', async () => {
    const udp = { protocol: 'udp' as const };
    const from = `${outside(4)}:5001,reuseaddr`;
    // The kernel is looked through behind the change.
    const isAnswered = (to: string, port: number, by: string) =>
      eventually(async () => expect(await net.udp('r', to, port, from)).toContain(by));
    await balance(4, ['p12'], udp);
    await isAnswered(vip(4), 80, 'p12');
    await balance(4, ['p21'], udp);
    await isAnswered(vip(4), 80, 'p21');
    await net.setServices({});
    await eventually(async () =>
      expect(await net.sh('n1', 'conntrack -L -p udp --orig-dst 203.0.113.7 2>/dev/null')).toBe(''),
    );
    await balance(4, ['p12'], udp);
    await isAnswered(vip(4), 80, 'p12');
    // A node port too: what was never translated must not stay so.
    await publish(4, ['p12'], udp);
    await isAnswered(underlay(11, 4), nodePort, 'p12');
    await publish(4, ['p21'], udp);
    await isAnswered(underlay(11, 4), nodePort, 'p21');
  });

  it('keeps an open connection when its Service goes', async () => {
    net.box.spawn(['socat', 'TCP4-LISTEN:7001,reuseaddr', 'EXEC:cat'], { netns: 'p21' });
    await balance(4, [], { backends: [{ address: of('p21', 4), port: 7001 }] });
    await net.sh('r', 'rm -f /tmp/pubgo /tmp/pubkept');
    const script = `(echo one; while [ ! -e /tmp/pubgo ]; do :; done; echo two) | socat -t2 - TCP4:${vip(4)}:80${outside(4)} > /tmp/pubkept`;
    net.box.spawn(['sh', '-c', script], { netns: 'r' });
    await eventually(async () => expect(await net.sh('r', 'cat /tmp/pubkept')).toContain('one'));
    await net.setServices({});
    await net.sh('r', 'touch /tmp/pubgo');
    await eventually(async () => expect(await net.sh('r', 'cat /tmp/pubkept')).toContain('two'));
  });
});

describe('internalTrafficPolicy Local', () => {
  it.each(families)(
    'drops where the node has no endpoint, and refuses where nobody has, IPv%i',
    async (family) => {
      const address = family === 4 ? '10.96.0.10' : 'fd10:96::10';
      const frontends = [{ address, port: 80 }];
      await net.setServices({ 'd/a//4': service({ frontends, unserved: 'dropped' }) });
      expect(await net.tcp('p11', address, 80)).toBe('silence');
      expect(await net.tcp('p11', address, 81)).toBe('refused');
      await net.setServices({ 'd/a//4': service({ frontends }) });
      expect(await net.tcp('p11', address, 80)).toBe('refused');
    },
  );
});

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
