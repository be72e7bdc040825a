/** Echoes of both families to a real kernel, and nobody else's answers. */
import { afterEach, expect, test } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { type EchoSocket, openEchoSocket } from './echo-socket.ts';

let box: Sandbox;
const sockets: EchoSocket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close();
  await box.close();
});

test.each([
  [4, '192.0.2.1', '192.0.2.2'],
  [6, '2001:db8::1', '2001:db8::2'],
] as const)('IPv%i: numbers come back from who answers', async (family, own, other) => {
  box = await openSandbox();
  await box.addNamespace('peer');
  const length = family === 4 ? 24 : 64;
  const nodad = family === 4 ? [] : ['nodad'];
  for (const argv of [
    'ip link add near type veth peer name far netns peer',
    `ip addr add ${own}/${length} dev near ${nodad.join(' ')}`,
    `ip -n peer addr add ${other}/${length} dev far ${nodad.join(' ')}`,
    'ip link set near up',
    'ip -n peer link set far up',
  ])
    expect((await box.exec(argv.trim().split(' '))).stderr).toBe('');
  const [first, second] = [openEchoSocket(family, box.namespace), openEchoSocket(family, box.namespace)];
  sockets.push(first, second);
  const got: number[] = [];
  await eventually(() => {
    first.send(other, 7);
    got.push(...first.receive());
    expect(got).toContain(7);
  });
  expect(first.send(other, 0x1_0000_0007 >>> 0)).toBe(true);
  expect(first.send(other, 0xffff_fffe)).toBe(true);
  await eventually(() => {
    got.push(...first.receive());
    expect(got).toContain(0xffff_fffe);
  });
  expect(second.receive()).toEqual([]);
  expect(first.send(family === 4 ? '198.51.100.1' : '2001:db8:1::1', 1)).toBe(false);
});
