/** Addresses, prefixes and MACs against ipaddr.js and against their own laws. */
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import {
  type Addr,
  addrBytes,
  addrFromBytes,
  canonicalAddr,
  compareAddr,
  formatAddr,
  maxValue,
  parseAddr,
} from './addr.ts';
import { formatMac, isUnicastMac, localMac, macBytes, macFromBytes, parseMac } from './mac.ts';
import {
  canonicalPrefix,
  firstAddr,
  formatPrefix,
  lastAddr,
  parseInterfacePrefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixHas,
  prefixOf,
  prefixSize,
  splitPrefix,
} from './prefix.ts';

const group = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 0xffff }));
const v4 = fc.bigInt({ min: 0n, max: maxValue(4) }).map((value): Addr => ({ family: 4, value }));
const v6 = fc
  .array(group, { minLength: 8, maxLength: 8 })
  .map(
    (groups): Addr => ({ family: 6, value: groups.reduce((sum, each) => (sum << 16n) | BigInt(each), 0n) }),
  );
const addr = fc.oneof(v4, v6);
const groupsOf = (a: Addr) => (ipaddr.parse(formatAddr(a)) as ipaddr.IPv6).parts;

describe('addresses', () => {
  test('text survives a round trip and agrees with ipaddr.js byte for byte', () => {
    fc.assert(
      fc.property(addr, (a) => {
        const text = formatAddr(a);
        expect(parseAddr(text)).toEqual(a);
        expect([...addrBytes(a)]).toEqual(ipaddr.parse(text).toByteArray());
        expect(addrFromBytes(addrBytes(a))).toEqual(a);
      }),
    );
  });

  test('IPv6 text is what RFC 5952 asks for', () => {
    fc.assert(
      fc.property(v6, (a) => {
        fc.pre(a.value >> 32n !== 0xffffn);
        expect(formatAddr(a)).toBe(ipaddr.parse(formatAddr(a)).toString());
      }),
    );
    expect(canonicalAddr('2001:DB8:0:0:1:0:0:1')).toBe('2001:db8::1:0:0:1');
    expect(canonicalAddr('2001:db8:0:1:1:1:1:1')).toBe('2001:db8:0:1:1:1:1:1');
    expect(canonicalAddr('0:0:0:0:0:0:0:0')).toBe('::');
    expect(canonicalAddr('1::')).toBe('1::');
    expect(canonicalAddr('::FFFF:102:304')).toBe('::ffff:1.2.3.4');
    expect(canonicalAddr('64:ff9b::192.0.2.33')).toBe('64:ff9b::c000:221');
  });

  test('any long form of an address is read', () => {
    fc.assert(
      fc.property(v6, (a) => {
        expect(parseAddr(ipaddr.fromByteArray([...addrBytes(a)]).toNormalizedString())).toEqual(a);
        const full = groupsOf(a).map((each) => each.toString(16).padStart(4, '0'));
        expect(parseAddr(full.join(':').toUpperCase())).toEqual(a);
      }),
    );
  });

  test.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.256',
    '1.2.3.4 ',
    '0x1.2.3.4',
    '1.2.3.-4',
    '١.2.3.4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '12345::',
    'fe80::1%eth0',
    '[::1]',
    '::1/64',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    ':1::2',
    '1::2:',
    'g::',
  ])('%j is no address', (text) => {
    expect(parseAddr(text)).toBeUndefined();
  });

  test('never accepts what ipaddr.js refuses', () => {
    const text = fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcf:.:.')), maxLength: 24 });
    fc.assert(
      fc.property(text, (each) => {
        const ours = parseAddr(each);
        if (ours !== undefined) expect([...addrBytes(ours)]).toEqual(ipaddr.parse(each).toByteArray());
      }),
      { numRuns: 2000 },
    );
  });

  test('order is total: IPv4 first, then by value', () => {
    fc.assert(
      fc.property(addr, addr, (a, b) => {
        expect(Math.sign(compareAddr(a, b))).toBe(-Math.sign(compareAddr(b, a)) + 0);
        expect(compareAddr(a, b) === 0).toBe(formatAddr(a) === formatAddr(b));
      }),
    );
  });
});

