import { createHash } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasAddress, parseAddress, prepareAddresses } from '../src/addresses.ts';
import { bucketCells, takeTokens } from '../src/buckets.ts';
import { apr1, isSame, readCredentials } from '../src/passwords.ts';

const ipv4 = fc
  .tuple(fc.constantFrom(10, 11, 192), fc.constantFrom(0, 1, 128, 255), fc.nat(255), fc.nat(255))
  .map((bytes) => bytes.join('.'));
const ipv6 = fc
  .tuple(
    fc.constantFrom('fd00', '2001', '0'),
    fc.array(fc.constantFrom('0', '1', 'ff', 'ffff'), { minLength: 7, maxLength: 7 }),
  )
  .map(([first, rest]) => [first, ...rest].join(':'));

test('address lists decide as those of Node do', () => {
  const cidr = fc.oneof(
    fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })),
    fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(
    fc.property(
      fc.array(cidr, { maxLength: 12 }),
      fc.array(fc.oneof(ipv4, ipv6), { minLength: 1 }),
      (cidrs, asked) => {
        // One a family: Node's IPv6 ranges have IPv4 in them, too.
        const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
        for (const [address, length] of cidrs)
          lists[kindOf(address)].addSubnet(address, length, kindOf(address));
        const set = prepareAddresses(cidrs.map(([address, length]) => `${address}/${length}`));
        expect(set.isBroken).toBe(false);
        for (const address of asked) {
          const parsed = parseAddress(address)!;
          if (parsed.isIPv4 && address.includes(':')) continue;
          expect(hasAddress(set, parsed)).toBe(lists[kindOf(address)].check(address, kindOf(address)));
        }
      },
    ),
    { numRuns: 500, examples: [[[['0:0:0:0:0:ffff:0:0', 0]], ['10.0.0.0']]] },
  );
});

test('addresses are what Node takes for addresses', () => {
  const text = fc.string({ unit: fc.constantFrom(...'0123456789abf:::..'.split('')), maxLength: 16 });
  fc.assert(
    fc.property(fc.oneof(text, ipv4, ipv6), (one) => {
      expect(parseAddress(one) !== undefined).toBe(isIP(one) !== 0);
    }),
    { numRuns: 3000 },
  );
});

test('a bucket never lets more through than it holds and what came back', () => {
  const step = fc.record({ after: fc.nat(300), key: fc.nat(2) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 100 }), (most, steps) => {
      const cells = new Float64Array(2 * 8 * bucketCells);
      const table = { cells, from: 0, sets: 2, stride: bucketCells };
      const granted = new Map<number, number[]>();
      let now = 1000;
      for (const { after, key } of steps) {
        now += after;
        const wait = takeTokens(
          table,
          [{ key: { counter: 1, one: key, other: 0 }, most, interval: 100 }],
          now,
          () => {},
        );
        if (wait === 0) granted.set(key, [...(granted.get(key) ?? []), now]);
      }
      for (const times of granted.values())
        times.forEach((from, first) => {
          times.slice(first).forEach((to, count) => {
            expect(count + 1).toBeLessThanOrEqual(most + Math.floor((to - from) / 100 + 1e-9));
          });
        });
    }),
    { numRuns: 300 },
  );
});

test("Apache's hashes are made as openssl makes them", () => {
  const md5 = (bytes: string) =>
    createHash('md5').update(Buffer.from(bytes, 'latin1')).digest().toString('latin1');
  const hash = '$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/';
  expect(apr1('secret', hash, md5)).toBe(hash);
  expect(isSame(apr1('secreT', hash, md5), hash)).toBe(false);
  const long = '$apr1$xy$';
  expect(apr1('x'.repeat(100), long, md5)).toMatch(/^\$apr1\$xy\$[./0-9A-Za-z]{22}$/);
});

test('credentials are a name and all behind the first colon', () => {
  expect(readCredentials('a:b:c')).toEqual({ name: 'a', password: 'b:c' });
  expect(readCredentials('nobody')).toBeUndefined();
  expect(readCredentials('a:b\0c')).toBeUndefined();
  expect(readCredentials(`a:${'x'.repeat(257)}`)).toBeUndefined();
});

function kindOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
