/** Numbers of classes: the same for the same words, in their range, and hardly ever one for two. */
import { expect, test } from 'vitest';
import { classNumber, classText } from './announcement-class.ts';

const origin = { kind: 'Service', name: 's' };

test('what is said counts, and whose it is does not', () => {
  const number = (communities: readonly string[], name = 's') =>
    classNumber(classText({ origin: { ...origin, name }, communities }));
  expect(number(['1:1'])).toBe(number(['1:1'], 't'));
  expect(number(['1:1'])).not.toBe(number(['1:2']));
  expect(number(['1:1'])).not.toBe(
    classNumber(classText({ origin, communities: ['1:1'], localPreference: 1 })),
  );
});

test('numbers are no metric of a block and no distance of FRR, and spread', () => {
  const numbers = Array.from({ length: 2_000 }, (_, index) =>
    classNumber(classText({ origin, communities: [`65000:${index}`] })),
  );
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0x1_0000);
  expect(Math.max(...numbers)).toBeLessThan(0x100_0000);
  // By chance two of 2,000 meet in 16 million about once in nine.
  expect(new Set(numbers).size).toBeGreaterThan(1_995);
});
