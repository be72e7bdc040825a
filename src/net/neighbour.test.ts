/** Frames byte by byte as the RFCs draw them, and that nothing on the wire can break the reading. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { echoRequest, readEchoReply } from './echo.ts';
import {
  arpReply,
  arpRequest,
  internetChecksum,
  multicastMac,
  neighbourAdvertisement,
  neighbourSolicitation,
  readNeighbourMessage,
  solicitedNode,
} from './neighbour.ts';

const mac = '02:00:00:00:42:0b';
const asker = '02:00:00:00:42:c8';

describe('ARP', () => {
  test('a probe is broadcast and has no sender address (RFC 5227 §2.1.1)', () => {
    expect(arpRequest(mac, '0.0.0.0', '192.168.66.140').toString('hex')).toBe(
      'ffffffffffff02000000420b0806' + '0001080006040001' + '02000000420b00000000' + '000000000000c0a8428c',
    );
  });

  test('questions, announcements and answers are told apart', () => {
    const read = (frame: Buffer) => readNeighbourMessage(frame);
    expect(read(arpRequest(mac, '192.168.66.11', '192.168.66.140'))).toEqual({
      kind: 'question',
      mac,
      sender: '192.168.66.11',
      target: '192.168.66.140',
    });
    const claim = { kind: 'answer', mac, sender: '192.168.66.140', target: '192.168.66.140' };
    expect(read(arpRequest(mac, '192.168.66.140', '192.168.66.140'))).toEqual(claim);
    expect(read(arpReply(mac, '192.168.66.140'))).toEqual(claim);
    expect(read(arpReply(mac, '192.168.66.140', { mac: asker, address: '192.168.66.200' }))).toEqual(claim);
  });
});

describe('neighbour discovery', () => {
  test('a solicitation goes to the group of its target, with the asker in an option', () => {
    expect(solicitedNode('fd66::1:8c')).toBe('ff02::1:ff01:8c');
    expect(multicastMac('ff02::1:ff01:8c')).toBe('33:33:ff:01:00:8c');
    const frame = neighbourSolicitation(mac, 'fd66::11', 'fd66::1:8c');
    expect(frame.subarray(0, 6).toString('hex')).toBe('3333ff01008c');
    expect(frame).toHaveLength(14 + 40 + 32);
    expect(readNeighbourMessage(frame)).toEqual({
      kind: 'question',
      mac,
      sender: 'fd66::11',
      target: 'fd66::1:8c',
    });
    expect(neighbourSolicitation(mac, '::', 'fd66::1:8c')).toHaveLength(14 + 40 + 24);
  });

  test('an advertisement overrides, and says whether it was asked for (RFC 4861 §4.4)', () => {
    const told = neighbourAdvertisement(mac, 'fd66::1:8c');
    expect([told.subarray(0, 6).toString('hex'), told[58]]).toEqual(['333300000001', 0x20]);
    const answer = neighbourAdvertisement(mac, 'fd66::1:8c', { mac: asker, address: 'fd66::200' });
    expect([answer.subarray(0, 6).toString('hex'), answer[58]]).toEqual(['0200000042c8', 0x60]);
    expect(readNeighbourMessage(answer)).toMatchObject({ kind: 'answer', mac, target: 'fd66::1:8c' });
  });

  test('checksums hold, and what a router passed on is not heeded', () => {
    const frame = neighbourAdvertisement(mac, 'fd66::1:8c');
    const pseudo = Buffer.concat([frame.subarray(22, 54), Buffer.from([0, 0, 0, 32, 0, 0, 0, 58])]);
    expect(internetChecksum(pseudo, frame.subarray(54))).toBe(0);
    const routed = Buffer.from(frame);
    routed[21] = 254;
    expect(readNeighbourMessage(routed)).toBeUndefined();
  });
});

test.each([
  ['192.168.66.140', '192.168.66.12', 34, 0],
  ['fd66::1:8c', 'fd66::12', 54, 129],
])('an echo from %s comes back to it', (source, to, type, reply) => {
  const frame = echoRequest({ source, to, id: 0x1234, mac, toMac: asker });
  expect(readEchoReply(frame)).toBeUndefined();
  frame[type] = reply;
  expect(readEchoReply(frame)).toEqual({ source, to, id: 0x1234 });
});

test('no bytes break the reading', () => {
  const kinds = fc.constantFrom([8, 6], [0x86, 0xdd], [8, 0]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), kinds, (bytes, [high, low]) => {
      const frame = Buffer.from(bytes);
      if (frame.length > 13) frame.set([high!, low!], 12);
      readNeighbourMessage(frame);
      readEchoReply(frame);
    }),
    { numRuns: 2000 },
  );
});
