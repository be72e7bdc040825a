/** A DNS server for tests, at the addresses of the test node's outside. Its zone is one JSON argument: name → { a, aaaa, cname, ttl }. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

const zone = JSON.parse(process.argv[2] ?? '{}');
const u16 = (value) => [value >> 8, value & 255];
const nameBytes = (text) => [...text.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]), 0];
const addressBytes = (text) => {
  if (!isIPv6(text)) return text.split('.').map(Number);
  const [head, tail = ''] = text.split('::');
  const parts = (each) => (each === '' ? [] : each.split(':').map((part) => Number.parseInt(part, 16)));
  const [first, last] = [parts(head), parts(tail)];
  return [...first, ...Array(8 - first.length - last.length).fill(0), ...last].flatMap(u16);
};
const record = (name, type, ttl, data) => [
  ...nameBytes(name),
  ...u16(type),
  0,
  1,
  0,
  0,
  ...u16(ttl),
  ...u16(data.length),
  ...data,
];
function recordsOf(name, type) {
  const { a = [], aaaa = [], cname, ttl = 60 } = zone[name] ?? {};
  if (cname !== undefined) return [record(name, 5, ttl, nameBytes(cname)), ...recordsOf(cname, type)];
  return (type === 28 ? aaaa : a).map((address) => record(name, type, ttl, addressBytes(address)));
}
function answer(query) {
  const labels = [];
  let at = 12;
  for (; query[at] !== 0; at += 1 + query[at])
    labels.push(query.subarray(at + 1, at + 1 + query[at]).toString());
  const type = query.readUInt16BE(at + 1);
  const records = recordsOf(labels.join('.').toLowerCase(), type);
  const head = [...query.subarray(0, 2), 0x81, 0x80, 0, 1, ...u16(records.length), 0, 0, 0, 0];
  return Buffer.from([...head, ...query.subarray(12, at + 5), ...records.flat()]);
}
for (const [type, address] of [
  ['udp4', '192.168.66.1'],
  ['udp6', 'fd66::1'],
]) {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' });
  socket.on('message', (query, peer) => socket.send(answer(query), peer.port, peer.address));
  socket.bind(53, address, () => console.log(type));
}
