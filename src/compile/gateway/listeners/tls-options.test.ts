/** TLS options of listeners: what is said of those that are refused is read on terminals. */
import { expect, test } from 'vitest';
import { optionNames, readTLSOptions } from './tls-options.ts';

test('a value that is refused is shown without what a terminal would obey', () => {
  const [character, value] = ['\u001b', '\u001b[2J'];
  const { value: taken, refused } = readTLSOptions(
    { [optionNames.minimum]: value, [optionNames.ciphers]: value },
    'https',
  );
  expect(taken).toEqual({});
  expect(refused).toHaveLength(2);
  expect(refused.join('')).not.toContain(character);
});
