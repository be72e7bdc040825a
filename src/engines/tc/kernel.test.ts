/** The engine on real kernels in a sandbox: what it does is what tc would do with the commands that it prints. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BandwidthIntent, IntentChange } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { changes, endpoint, lastState, rate } from './arbitrary.ts';
import { createTcEngine } from './driver.ts';

/** The machine of arbitrary.ts: two pod devices and no third. */
const setUp = `for n in 1 2; do
  ip link add name nlp0000000000$n index 10$n type veth peer name pod$n && ip link set pod$n up && ip link set nlp0000000000$n up
done`;

/** Everything that is ours, as iproute2 tells it; counters and indexes left out. */
const look = `
ip -o link show type ifb | grep -o 'nlq[^:]*:.*' | sed 's/mtu.*link.ether [^ ]*//'
tc qdisc show | grep 'nlp\\|nlq' | sort
for d in nlp00000000001 nlp00000000002; do tc filter show dev $d ingress 2>/dev/null | grep -v index; done; true`;

let box: Sandbox;
let names = 0;

beforeAll(async () => {
  box = await openSandbox();
});
afterAll(() => box.close());

async function machine(): Promise<{ namespace: string; sh: (script: string) => Promise<string> }> {
  const netns = `m${names++}`;
  const namespace = await box.addNamespace(netns);
  const sh = async (script: string) => {
    const { stdout, stderr, code } = await box.exec(['sh', '-c', script], { netns });
    expect({ script, stderr, code }).toEqual({ script, stderr: '', code: 0 });
    return stdout;
  };
  await sh(setUp);
  return { namespace, sh };
}

const limits = (of: Partial<BandwidthIntent> = {}): IntentChange['put'] => ({
  bandwidth: {
    'shop/p1': {
      origin: { kind: 'Pod', namespace: 'shop', name: 'p1' },
      uid: 'u1',
      ingress: rate(10_000_000),
      egress: rate(50_000_000_000, 80_000_000),
      ...of,
    },
  },
});
const whole: IntentChange = {
  generation: 1,
  replace: true,
  put: { endpoints: { 'c1/eth0': endpoint(1), 'c2/eth0': endpoint(2) }, ...limits() },
  remove: {},
};
const delta = (put: IntentChange['put'], remove: IntentChange['remove'] = {}): IntentChange => ({
  generation: 2,
  replace: false,
  put,
  remove,
});

