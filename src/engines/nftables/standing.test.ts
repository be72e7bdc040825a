/** Connections that stand when policy changes, with real packets: cut, given back, or left alone. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { openSandbox } from '#lab/sandbox.ts';
import { openTestnet, pods, service, type Testnet } from './testnet.ts';
import { addressesOf, type Restricted, restricter } from './testnet-policy.ts';

let net: Testnet;
let restrict: (node: 1 | 2, restricted: Restricted) => Promise<void>;
beforeAll(async () => {
  net = await openTestnet(await openSandbox());
  restrict = restricter(net);
  const policyAddresses = addressesOf([...pods.map((each) => each.name), 'n1', 'n2']);
  for (const node of [1, 2] as const) await net.put(node, { policyAddresses });
  // Says back what it hears, for as long as it is asked.
  for (const where of ['p11', 'p12', 'p21', 'q21', 'n1']) {
    for (const family of [4, 6]) {
      const only = family === 6 ? ',ipv6only=1' : '';
      for (const kind of ['TCP', 'UDP']) {
        const listen = `${kind}${family}-LISTEN:7000,fork,reuseaddr${only}`;
        net.box.spawn(['socat', '-lf', '/dev/null', listen, 'EXEC:cat'], { netns: where });
      }
    }
    await eventually(async () =>
      expect((await net.sh(where, 'ss -Hltnu sport = 7000 | wc -l')).trim()).toBe('4'),
    );
  }
  // What others keep in connection marks.
  await net.sh(
    'n1',
    `nft add table inet marks; nft add chain inet marks first '{ type filter hook prerouting priority -140; }'
     nft add rule inet marks first ct state new ct mark set 0x4201`,
  );
}, 120_000);
afterAll(async () => {
  await net?.close();
});
afterEach(async () => {
  for (const node of [1, 2] as const) await restrict(node, {});
  await net.sh('n1', 'touch /tmp/end; conntrack -F 2>/dev/null');
});

const families = [[4], [6]] as const;
const foreignMark = 0x4201;
const cutMark = foreignMark | 0x80_0000;
const pod = (name: string) => pods.find((each) => each.name === name)!;
const address = (name: string, family: 4 | 6) => (family === 4 ? pod(name).address4 : pod(name).address6);

let streams = 0;
type Stream = { readonly lines: () => Promise<number>; readonly marks: () => Promise<readonly number[]> };

/** Says something 50 times a second and counts what comes back. */
async function stream(from: string, kind: 'TCP' | 'UDP', to: string): Promise<Stream> {
  const file = `/tmp/stream${++streams}`;
  // One of its own: what is left of earlier streams between the same two isn't taken for it.
  const port = 20_000 + streams;
  const family = to.includes(':') ? 6 : 4;
  const target = family === 6 ? `[${to}]` : to;
  const script = `rm -f /tmp/end; (while [ ! -e /tmp/end ]; do echo x; sleep 0.02; done) | socat -t0.1 - ${kind}${family}:${target}:7000,sourceport=${port} > ${file}`;
  net.box.spawn(['sh', '-c', script], { netns: from });
  const lines = async () => Number(await net.sh(from, `cat ${file} 2>/dev/null | wc -l`));
  await eventually(async () => expect(await lines()).toBeGreaterThan(2));
  return {
    lines,
    async marks() {
      const protocol = kind.toLowerCase();
      const text = await net.sh(
        'n1',
        `conntrack -L -f ipv${family} -p ${protocol} --sport ${port} --dport 7000 2>/dev/null || true`,
      );
      return text
        .split('\n')
        .filter((line) => line.includes(`dst=${to} `))
        .map((line) => Number(/mark=(\d+)/.exec(line)?.[1]));
    },
  };
}

/** Nothing comes back while something else that is forbidden is waited for. */
async function expectCut(cut: Stream): Promise<void> {
  await eventually(async () => expect(await cut.marks()).toEqual([cutMark]));
  const before = await cut.lines();
  expect(await net.tcp('p11', address('q11', 4), 8080)).toBe('silence');
  expect(await cut.lines()).toBe(before);
}

async function expectGoesOn(on: Stream): Promise<void> {
  const before = await on.lines();
  await eventually(async () => expect(await on.lines()).toBeGreaterThan(before + 2));
}

