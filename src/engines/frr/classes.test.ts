/** Classes of announcements as route maps: who is told what, in an order that newcomers don't disturb, and chance meetings. */
import { expect, test } from 'vitest';
import { classNumber, classText } from '#intent/announcement-class.ts';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import { classesOf, exportMap } from './classes.ts';

const said = (part: Partial<AnnouncementIntent> = {}): AnnouncementIntent => ({
  origin: { kind: 'Service', namespace: 'n', name: 's' },
  communities: [],
  ...part,
});
const many = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `10.9.${index >> 8}.${index & 255}/32`,
      said({ communities: [`1:${index}`] }),
    ]),
  );

test('a class has its place whoever else is there, but for few that meet', () => {
  const place = (announcements: Readonly<Record<string, AnnouncementIntent>>) =>
    new Map(classesOf(announcements).value.map(({ number, sequence }) => [number, sequence]));
  const [few, all] = [place(many(50)), place(many(200))];
  const moved = [...few].filter(([number, sequence]) => all.get(number) !== sequence);
  expect(moved.length).toBeLessThan(3);
  expect(new Set(all.values()).size).toBe(200);
});

test('a router has entries of the classes that it is told only', () => {
  const { value } = classesOf({
    '10.9.0.1/32': said({ neighbors: ['a'], others: [{ neighbors: ['b'], communities: ['1:1'] }] }),
  });
  const sets = (neighbor: string) =>
    exportMap('m', neighbor, false, value).entries.map(({ action, sets: own }) => [action, own]);
  expect(sets('a')).toEqual([
    ['permit', ['metric 0']],
    ['deny', undefined],
  ]);
  expect(sets('b')).toEqual([
    ['permit', ['community 1:1', 'metric 0']],
    ['deny', undefined],
  ]);
  expect(sets('c')).toEqual([['deny', undefined]]);
});

test('two classes of one number are both left out, and both are told', () => {
  const byNumber = new Map<number, string>();
  let pair: [string, string] | undefined;
  for (let index = 0; pair === undefined; index++) {
    const community = `${index >> 16}:${index & 0xffff}`;
    const number = classNumber(classText(said({ communities: [community] })));
    const other = byNumber.get(number);
    if (other !== undefined) pair = [other, community];
    byNumber.set(number, community);
  }
  const { value, problems } = classesOf({
    '10.9.0.1/32': said({ communities: [pair[0]] }),
    '10.9.0.2/32': said({ communities: [pair[1]] }),
    '10.9.0.3/32': said(),
  });
  expect(value.map(({ said: { communities } }) => communities)).toEqual([[]]);
  expect(problems.map(({ entry }) => entry)).toEqual([
    'announcements/10.9.0.1/32',
    'announcements/10.9.0.2/32',
  ]);
  expect(problems[0]?.reason).toContain('has one number by chance');
});
