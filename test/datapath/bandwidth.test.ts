/** Limits of pods: in force when ADD returns, changed live, kept over restarts, gone with the pod, and left to a chained plugin. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BandwidthIntent, NodeIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { directories, openTestNode, type TestNode } from './node.ts';

let node: TestNode;
let port = 5200;
beforeAll(async () => {
  node = await openTestNode();
  await node.start();
});
afterAll(() => node.close());

type Limits = { readonly ingress?: number; readonly egress?: number; readonly uid?: string };

function limited(pod: string, { ingress, egress, uid = `uid-${pod}` }: Limits): NodeIntent['bandwidth'] {
  const origin = { kind: 'Pod', namespace: 'default', name: pod };
  const rate = (bitsPerSecond: number | undefined) =>
    bitsPerSecond === undefined ? undefined : { origin, bitsPerSecond };
  const entry = { origin, uid, ingress: rate(ingress), egress: rate(egress) };
  return { [`default/${pod}`]: JSON.parse(JSON.stringify(entry)) as BandwidthIntent };
}

const qdiscs = () => node.run(['sh', '-c', 'tc -s qdisc show | grep -A1 "tbf\\|clsact" || true']);
const ifbs = async () => (await node.run(['ip', '-o', 'link', 'show', 'type', 'ifb'])).trim();

/** Megabits a second from outside to the pod or back. */
async function measure(address: string, pod: string, direction: 'ingress' | 'egress'): Promise<number> {
  const at = String(++port);
  const server = node.box.spawn(['iperf3', '-s', '-1', '-p', at], { netns: pod });
  try {
    await eventually(async () => expect(await node.run(['ss', '-Hltn', 'sport', '=', at], pod)).not.toBe(''));
    const reverse = direction === 'egress' ? ['-R'] : [];
    const text = await node.run(['iperf3', '-J', '-c', address, '-p', at, '-t', '2', '-O', '1', ...reverse]);
    const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
    return end.sum_received.bits_per_second / 1e6;
  } finally {
    server.kill();
  }
}

test('a limit that is known is in force when ADD returns; packets keep to it in both families', async () => {
  await node.intend({ bandwidth: limited('a', { ingress: 50e6, egress: 100e6 }) });
  const addresses = await node.addPod('a');
  expect((await qdiscs()).match(/qdisc tbf 6e6c:/g)).toHaveLength(2);
  for (const address of addresses) {
    for (const [direction, limit] of [
      ['ingress', 50],
      ['egress', 100],
    ] as const) {
      const seen = await measure(address, 'a', direction);
      expect(seen).toBeGreaterThan(0.7 * limit);
      expect(seen).toBeLessThan(1.15 * limit);
    }
  }
});

test('a pod without a limit has nothing of it, until it gets one', async () => {
  const before = await qdiscs();
  const [address = ''] = await node.addPod('b');
  expect(await qdiscs()).toBe(before);
  expect(await measure(address, 'b', 'ingress')).toBeGreaterThan(500);
  await node.intend({
    bandwidth: { ...limited('a', { egress: 100e6 }), ...limited('b', { ingress: 20e6 }) },
  });
  const seen = await measure(address, 'b', 'ingress');
  expect(seen).toBeGreaterThan(14);
  expect(seen).toBeLessThan(23);
});

test('a killed datapath that starts again touches no shaping', async () => {
  const shape = async () => (await qdiscs()).replace(/Sent.*/g, '');
  const sent = async () => /tbf[^\n]*dev nlq[^\n]*\n Sent (\d+)/.exec(await qdiscs())?.[1];
  const [before, counted] = [await shape(), await sent()];
  expect(Number(counted)).toBeGreaterThan(1_000_000);
  await node.signal('KILL');
  await node.start({ intent: false });
  await node.intend({
    bandwidth: { ...limited('a', { egress: 100e6 }), ...limited('b', { ingress: 20e6 }) },
  });
  expect(await shape()).toBe(before);
  expect(Number(await sent())).toBeGreaterThanOrEqual(Number(counted));
});

test("DEL takes the pod's ifb away; the pod of another uid under its name has no limit", async () => {
  expect(await ifbs()).toContain('nlq');
  expect((await node.cni('DEL', { pod: 'a' })).code).toBe(0);
  await eventually(async () => expect(await ifbs()).toBe(''));
  await node.run(['ip', 'netns', 'del', 'a']);
  await node.addPod('a', { uid: 'another' });
  expect(await ifbs()).toBe('');
  await node.intend({ bandwidth: limited('a', { egress: 100e6, uid: 'another' }) });
  expect(await ifbs()).toContain('nlq');
});

test('a pod that went while the datapath was down leaves no ifb behind', async () => {
  await node.signal('KILL');
  await node.run(['ip', 'netns', 'del', 'a']);
  await eventually(async () =>
    expect(await node.run(['sh', '-c', 'ip -o link show | grep -c nlp'])).toBe('1\n'),
  );
  expect(await ifbs()).toContain('nlq');
  await node.start({ intent: false });
  await node.intend({ bandwidth: {} });
  await eventually(async () => expect(await ifbs()).toBe(''));
});

test('where the bandwidth plugin is chained, it limits the pods, and each of our limits says so', async () => {
  const list = JSON.parse(await node.run(['cat', `${directories.config}/10-netloom.conflist`]));
  list.plugins.push({ type: 'bandwidth', capabilities: { bandwidth: true } });
  const file = `${directories.config}/05-ours.conflist`;
  await node.run(['sh', '-c', `printf %s '${JSON.stringify(list)}' > ${file}`]);
  await expect(node.intend({ bandwidth: limited('c', { ingress: 10e6 }) })).resolves.toBeUndefined();
  await node.box.addNamespace('c');
  const answer = await node.cni('ADD', { pod: 'c', config: { cniVersion: '1.0.0' } });
  expect(answer.code).toBe(0);
  expect(await qdiscs()).not.toContain('6e6c:');
  const runtimeConfig = { bandwidth: { ingressRate: 10_000_000, ingressBurst: 1_000_000 } };
  const config = { cniVersion: '1.0.0', runtimeConfig, prevResult: answer.json };
  const chained = await node.cni('ADD', { pod: 'c', plugin: 'bandwidth', config });
  expect(chained).toMatchObject({ code: 0 });
  expect(await qdiscs()).toContain('qdisc tbf 1:');
  await expect(node.intend({ bandwidth: limited('c', { ingress: 20e6 }) })).rejects.toThrow(
    `the bandwidth plugin, chained in ${file}, limits the pods of this node`,
  );
  await node.run(['rm', file]);
  await expect(node.intend({ bandwidth: limited('c', { ingress: 20e6 }) })).rejects.toThrow(
    "has a queueing discipline that is not Netloom's",
  );
  expect(await qdiscs()).toContain('qdisc tbf 1:');
});
