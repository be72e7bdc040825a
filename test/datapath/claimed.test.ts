/** Pods with addresses of their own claims, and pods that the agent has not told of yet. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addressesOf, openTestNode, type TestNode } from './node.ts';

let node: TestNode;
beforeAll(async () => {
  node = await openTestNode();
  await node.start();
}, 60_000);
afterAll(() => node?.close());

const claimed = ['10.244.7.7', 'fd10:244::1:77'];
const fixed = (uid: string) => ({
  uid,
  claimed: { subnet: 'default', addresses: claimed },
  mac: '02:00:00:00:77:77',
});
const held = async () => (await node.client.status()).held;

test('a pod has the addresses and the MAC that are claimed for it, also after a restart', async () => {
  await node.know('default/mine', fixed('u1'));
  expect(await node.addPod('mine', { uid: 'u1' })).toEqual(claimed);
  await node.run(['ping', '-n', '-c', '1', '-W', '2', claimed[0]!]);
  expect(await node.run(['ip', '-n', 'mine', 'link', 'show', 'eth0'])).toContain('02:00:00:00:77:77');
  expect(await held()).toEqual(claimed);
  await node.signal('KILL');
  await node.start();
  expect(await node.endpoints()).toMatchObject([{ addresses: claimed, mac: '02:00:00:00:77:77' }]);
  expect(await held()).toEqual(claimed);
});

test('no other pod of the node gets them while they are on an interface, and the next one at once when not', async () => {
  await node.box.addNamespace('next');
  await node.know('default/next', fixed('u2'));
  expect((await node.cni('ADD', { pod: 'next', uid: 'u2' })).json).toMatchObject({
    code: 11,
    msg: '10.244.7.7 is still on another interface of this node (mine/eth0)',
  });
  const waiting = node.cni('ADD', { pod: 'next', uid: 'u2' });
  await node.cni('DEL', { pod: 'mine' });
  const answer = await waiting;
  expect(addressesOf(answer)).toEqual(claimed);
  await node.run(['ping', '-n', '-c', '1', '-W', '2', claimed[1]!]);
  await node.cni('DEL', { pod: 'next' });
  expect(await held()).toEqual([]);
  expect((await node.client.status()).strays.toSorted()).toEqual(claimed.toSorted());
});

test('a pod that is not known gets nothing, nor one that is refused; it gets its addresses as soon as it is told of', async () => {
  await node.box.addNamespace('soon');
  await node.know('default/soon', { uid: 'the one before' });
  const early = node.cni('ADD', { pod: 'soon', uid: 'u3', known: true });
  await node.know('default/soon', { uid: 'u3', refused: 'it may not' });
  await node.know('default/soon', { uid: 'u3' });
  expect((await early).code).toBe(0);
  await node.cni('DEL', { pod: 'soon' });
  await node.know('default/soon', { uid: 'u4', refused: 'IPPool web: no free IPv4 address' });
  expect((await node.cni('ADD', { pod: 'soon', uid: 'u4', known: true })).json).toMatchObject({
    code: 11,
    msg: 'IPPool web: no free IPv4 address',
  });
  expect((await node.cni('ADD', { pod: 'soon', uid: 'u5', known: true })).json).toMatchObject({
    code: 11,
    msg: expect.stringContaining('has not told of pod default/soon yet'),
  });
}, 60_000);
