import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VirtualAddressIntent } from '#intent/loadbalancer.ts';
import type { IntentChange } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { changes, entry, lastState } from './arbitrary.ts';
import { createEngine } from './driver.ts';
import { createFakeKernel, type FakeKernel, Killed } from './fake.ts';
import { renewalTimes } from './renewal.ts';

const times = { ...renewalTimes, returnMs: 0, burst: [0, 5, 10], every: 1_000 };

function machine(): FakeKernel {
  const kernel = createFakeKernel();
  kernel.setLink('eth0', {});
  kernel.setLink('eth1', { mac: '02:00:00:00:00:02' });
  kernel.setLink('wg0', { broadcasts: false, mac: '' });
  return kernel;
}

async function fresh(change: IntentChange): Promise<{ dump: string[]; problems: string[] }> {
  const kernel = machine();
  const engine = createEngine(kernel, { times });
  const { problems } = await engine.apply(change);
  return { dump: kernel.dump(), problems: problems.map((each) => JSON.stringify(each)).toSorted() };
}

const whole = (virtualAddresses: Record<string, VirtualAddressIntent>): IntentChange => ({
  generation: 1,
  replace: true,
  put: { virtualAddresses },
  remove: {},
});
const delta = (put: Record<string, VirtualAddressIntent>, remove: string[] = []): IntentChange => ({
  generation: 2,
  replace: false,
  put: { virtualAddresses: put },
  remove: { virtualAddresses: remove },
});

