/** What the compiler and the datapath are told of names, whatever restarts. */
import { expect, test } from 'vitest';
import type { NamesAnswer, ToldName } from '#intent/handover.ts';
import { eventually } from '#lab/eventually.ts';
import { createLog } from '#telemetry/log.ts';
import { createLearntNames, followNames } from './learnt-names.ts';

const answer = (
  revision: number,
  names: Readonly<Record<string, ToldName>>,
  { instance = 'i', whole = false } = {},
): NamesAnswer => ({ instance, revision, whole, names });
const live = (...addresses: string[]): ToldName => ({ addresses, lapsed: [] });

test('changes, lapsed addresses and names that are gone', () => {
  const set = new Map<string, readonly string[] | undefined>();
  const learnt = createLearntNames((name, addresses) => void set.set(name, addresses && [...addresses]));
  expect(learnt.take(answer(0, {}, { whole: true }))).toBe(false);
  expect(learnt.flush()).toBeUndefined();
  expect(learnt.take(answer(1, { 'a.org': live('192.0.2.1') }))).toBe(true);
  expect(learnt.flush()).toEqual({ instance: 'i', revision: 1, lapsed: {} });
  expect(learnt.flush()).toBeUndefined();
  learnt.take(answer(2, { 'b.org': live('192.0.2.1', '192.0.2.2') }));
  learnt.take(answer(4, { 'a.org': { addresses: [], lapsed: ['192.0.2.1'] } }));
  expect(learnt.flush()).toEqual({ instance: 'i', revision: 4, lapsed: { '192.0.2.1': ['a.org'] } });
  expect(Object.fromEntries(set)).toEqual({ 'a.org': undefined, 'b.org': ['192.0.2.1', '192.0.2.2'] });
  // A datapath that started again has forgotten some: no new connections to that.
  learnt.take(answer(1, { 'b.org': live('192.0.2.2') }, { instance: 'j', whole: true }));
  const lapsed = { '192.0.2.1': ['a.org', 'b.org'] };
  expect(learnt.flush()).toEqual({ instance: 'j', revision: 1, lapsed });
  expect(Object.fromEntries(set)).toEqual({ 'a.org': undefined, 'b.org': ['192.0.2.2'] });
  // The same process is right about what it knows.
  learnt.take(answer(9, {}, { instance: 'j', whole: true }));
  expect(learnt.flush()).toEqual({ instance: 'j', revision: 9, lapsed: {} });
});

test('the first intent waits for what the datapath knows, and asks on from there', async () => {
  const log = createLog({ write: () => {} });
  const asked: unknown[] = [];
  const heard: number[] = [];
  let isUp = false;
  let isKnown = false;
  const names = async (known?: Pick<NamesAnswer, 'instance' | 'revision'>) => {
    asked.push(known?.revision);
    if (!isUp) throw new Error('not there');
    if (known !== undefined) return new Promise<never>(() => {});
    return answer(7, { 'a.org': live('192.0.2.1') }, { whole: true });
  };
  const following = followNames({ names }, ({ revision }) => void heard.push(revision), log);
  void following.first.then(() => {
    isKnown = true;
  });
  await eventually(() => expect(asked.length).toBeGreaterThan(1));
  expect(isKnown).toBe(false);
  isUp = true;
  await eventually(() => expect(isKnown).toBe(true));
  expect(heard).toEqual([7]);
  await eventually(() => expect(asked.at(-1)).toBe(7));
  following.stop();
});

test('a datapath that learns no names keeps nobody waiting', async () => {
  const following = followNames({ names: async () => undefined }, () => {}, createLog({ write: () => {} }));
  await following.first;
  following.stop();
});
