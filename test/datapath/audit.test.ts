/** Policy in audit mode: what it would drop passes and is told of, with the pod, the peer, and the policy and rule that decided. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WouldDrop } from '#intent/handover.ts';
import type { NodeIntent } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import type { PolicyRowIntent } from '#intent/policy.ts';
import { eventually } from '#lab/eventually.ts';
import { openTestNode, type TestNode } from './node.ts';

let node: TestNode;
const addresses: Record<string, readonly string[]> = {};
beforeAll(async () => {
  node = await openTestNode();
  await node.start();
  for (const name of ['client', 'web']) addresses[name] = await node.addPod(name);
  const answer = 'SYSTEM:echo hello';
  for (const family of [4, 6])
    for (const protocol of ['TCP', 'UDP'])
      node.box.spawn(
        [
          'socat',
          `${protocol}${family}-LISTEN:8080,fork,reuseaddr${family === 6 ? ',ipv6only' : ''}`,
          answer,
        ],
        { netns: 'web' },
      );
});
afterAll(() => node.close());

const isolates: Origin = { kind: 'NetworkPolicy', namespace: 'default', name: 'deny-all' };
const denies: Origin = { kind: 'ClusterNetworkPolicy', name: 'no-web', rule: 'spec.egress[0] (web)' };
const rows = (verdict: PolicyRowIntent['verdict'], origin?: Origin): { rows: PolicyRowIntent[] } => ({
  rows: (['tcp', 'udp', 'sctp', 'other'] as const).map((protocol) => ({
    protocol,
    first: 0,
    last: 65_535,
    verdict,
    ...(origin === undefined ? {} : { origin }),
  })),
});
/** Class 1: what `web` takes; class 2: what `client` opens. */
function policy(
  ingress: PolicyRowIntent['verdict'],
  egress: PolicyRowIntent['verdict'],
): Partial<NodeIntent> {
  const subject = (name: string, classes: { ingress?: number; egress?: number }) => ({
    [`default/${name}`]: {
      origin: { kind: 'Pod', namespace: 'default', name },
      uid: `uid-${name}`,
      ...classes,
    },
  });
  const entry = (name: string, identity: number) => ({
    [`pod default/${name}`]: {
      identities: Object.fromEntries(addresses[name]!.map((address) => [address, identity])),
    },
  });
  return {
    policySubjects: { ...subject('web', { ingress: 1 }), ...subject('client', { egress: 2 }) },
    policyDecisions: {
      '1/0': rows(ingress, isolates),
      '2/0': rows('allow'),
      '2/17': rows(egress, denies),
    },
    policyAddresses: { ...entry('client', 16), ...entry('web', 17) },
  };
}

const address = (name: string, family: 4 | 6) =>
  addresses[name]!.find((each) => each.includes(':') === (family === 6))!;
const bracketed = (text: string) => (text.includes(':') ? `[${text}]` : text);
const ask = async (protocol: 'TCP' | 'UDP', from: string, to: string) => {
  const target = `${protocol}:${bracketed(to)}:8080${protocol === 'TCP' ? ',connect-timeout=1' : ''}`;
  return (
    await node.box.exec(['timeout', '3', 'socat', '-t1', '-T1', '-', target], { netns: from, input: 'x\n' })
  ).stdout;
};
const recent = (): Promise<WouldDrop[]> => node.audited();
const joined = async () => (await node.run(['cat', '/proc/net/netfilter/nfnetlink_log'])).includes('28268');

test('the group is listened to only while a policy is in audit mode', async () => {
  await node.intend(policy('allow', 'deny'));
  expect(await joined()).toBe(false);
  expect(await ask('TCP', 'client', address('web', 4))).toBe('');
  await node.intend(policy('audit', 'allow'));
  expect(await joined()).toBe(true);
  await node.intend(policy('allow', 'allow'));
  expect(await joined()).toBe(false);
  await node.intend(policy('audit', 'allow'));
  expect(await joined()).toBe(true);
  expect(await recent()).toEqual([]);
});

