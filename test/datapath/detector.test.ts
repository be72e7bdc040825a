/** The detector in the real datapath: who may speak to it, what a dead node takes along, and what is said at a planned end. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServiceIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { ports } from '#system/registry.ts';
import { openTestNode, type TestNode } from './node.ts';

const port = ports.detector.value;
let node: TestNode;
beforeAll(async () => {
  node = await openTestNode();
  await node.run(['ip', '-n', 'outside', 'addr', 'add', '192.168.66.77/24', 'dev', 'eth0']);
  await node.start({ intent: false });
  await node.intend({
    // The outside plays it.
    peers: {
      n2: {
        origin: { kind: 'Node', name: 'n2' },
        addresses: ['192.168.66.1', 'fd66::1'],
        blocks: [{ cidr: '10.244.0.128/26', subnet: 'default', mode: 'overlay' }],
      },
    },
    services: { 'default/web/80/IPv4': web },
  });
  await node.addPod('a');
}, 120_000);
afterAll(() => node?.close());

const web: ServiceIntent = {
  origin: { kind: 'Service', namespace: 'default', name: 'web' },
  protocol: 'tcp',
  frontends: [{ address: '10.96.0.7', port: 80 }],
  backends: [
    { address: '10.244.0.65', port: 80 },
    { address: '10.244.0.130', port: 80 },
  ],
};

/** Sends one datagram; gives what comes back within a moment, but for questions. */
async function say(from: { netns?: string; source?: string }, to: string, message: object): Promise<string> {
  const script = `
    const socket = require('node:dgram').createSocket(${JSON.stringify(to.includes(':') ? 'udp6' : 'udp4')});
    socket.on('message', (data) => { if (!String(data).includes('ask')) { console.log(String(data)); process.exit(); } });
    socket.on('error', () => process.exit());
    socket.bind(${port}, ${JSON.stringify(from.source ?? null)} ?? undefined, () => {
      socket.send(${JSON.stringify(JSON.stringify(message))}, ${port}, ${JSON.stringify(to)}, () => {});
      setTimeout(() => process.exit(), 300);
    });`;
  const where = from.netns === undefined ? {} : { netns: from.netns };
  return (await node.box.exec(['node', '-e', script], where)).stdout.trim();
}

const dropped = async () =>
  Number(
    /packets (\d+)/.exec(await node.run(['nft', 'list', 'counter', 'inet', 'netloom', 'droppedSource']))?.[1],
  );
const backends = async () =>
  (await node.run(['nft', 'list', 'map', 'inet', 'netloom', 'backends4'])).match(/10\.244\.0\.\d+/g) ?? [];

test('nodes are answered; neither pods nor strangers', async () => {
  const ask = { v: 1, from: 'n2', kind: 'ask' };
  await eventually(async () => {
    for (const [source, to] of [
      ['192.168.66.1', '192.168.66.11'],
      ['fd66::1', 'fd66::11'],
    ] as const) {
      const answer = await say({ netns: 'outside', source }, to, ask);
      expect(JSON.parse(answer)).toEqual({ v: 1, from: 'n1', kind: 'answer', absent: false });
    }
  });
  const before = await dropped();
  expect(await say({ netns: 'outside', source: '192.168.66.77' }, '192.168.66.11', ask)).toBe('');
  expect(await dropped()).toBe(before + 1);
  // To its own node, and to another one, where it would come from this node's address.
  for (const to of ['192.168.66.11', 'fd66::11', '192.168.66.1', 'fd66::1']) {
    const count = await dropped();
    expect(await say({ netns: 'a' }, to, ask)).toBe('');
    expect([to, await dropped()]).toEqual([to, count + 1]);
  }
});

test("a dead node's pods leave the Services, and come back with it", async () => {
  expect(await backends()).toEqual(['10.244.0.65', '10.244.0.130']);
  // The whole network of this node: of two nodes neither can know which one is cut off.
  await node.run(['ip', '-n', 'outside', 'link', 'set', 'eth0', 'down']);
  await eventually(async () => expect(await backends()).toEqual(['10.244.0.65']));
  expect((await node.client.status()).absent).toMatchObject([{ node: 'n2', state: 'dead', teller: true }]);
  await node.run(['ip', '-n', 'outside', 'link', 'set', 'eth0', 'up']);
  await eventually(async () => expect(await backends()).toEqual(['10.244.0.65', '10.244.0.130']));
  expect((await node.client.status()).absent).toEqual([]);
});

test('a datapath that is stopped says so', async () => {
  const listen = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (data) => { if (String(data).includes('pause')) { console.log(String(data)); process.exit(); } });
    socket.bind(${port}, '192.168.66.1', () => console.log('listening'));`;
  const listener = node.box.spawn(['node', '-e', listen], { netns: 'outside' });
  let heard = '';
  listener.stdout.on('data', (data) => (heard += String(data)));
  await eventually(() => expect(heard).toContain('listening'));
  await node.signal('TERM');
  await eventually(() => expect(heard).toContain('{"v":1,"from":"n1","kind":"pause","for":20000}'));
  await node.start({ intent: false });
  expect(node.log()).toContain('a node is dead: Services send nothing to its pods');
});
