/** What is asked of address lists and counters, in Node and in LuaJIT. */
import { clientName, hasAddress, parseAddress, prepareAddresses } from './addresses.ts';
import { bucketCells, takeTokens } from './buckets.ts';
import type { Cells, CellTable } from './cells.ts';
import { findClient } from './clients.ts';
import { enter, forgetWorker, leave, turnstileCells } from './turnstiles.ts';
import type { Questions } from './vectors.ts';

export function addressesIn({ list, asked }: Questions['addresses']): string {
  const set = prepareAddresses(list);
  const answers: string[] = [];
  for (let at = 0; at < asked.length; at++) {
    const address = parseAddress(asked[at]!);
    answers.push(address === undefined ? '-' : `${hasAddress(set, address)}`);
  }
  return answers.join('\n');
}

export function clientText({ peer, said, trusted }: Questions['client']): string {
  const { text, forwarded } = findClient(peer, said, prepareAddresses(trusted));
  return `${text}\n${forwarded}`;
}

export function countedBy(addresses: Questions['counted']): string {
  return addresses.map((address) => clientName(parseAddress(address)!)).join('\n');
}

export function waits({ asked }: Questions['rates']): string {
  const table = tableOf(bucketCells);
  let evicted = 0;
  const answers: string[] = [];
  for (let at = 0; at < asked.length; at++) {
    const one = asked[at]!;
    const counter = one.counter === undefined ? 1 : one.counter;
    const key = { counter, one: one.key, other: one.key };
    const wait = takeTokens(table, [{ key, most: one.most, interval: one.interval }], one.at, () => {
      evicted += 1;
    });
    answers.push(`${wait}`);
  }
  answers.push(`evicted ${evicted}`);
  return answers.join('\n');
}

export function passages({ most, steps }: Questions['turnstiles']): string {
  const table = tableOf(turnstileCells);
  const places: Record<number, number> = {};
  const answers: string[] = [];
  for (let at = 0; at < steps.length; at++) {
    const { step, key, worker } = steps[at]!;
    if (step === 'in') {
      const place = enter(table, { counter: 1, one: key, other: key }, most, worker);
      if (place >= 0) places[key] = place;
      answers.push(place < 0 ? `${place}` : 'in');
    } else if (step === 'out') {
      leave(table, places[key]!, worker);
      answers.push('out');
    } else {
      forgetWorker(table, worker);
      answers.push('gone');
    }
  }
  return answers.join('\n');
}

/** Two sets, counted from 0 as arrays of C are. */
function tableOf(stride: number): CellTable {
  const cells: Cells = {};
  for (let at = 0; at < 2 * 8 * stride; at++) cells[at] = 0;
  return { cells, from: 0, sets: 2, stride };
}
