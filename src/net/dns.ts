/** DNS answers (RFC 1035 §4): which addresses they tell of the name that was asked for; pure. Nothing in a message is trusted. */
import { addrFromBytes, formatAddr } from './addr.ts';

export type DnsAnswer = {
  /** What was asked for: lower case, without the dot at the end. */
  readonly name: string;
  /** At the end of the chain of CNAMEs that begins with the name, as far as the chain is whole in this message. */
  readonly addresses: readonly { readonly address: string; readonly ttl: number }[];
};

const headerBytes = 12;
const longestName = 255;
const longestChain = 16;
const internet = 1;
const types = { A: 1, CNAME: 5, AAAA: 28 } as const;
/** RFC 2181 §8: a time with the highest bit set is none. */
const longestTtl = 0x7fff_ffff;

type RecordSet = {
  readonly aliases: Map<string, { readonly to: string; readonly ttl: number }>;
  readonly addresses: { readonly name: string; readonly address: string; readonly ttl: number }[];
};

/** Undefined for what is no answer to one question, is an error, or is damaged. */
export function readDnsAnswer(message: Uint8Array): DnsAnswer | undefined {
  if (message.length < headerBytes) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const flags = view.getUint16(2);
  const isAnswer = flags >> 15 === 1;
  const isQuery = ((flags >> 11) & 15) === 0;
  const isFine = (flags & 15) === 0;
  if (!isAnswer || !isQuery || !isFine || view.getUint16(4) !== 1) return undefined;
  const question = readName(view, headerBytes);
  if (question === undefined || question.next + 4 > view.byteLength) return undefined;
  if (question.name === '' || view.getUint16(question.next + 2) !== internet) return undefined;
  const records = readRecords(view, question.next + 4, view.getUint16(6));
  if (records === undefined) return undefined;
  return { name: question.name, addresses: followAliases(question.name, records) };
}

function readRecords(view: DataView, start: number, count: number): RecordSet | undefined {
  const found: RecordSet = { aliases: new Map(), addresses: [] };
  let at = start;
  for (let left = count; left > 0; left--) {
    const owner = readName(view, at);
    if (owner === undefined || owner.next + 10 > view.byteLength) return undefined;
    const type = view.getUint16(owner.next);
    const isInternet = view.getUint16(owner.next + 2) === internet;
    const said = view.getUint32(owner.next + 4);
    const ttl = said > longestTtl ? 0 : said;
    const data = owner.next + 10;
    const length = view.getUint16(owner.next + 8);
    at = data + length;
    if (at > view.byteLength) return undefined;
    if (!isInternet) continue;
    if (type === types.CNAME) {
      const target = readName(view, data);
      if (target === undefined || target.next !== at) return undefined;
      found.aliases.set(owner.name, { to: target.name, ttl });
    } else if (type === types.A || type === types.AAAA) {
      if (length !== (type === types.A ? 4 : 16)) return undefined;
      const bytes = new Uint8Array(view.buffer, view.byteOffset + data, length);
      found.addresses.push({ name: owner.name, address: formatAddr(addrFromBytes(bytes)!), ttl });
    }
  }
  return found;
}

/** What is told of a name is good for as long as every step to it. */
function followAliases(name: string, { aliases, addresses }: RecordSet): DnsAnswer['addresses'] {
  let end = name;
  let shortest = longestTtl;
  for (let steps = 0; ; steps++) {
    const alias = aliases.get(end);
    if (alias === undefined) break;
    if (steps === longestChain) return [];
    end = alias.to;
    shortest = Math.min(shortest, alias.ttl);
  }
  return addresses
    .filter((each) => each.name === end)
    .map(({ address, ttl }) => ({ address, ttl: Math.min(ttl, shortest) }));
}

/**
 * A name and where it ends. Compression (§4.1.4) leads backwards only, so that each jump comes nearer to the beginning. Bytes that no host
 * name has are written as `\DDD`, which no rule can say.
 */
function readName(
  view: DataView,
  start: number,
): { readonly name: string; readonly next: number } | undefined {
  const labels: string[] = [];
  let at = start;
  let next: number | undefined;
  let bound = start;
  let length = 1;
  for (;;) {
    if (at >= view.byteLength) return undefined;
    const size = view.getUint8(at);
    if (size >= 0xc0) {
      if (at + 2 > view.byteLength) return undefined;
      next ??= at + 2;
      at = view.getUint16(at) & 0x3fff;
      if (at >= bound || at < headerBytes) return undefined;
      bound = at;
      continue;
    }
    if (size > 63 || at + 1 + size > view.byteLength) return undefined;
    if (size === 0) return { name: labels.join('.'), next: next ?? at + 1 };
    length += size + 1;
    if (length > longestName) return undefined;
    labels.push(readLabel(view, at + 1, size));
    at += 1 + size;
  }
}

function readLabel(view: DataView, at: number, size: number): string {
  let text = '';
  for (let i = at; i < at + size; i++) {
    const byte = view.getUint8(i);
    const character = String.fromCharCode(byte).toLowerCase();
    text += /[-_a-z0-9]/.test(character) ? character : `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}
