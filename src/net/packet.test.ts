/** The beginning of packets, whole, cut anywhere, fragmented, and with IPv6 headers in between. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addrBytes, parseAddr } from './addr.ts';
import { readPacketStart } from './packet.ts';

const bytesOf = (text: string) => addrBytes(parseAddr(text)!);
const ports = [0x9c, 0x40, 0x00, 0x50, 0, 0, 0, 0];

function ipv4(protocol: number, rest: readonly number[], { fragment = 0, options = 0 } = {}): Uint8Array {
  const header = new Uint8Array(20 + 4 * options);
  header[0] = 0x45 + options;
  header[7] = fragment;
  header[9] = protocol;
  header.set(bytesOf('10.244.1.5'), 12);
  header.set(bytesOf('10.244.2.7'), 16);
  return Uint8Array.of(...header, ...rest);
}

function ipv6(protocol: number, rest: readonly number[]): Uint8Array {
  const header = new Uint8Array(40);
  header[0] = 0x60;
  header[6] = protocol;
  header.set(bytesOf('fd10::5'), 8);
  header.set(bytesOf('fd10::7'), 24);
  return Uint8Array.of(...header, ...rest);
}

const ends4 = { family: 4, source: '10.244.1.5', destination: '10.244.2.7' };
const ends6 = { family: 6, source: 'fd10::5', destination: 'fd10::7' };
const told = { ports: { source: 40_000, destination: 80 } };

test('ends, protocol and ports of both families', () => {
  for (const protocol of [6, 17, 132]) {
    expect(readPacketStart(ipv4(protocol, ports))).toEqual({ ...ends4, protocol, ...told });
    expect(readPacketStart(ipv6(protocol, ports))).toEqual({ ...ends6, protocol, ...told });
  }
  expect(readPacketStart(ipv4(1, ports))).toEqual({ ...ends4, protocol: 1 });
  expect(readPacketStart(ipv6(58, ports))).toEqual({ ...ends6, protocol: 58 });
});

test('ports stand behind options and extension headers', () => {
  const zeros = (count: number) => Array<number>(count).fill(0);
  const behind = { ...ends6, protocol: 17, ...told };
  expect(readPacketStart(ipv4(6, ports, { options: 3 }))).toEqual({ ...ends4, protocol: 6, ...told });
  // Hop-by-hop of 8 bytes, destination options of 16; an authentication header of 12.
  const options = [60, 0, ...zeros(6), 17, 1, ...zeros(14)];
  expect(readPacketStart(ipv6(0, [...options, ...ports]))).toEqual(behind);
  expect(readPacketStart(ipv6(51, [17, 1, ...zeros(10), ...ports]))).toEqual(behind);
});

test('only the first fragment has ports', () => {
  expect(readPacketStart(ipv4(17, ports, { fragment: 5 }))).toEqual({ ...ends4, protocol: 17 });
  expect(readPacketStart(ipv6(44, [17, 0, 0, 1, 0, 0, 0, 1, ...ports]))).toMatchObject(told);
  expect(readPacketStart(ipv6(44, [17, 0, 0, 8, 0, 0, 0, 1, ...ports]))).toEqual({ ...ends6, protocol: 17 });
});

test('a packet that was cut anywhere is read as far as it goes, and noise does no harm', () => {
  const packet = ipv6(0, [6, 0, 0, 0, 0, 0, 0, 0, ...ports]);
  expect(readPacketStart(packet.subarray(0, 39))).toBeUndefined();
  expect(readPacketStart(packet.subarray(0, 45))).toEqual({ ...ends6, protocol: 0 });
  expect(readPacketStart(packet.subarray(0, 51))).toEqual({ ...ends6, protocol: 6 });
  expect(readPacketStart(packet.subarray(0, 52))).toEqual({ ...ends6, protocol: 6, ...told });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 128 }), (noise) => void readPacketStart(noise)));
  expect(readPacketStart(new Uint8Array())).toBeUndefined();
});
