/** The small parts: lines, delays, token bucket, answers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { refusal, retryDelay, warningTexts } from './answer.ts';
import { backoffDelay, createTokenBucket, sleep } from './backoff.ts';
import { ApiError, ConnectionError } from './errors.ts';
import { lines } from './lines.ts';

async function* pieces(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let start = 0;
  for (const end of cuts.toSorted((a, b) => a - b)) {
    if (end > start) yield bytes.subarray(start, end);
    start = Math.max(start, end);
  }
  yield bytes.subarray(start);
}

describe('lines', () => {
  test('however the bytes are cut, the lines are the same, characters whole', async () => {
    const text = fc.array(
      fc.string({ unit: 'grapheme', minLength: 1 }).filter((line) => !line.includes('\n')),
    );
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(200)), async (wanted, cuts) => {
        const bytes = Buffer.from(wanted.map((line) => `${line}\n`).join(''));
        const inside = cuts.filter((cut) => cut < bytes.length);
        expect(await Array.fromAsync(lines(pieces(bytes, inside)))).toEqual(wanted);
      }),
    );
  });

  test('a last line that was cut off is no line', async () => {
    expect(await Array.fromAsync(lines(pieces(Buffer.from('a\n\nb\n{"c'), [])))).toEqual(['a', 'b']);
  });

  test('a line without end is an error, not a full memory', async () => {
    const endless = pieces(Buffer.alloc(100, 'x'), [10, 20, 30, 40, 50, 60]);
    await expect(Array.fromAsync(lines(endless, { maxBytes: 50 }))).rejects.toThrow('more than 50 bytes');
  });
});

describe('waiting', () => {
  test('delays double, stay below the most, and lose at most half to chance', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, chance) => {
        const delay = backoffDelay(failures, {
          baseMilliseconds: 10,
          maxMilliseconds: 1000,
          random: () => chance,
        });
        const whole = Math.min(1000, 10 * 2 ** failures);
        expect(delay).toBeGreaterThanOrEqual(whole / 2);
        expect(delay).toBeLessThanOrEqual(whole);
      }),
    );
  });

  test('the bucket gives its burst, then one token a period, and never holds more than the burst', () => {
    let now = 0;
    const bucket = createTokenBucket(10, 2, () => now);
    const taken = (times: number): number =>
      Array.from({ length: times }, () => bucket.tryTake()).filter(Boolean).length;
    expect(taken(5)).toBe(2);
    now = 100;
    expect(taken(5)).toBe(1);
    now = 1_000_000;
    expect(taken(5)).toBe(2);
  });

  test('sleep ends at once when its signal has aborted or aborts', async () => {
    await sleep(1e9, AbortSignal.abort());
    const stop = new AbortController();
    const sleeping = sleep(1e9, stop.signal);
    stop.abort();
    await sleeping;
  });
});

describe('answers', () => {
  const cut = new ConnectionError('cut', 'ECONNRESET', true);

  test('Retry-After is waited for, but no longer than half a minute', () => {
    expect(retryDelay(refusal(429, '', '2'), false, 0)).toBe(2000);
    expect(retryDelay(refusal(503, '', '9999'), false, 0)).toBe(30_000);
    expect(retryDelay(refusal(429, '', 'soon'), false, 0)).toBe(1000);
  });

  test('what the server may have done is not asked for twice', () => {
    expect(retryDelay(cut, false, 0)).toBeUndefined();
    expect(retryDelay(cut, true, 0)).toBeGreaterThan(0);
    expect(retryDelay(new ConnectionError('no', 'ECONNREFUSED', false), false, 0)).toBeGreaterThan(0);
    expect(retryDelay(new ApiError(500, {}), true, 0)).toBeUndefined();
    expect(retryDelay(new ApiError(504, {}), false, 0)).toBeUndefined();
    expect(retryDelay(new ApiError(409, {}), true, 0)).toBeUndefined();
    expect(retryDelay(new TypeError('bug'), true, 0)).toBeUndefined();
  });

  test('warnings are unquoted, and what is no warning is nothing', () => {
    expect(warningTexts('299 - "a \\"b\\" \\\\", 299 - "c, d"')).toEqual(['a "b" \\', 'c, d']);
    expect(warningTexts('nonsense')).toEqual([]);
  });
});
