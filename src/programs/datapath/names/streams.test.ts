/** DNS messages found in segments, however a stream is cut, and what is kept of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TcpSegment } from '#net/tcp.ts';
import { createDnsStreams } from './streams.ts';

const from = (port: number) => ({
  source: '10.96.0.10',
  destination: '10.244.1.5',
  sourcePort: 53,
  destinationPort: port,
});
const segment = (port: number, sequence: number, rest: Partial<TcpSegment> = {}): TcpSegment => ({
  ...from(port),
  sequence: sequence >>> 0,
  isSyn: false,
  isFin: false,
  isReset: false,
  payload: new Uint8Array(),
  ...rest,
});
const begin = (port: number, sequence: number) => segment(port, sequence - 1, { isSyn: true });
const framed = (messages: readonly Uint8Array[]) =>
  Buffer.concat(messages.flatMap((each) => [Buffer.from([each.length >> 8, each.length & 255]), each]));
const hex = (messages: readonly Uint8Array[]) => messages.map((each) => Buffer.from(each).toString('hex'));

it('gives every message once, with pieces of any size that come twice or overlap', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }),
      fc.array(fc.record({ size: fc.integer({ min: 1, max: 50 }), again: fc.nat(70) }), { minLength: 1 }),
      fc.oneof(fc.constant(0xffff_fff0), fc.nat(0xffff_ffff)),
      (messages, cuts, start) => {
        const streams = createDnsStreams();
        const bytes = framed(messages);
        const found = [...streams.read(begin(1, start)).messages];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const { size, again } = cuts[turn % cuts.length]!;
          const first = Math.max(0, at - again);
          const payload = bytes.subarray(first, at + size);
          const read = streams.read(segment(1, start + first, { payload }));
          expect(read.stream).toBeDefined();
          found.push(...read.messages);
          at += size;
        }
        expect(hex(found)).toEqual(hex(messages));
      },
    ),
  );
});

describe('where the beginning was not seen, something is missing, or it has ended', () => {
  const message = framed([Uint8Array.of(1, 2, 3)]);
  it.each([
    ['the beginning', []],
    ['something', [begin(1, 100), segment(1, 100, { payload: message.subarray(0, 2) })]],
    ['all behind the end', [begin(1, 100), segment(1, 100, { isFin: true })]],
    ['all behind a reset', [begin(1, 100), segment(1, 100, { isReset: true })]],
  ])('%s: reads on at the next segment that holds whole messages', (_, before) => {
    const streams = createDnsStreams();
    for (const each of before) streams.read(each);
    const part = (at: number, end?: number) => segment(1, 120, { payload: message.subarray(at, end) });
    expect(streams.read(part(0, 4))).toEqual({ messages: [] });
    expect(streams.read(segment(1, 124, { payload: message.subarray(4) }))).toEqual({ messages: [] });
    const whole = Buffer.concat([message, message]);
    expect(hex(streams.read(segment(1, 125, { payload: whole })).messages)).toEqual(['010203', '010203']);
    expect(streams.read(segment(1, 135, { payload: message.subarray(0, 4) })).messages).toEqual([]);
    expect(hex(streams.read(segment(1, 139, { payload: message.subarray(4) })).messages)).toEqual(['010203']);
  });

  it('what ends with its last segment is read', () => {
    const streams = createDnsStreams();
    streams.read(begin(1, 100));
    expect(hex(streams.read(segment(1, 100, { payload: message, isFin: true })).messages)).toEqual([
      '010203',
    ]);
  });
});

it('keeps so many connections and so many bytes: those that were silent longest go', () => {
  const streams = createDnsStreams({ streams: 3, bytes: 100 });
  for (const port of [1, 2, 3]) streams.read(begin(port, 0));
  expect(streams.read(segment(1, 0)).stream).toBeDefined();
  streams.read(begin(4, 0));
  expect(streams.read(segment(2, 0)).stream).toBeUndefined();
  // A message of 1,000 bytes that never comes whole.
  const part = Buffer.concat([Buffer.from([3, 232]), Buffer.alloc(58)]);
  expect(streams.read(segment(3, 0, { payload: part })).stream).toBeDefined();
  expect(streams.read(segment(1, 0, { payload: part })).stream).toBeDefined();
  expect(streams.read(segment(3, 60)).stream).toBeUndefined();
  expect(streams.read(segment(1, 60, { payload: Buffer.alloc(200) })).stream).toBeDefined();
  expect(streams.read(segment(1, 260)).stream).toBeUndefined();
});