describe('the engine on a kernel that refuses what dangles', () => {
  it('ends, after any sequence of changes, where one apply of the last state ends', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const kernel = machine();
        const engine = createEngine(kernel, { times });
        for (const change of list) await engine.apply(change);
        const wanted = await fresh(lastState(list));
        expect(kernel.dump()).toEqual(wanted.dump);
        const { operations, problems } = await engine.resync();
        expect(operations).toEqual([]);
        expect(problems.map((each) => JSON.stringify(each)).toSorted()).toEqual(wanted.problems);
        await engine.close();
      }),
      { numRuns: 300 },
    );
  });

  it('asks the kernel nothing because of changes of other things', async () => {
    const kernel = machine();
    let asked = 0;
    const links = () => {
      asked += 1;
      return kernel.links();
    };
    const engine = createEngine({ ...kernel, links }, { times });
    await engine.apply(whole({}));
    asked = 0;
    await engine.apply(delta({}));
    expect(asked).toBe(0);
    await engine.apply(delta({ '10.0.0.60': entry() }));
    expect(asked).toBe(1);
    await engine.close();
  });

  it('does nothing the second time, nor after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const kernel = machine();
        const last = lastState(list);
        const engine = createEngine(kernel, { times });
        await engine.apply(last);
        const restarted = createEngine(kernel, { times });
        for (const again of [engine, restarted]) expect((await again.apply(last)).operations).toEqual([]);
        for (const each of [engine, restarted]) await each.close();
      }),
      { numRuns: 200 },
    );
  });

  it('converges when it is killed before or after any transaction', async () => {
    const moment = fc.constantFrom('before' as const, 'after' as const);
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(6), moment, fc.boolean(), async (list, count, when, restart) => {
        const kernel = machine();
        let engine = createEngine(kernel, { times });
        kernel.killAfter(count, when);
        const last = lastState(list);
        for (const change of list) await engine.apply(change).catch(expectKilled);
        kernel.killAfter(Number.POSITIVE_INFINITY, when);
        if (restart) engine = createEngine(kernel, { times });
        await engine.apply(last);
        expect(kernel.dump()).toEqual((await fresh(last)).dump);
        expect((await engine.resync()).operations).toEqual([]);
        await engine.close();
      }),
      { numRuns: 300 },
    );
  });

  it('repairs whatever somebody else took away, also when that is noticed by a refused change', async () => {
    const kernel = machine();
    const engine = createEngine(kernel, { times });
    await engine.apply(whole({ '10.0.0.60': entry(), 'fd00::60': entry({ interfaces: ['eth1'] }) }));
    const before = kernel.dump();
    for (const damage of ['held eth0 10.0.0.60', 'held eth1 fd00::60', '']) {
      if (damage === '') kernel.flush();
      else kernel.take(damage);
      expect((await engine.resync()).operations).not.toEqual([]);
      expect(kernel.dump()).toEqual(before);
    }
    kernel.flush();
    await engine.apply(delta({ '10.0.0.61': entry() }));
    await engine.apply(delta({}, ['10.0.0.61']));
    expect(kernel.dump()).toEqual(before);
    await engine.close();
  });

  it('follows its interfaces: another MAC, another device under the name, one that comes and goes', async () => {
    const kernel = machine();
    const engine = createEngine(kernel, { times });
    const last = whole({ '10.0.0.60': entry() });
    await engine.apply(last);
    for (const change of [
      () => kernel.setLink('eth0', { mac: '02:00:00:00:00:09' }),
      () => kernel.setLink('eth0', undefined),
      () => kernel.setLink('eth2', { mac: '02:00:00:00:00:03' }),
    ]) {
      change();
      await engine.resync();
      const text = kernel.dump().join('\n');
      for (const link of kernel.links().filter(({ broadcasts }) => broadcasts)) {
        expect(text).toContain(`"ifindex":${link.ifindex},"mac":"${link.mac}"`);
        expect(text).toContain(`"device":"${link.name}","address":"10.0.0.60"`);
      }
      expect((await engine.resync()).operations).toEqual([]);
    }
    expect(engine.announcing()).toMatchObject([{ address: '10.0.0.60', interfaces: ['eth1', 'eth2'] }]);
    await engine.close();
  });

  it('knows its interfaces also when the first address comes long after the start', async () => {
    const kernel = machine();
    const engine = createEngine(kernel, { times });
    await engine.apply(whole({}));
    kernel.setLink('eth0', undefined);
    kernel.setLink('eth2', {});
    await engine.apply(delta({ '10.0.0.60': entry() }));
    expect(engine.announcing()).toMatchObject([{ interfaces: ['eth1', 'eth2'] }]);
    await engine.close();
  });

  it('says why an address can not be answered for', async () => {
    const kernel = machine();
    kernel.setLink('port', { master: 1 });
    kernel.setLink('off', { up: false });
    const engine = createEngine(kernel, { times });
    const interfaces = ['wg0', 'port', 'off', 'eth7'];
    const { problems } = await engine.apply(
      whole({ '10.0.0.60': entry({ interfaces }), '10.0.0.61': entry() }),
    );
    expect(problems).toEqual([
      {
        entry: 'virtualAddresses/10.0.0.60',
        reason:
          'none of the interfaces can be answered on: ' +
          'wg0 is no Ethernet that can broadcast: nobody asks there by ARP or NDP; port is part of eth0; off is down; eth7 is not on this node',
      },
    ]);
    for (const name of ['eth0', 'eth1', 'port', 'off']) kernel.setLink(name, undefined);
    expect((await engine.resync()).problems[1]?.reason).toBe(
      'no interface of this node is up and can broadcast',
    );
    expect(kernel.dump()).toEqual([]);
    await engine.close();
  });

  it('leaves alone what other programs connect, unless that is named', async () => {
    const kernel = machine();
    for (const name of ['docker0', 'veth12ab', 'cni0']) kernel.setLink(name, {});
    const engine = createEngine(kernel, { times });
    await engine.apply(whole({ '10.0.0.60': entry(), '10.0.0.61': entry({ interfaces: ['docker0'] }) }));
    expect(engine.announcing().map(({ interfaces }) => interfaces)).toEqual([['eth0', 'eth1'], ['docker0']]);
    await engine.close();
  });

  it('says of a kernel that refuses that it can not, and tries again with the next look', async () => {
    const kernel = machine();
    const engine = createEngine(kernel, { times });
    kernel.refuseAll('no such hook');
    const { problems } = await engine.apply(whole({ '10.0.0.60': entry() }));
    expect(problems).toMatchObject([{ entry: 'virtualAddresses/10.0.0.60', reason: /no such hook/ }]);
    expect(engine.announcing()).toEqual([]);
    kernel.refuseAll(undefined);
    expect((await engine.resync()).problems).toEqual([]);
    expect(engine.announcing()).toHaveLength(1);
    await engine.close();
  });

  it('keeps nothing without an address, and after cleanup nothing at all, without memory', async () => {
    const kernel = machine();
    const engine = createEngine(kernel, { times });
    await engine.apply(whole({ '10.0.0.60': entry() }));
    await engine.apply(delta({}, ['10.0.0.60']));
    expect(kernel.dump()).toEqual([]);
    await engine.apply(delta({ '10.0.0.60': entry() }));
    await createEngine(kernel, { times }).cleanup();
    expect(kernel.dump()).toEqual([]);
    await engine.close();
  });
});

