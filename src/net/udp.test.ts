/** A packet read, and sent on with checksums of its own. */
import { expect, it, test } from 'vitest';
import { addrBytes, parseAddr } from './addr.ts';
import { internetChecksum } from './neighbour.ts';
import { readUdpPacket, udpFrame } from './udp.ts';

const bytes = (text: string) => addrBytes(parseAddr(text)!);
function packet(from: string, to: string, payload: readonly number[]): Buffer {
  const udp = [0, 53, 0x90, 1, 0, 8 + payload.length, 0xde, 0xad, ...payload];
  const head = from.includes(':')
    ? [0x60, 0, 0, 0, 0, udp.length, 17, 63]
    : [0x45, 0, 0, 20 + udp.length, 0, 0, 0x40, 0, 63, 17, 0xbe, 0xef];
  return Buffer.from([...head, ...bytes(from), ...bytes(to), ...udp]);
}

test.each([
  ['192.0.2.1', '10.244.0.7', 14 + 20],
  ['2001:db8::1', 'fd10::7', 14 + 40],
])('from %s', (from, to, at) => {
  const payload = [1, 2, 3];
  const sent = packet(from, to, payload);
  expect(readUdpPacket(sent)).toMatchObject({
    source: from,
    destination: to,
    sourcePort: 53,
    destinationPort: 0x9001,
  });
  expect([...readUdpPacket(sent)!.payload]).toEqual(payload);
  const frame = udpFrame(sent, { from: '02:00:00:00:00:01', to: '02:00:00:00:00:02' });
  expect(frame.subarray(0, 14).toString('hex')).toBe(
    `020000000002020000000001${from.includes(':') ? '86dd' : '0800'}`,
  );
  if (!from.includes(':')) expect(internetChecksum(frame.subarray(14, 34))).toBe(0);
  const datagram = frame.subarray(at);
  expect(internetChecksum(bytes(from), bytes(to), Buffer.from([0, 17, 0, datagram.length]), datagram)).toBe(
    0,
  );
  expect(sent.readUInt16BE(at - 14 + 6)).toBe(0xdead);
});

it('reads nothing else', () => {
  const whole = packet('192.0.2.1', '10.244.0.7', [1]);
  expect(readUdpPacket(whole.subarray(0, -1))).toBeUndefined();
  expect(readUdpPacket(Buffer.alloc(0))).toBeUndefined();
  const tcp = Buffer.from(whole);
  tcp[9] = 6;
  expect(readUdpPacket(tcp)).toBeUndefined();
  const part = Buffer.from(whole);
  part[6] = 0x20;
  expect(readUdpPacket(part)).toBeUndefined();
});
