/** Whose answer it is, and what of it counts. */
import { expect, test } from 'vitest';
import { emptyIntent, type NodeIntent } from '#intent/node.ts';
import { addrBytes, parseAddr } from '#net/addr.ts';
import { toldBy } from './told.ts';

const origin = { kind: 'Pod', namespace: 'shop', name: 'web' };
const endpoint: NodeIntent['endpoints'][string] = {
  origin,
  device: 'nlp1',
  ifindex: 7,
  mac: '02:00:00:00:00:01',
  addresses: ['10.244.1.5'],
  subnet: 'default',
  mode: 'overlay',
};
const intent: NodeIntent = {
  ...emptyIntent,
  endpoints: { 'c/eth0': endpoint },
  policySubjects: { 'shop/web': { origin, uid: 'u', egress: 1, names: ['*.example.org'] } },
};
const bytes = (text: string) => addrBytes(parseAddr(text)!);

function message(name: string, addresses: readonly string[]): Uint8Array {
  const question = [...name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]), 0];
  const records = addresses.flatMap((each) => [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...bytes(each)]);
  const head = [0, 1, 0x81, 0x80, 0, 1, 0, addresses.length, 0, 0, 0, 0];
  return Uint8Array.of(...head, ...question, 0, 1, 0, 1, ...records);
}
const told = (...messages: readonly Uint8Array[]) => ({ destination: '10.244.1.5', messages });
const learnt = (name: string) => ({
  pod: 'shop/web',
  name,
  addresses: [{ address: '192.0.2.1', ttl: 60 }],
});

test('what a rule of the pod has is learnt for it', () => {
  const names = ['a.example.org', 'example.org', 'b.example.org'];
  const messages = names.map((name) => message(name, ['192.0.2.1']));
  expect(toldBy(told(messages[0]!), intent)).toEqual({ endpoint, names: [learnt('a.example.org')] });
  expect(toldBy(told(...messages), intent)).toEqual({
    endpoint,
    names: [learnt('a.example.org'), learnt('b.example.org')],
  });
});

test('anything else only goes on to the pod', () => {
  const others = [
    message('example.org', ['192.0.2.1']),
    message('a.example.org', []),
    message('a.example.org', ['127.0.0.1', '0.0.0.0', '169.254.169.254', '224.0.0.1', '255.255.255.255']),
    message('a.example.org', ['192.0.2.1']).subarray(0, 20),
  ];
  for (const each of others) expect(toldBy(told(each), intent)).toEqual({ endpoint, names: [] });
  expect(toldBy(told(), intent)).toEqual({ endpoint, names: [] });
  const unrestricted = { ...intent, policySubjects: {} };
  expect(toldBy(told(message('a.example.org', ['192.0.2.1'])), unrestricted)).toEqual({
    endpoint,
    names: [],
  });
});

test('what is nobody’s goes nowhere', () => {
  const messages = [message('a.example.org', ['192.0.2.1'])];
  expect(toldBy({ destination: '10.244.1.6', messages }, intent)).toEqual({ names: [] });
  expect(toldBy({ destination: '', messages }, intent)).toEqual({ names: [] });
});
