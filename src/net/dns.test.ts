/** What answers tell, and that damaged ones tell nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDnsAnswer } from './dns.ts';
import { nameMatches, readNamePattern } from './domain.ts';

const u16 = (value: number) => [value >> 8, value & 255];
const name = (text: string) =>
  text === '' ? [0] : [...text.split('.').flatMap((each) => [each.length, ...Buffer.from(each)]), 0];
const pointer = (at: number) => [0xc0 | (at >> 8), at & 255];
type Rr = readonly [owner: readonly number[], type: number, ttl: number, data: readonly number[]];
const record = ([owner, type, ttl, data]: Rr) => [
  ...owner,
  ...u16(type),
  0,
  1,
  ...[24, 16, 8, 0].map((shift) => (ttl >>> shift) & 255),
  ...u16(data.length),
  ...data,
];
function message(question: string, records: readonly Rr[], { flags = 0x8180, asked = 1 } = {}): Uint8Array {
  const head = [7, 7, ...u16(flags), ...u16(asked), ...u16(records.length), 0, 0, 0, 0];
  return Uint8Array.from([...head, ...name(question), 0, 1, 0, 1, ...records.flatMap(record)]);
}
const asked = pointer(12);
const v4 = [192, 0, 2, 7];
const v6 = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

describe('an answer', () => {
  it('tells addresses of both families, in lower case, with their times', () => {
    const both = message('WWW.Example.org', [
      [asked, 1, 60, v4],
      [asked, 28, 30, v6],
    ]);
    expect(readDnsAnswer(both)).toEqual({
      name: 'www.example.org',
      addresses: [
        { address: '192.0.2.7', ttl: 60 },
        { address: '2001:db8::7', ttl: 30 },
      ],
    });
  });

  it('follows aliases that are whole, in any order, for as long as each is good', () => {
    const chain: readonly Rr[] = [
      [name('c.example.net'), 1, 100, v4],
      [name('b.example.net'), 5, 20, name('c.example.net')],
      [asked, 5, 300, name('b.example.net')],
    ];
    expect(readDnsAnswer(message('a.example.org', chain))?.addresses).toEqual([
      { address: '192.0.2.7', ttl: 20 },
    ]);
    expect(readDnsAnswer(message('a.example.org', chain.toSpliced(1, 1)))?.addresses).toEqual([]);
  });

  it('tells nothing of names that nobody asked for, and ends where aliases go round', () => {
    expect(
      readDnsAnswer(message('a.example.org', [[name('evil.example.net'), 1, 60, v4]]))?.addresses,
    ).toEqual([]);
    const round: readonly Rr[] = [
      [asked, 5, 9, name('b.c')],
      [name('b.c'), 5, 9, name('a.example.org')],
    ];
    expect(readDnsAnswer(message('a.example.org', round))?.addresses).toEqual([]);
  });

  it.each<[string, Uint8Array]>([
    ['a question', message('a.b', [], { flags: 0x0100 })],
    ['an error', message('a.b', [], { flags: 0x8183 })],
    ['two questions', message('a.b', [], { asked: 2 })],
    ['an address of three bytes', message('a.b', [[asked, 1, 60, [1, 2, 3]]])],
    ['a name that leads to itself', message('a.b', [[pointer(12 + 9), 1, 60, v4]])],
    ['a name that leads forwards', message('a.b', [[pointer(40), 1, 60, v4]])],
    ['a name that leads into the header', message('a.b', [[pointer(4), 1, 60, v4]])],
    ['a record that ends early', message('a.b', [[asked, 1, 60, v4]]).subarray(0, -1)],
    ['nothing', new Uint8Array()],
  ])('is not %s', (_, bytes) => {
    expect(readDnsAnswer(bytes)).toBeUndefined();
  });

  it('cannot say a dot inside a label', () => {
    const bytes = message('a.b', []);
    bytes[13] = 0x2e;
    expect(readDnsAnswer(bytes)?.name).toBe('\\046.b');
  });

  it('survives any bytes, and any damage to a whole one', () => {
    const whole = message('a.example.org', [
      [asked, 5, 300, [1, 98, ...pointer(14)]],
      [[1, 98, ...pointer(14)], 1, 100, v4],
      [asked, 28, 1, v6],
    ]);
    expect(readDnsAnswer(whole)?.addresses).toEqual([{ address: '192.0.2.7', ttl: 100 }]);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void readDnsAnswer(bytes)));
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(damage, fc.nat(whole.length), (changes, length) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        const read = readDnsAnswer(bytes.subarray(0, length));
        expect(read?.addresses.length ?? 0).toBeLessThanOrEqual(2);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('a pattern', () => {
  it.each([
    ['example.org', 'example.org', true],
    ['example.org', 'www.example.org', false],
    ['*.example.org', 'example.org', false],
    ['*.example.org', 'a.b.example.org', true],
    ['*.example.org', 'badexample.org', false],
    ['*.example.org', '.example.org', false],
  ])('%s takes %s: %s', (pattern, told, takes) => expect(nameMatches(pattern, told)).toBe(takes));

  it.each([
    ['Example.ORG.', 'example.org'],
    ['*.a_b.c', '*.a_b.c'],
    ['org', undefined],
    ['a.*.org', undefined],
    ['*', undefined],
    [`${'a.'.repeat(127)}aa`, undefined],
  ])('%s is read as %s', (text, read) => expect(readNamePattern(text)).toBe(read));
});