describe('prefixes', () => {
  const prefix = fc
    .tuple(addr, fc.nat(128))
    .map(([a, length]) => prefixOf(a, a.family === 4 ? Math.min(length, 32) : length));

  test('text survives a round trip; first and last lie in it, their neighbours do not', () => {
    fc.assert(
      fc.property(prefix, (p) => {
        expect(parsePrefix(formatPrefix(p))).toEqual(p);
        expect(prefixHas(p, firstAddr(p)) && prefixHas(p, lastAddr(p))).toBe(true);
        expect(lastAddr(p).value - firstAddr(p).value + 1n).toBe(prefixSize(p));
        const beyond = lastAddr(p).value + 1n;
        if (beyond <= maxValue(p.family))
          expect(prefixHas(p, { family: p.family, value: beyond })).toBe(false);
      }),
    );
  });

  test('membership agrees with ipaddr.js', () => {
    fc.assert(
      fc.property(prefix, addr, (p, a) => {
        const theirs = ipaddr.fromByteArray([...addrBytes(p)]);
        const other = ipaddr.fromByteArray([...addrBytes(a)]);
        const expected = p.family === a.family && other.match(theirs as never, p.length);
        expect(prefixHas(p, a)).toBe(expected);
      }),
    );
  });

  test('overlap means that one contains the other', () => {
    fc.assert(
      fc.property(prefix, prefix, (a, b) => {
        const shared = firstAddr(a).value <= lastAddr(b).value && firstAddr(b).value <= lastAddr(a).value;
        expect(prefixesOverlap(a, b)).toBe(a.family === b.family && shared);
        expect(prefixContains(a, b) && prefixContains(b, a)).toBe(formatPrefix(a) === formatPrefix(b));
      }),
    );
  });

  test('parts tile the whole', () => {
    fc.assert(
      fc.property(prefix, fc.nat(6), (p, more) => {
        const length = Math.min(p.length + more, p.family === 4 ? 32 : 128);
        const parts = [...splitPrefix(p, length)];
        expect(parts.reduce((sum, part) => sum + prefixSize(part), 0n)).toBe(prefixSize(p));
        parts.every((part, i) => expect(part.value).toBe(p.value + BigInt(i) * prefixSize(part)));
      }),
    );
    expect([...splitPrefix(parsePrefix('10.0.0.0/24')!, 23)]).toEqual([]);
  });

  test('host bits are refused where a prefix is meant and kept where an interface address is', () => {
    expect(canonicalPrefix('10.0.0.1/24')).toBeUndefined();
    expect(canonicalPrefix('FD00:0::/64')).toBe('fd00::/64');
    const parsed = parseInterfacePrefix('10.0.0.1/24')!;
    expect([formatAddr(parsed.addr), formatPrefix(parsed.prefix)]).toEqual(['10.0.0.1', '10.0.0.0/24']);
  });

  test.each([
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '::/129',
    '/24',
    '10.0.0.0/24/24',
    '10.0.0.0/ 24',
  ])('%j is no prefix', (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });
});

describe('MACs', () => {
  test('text and bytes survive a round trip', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 48n) - 1n }), (mac) => {
        expect(parseMac(formatMac(mac))).toBe(mac);
        expect(parseMac(formatMac(mac).toUpperCase().replaceAll(':', '-'))).toBe(mac);
        expect(macFromBytes(macBytes(mac))).toBe(mac);
        expect(isUnicastMac(localMac(mac))).toBe(true);
      }),
    );
    expect(formatMac(parseMac('ee:ee:ee:ee:ee:0a')!)).toBe('ee:ee:ee:ee:ee:0a');
  });

  test.each([
    '',
    'ee:ee:ee:ee:ee',
    'ee:ee:ee:ee:ee:ee:ee',
    'ee:ee-ee:ee-ee:ee',
    'e:e:e:e:e:e',
    'gg:ee:ee:ee:ee:ee',
  ])('%j is no MAC', (text) => {
    expect(parseMac(text)).toBeUndefined();
  });
});