test('while another program listens to the group it is said so, and tried again', async () => {
  await node.intend(policy('allow', 'allow'));
  expect(await joined()).toBe(false);
  node.box.spawn(['timeout', '3', 'tcpdump', '-i', 'nflog:28268', '-w', '/dev/null', '-Z', 'root']);
  await eventually(async () => expect(await joined()).toBe(true));
  const problem = {
    engine: 'datapath',
    entry: 'audit',
    reason: expect.stringContaining('NFLOG group 28268'),
  };
  await node.intend(policy('audit', 'allow'));
  expect(await node.problems()).toEqual([problem]);
  expect(node.log()).toContain("can't read what policies in audit mode would drop");
  await eventually(async () => expect(await node.problems()).toEqual([]), 20_000);
  expect(await joined()).toBe(true);
});

test.each([4, 6] as const)(
  'what would be dropped passes, and is told of at both ends, IPv%i',
  async (family) => {
    await node.intend(policy('audit', 'audit'));
    // A server that forks may lose a packet; what policy drops it drops every time.
    for (const protocol of ['TCP', 'UDP'] as const)
      await eventually(async () =>
        expect(await ask(protocol, 'client', address('web', family))).toBe('hello\n'),
      );
    const { code } = await node.box.exec(['ping', '-c1', '-W1', address('web', family)], { netns: 'client' });
    expect(code).toBe(0);
    const client = { address: address('client', family), name: 'default/client' };
    const web = { address: address('web', family), name: 'default/web' };
    const at = expect.stringMatching(/^20.*Z$/);
    const times = expect.any(Number);
    await eventually(async () => {
      const told = await recent();
      for (const [protocol, place] of [
        ['tcp', { port: 8080 }],
        ['udp', { port: 8080 }],
        [family === 4 ? 'icmp' : 'icmpv6', {}],
      ] as const) {
        const ends = { protocol, ...place, at, times };
        expect(told).toContainEqual({ direction: 'egress', pod: client, peer: web, policy: denies, ...ends });
        expect(told).toContainEqual({
          direction: 'ingress',
          pod: web,
          peer: client,
          policy: isolates,
          ...ends,
        });
      }
    });
    // The first of a policy, pod and peer is a line, whatever protocol comes after it.
    await eventually(() => {
      const lines = node.log().split('\n');
      const about = lines.filter(
        (line) => line.includes(`pod="${web.address}"`) || line.includes(`pod=${web.address}`),
      );
      expect(about).toHaveLength(1);
      expect(about[0]).toContain(
        'would drop tcp default/client → default/web:8080: NetworkPolicy default/deny-all spec.podSelector (audit)',
      );
    });
    expect(node.log()).toContain('ClusterNetworkPolicy no-web spec.egress[0] (web) (audit)');
  },
);

test('the status has one of each policy, for the agent, and metrics count', async () => {
  const { wouldDrop = [] } = await node.client.status();
  expect(new Set(wouldDrop.map(({ policy }) => policy?.name))).toEqual(new Set(['deny-all', 'no-web']));
  expect(wouldDrop).toHaveLength(2);
  const metrics = await node.run(['curl', '-s', 'http://127.0.0.1:9471/metrics']);
  expect(metrics).toMatch(
    /netloom_datapath_policy_audited_total\{policy="NetworkPolicy default\/deny-all",direction="ingress"\} [1-9]/,
  );
  expect(metrics).toContain('netloom_datapath_policy_audit_lost_total 0');
});

test('a flood costs a bounded number of records and lines', async () => {
  const before = node.log();
  const count = async () => (await recent()).reduce((sum, { times }) => sum + times, 0);
  const seen = await count();
  // Nobody answers, so every packet is of a new connection; 10,000 a second.
  const flood = `
    const socket = require('node:dgram').createSocket('udp4');
    const started = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const elapsed = performance.now() - started;
      for (; sent < elapsed * 10; sent++) socket.send('x', 9, '${address('web', 4)}');
      if (elapsed > 4000) { clearInterval(timer); socket.close(); console.log(sent); }
    }, 5);`;
  const output = await node.box.exec(['node', '-e', flood], { netns: 'client' });
  expect(Number(output.stdout)).toBeGreaterThan(30_000);
  await eventually(async () => expect((await recent()).some(({ port }) => port === 9)).toBe(true));
  // Two classes, 5 a second and 5 at once each.
  const records = (await count()) - seen;
  expect(records).toBeGreaterThan(20);
  expect(records).toBeLessThan(70);
  const lines = node
    .log()
    .slice(before.length)
    .split('\n')
    .filter((line) => line.includes('would drop'));
  expect(lines.length).toBeLessThanOrEqual(2);
  expect((await node.client.status()).wouldDrop).toHaveLength(2);
});