describe('on a real kernel', () => {
  it('does exactly what the commands it prints do, there and back', async () => {
    const [mine, typed] = [await machine(), await machine()];
    const engine = createTcEngine({ namespace: mine.namespace });
    const type = (operations: readonly string[]) => typed.sh(`set -e\n${operations.join('\n')}`);
    const untouched = await mine.sh(look);
    const { operations, problems } = await engine.apply(whole);
    expect(problems).toEqual([]);
    await type(operations);
    const seen = await mine.sh(look);
    expect(seen).toMatch(/qdisc tbf 6e6c: dev nlp00000000001 root refcnt \d rate 10Mbit burst \d+b/);
    expect(seen).toMatch(/qdisc tbf 6e6c: dev nlq00000000001 root refcnt \d rate 50Gbit burst/);
    expect(seen).toContain('mirred (Egress Redirect to device nlq00000000001) stolen');
    expect(seen).toContain('qdisc noqueue 0: dev nlp00000000002');
    expect(seen).toEqual(await typed.sh(look));

    const changed = await engine.apply(delta(limits({ ingress: rate(20_000_000) })));
    expect(changed.operations).toHaveLength(1);
    expect(changed.operations[0]).toMatch(/^tc qdisc change dev nlp00000000001 root .* rate 20000000 /);
    await type(changed.operations);
    expect(await mine.sh(look)).toEqual(await typed.sh(look));

    const slower = await engine.apply(delta(limits({ ingress: rate(18_000_000, 400_000) })));
    expect(slower.operations[0]).toMatch(/^tc qdisc del dev nlp00000000001 root; tc qdisc add /);
    await type(slower.operations);
    expect(await mine.sh(look)).toEqual(await typed.sh(look));

    await engine.apply(delta({}, { bandwidth: ['shop/p1'] }));
    await engine.close();
    expect(await mine.sh(look)).toEqual(untouched);
  });

  it('reads back what it made, whatever it made, so a restart touches nothing', async () => {
    const { namespace } = await machine();
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const engine = createTcEngine({ namespace });
        for (const change of list) await engine.apply(change);
        expect((await engine.resync()).operations).toEqual([]);
        await engine.close();
        const restarted = createTcEngine({ namespace });
        expect((await restarted.apply(lastState(list))).operations).toEqual([]);
        await restarted.close();
      }),
      { numRuns: 25 },
    );
  });

  it("removes a dead pod's ifb at the next start, and everything in cleanup, without memory", async () => {
    const { namespace, sh } = await machine();
    const untouched = await sh(look);
    const first = createTcEngine({ namespace });
    await first.apply(whole);
    await first.close();
    await sh('ip link del nlp00000000001');
    const second = createTcEngine({ namespace });
    expect((await second.apply({ ...whole, put: {} })).operations).toEqual(['ip link del nlq00000000001']);
    await second.close();
    expect(await sh('ip -o link show type ifb')).toBe('');

    await sh(
      'ip link add name nlp00000000001 index 101 type veth peer name podx && ip link set podx up && ip link set nlp00000000001 up; ip link del nlp00000000002 && ip link add name nlp00000000002 index 102 type veth peer name pody && ip link set pody up && ip link set nlp00000000002 up',
    );
    const third = createTcEngine({ namespace });
    await third.apply(whole);
    await third.close();
    const cleaner = createTcEngine({ namespace });
    await cleaner.cleanup();
    await cleaner.close();
    expect(await sh(look)).toEqual(untouched);
  });

  it('puts back what somebody else took away', async () => {
    const { namespace, sh } = await machine();
    const engine = createTcEngine({ namespace });
    await engine.apply(whole);
    const before = await sh(look);
    for (const damage of [
      'tc qdisc del dev nlp00000000001 root',
      'tc qdisc del dev nlp00000000001 clsact',
      'tc qdisc change dev nlq00000000001 root handle 6e6c: tbf rate 1mbit burst 20000 limit 30000',
      'ip link set nlq00000000001 down',
      'ip link del nlq00000000001',
    ]) {
      await sh(damage);
      await engine.resync();
      expect(await sh(look)).toEqual(before);
    }
    await engine.close();
  });

  it('notices by itself what somebody else takes away, and puts it back', async () => {
    const { namespace, sh } = await machine();
    const repaired: string[] = [];
    const engine = createTcEngine({
      namespace,
      onRepair: (device, { operations }) => repaired.push(`${device}: ${operations.length}`),
    });
    await engine.apply(whole);
    const before = await sh(look);
    for (const damage of ['tc qdisc del dev nlq00000000001 root', 'ip link del nlq00000000001']) {
      await sh(damage);
      await eventually(async () => expect(await sh(look)).toEqual(before));
    }
    await engine.apply(delta(limits({ ingress: rate(30_000_000) })));
    await engine.apply(delta({}, { bandwidth: ['shop/p1'] }));
    expect(repaired).toEqual(['nlq00000000001: 1', 'nlq00000000001: 3']);
    await engine.close();
  });

  it("leaves others' disciplines and filters alone", async () => {
    const { namespace, sh } = await machine();
    // As the bandwidth plugin does for a pod's ingress.
    await sh('tc qdisc add dev nlp00000000001 root handle 1: tbf rate 1mbit burst 20000 latency 25ms');
    await sh(
      'ip link add sink type ifb; tc qdisc add dev nlp00000000002 clsact; tc filter add dev nlp00000000002 ingress prio 1 protocol ip u32 match u32 1 0xff action mirred egress redirect dev sink',
    );
    const before = await sh(look);
    const engine = createTcEngine({ namespace });
    const { 'shop/p1': entry } = limits().bandwidth!;
    const { ingress: _, ...egressOnly } = entry!;
    const { problems } = await engine.apply({
      ...whole,
      put: {
        ...whole.put,
        bandwidth: {
          'shop/p1': entry!,
          'shop/p2': { ...egressOnly, origin: { kind: 'Pod', namespace: 'shop', name: 'p2' } },
        },
      },
    });
    const reason = "nlp00000000001 has a queueing discipline that is not Netloom's";
    expect(problems).toEqual([{ entry: 'bandwidth/shop/p1', reason }]);
    expect(await sh('tc filter show dev nlp00000000002 ingress')).toContain('nlq00000000002');
    await engine.cleanup();
    await engine.close();
    expect(await sh(look)).toEqual(before);
  });
});
