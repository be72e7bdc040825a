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

function packet(name: string, addresses: readonly string[], to = '10.244.1.5'): Uint8Array {
  const question = [...name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]), 0];
  const records = addresses.flatMap((each) => [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...bytes(each)]);
  const dns = [0, 1, 0x81, 0x80, 0, 1, 0, addresses.length, 0, 0, 0, 0, ...question, 0, 1, 0, 1, ...records];
  const udp = [0, 53, 0x90, 0, 0, 8 + dns.length, 0, 0, ...dns];
  return Uint8Array.of(
    0x45,
    0,
    0,
    20 + udp.length,
    0,
    0,
    0,
    0,
    63,
    17,
    0,
    0,
    ...bytes('10.96.0.10'),
    ...bytes(to),
    ...udp,
  );
}

test('what a rule of the pod has is learnt for it', () => {
  expect(toldBy(packet('a.example.org', ['192.0.2.1']), intent)).toEqual({
    endpoint,
    names: { pod: 'shop/web', name: 'a.example.org', addresses: [{ address: '192.0.2.1', ttl: 60 }] },
  });
});

test('anything else only goes on to the pod', () => {
  const others = [
    packet('example.org', ['192.0.2.1']),
    packet('a.example.org', []),
    packet('a.example.org', ['127.0.0.1', '0.0.0.0', '169.254.169.254', '224.0.0.1', '255.255.255.255']),
    packet('a.example.org', ['192.0.2.1']).subarray(0, 40),
  ];
  for (const each of others) expect(toldBy(each, intent)).toEqual({ endpoint });
  const unrestricted = { ...intent, policySubjects: {} };
  expect(toldBy(packet('a.example.org', ['192.0.2.1']), unrestricted)).toEqual({ endpoint });
});

test('what is nobody’s goes nowhere', () => {
  expect(toldBy(packet('a.example.org', ['192.0.2.1'], '10.244.1.6'), intent)).toEqual({});
  expect(toldBy(Uint8Array.of(0x45), intent)).toEqual({});
});
