/** Echo requests (RFC 792, RFC 4443) without a process each. */
import { exchange } from './packet-raw.ts';
import type { ProbeAnswer, ProbeOrder } from './packets.ts';

const kinds = {
  4: { protocol: 1, request: 8, reply: 0 },
  6: { protocol: 58, request: 128, reply: 129 },
} as const;

export function ping(
  namespace: string | undefined,
  { target, source, timeoutMs }: Pick<ProbeOrder, 'target' | 'source' | 'timeoutMs'>,
): Promise<ProbeAnswer> {
  const { protocol, request, reply } = kinds[target.includes(':') ? 6 : 4];
  const id = Math.floor(Math.random() * 65_536);
  const packet = Buffer.alloc(16);
  packet[0] = request;
  packet.writeUInt16BE(id, 4);
  packet.writeUInt16BE(1, 6);
  // The kernel fills in IPv6's.
  packet.writeUInt16BE(checksum(packet), 2);
  return exchange(namespace, {
    target,
    ...(source === undefined ? {} : { source }),
    protocol,
    packet,
    timeoutMs,
    // An error about it comes as one of the socket's.
    answer: (answer) => (answer[0] === reply && answer.readUInt16BE(4) === id ? 'allowed' : undefined),
  });
}

function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
