/** Pods are kept at what they are to hold: deltas where they follow, the whole where not, and nobody waits for a slow one. */
import { afterEach, expect, test } from 'vitest';
import type { GatewayIntent } from '#intent/gateway.ts';
import { eventually } from '#lab/eventually.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { createFakePod, type FakePod } from './fake.ts';
import { createFeeds, type Feeds } from './feeds.ts';
import { registerGatewayMetrics } from './metrics.ts';
import type { InstancePod } from './pods.ts';

const gateway = 'shop/web';
const key = '0'.repeat(64);
let feeds: Feeds | undefined;
afterEach(() => {
  feeds?.stop();
  feeds = undefined;
});

const pod = (name: string, more: Partial<InstancePod> = {}): InstancePod => ({
  uid: name,
  namespace: 'shop',
  name,
  instance: 'shop/web-netloom',
  address: name,
  isReady: true,
  epoch: '1',
  ...more,
});
const rules = (entries: Record<string, number>) => ({ put: { rules: entries }, remove: {} });

/** The whole, how often it was asked for, and pods by address. */
function open(pods: Readonly<Record<string, FakePod>>) {
  const whole: Record<string, number> = {};
  let wholes = 0;
  const registry = createRegistry();
  const made = createFeeds({
    connect: ({ address, identity }) => {
      expect(identity).toBe(gateway);
      return pods[address]!.client;
    },
    whole: () => {
      wholes += 1;
      return { rules: { ...whole } } as unknown as GatewayIntent;
    },
    onHeld: () => {},
    metrics: registerGatewayMetrics(registry, () => undefined),
    log: silentLog,
  });
  feeds = made;
  const put = (name: string, value: number): void => {
    whole[name] = value;
    made.push(gateway, rules({ [name]: value }));
  };
  return { feeds: made, whole, put, registry, wholes: () => wholes };
}

test('a new pod gets the whole, then deltas', async () => {
  const a = createFakePod();
  const { feeds, put, registry } = open({ a });
  put('first', 1);
  feeds.setPods(gateway, [pod('a')], key);
  expect(await feeds.reached(gateway, 'one', 5_000)).toBe(true);
  put('second', 2);
  expect(await feeds.reached(gateway, 'all', 5_000)).toBe(true);
  expect(a.held('rules')).toEqual({ first: 1, second: 2 });
  expect(a.told.map(({ replace }) => replace)).toEqual([true, false]);
  expect(registry.text()).toMatch(/netloom_gateway_pushes_total\{kind="delta"\} 1/);
});

test('a slow pod holds up nobody, and catches up in one step', async () => {
  const [slow, quick] = [createFakePod(), createFakePod()];
  const { feeds, put } = open({ slow, quick });
  feeds.setPods(gateway, [pod('slow'), pod('quick')], key);
  await feeds.reached(gateway, 'all', 5_000);
  const gate = Promise.withResolvers<void>();
  slow.hold(gate.promise);
  for (let at = 0; at < 50; at += 1) {
    put(`r${at}`, at);
    await eventually(() => expect(quick.held('rules')).toHaveProperty(`r${at}`));
  }
  expect(await feeds.reached(gateway, 'one', 0)).toBe(true);
  expect(await feeds.reached(gateway, 'all', 0)).toBe(false);
  gate.resolve();
  expect(await feeds.reached(gateway, 'all', 5_000)).toBe(true);
  expect(slow.held('rules')).toEqual(quick.held('rules'));
  expect(slow.told.length).toBeLessThanOrEqual(3);
});

test('a pod that can not be reached is tried again and gets the whole', async () => {
  const a = createFakePod();
  const { feeds, put, registry, wholes } = open({ a });
  a.deaf(true);
  feeds.setPods(gateway, [pod('a')], key);
  put('first', 1);
  expect(feeds.isServing(gateway)).toBe(true);
  await eventually(() => expect(feeds.isServing(gateway)).toBe(false));
  await eventually(() => expect(registry.text()).toMatch(/pushes_total\{kind="error"\} [3-9]/), 10_000);
  // The whole of ten thousand routes is not put into words for nobody.
  expect(wholes()).toBe(1);
  a.deaf(false);
  expect(await feeds.reached(gateway, 'one', 10_000)).toBe(true);
  expect(a.held('rules')).toEqual({ first: 1 });
  expect(feeds.isServing(gateway)).toBe(true);
});

test('a pod that lost what it held gets the whole: at the next change, or when a container was started again', async () => {
  const a = createFakePod();
  const { feeds, put } = open({ a });
  put('first', 1);
  feeds.setPods(gateway, [pod('a')], key);
  await feeds.reached(gateway, 'one', 5_000);
  a.restart();
  put('second', 2);
  await eventually(() => expect(a.held('rules')).toEqual({ first: 1, second: 2 }));
  a.restart();
  feeds.setPods(gateway, [pod('a', { epoch: '2' })], key);
  await eventually(() => expect(a.held('rules')).toEqual({ first: 1, second: 2 }));
});

test('what a pod can not hold is told; a pod that is gone, or has another key, is let go', async () => {
  const a = createFakePod();
  const { feeds, put } = open({ a });
  a.refuse('big');
  put('big', 1);
  feeds.setPods(gateway, [pod('a')], key);
  await eventually(() =>
    expect(feeds.problems(gateway)).toEqual([{ entry: 'rules big', reason: 'no memory' }]),
  );
  feeds.setPods(gateway, [], key);
  expect(a.isClosed()).toBe(true);
  expect(feeds.problems(gateway)).toEqual([]);
  expect(feeds.isServing(gateway)).toBe(false);
});

test('random failures: every pod ends with what was said last', async () => {
  const pods = { a: createFakePod(), b: createFakePod(), c: createFakePod() };
  const { feeds, put, whole } = open(pods);
  const all = Object.entries(pods);
  feeds.setPods(
    gateway,
    Object.keys(pods).map((name) => pod(name)),
    key,
  );
  for (let at = 0; at < 300; at += 1) {
    put(`r${at % 17}`, at);
    const [, fake] = all[at % 3]!;
    if (at % 7 === 0) fake.deaf(true);
    if (at % 11 === 0) fake.restart();
    if (at % 5 === 0) for (const [, each] of all) each.deaf(false);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const [, each] of all) each.deaf(false);
  for (const [name] of all)
    feeds.setPods(
      gateway,
      all.map(([each]) => pod(each, { epoch: name })),
      key,
    );
  for (const [, fake] of all) await eventually(() => expect(fake.held('rules')).toEqual(whole), 30_000);
});
