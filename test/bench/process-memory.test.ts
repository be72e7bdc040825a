/** What processes share counts once, what they don't counts for each. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { memoryOf } from '../../bench/process-memory.ts';

const mapping = (
  file: string,
  resident: number,
  own: number,
) => `7f0000000000-7f0000001000 r-xp 00000000 fe:00 42 ${file}
Size:               4096 kB
Rss:                ${resident} kB
Pss:                   1 kB
Private_Clean:         0 kB
Private_Dirty:      ${own} kB
VmFlags: rd ex mr mw me
`;
const anonymous = (own: number) => mapping('', own, own).replace(' fe:00 42 ', ' 00:00 0 ');

test('pages of a file that both have count once, as on a machine where nobody else runs it', () => {
  const a = mapping('/opt/node/bin/node', 3000, 100) + anonymous(500);
  const b = mapping('/opt/node/bin/node', 2000, 200) + anonymous(700);
  expect(memoryOf([a, b])).toEqual({
    proportional: (100 + 500 + 200 + 700 + 2900) * 1024,
    resident: (3500 + 2700) * 1024,
  });
});

test('a process alone takes what is resident of it', () => {
  const text = readFileSync('/proc/self/smaps', 'utf8');
  const { proportional, resident } = memoryOf([text]);
  expect(proportional).toBe(resident);
  expect(resident).toBeGreaterThan(20e6);
});
