/** A segment read, cut, and sent on with checksums of its own. */
import { expect, it, test } from 'vitest';
import { addrBytes, parseAddr } from './addr.ts';
import { internetChecksum } from './neighbour.ts';
import { readTcpSegment, tcpFrames } from './tcp.ts';

const bytes = (text: string) => addrBytes(parseAddr(text)!);
const options = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
function packet(from: string, to: string, flags: number, payload: Uint8Array): Buffer {
  const sequence = [0xff, 0xff, 0xff, 0xf0];
  const tcp = [
    0,
    53,
    0x90,
    1,
    ...sequence,
    0,
    0,
    0,
    9,
    0x80,
    flags,
    1,
    0,
    0xde,
    0xad,
    0,
    0,
    ...options,
    ...payload,
  ];
  const length = (add: number) => [(tcp.length + add) >> 8, (tcp.length + add) & 255];
  const head = from.includes(':')
    ? [0x60, 0, 0, 0, ...length(0), 6, 63]
    : [0x45, 0, ...length(20), 0xff, 0xff, 0x40, 0, 63, 6, 0xbe, 0xef];
  return Buffer.from([...head, ...bytes(from), ...bytes(to), ...tcp]);
}
const [fin, push, ack, reduced] = [1, 8, 16, 0x80];
const macs = { from: '02:00:00:00:00:01', to: '02:00:00:00:00:02' };
const families = [
  ['192.0.2.1', '10.244.0.7', 20],
  ['2001:db8::1', 'fd10::7', 40],
] as const;

test.each(families)('from %s: one that fits', (from, to, at) => {
  const sent = packet(from, to, fin | ack, Uint8Array.of(1, 2, 3));
  const read = readTcpSegment(sent);
  expect(read).toMatchObject({ source: from, destination: to, sourcePort: 53, destinationPort: 0x9001 });
  expect(read).toMatchObject({ sequence: 0xffff_fff0, isSyn: false, isFin: true, isReset: false });
  expect([...read!.payload]).toEqual([1, 2, 3]);
  const [frame, ...more] = tcpFrames(sent, { ...macs, atMost: 1280 });
  expect(more).toEqual([]);
  const type = from.includes(':') ? '86dd' : '0800';
  expect(frame!.subarray(0, 14).toString('hex')).toBe(`020000000002020000000001${type}`);
  expect(readTcpSegment(frame!.subarray(14))).toEqual(read);
  expectChecksums(frame!.subarray(14), at);
  expect(sent.readUInt16BE(at + 16)).toBe(0xdead);
});

test.each(families)('from %s: one that is cut, as a device would', (from, to, at) => {
  const payload = Buffer.alloc(4_001, 'netloom');
  const sent = packet(from, to, fin | push | ack | reduced, payload);
  const pieces = tcpFrames(sent, { ...macs, atMost: 1280 }).map((frame) => frame.subarray(14));
  expect(Math.max(...pieces.map(({ length }) => length))).toBe(1280);
  expect(Buffer.concat(pieces.map((each) => readTcpSegment(each)!.payload))).toEqual(payload);
  const carried = 1280 - at - 32;
  for (const [number, piece] of pieces.entries()) {
    expectChecksums(piece, at);
    const isLast = number === pieces.length - 1;
    expect(piece[at + 13]).toBe((number === 0 ? reduced : 0) | ack | (isLast ? fin | push : 0));
    expect(piece.readUInt32BE(at + 4)).toBe((0xffff_fff0 + number * carried) % 2 ** 32);
    expect([...piece.subarray(at + 20, at + 32)]).toEqual(options);
    if (at === 20) expect(piece.readUInt16BE(4)).toBe((0xffff + number) & 0xffff);
  }
});

function expectChecksums(sent: Buffer, at: number): void {
  const ends = at === 20 ? sent.subarray(12, 20) : sent.subarray(8, 40);
  if (at === 20) expect(internetChecksum(sent.subarray(0, 20))).toBe(0);
  const tcp = sent.subarray(at);
  expect(internetChecksum(ends, Buffer.from([0, 6, tcp.length >> 8, tcp.length & 255]), tcp)).toBe(0);
}

it('reads nothing else', () => {
  const whole = packet('192.0.2.1', '10.244.0.7', ack, Uint8Array.of(1));
  const changed = (at: number, value: number) => {
    const other = Buffer.from(whole);
    other[at] = value;
    return other;
  };
  const others = [
    whole.subarray(0, -1),
    whole.subarray(0, 30),
    Buffer.alloc(0),
    changed(9, 17),
    changed(6, 0x20),
    changed(32, 0x40),
    changed(32, 0xf0),
  ];
  for (const each of others) {
    expect(readTcpSegment(each)).toBeUndefined();
    const frames = tcpFrames(each, { ...macs, atMost: 1280 });
    expect(frames.map((frame) => frame.subarray(14))).toEqual([each]);
  }
});