describe('a connection that stands', () => {
  it.each(families)(
    'is cut when it is forbidden, and goes on when it is allowed again, IPv%i',
    async (family) => {
      const tcp = await stream('p11', 'TCP', address('p21', family));
      const udp = await stream('p11', 'UDP', address('p21', family));
      const allowed = await stream('p11', 'TCP', address('q21', family));
      const incoming = await stream('p12', 'TCP', address('p11', family));
      const dropped = await net.counter(1, 'droppedPolicy');
      await restrict(1, { p11: { egress: { p21: 'deny', q21: 'allow' } } });
      await expectCut(tcp);
      await expectCut(udp);
      for (const each of [allowed, incoming]) {
        await expectGoesOn(each);
        expect(await each.marks()).toEqual([foreignMark]);
      }
      // Never a packet of it was lost.
      const to = family === 4 ? address('q21', 4) : `[${address('q21', 6)}]`;
      expect(await net.sh('p11', `ss -tinH dst ${to}`)).not.toContain('retrans:');
      expect(await net.counter(1, 'droppedPolicy')).toBeGreaterThan(dropped);
      await restrict(1, {
        p11: { egress: { p21: { tcp: [[7000, 7000, 'allow']], rest: 'deny' }, q21: 'allow' } },
      });
      await eventually(async () => expect(await tcp.marks()).toEqual([foreignMark]));
      await expectGoesOn(tcp);
      await expectCut(udp);
      await restrict(1, {});
      await eventually(async () => expect(await udp.marks()).toEqual([foreignMark]));
      await expectGoesOn(udp);
    },
  );

  it.each(families)(
    'is cut at the side that is reached, but never when its own node opened it, IPv%i',
    async (family) => {
      const remote = await stream('p21', 'TCP', address('p11', family));
      const local = await stream('p12', 'TCP', address('p11', family));
      const ofNode = await stream('n1', 'TCP', address('p11', family));
      const toNode = await stream('p11', 'TCP', family === 4 ? '192.168.66.11' : 'fd66::11');
      await restrict(1, { p11: { ingress: {}, egress: {} } });
      await eventually(async () => {
        expect(await remote.marks()).toEqual([cutMark]);
        expect(await local.marks()).toEqual([cutMark]);
        expect(await toNode.marks()).toEqual([cutMark]);
      });
      const before = [await remote.lines(), await local.lines(), await toNode.lines()];
      await expectGoesOn(ofNode);
      expect([await remote.lines(), await local.lines(), await toNode.lines()]).toEqual(before);
      await restrict(1, { p11: { ingress: { p12: 'allow' }, egress: { n1: 'allow' } } });
      await expectGoesOn(local);
      await expectGoesOn(toNode);
      expect(await remote.marks()).toEqual([cutMark]);
    },
  );

  it('is judged by where it was translated to', async () => {
    await net.setServices({
      's/a//4': service({
        frontends: [{ address: '10.96.0.10', port: 7000 }],
        backends: [{ address: address('p21', 4), port: 7000 }],
      }),
    });
    const by = await stream('p11', 'TCP', '10.96.0.10');
    await restrict(1, { p11: { egress: { p21: { tcp: [[7000, 7000, 'allow']], rest: 'deny' } } } });
    await expectGoesOn(by);
    await restrict(1, { p11: { egress: { p21: { tcp: [[7000, 7000, 'deny']], rest: 'allow' } } } });
    await expectCut(by);
    await net.setServices({});
  });

  it('is cut when its peer turns into somebody else, or into nobody', async () => {
    const udp = await stream('p11', 'UDP', address('p21', 4));
    await restrict(1, { p11: { egress: { p21: 'allow', unknownPod: 'deny' } } });
    await expectGoesOn(udp);
    await net.put(1, {}, { policyAddresses: ['pod test/p21'] });
    await expectCut(udp);
    await net.put(1, { policyAddresses: addressesOf(['p21']) });
    await expectGoesOn(udp);
    const identities = { [address('p21', 4)]: 99 };
    await net.put(1, { policyAddresses: { 'pod test/p21': { identities } } });
    await expectCut(udp);
    await net.put(1, { policyAddresses: addressesOf(['p21']) });
  });

  it('does not come back by what the other side says next', async () => {
    await net.sh('p21', 'rm -f /tmp/go /tmp/heard');
    const late = 'SYSTEM:while [ ! -e /tmp/go ]; do sleep 0.05; done; echo late; sleep 5';
    net.box.spawn(['socat', 'TCP4-LISTEN:7002', late], { netns: 'p21' });
    await eventually(async () => expect(await net.sh('p21', 'ss -Hltn sport = 7002')).not.toBe(''));
    const hear = `sleep 30 | socat - TCP4:${address('p21', 4)}:7002 > /tmp/heard`;
    net.box.spawn(['sh', '-c', hear], { netns: 'p11' });
    await eventually(async () =>
      expect(await net.sh('p11', 'ss -Htn state established dport = 7002')).not.toBe(''),
    );
    await restrict(1, { p11: { egress: { p21: 'deny' } } });
    const entry = 'conntrack -L -p tcp --dport 7002 2>/dev/null';
    await eventually(async () => expect(await net.sh('n1', entry)).toContain(`mark=${cutMark}`));
    const before = await net.counter(1, 'droppedPolicy');
    await net.sh('p21', 'touch /tmp/go');
    await eventually(async () => expect(await net.counter(1, 'droppedPolicy')).toBeGreaterThan(before));
    expect(await net.sh('p11', 'cat /tmp/heard')).toBe('');
  });

  it('stays cut when its own side speaks after the entries were flushed', async () => {
    const tcp = await stream('p11', 'TCP', address('p21', 4));
    await restrict(1, { p11: { egress: { p21: 'deny' } }, p12: { ingress: {} } });
    await expectCut(tcp);
    // The other side is silent meanwhile: what it says would be a connection of its own.
    await net.sh(
      'p21',
      `nft add chain inet probe mute '{ type filter hook output priority 0; }'; nft add rule inet probe mute tcp sport 7000 drop`,
    );
    await net.sh('n1', 'conntrack -F 2>/dev/null');
    const before = await net.counter(1, 'droppedPolicy');
    await eventually(async () => expect(await net.counter(1, 'droppedPolicy')).toBeGreaterThan(before));
    expect(await tcp.marks()).toEqual([]);
    await net.sh('p21', 'nft delete chain inet probe mute');
  });
});