describe('what is told unasked', () => {
  it('is a new address several times at once, then every now and then, and one that goes no more', async () => {
    const kernel = machine();
    const engine = createEngine(kernel, { times: { ...times, every: 30 } });
    await engine.apply(whole({ '10.0.0.60': entry({ interfaces: ['eth0'] }) }));
    await eventually(() => expect(kernel.said.length).toBeGreaterThan(4));
    expect(new Set(kernel.said)).toEqual(new Set(['10.0.0.60 eth0']));
    expect((await engine.counts()).told.get('10.0.0.60')).toBeGreaterThan(4);
    await engine.apply(delta({ '10.0.0.61': entry({ interfaces: ['eth0'] }) }, ['10.0.0.60']));
    kernel.said.length = 0;
    await eventually(() => expect(kernel.said.length).toBeGreaterThan(4));
    expect(new Set(kernel.said)).toEqual(new Set(['10.0.0.61 eth0']));
    await engine.close();
  });

  it('is nothing of what the process before this one held to the end', async () => {
    const kernel = machine();
    const first = createEngine(kernel, { times });
    await first.apply(whole({ '10.0.0.60': entry() }));
    await first.close();
    kernel.said.length = 0;
    const second = createEngine(kernel, { times: { ...times, burst: [0], every: 100_000 } });
    await second.apply(whole({ '10.0.0.60': entry(), '10.0.0.61': entry({ interfaces: ['eth1'] }) }));
    await eventually(() => expect(kernel.said).toEqual(['10.0.0.61 eth1']));
    expect(second.announcing()).toHaveLength(2);
    await second.close();
  });
});

describe('after it was away', () => {
  const contested = entry({ candidates: ['n1', 'n2'], interfaces: ['eth0'] });
  const slow = { ...times, returnMs: 100_000 };
  const answers = (kernel: FakeKernel) => kernel.dump().includes('answering true');

  it('waits for those that took over, when the kernel fell silent meanwhile', async () => {
    const kernel = machine();
    const first = createEngine(kernel, { times });
    await first.apply(whole({ '10.0.0.60': contested }));
    kernel.expire();
    const second = createEngine(kernel, { times: slow });
    await second.apply(whole({ '10.0.0.60': contested }));
    expect([answers(kernel), second.announcing()]).toEqual([false, []]);
    const third = createEngine(kernel, { times: { ...times, returnMs: 20, renewMs: 5 } });
    await third.apply(whole({ '10.0.0.60': contested }));
    await eventually(() => expect([answers(kernel), third.announcing().length]).toEqual([true, 1]));
    for (const each of [first, second, third]) await each.close();
  });

  it('waits for nobody when the kernel answers still, or when nobody else may', async () => {
    const kernel = machine();
    await createEngine(kernel, { times }).apply(whole({ '10.0.0.60': contested }));
    const second = createEngine(kernel, { times: slow });
    await second.apply(whole({ '10.0.0.60': contested }));
    expect(answers(kernel)).toBe(true);
    kernel.flush();
    const alone = createEngine(kernel, { times: slow });
    await alone.apply(whole({ '10.0.0.60': entry() }));
    expect(answers(kernel)).toBe(true);
    for (const each of [second, alone]) await each.close();
  });
});

function expectKilled(error: unknown): void {
  if (!(error instanceof Killed)) throw error;
}
