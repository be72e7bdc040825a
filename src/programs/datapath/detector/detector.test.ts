/** Detectors of three nodes in namespaces of the real kernel: cables, families and forged datagrams. */
import { createSocket, type Socket } from 'node:dgram';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NodeIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { udpFdIn } from '#system/namespace.ts';
import { ports } from '#system/registry.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { createDetector, type Detector } from './detector.ts';
import { encodeMessage, type Message } from './messages.ts';

const names = ['one', 'two', 'three'];
const addressesOf = (name: string) => [
  `192.0.2.${names.indexOf(name) + 1}`,
  `2001:db8::${names.indexOf(name) + 1}`,
];
let box: Sandbox;
let directory: string;
const namespaces = new Map<string, string>();
const detectors = new Map<string, Detector>();
const sockets: Socket[] = [];

beforeEach(async () => {
  box = await openSandbox();
  directory = await mkdtemp(join(tmpdir(), 'netloom-detector-'));
  await ip('link add wire type bridge');
  await ip('link set wire up');
  for (const name of [...names, 'other']) {
    namespaces.set(name, await box.addNamespace(name));
    await ip(`link add eth0 netns ${name} type veth peer name ${name}`);
    await ip(`link set ${name} master wire`);
    await ip(`link set ${name} up`);
    const [four, six] = name === 'other' ? ['192.0.2.9', '2001:db8::9'] : addressesOf(name);
    await ip(`-n ${name} addr add ${four}/24 dev eth0`);
    await ip(`-n ${name} addr add ${six}/64 dev eth0 nodad`);
    await ip(`-n ${name} link set eth0 up`);
  }
});
afterEach(async () => {
  for (const detector of detectors.values()) detector.close();
  for (const socket of sockets.splice(0)) socket.close();
  detectors.clear();
  await box.close();
  await rm(directory, { recursive: true });
});

async function ip(line: string): Promise<void> {
  const { code, stderr } = await box.exec(['ip', ...line.split(' ')]);
  if (code !== 0) throw new Error(`ip ${line}: ${stderr}`);
}

function peersOf(name: string): NodeIntent['peers'] {
  const others = names.filter((other) => other !== name);
  return Object.fromEntries(
    others.map((other) => [
      other,
      { origin: { kind: 'Node', name: other }, addresses: addressesOf(other), blocks: [] },
    ]),
  );
}

function start(name: string): Detector {
  const detector = createDetector({
    node: name,
    onChange: () => {},
    namespace: namespaces.get(name),
    memoryFile: join(directory, name),
    log: silentLog,
    metrics: createRegistry(),
  });
  detectors.set(name, detector);
  detector.setNodes(addressesOf(name), peersOf(name));
  return detector;
}

const deadFor = (name: string) => [...(detectors.get(name)?.liveness().dead ?? [])];
const silentFor = (name: string) => [...(detectors.get(name)?.liveness().silent ?? [])];
/** They know each other, and nobody misses anybody. */
const settled = () =>
  eventually(() => {
    for (const detector of detectors.values()) expect(detector.addressLiveness().isolated).toBe(false);
  });

test('a node whose cable is cut is dead for the others, and comes back', async () => {
  for (const name of names) start(name);
  await settled();
  await ip('link set three down');
  await eventually(() => expect([deadFor('one'), deadFor('two')]).toEqual([['three'], ['three']]));
  await eventually(() => expect(detectors.get('three')?.liveness().isolated).toBe(true));
  expect(deadFor('three')).toEqual([]);
  expect(detectors.get('one')?.absent()).toMatchObject([{ node: 'three', state: 'dead' }]);
  const tellers = ['one', 'two'].filter((name) => detectors.get(name)?.absent()[0]?.teller === true);
  expect(tellers).toHaveLength(1);
  await ip('link set three up');
  await eventually(() => expect([deadFor('one'), deadFor('two')]).toEqual([[], []]));
  // For virtual addresses it rests, and it knows.
  expect(detectors.get('one')?.addressLiveness().dead).toEqual(new Set(['three']));
  expect(detectors.get('three')?.addressLiveness().isolated).toBe(true);
  await settled();
  expect(detectors.get('one')?.absent()).toEqual([]);
});

test('one family is enough to live', async () => {
  for (const name of names) start(name);
  await settled();
  await ip('-n three addr flush dev eth0 scope global to 192.0.2.0/24');
  let looks = 0;
  await eventually(() => {
    expect([deadFor('one'), deadFor('two'), silentFor('one')]).toEqual([[], [], []]);
    // A verdict takes half a second.
    expect(++looks).toBeGreaterThan(40);
  });
  await ip('link set three down');
  await eventually(() => expect([deadFor('one'), deadFor('two')]).toEqual([['three'], ['three']]));
});

test('a datapath that ended is silent; one that said so is not, for a while', async () => {
  for (const name of names) start(name);
  await settled();
  await detectors.get('two')?.pause(20_000);
  detectors.get('two')?.close();
  detectors.get('three')?.close();
  await eventually(() => expect(silentFor('one')).toEqual([]));
  start('two');
  // It needn't ask whether anybody misses it.
  expect(detectors.get('two')?.addressLiveness().isolated).toBe(false);
  await eventually(() => expect([silentFor('one'), silentFor('two')]).toEqual([['three'], ['three']]));
  start('three');
  expect(detectors.get('three')?.addressLiveness().isolated).toBe(true);
  await eventually(() => expect([silentFor('one'), silentFor('two')]).toEqual([[], []]));
});

test('what doesn’t come from the address of a node is not heard', async () => {
  for (const name of ['one', 'two']) start(name);
  await settled();
  const heard: Buffer[] = [];
  const socket = createSocket('udp4');
  socket.bind({ fd: udpFdIn(namespaces.get('other'), '192.0.2.9', ports.detector.value) });
  socket.on('message', (datagram) => heard.push(datagram));
  sockets.push(socket);
  const send = (datagram: Buffer) => socket.send(datagram, ports.detector.value, '192.0.2.1');
  const ask: Message = { kind: 'ask' };
  for (const from of ['two', 'three', 'other', 'one']) send(encodeMessage(from, ask));
  for (const datagram of ['', '{', 'null', '[]', '{"v":1,"from":7,"kind":"ask"}', 'x'.repeat(2_000)])
    send(Buffer.from(datagram));
  // A node's own address, and another's name.
  const two = createSocket('udp4');
  two.bind({ fd: udpFdIn(namespaces.get('two'), '0.0.0.0', 0) });
  two.on('message', (datagram) => heard.push(datagram));
  sockets.push(two);
  two.send(encodeMessage('three', ask), ports.detector.value, '192.0.2.1');
  await eventually(() => {
    two.send(encodeMessage('two', ask), ports.detector.value, '192.0.2.1');
    expect(detectors.get('two')?.addressLiveness().isolated).toBe(false);
    expect(deadFor('one')).toEqual([]);
  });
  expect(heard).toEqual([]);
});
