/** Stops, kills, lost journals: a running pod never notices, and what was cut off converges. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { addressesOf, openTestNode, type TestNode } from './node.ts';

let node: TestNode;
beforeAll(async () => {
  node = await openTestNode();
  await node.start();
});
afterAll(() => node.close());

const journal = '/var/lib/netloom/addresses.journal';
const remove = async (...pods: string[]) => {
  for (const pod of pods) expect((await node.cni('DEL', { pod })).output).toBe('');
};

test.each(['TERM', 'KILL'] as const)(
  'SIG%s and a new start drop no packet of running pods',
  async (signal) => {
    const [from, to] = [`from-${signal}`.toLowerCase(), `to-${signal}`.toLowerCase()];
    await node.addPod(from);
    const [v4, v6] = await node.addPod(to);
    const pings = [v4!, v6!].map((address) =>
      node.run(['ping', '-n', '-q', '-i', '0.01', '-c', '300', '-W', '1', address], from),
    );
    await node.signal(signal);
    await node.start();
    for (const result of await Promise.all(pings)) expect(result).toContain('300 received, 0% packet loss');
    expect((await node.endpoints()).map(({ pod }) => pod.name).toSorted()).toEqual([from, to]);
    await remove(from, to);
  },
);

test('a pod keeps its addresses over a restart, and an ADD again gives them', async () => {
  await node.box.addNamespace('same');
  const before = await node.cni('ADD', { pod: 'same' });
  await node.signal('KILL');
  await node.start();
  expect(await node.cni('ADD', { pod: 'same' })).toEqual(before);
  expect((await node.cni('CHECK', { pod: 'same', config: { prevResult: before.json } })).code).toBe(0);
  await remove('same');
});

test('a pod that vanished while nobody looked is forgotten, and its addresses rest', async () => {
  const [address] = await node.addPod('gone');
  await node.signal('KILL');
  await node.run(['ip', 'netns', 'del', 'gone']);
  await eventually(async () => expect(await node.run(['ip', '-br', 'link'])).not.toMatch(/^nlp[0-9a-f]/m));
  await node.start();
  expect(await node.endpoints()).toEqual([]);
  const { blocks } = await node.client.status();
  expect(blocks.find(({ cidr }) => cidr === '10.244.0.64/26')).toMatchObject({ assigned: 1 });
  expect(await node.run(['ip', 'route', 'get', address!]).catch(String)).toContain('No route to host');
});

test('killed at any moment of an ADD or a DEL, the next try succeeds and nothing is left over', async () => {
  await node.run(['sh', '-ec', Array.from({ length: 12 }, (_, i) => `ip netns add k${i}`).join('\n')]);
  for (let i = 0; i < 12; i++) {
    const pod = `k${i}`;
    const command = i % 3 === 2 ? 'DEL' : 'ADD';
    if (command === 'DEL') await node.cni('ADD', { pod });
    const call = node.cni(command, { pod });
    await new Promise((resolve) => setTimeout(resolve, 2 + i));
    await node.signal('KILL');
    const cut = await call;
    expect(cut.code === 0 || cut.json?.['code'] === 11).toBe(true);
    await node.start();
    const again = await node.cni(command, { pod });
    expect(again.code).toBe(0);
    if (command === 'ADD') {
      for (const address of addressesOf(again)) await node.run(['ping', '-n', '-c', '1', '-W', '2', address]);
      if (cut.code === 0) expect(addressesOf(again)).toEqual(addressesOf(cut));
    }
  }
  const endpoints = await node.endpoints();
  const added = Array.from({ length: 12 }, (_, i) => `k${i}`).filter((_, i) => i % 3 !== 2);
  expect(endpoints.map(({ pod }) => pod.name).toSorted()).toEqual(added.toSorted());
  expect(new Set(endpoints.flatMap(({ addresses }) => addresses)).size).toBe(2 * added.length);
  await remove(...added);
  await eventually(async () => expect(await node.run(['ip', '-br', 'link'])).not.toMatch(/^nlp[0-9a-f]/m));
  const { blocks } = await node.client.status();
  expect(blocks.reduce((sum, { assigned }) => sum + assigned, 0)).toBe(2);
}, 120_000);

test('a lost journal is rebuilt from the kernel before the first ADD, and all free addresses rest', async () => {
  const kept = await node.addPod('kept');
  await node.signal('KILL');
  await node.run(['rm', journal]);
  // As if the next release had wired it.
  await node.run(['sh', '-c', 'ip link set "$(ls /sys/class/net | grep ^nlp)" alias "netloom/99 kept/eth0"']);
  await node.start();
  expect(await node.endpoints()).toMatchObject([
    { key: 'kept/eth0', addresses: kept, subnet: 'default', mode: 'overlay' },
  ]);
  await node.run(['ping', '-n', '-c', '1', '-W', '2', kept[0]!]);
  const { blocks } = await node.client.status();
  expect(blocks.every(({ free }) => free === 0)).toBe(true);
  await node.box.addNamespace('next');
  expect((await node.cni('ADD', { pod: 'next' })).json).toMatchObject({ code: 11 });
  const gc = { 'cni.dev/valid-attachments': [] };
  expect((await node.cni('GC', { config: gc })).code).toBe(0);
  expect(await node.endpoints()).toEqual([]);
});
