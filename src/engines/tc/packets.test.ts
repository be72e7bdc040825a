/** Real packets: a limited pod is as fast as it may be, in both directions and families, and loses next to nothing for it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '#engines/engine.ts';
import type { BandwidthIntent, IntentChange } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { endpoint, rate } from './arbitrary.ts';
import { createTcEngine } from './driver.ts';

let box: Sandbox;
let engine: Engine;
let port = 5300;
let generation = 0;

beforeAll(async () => {
  box = await openSandbox();
  await box.addNamespace('pod');
  await run(`ip link add nlp00000000001 index 101 type veth peer name eth0 netns pod
    ip address add 10.9.0.1/24 dev nlp00000000001; ip address add fd09::1/64 dev nlp00000000001 nodad
    ip -n pod address add 10.9.0.2/24 dev eth0; ip -n pod address add fd09::2/64 dev eth0 nodad
    ip link set nlp00000000001 up; ip -n pod link set eth0 up`);
  engine = createTcEngine({ namespace: box.namespace });
  await limit({});
});
afterAll(async () => {
  await engine?.close();
  await box?.close();
});

async function run(script: string, netns?: string): Promise<string> {
  const { code, stdout, stderr } = await box.exec(['sh', '-ec', script], { netns, timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`${script}: ${stderr}${stdout}`);
  return stdout;
}

async function limit(rates: Pick<BandwidthIntent, 'ingress' | 'egress'>): Promise<void> {
  const origin = { kind: 'Pod', namespace: 'shop', name: 'p1' };
  const change: IntentChange = {
    generation: ++generation,
    replace: generation === 1,
    put: { endpoints: { 'c1/eth0': endpoint(1) }, bandwidth: { 'shop/p1': { origin, uid: 'u1', ...rates } } },
    remove: {},
  };
  expect((await engine.apply(change)).problems).toEqual([]);
}

type Flow = { readonly megabits: number; readonly retransmits: number };

/** One connection over some seconds, the first one left out: what a user of the pod has. */
async function measure(direction: 'ingress' | 'egress', family: 4 | 6, seconds = 2): Promise<Flow> {
  const at = String(++port);
  const server = box.spawn(['iperf3', '-s', '-1', '-p', at], { netns: 'pod' });
  try {
    await eventually(async () => expect(await run(`ss -Hltn sport = ${at}`, 'pod')).not.toBe(''));
    const to = family === 4 ? '10.9.0.2' : 'fd09::2';
    const reverse = direction === 'egress' ? '-R' : '';
    const text = await run(`iperf3 -J -c ${to} -p ${at} -t ${seconds} -O 1 ${reverse}`);
    const { end } = JSON.parse(text) as {
      end: { sum_received: { bits_per_second: number }; sum_sent: { retransmits: number } };
    };
    return {
      megabits: end.sum_received.bits_per_second / 1e6,
      retransmits: end.sum_sent.retransmits,
    };
  } finally {
    server.kill();
  }
}

/** Megabits a second that leave the queue for the pod, over one second. */
async function passing(): Promise<number> {
  const counter = '/sys/class/net/nlp00000000001/statistics/tx_bytes';
  const [before, after] = (await run(`cat ${counter}; sleep 1; cat ${counter}`)).trim().split('\n');
  return ((Number(after) - Number(before)) * 8) / 1e6;
}

/** Within what one may expect of a limit in megabits a second: headers count, too. */
function isLimitedTo(flow: Flow, megabits: number): void {
  expect(flow.megabits).toBeGreaterThan(0.7 * megabits);
  expect(flow.megabits).toBeLessThan(1.15 * megabits);
}

describe('a pod', () => {
  it('without a limit is far above those below', async () => {
    for (const direction of ['ingress', 'egress'] as const)
      expect((await measure(direction, 4)).megabits).toBeGreaterThan(1_000);
  });

  it('receives and sends as fast as each of its limits, over both families, without a storm of losses', async () => {
    await limit({ ingress: rate(100_000_000), egress: rate(50_000_000) });
    for (const family of [4, 6] as const) {
      const [to, from] = [await measure('ingress', family), await measure('egress', family)];
      isLimitedTo(to, 100);
      isLimitedTo(from, 50);
      // Of some 25,000 and 12,500 segments; dropping what is above the rate (nft limit) costs 1,700 to 7,000.
      expect(to.retransmits).toBeLessThan(1_000);
      expect(from.retransmits).toBeLessThan(1_000);
    }
  });

  it('follows a change while a connection runs, and the connection stays', async () => {
    await limit({ ingress: rate(200_000_000) });
    const server = box.spawn(['iperf3', '-s', '-1', '-p', '5299'], { netns: 'pod' });
    await eventually(async () => expect(await run('ss -Hltn sport = 5299', 'pod')).not.toBe(''));
    const client = box.spawn(['iperf3', '-c', '10.9.0.2', '-p', '5299', '-t', '60']);
    try {
      await eventually(async () => expect(await passing()).toBeGreaterThan(140), 20_000);
      await limit({ ingress: rate(20_000_000) });
      await eventually(async () => isLimitedTo({ megabits: await passing(), retransmits: 0 }, 20), 20_000);
      await limit({});
      await eventually(async () => expect(await passing()).toBeGreaterThan(1_000), 20_000);
      expect(client.exitCode).toBeNull();
    } finally {
      client.kill();
      server.kill();
    }
  });
});
